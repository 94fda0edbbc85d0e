"""makd: distil what a multimodal LLM sees into a small, fast vision model.

Importing the package lets torchvision stand in for mmcv's compiled operators where they are missing. It imports neither
torch nor an OpenMMLab package: mmengine imports :mod:`makd.registry` when a config first names a ``makd.`` class, and
this imports the class.
"""

from makd.compat import mmcv_ops
from makd.version import __version__

mmcv_ops.install()

__all__ = ['__version__']
