"""makd: distil what a multimodal LLM sees into a small, fast vision model.

Importing the package adds the scope ``makd`` to mmengine's registries and replaces mmcv's compiled operators where they
are missing. Neither imports torch; the classes themselves are imported when a config first names one.
"""

from makd import registry
from makd.compat import mmcv_ops
from makd.version import __version__

mmcv_ops.install()

__all__ = ['__version__', 'registry']
