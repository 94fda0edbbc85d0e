import os

import numpy as np
import pytest

from makd.errors import TargetsError
from makd.targets import AspectTargets, fingerprints
from makd.targets.fingerprints import FINGERPRINT, UNKNOWN, find_changed, fingerprint, modification_time


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(b'12345')
    return str(path)


def known(path):
    with open(path, 'rb') as content:
        return np.array([fingerprint(content.read(), modification_time(path))], FINGERPRINT)


def test_another_content_is_a_change(file):
    before = known(file)
    assert find_changed([file], before) == []
    for content in (b'123456', b'54321', b''):
        with open(file, 'wb') as changed:
            changed.write(content)
        os.utime(file, ns=(7, 7))
        assert find_changed([file], before) == [0]


def test_a_copy_with_another_time_is_none(file):
    before = known(file)
    os.utime(file, ns=(7, 7))
    assert find_changed([file], before) == []


def test_a_file_of_the_same_size_and_time_is_not_read(file, monkeypatch):
    before = known(file)
    monkeypatch.setattr(fingerprints, 'hash64', lambda content: pytest.fail('the file was read'))
    assert find_changed([file], before) == []


def test_what_cannot_be_compared_is_no_change(file, tmp_path):
    absent = str(tmp_path / 'absent.png')
    unknown = np.array([UNKNOWN], FINGERPRINT)
    assert find_changed([file], unknown) == []
    assert find_changed([absent], known(file)) == []
    assert find_changed(['https://x/a.png', 'a\0.png'], np.repeat(known(file), 2)) == []
    assert modification_time('https://x/a.png') == 0


def test_only_the_changed_are_returned(tmp_path):
    paths = [str(tmp_path / f'{index}.png') for index in range(40)]
    for index, path in enumerate(paths):
        with open(path, 'wb') as file:
            file.write(bytes([index]))
    before = np.concatenate([known(path) for path in paths])
    for index in (3, 17, 39):
        with open(paths[index], 'wb') as file:
            file.write(b'new')
    assert find_changed(paths, before) == [3, 17, 39]


def test_a_folder_keeps_them_and_may_lack_them(tmp_path, targets, questions, logprobs):
    assert targets.fingerprints is None
    files = np.array([(size, 10 * size, size + 1) for size in range(5)], FINGERPRINT)
    kept = AspectTargets.write(
        tmp_path / 't', questions=questions, keys=targets.keys, logprobs=logprobs, fingerprints=[files[:2], files[2:]]
    )
    np.testing.assert_array_equal(kept.fingerprints, files)
    for damage in (b'', files[:4], files['size']):
        path = kept.path / 'fingerprints.npy'
        path.write_bytes(damage) if isinstance(damage, bytes) else np.save(path, damage)
        with pytest.raises(TargetsError, match=r'fingerprints.npy .*copy the folder again, or remove the file'):
            _ = AspectTargets.open(kept.path).fingerprints
