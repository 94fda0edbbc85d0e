"""Pictures of predictions that one can look at."""

import os
from collections.abc import Sequence

from mmengine.fileio import join_path
from mmpretrain.engine import VisualizationHook
from mmpretrain.structures import DataSample

from makd.registry import HOOKS


@HOOKS.register_module()
class PredictionPicturesHook(VisualizationHook):
    """mmpretrain's ``VisualizationHook`` for every image: in true colours, large enough to read, in a file of its own.

    mmpretrain's draws the network's BGR input as if it were RGB and at the network's size, and names the picture by the
    image's file name alone, so that images of one name in several folders overwrite each other. ``tools/test.py
    --show-dir`` uses this one.

    Args:
        out_dir (str): The folder of the pictures. An image's name in it is its path, with '_' between folders.
        size (int): Length of the shorter side in pixels. Defaults to 320.
    """

    def __init__(self, out_dir: str, size: int = 320) -> None:
        super().__init__(enable=True, out_dir=out_dir, resize=size)

    def _draw_samples(
        self, batch_idx: int, data_batch: dict, data_samples: Sequence[DataSample], step: int = 0
    ) -> None:
        """Draw a batch: ``data_batch['inputs']`` are uint8 images (3, H, W) in BGR, as mmcv loads them."""
        for image, data_sample in zip(data_batch['inputs'], data_samples):
            name = os.path.relpath(data_sample.img_path).replace('..' + os.sep, '').replace(os.sep, '_')
            self._visualizer.visualize_cls(
                image=image.flip(0).permute(1, 2, 0).cpu().numpy(),
                data_sample=data_sample,
                out_file=join_path(self.out_dir, f'{os.path.splitext(name)[0]}.png'),
                **self.draw_args,
            )
