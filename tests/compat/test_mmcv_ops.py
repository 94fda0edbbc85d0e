import importlib.util
import subprocess
import sys

import pytest
import torch
import torchvision
from mmengine.config import Config
from mmengine.structures import InstanceData

import makd  # noqa: F401  (installs the stand-in before anything imports mmcv.ops)
from makd.compat import mmcv_ops

COMPILED = getattr(importlib.util.find_spec('mmcv._ext'), 'origin', None) != 'torchvision'
without_compiled_ops = pytest.mark.skipif(COMPILED, reason='mmcv has its compiled operators here')

# f(y, x) = 4 y + x: bilinear interpolation is exact, so a mean over samples is f at their mean.
PLANE = torch.arange(16.0).reshape(1, 1, 4, 4)


def roi_align(features, rois, output_size=1, spatial_scale=1.0, sampling_ratio=2, aligned=True):
    from mmcv.ops import roi_align

    return roi_align(features, rois, output_size, spatial_scale, sampling_ratio, 'avg', aligned)


@pytest.mark.parametrize(
    ('offset', 'threshold', 'kept'),
    [
        # 9 x 9 and 9 x 4: IoU 36 / 81 = 0.444. The third box only touches the first: IoU 0.
        (0, 0.47, [1, 0, 2]),
        (0, 0.44, [1, 2]),
        # 10 x 10 and 10 x 5: IoU 50 / 100. The third shares one column of ten pixels with the first: 10 / 190 = 0.053.
        (1, 0.51, [1, 0, 2]),
        (1, 0.47, [1, 2]),
        (1, 0.05, [1]),
    ],
)
def test_nms_counts_the_offset(offset, threshold, kept):
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0.0, 9.0, 4.0], [0.0, 0.0, 9.0, 9.0], [9.0, 0.0, 18.0, 9.0]])
    dets, indices = nms(boxes, torch.tensor([0.8, 0.9, 0.7]), threshold, offset=offset)
    assert indices.tolist() == kept
    torch.testing.assert_close(dets[:, :4], boxes[kept])


def test_nms_takes_half_scores_and_no_boxes():
    boxes = torch.tensor([[0.0, 0.0, 9.0, 4.0], [0.0, 0.0, 9.0, 9.0]])
    scores = torch.tensor([0.8, 0.9], dtype=torch.float16)
    assert mmcv_ops.nms(boxes, scores, 0.4, 0).tolist() == [1]
    assert mmcv_ops.nms(boxes[:0], scores[:0], 0.4, 1).shape == (0,)


@pytest.mark.parametrize(
    ('roi', 'options', 'expected'),
    [
        # Samples at 0.5 and 1.5 on both axes: mean (1, 1).
        ((0, 0, 2, 2), {'aligned': False}, 5.0),
        # Half a pixel further up and left: mean (0.5, 0.5).
        ((0, 0, 2, 2), {'aligned': True}, 2.5),
        ((0, 0, 4, 4), {'aligned': False, 'spatial_scale': 0.5}, 5.0),
        # Without alignment an empty region grows to one pixel: mean (1.5, 1.5).
        ((1, 1, 1, 1), {'aligned': False}, 7.5),
        # Samples at 3.5, which is clamped to the last pixel, and at 4.5, which is outside and counts as zero: 15 / 4.
        ((3, 3, 5, 5), {'aligned': False}, 3.75),
        # sampling_ratio 0 on a region 4 high and 2 wide: 4 x 2 samples with mean (2, 1); the lowest, at 3.5, is clamped
        # to 3, so the mean of y is (0.5 + 1.5 + 2.5 + 3) / 4 = 1.875.
        ((0, 0, 2, 4), {'aligned': False, 'sampling_ratio': 0}, 8.5),
    ],
)
def test_roi_align_by_hand(roi, options, expected):
    rois = torch.tensor([[0.0, *roi]])
    torch.testing.assert_close(roi_align(PLANE, rois, **options), torch.full((1, 1, 1, 1), expected))


def test_roi_align_bins_channels_and_batch_index():
    features = torch.cat([torch.zeros_like(PLANE), PLANE]).repeat(1, 2, 1, 1)
    features[1, 1] *= -1
    # Bins of 1 high and 1.5 wide: centres at y 0.5 and 1.5, x 0.75 and 2.25; samples stay inside the plane.
    output = roi_align(features, torch.tensor([[1.0, 0, 0, 3, 2]]), output_size=(2, 2), aligned=False)
    bins = torch.tensor([[2.75, 4.25], [6.75, 8.25]])
    torch.testing.assert_close(output, torch.stack([bins, -bins])[None])


def test_roi_align_gradient_by_hand():
    features = PLANE.clone().requires_grad_()
    # One sample at (y, x) = (1, 1.25): a quarter of its weight on the pixel to the right.
    roi_align(features, torch.tensor([[0.0, 0.25, 0.0, 2.25, 2.0]]), sampling_ratio=1, aligned=False).sum().backward()
    expected = torch.zeros(1, 1, 4, 4)
    expected[0, 0, 1, 1], expected[0, 0, 1, 2] = 0.75, 0.25
    torch.testing.assert_close(features.grad, expected)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_equals_torchvision_with_gradient(aligned, sampling_ratio):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 8, 10, generator=generator, dtype=torch.float64)
    corners = torch.rand(5, 2, generator=generator, dtype=torch.float64) * 16
    sizes = torch.rand(5, 2, generator=generator, dtype=torch.float64) * 16
    rois = torch.cat([torch.tensor([[0.0], [1], [1], [0], [1]]).double(), corners, corners + sizes], 1)
    weight = torch.randn(5, 3, 3, 2, generator=generator, dtype=torch.float64)

    ours, theirs = features.clone().requires_grad_(), features.clone().requires_grad_()
    output = roi_align(ours, rois, (3, 2), 0.5, sampling_ratio, aligned)
    reference = torchvision.ops.roi_align(theirs, rois, (3, 2), 0.5, sampling_ratio, aligned)
    torch.testing.assert_close(output, reference)
    # A gradient that is not contiguous, as complex heads make it.
    output.backward(weight.transpose(2, 3).contiguous().transpose(2, 3))
    reference.backward(weight)
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert torch.autograd.gradcheck(lambda x: roi_align(x, rois, (3, 2), 0.5, sampling_ratio, aligned), ours)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('autocast', [True, False])
def test_roi_align_keeps_the_half_types(dtype, autocast):
    features = (PLANE / 7).to(dtype).requires_grad_()
    rois = torch.tensor([[0.0, 0.5, 0.5, 3.0, 2.5]])
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        output = roi_align(features, rois.to(dtype), output_size=2)
    output.sum().backward()
    reference = PLANE.div(7).to(dtype).float().requires_grad_()
    expected = roi_align(reference, rois, output_size=2)
    expected.sum().backward()
    assert output.dtype == features.grad.dtype == dtype
    torch.testing.assert_close(output, expected.to(dtype))
    torch.testing.assert_close(features.grad, reference.grad.to(dtype))


def test_roi_align_without_regions():
    features = PLANE.clone().requires_grad_()
    output = roi_align(features, torch.zeros(0, 5), output_size=7)
    assert output.shape == (0, 1, 7, 7)
    output.sum().backward()
    assert not features.grad.any()


@without_compiled_ops
def test_a_missing_operator_names_itself_and_the_way_to_get_it():
    from mmcv.ops import RoIAlign, soft_nms

    with pytest.raises(mmcv_ops.MissingOperatorError, match=r"'softnms'.*--no-binary onedl-mmcv"):
        soft_nms(torch.rand(2, 4), torch.rand(2))
    with pytest.raises(mmcv_ops.MissingOperatorError, match="pool_mode='max'"):
        RoIAlign(2, pool_mode='max')(PLANE, torch.zeros(1, 5))


@without_compiled_ops
def test_collect_env_says_that_nothing_is_compiled():
    from mmcv.ops import get_compiler_version, get_compiling_cuda_version

    assert 'not compiled' in get_compiler_version()
    assert 'not compiled' in get_compiling_cuda_version()


def test_a_compiled_extension_is_preferred(tmp_path, monkeypatch):
    import mmcv

    compiled = tmp_path / '_ext.py'
    compiled.touch()
    monkeypatch.setattr(mmcv, '__path__', [*mmcv.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, 'mmcv._ext', raising=False)
    mmcv_ops.install()
    if not COMPILED:
        assert importlib.util.find_spec('mmcv._ext').origin == str(compiled)
    assert sum(isinstance(finder, type(mmcv_ops._FINDER)) for finder in sys.meta_path) == 1


def test_a_small_faster_rcnn_trains_and_predicts(tmp_path):
    from mmdet.structures import DetDataSample
    from mmdet.utils import register_all_modules
    from mmengine.registry import MODELS, init_default_scope

    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    (tmp_path / 'tiny.py').write_text(
        """
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py']
model = dict(
    backbone=dict(depth=18, base_channels=8, init_cfg=None),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=8),
    rpn_head=dict(in_channels=8, feat_channels=8),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=8),
        bbox_head=dict(in_channels=8, fc_out_channels=16, num_classes=3)),
    test_cfg=dict(rcnn=dict(score_thr=0.0)))
"""
    )
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(tmp_path / 'tiny.py').model)
    images = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    samples = [
        DetDataSample(
            metainfo={'img_shape': (64, 96), 'ori_shape': (64, 96), 'scale_factor': (1.0, 1.0)},
            gt_instances=InstanceData(
                bboxes=torch.tensor([[8.0, 8.0, 40.0, 40.0], [50.0, 10.0, 90.0, 60.0]]), labels=torch.tensor([0, 2])
            ),
        )
        for _ in images
    ]
    batch = model.data_preprocessor({'inputs': list(images), 'data_samples': samples}, training=True)
    losses = model(**batch, mode='loss')
    (through_roi_align,) = torch.autograd.grad(
        losses['loss_cls'], model.neck.fpn_convs[0].conv.weight, retain_graph=True
    )
    assert through_roi_align.any()
    total, _ = model.parse_losses(losses)
    total.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)

    model.eval()
    with torch.no_grad():
        predictions = model(**batch, mode='predict')
    for prediction in predictions:
        assert 0 < len(prediction.pred_instances) <= 100
        assert torch.isfinite(prediction.pred_instances.bboxes).all()


@without_compiled_ops
def test_the_focal_loss_of_gpus_is_that_of_cpus():
    from mmcv.ops import sigmoid_focal_loss
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)).mul(4).requires_grad_()
    target = torch.tensor([0, 1, 2, 3, 3, 0])  # 3 is background
    there = torch.nn.functional.one_hot(target, 4)[:, :3]
    expected = py_sigmoid_focal_loss(logits, there, gamma=1.5, alpha=0.3, reduction='none')
    found = sigmoid_focal_loss(logits, target, 1.5, 0.3, None, 'none')
    torch.testing.assert_close(found, expected)
    weight = torch.rand(6, 3, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((expected * weight).sum(), logits)
    torch.testing.assert_close(torch.autograd.grad((found * weight).sum(), logits)[0], gradient)
    with pytest.raises(mmcv_ops.MissingOperatorError, match='class weights'):
        sigmoid_focal_loss(logits, target, 2.0, 0.25, torch.ones(3), 'mean')


def test_mmdet_may_be_imported_first():
    """The masks that Mask R-CNN learns are cut out by roi_align, of which mmdet keeps a placeholder."""
    program = """
import numpy as np, torch
import mmdet.evaluation, mmdet.structures.mask.structures as structures
import makd
masks = structures.BitmapMasks([np.eye(4, dtype=np.uint8)], 4, 4)
print(masks.crop_and_resize(torch.tensor([[0., 0., 4., 4.]]), (2, 2), torch.tensor([0])).masks.tolist())
"""
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '[[[True, False], [False, True]]]'
