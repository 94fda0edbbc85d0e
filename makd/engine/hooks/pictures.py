"""Hooks that draw predictions."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import is_main_process
from mmengine.fileio import join_path
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.engine import VisualizationHook
from mmpretrain.structures import DataSample

from makd.datasets.load_image import LoadImage
from makd.datasets.packed_path import packed_path
from makd.files import picture_name
from makd.ranges import Count, Probability
from makd.registry import HOOKS


@HOOKS.register_module()
class PredictionPicturesHook(VisualizationHook):
    """Draw each test image with its class: in true colours, large enough to read, in a file of its own.

    mmpretrain's ``VisualizationHook`` draws the network's BGR input as if it were RGB, at the network's size, and names
    the file after the image's file name alone, so images of the same name in different folders overwrite each other.
    ``tools/test.py --show-dir`` uses this hook.

    Args:
        out_dir: Folder to write to. A file is named after the path of its image, see :func:`~makd.files.picture_name`.
        size: Length of the shorter side in pixels.
    """

    def __init__(self, out_dir: str, size: Count = 320) -> None:
        super().__init__(enable=True, out_dir=out_dir, resize=size)

    def _draw_samples(
        self, batch_idx: int, data_batch: dict, data_samples: Sequence[DataSample], step: int = 0
    ) -> None:
        """Draw a batch: ``data_batch['inputs']`` are uint8 images (3, H, W) in BGR, as mmcv loads them."""
        for image, data_sample in zip(data_batch['inputs'], data_samples):
            self._visualizer.visualize_cls(
                image=image.flip(0).permute(1, 2, 0).cpu().numpy(),
                data_sample=data_sample,
                out_file=join_path(self.out_dir, picture_name(packed_path(data_sample, type(self).__name__))),
                **self.draw_args,
            )


@HOOKS.register_module()
class DetectionPicturesHook(Hook):
    """At the end of training, draw the first images of a dataset twice: with the true and with the predicted boxes.

    The sheet is written to ``predictions.png`` in the work dir and sent to the visualizer's backends.

    Args:
        dataset: Config of a dataset whose pipeline has ``LoadAnnotations`` after ``Resize``, as in mmdet's own test
            pipelines, so that true boxes, like predicted ones, refer to the image on disk.
        num_images: How many images to draw.
        columns: How many images side by side.
        score_thr: Predictions with a lower score are left out.
        size: Length of the longer side of an image on the sheet, in pixels.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        num_images: Count = 8,
        columns: Count = 2,
        score_thr: Probability = 0.5,
        size: Count = 400,
    ) -> None:
        self.dataset = dict(dataset)
        self.num_images = num_images
        self.columns = columns
        self.score_thr = score_thr
        self.size = size

    def before_train(self, runner: Runner) -> None:
        """Build the dataset now, so that mistakes in its config do not surface only after training."""
        if is_main_process():
            from mmdet.registry import DATASETS  # imported already wherever this hook is used

            self._dataset = DATASETS.build(self.dataset)

    def after_train(self, runner: Runner) -> None:
        """Predict and draw."""
        if not is_main_process():
            return
        from mmdet.visualization import DetLocalVisualizer

        visualizer = DetLocalVisualizer()  # without backends, which get the whole sheet
        visualizer.dataset_meta = self._dataset.metainfo
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.eval()
        tiles = []
        for index in range(min(self.num_images, len(self._dataset))):
            with torch.no_grad():
                (prediction,) = model.test_step(pseudo_collate([self._dataset[index]]))
            tiles.append(self._draw(visualizer, prediction))
        sheet = _sheet(tiles, self.columns)
        out = os.path.join(runner.work_dir, 'predictions.png')
        cv2.imwrite(out, sheet[..., ::-1])
        runner.visualizer.add_image('predictions', sheet)
        runner.logger.info(f'{len(tiles)} images with true boxes (left) and predicted ones (right): {out}')

    def _draw(self, visualizer: Any, sample: Any) -> np.ndarray:
        """Return the image with true boxes and the image with predicted boxes, side by side, (H, W, 3) in RGB."""
        from mmdet.structures.bbox import get_box_tensor

        image = LoadImage()(dict(img_path=packed_path(sample, type(self).__name__)))['img'][..., ::-1]
        scale = self.size / max(image.shape[:2])
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        for instances in (sample.gt_instances, sample.pred_instances):
            instances.bboxes = get_box_tensor(instances.bboxes) * scale
        visualizer.add_datasample('predictions', image, sample, pred_score_thr=self.score_thr)
        return visualizer.get_image()


def _sheet(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    """Lay tiles out in rows on white."""
    height, width = np.max([tile.shape[:2] for tile in tiles], axis=0) + 8
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet
