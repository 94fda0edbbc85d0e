"""One picture that shows what a detector has learnt."""

import os
from collections.abc import Mapping
from typing import Any

import cv2
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

    The picture goes to ``predictions.png`` in the run's folder.

    Args:
        dataset (Mapping): Config of a data set whose pipeline has ``LoadAnnotations``.
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

    def after_train(self, runner: Runner) -> None:
        """Predict and draw."""
        if not is_main_process():
            return
        from mmdet.registry import DATASETS  # where this is used, mmdet is imported already

        dataset = DATASETS.build(self.dataset)
        runner.visualizer.dataset_meta = dataset.metainfo
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.eval()
        tiles = []
        for index in range(min(self.num_images, len(dataset))):
            item = dataset[index]
            with torch.no_grad():
                (prediction,) = model.test_step(pseudo_collate([item]))
            tiles.append(self._draw(runner, item['inputs'], prediction))
        out = os.path.join(runner.work_dir, 'predictions.png')
        cv2.imwrite(out, _sheet(tiles, self.columns)[..., ::-1])
        runner.logger.info(f'{len(tiles)} images with true boxes (left) and predicted ones (right): {out}')

    def _draw(self, runner: Runner, image: torch.Tensor, sample: Any) -> np.ndarray:
        """Return an image with the true boxes and one with those predicted, side by side, (H, W, 3) in RGB."""
        from mmdet.structures.bbox import get_box_tensor

        scale = self.size / max(image.shape[1:])
        rgb = image.flip(0).permute(1, 2, 0).numpy()
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        for instances in (sample.gt_instances, sample.pred_instances):
            instances.bboxes = get_box_tensor(instances.bboxes) * scale
        runner.visualizer.add_datasample('predictions', rgb, sample, pred_score_thr=self.score_thr, out_file=None)
        return runner.visualizer.get_image()


def _sheet(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    """Lay tiles out in rows on white."""
    height, width = np.max([tile.shape[:2] for tile in tiles], axis=0) + 8
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet
