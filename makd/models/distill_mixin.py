"""The common part of students that learn the logits of a frozen teacher."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from makd.errors import ConfigError
from makd.models.frozen_teacher import FrozenTeacher
from makd.registry import MODELS


class DistillMixin:
    """Hold the teacher beside the student, whose parameters, checkpoint keys and predictions stay the same.

    The teacher is a frozen network, built when training starts (``init_weights``); testing and inference need neither
    its config nor its weights. A subclass sets ``frozen``, the type of the teacher, and adds ``loss_kd`` to its losses.

    Args:
        teacher: A config file, or the config of the model itself; None if the logits are loaded with the images.
        distill_loss: Config of the loss, called as ``loss(student_logits, teacher_logits, label=label)``, for
            example ``dict(type='makd.KDLoss')``.
        teacher_checkpoint: Path or URL of the teacher's weights. Required for a network unless
            ``teacher_init='random'``.
        teacher_init: 'checkpoint', or 'random' for an untrained teacher.
        teacher_classes: Names of the teacher's classes in the order of its outputs, where its checkpoint has none, or
            others than the dataset. ``makd.IdentityHook`` compares them, and puts the logits into the dataset's order.
        **kwargs: The student's arguments.

    Attributes:
        distill_weight: Weight of the distillation loss in [0, 1], set by ``makd.DistillWarmupHook``; 1 without it.

    Raises:
        ConfigError: When training starts: the teacher cannot be built or loaded, or has another number of classes.
    """

    frozen: type[FrozenTeacher]

    def __init__(
        self,
        *,
        teacher: str | Mapping[str, Any] | None,
        distill_loss: dict,
        teacher_checkpoint: str | None = None,
        teacher_init: str = 'checkpoint',
        teacher_classes: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if teacher is None and teacher_checkpoint is not None:
            raise ConfigError(f'model.teacher_checkpoint={teacher_checkpoint!r} needs model.teacher, which is None.')
        self._build_teacher = (
            None
            if teacher is None
            else partial(self.frozen.build, teacher, teacher_checkpoint, teacher_init, teacher_classes)
        )
        self.teacher: Any = None
        self.distill_loss = MODELS.build(distill_loss)
        self.distill_weight = 1.0

    @property
    def num_student_classes(self) -> int:
        """C, the number of classes of the student."""
        raise NotImplementedError

    def init_weights(self) -> None:
        """Initialise the student, then build and load the teacher if it is a network."""
        super().init_weights()  # type: ignore[misc]
        if self._build_teacher is None:
            return
        teacher = self._build_teacher(self.data_preprocessor)  # type: ignore[attr-defined]
        if teacher.num_classes != self.num_student_classes:
            raise ConfigError(
                f'model.teacher has {teacher.num_classes} classes, the student {self.num_student_classes}: logits can '
                'only be distilled between equal sets of classes.'
            )
        device = next(self.parameters()).device  # type: ignore[attr-defined]
        teacher.apply(lambda tensor: tensor.to(device))
        self.teacher = teacher

    def require_teacher(self) -> Any:
        """Return the teacher; raise a RuntimeError if ``init_weights`` was not called."""
        if self.teacher is None:
            raise RuntimeError(f'{type(self).__name__} has no teacher yet: call init_weights() before training.')
        return self.teacher

    def _apply(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        if self.teacher is not None:
            self.teacher.apply(fn)
        return super()._apply(fn, *args, **kwargs)  # type: ignore[misc]
