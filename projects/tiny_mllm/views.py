"""Augmented views of an image, and their features from the frozen convolutions."""

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from projects.tiny_mllm.assemble import IMAGE_SIZE, MEAN, STD
from projects.tiny_mllm.hybrid_vision import HybridVisionModel

BACKGROUND = (124, 117, 104)  # of makd.LoadImageOnBackground, as in annotation


def plain_view(image: Image.Image) -> Image.Image:
    """Return an RGBA image on the usual background, as the processor sees it."""
    return _lay_on(image, BACKGROUND).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)


def random_view(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return an RGBA image shifted, rotated, scaled, mirrored, relit and often on another background."""
    ground = BACKGROUND if rng.random() < 0.5 else tuple(int(value) for value in rng.integers(0, 256, 3))
    view = _lay_on(image, ground)
    if rng.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # PIL needs the map from the pixels of the view to those of the image.
    angle, scale = np.deg2rad(rng.uniform(-20, 20)), image.width / IMAGE_SIZE * np.exp(rng.uniform(-0.15, 0.45))
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    middle, (dx, dy) = (IMAGE_SIZE - 1) / 2, image.width * (0.5 + rng.uniform(-0.08, 0.08, 2))
    matrix = (a, b, dx - (a + b) * middle, -b, a, dy - (a - b) * middle)
    view = view.transform(
        (IMAGE_SIZE, IMAGE_SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=ground
    )
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        view = enhance(view).enhance(rng.uniform(0.7, 1.3))
    return view


def to_pixel_values(views: list[Image.Image]) -> Tensor:
    """Return the views as the processor does: (N, 3, H, W) float32, roughly in [-1, 1]."""
    pixels = torch.from_numpy(np.stack([np.asarray(view) for view in views])).permute(0, 3, 1, 2)
    return (pixels / 255 - MEAN) / STD


@torch.inference_mode()
def features_of(tower: HybridVisionModel, views: list[Image.Image]) -> np.ndarray:
    """Return the patch features of views: (N, patches, 1292) float16."""
    return tower.patch_features(to_pixel_values(views)).half().numpy()


def _lay_on(image: Image.Image, ground: tuple[int, ...]) -> Image.Image:
    canvas = Image.new('RGBA', image.size, (*ground, 255))
    canvas.alpha_composite(image)
    return canvas.convert('RGB')
