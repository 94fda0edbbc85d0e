"""The teacher of a distillation: a trained model that is not a part of the student."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from makd.checkpoints import load_weights, read_checkpoint
from makd.errors import ConfigError
from makd.identity import Identity, check_classes
from makd.registry import MODELS


class FrozenTeacher:
    """A model in eval mode, without gradients, that is not registered in the student.

    It is not an ``nn.Module``, so a student with such an attribute keeps the plain student's ``state_dict``,
    parameters, ``train()`` and DDP buckets, and a deep copy of the student (mmengine's EMA) refers to the same teacher.

    Args:
        model: The model.
        student_preprocessor: The data preprocessor that made the student's inputs. If the teacher's normalisation or
            channel order differs, the inputs are converted to it.
        classes: Names of the teacher's C classes, in the order of its outputs; None if they are not known.
    """

    def __init__(self, model: BaseModel, student_preprocessor: nn.Module, classes: Sequence[str] | None = None) -> None:
        self.model = model.eval().requires_grad_(False)
        self.classes = None if classes is None else tuple(classes)
        self._columns: list[int] | None = None
        self._renormalise = _renormalisation(student_preprocessor, model.data_preprocessor)

    @property
    def num_classes(self) -> int:
        """C, the number of classes of the teacher."""
        raise NotImplementedError

    @classmethod
    def build(
        cls,
        teacher: str | Mapping[str, Any],
        checkpoint: str | None,
        init: str,
        classes: Sequence[str] | None,
        student_preprocessor: nn.Module,
    ) -> 'FrozenTeacher':
        """Build the teacher and load its weights.

        Args:
            teacher: A config file with ``model`` (and perhaps a top-level ``data_preprocessor``), or the config of the
                model itself. Without a ``data_preprocessor``, the teacher has the student's.
            checkpoint: Path or URL of the weights; required for ``init='checkpoint'``.
            init: 'checkpoint', or 'random' for an untrained teacher (a control, or a test).
            classes: Names of its classes; None for the names in the checkpoint.
            student_preprocessor: See the class.

        Raises:
            ConfigError: The config or the checkpoint is missing, or they do not match.
        """
        if init not in ('checkpoint', 'random'):
            raise ConfigError(f"model.teacher_init={init!r} must be 'checkpoint' or 'random'.")
        if (checkpoint is None) == (init == 'checkpoint'):
            raise ConfigError(
                f'model.teacher_checkpoint={checkpoint!r} does not go with model.teacher_init={init!r}: name the '
                "teacher's weights, or ask for an untrained teacher with teacher_init='random' and no checkpoint."
            )
        model_cfg = _teacher_config(teacher)
        own_preprocessor = 'data_preprocessor' in model_cfg
        # The teacher must not change the student's random numbers: a run with and without it sees the same batches.
        with torch.random.fork_rng(devices=[]):  # it is built on the CPU
            model = MODELS.build(ConfigDict(model_cfg))
            if init == 'random':
                model.init_weights()
        if checkpoint is not None:
            identity = _load_weights(model, checkpoint)
            classes = classes or identity.classes
        return cls(model, student_preprocessor if own_preprocessor else model.data_preprocessor, classes)

    def order(self, classes: Sequence[str]) -> None:
        """Return the class logits in the order of the student's classes from now on, matched by name.

        Raises:
            ConfigError: The teacher has other classes.
        """
        assert self.classes is not None, 'the names of the classes are not known'
        check_classes(
            'the teacher',
            sorted(self.classes),
            'the training set',
            sorted(classes),
            'Logits can only be distilled between equal sets of classes. Where only the names differ, '
            "model.teacher_classes=[...] gives the teacher's classes the names of the dataset.",
        )
        if self.classes != tuple(classes):
            if len(set(classes)) < len(classes):
                raise ConfigError(
                    'The classes of teacher and student are in another order, and some names occur twice.'
                )
            self._columns = [self.classes.index(name) for name in classes]

    def _in_order(self, logits: Tensor) -> Tensor:
        """Return the class logits, (N, C), with what follows them, in the order of the student's classes."""
        if self._columns is None:
            return logits
        return logits[:, [*self._columns, *range(len(self._columns), logits.shape[1])]]

    def apply(self, fn: Any) -> None:
        """Apply ``fn`` to each tensor, as ``nn.Module._apply`` does: moves and casts with the student."""
        self.model._apply(fn)

    def __deepcopy__(self, memo: dict) -> 'FrozenTeacher':
        return self


class FrozenClassifier(FrozenTeacher):
    """An mmpretrain classifier: ``model(inputs, mode='tensor')`` returns logits, and ``model.head`` has C."""

    @torch.no_grad()
    def class_logits(self, inputs: Tensor) -> Tensor:
        """Compute the class logits of a batch.

        Args:
            inputs: The student's preprocessed images, (N, 3, H, W).

        Returns:
            Class logits, (N, C): for a teacher with a MaKD head, its first C outputs.
        """
        logits = self.model(self._renormalise(inputs), mode='tensor')
        return self._in_order(logits[:, : self.num_classes])

    @property
    def num_classes(self) -> int:
        """C, the number of classes of the teacher."""
        num_classes = getattr(self.model.head, 'num_classes', None) if self.model.with_head else None
        if num_classes is None:
            raise ConfigError('model.teacher has no head with num_classes, so it gives no class logits to learn.')
        return num_classes


class FrozenDetector(FrozenTeacher):
    """An mmdet detector whose RoI head is a ``StandardRoIHead``, such as Faster R-CNN.

    Args:
        model: The detector.
        student_preprocessor: See :class:`FrozenTeacher`.
        classes: See :class:`FrozenTeacher`.

    Raises:
        ConfigError: The detector has no such RoI head.
    """

    def __init__(self, model: BaseModel, student_preprocessor: nn.Module, classes: Sequence[str] | None = None) -> None:
        from mmdet.models.roi_heads import StandardRoIHead

        roi_head = getattr(model, 'roi_head', None)
        if not isinstance(roi_head, StandardRoIHead):
            raise ConfigError(
                f'model.teacher is a {type(model).__name__} with roi_head={type(roi_head).__name__}: only a detector '
                'with a StandardRoIHead, such as FasterRCNN, can classify the regions of another detector.'
            )
        super().__init__(model, student_preprocessor, classes)

    @torch.no_grad()
    def region_logits(self, inputs: Tensor, rois: Tensor, data_samples: Sequence[BaseDataElement]) -> Tensor:
        """Compute the logits of regions.

        Args:
            inputs: The student's preprocessed images, (N, 3, H, W), padded with zeros to one size.
            rois: Index of the image and corners in pixels of the input, (R, 5).
            data_samples: Samples with ``img_shape``, where the padding begins.

        Returns:
            Logits of C classes and background, (R, C + 1).
        """
        images = self._renormalise(inputs)
        if images is not inputs:  # the padding was renormalised, too, and the teacher was trained with zeros
            for image, sample in zip(images, data_samples):
                height, width = sample.img_shape
                image[:, height:], image[:, :, width:] = 0, 0
        return self._in_order(self.model.roi_head._bbox_forward(self.model.extract_feat(images), rois)['cls_score'])

    @property
    def num_classes(self) -> int:
        """C, the number of classes of the teacher, without background."""
        return self.model.roi_head.bbox_head.num_classes


def _teacher_config(teacher: str | Mapping[str, Any]) -> dict:
    """Return the model config of a teacher, with its data preprocessor if the config has one."""
    if not isinstance(teacher, str):
        return Config(dict(model=teacher)).model.to_dict()
    if not Path(teacher).is_file():
        raise ConfigError(
            f'model.teacher={teacher!r}: there is no such config file. The path is relative to the folder in which '
            'the command runs.'
        )
    cfg = Config.fromfile(teacher)
    model = cfg.model.to_dict()
    if 'data_preprocessor' in cfg:
        model.setdefault('data_preprocessor', cfg.data_preprocessor.to_dict())
    return model


def _load_weights(model: nn.Module, checkpoint: str) -> Identity:
    """Load a checkpoint strictly, and return its identity."""
    field = 'model.teacher_checkpoint'
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise ConfigError(
            f'{field}={checkpoint!r}: there is no such file. Train the teacher first, or name its checkpoint with '
            f'--cfg-options {field}=PATH.'
        )
    weights = read_checkpoint(checkpoint, field)
    load_weights(model, weights, checkpoint, field, 'model.teacher')
    return Identity.of_checkpoint(weights)


def _normalisation(preprocessor: nn.Module) -> tuple[Tensor, Tensor, bool]:
    """Return mean (3, 1, 1), standard deviation (3, 1, 1), and whether the channels are swapped."""
    mean = getattr(preprocessor, 'mean', torch.zeros(3, 1, 1))
    std = getattr(preprocessor, 'std', torch.ones(3, 1, 1))
    # mmpretrain's preprocessor has `to_rgb`, mmengine's and mmdet's `_channel_conversion`.
    swapped = getattr(preprocessor, 'to_rgb', False) or getattr(preprocessor, '_channel_conversion', False)
    return mean, std, swapped


def _renormalisation(student: nn.Module, teacher: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return the map from the student's normalised images to the teacher's.

    The map is affine in the pixels, so it commutes with mixup and CutMix, whose weights sum to one.
    """
    mean_s, std_s, swapped_s = _normalisation(student)
    mean_t, std_t, swapped_t = _normalisation(teacher)
    flip = swapped_s != swapped_t
    if not flip and torch.equal(mean_s.cpu(), mean_t.cpu()) and torch.equal(std_s.cpu(), std_t.cpu()):
        return lambda inputs: inputs

    def renormalise(inputs: Tensor) -> Tensor:
        pixels = inputs * std_s.to(inputs.device) + mean_s.to(inputs.device)
        if flip:
            pixels = pixels.flip(1)
        return (pixels - mean_t.to(inputs.device)) / std_t.to(inputs.device)

    return renormalise
