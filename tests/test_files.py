import os
import re
from pathlib import Path

import pytest

from makd.files import picture_name, write_text


@pytest.mark.parametrize(
    ('image', 'name'),
    [
        ('b.png', 'b.png'),
        ('./set/x/1.png', 'set_x_1.png'),
        ('set/x/1.jpg', 'set_x_1.jpg.png'),
        ('array 1', 'array 1.png'),
        ('été.png', 'été.png'),
    ],
)
def test_a_picture_is_named_after_its_image(image, name):
    assert picture_name(image) == name


def test_different_images_have_different_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = [
        *('a/b_c.png', 'a_b/c.png', 'a/b/c.png', 'a_b_c.png', '../a/b/c.png', '../../a/b/c.png'),
        *('x.png', 'x.jpg', 'x.jpg.png', 'https://h/x.png', 'http://h/x.png', 'h/x.png'),
        *(f'{folder}/{"n" * 240}{end}.png' for folder in 'ab' for end in 'cd'),
        *('é' * 120 + '.png', 'é' * 121 + '.png', os.fsdecode(b'\xff' * 240), os.fsdecode(b'\xfe' * 240)),
    ]
    names = {picture_name(image) for image in images}
    assert len(names) == len(images)
    assert names == {picture_name(str(tmp_path / image) if '://' not in image else image) for image in images}
    for name in names:
        (tmp_path / name).touch()
        assert os.path.dirname(name) == ''


def test_a_file_that_cannot_be_finished_leaves_the_former_one(tmp_path, monkeypatch):
    path = tmp_path / 'new' / 'table.md'
    write_text(path, 'é')

    def full(_):
        raise OSError('encoder error')  # of Pillow, without a number

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='encoder error'):
        write_text(path, 'another table')
    assert path.read_bytes() == 'é'.encode()
    assert list(path.parent.iterdir()) == [path]


def test_the_library_and_its_tools_write_files_whole():
    """Which means: by makd.files, or into an atomic folder, whose path is called temporary."""
    root = Path(__file__).parents[1]
    writing = re.compile(
        r"\.write_(text|bytes)\(|\bopen\([^)]*['\"][wx]|np\.save\(|(torch\.save|\bdump)\(.*\bout\b|\.dump\(\w"
    )
    found = [
        f'{path.relative_to(root)}: {line.strip()}'
        for folder in ('makd', 'tools')
        for path in sorted((root / folder).rglob('*.py'))
        if path != root / 'makd/files.py'
        for line in path.read_text('utf-8').splitlines()
        if writing.search(line) and 'temporary' not in line
    ]
    # A download in parts, and the lock of an annotation.
    assert [line.partition(':')[0] for line in found] == [
        'makd/annotation/shard_writer.py',
        'tools/dataset_converters/download.py',
    ], found
