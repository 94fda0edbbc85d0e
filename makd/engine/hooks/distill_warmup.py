"""The warm-up of DKD."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from makd.errors import ConfigError
from makd.ranges import Count
from makd.registry import HOOKS


@HOOKS.register_module()
class DistillWarmupHook(Hook):
    """Raise the weight of the distillation loss linearly over the first epochs, as mdistiller does for DKD.

    In epoch e = 1, 2, ... the weight is min(e / warmup_epochs, 1). It depends on the epoch only, so resuming keeps it.

    Args:
        warmup_epochs: The first epoch with full weight, >= 1.

    Raises:
        ConfigError: ``warmup_epochs`` is less than 1, training is not by epochs, or the model does not distil.
    """

    def __init__(self, warmup_epochs: Count) -> None:
        if warmup_epochs < 1:
            raise ConfigError(f'makd.DistillWarmupHook: warmup_epochs={warmup_epochs} must be at least 1.')
        self.warmup_epochs = warmup_epochs

    def before_train(self, runner: Runner) -> None:
        """Refuse a training without epochs, in which the weight would never rise."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ConfigError(
                f'makd.DistillWarmupHook counts epochs, and {type(runner.train_loop).__name__} has none: set '
                'train_cfg.by_epoch=True, or take the hook out of the config.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the weight of this epoch."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not hasattr(model, 'distill_weight'):
            raise ConfigError(
                f'makd.DistillWarmupHook: {type(model).__name__} does not distil. Use it with '
                'makd.DistillImageClassifier or makd.DistillFasterRCNN, or take it out of the config.'
            )
        model.distill_weight = min((runner.epoch + 1) / self.warmup_epochs, 1.0)
