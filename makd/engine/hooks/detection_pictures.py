"""One picture that shows what a detector has learnt."""

import os
from collections.abc import Mapping
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from makd.registry import HOOKS


@HOOKS.register_module()
class DetectionPicturesHook(Hook):
    """At the end of training, draw the first images of a data set twice: with the true boxes, and with those predicted.

    The picture goes to ``predictions.png`` in the run's folder, and to the visual backends.

    Args:
        dataset (Mapping): Config of a data set in whose pipeline ``LoadAnnotations`` stands behind ``Resize``, as in
            mmdet's own: the true boxes are those of the image on disk, as the predicted ones are.
        num_images (int): How many of its images. Defaults to 8.
        columns (int): How many of them side by side. Defaults to 2.
        score_thr (float): Predictions with a lower score are left out. Defaults to 0.5.
        size (int): Length of the longer side of an image in the picture, in pixels. Defaults to 400.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        num_images: int = 8,
        columns: int = 2,
        score_thr: float = 0.5,
        size: int = 400,
    ) -> None:
        self.dataset = dict(dataset)
        self.num_images = num_images
        self.columns = columns
        self.score_thr = score_thr
        self.size = size

    def before_train(self, runner: Runner) -> None:
        """Build the data set: what is wrong with it is to be known now, not after the training."""
        if is_main_process():
            from mmdet.registry import DATASETS  # where this is used, mmdet is imported already

            self._dataset = DATASETS.build(self.dataset)

    def after_train(self, runner: Runner) -> None:
        """Predict and draw."""
        if not is_main_process():
            return
        from mmdet.visualization import DetLocalVisualizer

        visualizer = DetLocalVisualizer()  # of its own, without backends: they get the whole picture
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
        """Return an image with the true boxes and one with those predicted, side by side, (H, W, 3) in RGB."""
        from mmdet.structures.bbox import get_box_tensor

        image = mmcv.imread(sample.img_path, channel_order='rgb')
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
