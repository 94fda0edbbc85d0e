"""COCO is laid out from a small local mirror, with a connection that breaks off and a damaged archive."""

import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from makd.datasets.preparation import coco, download
from makd.datasets.preparation.download import Download, fetch
from makd.errors import DataError

COUNTS = {'val2017': 2, 'train2017': 3}


def archive(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w') as file:
        for name, text in files.items():
            file.writestr(name, text)
    return content.getvalue()


def annotations(part):
    return json.dumps({'images': [{'file_name': f'{part}_{i}.jpg'} for i in range(COUNTS[part])]})


FILES = {
    'annotations_trainval2017.zip': archive(
        {f'annotations/instances_{part}.json': annotations(part) for part in COUNTS}
    ),
    **{
        f'{part}.zip': archive({f'{part}/{part}_{i}.jpg': 'x' * 5000 for i in range(count)})
        for part, count in COUNTS.items()
    },
}


class Mirror:
    """Serves FILES; ``cut`` gives after how many bytes the first answer about a file ends."""

    def __init__(self):
        self.asked, self.cut, self.content = [], {}, dict(FILES)
        self.ranges = True
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rsplit('/', 1)[-1]
                start = self.headers.get('Range')
                mirror.asked.append((name, start))
                whole = mirror.content.get(name)
                first = int(start.removeprefix('bytes=').rstrip('-')) if start and mirror.ranges else 0
                if whole is None or first >= len(whole):
                    self.send_error(404 if whole is None else 416)
                    return
                self.send_response(206 if first else 200)
                self.send_header('Content-Length', str(len(whole) - first))
                self.end_headers()
                self.wfile.write(whole[first : mirror.cut.pop(name, len(whole))])

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}/zips'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def mirror(monkeypatch):
    made = Mirror()
    downloads = [Download(f'{made.url}/{name}', hashlib.md5(content).hexdigest()) for name, content in FILES.items()]
    monkeypatch.setattr(coco, 'ARCHIVES', downloads)
    monkeypatch.setattr(coco, 'IMAGES', COUNTS)
    monkeypatch.setattr(download.time, 'sleep', lambda _: None)
    yield made
    made.server.shutdown()


def prepare(out, packages=None):
    said = []
    coco.prepare(out, packages, out, said.append)
    return '\n'.join(said)


def test_images_and_annotations_are_laid_out_and_the_next_step_is_said(mirror, tmp_path):
    said = prepare(tmp_path / 'coco')
    assert 'train2017: 3 images' in said
    assert 'configs/annotate/internvl3_8b_coco.py' in said
    found = {path.relative_to(tmp_path / 'coco').as_posix() for path in (tmp_path / 'coco').rglob('*.*')}
    assert {'annotations/instances_train2017.json', 'train2017/train2017_2.jpg', 'val2017/val2017_1.jpg'} <= found
    assert not list((tmp_path / 'coco').glob('*.zip'))
    asked = len(mirror.asked)
    prepare(tmp_path / 'coco')  # all is there
    assert len(mirror.asked) == asked


@pytest.mark.parametrize('ranges', [True, False])
def test_a_download_goes_on_where_it_broke_off(mirror, tmp_path, ranges):
    mirror.ranges = ranges
    mirror.cut['train2017.zip'] = 4000
    prepare(tmp_path / 'coco')
    asked = [start for name, start in mirror.asked if name == 'train2017.zip']
    assert asked == [None, 'bytes=4000-']
    assert (tmp_path / 'coco' / 'train2017' / 'train2017_0.jpg').stat().st_size == 5000


def test_what_an_earlier_command_left_is_used(mirror, tmp_path):
    part = tmp_path / 'val2017.zip.part'
    for kept in (100, len(FILES['val2017.zip'])):  # the second is whole, and the server has nothing behind it
        part.write_bytes(FILES['val2017.zip'][:kept])
        path = fetch(coco.ARCHIVES[2 if 'train' in coco.ARCHIVES[1].url else 1], tmp_path, lambda _: None)
        assert path.read_bytes() == FILES['val2017.zip']
        path.unlink()


def test_a_damaged_archive_and_an_absent_server_are_told(mirror, tmp_path):
    mirror.content['val2017.zip'] = b'y' + FILES['val2017.zip'][1:]
    with pytest.raises(DataError, match=r'val2017\.zip has the MD5 .* its publisher says'):
        prepare(tmp_path / 'a')
    del mirror.content['val2017.zip']
    with pytest.raises(DataError, match=r'val2017\.zip: the server answers 404'):
        prepare(tmp_path / 'b')
    mirror.server.shutdown()
    mirror.server.server_close()
    with pytest.raises(DataError, match=r'tried 5 times\. What has arrived is kept'):
        prepare(tmp_path / 'c')


def test_missing_images_are_counted(mirror, tmp_path):
    prepare(tmp_path)
    (tmp_path / 'train2017' / 'train2017_1.jpg').unlink()
    with pytest.raises(DataError, match=r'1 files are missing \(train2017_1\.jpg'):
        prepare(tmp_path)
    for done in tmp_path.glob('.*.done'):
        done.unlink()
    assert 'train2017: 3 images' in prepare(tmp_path)  # as the message says


def test_archives_that_are_there_already_are_read_and_kept(mirror, tmp_path):
    (tmp_path / 'archives').mkdir()
    for name, content in FILES.items():
        (tmp_path / 'archives' / name).write_bytes(content)
    prepare(tmp_path / 'coco', tmp_path / 'archives')
    assert mirror.asked == []
    assert len(list((tmp_path / 'archives').iterdir())) == 3
    (tmp_path / 'archives' / 'train2017.zip').unlink()
    with pytest.raises(DataError, match=r'train2017\.zip are not there'):
        prepare(tmp_path / 'other', tmp_path / 'archives')


def test_a_coco_that_was_laid_out_by_hand_is_not_fetched_again(mirror, tmp_path):
    prepare(tmp_path)
    for done in tmp_path.glob('.*.done'):
        done.unlink()
    asked = len(mirror.asked)
    prepare(tmp_path)
    assert len(mirror.asked) == asked
