"""Hooks that look at a detector's data before it is trained, and draw what it finds afterwards."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmdet.models import DetDataPreprocessor
from mmengine.evaluator import Evaluator
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData
from models.detection import detector_config

from makd.engine.hooks import (
    AblateAspectTargetsHook,
    AspectTargetCheckHook,
    CocoClassCheckHook,
    DetectionPicturesHook,
    IdentityHook,
    TrainingCheckHook,
)
from makd.engine.hooks.coco_class_check import read_categories
from makd.engine.runner import Runner
from makd.errors import ConfigError, DataError
from makd.models.heads import AspectHead
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

NAMES = ('cat', 'dog', 'horse')
LOAD = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'img_shape')),
]


@pytest.fixture
def coco(tmp_path):
    """Two images, the second with a crowd only; the first with a box of no area and one of each category."""
    init_default_scope('mmdet')
    (tmp_path / 'images').mkdir()
    for name in ('a', 'b'):
        cv2.imwrite(str(tmp_path / 'images' / f'{name}.png'), np.full((40, 60, 3), 128, np.uint8))
    boxes = [
        dict(id=0, image_id=0, category_id=7, bbox=[5, 5, 0, 20], area=0, iscrowd=0),
        *(
            dict(id=1 + i, image_id=0, category_id=7 + i, bbox=[10 * i, 5, 10, 20], area=200, iscrowd=0)
            for i in range(len(NAMES))
        ),
        dict(id=9, image_id=1, category_id=7, bbox=[0, 0, 30, 30], area=900, iscrowd=1),
    ]
    content = dict(
        info=dict(categories='none of these'),
        images=[dict(id=i, file_name=f'{name}.png', width=60, height=40) for i, name in enumerate('ab')],
        annotations=boxes,
        categories=[dict(id=7 + i, name=name) for i, name in enumerate(NAMES)],
    )
    (tmp_path / 'boxes.json').write_text(json.dumps(content))
    AspectTargets.write(
        tmp_path / 'aspects',
        questions=QuestionSet([Question('blue', 'Is it blue?')]),
        keys=['a.png', 'b.png'],
        logprobs=np.log([[[0.9, 0.1]], [[0.2, 0.8]]]),
    )
    return tmp_path


def dataset(folder, classes=NAMES, pipeline=LOAD, **kwargs):
    return CocoDataset(
        data_root=str(folder),
        ann_file='boxes.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=classes),
        pipeline=pipeline,
        **kwargs,
    )


def runner_of(data, model=None):
    loader = SimpleNamespace(dataset=data)
    return SimpleNamespace(
        train_dataloader=loader,
        test_dataloader=loader,
        val_loop=None,
        val_dataloader=loader,
        test_evaluator=Evaluator([]),
        model=model,
        seed=0,
        logger=SimpleNamespace(info=lambda _: None, warning=lambda _: None),
    )


def check(folder, classes, **kwargs):
    hook = CocoClassCheckHook(**kwargs)
    hook.before_train(runner_of(dataset(folder, classes)))
    hook.before_test(runner_of(dataset(folder, classes)))


def test_classes_that_are_those_of_the_file_pass(coco):
    check(coco, NAMES)
    check(coco, ('cat', 'horse'), unnamed='ignore')


@pytest.mark.parametrize(
    ('classes', 'said'),
    [
        (('cat', 'horse'), r"\['dog'\] are in the file and not in metainfo.classes"),
        (('cat', 'dog', 'horse', 'cow'), r"\['cow'\] are in metainfo.classes and not in the file"),
        (('dog', 'cat', 'horse'), r"set metainfo.classes=\('cat', 'dog', 'horse'\)"),
    ],
)
def test_classes_that_differ_are_named(coco, classes, said):
    with pytest.raises(DataError, match=said):
        check(coco, classes)


def test_a_metric_with_the_annotations_of_another_split_is_refused(coco):
    """Its images have the same numbers, and other objects."""
    content = json.loads((coco / 'boxes.json').read_text())
    for annotation in content['annotations']:
        annotation['bbox'][0] += 2
    (coco / 'other.json').write_text(json.dumps(content))
    runner = runner_of(dataset(coco, test_mode=True))
    runner.val_loop = 'here'
    for name, refused in (('boxes', False), ('other', True)):
        metric = CocoMetric(ann_file=str(coco / f'{name}.json'))
        for split in ('val', 'test'):
            runner.val_evaluator = Evaluator([metric] if split == 'val' else [])
            runner.test_evaluator = Evaluator([metric] if split == 'test' else [])
            check_split = CocoClassCheckHook().before_train if split == 'val' else CocoClassCheckHook().before_test
            if refused:
                with pytest.raises(
                    ConfigError, match=rf'CocoMetric in {split}_evaluator has other objects .*boxes.json'
                ):
                    check_split(runner)
            else:
                check_split(runner)


def test_categories_are_read_without_the_rest(tmp_path, coco):
    assert read_categories(coco / 'boxes.json') == list(NAMES)
    (tmp_path / 'none.json').write_text('{"images": []}')
    with pytest.raises(DataError, match='no "categories"'):
        read_categories(tmp_path / 'none.json')
    with pytest.raises(ConfigError, match="unnamed='maybe'"):
        CocoClassCheckHook(unnamed='maybe')


def spoil(content, how):
    for box in content['annotations']:
        if how == 'string category ids':
            box['category_id'] = str(box['category_id'])
        elif how == 'string image ids':
            box['image_id'] = str(box['image_id'])
        else:
            box['bbox'] = [value / 60 for value in box['bbox']]


@pytest.mark.parametrize('how', ['string category ids', 'string image ids', 'normalised boxes'])
def test_a_training_without_any_box_is_refused(coco, how):
    content = json.loads((coco / 'boxes.json').read_text())
    spoil(content, how)
    (coco / 'boxes.json').write_text(json.dumps(content))
    runner = runner_of(dataset(coco))
    runner.train_dataloader = torch.utils.data.DataLoader(runner.train_dataloader.dataset)
    with pytest.raises(DataError, match=r'None of the 2 images .* has an object to learn'):
        TrainingCheckHook().before_train(runner)


def test_an_annotation_without_a_field_is_named(coco):
    content = json.loads((coco / 'boxes.json').read_text())
    del content['annotations'][1]['area']
    (coco / 'boxes.json').write_text(json.dumps(content))
    fields = dict(data_root=str(coco), ann_file='boxes.json', data_prefix=dict(img='images/'), pipeline=LOAD)
    dataset = dict(type='CocoDataset', metainfo=dict(classes=NAMES), **fields)
    with pytest.raises(DataError, match=r"ann_file='boxes.json' cannot be loaded: the field 'area' is missing"):
        Runner.build_dataloader(dict(dataset=dataset, sampler=dict(type='DefaultSampler'), batch_size=1))


def test_boxes_of_no_area_and_crowds_are_no_objects(coco):
    first, second = (dataset(coco)[i]['data_samples'] for i in range(2))
    assert first.gt_instances.labels.tolist() == [0, 1, 2]
    assert len(second.gt_instances) == 0
    assert len(second.ignored_instances) == 1


@pytest.mark.parametrize('num_classes', [1, 7])
def test_a_region_head_with_other_classes_than_the_dataset_is_refused(coco, num_classes):
    """With one output, the second class would be learnt as background."""
    model = MODELS.build(detector_config('FasterRCNN', roi_head=dict(bbox_head=dict(num_classes=num_classes))))
    runner = runner_of(dataset(coco), model)
    runner._resume = False
    with pytest.raises(ConfigError, match=f'model.roi_head.bbox_head.num_classes is {num_classes}.* has 3 classes'):
        IdentityHook().before_train(runner)
    IdentityHook().before_train(SimpleNamespace(**{**vars(runner), 'model': MODELS.build(detector_config('DETR'))}))


class Model(torch.nn.Module):
    """What the hooks ask a detector for."""

    def __init__(self):
        super().__init__()
        self.data_preprocessor = DetDataPreprocessor(batch_augments=[dict(type='BatchFixedSizePad', size=(64, 64))])
        self.aspect_head = AspectHead(num_aspects=1, in_channels=4)

    def test_step(self, data):
        (sample,) = data['data_samples']
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor([[20.0, 5, 30, 25], [0, 0, 5, 5]]),
            scores=torch.tensor([0.9, 0.1]),
            labels=torch.tensor([2, 0]),
        )
        return [sample]


def load_aspects(folder):
    return dict(type='makd.LoadAspectTargets', targets=str(folder / 'aspects'), data_root=str(folder / 'images'))


def test_a_detectors_targets_are_checked_and_its_padding_is_no_mixing(coco):
    AspectTargetCheckHook().before_train(runner_of(dataset(coco, pipeline=[*LOAD, load_aspects(coco)]), Model()))


@pytest.mark.parametrize(
    'mixing',
    [
        dict(type='Mosaic', img_scale=(32, 32)),
        dict(type='RandomApply', transforms=[dict(type='MixUp', img_scale=(32, 32))]),
        dict(type='CachedMosaic', img_scale=(32, 32)),
    ],
)
def test_transforms_that_make_one_image_of_several_are_refused(coco, mixing):
    from mmdet.datasets import MultiImageMixDataset

    inner = dataset(coco, pipeline=[*LOAD, load_aspects(coco)])
    if mixing['type'] == 'CachedMosaic':
        inner = dataset(coco, pipeline=[LOAD[0], LOAD[1], mixing, LOAD[2], load_aspects(coco)])
        mixed = inner
    elif mixing['type'] == 'RandomApply':
        mixing['transforms'] = [dict(type='CachedMixUp', img_scale=(32, 32))]
        inner = dataset(coco, pipeline=[LOAD[0], LOAD[1], mixing, LOAD[2], load_aspects(coco)])
        mixed = inner
    else:
        mixed = MultiImageMixDataset(inner, [mixing])
    with pytest.raises(ConfigError, match='composes an image of several'):
        AspectTargetCheckHook().before_train(runner_of(mixed, Model()))


def test_in_detection_each_image_learns_the_answers_about_another(coco):
    data = dataset(coco, pipeline=[*LOAD, load_aspects(coco)])
    AblateAspectTargetsHook('shuffled').before_train(runner_of(data))
    learnt = [data[i]['data_samples'].gt_aspects.item() for i in range(2)]
    assert learnt == pytest.approx([0.2, 0.9])


def test_true_and_predicted_boxes_are_drawn_side_by_side(coco, tmp_path):
    palette = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    config = dict(
        type='CocoDataset',
        data_root=str(coco),
        ann_file='boxes.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=NAMES, palette=palette),
        # Twice as large for the model, whose predictions come back in the pixels of the file, as the true boxes do.
        pipeline=[LOAD[0], dict(type='Resize', scale=(120, 80)), *LOAD[1:]],
    )
    logged = []
    runner = SimpleNamespace(
        model=Model(),
        work_dir=str(tmp_path),
        visualizer=SimpleNamespace(add_image=lambda name, image: logged.append(image.shape)),
        logger=SimpleNamespace(info=lambda _: None),
    )
    hook = DetectionPicturesHook(config, num_images=2, columns=1, size=300)
    hook.before_train(runner)
    hook.after_train(runner)
    assert logged == [(2 * 208, 608, 3)]
    picture = cv2.imread(str(tmp_path / 'predictions.png'))[..., ::-1]
    assert picture.shape == (2 * 208, 608, 3)
    shares = [
        [(np.abs(half - colour).sum(-1) < 100).mean() > 0.001 for colour in palette]
        for half in (picture[:200, :300].astype(int), picture[:200, 300:600].astype(int))
    ]
    # All three true boxes; of the predictions the horse's alone has a high score.
    assert shares == [[True, True, True], [False, False, True]]
    # It is found at (20, 5) to (30, 25) of 60 x 40 pixels, which are drawn five times as large.
    rows, columns = np.nonzero(np.abs(picture[:200, 300:600].astype(int) - palette[2]).sum(-1) < 100)
    edges = [columns.min(), rows.min(), columns.max(), rows.max()]
    np.testing.assert_allclose(edges, [100, 25, 150, 125], atol=4)
