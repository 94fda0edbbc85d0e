"""Downloads from servers that are busy, cut connections or send odd headers."""

import errno
from email.utils import formatdate

import pytest
from mirror import Mirror

from dataset_converters import download
from dataset_converters.download import fetch
from makd.errors import DataError

CONTENT = b'x' * 5000
NOW = 1e9  # seconds


@pytest.fixture
def pauses(monkeypatch):
    """Return the list of the pauses that a download makes; they take no time."""
    made = []
    monkeypatch.setattr(download.time, 'sleep', made.append)
    monkeypatch.setattr(download.time, 'time', lambda: NOW)
    return made


@pytest.fixture
def mirror():
    started = Mirror({'a.bin': CONTENT})
    yield started
    started.server.shutdown()
    started.server.server_close()


def get(mirror, folder, log=lambda _: None):
    (wanted,) = mirror.downloads()
    return fetch(wanted, folder, log).read_bytes()


@pytest.mark.parametrize('status', [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(mirror, pauses, tmp_path, status):
    mirror.refusals = [(status, {})] * 4
    printed = []
    assert get(mirror, tmp_path, printed.append) == CONTENT
    assert pauses == [2, 4, 8, 16]
    assert f'a.bin: the server answers {status}' in printed[0]
    assert printed[0].endswith('trying again in 2 s')


@pytest.mark.parametrize(
    ('header', 'pause'),
    [
        ('7', 7),
        (formatdate(NOW + 30, usegmt=True), 30),
        ('86400', 120),
        (formatdate(NOW - 30, usegmt=True), 2),
        ('soon', 2),
        ('nan', 2),
        ('-5', 2),
    ],
)
def test_a_pause_is_as_long_as_the_server_wishes(mirror, pauses, tmp_path, header, pause):
    mirror.refusals = [(503, {'Retry-After': header})]
    assert get(mirror, tmp_path) == CONTENT
    assert pauses == [pause]


def test_a_server_that_stays_busy_is_given_up_with_what_has_arrived(mirror, pauses, tmp_path):
    mirror.cut['a.bin'] = 2000
    (tmp_path / 'out').mkdir()
    mirror.refusals = [None] + [(503, {})] * 10
    with pytest.raises(
        DataError, match=r'a\.bin: the server answers 503 .*; tried 5 times\. .* is kept in .*a\.bin\.part'
    ):
        get(mirror, tmp_path / 'out')
    assert (tmp_path / 'out/a.bin.part').read_bytes() == CONTENT[:2000]
    mirror.refusals = []
    assert get(mirror, tmp_path / 'out') == CONTENT
    assert mirror.asked[-1] == ('a.bin', 'bytes=2000-')


@pytest.mark.parametrize('status', [401, 403, 404, 410])
def test_a_server_that_refuses_is_not_asked_again(mirror, pauses, tmp_path, status):
    mirror.refusals = [(status, {})] * 2
    with pytest.raises(DataError, match=f'the server answers {status}'):
        get(mirror, tmp_path)
    assert pauses == []


@pytest.mark.parametrize('length', ['many', '-3', '', '5000, 5000'])
def test_a_content_length_that_is_no_number_is_as_none(mirror, pauses, tmp_path, length):
    mirror.length = length
    assert get(mirror, tmp_path) == CONTENT
    assert pauses == []


def test_a_file_that_does_not_fit_on_the_disk_is_not_begun(mirror, pauses, tmp_path):
    mirror.length = str(10**18)
    with pytest.raises(DataError, match=r'1000000000\.0 GB are to come, and .* free in .*--out'):
        get(mirror, tmp_path)
    assert not (tmp_path / 'a.bin.part').exists() or (tmp_path / 'a.bin.part').stat().st_size == 0


def test_a_disk_that_fills_up_is_named(mirror, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(download, '_receive', fail)
    with pytest.raises(DataError, match=r'a\.bin\.part cannot be written \(No space left on device\)'):
        get(mirror, tmp_path)
