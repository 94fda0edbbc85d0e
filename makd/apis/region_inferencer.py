"""Inference with a detector that answers questions about regions: boxes, and the aspects that speak for their class."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from makd.analysis.figures.detections import draw_detections
from makd.apis.aspect_student import (
    AspectStudent,
    Image,
    check_class_names,
    name_of,
    own_config,
    picture_file,
    to_device,
)
from makd.datasets.load_region_aspects import LoadRegionAspects
from makd.errors import ConfigError
from makd.targets.region_key import REGIONS


class RegionInferencer(AspectStudent):
    """Detect objects, and say which answers about a box speak for its class.

    Images are loaded and resized by the config's test pipeline. If the config's training set and its answers about
    regions are available, the aspects of a box are sorted by their evidence for its class
    (:class:`~makd.analysis.WeightOfEvidence`); otherwise, as on a machine that only runs the student, by their
    certainty, with a warning.

    Args:
        model: The config that the student was trained with, or the path to it.
        pretrained: Path or URL of its checkpoint.
        device: The device of the student; None for the accelerator, if there is one.
        classes: Names of the C classes; None for the names in the checkpoint.
        min_score: Boxes with a lower score are left out.

    Raises:
        ConfigError: Config and checkpoint do not fit, or no head of the model answers questions about regions.

    Example:
        >>> from makd.apis import RegionInferencer
        >>> student = RegionInferencer('configs/makd/faster_rcnn_r18_fpn_emoji_scenes_regions.py', 'epoch_8.pth')
        >>> student('scene.jpg')
        [[{'label': 4, 'class': 'vehicle', 'score': 0.97, 'box': [12.0, 30.5, 88.0, 71.0],
           'aspects': [{'id': 'wheels', 'question': 'Does it have wheels?', 'probability': 0.93, 'average': 0.11,
                        'evidence': 2.8}, ...]}, ...]]
    """

    answers = LoadRegionAspects
    scope = 'mmdet'

    def __init__(
        self,
        model: str | os.PathLike[str] | Config,
        pretrained: str | os.PathLike[str],
        device: str | None = None,
        classes: Sequence[str] | None = None,
        min_score: float = 0.3,
    ) -> None:
        cfg = own_config(model)
        self.model, identity = self._open(cfg, pretrained)
        heads = [module for module in self.model.modules() if getattr(module, 'about', None) == REGIONS]
        if not heads:
            raise ConfigError(
                f'{name_of(cfg)} is of a detector without a head that answers questions about regions, as '
                'configs/makd/*_regions.py have one: tools/test.py CONFIG CHECKPOINT --show-dir DIR draws its '
                'predictions on the test set, and tools/export_student.py exports it as a plain detector for '
                'mmdet.apis.init_detector and inference_detector.'
            )
        head: Any = heads[-1]  # of a cascade, the last stage answers
        to_device(self.model, device)
        self.classes = classes or identity.classes
        check_class_names(self.classes, head.num_classes)
        self.min_score = min_score
        self.pipeline = self._init_pipeline(cfg)
        self._explain(cfg, identity, head)

    @torch.no_grad()
    def __call__(self, inputs: Image | list[Image], batch_size: int = 1) -> list[list[dict[str, Any]]]:
        """Detect.

        Args:
            inputs: Path or URL of an image, an array uint8 (H, W, 3) in BGR, or a list of these.
            batch_size: Images at a time.

        Returns:
            For each image its detections, the best first, as dicts with ``label``, ``class``, ``score`` in [0, 1],
            ``box`` (x1, y1, x2, y2 in pixels of the image), and ``aspects``: for each question a dict with ``id``,
            ``question``, ``probability``, P(yes) in [0, 1], ``average``, the annotator's mean P(yes) on the training
            regions, and ``evidence`` in bits, the strongest for the class first. Without evidence the last two are
            None.

        Raises:
            DataError: An image is absent, damaged or too oblong, or an array has another type or shape.
        """
        images = inputs if isinstance(inputs, list) else [inputs]
        found = []
        for start in range(0, len(images), batch_size):
            batch = pseudo_collate([self._prepare(image) for image in images[start : start + batch_size]])
            found += [self._detections(sample.pred_instances.cpu()) for sample in self.model.test_step(batch)]
        return found

    def draw(
        self,
        image: np.ndarray,
        detections: list[dict[str, Any]],
        show_dir: str | os.PathLike[str],
        name: str | os.PathLike[str],
        top: int = 20,
        num_aspects: int = 3,
    ) -> Path:
        """Draw an image with its boxes, and beside it the aspects that speak for their classes; return the file.

        Args:
            image: uint8 (H, W, 3) in BGR.
            detections: Its detections.
            show_dir: Folder of the file.
            name: Name, path or URL of the image, which names the file, see :func:`~makd.files.picture_name`.
            top: Largest number of boxes.
            num_aspects: Number of aspects.
        """
        file = picture_file(show_dir, name)
        draw_detections(image[..., ::-1], _shown(detections, top, num_aspects)).savefig(file, dpi=100)
        return file

    def summary(self, detections: list[dict[str, Any]], top: int, num_aspects: int) -> dict[str, Any]:
        """Return the best detections of an image, each with its best aspects, as JSON values."""
        return dict(detections=_shown(detections, top, num_aspects))

    def _detections(self, instances: InstanceData) -> list[dict[str, Any]]:
        order = instances.scores.argsort(descending=True, stable=True)
        return [
            {
                'label': label,
                'class': self.class_name(label),
                'score': score,
                'box': [round(corner, 1) for corner in box],
                'aspects': self._sorted_aspects(probability, label),
            }
            for label, score, box, probability in zip(
                instances.labels[order].tolist(),
                instances.scores[order].tolist(),
                instances.bboxes[order].tolist(),
                instances.aspects[order].numpy(),
            )
            if score >= self.min_score
        ]


def _shown(detections: list[dict[str, Any]], top: int, num_aspects: int) -> list[dict[str, Any]]:
    return [{**detection, 'aspects': detection['aspects'][:num_aspects]} for detection in detections[:top]]
