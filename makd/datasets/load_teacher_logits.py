"""Give each image the class probabilities that a teacher has stored about it."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import torch

from makd.datasets.load_targets import LoadTargets
from makd.errors import ConfigError, TargetsError
from makd.registry import TRANSFORMS
from makd.targets import AspectTargets

FLOOR = -100.0  # float32 has no probability below e^-104


@TRANSFORMS.register_module()
class LoadTeacherLogits(LoadTargets):
    """Set ``teacher_logits``, a teacher's log p(class), on a packed data sample (paper section 5.1, Table 7).

    The targets are those of a teacher that was asked for the class (``makd.HFClassAnnotator``): their questions are the
    classes' names. ``makd.DistillImageClassifier`` with ``teacher=None`` learns them; ``makd.TeacherLogitsHook`` puts
    them into the order of the data set's classes.

    Required key: ``data_samples`` (with ``img_path``). Modified: ``data_samples.teacher_logits``, a float32 tensor (C,)
    in [-100, 0].

    Args:
        targets (str): A targets folder.
        data_root (str): The folder that the targets' keys are relative to.

    Raises:
        ConfigError: While loading, if the classes have not been put in order, or an image lies outside ``data_root``.
        TargetsError: If the folder is absent or damaged; while loading, if an image has no answers.
    """

    field = 'teacher_logits'
    content = 'teacher logits'

    def __init__(self, targets: str, data_root: str) -> None:
        super().__init__(AspectTargets.open(targets), data_root)
        self._ordered = False

    def order(self, classes: Sequence[str]) -> None:
        """Put the logits into the order of the data set's classes.

        Raises:
            ConfigError: The teacher was asked about other classes.
        """
        known = self.targets.questions.ids
        if missing := [name for name in classes if name not in known]:
            close = get_close_matches(missing[0], known, n=1)
            hint = f' It has {close[0]!r}.' if close else ''
            raise ConfigError(
                f'{self.targets.path} has no answers for {len(missing)} of {len(classes)} classes of the data set, '
                f'first {missing[0]!r}.{hint} Ask the teacher about the classes as the data set names them.'
            )
        if surplus := [name for name in known if name not in set(classes)]:
            raise ConfigError(
                f'{self.targets.path} has answers for {len(surplus)} classes that the data set does not have, first '
                f'{surplus[0]!r}: its probabilities are shared among other classes. Ask the teacher about these alone.'
            )
        self.targets = self.targets.select(question_ids=classes)
        self._ordered = True

    def look_up(self, key: str) -> torch.Tensor:
        """Return log p(class), (C,) float32."""
        if not self._ordered:
            raise ConfigError(
                "makd.LoadTeacherLogits does not know the order of the data set's classes: add "
                "dict(type='makd.TeacherLogitsHook') to custom_hooks."
            )
        logp = self.targets.logprobs_of(key)[:, 0]
        if np.isnan(logp).any():
            raise TargetsError(
                f'{self.targets.path} lacks answers about the image {key!r}: annotate it again, or leave it out'
            )
        return torch.from_numpy(np.maximum(logp, np.float32(FLOOR)))
