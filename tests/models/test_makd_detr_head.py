"""DETR's head with aspects, against mmdet's head and against sums written out by hand."""

import copy
import math

import pytest
import torch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from models import detection
from models.detection import C, Q

from makd.errors import ConfigError
from makd.export.plain_model import plain_config, plain_state_dict

ALPHA = 2.0
HEAD = dict(type='makd.MaKDDETRHead', num_aspects=Q, aspect_loss=dict(type='makd.MaKDLoss', loss_weight=ALPHA))


@pytest.fixture(params=['DETR', 'ConditionalDETR'])
def pair(request):
    """Return mmdet's detector, and makd's with the same weights for classes and boxes."""
    makd = detection.build(request.param, bbox_head={**HEAD, 'type': f'makd.MaKD{request.param}Head'})
    plain = detection.build(request.param)
    plain.load_state_dict(plain_state_dict(makd.state_dict(), plain.state_dict()))
    return plain.eval(), makd.eval()  # no dropout


def losses_of(model, data):
    return model(**copy.deepcopy(data), mode='loss')


def test_losses_and_predictions_are_those_of_mmdets_head(pair):
    plain, makd = pair
    assert makd.bbox_head.num_classes == C
    assert makd.state_dict().keys() == plain.state_dict().keys()
    data = detection.batch(plain)
    expected, found = losses_of(plain, data), losses_of(makd, data)
    assert {found.pop(name).item() > 0 for name in ('loss_makd_roi', 'd0.loss_makd_roi')} == {True}
    torch.testing.assert_close(found, expected)

    data = detection.batch(plain, training=False)
    with torch.no_grad():
        detections = [model(**copy.deepcopy(data), mode='predict') for model in pair]
    for one, other in zip(*detections):
        assert other.pred_instances.pop('aspects').shape == (5, Q)
        torch.testing.assert_close(dict(other.pred_instances.items()), dict(one.pred_instances.items()))


def test_a_matched_query_learns_the_answers_about_its_object(pair):
    """The match is found again from the boxes that DETR's own loss learns."""
    _, makd = pair
    head = makd.bbox_head
    data = detection.batch(makd)
    data['data_samples'][1].gt_instances.aspects[0, 2] = math.nan
    kept = {}

    def listen(logits, target):
        kept.setdefault('calls', []).append((logits, target))
        return original(logits, target)

    original, head.aspect_loss.forward = head.aspect_loss.forward, listen
    losses = losses_of(makd, data)
    assert len(kept['calls']) == 2
    terms = []
    for logits, target in kept['calls']:
        given = torch.cat([sample.gt_instances.aspects for sample in data['data_samples']])
        assert sorted(map(str, target.tolist())) == sorted(map(str, given.tolist()))  # each object has one query
        answered = ~target.isnan()
        p, z = target[answered], logits[answered]
        terms.append(ALPHA * -(p * z.sigmoid().log() + (1 - p) * (1 - z.sigmoid()).log()).sum() / answered.sum())
    assert answered.sum() == 4 * Q - 1
    torch.testing.assert_close(torch.stack(terms), torch.stack([losses['d0.loss_makd_roi'], losses['loss_makd_roi']]))


def test_a_query_is_matched_with_the_object_that_its_box_learns(pair, monkeypatch):
    _, makd = pair
    head = makd.bbox_head
    data = detection.batch(makd)
    targets = []
    inner = head._get_targets_single

    def listen(*args):
        targets.append(inner(*args))
        return targets[-1]

    monkeypatch.setattr(head, '_get_targets_single', listen)
    learnt = []
    monkeypatch.setattr(head.aspect_loss, 'forward', lambda logits, target: learnt.append(target) or logits.sum())
    losses_of(makd, data)
    size = torch.tensor([96.0, 64, 96, 64])
    for layer, target in enumerate(learnt):
        expected = []
        for sample, (_, _, boxes, _, positive, _) in zip(data['data_samples'], targets[2 * layer : 2 * layer + 2]):
            of_query = bbox_cxcywh_to_xyxy(boxes[positive]) * size
            distance = torch.cdist(of_query, sample.gt_instances.bboxes)
            assert distance.min(dim=1).values.max() < 1e-3
            expected.append(sample.gt_instances.aspects[distance.argmin(dim=1)])
        torch.testing.assert_close(target, torch.cat(expected))


def test_a_detection_has_the_aspects_of_its_query():
    head = detection.build('DETR', bbox_head=HEAD).bbox_head
    class_logits = torch.tensor([[0.0, 0, 0, 9], [7, 0, 0, 0], [0, 5, 0, 0], [0, 0, 6, 0], [1, 0, 0, 4], [2, 0, 0, 3]])
    head._aspect_logits = torch.arange(6.0)[None, None, :, None].expand(2, 1, 6, Q)
    (found,) = head.predict_by_feat(
        class_logits.expand(2, 1, 6, 4), torch.rand(2, 1, 6, 4), [dict(img_shape=(64, 96), scale_factor=(1, 1))]
    )
    assert found.labels[:3].tolist() == [0, 2, 1]
    torch.testing.assert_close(found.aspects, torch.tensor([1.0, 3, 2, 5, 4]).sigmoid()[:, None].expand(5, Q))


def test_two_detections_of_a_query_have_the_same_aspects():
    """Conditional DETR scores each class by itself."""
    head = detection.build('ConditionalDETR', bbox_head={**HEAD, 'type': 'makd.MaKDConditionalDETRHead'}).bbox_head
    class_logits = torch.full((6, C), -9.0)
    class_logits[4, 1], class_logits[2, 0], class_logits[4, 2] = 3.0, 2.0, 1.0
    head._aspect_logits = torch.arange(6.0)[None, None, :, None].expand(2, 1, 6, Q)
    (found,) = head.predict_by_feat(
        class_logits.expand(2, 1, 6, C), torch.rand(2, 1, 6, 4), [dict(img_shape=(64, 96), scale_factor=(1, 1))]
    )
    assert found.labels[:3].tolist() == [1, 0, 2]
    torch.testing.assert_close(found.aspects[:3, 0], torch.tensor([4.0, 2, 4]).sigmoid())


def test_images_without_objects_are_learnt_from():
    model = detection.build('DETR', bbox_head=HEAD).train()
    losses = losses_of(model, detection.batch(model, boxes=()))
    assert losses['loss_makd_roi'].item() == 0
    model.parse_losses(losses)[0].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_the_plain_detector_comes_out():
    cfg = detection.detector_config('DETR', bbox_head=HEAD).to_dict()
    before = copy.deepcopy(cfg)
    plain = plain_config(cfg)
    assert str(cfg) == str(before)
    assert plain['bbox_head'].pop('type') == 'DETRHead'
    assert not {'num_aspects', 'aspect_loss'} & plain['bbox_head'].keys()


def test_answers_that_do_not_arrive_are_refused(pair):
    _, makd = pair
    with pytest.raises(ConfigError, match=rf'answer {Q + 1} questions.*model\.bbox_head\.num_aspects={Q + 1}'):
        losses_of(makd, detection.batch(makd, num_region_aspects=Q + 1))
    with pytest.raises(ConfigError, match='num_aspects=-1'):
        detection.build('DETR', bbox_head={**HEAD, 'num_aspects': -1})
