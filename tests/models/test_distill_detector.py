"""A student detector learns the teacher's logits of the regions that it samples."""

import copy
import os
from pathlib import Path

import pytest
import torch
from mmdet.structures.bbox import bbox2roi
from models.detection import C, Q, batch, build, detector_config, makd

from makd.errors import ConfigError
from makd.models.losses import DKDLoss, KDLoss

DKD = dict(type='makd.DKDLoss', alpha=1.0, beta=0.25, temperature=1.0)


def distill(distill_loss=DKD, teacher=None, kind='FasterRCNN', **changes):
    teacher = teacher or detector_config('FasterRCNN').to_dict()
    changes.setdefault('roi_head', dict(type='makd.DistillRoIHead'))
    arguments = dict(type=f'makd.Distill{kind}', teacher=teacher, teacher_init='random', distill_loss=distill_loss)
    return {**arguments, **changes}


def losses_of(model, data):
    torch.manual_seed(7)
    return model(**copy.deepcopy(data), mode='loss')


def test_the_students_losses_are_those_of_the_plain_detector():
    plain, student = build('FasterRCNN'), build('FasterRCNN', **distill())
    assert student.state_dict().keys() == plain.state_dict().keys()
    assert len(list(student.parameters())) == len(list(plain.parameters()))
    student.load_state_dict(plain.state_dict())
    data = batch(plain)
    expected, found = losses_of(plain, data), losses_of(student, data)
    assert set(found) == {*expected, 'loss_kd'}
    for name in ('loss_cls', 'loss_bbox'):  # two models: close, since kernels may depend on where tensors lie in memory
        torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize(('config', 'loss'), [(DKD, DKDLoss(1.0, 0.25, 1.0)), (dict(type='makd.KDLoss'), KDLoss())])
def test_the_teacher_looks_at_the_regions_of_the_student(config, loss):
    student = build('FasterRCNN', **distill(config))
    kept = []
    inner = student.roi_head.bbox_head.loss

    def listen(cls_score, bbox_pred, rois, labels, *args, **kwargs):
        kept.append((cls_score, rois, labels))
        return inner(cls_score, bbox_pred, rois, labels, *args, **kwargs)

    student.roi_head.bbox_head.loss = listen
    data = batch(student)
    student.distill_weight = 0.5
    found = losses_of(student, data)['loss_kd']
    ((logits, rois, labels),) = kept
    assert (labels == C).any()
    assert (labels < C).any()
    teacher = student.teacher.model
    with torch.no_grad():
        features = teacher.neck(teacher.backbone(data['inputs']))
        regions = teacher.roi_head.bbox_roi_extractor(features[:4], rois)
        taught, _ = teacher.roi_head.bbox_head(regions)
    assert found.item() == pytest.approx(0.5 * loss(logits, taught, label=labels).item(), rel=1e-5)
    found.backward()
    assert student.backbone.conv1.weight.grad.any()
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not teacher.training


def test_a_student_that_is_its_teacher_has_nothing_to_learn():
    teacher = build('FasterRCNN')
    student = build('FasterRCNN', **distill(dict(type='makd.KDLoss')))
    student.load_state_dict(teacher.state_dict())
    student.teacher.model.load_state_dict(teacher.state_dict())
    student.eval()
    assert losses_of(student, batch(student))['loss_kd'].item() == pytest.approx(0, abs=1e-6)


def test_a_teacher_with_another_normalisation_sees_the_same_pixels_and_the_same_padding():
    teacher = detector_config('FasterRCNN').to_dict()
    own = dict(type='DetDataPreprocessor', mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], bgr_to_rgb=False)
    teacher['data_preprocessor'] = dict(own, pad_size_divisor=32)
    student = build('FasterRCNN', **distill(teacher=teacher))
    sizes = ((64, 90), (50, 96))
    data = batch(student, sizes=sizes)
    seen = []
    student.teacher.model.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    losses_of(student, data)
    expected = batch(student.teacher.model, sizes=sizes)['inputs']
    torch.testing.assert_close(seen[0], expected, atol=1e-3, rtol=1e-4)


def test_no_region_is_no_loss(monkeypatch):
    student = build('FasterRCNN', **distill())
    head = student.roi_head
    data = batch(student)
    regions = head.take_regions
    losses_of(student, data)

    def none():
        rois, logits, labels = regions()
        return rois[:0], logits[:0], labels[:0]

    monkeypatch.setattr(head, 'take_regions', none)
    loss = losses_of(student, data)['loss_kd']
    assert loss.item() == 0
    loss.backward()


def test_it_combines_with_makd():
    student = build('FasterRCNN', **{**makd('FasterRCNN'), **distill(kind='MaKDFasterRCNN')})
    calls = []
    student.backbone.register_forward_hook(lambda *_: calls.append(1))
    losses = losses_of(student, batch(student))
    assert {'loss_makd', 'loss_kd', 'loss_cls', 'loss_bbox', 'loss_rpn_cls', 'loss_rpn_bbox'} <= set(losses)
    assert len(calls) == 1
    loss, _ = student.parse_losses(losses)
    loss.backward()
    assert all(p.grad is not None for p in student.parameters() if p.requires_grad)


def test_the_regions_are_those_of_the_priors():
    student = build('FasterRCNN', **distill())
    results = []
    inner = student.roi_head.bbox_loss

    def listen(x, sampling_results):
        results.extend(sampling_results)
        return inner(x, sampling_results)

    student.roi_head.bbox_loss = listen
    rois = []
    student.roi_head.bbox_roi_extractor.register_forward_pre_hook(lambda _, args: rois.append(args[1]))
    losses_of(student, batch(student))
    assert torch.equal(rois[0], bbox2roi([result.priors for result in results]))
    assert student.roi_head._regions is None  # the graph of the last batch is not kept


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match=r"model\.roi_head\.type='makd\.DistillRoIHead'"):
        build('FasterRCNN', **distill(roi_head=dict(type='StandardRoIHead')))
    other = detector_config('FasterRCNN', roi_head=dict(bbox_head=dict(num_classes=C + 4))).to_dict()
    with pytest.raises(ConfigError, match=f'model.teacher has {C + 4} classes, the student {C}'):
        build('FasterRCNN', **distill(teacher=other))
    with pytest.raises(ConfigError, match=r'RetinaNet with roi_head=NoneType'):
        build('FasterRCNN', **distill(teacher=detector_config('RetinaNet').to_dict()))
    stored = {**distill(), 'teacher': None, 'teacher_init': 'checkpoint'}
    with pytest.raises(ConfigError, match=r'model\.teacher=None'):
        build('FasterRCNN', **stored)


def test_export_gives_back_the_plain_detector():
    from makd.export.plain_model import plain_config

    student = {**makd('FasterRCNN'), **distill(kind='MaKDFasterRCNN')}
    cfg = plain_config(detector_config('FasterRCNN', **student).to_dict())
    assert cfg == detector_config('FasterRCNN').to_dict()


@pytest.mark.gloo
def test_two_gloo_ranks_stay_the_same(tmp_path, python):
    """No parameter is left out of a step, not even by a rank whose images have no objects."""
    tests = Path(__file__).parents[1]
    two_ranks = ('-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2')
    environment = {**os.environ, 'PYTHONPATH': str(tests)}
    done = python(*two_ranks, tests / 'detector_steps.py', tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    assert 'aspect_head.fc.weight' in first
    assert len(first['roi_head.bbox_head.fc_cls.bias']) == C + 1 + Q
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name
