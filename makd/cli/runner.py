"""The Runner of a config."""

from typing import TYPE_CHECKING

from mmengine.config import Config

if TYPE_CHECKING:
    from mmengine.runner import Runner


def build_runner(cfg: Config) -> 'Runner':
    """Build the Runner of a config, and write down what repeats the run (see ``makd.cli.run_record``).

    On a machine without an accelerator, ranks run on the CPU.
    """
    # Imported here, so that --help is answered without waiting for torch.
    import torch
    from mmengine.device import get_device
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    from makd.cli.run_record import write_run_record

    if cfg.get('launcher', 'none') != 'none' and get_device() == 'cpu':
        # mmengine's launchers choose a GPU for each rank, its wrapper puts the model there, NCCL knows nothing else.
        torch.cuda.set_device = lambda device: None
        cfg.env_cfg.dist_cfg.backend = 'gloo'
        wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
        cfg.setdefault(
            'model_wrapper_cfg', {**wrapper, 'find_unused_parameters': cfg.get('find_unused_parameters', False)}
        )
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    write_run_record(runner)
    return runner
