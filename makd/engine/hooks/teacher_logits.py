"""Stored class logits in the order of the data set's classes, and found to be complete before the first step."""

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner

from makd.datasets.load_targets import target_transforms
from makd.datasets.load_teacher_logits import LoadTeacherLogits
from makd.errors import ConfigError, TargetsError
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
        pairs = list(target_transforms(runner.train_dataloader.dataset, LoadTeacherLogits))
        if not pairs:
            raise ConfigError(
                'No pipeline of train_dataloader.dataset has teacher logits. End it with '
                "dict(type='makd.LoadTeacherLogits', targets=..., data_root=...)."
            )
        for dataset, transform in pairs:
            transform.order(dataset.metainfo['classes'])
            targets = transform.targets
            keys = {transform.key(dataset.get_data_info(i)['img_path']) for i in range(len(dataset))}
            missing = sorted(key for key in keys if key not in targets or np.isnan(targets.logprobs_of(key)).any())
            if missing:
                first = '\n  '.join(missing[:10])
                raise TargetsError(
                    f'{len(missing)} of {len(keys)} images have no class probabilities in {targets.path}:\n  {first}\n'
                    'Annotate them, or set data_root of makd.LoadTeacherLogits to the folder that the keys are '
                    'relative to.'
                )
