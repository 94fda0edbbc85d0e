"""Archives that are encrypted, damaged, bombs, or have files outside their folder."""

import gzip
import inspect
import io
import os
import stat
import tarfile
import zipfile
from collections import namedtuple

import pytest
from mirror import archive

from dataset_converters import archives
from dataset_converters.archives import unpack
from makd.errors import DataError

PICTURES = {f'images/{i}.jpg': 'x' * 5000 for i in range(3)}
KINDS = ['a.zip', 'a.tar', 'a.tar.gz', 'a.tgz']


def written(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def refused(path, tmp_path, match):
    """Check that an archive is refused with a message, and that nothing is left of it."""
    with pytest.raises(DataError, match=match) as refusal:
        unpack(path, tmp_path / 'out')
    assert str(path) in str(refusal.value)
    assert not list((tmp_path / 'out').iterdir())
    assert not list(tmp_path.glob('escaped*'))


@pytest.mark.parametrize('name', KINDS)
def test_a_sound_archive(tmp_path, name):
    unpack(written(tmp_path, name, archive(name, {**PICTURES, 'images/a..b.jpg': 'y'})), tmp_path / 'out', 'images')
    assert {path.name: path.stat().st_size for path in (tmp_path / 'out').iterdir()} == {
        **{f'{i}.jpg': 5000 for i in range(3)},
        'a..b.jpg': 1,
    }


def test_an_encrypted_zip(tmp_path):
    content = bytearray(archive('.zip', PICTURES))
    for signature, offset in ((b'PK\x01\x02', 8), (b'PK\x03\x04', 6)):  # the bit "encrypted" in both kinds of header
        content[content.index(signature) + offset] |= 1
    refused(written(tmp_path, 'a.zip', content), tmp_path, r'images/0\.jpg is encrypted\. Get the archive without')


@pytest.mark.parametrize('name', KINDS)
@pytest.mark.parametrize('member', ['../escaped.jpg', 'images/../../escaped.jpg'])
def test_a_path_that_leaves_the_folder(tmp_path, name, member):
    path = written(tmp_path, name, archive(name, {**PICTURES, member: 'x'}))
    refused(path, tmp_path, r'escaped\.jpg lies outside the folder')


def test_an_absolute_path_in_a_zip(tmp_path):
    path = written(tmp_path, 'a.zip', archive('.zip', {'/escaped.jpg': 'x'}))
    refused(path, tmp_path, r'/escaped\.jpg lies outside the folder')


def test_a_link_that_leaves_the_folder(tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as file:
        link = tarfile.TarInfo('images')
        link.type, link.linkname = tarfile.SYMTYPE, '../..'
        file.addfile(link)
    refused(written(tmp_path, 'a.tar', content.getvalue()), tmp_path, 'images lies outside the folder')


@pytest.fixture(params=['with', 'without'])
def _filters(request, monkeypatch):
    """Let Python have filters of tar members, or none, as 3.11.2."""
    if request.param == 'without':
        monkeypatch.delattr(tarfile, 'data_filter', raising=False)
        extract = tarfile.TarFile.extractall
        filters = {'filter': 'fully_trusted'} if 'filter' in inspect.signature(extract).parameters else {}
        monkeypatch.setattr(tarfile.TarFile, 'extractall', lambda *arguments: extract(*arguments, **filters))


@pytest.mark.usefixtures('_filters')
@pytest.mark.parametrize(
    ('kind', 'name', 'target'),
    [
        (tarfile.SYMTYPE, 'a', '..'),
        (tarfile.SYMTYPE, 'a', '/etc'),
        (tarfile.LNKTYPE, 'a', '../escaped'),
        (tarfile.FIFOTYPE, 'a', ''),
        (tarfile.CHRTYPE, 'a', ''),
        (tarfile.REGTYPE, '/escaped', ''),
    ],
)
def test_members_of_a_tar_that_are_refused(kind, name, target, tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as file:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        file.addfile(member)
    refused(written(tmp_path, 'a.tar', content.getvalue()), tmp_path, f'{name} (lies outside|is neither a file)')


@pytest.mark.usefixtures('_filters')
def test_a_tar_within_its_folder(tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as file:
        image = tarfile.TarInfo('images/0.jpg')
        image.size, image.mode, image.uid = 3, 0o4000, 12345
        file.addfile(image, io.BytesIO(b'abc'))
        link = tarfile.TarInfo('images/1.jpg')
        link.type, link.linkname = tarfile.SYMTYPE, '0.jpg'
        file.addfile(link)
    unpack(written(tmp_path, 'a.tar', content.getvalue()), tmp_path / 'out')
    assert (tmp_path / 'out/images/1.jpg').read_bytes() == b'abc'
    state = (tmp_path / 'out/images/0.jpg').stat()
    assert (state.st_uid, stat.S_IMODE(state.st_mode) & 0o7022) == (os.getuid(), 0)


def bomb(name):
    content = io.BytesIO()
    if name.endswith('zip'):
        with zipfile.ZipFile(content, 'w', zipfile.ZIP_DEFLATED) as file:
            file.writestr('zeros', bytes(10**6))
        return content.getvalue()
    return gzip.compress(archive('.tar', {'zeros': bytes(10**6)}))


@pytest.mark.parametrize('name', ['a.zip', 'a.tgz'])
def test_a_bomb(tmp_path, name):
    refused(written(tmp_path, name, bomb(name)), tmp_path, 'more than 200 times its size')


@pytest.mark.parametrize('name', KINDS)
def test_an_archive_that_does_not_fit_on_the_disk(tmp_path, name, monkeypatch):
    monkeypatch.setattr(archives.shutil, 'disk_usage', lambda _: namedtuple('Usage', 'free')(12_000))
    monkeypatch.setattr(archives, 'LARGEST_RATIO', 10**6)
    refused(written(tmp_path, name, archive(name, PICTURES)), tmp_path, r'0\.0 GB that are free in .*out.*--out')


@pytest.mark.parametrize('name', ['a.zip', 'a.tgz'])
def test_a_damaged_archive(tmp_path, name):
    whole = archive(name, {f'{i}.bin': bytes(range(256)) * 20 for i in range(3)})
    middle = len(whole) // 2
    for content in (whole[:middle], whole[:middle] + b'\xff' * 40 + whole[middle + 40 :], b'', b'PK', b'\x1f\x8b'):
        refused(written(tmp_path, name, content), tmp_path, 'cannot be unpacked into')
