import json
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import pytest
from apis.small_detector import small_detector
from mmcv.transforms import Resize
from PIL import Image


@pytest.fixture
def predict(run_tool, monkeypatch, pytestconfig):
    monkeypatch.chdir(pytestconfig.rootpath)
    return partial(run_tool, 'predict')


@pytest.fixture
def images(tmp_path, pytestconfig):
    """A folder with two images of one name in subfolders, a damaged image, and a file that is not an image."""
    folder = tmp_path / 'images'
    for name, code in (('a', '1f34e'), ('b', '1f34c')):
        (folder / name).mkdir(parents=True)
        shutil.copy(pytestconfig.rootpath / f'data/emoji/images/twemoji/food-fruit/{code}.png', folder / name / 'x.PNG')
    (folder / 'a/damaged.jpg').write_bytes(b'no picture')
    (folder / 'notes.txt').write_text('not this one')
    return folder


def test_text(predict, student_files):
    (out, _), status = predict(
        'data/emoji/images/twemoji/food-fruit/1f34e.png', *student_files, '--top', 3, '--aspects', 2
    )
    assert status is None
    lines = out.splitlines()
    assert lines[0] == 'data/emoji/images/twemoji/food-fruit/1f34e.png'
    first = lines[1].split('%  ')[1]
    assert lines[4].startswith(f'  what speaks for {first} ')
    assert lines[4].split()[-3:] == ['P(yes)', 'average', 'bits']
    assert lines[5].count('%') == lines[6].count('%') == 2
    assert lines[7:] == ['']


def test_json_of_a_folder_with_a_damaged_image(predict, student_files, images, tmp_path):
    """The other images are predicted, in the order of their paths."""
    out = tmp_path / 'new/predictions.json'
    (printed, _), status = predict(images, *student_files, '--json', out, '--batch-size', 2, '--top', 3, '--aspects', 4)
    assert 'error: 1 of 3 images could not be read' in status
    assert 'damaged.jpg' in status
    assert printed == ''
    text = out.read_text('utf-8')
    assert len(text.splitlines()) == 5
    damaged, *others = json.loads(text)
    assert damaged.keys() == {'image', 'error'}
    assert [entry['image'] for entry in others] == [str(images / 'a/x.PNG'), str(images / 'b/x.PNG')]
    for entry in others:
        classes, aspects = entry['classes'], entry['aspects']
        assert (len(classes), len(aspects)) == (3, 4)
        assert classes[0] == {
            'label': entry['pred_label'],
            'class': entry['pred_class'],
            'score': pytest.approx(entry['pred_score']),
        }
        assert aspects[0].keys() == {'id', 'question', 'probability', 'average', 'evidence'}
        assert aspects[0]['evidence'] >= aspects[1]['evidence']


@pytest.fixture(scope='module')
def detector_files(tmp_path_factory, pytestconfig):
    return small_detector(pytestconfig.rootpath, tmp_path_factory.mktemp('detector'))


def test_a_detector(predict, detector_files, tmp_path):
    folder = Path(detector_files[0]).parent / 'images'
    (out, _), status = predict(folder / '0.png', *detector_files, '--min-score', 0, '--top', 2)
    assert status is None
    lines = out.splitlines()
    assert lines[0] == str(folder / '0.png')
    assert re.fullmatch(r'  +\d+\.\d%  (box|disc) at x \d+ to \d+, y \d+ to \d+', lines[1])
    assert lines[2].startswith(f'          what speaks for {lines[1].split()[1]} ')
    assert len(lines) == 2 + 2 * 5
    (_, err), status = predict(
        *(folder, *detector_files, '--min-score', 0, '--aspects', 2),
        *('--json', tmp_path / 'found.json', '--show-dir', tmp_path / 'shown'),
    )
    assert status is None, err
    entries = json.loads((tmp_path / 'found.json').read_text())
    assert [entry['image'] for entry in entries] == [str(folder / f'{number}.png') for number in range(2)]
    for entry in entries:
        assert entry.keys() == {'image', 'detections'}
        assert len(entry['detections']) > 1
        for found in entry['detections']:
            assert found.keys() == {'label', 'class', 'score', 'box', 'aspects'}
            assert len(found['aspects']) == 2
    assert len(list((tmp_path / 'shown').glob('*.png'))) == 2


def test_a_detector_that_is_sure_of_nothing(predict, detector_files):
    image = Path(detector_files[0]).parent / 'images/0.png'
    (out, _), status = predict(image, *detector_files, '--min-score', 1.1)
    assert status is None
    assert out.splitlines() == [str(image), '  no box', '']


@pytest.mark.slow
def test_json_on_the_standard_output_is_nothing_but_json(student_files, pytestconfig):
    """In a new process, where importing mmpretrain prints a line."""
    done = subprocess.run(
        [
            sys.executable,
            'tools/predict.py',
            'data/emoji/images/twemoji/food-fruit/1f34e.png',
            *student_files,
            '--json',
            '-',
        ],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 1


def test_pictures(predict, student_files, images, tmp_path):
    (out, err), status = predict(images / 'a/x.PNG', images / 'b', *student_files, '--show-dir', tmp_path / 'shown')
    assert status is None
    assert out == ''
    assert '2 images are drawn in' in err
    assert len(list((tmp_path / 'shown').glob('*.png'))) == 2


def test_long_names_do_not_stop_the_others(predict, student_files, images, tmp_path):
    for folder in 'xy':
        (images / folder).mkdir()
        shutil.copy(images / 'a/x.PNG', images / folder / f'{"n" * 240}.png')
    (_, err), status = predict(images / 'x', images / 'y', *student_files, '--show-dir', tmp_path / 'shown')
    assert status is None, err
    assert len(list((tmp_path / 'shown').glob('*.png'))) == 2


def test_an_image_that_cannot_be_resized_does_not_stop_the_others(predict, student_files, images, monkeypatch):
    """As a strip of one pixel cannot, whose shorter side becomes 256."""
    resize = Resize.transform

    def fail(self, results):
        if results['img'].shape[1] == 1:
            raise cv2.error('Insufficient memory')
        return resize(self, results)

    monkeypatch.setattr(Resize, 'transform', fail)
    Image.new('RGB', (1, 300)).save(images / 'b/strip.png')
    (out, _), status = predict(images / 'b', *student_files)
    assert '1 of 2 images could not be read' in status
    assert re.search(r'strip\.png: .*1 x 300 pixels cannot be resized .*Insufficient memory', status)
    assert out.count('P(yes)') == 1


MISTAKES = {
    'order': (['CONFIG', 'CHECKPOINT', 'data/emoji/images/twemoji/food-fruit/1f34e.png'], 'The order is IMAGE'),
    'absent image': (['absent.png', 'CONFIG', 'CHECKPOINT'], "IMAGE 'absent.png': there is no such file or folder"),
    'no image': (['configs', 'CONFIG', 'CHECKPOINT'], 'the folder has no images'),
    'no config': (['README.md', 'configs/makd/resnet81_emoji.py', 'CHECKPOINT'], 'Did you mean'),
    'no checkpoint': (['README.md', 'CONFIG', 'absent.pth'], "CHECKPOINT: there is no checkpoint 'absent.pth'"),
    'none of the classes': (['README.md', 'CONFIG', 'CHECKPOINT', '--top', '0'], '--top 0: give 1 or more'),
    'no device': (['README.md', 'CONFIG', 'CHECKPOINT', '--device', 'gpu'], "device='gpu'"),
    'no boxes': (['README.md', 'CONFIG', 'CHECKPOINT', '--min-score', '0.5'], 'a classifier, which finds no boxes'),
    'no option': (['README.md', 'CONFIG', 'CHECKPOINT', '--cfg-options', 'model.head.num_aspect=3'], 'num_aspect'),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_mistakes(name, predict, student_files):
    arguments, message = MISTAKES[name]
    placed = {'CONFIG': student_files[0], 'CHECKPOINT': student_files[1]}
    _, status = predict(*(placed.get(argument, argument) for argument in arguments))
    assert message in status
