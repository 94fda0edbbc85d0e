"""makd: distil what a multimodal LLM sees into a small, fast vision model.

Importing the package makes the scope ``makd`` known to mmengine's registries and stands in for mmcv's compiled
operators where they are absent. Neither imports torch; the classes themselves are imported when a config first names
one.
"""

from makd import registry
from makd.compat import mmcv_ops
from makd.version import __version__

mmcv_ops.install()

__all__ = ['__version__', 'registry']
