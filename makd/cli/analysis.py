"""What the tools in ``tools/analysis`` share: arguments, and a split of a config in the pipeline of the test."""

import argparse
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config

from makd.cli.arguments import add_options
from makd.config import first_pipeline, load_config, walk_dicts
from makd.errors import ConfigError, DataError

if TYPE_CHECKING:
    from makd.datasets.targets_join import TargetsJoin

SPLITS = ('train', 'val', 'test')


def analysis_parser(description: str | None, epilog: str) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every tool that reads a split of a config."""
    parser = argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--split', choices=SPLITS, default='test', help='images of this split, without augmentation (default: test)'
    )
    add_out(parser)
    add_options(parser)
    return parser


def add_out(parser: argparse.ArgumentParser) -> None:
    """Add ``--out``."""
    parser.add_argument(
        '--out',
        type=Path,
        metavar='FILE',
        help='figure to write, .png, .svg or .pdf (default: PNG and SVG in work_dirs/analysis)',
    )


def add_questions(parser: argparse.ArgumentParser, number: int, default: str) -> None:
    """Add ``--questions`` and ``--num-questions``."""
    parser.add_argument('--questions', nargs='+', metavar='ID', help=f'ids of the questions (default: {default})')
    parser.add_argument(
        '--num-questions',
        type=int,
        default=number,
        metavar='K',
        help='how many, without --questions (default: %(default)s)',
    )


def load_split(config: str, options: dict | None, split: str) -> Config:
    """Load the config of a classifier and add ``split_dataloader``, a data loader for one of ``SPLITS``.

    It yields each image of the split once, in order, in the pipeline of the test, even for the training set.

    Raises:
        ConfigError: The config is not that of a classifier, or has no such split.
        DataError: The data do not exist.
    """
    from mmengine.registry import init_default_scope  # torch: not for --help

    loader = f'{split}_dataloader'
    cfg = load_config(config, options, loaders=(loader,))
    if cfg.get('default_scope') != 'mmpretrain':
        raise ConfigError(
            f'{config}: default_scope={cfg.get("default_scope")!r}: only classifiers can be analysed, whose scope is '
            "'mmpretrain': each image needs one class. For a detector's regions, tools/browse.py shows answers, and "
            'tools/select_questions.py what they say about the classes.'
        )
    if not cfg.get(loader):
        choices = ' or '.join(f'--split {name}' for name in SPLITS if cfg.get(f'{name}_dataloader'))
        raise ConfigError(f'--split {split}: {config} has no {loader}. Choose {choices}.')
    cfg.split_dataloader = _evaluation_loader(cfg, split)
    init_default_scope(cfg.default_scope)
    return cfg


def _evaluation_loader(cfg: Config, split: str) -> dict[str, Any]:
    loader = cfg[f'{split}_dataloader'].to_dict()
    if loader['dataset'].get('type') == 'makd.WithUnlabelled':
        loader['dataset'] = loader['dataset']['labelled']
    if split == 'train':
        evaluated = cfg.get('test_dataloader') or cfg.get('val_dataloader')
        if not evaluated:
            raise ConfigError(
                '--split train: training images are read in the pipeline of test_dataloader or val_dataloader, which '
                'has no augmentation, and the config has neither.'
            )
        evaluated = evaluated.to_dict()
        loader['batch_size'] = evaluated['batch_size']
        pipeline = first_pipeline(evaluated)
        for _, node in list(walk_dicts(loader['dataset'])):
            if isinstance(node, dict) and 'pipeline' in node:  # keeps the answers that training reads
                node['pipeline'] = [t for t in pipeline if not _loads_answers(t)] + [
                    t for t in node['pipeline'] if _loads_answers(t)
                ]
    for key in ('drop_last', 'batch_sampler'):
        loader.pop(key, None)
    return {**loader, 'sampler': dict(type='DefaultSampler', shuffle=False)}


def _loads_answers(transform: Mapping) -> bool:
    return transform['type'] == 'makd.LoadAspectTargets'


def read_images(cfg: Config, config: str, split: str) -> 'TargetsJoin':
    """Join the images of ``load_split(...)`` with their answers, and print how many there are.

    Raises:
        ConfigError: The split's pipeline loads no answers.
        DataError: No image has all answers, or an image has no single class.
    """
    from mmengine.registry import DATASETS

    from makd.datasets.targets_join import join_dataset

    images = join_dataset(DATASETS.build(cfg.split_dataloader['dataset']))
    if images.questions is None:
        raise ConfigError(
            f'{config}: the pipeline of its {split} split loads no answers; a config of a MaKD student is needed, such '
            "as configs/makd/resnet18_emoji.py, whose pipelines end with dict(type='makd.LoadAspectTargets', ...)."
        )
    if not (answered := images.answered.sum()):
        raise DataError(
            f'{config}: of the {len(images.labels)} images of its {split} split, none has answers to all questions. '
            'Annotate them (docs/annotation.md), or name another --split.'
        )
    print(
        f'{split}: {len(images.labels)} images of {len(images.classes)} classes, {answered} with all answers.',
        flush=True,
    )
    return images


def close_matches(name: str, known: Sequence[str]) -> str:
    """Return known names that are similar to an unknown one, for a message."""
    return ', '.join(repr(match) for match in difflib.get_close_matches(name, known, n=3) or known[:3])
