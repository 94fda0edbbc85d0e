"""Load a trained student from its config and checkpoint."""

import copy

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope

from makd.checkpoints import load_weights, read_checkpoint
from makd.identity import Identity
from makd.registry import MODELS


def load_student(cfg: Config, config: str, checkpoint: str) -> tuple[BaseModel, Identity]:
    """Build the model of a config and load its weights.

    Args:
        cfg: The config, of a classifier or a detector.
        config: Its name, for messages.
        checkpoint: Path or URL of the weights, which must fit exactly.

    Returns:
        The model on the CPU, in eval mode, and what the checkpoint says about its classes and questions.

    Raises:
        ConfigError: The checkpoint is damaged or does not fit.
    """
    model = copy.deepcopy(cfg.model)
    if 'data_preprocessor' in cfg:
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        student = MODELS.build(model)
    weights = read_checkpoint(checkpoint)
    load_weights(student, weights, checkpoint, config=config)
    return student.eval(), Identity.of_checkpoint(weights)
