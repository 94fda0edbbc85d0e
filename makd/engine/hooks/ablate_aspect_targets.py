"""The controls that tell knowledge from regularisation."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from makd.datasets.load_aspect_targets import LoadAspectTargets
from makd.datasets.load_targets import training_transforms
from makd.datasets.targets_join import TargetsJoin
from makd.errors import ConfigError
from makd.registry import HOOKS
from makd.targets.controls import RandomTargets, ShuffledTargets


@HOOKS.register_module()
class AblateAspectTargetsHook(Hook):
    """Replace the training targets of any MaKD config by a control's, before training starts.

    'shuffled': every class learns the answers of another class, so the targets keep their statistics and lose their
    meaning; in detection, where an image has no class, every image learns those of another image. 'random': the paper's
    "Rand" (Table 2), Gaussian logits for each image and question. Validation and test keep the true targets.

    Args:
        kind (str): 'shuffled' or 'random'.
        seed (int, optional): Seed of the control. Defaults to None: the run's own seed (``randomness.seed``), so runs
            with other seeds draw other controls.

    Raises:
        ConfigError: If ``kind`` is neither, or the training pipeline loads no targets.
    """

    priority = 'HIGH'  # before AspectTargetCheckHook, which then checks what is really learnt

    def __init__(self, kind: str, seed: int | None = None) -> None:
        if kind not in ('shuffled', 'random'):
            raise ConfigError(f"makd.AblateAspectTargetsHook: kind={kind!r} must be 'shuffled' or 'random'.")
        self.kind = kind
        self.seed = seed

    def before_train(self, runner: Runner) -> None:
        """Put the control in the place of the targets that the training pipeline reads."""
        seed = runner.seed if self.seed is None else self.seed
        for dataset, transform in training_transforms(runner.train_dataloader.dataset, LoadAspectTargets):
            if self.kind == 'random':
                transform.targets = RandomTargets(transform.targets, seed=seed)
            else:
                join = TargetsJoin.of_dataset(dataset, transform)
                groups = join.labels if (join.labels >= 0).all() else range(len(join.labels))
                labels = dict(zip(join.keys(range(len(join.paths))), map(int, groups)))
                transform.targets = ShuffledTargets(transform.targets, labels, seed=seed)
        runner.logger.info(f'Training targets are replaced by {self.kind} ones, seed {seed}.')
