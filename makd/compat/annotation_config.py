"""Annotation configs from the time when annotation was a test loop, and options in their words."""

from collections.abc import Mapping
from logging import WARNING
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

FORMER_LOOP, RUNNER = 'makd.AnnotateLoop', 'makd.AnnotationRunner'
RENAMED_FIELDS = {'test_dataloader': 'dataloader', 'test_evaluator': 'writer'}
DROPPED_FIELDS = ('test_cfg', 'default_hooks', 'model_wrapper_cfg')


def update_annotation_config(cfg: Config, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Rename the former fields of an annotation config, in place, with one warning; leave any other config alone.

    Args:
        cfg: A config as it was loaded, before options are merged into it.
        options: Options such as ``{'test_evaluator.out_dir': 'x'}``.

    Returns:
        The options with today's names of the fields.
    """
    options = dict(options or {})
    former = (cfg.get('test_cfg') or {}).get('type') == FORMER_LOOP
    if not former and cfg.get('runner_type') != RUNNER:
        return options
    renamed = [f'test_cfg.type={FORMER_LOOP} (runner_type={RUNNER!r})'] if former else []
    cfg.runner_type = RUNNER
    for field in DROPPED_FIELDS:
        cfg.pop(field, None)
    for field, current in RENAMED_FIELDS.items():
        keys = [key for key in options if key.split('.')[0] == field]
        if cfg.get(field) or keys:  # None hides what a fragment inherits
            renamed.append(f'{field} ({current})')
        if settings := cfg.pop(field, None):
            cfg.merge_from_dict({current: {k: v for k, v in settings.items() if k != 'collate_fn'}})
        options.update({key.replace(field, current, 1): options.pop(key) for key in keys})
    if renamed:
        print_log(
            f'Former fields of annotation configs, which go with the next release: {", ".join(renamed)}. '
            'The names in brackets replace them.',
            'current',
            WARNING,
        )
    return options
