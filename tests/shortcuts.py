"""What mmengine computes again for each run, though it is always the same, is computed once for all tests.

It takes longer than the steps of a small run. Tests that start a new Python (``test_cold_start.py`` names them) do
without.
"""

import functools
import gc
from contextlib import suppress


@functools.cache
def install():
    """Install the shortcuts, once, in this process and its forks, which have imported everything."""
    import mmengine.runner.runner
    import mmengine.utils.dl_utils
    from mmengine.config import Config, utils
    from yapf.yapflib import yapf_api

    # A Runner lays its config out five times. Without a layout it reads the same.
    yapf_api.FormatCode = lambda text, **style: (text, False)
    # A compiler is asked for its version.
    environment = mmengine.utils.dl_utils.collect_env()
    for module in (mmengine.runner.runner, mmengine.utils.dl_utils):
        module.collect_env = environment.copy
    # For each base of a config in mmpretrain or mmdet, all of their metafiles are parsed.
    utils.load = functools.cache(utils.load)
    for base in ('mmpretrain::_base_/models/resnet18.py', 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'):
        with suppress(ModuleNotFoundError):  # annotation is also tested where neither is installed
            Config._get_cfg_path(base, '')
    # Each dataset collects garbage: without this, among all objects of all modules.
    gc.collect()
    gc.freeze()
