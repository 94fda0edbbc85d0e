"""The transform that gives each object of an image what a targets folder has about it."""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose

from makd.datasets.load_targets import LoadAnswers
from makd.datasets.packed_path import packed_path
from makd.datasets.regions import Region, region_infos, regions
from makd.datasets.walk_transforms import refuse_mixing, walk_transforms
from makd.errors import ConfigError
from makd.registry import TRANSFORMS
from makd.targets.region_key import REGIONS

_BITS = 32  # of a label; the upper bits hold the position of its object
_READERS = {'RandomSamplingNegPos'}  # transforms of mmdet that look up the names of the labels

_REMEDY = 'Remove the transform, or train without makd.LoadRegionAspects.'


@TRANSFORMS.register_module()
class LoadRegionAspects(LoadAnswers):
    """Set ``gt_instances.aspects``, the annotator's P(yes) of each question about each object, on a detector's sample.

    It contains the pipeline of a detector, from loading the image to ``PackDetInputs``::

        pipeline = [dict(type='makd.LoadRegionAspects', targets=..., data_root=..., transforms=_base_.train_pipeline)]

    The answers belong to the objects in whatever order and number the transforms leave them: meanwhile, the label of
    each object says which one it is, in bits that no class needs. A transform that moves, drops or reorders objects has
    to do the same with their labels, so none needs to know about answers. One that composes an image of several is
    refused when the pipeline is built, and one that changes labels as soon as it does.

    Required key: ``instances``. Modified: ``data_samples.gt_instances.aspects``, a float32 tensor (G, Q) in [0, 1]; NaN
    where the annotator has no answer.

    Args:
        transforms: The pipeline.
        **kwargs: Arguments of ``LoadAnswers``: ``targets`` about regions, as ``makd.AnnotationRegions`` lets an
            annotator write them, ``data_root``, ``missing``, ``top``, ``question_ids``.

    Raises:
        ConfigError: A transform composes images, or looks up the names of labels. While loading: one changes labels,
            drops boxes without their labels, or adds objects; or objects are loaded before it, or none inside.
    """

    field = 'gt_instances.aspects'
    content = 'aspect targets of regions'
    about = REGIONS
    remedy = "Put it into dict(type='makd.LoadRegionAspects', targets=..., data_root=..., transforms=[...])."

    def __init__(self, *, transforms: Sequence[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transforms = Compose(transforms).transforms
        refuse_mixing(self.transforms, 'makd.LoadRegionAspects')
        for transform in walk_transforms(self.transforms):
            if (name := type(transform).__name__) in _READERS:
                raise ConfigError(f'{name} in makd.LoadRegionAspects looks up the names of labels. {_REMEDY}')

    def infos(self, dataset: Any) -> Iterator[dict]:
        """Yield ``img_path`` and ``gt_label`` of each region of a dataset, as if it were an image."""
        return region_infos(dataset)

    def transform(self, results: dict) -> dict | None:
        """Run the pipeline on an image, and set the answers about its objects."""
        if 'instances' not in results or 'gt_bboxes_labels' in results or 'data_samples' in results:
            raise ConfigError(
                'makd.LoadRegionAspects gets an image that has no `instances`, or whose objects are already loaded. It '
                'contains the whole pipeline of a detector: put the transforms before it, from loading the image on, '
                'into its transforms=[...].'
            )
        labels = [int(instance['bbox_label']) for instance in results['instances']]
        position_of = {label + (position + 1 << _BITS): position for position, label in enumerate(labels)}
        marked = [{**instance, 'bbox_label': mark} for instance, mark in zip(results['instances'], position_of)]
        found = dict(regions(results))
        current: dict | None = {**results, 'instances': marked}
        for transform in self.transforms:
            current = transform(current)
            if current is None:  # no object is left, and the dataset takes another image
                return None
            _check_marks(current, position_of, transform)
        assert current is not None
        sample: Any = current.get('data_samples')
        packed_path(sample, 'makd.LoadRegionAspects')
        if 'labels' not in sample.gt_instances:
            raise ConfigError(
                "makd.LoadRegionAspects: no transform loads the objects. Put dict(type='LoadAnnotations', "
                'with_bbox=True) behind the one that loads the image.'
            )
        for objects in _objects(sample):
            positions = [position_of[mark] for mark in objects.labels.tolist()]
            objects.labels = objects.labels.new_tensor([labels[position] for position in positions])
            if objects is sample.gt_instances:
                objects.aspects = self._aspects([found.get(position) for position in positions])
        return current

    def _aspects(self, of_objects: Sequence[Region | None]) -> torch.Tensor:
        """Return the answers about each object, (G, Q); NaN for one that is no region, as it has no area."""
        aspects = torch.full((len(of_objects), self.num_aspects), torch.nan)
        for row, region in enumerate(of_objects):
            if region is not None:
                aspects[row] = self.look_up(self.key(region.path))
        return aspects


def _objects(sample: Any) -> list[Any]:
    """Return the parts of a packed sample that have objects: those to learn and, if they are told apart, to ignore."""
    return [part for part in (sample.gt_instances, sample.ignored_instances) if 'labels' in part]


def _check_marks(results: dict, marks: Container[int], transform: Any) -> None:
    """Raise an error unless all objects in a pipeline's results are still marked."""
    if 'data_samples' in results:
        if not hasattr(results['data_samples'], 'ignored_instances'):
            raise ConfigError(
                f'{type(transform).__name__} in makd.LoadRegionAspects packs something else than the objects of one '
                'image. Let PackDetInputs pack them.'
            )
        found = [(part.bboxes, part.labels.tolist()) for part in _objects(results['data_samples'])]
    else:
        found = [(results.get('gt_bboxes', ()), np.array(results.get('gt_bboxes_labels', ()), np.int64).tolist())]
    for boxes, labels in found:
        if len(boxes) != len(labels) or not all(label in marks for label in labels):
            raise ConfigError(
                f'{type(transform).__name__} in makd.LoadRegionAspects changes the labels of objects, drops boxes '
                f'without their labels, or adds objects, so the answers about them cannot follow. {_REMEDY}'
            )
