"""Boxes from a file in COCO's format, where mmdet is not installed."""

from collections import defaultdict
from typing import Any

from mmengine import fileio
from mmengine.dataset import BaseDataset

from makd.errors import DataError
from makd.registry import DATASETS


@DATASETS.register_module()
class CocoBoxes(BaseDataset):
    """The images and boxes that mmdet's ``CocoDataset`` reads, with the same arguments, and without mmdet.

    It serves annotation, which may run where mmdet cannot be installed, and has no pipeline. All images are kept, those
    without objects included.

    Args:
        ann_file: The file, relative to ``data_root``.
        data_root: Folder of the dataset.
        data_prefix: ``dict(img=...)``, the folder of the images.
        **kwargs: Further arguments of mmengine's ``BaseDataset``. ``metainfo.classes`` chooses and orders the classes;
            without it, they are the categories in the file's order.

    Raises:
        DataError: The file is not in COCO's format, or lacks a class.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return an ``img_path`` and ``instances`` per image, in the order of the images' ids."""
        try:
            content: Any = fileio.load(self.ann_file, backend_args=None)
            return self._data_list(content)
        except DataError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.ann_file} is not a file of boxes in COCO's format ({error!r})") from None

    def _data_list(self, content: dict) -> list[dict[str, Any]]:
        names = {category['id']: category['name'] for category in content['categories']}
        images = {image['id']: image for image in content['images']}
        boxes: dict[Any, list[dict]] = defaultdict(list)
        for annotation in content['annotations']:
            boxes[annotation['image_id']].append(annotation)
        classes = self._metainfo.setdefault('classes', tuple(names.values()))
        if absent := [name for name in classes if name not in names.values()]:
            raise DataError(f'{self.ann_file} has no category {absent[0]!r}, which metainfo.classes names')
        label_of = {id_: list(classes).index(name) for id_, name in names.items() if name in classes}
        return [
            {
                'img_path': fileio.join_path(self.data_prefix.get('img', ''), images[id_]['file_name']),
                'instances': [_instance(box, label_of) for box in boxes[id_] if _is_object(box, images[id_], label_of)],
            }
            for id_ in sorted(images)
        ]


def _is_object(annotation: dict, image: dict, label_of: dict) -> bool:
    """Say whether mmdet keeps an annotation."""
    x, y, w, h = annotation['bbox']
    inside = min(x + w, image['width']) > max(x, 0) and min(y + h, image['height']) > max(y, 0)
    large = w >= 1 and h >= 1 and annotation.get('area', w * h) > 0
    return inside and large and not annotation.get('ignore') and annotation['category_id'] in label_of


def _instance(annotation: dict, label_of: dict) -> dict[str, Any]:
    x, y, w, h = annotation['bbox']
    return {
        'bbox': [x, y, x + w, y + h],
        'bbox_label': label_of[annotation['category_id']],
        'ignore_flag': int(bool(annotation.get('iscrowd'))),
    }
