#!/usr/bin/env bash
# Annotate under Slurm: tools/slurm_annotate.sh PARTITION JOB_NAME CONFIG [options of tools/annotate.py]
# GPUS is the number in all, GPUS_PER_NODE on one machine; SRUN_ARGS goes to srun.
exec "$(dirname "$0")/_srun.sh" annotate.py "$@"
