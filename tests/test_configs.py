"""Every config file, found by itself: loads, says how it is run, builds, and takes one loss step."""

from pathlib import Path

import pytest
import torch
from dataset_converters import PREPARED
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS
from mmpretrain.structures import DataSample
from models import detection

from makd.config import LOADERS, check_makd_types, walk_dicts
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
NOT_TRAINED = ('configs/annotate', 'configs/questions')
TRAINED = [path for path in CONFIGS if not str(path).startswith(NOT_TRAINED)]


ANNOTATED = {str(Config.fromfile(path).writer.out_dir) for path in ROOT.glob('configs/annotate/*.py')}


def test_there_are_configs():
    assert len(TRAINED) > 10


CLASSIFIERS = [path for path in TRAINED if 'faster_rcnn' not in path.name]
DETECTORS = [path for path in TRAINED if 'faster_rcnn' in path.name]


def load(path):
    """Load a config, check what it says and the names that it uses."""
    assert f'python tools/train.py {path}' in path.read_text()
    cfg = Config.fromfile(path)
    check_makd_types(cfg)
    init_default_scope(cfg.default_scope)
    torch.manual_seed(0)
    return cfg


def learn(model, data):
    """Take one step; each parameter has to have a gradient, or DDP would wait for it."""
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert torch.isfinite(loss)
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize('path', DETECTORS, ids=str)
def test_detector_config(path):
    cfg = load(path)
    assert cfg.default_scope == 'mmdet'
    cfg.model.backbone.init_cfg = None
    if 'teacher' in cfg.model:
        teacher = Config.fromfile(cfg.model.teacher).model
        teacher.backbone.init_cfg = None
        cfg.model.update(teacher=teacher, teacher_init='random', teacher_checkpoint=None)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    num_aspects = cfg.model.aspect_head.num_aspects if 'aspect_head' in cfg.model else 0
    learn(model, detection.batch(model, num_aspects=num_aspects))
    num_classes = len(cfg.train_dataloader.dataset.get('metainfo', CocoDataset.METAINFO)['classes'])
    assert model.roi_head.bbox_head.num_classes == num_classes
    loads = [t for t in cfg.train_dataloader.dataset.pipeline if t.type == 'makd.LoadAspectTargets']
    assert len(loads) == (num_aspects > 0)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert [t for t in loader.dataset.pipeline if t.type == 'makd.LoadAspectTargets'] == loads
    if 'emoji_scenes' in path.name and num_aspects:
        assert num_aspects == len(emoji_scenes.questions())


@pytest.mark.parametrize('path', CLASSIFIERS, ids=str)
def test_config(path):
    cfg = load(path)
    _answer_with_cldr_what_is_not_annotated(cfg)

    if cfg.model.get('teacher'):
        assert Path(cfg.model.teacher).is_file()
        cfg.model.update(teacher_init='random', teacher_checkpoint=None)
    cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    if innermost(cfg.train_dataloader.dataset).data_root == 'data/emoji':
        learn(model, shipped_images(cfg, model))
    else:
        learn(model, noise(cfg, model))


def innermost(dataset):
    """Return the data set of a wrapper."""
    return dataset.dataset if 'dataset' in dataset else dataset


def shipped_images(cfg, model):
    """Return a batch of the data set that ships, and build the others."""
    innermost(cfg.train_dataloader.dataset).indices = 10
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert model.head.num_classes == len(dataset.metainfo['classes'])
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        if loader is not None:
            DATASETS.build(loader.dataset)
    return model.data_preprocessor(default_collate([dataset[i] for i in range(4)]), training=True)


def noise(cfg, model):
    """Return a batch for a data set that is not here."""
    settings = innermost(cfg.train_dataloader.dataset)
    dataset = DATASETS.get(settings.type)
    classes = (dataset.METAINFO or {}).get('classes')  # mmpretrain does not know those of 102Flowers
    assert classes is None or model.head.num_classes == len(classes)
    assert PREPARED[Path(settings.data_root).name]
    num_aspects = getattr(model.head, 'num_aspects', 0)
    loads = [t for t in settings.pipeline if str(t.type).startswith('makd.Load')]
    learns_stored_logits = cfg.model.get('teacher', '') is None
    assert [t.type for t in loads] == ['makd.LoadAspectTargets'] * (num_aspects > 0) + [
        'makd.LoadTeacherLogits'
    ] * learns_stored_logits
    for transform in loads:
        assert transform.targets in ANNOTATED
        assert transform.data_root == settings.data_root
    samples = [DataSample().set_gt_label(label) for label in range(4)]
    for sample in samples:
        sample.set_field(torch.rand(num_aspects), 'gt_aspects')
        if learns_stored_logits:
            sample.set_field(torch.randn(model.head.num_classes), 'teacher_logits')
    size = cfg.model.backbone.get('img_size', 64)
    images = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in samples]
    return model.data_preprocessor({'inputs': images, 'data_samples': samples}, training=True)


def _answer_with_cldr_what_is_not_annotated(cfg):
    """Let configs that read the answers of `make annotate` read others to the same questions, where there are none."""
    for _, node in walk_dicts([cfg.get(loader) for loader in LOADERS]):
        if str(node.get('targets', '')).startswith('work_dirs/') and not Path(node['targets']).exists():
            node['targets'] = 'data/emoji/aspects/cldr'


@pytest.mark.parametrize('folder', sorted({path.parent for path in TRAINED if path.parts[0] == 'configs'}), ids=str)
def test_each_folder_of_configs_has_a_readme_and_a_metafile_that_lists_them(folder):
    assert (ROOT / folder / 'README.md').is_file()
    listed = {model['Config'] for model in Config.fromfile(ROOT / folder / 'metafile.yml').Models}
    assert listed == {str(path) for path in CONFIGS if path.parent == folder}
    assert f'{folder}/metafile.yml' in (ROOT / 'model-index.yml').read_text()
