"""Answers stay with their objects through the transforms of mmdet, or the pipeline is refused."""

import pickle
from copy import deepcopy

import cv2
import mmdet.datasets
import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmengine.registry import TRANSFORMS as COMMON
from mmengine.registry import init_default_scope

from makd.datasets.load_region_aspects import LoadRegionAspects
from makd.datasets.regions import regions
from makd.errors import ConfigError, TargetsError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

# Each object of the picture is a rectangle of its own colour (BGR), which the annotator answers by: object i gets
# P(yes) = (i + 1) / 10. Several objects share a class, so that a label does not tell them apart.
COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255)])
BOXES = [
    (10, 10, 40, 50),
    (60, 10, 90, 50),
    (110, 8, 150, 48),
    (8, 65, 48, 105),
    (60, 70, 95, 100),
    (110, 65, 140, 110),
]
LABELS = [1, 1, 1, 0, 0, 2]
CROWD = 5  # this one is to be ignored
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
PACK = dict(type='PackDetInputs')

# Transforms that move, drop or reorder boxes, with what to try of each.
FLIP, CROP = dict(type='RandomFlip', prob=0.5), dict(type='RandomCrop', crop_size=(90, 70))
ROTATE, SHIFT = dict(type='Rotate', prob=1.0, level=6), dict(type='TranslateX', prob=1.0, level=8)
MOVING = {
    'RandomFlip': [dict(prob=1.0, direction=way) for way in ('horizontal', 'vertical', 'diagonal')],
    'RandomFlip_GLIP': [dict(prob=1.0, direction=way) for way in ('horizontal', 'vertical')],
    'Resize': [dict(scale=(200, 90), keep_ratio=True), dict(scale=(200, 90)), dict(scale_factor=0.7)],
    'FixScaleResize': [dict(scale=(200, 90), keep_ratio=True)],
    'FixShapeResize': [dict(width=100, height=90, keep_ratio=True), dict(width=100, height=90)],
    'ResizeShortestEdge': [dict(scale=90, max_size=110)],
    'RandomResize': [dict(scale=(160, 120), ratio_range=(0.5, 2.0), keep_ratio=True)],
    'RandomChoiceResize': [dict(scales=[(100, 80), (160, 200)], keep_ratio=True)],
    'RandomShift': [dict(prob=1.0, max_shift_px=60)],
    'Pad': [dict(size_divisor=64), dict(size=(300, 200))],
    'RandomCrop': [
        dict(crop_size=(90, 70)),
        dict(crop_size=(90, 70), bbox_clip_border=False),
        dict(crop_size=(50, 100), crop_type='absolute_range', allow_negative_crop=True),
        dict(crop_size=(0.5, 0.6), crop_type='relative'),
        dict(crop_size=(0.3, 0.3), crop_type='relative_range'),
    ],
    'MinIoURandomCrop': [dict(min_crop_size=0.2)],
    'RandomCenterCropPad': [
        dict(crop_size=(100, 80), ratios=(0.7, 1.0), mean=[0, 0, 0], std=[1, 1, 1], to_rgb=False, test_pad_mode=None)
    ],
    'Expand': [dict(prob=1.0)],
    'RandomAffine': [dict(max_rotate_degree=10.0, max_translate_ratio=0.4)],
    'RandomErasing': [dict(n_patches=4, ratio=0.4, bbox_erased_thr=0.7)],
    'Rotate': [dict(prob=1.0, level=6)],
    'ShearX': [dict(prob=1.0, level=8)],
    'ShearY': [dict(prob=1.0, level=8)],
    'TranslateX': [dict(prob=1.0, level=9, max_mag=0.6)],
    'TranslateY': [dict(prob=1.0, level=9, max_mag=0.6)],
    'FilterAnnotations': [dict(min_gt_bbox_wh=(32, 1))],
    'GTBoxSubOne_GLIP': [{}],
    'AutoAugment': [dict(policies=[[ROTATE, SHIFT], [FLIP, CROP]])],
    'RandAugment': [dict(aug_space=[[ROTATE], [SHIFT], [CROP]], aug_num=2)],
    'RandomOrder': [dict(transforms=[FLIP, CROP])],
    'RandomChoice': [dict(transforms=[[FLIP, CROP], [SHIFT]])],
    'RandomApply': [dict(transforms=[SHIFT, CROP], prob=0.5)],
    'Compose': [dict(transforms=[FLIP, CROP])],
    'ProposalBroadcaster': [dict(transforms=[FLIP, dict(type='Resize', scale=(200, 90))])],
    'Albu': [
        dict(
            transforms=[dict(type='HorizontalFlip', p=0.5), dict(type='RandomCrop', width=70, height=90)],
            bbox_params=dict(
                type='BboxParams',
                format='pascal_voc',
                label_fields=['gt_bboxes_labels', 'gt_ignore_flags'],
                min_visibility=0.1,
                filter_lost_elements=True,
            ),
        )
    ],
}
# Transforms that leave the boxes where they are.
STILL = {
    **{name: dict(prob=1.0) for name in ('AutoContrast', 'Brightness', 'Color', 'Contrast', 'Equalize', 'Invert')},
    **{name: dict(prob=1.0) for name in ('Posterize', 'Sharpness', 'Solarize', 'SolarizeAdd')},
    **{name: {} for name in ('PhotoMetricDistortion', 'SegRescale', 'YOLOXHSVRandomAug', 'RandomGrayscale')},
    'CutOut': dict(n_holes=2, cutout_shape=(8, 8)),
    'Normalize': dict(mean=[0, 0, 0], std=[1, 1, 1], to_rgb=False),
}
REFUSED = {
    'Mosaic': dict(img_scale=(64, 64)),
    'CachedMosaic': dict(img_scale=(64, 64)),
    'MixUp': dict(img_scale=(64, 64)),
    'CachedMixUp': dict(img_scale=(64, 64)),
    'CopyPaste': {},
    'RandomSamplingNegPos': dict(tokenizer_name=None),
}
# They load, pack or convert, are for tests or for other tasks than detection, or are base classes.
ELSEWHERE = {
    *('LoadAnnotations', 'LoadEmptyAnnotations', 'LoadImageFromFile', 'LoadImageFromNDArray', 'LoadProposals'),
    *('LoadMultiChannelImageFromFiles', 'LoadPanopticAnnotations', 'LoadTextAnnotations', 'InferencerLoader'),
    *('PackDetInputs', 'ImageToTensor', 'ToTensor', 'Transpose', 'WrapFieldsToLists', 'KeyMapper'),
    *('MultiScaleFlipAug', 'TestTimeAug'),
    *('BaseFrameSample', 'UniformRefFrameSample', 'LoadTrackAnnotations', 'PackTrackInputs', 'PackReIDInputs'),
    *('ImageAug', 'LinesToArray', 'PackLineDetectionInputs'),
    *('ColorTransform', 'GeomTransform'),
    'InstaBoost',  # needs a package; it moves the objects in `instances`, with their labels, before they are loaded
    'CenterCrop',  # does not work with the boxes of mmdet
    'MultiBranch',  # packs several samples, see below
    'TransformBroadcaster',  # takes lists of images
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The picture, and the answers about its objects."""
    init_default_scope('mmdet')
    path = tmp_path_factory.mktemp('scenes')
    image = np.zeros((120, 160, 3), np.uint8)
    for (x1, y1, x2, y2), colour in zip(BOXES, COLOURS):
        image[y1:y2, x1:x2] = colour
    cv2.imwrite(str(path / 'scene.png'), image)
    p = np.arange(1, len(BOXES) + 1) / 10
    write_answers(path / 'targets', [f'scene.png#{",".join(map(str, box))}' for box in BOXES], p)
    return path


def write_answers(path, keys, p):
    questions = QuestionSet([Question('tall', 'Is it tall?')])
    order = np.argsort(keys)
    logprobs = np.log(np.stack([p, 1 - np.array(p)], axis=-1))[order, None]
    AspectTargets.write(path, questions=questions, keys=[keys[i] for i in order], logprobs=logprobs)


def info(folder, boxes=BOXES, labels=LABELS, crowd=CROWD):
    return dict(
        img_path=str(folder / 'scene.png'),
        img_id=0,
        height=120,
        width=160,
        instances=[
            dict(bbox=list(box), bbox_label=label, ignore_flag=int(number == crowd))
            for number, (box, label) in enumerate(zip(boxes, labels))
        ],
    )


def load(folder, *transforms, **kwargs):
    arguments = dict(targets=str(folder / 'targets'), data_root=str(folder))
    return LoadRegionAspects(transforms=[*LOAD, *transforms, PACK], **{**arguments, **kwargs})


def shown(image, box):
    """Return which object a box shows, by the colour that most of its pixels have; None if it shows none."""
    x1, y1, x2, y2 = (max(round(float(value)), 0) for value in box)
    pixels = image[:, y1:y2, x1:x2].flatten(1).numpy().T.astype(float)
    near = np.linalg.norm(pixels[:, None] - COLOURS, axis=-1) < 40
    return int(near.sum(0).argmax()) if near.any() else None


def named(registry):
    return {name for name, cls in registry.module_dict.items() if cls.__module__.startswith(('mmdet.', 'mmcv.'))}


def test_every_transform_of_mmdet_is_known_here():
    assert mmdet.datasets  # which registers them
    assert named(TRANSFORMS) | named(COMMON) == {*MOVING, *STILL, *REFUSED, *ELSEWHERE}


@pytest.mark.parametrize(('name', 'number'), [(name, number) for name in MOVING for number in range(len(MOVING[name]))])
def test_answers_follow_their_objects(folder, name, number):
    if name == 'Albu':
        pytest.importorskip('albumentations')
    given = info(folder)
    before = []
    if name == 'RandomCenterCropPad':
        before = [dict(type='Normalize', **STILL['Normalize'])]
    if name == 'ProposalBroadcaster':
        given['proposals'] = dict(bboxes=np.array(BOXES, np.float32), scores=np.ones(len(BOXES), np.float32))
        before = [dict(type='LoadProposals')]
    transform = load(folder, *before, dict(type=name, **MOVING[name][number]))
    np.random.seed(0)  # noqa: NPY002, mmcv draws from it
    recognised = set()
    for _ in range(12):
        results = transform(deepcopy(given))
        if results is None:
            continue
        sample = results['data_samples']
        gt, ignored = sample.gt_instances, sample.ignored_instances
        assert gt.aspects.shape == (len(gt.bboxes), 1)
        assert gt.labels.dtype == ignored.labels.dtype == torch.int64
        for box, label, (p,) in zip(gt.bboxes.tensor, gt.labels.tolist(), gt.aspects.tolist()):
            if (object_ := shown(results['inputs'], box)) is not None:
                assert p == pytest.approx((object_ + 1) / 10)
                assert label == LABELS[object_]
                recognised.add(object_)
        assert ignored.labels.tolist() in ([], [LABELS[CROWD]])
    assert len(recognised) >= (2 if name == 'FilterAnnotations' else 3)
    assert CROWD not in recognised


@pytest.mark.parametrize('name', STILL)
def test_boxes_and_answers_stay(folder, name):
    results = load(folder, dict(type=name, **STILL[name]))(info(folder))
    gt = results['data_samples'].gt_instances
    assert gt.bboxes.tensor.tolist() == [list(box) for box in BOXES[:CROWD]]
    assert gt.labels.tolist() == LABELS[:CROWD]
    np.testing.assert_allclose(gt.aspects[:, 0], np.arange(1, 6) / 10, rtol=1e-5)


@pytest.mark.parametrize('name', REFUSED)
@pytest.mark.parametrize('inside', [False, True])
def test_transforms_that_mix_images_or_read_labels_are_refused_by_name(folder, name, inside, monkeypatch):
    cls = TRANSFORMS.get(f'mmdet.{name}')
    if name == 'RandomSamplingNegPos':  # it would download a tokenizer
        monkeypatch.setattr(cls, '__init__', lambda self, **_: None)
    config = dict(type=name, **REFUSED[name])
    if inside:
        config = dict(type='RandomApply', transforms=[dict(type='RandomOrder', transforms=[config])])
    with pytest.raises(ConfigError, match=rf'{name} in makd.LoadRegionAspects .*Remove the transform'):
        load(folder, config)


class Spoil:
    """A transform that does to the objects what no transform of an answered pipeline may do."""

    def __init__(self, what):
        self.what = what

    def __call__(self, results):
        labels, boxes = results['gt_bboxes_labels'], results['gt_bboxes']
        if self.what == 'labels changed':
            results['gt_bboxes_labels'] = np.zeros_like(labels)
        elif self.what == 'all labels one higher':
            results['gt_bboxes_labels'] = labels + 1
        elif self.what == 'boxes dropped':
            results['gt_bboxes'] = boxes[:2]
        else:
            results['gt_bboxes'] = boxes.cat([boxes, boxes[:1]])
            results['gt_bboxes_labels'] = np.append(labels, 1)
        return results


@pytest.mark.parametrize('what', ['labels changed', 'all labels one higher', 'boxes dropped', 'object added'])
def test_what_changes_labels_is_named(folder, what):
    transform = load(folder)
    transform.transforms.insert(2, Spoil(what))
    with pytest.raises(ConfigError, match=r'Spoil in makd\.LoadRegionAspects changes the labels of objects, drops'):
        transform(info(folder))


def test_the_pipeline_is_whole(folder):
    arguments = dict(targets=str(folder / 'targets'), data_root=str(folder))
    outside = LoadRegionAspects(transforms=[PACK], **arguments)
    loaded = {**info(folder), 'gt_bboxes_labels': np.array(LABELS)}
    for results in (loaded, dict(img_path='scene.png')):
        with pytest.raises(ConfigError, match=r'put the transforms before it, .* into its transforms'):
            outside(results)
    with pytest.raises(ConfigError, match='LoadAnnotations'):
        LoadRegionAspects(transforms=[LOAD[0], PACK], **arguments)(info(folder))
    with pytest.raises(ConfigError, match='needs the path of each image'):
        LoadRegionAspects(transforms=LOAD, **arguments)(info(folder))
    branches = dict(type='MultiBranch', branch_field=['a'], a=[PACK])
    with pytest.raises(ConfigError, match=r'MultiBranch in makd\.LoadRegionAspects packs something else'):
        LoadRegionAspects(transforms=[*LOAD, branches], **arguments)(info(folder))


def test_an_image_that_a_transform_gives_up_has_no_result(folder):
    assert load(folder, dict(type='FilterAnnotations', min_gt_bbox_wh=(90, 90)))(info(folder)) is None


def test_an_image_without_objects_has_no_answers(folder):
    gt = load(folder)(info(folder, boxes=[], labels=[]))['data_samples'].gt_instances
    assert gt.aspects.shape == (0, 1)
    assert gt.labels.dtype == torch.int64


def test_a_box_without_area_is_no_region_and_the_same_box_again_is_the_same(folder):
    """Boxes are the same if their corners agree to a hundredth of a pixel."""
    x1, y1, x2, y2 = BOXES[2]
    boxes = [(30, 30, 30, 60), BOXES[2], (x1 + 0.004, y1, x2, y2 - 0.004), BOXES[2]]
    given = info(folder, boxes, [0, 1, 2, 1], crowd=None)
    gt = load(folder)(given)['data_samples'].gt_instances
    np.testing.assert_allclose(gt.aspects[:, 0], [np.nan, 0.3, 0.3, 0.3], rtol=1e-5)
    assert gt.labels.tolist() == [0, 1, 2, 1]
    assert [position for position, _ in regions(given)] == [1, 2, 3]


def test_missing_regions(folder):
    given = info(folder, [(0, 0, 9, 9.5), BOXES[0]], [0, 1], crowd=None)
    with pytest.raises(TargetsError, match=r'scene\.png#0,0,9,9\.5'):
        load(folder)(given)
    gt = load(folder, missing='ignore')(given)['data_samples'].gt_instances
    np.testing.assert_allclose(gt.aspects[:, 0], [np.nan, 0.1], rtol=1e-5)


def test_answers_about_images_are_another_kind(folder, tmp_path):
    write_answers(tmp_path / 'images', ['scene.png'], [0.7])
    with pytest.raises(ConfigError, match=r"about images, not regions.*'scene\.png': makd\.LoadAspectTargets loads"):
        load(folder, targets=str(tmp_path / 'images'))
    about_images = dict(type='makd.LoadAspectTargets', targets=str(tmp_path / 'images'), data_root=str(folder))
    with pytest.raises(ConfigError, match=r'about regions, not images.*makd\.LoadRegionAspects loads'):
        load(folder, PACK, {**about_images, 'targets': str(folder / 'targets')})

    arguments = dict(targets=str(folder / 'targets'), data_root=str(folder))
    inside = LoadRegionAspects(transforms=[*LOAD, PACK, about_images], **arguments)
    sample = inside(info(folder))['data_samples']
    assert sample.gt_aspects.item() == pytest.approx(0.7)
    assert sample.gt_instances.aspects[0].item() == pytest.approx(0.1)
    after = TRANSFORMS.build(about_images)(load(folder)(info(folder)))['data_samples']
    assert after.gt_aspects.item() == pytest.approx(0.7)


class Scenes(torch.utils.data.Dataset):
    """The picture some times."""

    def __init__(self, folder, transform):
        self.folder, self.transform = folder, transform

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return self.transform(info(self.folder))['data_samples'].gt_instances.aspects


def test_workers_load_answers(folder):
    transform = load(folder, dict(type='RandomFlip', prob=1.0))
    loader = torch.utils.data.DataLoader(Scenes(folder, pickle.loads(pickle.dumps(transform))), num_workers=1)
    for (aspects,) in loader:
        np.testing.assert_allclose(aspects[:, 0], np.arange(1, 6) / 10, rtol=1e-5)
