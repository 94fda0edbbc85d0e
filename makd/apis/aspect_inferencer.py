"""Inference with a trained MaKD classifier: classes, and the aspects that speak for them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmpretrain.apis import ImageClassificationInferencer
from mmpretrain.structures import DataSample

from makd.analysis.figures.classes import draw_prediction
from makd.apis.aspect_student import (
    AspectStudent,
    Image,
    check_class_names,
    name_of,
    own_config,
    picture_file,
    to_device,
)
from makd.datasets.load_targets import LoadAspectTargets
from makd.errors import ConfigError
from makd.models.heads import MaKDHeadMixin


class AspectInferencer(AspectStudent, ImageClassificationInferencer):
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

    answers = LoadAspectTargets
    scope = 'mmpretrain'
    visualize_kwargs: set = {'show_dir', 'topk', 'num_aspects'}

    def __init__(
        self,
        model: str | os.PathLike[str] | Config,
        pretrained: str | os.PathLike[str],
        device: str | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        cfg = own_config(model)
        name = name_of(cfg)
        if cfg.get('default_scope') == 'mmdet':
            raise ConfigError(f'{name} is of a detector, and this is for classifiers: see makd.apis.RegionInferencer.')
        student, identity = self._open(cfg, pretrained)
        head = getattr(student, 'head', None)
        if not isinstance(head, MaKDHeadMixin):
            raise ConfigError(
                f'{name}: model.head is a {type(head).__name__}: it gives no aspects; a MaKD head is needed, as in '
                'configs/makd/. mmpretrain.ImageClassificationInferencer predicts with plain classifiers.'
            )
        to_device(student, device)
        classes = classes or identity.classes
        check_class_names(classes, head.num_classes)
        student._config = cfg
        super().__init__(student, classes=classes)
        self._explain(cfg, identity, head)

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
        file = picture_file(show_dir, name)
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

    def summary(self, result: dict, topk: int, num_aspects: int) -> dict[str, Any]:
        """Return the best classes and aspects of a result as JSON values."""
        classes = [
            {'label': label, 'class': self.class_name(label), 'score': score}
            for label, score in self.top_classes(result, topk)
        ]
        return dict(
            pred_label=result['pred_label'],
            pred_class=self.class_name(result['pred_label']),
            pred_score=result['pred_score'],
            classes=classes,
            aspects=result['aspects'][:num_aspects],
        )
