"""A MaKD detector is the plain detector and a branch beside it."""

import copy

import pytest
import torch
from mmdet.models.backbones import MobileNetV2
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from models.detection import STAGES, C, Q, batch, build, detector_config, makd
from torch.nn import functional as F

from makd.errors import ConfigError

KINDS = ['FasterRCNN', 'RetinaNet', 'DETR']


def pair(kind, **aspect_head):
    """Return the plain detector and its MaKD student with the same weights."""
    plain = build(kind).eval()
    student = build(kind, seed=1, **makd(kind, **aspect_head)).eval()
    loaded = student.load_state_dict(plain.state_dict(), strict=False)
    assert not loaded.unexpected_keys
    assert set(loaded.missing_keys) == {'aspect_head.fc.weight', 'aspect_head.fc.bias'}
    return plain, student


def losses_of(model, data):
    torch.manual_seed(7)  # samplers draw regions
    return model(**copy.deepcopy(data), mode='loss')


@pytest.mark.parametrize('kind', KINDS)
def test_without_its_branch_it_is_mmdets_detector(kind):
    plain, student = pair(kind)
    data = batch(plain)
    expected, found = losses_of(plain, data), losses_of(student, data)
    assert set(found) == {*expected, 'loss_makd'}
    for name, value in expected.items():
        for a, b in zip(
            value if isinstance(value, list) else [value], found[name] if isinstance(value, list) else [found[name]]
        ):
            torch.testing.assert_close(b, a)  # two models: kernels may depend on where tensors lie in memory
    with torch.no_grad():
        expected = plain(**copy.deepcopy(data), mode='predict')
        found = student(**copy.deepcopy(data), mode='predict')
    for a, b in zip(expected, found):
        assert len(a.pred_instances)
        assert torch.equal(a.pred_instances.labels, b.pred_instances.labels)
        for field in ('bboxes', 'scores'):
            torch.testing.assert_close(b.pred_instances[field], a.pred_instances[field])
        assert b.pred_aspects.shape == (Q,)
        assert ((b.pred_aspects > 0) & (b.pred_aspects < 1)).all()


@pytest.mark.parametrize('kind', KINDS)
def test_the_branch_learns_from_one_pass_of_the_backbone(kind):
    student = build(kind, **makd(kind))
    calls = []
    student.backbone.register_forward_hook(lambda *_: calls.append(1))
    data = batch(student)
    losses = losses_of(student, data)
    student(**copy.deepcopy(data), mode='predict')
    assert len(calls) == 2
    stages = student.backbone(data['inputs'])
    logits = student.aspect_head.fc(stages[-1].mean((2, 3)))
    target = torch.stack([sample.gt_aspects for sample in data['data_samples']])
    assert losses['loss_makd'].item() == pytest.approx(
        4.0 * F.binary_cross_entropy_with_logits(logits, target).item(), rel=1e-5
    )
    losses['loss_makd'].backward()
    assert student.backbone.conv1.weight.grad.any()
    assert not any(p.grad is not None for p in student.neck.parameters())


def test_padding_says_nothing():
    """An answer does not depend on how large the other images of the batch are."""
    student = build('FasterRCNN', **makd('FasterRCNN')).eval()
    feature = torch.randn(2, STAGES[-1], 3, 4)
    feature[0, :, 2:], feature[0, :, :, 3:] = 100.0, -100.0
    (small, large) = batch(student, sizes=((64, 96), (96, 128)))['data_samples']
    assert small.batch_input_shape == (96, 128)
    found = student.aspect_head([feature], [small, large])
    expected = student.aspect_head([torch.stack([feature[0, :, :2, :3]]).contiguous()])
    torch.testing.assert_close(found[:1], expected)
    torch.testing.assert_close(found[1:], student.aspect_head([feature[1:]]))


def test_stages_of_backbone_and_neck_are_chosen_by_config():
    student = build('FasterRCNN', **makd('FasterRCNN', source='neck', stages=(0, 4), in_channels=(8, 8))).eval()
    data = batch(student)
    with torch.no_grad():
        levels = student.extract_feat(data['inputs'])
        pooled = torch.cat([levels[0].mean((2, 3)), levels[4].mean((2, 3))], 1)
        predictions = student(**copy.deepcopy(data), mode='predict')
    torch.testing.assert_close(
        torch.stack([p.pred_aspects for p in predictions]), student.aspect_head.fc(pooled).sigmoid()
    )


@pytest.mark.parametrize('kind', KINDS)
def test_images_without_objects_are_learnt_from(kind):
    student = build(kind, **makd(kind))
    loss, _ = student.parse_losses(losses_of(student, batch(student, boxes=())))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in student.parameters() if p.grad is not None)


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match=r"source='neckk' must be 'backbone' or 'neck'"):
        build('FasterRCNN', **makd('FasterRCNN', source='neckk'))
    with pytest.raises(ConfigError, match=r'num_aspects=0 .*model.aspect_head.num_aspects'):
        build('FasterRCNN', **makd('FasterRCNN', num_aspects=0))
    with pytest.raises(ConfigError, match=r'stages=\(-1,\) and in_channels=\[8, 8\]'):
        build('FasterRCNN', **makd('FasterRCNN', in_channels=(8, 8)))
    student = build('FasterRCNN', **makd('FasterRCNN', in_channels=99))
    with pytest.raises(ConfigError, match=r'have \[64\] channels; set model.aspect_head.in_channels=\[64\]'):
        losses_of(student, batch(student))
    student = build('FasterRCNN', **makd('FasterRCNN', stages=(4,)))
    with pytest.raises(ConfigError, match='returns 4 feature maps'):
        losses_of(student, batch(student))
    student = build('FasterRCNN', **makd('FasterRCNN', num_aspects=Q + 1))
    with pytest.raises(ConfigError, match=f'answer {Q} questions, .*Set model.aspect_head.num_aspects={Q}'):
        losses_of(student, batch(student))


def test_the_number_of_classes_is_that_of_the_parent():
    assert build('FasterRCNN', **makd('FasterRCNN')).roi_head.bbox_head.num_classes == C


@pytest.mark.parametrize('kind', KINDS)
def test_export_gives_back_the_plain_detector(kind):
    from makd.export.plain_model import check_same_scores, plain_config, plain_state_dict

    student = build(kind, **makd(kind)).eval()
    cfg = plain_config(detector_config(kind, **makd(kind)).to_dict())
    plain = MODELS.build(ConfigDict(cfg)).eval()
    assert type(plain).__name__ == kind
    assert plain.state_dict().keys() == build(kind).state_dict().keys()
    plain.load_state_dict(plain_state_dict(student.state_dict(), plain.state_dict()))
    check_same_scores(student, plain)
    with torch.no_grad():
        next(plain.parameters()).mul_(2)
    with pytest.raises(AssertionError):
        check_same_scores(student, plain)
    with pytest.raises(ConfigError, match='it is a plain model already'):
        plain_config(cfg)


def test_export_of_mobilenet_v2_is_mmdets():
    from makd.export.plain_model import check_same_scores, plain_config, plain_state_dict

    cfg = Config.fromfile('configs/makd/faster_rcnn_mobilenet_v2_fpn_coco.py').model
    cfg.backbone.init_cfg = None
    student = MODELS.build(cfg).eval()
    plain = MODELS.build(ConfigDict(plain_config(cfg.to_dict()))).eval()
    assert type(plain.backbone) is MobileNetV2
    plain.load_state_dict(plain_state_dict(student.state_dict(), plain.state_dict()))
    check_same_scores(student, plain)
