"""Region heads with aspects: losses and predictions against mmdet's plain heads, and sums written out by hand."""

import math

import pytest
import torch
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from models import detection
from models.detection import C, Q

from makd.errors import ConfigError

ALPHA = 2.0
NMS = ConfigDict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)


def region_head(**changes):
    return dict(
        bbox_head=dict(
            type='makd.MaKDShared2FCBBoxHead',
            num_aspects=Q,
            aspect_loss=dict(type='makd.MaKDLoss', loss_weight=ALPHA),
            **changes,
        ),
        type='makd.MaKDRoIHead',
    )


def small_head(kind, **changes):
    detection.detector_config('FasterRCNN')  # registers mmdet
    torch.manual_seed(0)
    settings = dict(in_channels=2, roi_feat_size=2, num_classes=C)
    if kind.endswith('BBoxHead') and 'FC' not in kind:
        settings.update(with_avg_pool=True)  # mmdet's own way of flattening the features
    else:
        settings.update(fc_out_channels=4)
    if 'Conv' in kind:
        settings.update(conv_out_channels=2)
    return MODELS.build({'type': kind, **settings, **changes})


def pair(kind, **changes):
    """Return mmdet's head, and makd's with the same weights for classes and boxes."""
    plain = small_head(kind, **changes)
    makd = small_head(
        f'makd.MaKD{kind}', num_aspects=Q, aspect_loss=dict(type='makd.MaKDLoss', loss_weight=ALPHA), **changes
    )
    weights = plain.state_dict()
    for name in ('fc_cls.weight', 'fc_cls.bias'):
        weights[name] = torch.cat([weights[name], makd.state_dict()[name][C + 1 :]])
    makd.load_state_dict(weights)
    return plain, makd


def sampled(of_objects, num_negative, num_objects=2):
    """Return the sampling result of an image: region i has the object ``of_objects[i]``, others have none."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 40, 40]])[:num_objects]
    result = SamplingResult.__new__(SamplingResult)
    result.pos_priors = boxes[of_objects] + 1
    result.neg_priors = torch.tensor([[50.0, 50, 60, 60]]).repeat(num_negative, 1)
    result.pos_assigned_gt_inds = torch.tensor(of_objects, dtype=torch.long)
    result.pos_gt_bboxes = boxes[of_objects]
    result.pos_gt_labels = result.pos_assigned_gt_inds % C
    return result


def losses(head, features, results):
    class_logits, deltas = head(features)
    rois = torch.cat(
        [
            torch.cat([torch.full((len(result.priors), 1), float(image)), result.priors], dim=1)
            for image, result in enumerate(results)
        ]
    )
    return head.loss_and_target(class_logits, deltas, rois, results, ConfigDict(pos_weight=-1))['loss_bbox']


def bce(logit, p):
    probability = 1 / (1 + math.exp(-logit))
    return -(p * math.log(probability) + (1 - p) * math.log(1 - probability))


def test_the_loss_is_the_mean_over_the_answers_about_the_objects_of_the_regions():
    """Image 0: regions of the objects 1, 1, 0 and two of none. Image 1: no object. Image 2: one region, one answer."""
    head = small_head(
        'makd.MaKDShared2FCBBoxHead', num_aspects=2, aspect_loss=dict(type='makd.MaKDLoss', loss_weight=ALPHA)
    )
    nan = math.nan
    gt = [torch.tensor([[0.9, 0.2], [nan, 1.0]]), torch.zeros(0, 2), torch.tensor([[nan, 0.3]])]
    results = [sampled([1, 1, 0], 2), sampled([], 2, 0), sampled([0], 1, 1)]
    features = torch.randn(9, 2, 2, 2)
    head(features)
    logits = head.take_aspect_logits()
    logits.retain_grad()
    head.expect(gt)
    head._aspect_logits = logits
    loss = head._loss_makd(head.take_aspect_logits(), results)
    z = logits.detach()
    terms = [(z[0, 1], 1.0), (z[1, 1], 1.0), (z[2, 0], 0.9), (z[2, 1], 0.2), (z[7, 1], 0.3)]
    assert loss.item() == pytest.approx(ALPHA * sum(bce(float(a), b) for a, b in terms) / 5, rel=1e-5)
    loss.backward()
    answered = torch.zeros(9, 2, dtype=torch.bool)
    for row, column in ((0, 1), (1, 1), (2, 0), (2, 1), (7, 1)):
        answered[row, column] = True
    assert (logits.grad[~answered] == 0).all()
    assert (logits.grad[answered] != 0).all()


@pytest.mark.parametrize('kind', ['BBoxHead', 'Shared2FCBBoxHead', 'Shared4Conv1FCBBoxHead'])
@pytest.mark.parametrize('agnostic', [False, True])
def test_classes_and_boxes_are_those_of_mmdets_head(kind, agnostic):
    plain, makd = pair(kind, reg_class_agnostic=agnostic)
    assert makd.num_classes == C
    assert makd.state_dict().keys() == plain.state_dict().keys()
    features, results = torch.randn(6, 2, 2, 2), [sampled([0, 1], 1), sampled([1], 2)]
    expected = losses(plain, features, results)
    makd.expect([torch.rand(2, Q), torch.rand(2, Q)])
    found = losses(makd, features, results)
    assert found.pop('loss_makd_roi') > 0
    torch.testing.assert_close(found, expected)

    rois = tuple(
        torch.cat([torch.full((3, 1), float(image)), torch.rand(3, 2) * 20, 30 + torch.rand(3, 2) * 20], 1)
        for image in (0, 1)
    )
    meta = [dict(img_shape=(64, 64), scale_factor=(2.0, 2.0))] * 2
    for cfg in (NMS, None):
        detections = []
        for head in (plain, makd):
            scores, deltas = head(features)
            detections.append(head.predict_by_feat(rois, scores.split(3), deltas.split(3), meta, cfg, rescale=True))
        for one, other in zip(*detections):
            aspects = other.pop('aspects')
            assert len(aspects) == len(one.bboxes)
            torch.testing.assert_close(dict(other.items()), dict(one.items()))


def test_a_detection_has_the_aspects_of_its_region():
    """Four regions, two of them at one place; the worse of these is suppressed, and another is two classes."""
    head = small_head('makd.MaKDBBoxHead', num_aspects=Q)
    rois = torch.tensor([[0.0, 0, 0, 20, 20], [0, 1, 0, 21, 20], [0, 40, 40, 60, 60], [0, 0, 40, 20, 60]])
    class_logits = torch.tensor([[1.0, 0, 0, 0], [6, 0, 0, 0], [0, 5, 5, 0], [0, 0, 0, 9]])
    aspect_logits = torch.arange(4.0)[:, None].expand(4, Q)
    head._aspect_logits = aspect_logits
    cfg = ConfigDict(score_thr=0.3, nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)
    meta = [dict(img_shape=(64, 64), scale_factor=(1.0, 1.0))]
    (found,) = head.predict_by_feat((rois,), (class_logits,), (torch.zeros(4, 4 * C),), meta, cfg)
    assert found.labels.tolist() == [0, 1, 2] or found.labels.tolist() == [0, 2, 1]
    torch.testing.assert_close(found.aspects, torch.tensor([1.0, 2, 2]).sigmoid()[:, None].expand(3, Q))
    assert head._aspect_logits is None


def detector(**roi_head):
    return detection.build('FasterRCNN', roi_head={**region_head(), **roi_head})


def test_a_detector_learns_answers_about_its_objects():
    model = detector().train()
    data = detection.batch(model)
    data['data_samples'][1].gt_instances.aspects[:] = math.nan
    found = model(**data, mode='loss')
    assert {'loss_cls', 'loss_bbox', 'loss_makd_roi', 'loss_rpn_cls'} <= found.keys()
    total, _ = model.parse_losses(found)
    total.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert (model.roi_head.bbox_head.fc_cls.weight.grad[C + 1 :] != 0).any()


def test_images_without_objects_are_learnt_from():
    model = detector().train()
    found = model(**detection.batch(model, boxes=()), mode='loss')
    assert found['loss_makd_roi'].item() == 0
    model.parse_losses(found)[0].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_predictions_have_aspects_also_without_any_proposal():
    model = detector().eval()
    data = detection.batch(model, training=False)
    with torch.no_grad():
        for sample in model(**data, mode='predict'):
            assert sample.pred_instances.aspects.shape == (len(sample.pred_instances.bboxes), Q)
            assert sample.pred_instances.aspects.min() >= 0
            assert sample.pred_instances.aspects.max() <= 1
        nothing = [InstanceData(bboxes=torch.zeros(0, 4))] * 2
        features = model.extract_feat(data['inputs'])
        metas = [sample.metainfo for sample in data['data_samples']]
        for found in model.roi_head.predict_bbox(features, metas, nothing, model.test_cfg.rcnn):
            assert found.aspects.shape == (0, Q)
        one = [InstanceData(bboxes=torch.zeros(0, 4)), InstanceData(bboxes=torch.tensor([[1.0, 1, 30, 30]]))]
        first, second = model.roi_head.predict_bbox(features, metas, one, model.test_cfg.rcnn)
        assert first.aspects.shape == (0, Q)
        assert len(second.aspects) == len(second.bboxes) > 0


def cascade_config(head='makd.MaKDShared2FCBBoxHead', roi_head='makd.MaKDCascadeRoIHead', **changes):
    detection.detector_config('FasterRCNN')
    cfg = Config.fromstring("_base_ = ['mmdet::_base_/models/cascade-rcnn_r50_fpn.py']", '.py').model
    cfg.backbone.update(depth=18, base_channels=8, stem_channels=8, frozen_stages=-1, init_cfg=None)
    cfg.neck.update(in_channels=list(detection.STAGES), out_channels=8)
    cfg.rpn_head.update(in_channels=8, feat_channels=8)
    cfg.roi_head.type = roi_head
    cfg.roi_head.bbox_roi_extractor.out_channels = 8
    for stage in cfg.roi_head.bbox_head:
        stage.update(type=head, in_channels=8, fc_out_channels=16, num_classes=C, **changes)
    cfg.test_cfg.rcnn.score_thr = 0.0
    return cfg


def cascade(*types, **changes):
    cfg = cascade_config(*types, **changes)
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


def test_each_stage_of_a_cascade_learns_and_the_last_answers():
    model = cascade(num_aspects=Q)
    found = model.train()(**detection.batch(model), mode='loss')
    assert {f's{stage}.loss_makd_roi' for stage in range(3)} <= found.keys()
    model.parse_losses(found)[0].backward()
    with torch.no_grad():
        samples = model.eval()(**detection.batch(model, training=False), mode='predict')
    assert all(s.pred_instances.aspects.shape == (len(s.pred_instances.bboxes), Q) for s in samples)

    plain = cascade('Shared2FCBBoxHead', 'CascadeRoIHead')
    weights = {
        name: value[: len(plain.state_dict()[name])] if 'fc_cls' in name else value
        for name, value in model.state_dict().items()
    }
    plain.load_state_dict(weights)
    with torch.no_grad():
        expected = plain.eval()(**detection.batch(model, training=False), mode='predict')
    for one, other in zip(samples, expected):
        torch.testing.assert_close(one.pred_instances.bboxes, other.pred_instances.bboxes)
        torch.testing.assert_close(one.pred_instances.scores, other.pred_instances.scores)


def test_invalid_heads_are_refused():
    with pytest.raises(ConfigError, match=r'num_aspects=0 .*roi_head\.bbox_head\.num_aspects'):
        small_head('makd.MaKDShared2FCBBoxHead', num_aspects=0)
    with pytest.raises(ConfigError, match=r"NormedLinear.*cls_predictor_cfg=dict\(type='Linear'\)"):
        small_head('makd.MaKDShared2FCBBoxHead', num_aspects=Q, cls_predictor_cfg=dict(type='NormedLinear'))


def test_answers_that_do_not_arrive_are_refused():
    model = detector().train()
    data = detection.batch(model)
    for sample in data['data_samples']:
        del sample.gt_instances.aspects
    with pytest.raises(ConfigError, match=r'no answers about its objects.*makd\.LoadRegionAspects'):
        model(**data, mode='loss')
    with pytest.raises(ConfigError, match=f'answer {Q + 1} questions, the head has num_aspects={Q}'):
        model(**detection.batch(model, num_region_aspects=Q + 1), mode='loss')
    model = detector(type='StandardRoIHead').train()
    with pytest.raises(ConfigError, match=r"model\.roi_head\.type='makd\.MaKDRoIHead'"):
        model(**detection.batch(model), mode='loss')


def test_branch_and_regions_are_learnt_together():
    model = detection.build('FasterRCNN', roi_head=region_head(), **detection.makd('FasterRCNN')).train()
    found = model(**detection.batch(model), mode='loss')
    assert {'loss_makd', 'loss_makd_roi'} <= found.keys()
    with torch.no_grad():
        (sample, _) = model.eval()(**detection.batch(model, training=False), mode='predict')
    assert isinstance(sample, DetDataSample)
    assert sample.pred_aspects.shape == (Q,)
    assert sample.pred_instances.aspects.shape[1] == Q


def test_half_precision():
    model = detector().train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss, _ = model.parse_losses(model(**detection.batch(model), mode='loss'))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_masks_stay_with_their_detections():
    """Mask R-CNN adds a mask to each detection after the region head has sorted and suppressed them."""
    detection.detector_config('FasterRCNN')
    cfg = Config.fromstring("_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py']", '.py').model
    cfg.backbone.update(depth=18, base_channels=8, stem_channels=8, frozen_stages=-1, init_cfg=None)
    whole = Config(dict(model=cfg))
    whole.merge_from_dict({'model': detection.SMALL['FasterRCNN']})
    cfg = whole.model
    cfg.roi_head.mask_roi_extractor.out_channels = 8
    cfg.roi_head.mask_head.update(in_channels=8, conv_out_channels=8, num_convs=1, num_classes=C)
    cfg.roi_head.type = 'makd.MaKDRoIHead'
    cfg.roi_head.bbox_head.update(type='makd.MaKDShared2FCBBoxHead', num_aspects=Q)
    torch.manual_seed(0)
    model = MODELS.build(cfg).eval()
    with torch.no_grad():
        samples = model(**detection.batch(model, training=False), mode='predict')
    for sample in samples:
        found = sample.pred_instances
        assert len(found.masks) == len(found.aspects) == len(found.bboxes) > 0
