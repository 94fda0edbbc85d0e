"""Hooks that check, or replace, the answers about regions, and compare their questions by name."""

import json
import logging
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmengine.registry import init_default_scope

from makd.datasets.targets_join import identity_of
from makd.engine.hooks import AblateAspectTargetsHook, AspectTargetCheckHook, IdentityHook
from makd.errors import ConfigError, TargetsError
from makd.evaluation import AspectMetric
from makd.identity import Identity
from makd.models.heads import AspectHead
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

NAMES = ('cat', 'dog')
QUESTIONS = QuestionSet([Question('tall', 'Is it tall?'), Question('red', 'Is it red?')])
# Three cats and two dogs in two images, and a crowd. Object i gets P(tall) = (i + 1) / 10.
OBJECTS = [(0, 1, (0, 0)), (0, 2, (20, 0)), (0, 1, (40, 0)), (1, 1, (0, 20)), (1, 2, (30, 5))]
KEYS = [f'{"ab"[image]}.png#{x},{y},{x + 10},{y + 10}' for image, _, (x, y) in OBJECTS]
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), dict(type='PackDetInputs')]


@pytest.fixture
def scenes(tmp_path):
    init_default_scope('mmdet')
    for name in 'ab':
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.full((40, 60, 3), 128, np.uint8))
    boxes = [
        *(dict(image_id=image, category_id=label, bbox=[*corner, 10, 10]) for image, label, corner in OBJECTS),
        dict(image_id=1, category_id=1, bbox=[0, 0, 60, 40], iscrowd=1),
    ]
    content = dict(
        images=[dict(id=i, file_name=f'{name}.png', width=60, height=40) for i, name in enumerate('ab')],
        annotations=[dict(dict(iscrowd=0), **box, id=i, area=100) for i, box in enumerate(boxes)],
        categories=[dict(id=1 + i, name=name) for i, name in enumerate(NAMES)],
    )
    (tmp_path / 'boxes.json').write_text(json.dumps(content))
    write(tmp_path / 'regions')
    AspectTargets.write(
        tmp_path / 'images',
        questions=QuestionSet(QUESTIONS[:1]),
        keys=['a.png', 'b.png'],
        logprobs=np.log(np.full((2, 1, 2), 0.5)),
    )
    return tmp_path


def write(folder, count=5):
    p = np.stack([np.arange(1, count + 1) / 10, np.full(count, 0.5)], axis=1)
    logprobs = np.log(np.stack([p, 1 - p], axis=-1))
    AspectTargets.write(folder, questions=QUESTIONS, keys=KEYS[:count], logprobs=logprobs, overwrite=True)


def load(scenes, *before_packing, **arguments):
    arguments = dict(dict(targets=str(scenes / 'regions'), data_root=str(scenes)), **arguments)
    return dict(type='makd.LoadRegionAspects', transforms=[*LOAD[:2], *before_packing, LOAD[2]], **arguments)


def dataset(scenes, *pipeline):
    return CocoDataset(
        data_root=str(scenes),
        ann_file='boxes.json',
        data_prefix=dict(img=''),
        metainfo=dict(classes=NAMES),
        pipeline=list(pipeline) or [load(scenes)],
    )


class Head(torch.nn.Module):
    """What the hook asks a region head for."""

    about = 'regions'

    def __init__(self, num_aspects=2):
        super().__init__()
        self.num_aspects = num_aspects


class Model(torch.nn.Module):
    def __init__(self, **heads):
        super().__init__()
        self.data_preprocessor = None
        for name, head in heads.items():
            setattr(self, name, head)


def runner_of(data, model=None, seed=0):
    return SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=data),
        val_loop=None,
        model=model or Model(region_head=Head()),
        seed=seed,
        logger=logging.getLogger('test'),
    )


def check(data, model=None):
    AspectTargetCheckHook().before_train(runner_of(data, model))


def test_a_check_passes_and_leaves_the_random_numbers_alone(scenes, caplog):
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    with caplog.at_level(logging.INFO):
        check(dataset(scenes, load(scenes, dict(type='RandomFlip', prob=0.5))))
    assert np.random.random() == expected  # noqa: NPY002
    assert '5 regions, 2 questions' in caplog.text


def test_regions_without_answers_are_counted_and_named(scenes, caplog):
    write(scenes / 'regions', count=3)
    with pytest.raises(TargetsError, match=r'(?s)2 of 5 regions have no targets in .*:\n  b\.png#0,20.*\n  b\.png#30'):
        check(dataset(scenes))
    check(dataset(scenes, load(scenes, missing='ignore')))
    assert '2 of 5 regions have no targets' in caplog.text
    with pytest.raises(TargetsError, match=r'(?s)5 of 5 regions.*Set data_root of makd\.LoadRegionAspects'):
        check(dataset(scenes, load(scenes, missing='ignore', data_root=str(scenes.parent))))


@pytest.mark.parametrize(
    ('heads', 'message'),
    [
        (dict(region_head=Head(3)), r'answers 2 questions, model\.region_head has num_aspects=3.*LoadRegionAspects'),
        (dict(aspect_head=AspectHead(num_aspects=2, in_channels=4)), r'No pipeline .* has aspect targets\.'),
        (dict(), 'No module of the model has num_aspects'),
    ],
)
def test_heads_that_do_not_fit_are_named(scenes, heads, message):
    with pytest.raises(ConfigError, match=message):
        check(dataset(scenes), Model(**heads))


def test_answers_that_no_head_learns_are_named(scenes):
    about_images = dict(type='makd.LoadAspectTargets', targets=str(scenes / 'images'), data_root=str(scenes))
    both = Model(region_head=Head(), aspect_head=AspectHead(num_aspects=1, in_channels=4))
    check(dataset(scenes, load(scenes), about_images), both)
    with pytest.raises(
        ConfigError, match=r'about images, and no head .* \(it has region_head\).*LoadAspectTargets out'
    ):
        check(dataset(scenes, load(scenes), about_images))
    with pytest.raises(ConfigError, match=r'about regions, and no head .*makd\.LoadRegionAspects out'):
        check(dataset(scenes, load(scenes), about_images), Model(aspect_head=both.aspect_head))
    with pytest.raises(ConfigError, match=r'no pipeline .*about regions|No pipeline .* has aspect targets of regions'):
        check(dataset(scenes, *LOAD, about_images), both)


class Relabel:
    def __call__(self, results):
        results['gt_bboxes_labels'] = results['gt_bboxes_labels'] * 0
        return results


def test_a_pipeline_that_loses_the_objects_is_found_before_training(scenes):
    data = dataset(scenes)
    data.pipeline.transforms[0].transforms.insert(2, Relabel())
    with pytest.raises(ConfigError, match=r'Relabel in makd\.LoadRegionAspects changes the labels'):
        check(data)


@pytest.mark.parametrize('name', ['Mosaic', 'CachedMosaic', 'MixUp', 'CachedMixUp', 'CopyPaste'])
def test_mixing_around_the_answers_is_found_before_training(scenes, name):
    from mmdet.datasets import MultiImageMixDataset

    settings = {} if name == 'CopyPaste' else dict(img_scale=(32, 32))
    mixed = MultiImageMixDataset(dataset(scenes), [dict(type=name, **settings)])
    with pytest.raises(ConfigError, match=f'{name} in the pipeline of train_dataloader.dataset composes an image'):
        check(mixed)


def learnt(data):
    """Return the number of the object whose answers each object gets."""
    items = [data[index]['data_samples'].gt_instances for index in range(2)]
    return [round(float(p) * 10) - 1 for item in items for p in item.aspects[:, 0]]


def test_controls_of_regions(scenes):
    data = dataset(scenes)
    assert learnt(data) == [0, 1, 2, 3, 4]
    transform = data.pipeline.transforms[0]
    targets, labels = transform.targets, [label for _, label, _ in OBJECTS]
    found = {}
    for kind in ('shuffled', 'shuffled_within', 'random'):
        for seed in (0, 1, 0):
            transform.targets = targets
            AblateAspectTargetsHook(kind).before_train(runner_of(data, seed=seed))
            check(data)
            if kind != 'random':
                found.setdefault((kind, seed), learnt(data))
                assert found[kind, seed] == learnt(data)
                for own, donor in enumerate(found[kind, seed]):
                    assert donor != own
                    assert (labels[own] == labels[donor]) == (kind == 'shuffled_within')
    transform.targets = targets
    AblateAspectTargetsHook('random').before_train(runner_of(data, seed=0))
    first = data[0]['data_samples'].gt_instances.aspects
    assert first.unique().numel() == first.numel()


def test_images_of_a_detector_have_no_classes_to_shuffle_within(scenes):
    about_images = dict(type='makd.LoadAspectTargets', targets=str(scenes / 'images'), data_root=str(scenes))
    with pytest.raises(ConfigError, match=r"'shuffled_within' needs a class of each image.*CocoDataset do not have"):
        AblateAspectTargetsHook('shuffled_within').before_train(runner_of(dataset(scenes, *LOAD, about_images)))


def test_a_checkpoint_names_its_questions_about_regions(scenes):
    hook, data = IdentityHook(), dataset(scenes)
    runner = runner_of(data)
    runner._resume = False
    hook.before_train(runner)
    checkpoint = dict(meta=dict(dataset_meta=dict(classes=NAMES)))
    hook.before_save_checkpoint(runner, checkpoint)
    assert checkpoint['meta']['region_questions'] == QUESTIONS.to_dict()
    assert 'questions' not in checkpoint['meta']
    identity = Identity.of_checkpoint(checkpoint)
    assert (identity.questions, identity.region_questions) == (None, QUESTIONS)
    assert identity_of(data).region_questions == QUESTIONS


@pytest.mark.parametrize(
    ('ids', 'said'), [(['red', 'tall'], 'the order differs'), (['tall'], r"only the checkpoint .* has 'red'")]
)
def test_a_resumed_training_asks_the_same_about_regions(scenes, ids, said):
    hook = IdentityHook()
    checkpoint = dict(meta=dict(dataset_meta=dict(classes=NAMES), region_questions=QUESTIONS.to_dict()))
    same, other = (runner_of(dataset(scenes, load(scenes, **given))) for given in ({}, dict(question_ids=ids)))
    for runner in (same, other):
        runner._resume = runner._has_loaded = True
        runner._load_from = 'epoch_1.pth'
        runner.work_dir = str(scenes)
        hook.after_load_checkpoint(runner, checkpoint)
    hook.before_train(same)
    with pytest.raises(ConfigError, match=rf'{said}.*question_ids=\[\.\.\.\] of makd\.LoadRegionAspects'):
        hook.before_train(other)


def test_a_metric_with_other_questions_about_regions_is_refused(scenes):
    other = QuestionSet([Question('tall', 'Is it tall?'), Question('round', 'Is it round?')])
    other.save(scenes / 'other.json')
    QUESTIONS.save(scenes / 'same.json')
    for name, about in (('same', 'regions'), ('other', 'images'), ('other', 'regions')):
        metric = AspectMetric(about=about, questions=scenes / f'{name}.json')
        runner = runner_of(dataset(scenes))
        runner._resume = False
        runner.val_loop = object()
        runner.val_dataloader = runner.train_dataloader
        runner.val_evaluator = SimpleNamespace(metrics=[metric])
        if (name, about) == ('other', 'regions'):
            with pytest.raises(ConfigError, match=r"AspectMetric in val_evaluator.*has 'round'.*LoadRegionAspects"):
                IdentityHook().before_train(runner)
        else:
            IdentityHook().before_train(runner)


def test_parts_with_other_questions_about_regions_are_refused(scenes):
    parts = [dataset(scenes), dataset(scenes, load(scenes, question_ids=['red', 'tall']))]
    with pytest.raises(ConfigError, match=r'the order differs.*makd\.LoadRegionAspects chooses them'):
        identity_of(SimpleNamespace(datasets=parts, metainfo=parts[0].metainfo))
