"""Load a trained student from its config and checkpoint."""

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader

from makd.errors import ConfigError
from makd.models.frozen_teacher import load_strictly
from makd.registry import MODELS


def load_student(cfg: Config, config: str, checkpoint: str) -> tuple[BaseModel, dict[str, Any]]:
    """Build the model of a config and load its weights.

    Args:
        cfg: The config, of a classifier or a detector.
        config: Its name, for messages.
        checkpoint: Path or URL of the weights, which must fit exactly.

    Returns:
        The model on the CPU, in eval mode, and the checkpoint's metadata of the dataset, such as ``classes``.

    Raises:
        ConfigError: The checkpoint is damaged or does not fit.
    """
    model = copy.deepcopy(cfg.model)
    if 'data_preprocessor' in cfg:
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        student = MODELS.build(model)
    try:
        weights = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu', logger='silent')
    except OSError:
        raise
    except Exception as error:  # unpickling other bytes can raise anything
        raise ConfigError(f'{checkpoint} is not a torch checkpoint, or damaged ({type(error).__name__}).') from error
    if not isinstance(weights, Mapping):
        raise ConfigError(f'{checkpoint} holds a {type(weights).__name__}, not a state dict: save model.state_dict().')
    load_strictly(student, weights.get('state_dict', weights), checkpoint, config)
    return student.eval(), weights.get('meta', {}).get('dataset_meta') or {}
