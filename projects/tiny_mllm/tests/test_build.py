from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from makd.questions import QuestionSet
from projects.tiny_mllm import build as building
from projects.tiny_mllm.fit import Recipe
from projects.tiny_mllm.pictures import Lesson

DATA = Path('data/emoji')


@pytest.fixture
def lessons(monkeypatch):
    """Pictures of nothing, no packages and no convolutions."""
    count = len(QuestionSet.load(DATA / 'aspects' / 'questions.json'))
    rng = np.random.default_rng(0)
    made = [
        Lesson(
            f'noto/x/{i}',
            Image.fromarray(rng.integers(0, 256, (64, 64, 4), np.uint8)),
            frozenset(f'w{word}' for word in np.flatnonzero(rng.random(140) < 0.1)),
            rng.uniform(0.1, 0.9, count).astype(np.float32) if i < 190 else None,
        )
        for i in range(200)
    ]
    monkeypatch.setattr(building, 'read_lessons', lambda *_: made)
    monkeypatch.setattr(building, 'held_out_emoji', lambda _: frozenset())
    monkeypatch.setattr(building, 'read_imagenet_weights', lambda _: {})
    monkeypatch.setattr(building, 'load_folded', lambda *_: None)
    monkeypatch.setattr(
        building, 'features_of', lambda _, views: np.resize(np.stack(views), (len(views), 25, 1292)).astype(np.float16)
    )
    monkeypatch.setattr(building, 'VIEWS', 2)
    return made


def test_two_steps_make_a_model_that_loads_and_is_the_same_again(lessons, tmp_path):
    recipe = replace(Recipe(), steps=2, images=3, questions=4)
    for name in ('a', 'b'):
        building.build(tmp_path / name, DATA, {'imagenet': None}, tmp_path / 'work', recipe, seed=3)
    assert (tmp_path / 'a/model.safetensors').read_bytes() == (tmp_path / 'b/model.safetensors').read_bytes()
    assert len(list((tmp_path / 'work/features').iterdir())) == 2
    assert (tmp_path / 'a/lessons.txt').read_text('utf-8').split() == [lesson.key for lesson in lessons]

    model = AutoModelForImageTextToText.from_pretrained(tmp_path / 'a')
    assert model.dtype == torch.float32
    processor = AutoProcessor.from_pretrained(tmp_path / 'a')
    inputs = processor(images=[lessons[0].image.convert('RGB')], text=['<user><image>Is it red?<assistant>'])
    assert np.shape(inputs['input_ids']) == (1, 1 + 25 + 4 + 1)


def test_the_patch_embedding_starts_with_what_a_regression_knows(lessons):
    from projects.tiny_mllm.questions import QuestionBank

    torch.manual_seed(0)
    tower = building.HybridVisionModel(building.HybridVisionModel.config_class())
    features = np.random.default_rng(0).normal(size=(200, 25, 1292)).astype(np.float16)
    building.start_patch_embedding(tower, features, QuestionBank([f'Is it {i}?' for i in range(66)], lessons))
    embedded = tower.patch_embedding(torch.from_numpy(features.astype(np.float32))).mean(1)
    assert embedded.shape == (200, tower.config.hidden_size)
    assert (embedded**2).mean().item() == pytest.approx(1, rel=0.05)
