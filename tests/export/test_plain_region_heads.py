"""Export of detectors with region heads that answer questions: mmdet's plain detector with the same scores."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from models import detection
from models.detection import Q
from models.test_distill_detector import distill
from models.test_makd_bbox_head import cascade_config, region_head

from makd.export.plain_model import check_same_scores, plain_config, plain_state_dict


def two_stage(kind):
    roi_head = region_head()
    distilled = {**region_head(), 'type': 'makd.DistillRoIHead'}
    changes = {
        'regions': dict(roi_head=roi_head),
        'branch and regions': dict(roi_head=roi_head, **detection.makd('FasterRCNN')),
        'DKD and regions': distill(roi_head=distilled),
        'all three': distill(kind='MaKDFasterRCNN', roi_head=distilled, **branch()),
    }[kind]
    return detection.detector_config('FasterRCNN', **changes).to_dict()


def branch():
    return {key: value for key, value in detection.makd('FasterRCNN').items() if key != 'type'}


def exported(cfg):
    """Return a student with random weights, its plain config, and the plain model with its weights."""
    before = copy.deepcopy(cfg)
    plain_cfg = plain_config(cfg)
    assert cfg == before
    torch.manual_seed(0)
    student = MODELS.build(ConfigDict(cfg)).eval()
    plain = MODELS.build(ConfigDict(plain_cfg)).eval()
    plain.load_state_dict(plain_state_dict(student.state_dict(), plain.state_dict()))
    return student, plain_cfg, plain


@pytest.mark.parametrize('kind', ['regions', 'branch and regions', 'DKD and regions', 'all three'])
def test_the_plain_detector_comes_out_of_every_combination(kind):
    student, cfg, plain = exported(two_stage(kind))
    assert cfg == detection.detector_config('FasterRCNN').to_dict()
    check_same_scores(student, plain)


def test_every_stage_of_a_cascade_becomes_plain():
    student, cfg, plain = exported(cascade_config(num_aspects=Q).to_dict())
    assert cfg == cascade_config('Shared2FCBBoxHead', 'CascadeRoIHead').to_dict()
    check_same_scores(student, plain)


@pytest.mark.parametrize(('kind', 'added'), [('DKD and regions', {'loss_kd'}), ('all three', {'loss_kd', 'loss_makd'})])
def test_distillation_and_regions_are_learnt_together(kind, added):
    torch.manual_seed(0)
    student = MODELS.build(ConfigDict(two_stage(kind)))
    student.init_weights()
    losses = student.train()(**detection.batch(student), mode='loss')
    assert {'loss_makd_roi', *added} <= losses.keys()
    student.parse_losses(losses)[0].backward()
    assert (student.roi_head.bbox_head.fc_cls.weight.grad[detection.C + 1 :] != 0).any()
