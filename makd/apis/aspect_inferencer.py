"""Inference with a trained MaKD classifier: classes, and the aspects that speak for them."""

import copy
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmpretrain.apis import ImageClassificationInferencer
from mmpretrain.registry import DATASETS
from mmpretrain.structures import DataSample

from makd.analysis.figures.classes import draw_prediction
from makd.analysis.weight_of_evidence import WeightOfEvidence
from makd.config import absent_data, check_makd_types, load_config, require_checkpoint
from makd.datasets.config_questions import find_questions
from makd.datasets.inference_pipeline import build_inference_pipeline
from makd.datasets.targets_join import identity_of, join_training_set
from makd.errors import ConfigError, DataError, MakdError
from makd.files import picture_name
from makd.identity import Identity, check_same
from makd.models.heads import MaKDHeadMixin
from makd.models.load_student import load_student

Image = str | os.PathLike[str] | np.ndarray


class AspectInferencer(ImageClassificationInferencer):
    """mmpretrain's ``ImageClassificationInferencer`` for a MaKD classifier.

    Images are loaded and resized by the config's test pipeline; its loader puts transparent parts on the background of
    the training, if it has one. If the config's training set and answers are available, aspects are sorted by their
    evidence for the predicted class (:class:`~makd.analysis.WeightOfEvidence`); otherwise, as on a machine that only
    runs the student, by their certainty, with a warning.

    Args:
        model: The config that the student was trained with, or the path to it.
        pretrained: Path or URL of its checkpoint.
        device: The device of the student; None for the accelerator, if there is one.
        classes: Names of the C classes; None for the names in the checkpoint.

    Attributes:
        questions: The Q questions; None if neither the checkpoint nor a targets folder of the config names them.
        evidence: The evidence that answers give for the classes, or None.
        no_evidence: Why there is no ``evidence``, or ''.

    Raises:
        ConfigError: Config and checkpoint do not fit, or the model is not a classifier with a MaKD head.

    Example:
        >>> from makd.apis import AspectInferencer
        >>> student = AspectInferencer('configs/makd/resnet18_emoji.py', 'epoch_40.pth')
        >>> student('1f34e.png')
        [{'pred_scores': array([...]), 'pred_label': 78, 'pred_score': 0.80, 'pred_class': 'red apple',
          'pred_aspects': array([...]),
          'aspects': [{'id': 'red', 'question': 'Is it usually red?', 'probability': 0.88, 'average': 0.04,
                       'evidence': 3.0}, ...]}]
        >>> student(['a.png', 'b.png'], batch_size=2, show_dir='pictures')
    """

    visualize_kwargs: set = {'show_dir', 'topk', 'num_aspects'}

    def __init__(
        self,
        model: str | os.PathLike[str] | Config,
        pretrained: str | os.PathLike[str],
        device: str | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        cfg = copy.deepcopy(model) if isinstance(model, Config) else load_config(os.fspath(model))
        name = cfg.filename or 'the config'
        if cfg.get('default_scope') == 'mmdet':
            raise ConfigError(
                f'{name} is of a detector, and this is for classifiers: tools/test.py CONFIG CHECKPOINT --show-dir DIR '
                'draws its predictions on the test set, and tools/export_student.py exports it as a plain detector for '
                'mmdet.apis.init_detector and inference_detector.'
            )
        check_makd_types(cfg)
        checkpoint = require_checkpoint(os.fspath(pretrained), 'checkpoint')
        student, identity = load_student(cfg, name, checkpoint)
        head = getattr(student, 'head', None)
        if not isinstance(head, MaKDHeadMixin):
            raise ConfigError(
                f'{name}: model.head is a {type(head).__name__}: it gives no aspects; a MaKD head is needed, as in '
                'configs/makd/. mmpretrain.ImageClassificationInferencer predicts with plain classifiers.'
            )
        try:
            student.to(device or get_device())
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f'device={device!r}: torch says: {error}') from error
        classes = classes or identity.classes
        if classes and len(classes) != head.num_classes:
            raise ConfigError(
                f'{len(classes)} names of classes, {", ".join(map(repr, classes[:3]))}, ..., for a student with '
                f'{head.num_classes} classes: give one for each, in the order of its outputs.'
            )
        student._config = cfg
        super().__init__(student, classes=classes)

        self.questions = find_questions(cfg, identity, head.num_aspects)
        self.evidence, self.no_evidence = _find_evidence(cfg, identity, head.num_classes)
        if self.no_evidence:
            warnings.warn(f'aspects are listed by certainty: {self.no_evidence}', stacklevel=2)

    def __call__(
        self, inputs: Image | list[Image], return_datasamples: bool = False, batch_size: int = 1, **kwargs: Any
    ) -> list:
        """Predict.

        Args:
            inputs: Path or URL of an image, a folder, an array uint8 (H, W, 3) in BGR, or a list of images.
            return_datasamples: Return mmpretrain's ``DataSample``.
            batch_size: Images at a time.
            **kwargs: ``show_dir`` (str), a folder into which each image is drawn with its classes and aspects; ``topk``
                and ``num_aspects`` (int), the number of classes and aspects drawn, 5 unless given.

        Returns:
            For each image a dict with ``pred_scores`` (C,), ``pred_label``, ``pred_score``, ``pred_class`` (if classes
            have names), ``pred_aspects`` (Q,), P(yes) of each question, and ``aspects``, the same as dicts with
            ``id``, ``question``, ``probability``, ``average``, the annotator's mean P(yes) on the training images, and
            ``evidence`` in bits, the strongest for the predicted class first. Without evidence the last two are None.

        Raises:
            DataError: An image is absent, damaged or too oblong, or an array has another type or shape.
        """
        return super().__call__(inputs, return_datasamples, batch_size, **kwargs)

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

    def preprocess(self, inputs: list[Image], batch_size: int = 1) -> Iterator[dict]:
        """Yield batches, loaded and resized."""
        yield from map(default_collate, self._get_chunk_data(map(self._prepare, inputs), batch_size))

    def visualize(
        self,
        ori_inputs: list[Image],
        preds: list[DataSample],
        show_dir: str | os.PathLike[str] | None = None,
        topk: int = 5,
        num_aspects: int = 5,
    ) -> list[Path] | None:
        """Draw each image with its classes and aspects, and return the files."""
        if show_dir is None:
            return None
        names = [f'array {index}' if isinstance(image, np.ndarray) else image for index, image in enumerate(ori_inputs)]
        return [
            self.draw(self.load(image), result, show_dir, name, topk, num_aspects)
            for image, name, result in zip(ori_inputs, names, self.postprocess(preds, None))
        ]

    def draw(
        self,
        image: np.ndarray,
        result: dict,
        show_dir: str | os.PathLike[str],
        name: str | os.PathLike[str],
        topk: int = 5,
        num_aspects: int = 5,
    ) -> Path:
        """Draw an image with its predicted classes and aspects, and return the file.

        Args:
            image: uint8 (H, W, 3) in BGR.
            result: Its result.
            show_dir: Folder of the file.
            name: Name, path or URL of the image, which names the file, see :func:`~makd.files.picture_name`.
            topk: Number of classes.
            num_aspects: Number of aspects.
        """
        classes = [(self.class_name(label), score) for label, score in self.top_classes(result, topk)]
        file = Path(show_dir, picture_name(os.fspath(name)))
        file.parent.mkdir(parents=True, exist_ok=True)
        draw_prediction(image[..., ::-1], classes, result['aspects'][:num_aspects]).savefig(file, dpi=100)
        return file

    def postprocess(self, preds: list[DataSample], visualization: Any, return_datasamples: bool = False) -> list:
        """Return mmpretrain's results with the aspects."""
        results = super().postprocess(preds, visualization, return_datasamples)
        if not return_datasamples:
            for result, sample in zip(results, preds):
                result['pred_aspects'] = sample.pred_aspects.cpu().numpy()
                result['aspects'] = self._sorted_aspects(result['pred_aspects'], result['pred_label'])
        return results

    def top_classes(self, result: dict, topk: int) -> list[tuple[int, float]]:
        """Return labels and scores of the most probable classes of a result."""
        scores = result['pred_scores']
        return [(int(label), float(scores[label])) for label in np.argsort(-scores, kind='stable')[:topk]]

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


def _find_evidence(cfg: Config, identity: Identity, num_classes: int) -> tuple[WeightOfEvidence | None, str]:
    """Return the evidence of the training set's answers, or None and the reason."""
    if not cfg.get('train_dataloader'):
        return None, 'the config has no train_dataloader'
    if absent := absent_data(cfg, ('train_dataloader',)):
        return None, f'{next(iter(absent))} is not there'
    try:
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            dataset = DATASETS.build(cfg.train_dataloader.dataset)
            check_same('the checkpoint', identity, 'the training set', identity_of(dataset))
            answers = join_training_set(dataset).annotated()
    except (MakdError, OSError, RuntimeError) as error:  # RuntimeError: mmpretrain's for a folder without images
        return None, str(error)
    return WeightOfEvidence(answers.probability, answers.labels, num_classes), ''
