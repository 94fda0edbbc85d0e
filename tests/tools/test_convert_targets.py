import json
from pathlib import Path

import numpy as np
import pytest

from makd.targets import AspectTargets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('answers.json').write_text(json.dumps({'a': [0.25, 1], 'b': [0.5, 0], 'gone': [0, 0]}))
    Path('questions.txt').write_text('Has it wings?\nHas it fur?\n')
    for key in ('x/a.png', 'b.png', 'c.png'):
        Path('images', key).parent.mkdir(parents=True, exist_ok=True)
        Path('images', key).touch()
    return tmp_path


@pytest.fixture
def run(run_tool):
    """Return a function that runs the tool on a line of arguments."""
    return lambda line: run_tool('convert_targets', *line.split())


def test_there_and_back(run, folder):
    (output, _), end = run('from-json answers.json t --questions questions.txt --images images')
    assert end is None
    assert 'wrote 2 images x 2 questions' in output
    assert '1 answers without an image: gone' in output
    assert '1 images without answers: c.png' in output
    assert AspectTargets.open('t').meta == {'source': 'answers.json'}
    # The sigmoid of a difference of float32 logarithms gives 0.25 to within rounding.
    np.testing.assert_allclose(AspectTargets.open('t').probability('x/a.png'), [0.25, 1], rtol=1e-6)

    assert run('to-parquet t t.parquet')[1] is None
    assert run('from-parquet t.parquet u')[1] is None
    assert run('to-json u back.json --questions back.txt')[1] is None
    back = json.loads(Path('back.json').read_text())
    assert list(back) == ['b', 'a']
    np.testing.assert_allclose([back['a'], back['b']], [[0.25, 1], [0.5, 0]], rtol=1e-7)
    assert Path('back.txt').read_text() == Path('questions.txt').read_text()


def test_one_message_and_status_1(run, folder):
    assert run('to-parquet absent t.parquet')[1].startswith('error: there is no folder')
    assert 'absent.txt' in run('from-json answers.json t --questions absent.txt --images images')[1]


def test_overwrite_is_asked_for(run, folder):
    command = 'from-json answers.json t --questions questions.txt --images images'
    assert run(command)[1] is None
    assert '--overwrite' in run(command)[1]
    assert run(f'{command} --overwrite')[1] is None


def test_answers_about_numbered_training_images_are_not_attached_to_test_images(run, folder):
    Path('numbers.json').write_text(json.dumps({'00001': [0.25, 1], '00002': [0.5, 0]}))
    for split in ('train', 'test'):
        Path('cars', split).mkdir(parents=True)
        for stem in ('00001', '00002'):
            Path('cars', split, f'{stem}.png').touch()
    command = 'from-json numbers.json t --questions questions.txt --images'
    assert "like '00001', are numbers" in run(f'{command} cars/test')[1]
    assert 'is ambiguous' in run(f'{command} cars --split all')[1]
    assert "is in a folder 'train'" in run(f'{command} cars/test --split train')[1]
    assert run(f'{command} cars --split train')[1] is None
    targets = AspectTargets.open('t')
    assert list(targets.keys) == ['train/00001.png', 'train/00002.png']
    assert targets.meta == {'source': 'numbers.json', 'split': 'train'}


def test_the_annotation_file_of_the_authors_images(run, folder):
    Path('authors.json').write_text(json.dumps({'0_0_0': [0.25, 1], '12_1_0': [0.5, 0]}))
    Path('authors/train').mkdir(parents=True)
    for stem in ('0_0_0', '12_1_0'):
        Path(f'authors/train/{stem}.png').touch()
    command = 'from-json authors.json t --questions questions.txt --images authors --split train --annotation-file'
    (output, _), end = run(f'{command} train.txt')
    assert end is None
    assert 'wrote train.txt' in output
    assert Path('train.txt').read_text() == 'train/0_0_0.png 0\ntrain/12_1_0.png 12\n'
    assert 'train.txt exists' in run(f'{command} train.txt')[1]
    Path('authors/train/cat.png').touch()
    assert 'cat.png is not named LABEL_INDEX_N' in run(f'{command} other.txt --overwrite')[1]
    assert not Path('other.txt').exists()
