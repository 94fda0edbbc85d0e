"""The regions of an image that a detector learns: the boxes around its objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from makd.targets.region_key import region_key


@dataclass(frozen=True)
class Region:
    """A box around an object.

    Attributes:
        path: Path of the image, '#', and the box; its key follows from it as an image's does from its path.
        label: The object's class.
        box: x1, y1, x2, y2 in pixels of the original image.
    """

    path: str
    label: int
    box: tuple[float, float, float, float]


def regions(info: Mapping[str, Any]) -> Iterator[tuple[int, Region]]:
    """Yield the regions of an image with their positions in ``instances``; crowds and boxes without area have none.

    Args:
        info: What ``get_data_info`` of a detector's dataset returns: ``img_path`` and ``instances``, each with
            ``bbox``, ``bbox_label`` and ``ignore_flag``.
    """
    for position, instance in enumerate(info['instances']):
        x1, y1, x2, y2 = box = tuple(map(float, instance['bbox']))
        if not instance.get('ignore_flag') and x1 < x2 and y1 < y2:
            yield position, Region(region_key(info['img_path'], box), int(instance['bbox_label']), box)  # type: ignore[arg-type]


def region_infos(dataset: Any) -> Iterator[dict[str, Any]]:
    """Yield ``img_path`` and ``gt_label`` of each region of a detector's dataset, as if it were an image."""
    for index in range(len(dataset)):
        for _, region in regions(dataset.get_data_info(index)):
            yield {'img_path': region.path, 'gt_label': region.label}
