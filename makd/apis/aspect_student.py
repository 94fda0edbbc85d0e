"""What the inferencers of classifiers and of detectors have in common."""

import copy
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, DefaultScope

from makd.analysis.weight_of_evidence import WeightOfEvidence
from makd.config import absent_data, check_makd_types, load_config, require_checkpoint
from makd.datasets.config_questions import find_questions
from makd.datasets.inference_pipeline import build_inference_pipeline
from makd.datasets.load_targets import LoadAnswers
from makd.datasets.targets_join import identity_of, join_training_set
from makd.errors import ConfigError, DataError, MakdError
from makd.files import picture_name
from makd.identity import Identity, check_same
from makd.models.load_student import load_student
from makd.questions import QuestionSet

Image = str | os.PathLike[str] | np.ndarray


class AspectStudent:
    """Load a trained student and images for it, and say which of its answers speak for a class.

    An inferencer derives from this, names the transform that loads the answers its head learns, and calls ``_open``
    and then ``_explain``.

    Attributes:
        classes: Names of the C classes; None if they are not known.
        questions: The Q questions; None if neither the checkpoint nor a targets folder of the config names them.
        evidence: The evidence that answers give for the classes, or None.
        no_evidence: Why there is no ``evidence``, or ''.
    """

    answers: type[LoadAnswers]
    scope: str  # the library whose model the student is
    classes: Sequence[str] | None
    questions: QuestionSet | None
    evidence: WeightOfEvidence | None
    no_evidence: str
    pipeline: Compose

    def _open(self, cfg: Config, pretrained: str | os.PathLike[str]) -> tuple[BaseModel, Identity]:
        """Return the student on the CPU, and what its checkpoint says; raise a ConfigError if they do not fit."""
        check_makd_types(cfg)
        return load_student(cfg, name_of(cfg), require_checkpoint(os.fspath(pretrained), 'checkpoint'))

    def _explain(self, cfg: Config, identity: Identity, head: Any) -> None:
        """Find the questions of a head and the evidence of their answers, or warn why there is none."""
        self.questions = find_questions(cfg, identity, head.num_aspects, self.answers)
        self.evidence, self.no_evidence = self._find_evidence(cfg, identity, head.num_classes)
        if self.no_evidence:
            warnings.warn(f'aspects are listed by certainty: {self.no_evidence}', stacklevel=3)

    def _find_evidence(self, cfg: Config, identity: Identity, num_classes: int) -> tuple[WeightOfEvidence | None, str]:
        """Return the evidence of the training set's answers, or None and the reason."""
        if not cfg.get('train_dataloader'):
            return None, 'the config has no train_dataloader'
        if absent := absent_data(cfg, ('train_dataloader',)):
            return None, f'{next(iter(absent))} is not there'
        try:
            with DefaultScope.overwrite_default_scope(self.scope):
                dataset = DATASETS.build(cfg.train_dataloader.dataset)
                check_same('the checkpoint', identity, 'the training set', identity_of(dataset))
                answers = join_training_set(dataset, self.answers).annotated()
        except (MakdError, OSError, RuntimeError) as error:  # RuntimeError: mmpretrain's for a folder without images
            return None, str(error)
        return WeightOfEvidence(answers.probability, answers.labels, num_classes), ''

    def load(self, image: Image) -> np.ndarray:
        """Return an image as the test pipeline loads it, uint8 (H, W, 3) in BGR; an array is returned unchanged.

        Raises:
            DataError: The image is absent or damaged, or an array has another type or shape.
        """
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise DataError(f'an array {image.dtype} {image.shape} is no image: uint8 (H, W, 3) in BGR is expected')
            return image
        try:
            loaded = self._loader.transform(dict(img_path=os.fspath(image)))
        except (OSError, cv2.error, AssertionError, ImportError) as error:  # ImportError for s3:// and the like
            raise DataError(f'{image} cannot be read as an image ({str(error) or "damaged"})') from error
        if loaded is None:
            raise DataError(f'{image} cannot be read as an image')
        return loaded['img']

    def class_name(self, label: int) -> str:
        """Return the name of a class; its number if the checkpoint has no names."""
        return self.classes[label] if self.classes else f'class {label}'

    def _init_pipeline(self, cfg: Config) -> Compose:
        self._loader, rest = build_inference_pipeline(cfg)
        return rest

    def _prepare(self, image: Image) -> dict:
        array = self.load(image)
        info = dict(img=array, img_shape=array.shape[:2], ori_shape=array.shape[:2])
        if not isinstance(image, np.ndarray):
            info['img_path'] = os.fspath(image)
        try:
            return self.pipeline(info)
        except (cv2.error, MemoryError) as error:
            name = f'{info["img_path"]}: ' if 'img_path' in info else ''
            raise DataError(
                f'{name}an image of {array.shape[1]} x {array.shape[0]} pixels cannot be resized as the config says '
                f'({error}); crop it'
            ) from error

    def _sorted_aspects(self, probability: np.ndarray, label: int) -> list[dict[str, Any]]:
        bits = None if self.evidence is None else self.evidence.bits(probability, label)
        order = np.argsort(-(abs(probability - 0.5) if bits is None else bits), kind='stable')
        return [
            dict(
                id=self.questions[q].id if self.questions else str(q),
                question=self.questions[q].text if self.questions else f'question {q}',
                probability=float(probability[q]),
                average=None if self.evidence is None else float(self.evidence.overall[q]),
                evidence=None if bits is None else float(bits[q]),
            )
            for q in order.tolist()
        ]


def own_config(model: str | os.PathLike[str] | Config) -> Config:
    """Return a copy of a config, or the config in a file."""
    return copy.deepcopy(model) if isinstance(model, Config) else load_config(os.fspath(model))


def name_of(cfg: Config) -> str:
    """Return the file of a config, for messages."""
    return cfg.filename or 'the config'


def to_device(student: BaseModel, device: str | None) -> None:
    """Move a student to a device, or for None to the accelerator, if there is one."""
    try:
        student.to(device or get_device())
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f'device={device!r}: torch says: {error}') from error


def check_class_names(classes: Sequence[str] | None, num_classes: int) -> None:
    """Raise a ConfigError if there are names of classes, but not one for each output."""
    if classes and len(classes) != num_classes:
        raise ConfigError(
            f'{len(classes)} names of classes, {", ".join(map(repr, classes[:3]))}, ..., for a student with '
            f'{num_classes} classes: give one for each, in the order of its outputs.'
        )


def picture_file(show_dir: str | os.PathLike[str], name: str | os.PathLike[str]) -> Path:
    """Return the file for the picture of an image in a folder, which is made; see :func:`~makd.files.picture_name`."""
    file = Path(show_dir, picture_name(os.fspath(name)))
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
