"""The tool on a dataset of four classes that two of its questions tell apart."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from apis.small_detector import small_detector

from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

CONFIG = """
default_scope = 'mmpretrain'
load = dict(type='makd.LoadAspectTargets', targets='answers', data_root='images')
dataset = dict(type='CustomDataset', data_root='images', pipeline=[dict(type='PackInputs'), load])
train_dataloader = dict(dataset=dataset)
model = dict(head=dict(type='makd.MaKDLinearClsHead', num_aspects=4, num_classes=4, in_channels=1))
"""


@pytest.fixture
def select(tmp_path, monkeypatch, run_tool):
    keys = [f'{name}/{number}.png' for name in 'abcd' for number in range(6)]
    for key in keys:
        (tmp_path / 'images' / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'images' / key).touch()
    labels = np.repeat(np.arange(4), 6)
    coin = np.random.default_rng(0).integers(0, 2, 24)
    yes = np.stack([coin, labels // 2, labels // 2, labels % 2], axis=1).clip(0.1, 0.9)
    mass = np.array([0.9, 0.2, 0.5, 1.0])
    questions = QuestionSet(Question(name, f'Is it {name}?') for name in ('coin', 'high', 'copy', 'low'))
    logprobs = np.log(np.stack([yes, 1 - yes], axis=-1) * mass[:, None]).astype(np.float32)
    AspectTargets.write(tmp_path / 'answers', questions=questions, keys=keys, logprobs=logprobs)
    some = [index for index in range(24) if index % 6 < 4]
    AspectTargets.write(tmp_path / 'some', questions=questions, keys=[keys[i] for i in some], logprobs=logprobs[some])
    (tmp_path / 'config.py').write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    return partial(run_tool, 'select_questions', 'config.py', '--out', 'sub/chosen.json')


def test_questions_that_tell_the_classes_apart_are_written(select):
    (out, _), end = select('--top', '2')
    assert end is None
    chosen = QuestionSet.load('sub/chosen.json')
    assert chosen.ids == ('high', 'low')
    assert chosen.metadata['selected']['by'] == 'evidence'
    assert chosen.metadata['selected']['bits'][1] > 0.5
    assert '24 of 24 training images have answers to 4 questions; they are of 4 classes' in out
    assert '  1. +' in out
    assert 'label mass 0.20, yes  50%, high: Is it high?' in out
    assert 'train_dataloader.dataset.pipeline.1.question_ids=[high,low]' in out
    assert 'model.head.num_aspects=2' in out
    assert Path('sub/chosen.png').read_bytes().startswith(b'\x89PNG')


def test_answers_about_a_part_of_the_images_are_enough(select):
    (out, _), end = select('--top', '2', '--targets', 'some')
    assert end is None
    assert '16 of 24 training images have answers' in out
    assert QuestionSet.load('sub/chosen.json').ids == ('high', 'low')


def test_by_label_mass(select):
    select('--top', '3', '--by', 'mass')
    assert QuestionSet.load('sub/chosen.json').ids == ('low', 'coin', 'copy')


def test_without_a_label_mass(select):
    meta = Path('answers/meta.json')
    meta.write_text(json.dumps({**json.loads(meta.read_text()), 'has_label_mass': False}))
    (out, _), end = select('--top', '2')
    assert end is None
    assert 'bits, yes  50%, high: Is it high?' in out
    assert '--by mass: the targets do not say' in select('--top', '2', '--by', 'mass', '--force')[1]


def test_an_edited_file_is_not_overwritten(select):
    select('--top', '1')
    assert 'sub/chosen.json exists: give --force' in select('--top', '2')[1]
    assert len(QuestionSet.load('sub/chosen.json')) == 1
    assert select('--top', '2', '--force')[1] is None
    assert len(QuestionSet.load('sub/chosen.json')) == 2


def test_mistakes_are_one_message(select):
    assert '--top 5: there are 4 questions' in select('--top', '5')[1]
    assert "targets='nowhere'" in select('--top', '2', '--targets', 'nowhere')[1]
    Path('config.py').write_text(CONFIG.replace(', load]', ']'))
    assert 'No pipeline of train_dataloader.dataset has aspect targets' in select('--top', '2')[1]
    Path('config.py').write_text(CONFIG.replace("data_root='images')", "data_root='.')"))
    assert 'has no answers about any of the 24 training images' in select('--top', '2')[1]


def test_questions_about_the_regions_of_a_detector(run_tool, tmp_path, monkeypatch, pytestconfig):
    config, _ = small_detector(pytestconfig.rootpath, tmp_path)
    monkeypatch.chdir(tmp_path)
    select = partial(run_tool, 'select_questions', config, '--top', '1', '--force', '--out', 'chosen.json')
    (out, _), end = select()
    assert end is None
    assert '4 of 4 training regions have answers to 3 questions; they are of 2 classes' in out
    assert QuestionSet.load('chosen.json').ids[0] in ('white', 'round')  # the third says nothing
    assert 'train_dataloader.dataset.pipeline.0.question_ids=[' in out
    assert 'model.roi_head.bbox_head.num_aspects=1' in out
    (tmp_path / 'targets').rename('elsewhere')
    assert 'targets' in select()[1]
    assert select('--targets', 'elsewhere')[1] is None
