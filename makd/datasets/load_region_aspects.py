"""The transform that gives each object of an image what a targets folder has about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose

from makd.datasets.load_targets import LoadAnswers
from makd.datasets.packed_path import packed_path
from makd.datasets.regions import region_infos, regions
from makd.errors import ConfigError
from makd.registry import TRANSFORMS
from makd.targets.region_key import REGIONS

_BITS = 32  # of a label; the upper bits hold the position of its object


@TRANSFORMS.register_module()
class LoadRegionAspects(LoadAnswers):
    """Set ``gt_instances.aspects``, the annotator's P(yes) of each question about each object, on a detector's sample.

    It contains the pipeline of a detector, from loading the image to ``PackDetInputs``::

        pipeline = [dict(type='makd.LoadRegionAspects', targets=..., data_root=..., transforms=_base_.train_pipeline)]

    The answers belong to the objects in whatever order and number the transforms leave them: meanwhile, the label of
    each object says which one it is, in bits that no class needs. A transform that moves, drops or reorders objects has
    to do the same with their labels, so none needs to know about answers. One that changes labels, or brings objects of
    other images, is refused as soon as it does.

    Required key: ``instances``. Modified: ``data_samples.gt_instances.aspects``, a float32 tensor (G, Q) in [0, 1]; NaN
    where the annotator has no answer.

    Args:
        transforms: The pipeline.
        **kwargs: Arguments of ``LoadAnswers``: ``targets`` about regions, as ``makd.AnnotationRegions`` lets an
            annotator write them, ``data_root``, ``missing``, ``top``, ``question_ids``.

    Raises:
        ConfigError: While loading, a transform changes the labels of objects.
    """

    field = 'gt_instances.aspects'
    content = 'aspect targets of regions'
    about = REGIONS
    remedy = "Put it into dict(type='makd.LoadRegionAspects', targets=..., data_root=..., transforms=[...])."

    def __init__(self, *, transforms: Sequence[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transforms = Compose(transforms).transforms

    def infos(self, dataset: Any) -> Iterator[dict]:
        """Yield ``img_path`` and ``gt_label`` of each region of a dataset, as if it were an image."""
        return region_infos(dataset)

    def transform(self, results: dict) -> dict | None:
        """Run the pipeline on an image, and set the answers about its objects."""
        try:
            instances = results['instances']
        except KeyError:
            raise ConfigError(
                'makd.LoadRegionAspects gets an image without `instances`. It contains the whole pipeline of a '
                'detector: put the transforms before it, from loading the image on, into its transforms=[...].'
            ) from None
        marked = [
            {**instance, 'bbox_label': int(instance['bbox_label']) + (position + 1 << _BITS)}
            for position, instance in enumerate(instances)
        ]
        marks = np.array([instance['bbox_label'] for instance in marked], np.int64)
        found = dict(regions(results))
        current: dict | None = {**results, 'instances': marked}
        for transform in self.transforms:
            current = transform(current)
            if current is None:  # no object is left, and the dataset takes another image
                return None
            _check_marks(_labels(current), marks, transform)
        assert current is not None
        sample: Any = current.get('data_samples')
        packed_path(sample, 'makd.LoadRegionAspects')
        sample.ignored_instances.labels &= (1 << _BITS) - 1
        labels = sample.gt_instances.labels
        positions = ((labels >> _BITS) - 1).tolist()
        sample.gt_instances.labels = labels & (1 << _BITS) - 1
        aspects = torch.full((len(positions), self.num_aspects), torch.nan)
        for row, position in enumerate(positions):
            if position in found:
                aspects[row] = self.look_up(self.key(found[position].path))
        sample.gt_instances.aspects = aspects
        return current


def _labels(results: dict) -> Any:
    """Return the labels of all objects in a pipeline's results; None before they are loaded."""
    if 'data_samples' in results:
        sample = results['data_samples']
        return torch.cat([sample.gt_instances.labels, sample.ignored_instances.labels]).numpy()
    return results.get('gt_bboxes_labels')


def _check_marks(labels: Any, marks: np.ndarray, transform: Any) -> None:
    if labels is not None and not np.isin(labels, marks).all():
        raise ConfigError(
            f'{type(transform).__name__} in the pipeline changes the labels of objects, or adds objects of other '
            'images, so the answers about them cannot follow. Remove the transform, or train without '
            'makd.LoadRegionAspects.'
        )
