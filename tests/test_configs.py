"""Every config file, found by itself: loads, says how to run it, names only what exists, builds and takes one step.

Configs whose models have the same shape and see the same kind of input build and step once.
"""

import functools
import importlib
import json
from pathlib import Path

import pytest
import torch
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS
from mmpretrain.structures import DataSample
from models import detection

from dataset_converters import PREPARED
from makd.config import LOADERS, check_makd_types, walk_dicts
from makd.questions import QuestionSet
from makd.registry import MODELS
from projects.emoji_data import scenes as emoji_scenes

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(
    path.relative_to(ROOT)
    for folder in ('configs', 'projects/*/configs')
    for path in ROOT.glob(f'{folder}/**/*.py')
    if '_base_' not in path.parts
)
# These folders belong to other tools than train.py, and have tests of their own.
NOT_TRAINED = ('configs/annotate', 'configs/questions', 'projects/perplexity_decisions')
TRAINED = [path for path in CONFIGS if not str(path).startswith(NOT_TRAINED)]
ANSWERS = 'makd.LoadAspectTargets'
REGION_ANSWERS = 'makd.LoadRegionAspects'
# What has built and taken a step: models, each with the kind of its input.
STEPPED: set[str] = set()


@functools.cache
def annotated():
    """Return the folders that the configs of annotation write."""
    return {str(Config.fromfile(path).writer.out_dir) for path in ROOT.glob('configs/annotate/*.py')}


def test_there_are_configs():
    assert len(TRAINED) > 150


@pytest.mark.slow
@pytest.mark.parametrize('path', TRAINED, ids=str)
def test_config(path):
    assert f'python tools/train.py {path}' in path.read_text()
    cfg = Config.fromfile(path)
    check_makd_types(cfg)
    init_default_scope(cfg.default_scope)
    check_names(cfg)
    if cfg.model.get('teacher'):
        assert Path(cfg.model.teacher).is_file()
        cfg.model.update(teacher_init='random', teacher_checkpoint=None)
    if cfg.default_scope == 'mmdet':
        check_detector(path, cfg)
    else:
        check_classifier(cfg)
    torch.manual_seed(0)
    step_once(cfg)


def check_names(cfg):
    """Check that every class is registered, also where nothing is built of it here."""
    registries = importlib.import_module(f'{cfg.default_scope}.registry')

    def check(registry, settings):
        for part in settings if isinstance(settings, list) else [settings]:
            assert part is None or registry.get(part.type) is not None, part.type

    check(registries.VISUALIZERS, cfg.visualizer)
    check(registries.HOOKS, [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])])
    check(registries.PARAM_SCHEDULERS, cfg.param_scheduler)
    check(registries.OPTIMIZERS, cfg.optim_wrapper.optimizer)
    for evaluator in ('val_evaluator', 'test_evaluator'):
        check(registries.METRICS, cfg[evaluator])
    for loader in LOADERS:
        if cfg[loader] is not None:
            check(registries.DATA_SAMPLERS, cfg[loader].sampler)
            check(registries.DATASETS, cfg[loader].dataset)
            check(registries.TRANSFORMS, cfg[loader].dataset.pipeline)


def loads(cfg, loader):
    """Return the transforms of makd that load what a student learns."""
    return [t for t in cfg[loader].dataset.pipeline if t.type in (ANSWERS, REGION_ANSWERS, 'makd.LoadTeacherLogits')]


def check_detector(path, cfg):
    """Check classes and answers of a detector's config."""
    num_classes = len(cfg.train_dataloader.dataset.get('metainfo', CocoDataset.METAINFO)['classes'])
    assert cfg.model.roi_head.bbox_head.num_classes == num_classes
    num_aspects = cfg.model.get('aspect_head', {}).get('num_aspects', 0)
    num_region_aspects = cfg.model.roi_head.bbox_head.get('num_aspects', 0)
    expected = [REGION_ANSWERS] * (num_region_aspects > 0) + [ANSWERS] * (num_aspects > 0)
    assert [t.type for t in loads(cfg, 'train_dataloader')] == expected
    for loader in ('val_dataloader', 'test_dataloader'):
        assert [t.targets for t in loads(cfg, loader)] == [t.targets for t in loads(cfg, 'train_dataloader')]
    if 'emoji_scenes' in path.name:
        assert num_aspects in (0, len(emoji_scenes.questions()))
        assert num_region_aspects in (0, len(QuestionSet.load('data/emoji/aspects/questions.json')))
    for transform in loads(cfg, 'train_dataloader'):
        assert transform.targets in annotated() or transform.targets.startswith('data/emoji_scenes/aspects/')


def check_classifier(cfg):
    """Check classes and answers of a classifier's config."""
    settings = cfg.train_dataloader.dataset
    num_aspects = cfg.model.head.get('num_aspects', 0)
    learns_stored_logits = cfg.model.get('teacher', '') is None
    expected = [ANSWERS] * (num_aspects > 0) + ['makd.LoadTeacherLogits'] * learns_stored_logits
    assert [t.type for t in loads(cfg, 'train_dataloader')] == expected
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes
    if settings.data_root == 'data/emoji':
        return
    metainfo = DATASETS.get(settings.type).METAINFO or {}
    classes = metainfo.get('classes')  # mmpretrain does not know those of 102Flowers
    assert classes is None or cfg.model.head.num_classes == len(classes)
    assert PREPARED[Path(settings.data_root).name]
    for transform in loads(cfg, 'train_dataloader'):
        assert transform.targets in annotated()
        assert transform.data_root == settings.data_root


def step_once(cfg):
    """Build the model and take one step, unless one of the same shape has done so with the same kind of input."""
    if cfg.default_scope == 'mmdet':
        parts, step = [cfg.model.to_dict()], step_detector
    elif cfg.train_dataloader.dataset.data_root == 'data/emoji':
        answer_with_cldr_what_is_not_annotated(cfg)
        datasets = [cfg[loader] and cfg[loader].dataset.to_dict() for loader in LOADERS]
        parts, step = [cfg.model.to_dict(), cfg.data_preprocessor, datasets], step_on_shipped_images
    else:
        if not isinstance(cfg.model.get('teacher'), str):  # whose config has a number of classes, too
            cfg.model.head.num_classes = cfg.data_preprocessor.num_classes = 10  # the true one is checked
        parts, step = [cfg.model.to_dict(), cfg.data_preprocessor], step_on_noise
    key = json.dumps(parts, sort_keys=True)
    if key not in STEPPED:
        step(cfg)
        STEPPED.add(key)


def learn(model, data):
    """Take one step; each parameter has to have a gradient, or DDP would wait for it."""
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert torch.isfinite(loss)
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)


def build(cfg):
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model.train()


def step_detector(cfg):
    cfg.model.backbone.init_cfg = None
    cfg.model.train_cfg.rcnn.sampler.num = 16  # with all 512 regions of an image, a step takes seconds
    if 'teacher' in cfg.model:
        cfg.model.teacher = Config.fromfile(cfg.model.teacher).model
        cfg.model.teacher.backbone.init_cfg = None
    model = build(cfg)
    num_aspects = cfg.model.get('aspect_head', {}).get('num_aspects', 0)
    num_region_aspects = cfg.model.roi_head.bbox_head.get('num_aspects', 0)
    learn(model, detection.batch(model, num_aspects=num_aspects, num_region_aspects=num_region_aspects))


def step_on_shipped_images(cfg):
    """Step on images of the dataset that ships, and build the validation and the test set."""
    cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = build(cfg)
    cfg.train_dataloader.dataset.indices = 10
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert model.head.num_classes == len(dataset.metainfo['classes'])
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        if loader is not None:
            DATASETS.build(loader.dataset)
    learn(model, model.data_preprocessor(default_collate([dataset[i] for i in range(2)]), training=True))


def step_on_noise(cfg):
    """Step on noise in place of a dataset that does not ship."""
    cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = build(cfg)
    samples = [DataSample().set_gt_label(label) for label in range(2)]
    for sample in samples:
        sample.set_field(torch.rand(getattr(model.head, 'num_aspects', 0)), 'gt_aspects')
        if cfg.model.get('teacher', '') is None:
            sample.set_field(torch.randn(model.head.num_classes), 'teacher_logits')
    size = cfg.model.backbone.get('img_size', 64)
    images = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in samples]
    learn(model, model.data_preprocessor({'inputs': images, 'data_samples': samples}, training=True))


def answer_with_cldr_what_is_not_annotated(cfg):
    """Read other answers to the same questions where `make annotate` has not written those that the config names."""
    for _, node in walk_dicts([cfg.get(loader) for loader in LOADERS]):
        if str(node.get('targets', '')).startswith('work_dirs/') and not Path(node['targets']).exists():
            node['targets'] = 'data/emoji/aspects/cldr'


@pytest.mark.parametrize('folder', sorted({path.parent for path in TRAINED if path.parts[0] == 'configs'}), ids=str)
def test_each_folder_of_configs_has_a_readme_and_a_metafile_that_lists_them(folder):
    assert (ROOT / folder / 'README.md').is_file()
    listed = {model['Config'] for model in Config.fromfile(ROOT / folder / 'metafile.yml').Models}
    assert listed == {str(path) for path in CONFIGS if path.parent == folder}
    assert f'{folder}/metafile.yml' in (ROOT / 'model-index.yml').read_text()
