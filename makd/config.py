"""Load a config, and find its mistakes before anything is built."""

import difflib
import inspect
import math
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from makd import registry
from makd.argument_types import wrong_values
from makd.compat.annotation_config import update_annotation_config
from makd.errors import ConfigError, DataError
from makd.secrets import masked

# The datasets that tools/prepare_dataset.py prepares.
PREPARED = (
    'emoji', 'emoji_scenes', 'stanford_cars', 'oxford_pets', 'dtd', 'flowers102', 'cub200', 'fgvc_aircraft',
    'caltech101', 'mini_imagenet', 'imagenet', 'coco',
)  # fmt: skip
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# The lowest values of integers that decide about every step; what the other numbers must be above.
LOWEST = {
    **{f'{loader}.batch_size': 1 for loader in LOADERS},
    **{f'{loader}.num_workers': 0 for loader in LOADERS},
    **{f'train_cfg.{key}': 1 for key in ('max_epochs', 'max_iters', 'val_interval')},
    'optim_wrapper.accumulative_counts': 1,
    'optim_wrapper.optimizer.lr': 0.0,
}
# Keys that the framework removes from a config before it builds the class.
FRAMEWORK_KEYS = {'type', '_scope_', 'priority'}
_WRAPPED = {'dataset', 'datasets', 'labelled', 'unlabelled'}  # keys of what a dataset's config wraps


def load_config(
    path: str,
    options: Mapping[str, Any] | None = None,
    *,
    loaders: Sequence[str] = (),
    work_dir: str | None = None,
    launcher: str = 'none',
) -> Config:
    """Load a config, merge options into it, fill in what mmpretrain's and mmdet's own tools fill in, and check it.

    The work dir is, in this order of priority: ``work_dir``, the config's own, or the config's folder and name below
    ``work_dirs``. (A baseline and its MaKD student have configs of the same name, and neither may resume from the
    other's checkpoints.)

    Args:
        path: Config file.
        options: Values by field, as ``--cfg-options`` gives them.
        loaders: Data loaders whose folders must exist, such as 'train_dataloader'.
        work_dir: Folder for logs and checkpoints.
        launcher: Job launcher, one of mmengine's.

    Raises:
        ConfigError: The file does not exist, an option does not fit, a makd class or key does not exist, a value has
            another type or is out of range, or ``load_from`` is 'pretrained' and the config names no weights for its
            model.
        DataError: A folder or file that one of the loaders reads does not exist.
    """
    cfg = read_config(path, options)
    cfg.launcher = launcher
    absolute = Path(path).absolute()
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs', absolute.parent.name, absolute.stem))
    if cfg.get('load_from') == 'pretrained':
        if 'pretrained' not in cfg:
            raise ConfigError(
                "load_from='pretrained': the config names no weights for its model. Name a file or a URL: "
                'load_from=URL.'
            )
        cfg.load_from = cfg.pretrained
    if cfg.get('default_scope') == 'mmpretrain':
        _set_mmpretrain_defaults(cfg)
    check_makd_types(cfg)
    check_numbers(cfg)
    check_data_roots(cfg, loaders)
    return cfg


def read_config(path: str, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config and merge options into it; nothing is filled in and nothing is checked.

    ``train_dataloader.fraction``, such as 0.4, becomes a dataset that keeps this share of each class, or of a
    detector's images; ``train_dataloader.unlabelled=dict(dataset=..., labelled_share=0.5)`` a dataset of labelled and
    other images, and a sampler that draws a fixed share of each.
    """
    file = find_config(path)
    try:
        cfg = Config.fromfile(file)
    except Exception as error:  # a config is Python, and can raise anything
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        line = f', line {lines[-1]},' if lines else ''
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ConfigError(f'The config {path}{line} cannot be read: {type(error).__name__}: {reason}.') from error
    if not cfg:
        raise ConfigError(f'The config {path} is empty.')
    merge_options(cfg, update_annotation_config(cfg, options))
    if loader := cfg.get('train_dataloader'):
        _compose_training_set(loader)
    return cfg


def _compose_training_set(loader: Any) -> None:
    """Turn ``fraction`` and ``unlabelled`` of a data loader into datasets and a sampler."""
    labelled = loader.get('dataset')
    if 'fraction' in loader:
        loader.dataset = dict(type='makd.SubsetDataset', fraction=loader.pop('fraction'), dataset=labelled)
    if unlabelled := loader.pop('unlabelled', None):
        if (
            not isinstance(unlabelled, Mapping)
            or not {'dataset'} <= unlabelled.keys() <= {'dataset', 'labelled_share'}
            or not isinstance(unlabelled['dataset'], Mapping)
        ):
            raise ConfigError(
                f'train_dataloader.unlabelled={unlabelled!r:.200} must be dict(dataset=dict(...), labelled_share=0.5): '
                'the images without labels, and the share of labelled ones in a batch.'
            )
        pipeline = first_pipeline(labelled)
        others = _map_datasets(
            lambda part: part if _WRAPPED & part.keys() else {'pipeline': pipeline, **part}, unlabelled['dataset']
        )
        loader.dataset = dict(type='makd.WithUnlabelled', labelled=loader.dataset, unlabelled=others)
        share = {key: value for key, value in unlabelled.items() if key != 'dataset'}
        loader.sampler = dict(type='makd.LabelledShareSampler', batch_size=loader.batch_size, **share)


def without_secrets(cfg: Config | Mapping[str, Any]) -> Config:
    """Return the config as it may be written down: the same, or a copy with masked secrets."""
    if not isinstance(cfg, Config):
        cfg = Config(dict(cfg))
    content = cfg.to_dict()
    hidden = masked(content)
    return cfg if hidden == content else Config(hidden, filename=cfg.filename)


def require_fields(cfg: Config, config: str, *fields: str) -> None:
    """Raise a ConfigError that names the top-level fields which a config lacks."""
    if absent := [field for field in fields if not cfg.get(field)]:
        raise ConfigError(
            f'The config {config} has no {", ".join(absent)}: inherit them with _base_, as the configs in configs/ do.'
        )


def merge_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Merge options into a config; raise a ConfigError for one that does not fit its structure."""
    for key, value in (options or {}).items():
        try:
            cfg.merge_from_dict({key: value})
        except (KeyError, TypeError, AssertionError) as error:
            raise ConfigError(f'--cfg-options {key}={value}: it does not fit the config ({error}).') from error


def find_config(path: str) -> str:
    """Return ``path``; raise a ConfigError that suggests similar names if there is no such file."""
    if Path(path).is_file():
        return path
    known = [str(p) for p in Path('configs').rglob('*.py') if '_base_' not in p.parts]
    close = difflib.get_close_matches(path, known, n=3)
    hint = f'Did you mean {" or ".join(close)}?' if close else 'Configs are under configs/; give the path to one.'
    raise ConfigError(f'There is no config file {path!r}. {hint}')


def require_checkpoint(path: str, option: str) -> str:
    """Return ``path`` if it is a URL or a file; raise a ConfigError that names ``option`` otherwise."""
    if '://' in path or Path(path).is_file():
        return path
    found = sorted(str(p) for p in Path(path).parent.glob('*.pth'))[:5]
    hint = (
        f'In that folder there are: {", ".join(found)}.' if found else 'Train first, or give the path to a .pth file.'
    )
    raise ConfigError(f'{option}: there is no checkpoint {path!r}. {hint}')


def check_makd_types(cfg: Config) -> None:
    """Raise a ConfigError unless X of each ``dict(type='makd.X', ...)`` is registered and takes its keys and values."""
    for field, node in walk_dicts(cfg.to_dict()):
        name = node.get('type')
        if not isinstance(name, str) or not name.startswith('makd.'):
            continue
        cls = registry.find(name) or registry.find(name.rpartition('.')[2])  # a config may import the class
        if cls is None:
            raise ConfigError(f'Config field {field}.type={name!r} is not registered. {_hint(name, registry.names())}')
        keys = accepted_keys(cls)
        for key in node.keys() - keys - FRAMEWORK_KEYS:
            raise ConfigError(f'Config field {field}.{key}: {name} has no argument {key!r}. {_hint(key, sorted(keys))}')
        for key, expected in wrong_values(cls, node):
            raise ConfigError(f'Config field {field}.{key}={node[key]!r:.60} of {name}: {expected}.')


def check_numbers(cfg: Config) -> None:
    """Raise a ConfigError for NaN anywhere in a config, and for numbers with which no training can make a step."""
    for field, node in walk_dicts(cfg.to_dict()):
        for key, value in node.items():
            if isinstance(value, float) and math.isnan(value):
                raise ConfigError(f'Config field {field}.{key} is NaN: give a number.')
            if key == 'loss_weight' and isinstance(value, int | float) and not 0 <= value < math.inf:
                raise ConfigError(
                    f'Config field {field}.{key}={value}: the weight of a loss is a finite number from 0.'
                )
    for field, lowest in LOWEST.items():
        *parents, last = field.split('.')
        part: Any = cfg
        for key in parents:
            part = part.get(key) if isinstance(part, Mapping | Config) else None
        if not isinstance(part, Mapping) or last not in part:
            continue
        value, kinds = part[last], int if isinstance(lowest, int) else int | float
        fits = isinstance(value, kinds) and not isinstance(value, bool)
        if not fits or not (value >= lowest if kinds is int else value > lowest):
            what = f'an integer from {lowest}' if kinds is int else f'a number above {lowest}'
            raise ConfigError(f'Config field {field}={value!r}: it must be {what}.')


def accepted_keys(cls: type) -> set[str]:
    """Return the arguments of a class, with those of its base classes if it passes ``**kwargs`` on."""
    keys: set[str] = set()
    for base in cls.__mro__:
        if '__init__' not in vars(base):
            continue
        parameters = inspect.signature(vars(base)['__init__']).parameters.values()
        keys |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {'self'}
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    return keys


def check_data_roots(cfg: Config, loaders: Sequence[str]) -> None:
    """Raise a DataError that names all absent data of these loaders, and the commands that make them."""
    if absent := absent_data(cfg, loaders):
        lines = '\n  '.join(absent)
        raise DataError(
            f'The dataset does not exist (paths are relative to the current folder):\n  {lines}\n'
            f'{" ".join(dict.fromkeys(absent.values()))} Name another place with --cfg-options FIELD=PATH.'
        )


def absent_data(cfg: Config, loaders: Sequence[str]) -> dict[str, str]:
    """Return 'FIELD=VALUE' of each folder or file that these loaders lack, and the advice how to make it."""
    absent: dict[str, str] = {}
    for loader in loaders:
        for field, node in walk_dicts(cfg.get(loader) or {}, loader):
            root, annotations, targets = (_local(node.get(key)) for key in ('data_root', 'ann_file', 'targets'))
            if root and not Path(root).is_dir():
                absent[f'{field}.data_root={root!r}'] = _prepare(root)
            elif root and annotations and not (Path(root) / annotations).exists():
                absent[f'{field}.ann_file={annotations!r} in {root!r}'] = _prepare(root)
            if targets and not Path(targets).is_dir():
                absent[f'{field}.targets={targets!r}'] = _annotate(targets)
    return absent


def _local(path: Any) -> str:
    """Return a local path; '' for a URL or anything that is not a path."""
    return path if isinstance(path, str) and '://' not in path else ''


def _prepare(root: str) -> str:
    """Return the advice how to prepare a dataset."""
    name = Path(root).name
    if name in PREPARED:
        return f'`python tools/prepare_dataset.py {name}` prepares it.'
    return '`python tools/prepare_dataset.py --help` lists the datasets that it prepares.'


def _annotate(targets: str) -> str:
    """Return the advice how to make a targets folder."""
    if targets.startswith('data/emoji_scenes/aspects/'):
        return _prepare('emoji_scenes')
    for path in sorted(Path('configs/annotate').glob('*.py')):
        if repr(targets) in path.read_text('utf-8'):
            return f'`python tools/annotate.py {path}` answers the questions about its images.'
    return '`python tools/annotate.py CONFIG` answers the questions about its images (docs/annotation.md).'


def walk_dicts(node: Any, field: str = '') -> Iterator[tuple[str, Mapping]]:
    """Yield every mapping in a config with its field, such as 'model.head'."""
    if isinstance(node, Mapping):
        yield field, node
        for key, value in node.items():
            yield from walk_dicts(value, f'{field}.{key}' if field else str(key))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from walk_dicts(value, f'{field}.{index}')  # as --cfg-options writes it


def first_pipeline(loader: Mapping | None) -> Sequence[Mapping]:
    """Return the pipeline of a data loader's config, or of the first dataset in it; () if there is none."""
    return next((node['pipeline'] for _, node in walk_dicts(loader) if 'pipeline' in node), ())


def without_pipelines(dataset: Mapping) -> dict[str, Any]:
    """Return a copy of a dataset's config in which no transform runs and no image is filtered out."""
    return _map_datasets(
        lambda part: {key: [] if key == 'pipeline' else value for key, value in part.items() if key != 'filter_cfg'},
        dataset,
    )


def _map_datasets(function: Callable[[dict], dict], dataset: Mapping) -> dict[str, Any]:
    """Return a copy of a dataset's config with a function applied to it and to all datasets in it, the inner first."""
    copied = dict(dataset)
    for key in _WRAPPED & copied.keys():
        if isinstance(inner := copied[key], Mapping):
            copied[key] = _map_datasets(function, inner)
        elif inner:
            copied[key] = [_map_datasets(function, part) for part in inner]
    return function(copied)


def _hint(value: str, known: list[str]) -> str:
    close = difflib.get_close_matches(value, known, n=3)
    return f'Did you mean {" or ".join(close)}?' if close else f'Known: {", ".join(known)}.'


def _set_mmpretrain_defaults(cfg: Config) -> None:
    """Fill in the fields of the data loaders that mmpretrain's configs leave to its tools."""
    from mmengine.device import get_device  # torch: not for --help

    for loader in (cfg[name] for name in LOADERS if cfg.get(name)):
        loader.setdefault('pin_memory', get_device() != 'cpu')
        loader.setdefault('persistent_workers', loader.get('num_workers', 0) > 0)
        loader.setdefault('collate_fn', dict(type='default_collate'))
