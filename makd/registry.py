"""makd's registries: children of mmengine's roots, all in the scope ``makd``.

A config names one of our classes as ``type='makd.MaKDLoss'``. The modules behind a registry are imported when the first
name is looked up in it, so importing this file costs next to nothing.
"""

from mmengine import registry as root
from mmengine.registry import Registry

DATASETS = Registry('dataset', parent=root.DATASETS, scope='makd', locations=['makd.datasets'])
TRANSFORMS = Registry('transform', parent=root.TRANSFORMS, scope='makd', locations=['makd.datasets'])
MODELS = Registry('model', parent=root.MODELS, scope='makd', locations=['makd.models'])
HOOKS = Registry('hook', parent=root.HOOKS, scope='makd', locations=['makd.engine'])
METRICS = Registry('metric', parent=root.METRICS, scope='makd', locations=['makd.evaluation'])

__all__ = ['DATASETS', 'HOOKS', 'METRICS', 'MODELS', 'TRANSFORMS']
