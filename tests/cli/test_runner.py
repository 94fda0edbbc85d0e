"""Ranks without a GPU, under each launcher."""

from datetime import timedelta

import pytest
import torch

from makd.cli.runner import initialize_gloo

LAUNCHERS = {
    'slurm': dict(SLURM_PROCID='3', SLURM_LOCALID='1', SLURM_NTASKS='4', SLURM_NODELIST='node[7-8]'),
    'mpi': dict(
        OMPI_COMM_WORLD_RANK='3', OMPI_COMM_WORLD_LOCAL_RANK='1', OMPI_COMM_WORLD_SIZE='4', MASTER_ADDR='node7'
    ),
    'pytorch': dict(RANK='3', LOCAL_RANK='1', WORLD_SIZE='4', MASTER_ADDR='node7'),
}


@pytest.mark.parametrize('launcher', LAUNCHERS)
def test_a_rank_finds_its_place(launcher, monkeypatch, tmp_path):
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[7-8]" ] && printf "node7\\nnode8\\n"\n')
    scontrol.chmod(0o755)
    environment = {'PATH': f'{tmp_path}:/usr/bin:/bin', **LAUNCHERS[launcher]}
    monkeypatch.setattr('os.environ', environment)
    calls = []
    monkeypatch.setattr(torch.distributed, 'init_process_group', lambda *args, **kwargs: calls.append((args, kwargs)))
    initialize_gloo(launcher, 60)
    assert calls == [(('gloo',), {'timeout': timedelta(minutes=1)})]
    names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
    assert [environment[name] for name in names] == ['3', '1', '4', 'node7', '29500']
