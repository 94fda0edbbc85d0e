"""makd's registries: children of mmengine's root registries, all in the scope ``makd``.

A config refers to a class as ``type='makd.MaKDLoss'``. The modules of a registry are imported when a name is first
looked up in it, so importing this file costs next to nothing.
"""

from functools import cache
from importlib import import_module
from logging import WARNING
from typing import Any

from mmengine import registry as root
from mmengine.logging import print_log
from mmengine.registry import Registry

# Former names, kept for one release.
RENAMED = {
    'HFAspectTeacher': 'HFAnnotator',
    'HFClassTeacher': 'HFClassAnnotator',
    'OpenAIAspectTeacher': 'OpenAIAnnotator',
}


@cache
def current_name(name: str) -> str:
    """Return the current name for a key of ``RENAMED``, with one warning per name; return any other name unchanged."""
    if name not in RENAMED:
        return name
    print_log(
        f'makd.{name} is now called makd.{RENAMED[name]}; the next release will drop the old name.', 'current', WARNING
    )
    return RENAMED[name]


class StagedRegistry(Registry):
    """A child registry in the scope ``makd`` that imports light modules first, and heavy ones only if needed.

    Annotation must run where importing ``mmpretrain.models`` fails (transformers 5). mmengine allows one child registry
    per scope, so annotators and students share one, and looking up an annotator must not import the students.

    Args:
        parent: mmengine's root registry.
        light: Modules that register classes and import neither mmpretrain nor mmdet.
        heavy: Modules that register classes.
        mmdet: Modules that register classes and import mmdet, which classification does without.
    """

    def __init__(
        self,
        parent: Registry,
        light: tuple[str, ...] = (),
        heavy: tuple[str, ...] = (),
        mmdet: tuple[str, ...] = (),
    ) -> None:
        super().__init__(parent.name, parent=parent, scope='makd')
        self._stages = [light, heavy, mmdet]

    def import_next_stage(self) -> bool:
        """Import the lightest modules that have not been imported yet; return whether any were left."""
        if not self._stages:
            return False
        for module in self._stages[0]:
            import_module(module)
        del self._stages[0]  # only now, so that the next lookup reports a failed import again
        return True

    def get(self, key: str) -> Any:
        """Return the class that is registered under ``key``, or None."""
        scope, name = self.split_scope_key(key)
        if scope in (None, self.scope):
            if name in RENAMED:
                return self.get(f'makd.{current_name(name)}')
            while name not in self.module_dict and self.import_next_stage():
                pass
        return super().get(key)


DATASETS = StagedRegistry(
    root.DATASETS,
    light=(
        *('makd.annotation.annotation_images', 'makd.annotation.annotation_regions'),
        *('makd.datasets.coco_boxes', 'makd.datasets.subset', 'makd.datasets.with_unlabelled'),
    ),
    heavy=('makd.datasets.caltech101', 'makd.datasets.emoji', 'makd.datasets.mini_imagenet'),
)
DATA_SAMPLERS = StagedRegistry(root.DATA_SAMPLERS, light=('makd.datasets.labelled_share_sampler',))
TRANSFORMS = StagedRegistry(
    root.TRANSFORMS,
    heavy=(
        *('makd.datasets.load_image', 'makd.datasets.load_emoji_on_ground'),
        *('makd.datasets.load_targets', 'makd.datasets.load_region_aspects'),
    ),
)
MODELS = StagedRegistry(
    root.MODELS, light=('makd.annotation.annotators',), heavy=('makd.models',), mmdet=('makd.models.detectors',)
)
RUNNERS = StagedRegistry(root.RUNNERS, light=('makd.annotation.annotation_runner', 'makd.annotation.ray_runner'))
# mmengine has no registry for what annotation writes its answers with, and for processes that share the work.
WRITERS = StagedRegistry(Registry('writer', scope='mmengine'), light=('makd.annotation.shard_writer',))
POOLS = StagedRegistry(Registry('pool', scope='mmengine'), light=('makd.annotation.ray_pool',))
HOOKS = StagedRegistry(root.HOOKS, heavy=('makd.engine.hooks',))
METRICS = StagedRegistry(root.METRICS, heavy=('makd.evaluation',))

_ALL = (DATASETS, DATA_SAMPLERS, TRANSFORMS, RUNNERS, WRITERS, POOLS, MODELS, HOOKS, METRICS)


def find(key: str) -> type | None:
    """Return the class ``makd.NAME`` from any registry, or None; light modules are imported first."""
    name = current_name(key.removeprefix('makd.'))
    while True:
        for registry in _ALL:
            if name in registry.module_dict:
                return registry.module_dict[name]
        stages = [registry.import_next_stage() for registry in _ALL]
        if not any(stages):
            return None


def names() -> list[str]:
    """Return the names of all classes imported so far, as a config writes them."""
    return [f'makd.{name}' for registry in _ALL for name in registry.module_dict]


__all__ = [
    'DATASETS',
    'HOOKS',
    'METRICS',
    'MODELS',
    'POOLS',
    'RUNNERS',
    'TRANSFORMS',
    'WRITERS',
    'StagedRegistry',
    'find',
    'names',
]
