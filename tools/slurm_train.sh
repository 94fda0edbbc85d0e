#!/usr/bin/env bash
# Train under Slurm: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
# GPUS is the number in all, GPUS_PER_NODE on one machine; SRUN_ARGS goes to srun.
exec "$(dirname "$0")/_srun.sh" train.py "$@"
