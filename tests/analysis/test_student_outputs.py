"""A student's outputs, against the predictions of its head in a Runner's test."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from scipy.special import expit

from makd.analysis.student_outputs import run_student
from makd.cli.analysis import load_split
from makd.errors import ConfigError
from makd.registry import MODELS

MAKD, PLAIN = 'configs/makd/resnet18_emoji.py', 'configs/baseline/resnet18_emoji.py'
FEW = {'test_dataloader.dataset.indices': 5, 'test_dataloader.num_workers': 0, 'test_dataloader.batch_size': 2}


def untrained(config, folder):
    """Write a checkpoint of an untrained model, and return its path and the model."""
    cfg = Config.fromfile(config)
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})
    model.init_weights()
    torch.save({'state_dict': model.state_dict()}, folder / 'untrained.pth')
    return str(folder / 'untrained.pth'), model.eval()


@pytest.mark.parametrize('config', [MAKD, PLAIN])
def test_outputs_are_those_of_the_test(config, tmp_path):
    checkpoint, model = untrained(config, tmp_path)
    cfg = load_split(config, FEW, 'test')
    outputs = run_student(cfg, config, checkpoint, cfg.split_dataloader)
    with torch.no_grad():
        predictions = [s for batch in Runner.build_dataloader(cfg.test_dataloader) for s in model.test_step(batch)]
    np.testing.assert_allclose(
        outputs.class_probability, np.stack([p.pred_score for p in predictions]), rtol=1e-4, atol=1e-6
    )
    assert outputs.predicted.tolist() == [p.pred_label.item() for p in predictions]
    assert outputs.class_logits.shape == (5, 849)
    if config == MAKD:
        aspects = np.stack([p.pred_aspects for p in predictions])
        np.testing.assert_allclose(outputs.aspect_probability, aspects, rtol=1e-4)
        np.testing.assert_allclose(expit(outputs.aspect_logits), aspects, rtol=1e-4)
    else:
        assert outputs.aspect_logits.shape == (5, 0)


def test_a_student_that_does_not_answer_the_questions(tmp_path):
    checkpoint, _ = untrained(PLAIN, tmp_path)
    cfg = load_split(PLAIN, FEW, 'test')
    answered = load_split(MAKD, FEW, 'test').split_dataloader
    with pytest.raises(ConfigError, match=r"model.head.type='LinearClsHead' answers 0 questions, the annotator 66"):
        run_student(cfg, PLAIN, checkpoint, answered)


def test_a_checkpoint_of_another_model(tmp_path):
    checkpoint, _ = untrained(PLAIN, tmp_path)
    cfg = load_split(MAKD, FEW, 'test')
    with pytest.raises(ConfigError, match='does not fit the config configs/makd/resnet18_emoji'):
        run_student(cfg, MAKD, checkpoint, cfg.split_dataloader)


def test_a_model_without_a_classification_head(tmp_path):
    cfg = load_split(PLAIN, FEW, 'test')
    cfg.model = dict(type='ImageClassifier', backbone=cfg.model.backbone)
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict()}, tmp_path / 'headless.pth')
    with pytest.raises(ConfigError, match=r'model\.head is a NoneType'):
        run_student(cfg, PLAIN, str(tmp_path / 'headless.pth'), cfg.split_dataloader)
