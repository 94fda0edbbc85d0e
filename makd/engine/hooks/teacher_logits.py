"""Stored class logits in the order of the data set's classes, and found to be complete before the first step."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from makd.datasets.load_targets import training_transforms
from makd.datasets.load_teacher_logits import LoadTeacherLogits
from makd.datasets.targets_join import TargetsJoin
from makd.errors import TargetsError
from makd.registry import HOOKS


@HOOKS.register_module()
class TeacherLogitsHook(Hook):
    """Order the classes of every ``makd.LoadTeacherLogits`` in training, by name, and check that no image lacks them.

    Raises:
        ConfigError: If the training pipeline loads no teacher logits, or the teacher was asked about other classes.
        TargetsError: If images have no answers: one error with the count and the first ten keys.
    """

    def before_train(self, runner: Runner) -> None:
        """Order and check."""
        for dataset, transform in training_transforms(runner.train_dataloader.dataset, LoadTeacherLogits):
            transform.order(dataset.metainfo['classes'])
            join = TargetsJoin.of_dataset(dataset, transform)
            if missing := join.describe(~join.answered, f'no class probabilities in {transform.targets.path}'):
                raise TargetsError(
                    f'{missing}\nAnnotate them, or set data_root of makd.LoadTeacherLogits to the folder that the keys '
                    'are relative to.'
                )
