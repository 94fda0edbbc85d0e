"""The Runner of a config."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config

from makd.files import remove_leftovers
from makd.work_dir import locked

if TYPE_CHECKING:
    from mmengine.runner import Runner

# What torch.distributed reads, and where other launchers than torchrun put it.
RANK_VARIABLES = {
    'pytorch': {},
    'slurm': {'RANK': 'SLURM_PROCID', 'LOCAL_RANK': 'SLURM_LOCALID', 'WORLD_SIZE': 'SLURM_NTASKS'},
    'mpi': {
        'RANK': 'OMPI_COMM_WORLD_RANK',
        'LOCAL_RANK': 'OMPI_COMM_WORLD_LOCAL_RANK',
        'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE',
    },
}


def build_runner(cfg: Config) -> 'Runner':
    """Build the Runner of a config, and write down what repeats the run (see ``makd.cli.run_record``).

    On a machine without an accelerator, ranks run on the CPU.
    """
    # Imported here, so that --help is answered without waiting for torch.
    from mmengine.device import get_device
    from mmengine.registry import RUNNERS

    from makd.cli.run_record import write_run_record
    from makd.engine.runner import Runner

    launcher = cfg.get('launcher', 'none')
    if launcher != 'none' and get_device() == 'cpu':
        cfg.env_cfg.dist_cfg.backend = 'gloo'
        initialize_gloo(launcher, cfg.env_cfg.dist_cfg.get('timeout'))
        wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
        cfg.setdefault(
            'model_wrapper_cfg', {**wrapper, 'find_unused_parameters': cfg.get('find_unused_parameters', False)}
        )
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    write_run_record(runner)
    return runner


@contextmanager
def training_in(cfg: Config) -> Iterator[None]:
    """Let no other training use the work dir at the same time; remove what one that was killed left unfinished.

    Raises:
        WorkDirBusyError: Another training is using it.
    """
    launcher = cfg.get('launcher', 'none')
    rank = os.environ.get(RANK_VARIABLES.get(launcher, {}).get('RANK', 'RANK'), '0')
    if launcher != 'none' and rank != '0':  # the first rank holds the lock for all
        yield
        return
    work_dir = Path(cfg.work_dir)
    with locked(work_dir / 'train.lock'):
        remove_leftovers(work_dir, '*.pth')
        yield


def initialize_gloo(launcher: str, timeout: float | None = None) -> None:
    """Join this rank's process group on the CPU; a Runner takes an existing group as it is.

    mmengine's own launchers cannot: they choose a GPU for each rank first.

    Args:
        launcher: 'pytorch', 'slurm' or 'mpi'.
        timeout: Seconds that a rank waits for the others. Defaults to None: torch's own.
    """
    import torch

    if torch.distributed.is_initialized():
        return
    os.environ.update({name: os.environ[source] for name, source in RANK_VARIABLES[launcher].items()})
    os.environ.setdefault('MASTER_PORT', '29500')
    if launcher == 'slurm' and 'MASTER_ADDR' not in os.environ:
        command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        hosts = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        os.environ['MASTER_ADDR'] = hosts.split()[0]
    torch.distributed.init_process_group('gloo', timeout=None if timeout is None else timedelta(seconds=timeout))
