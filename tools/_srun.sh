#!/usr/bin/env bash
# Shared by slurm_train.sh and slurm_annotate.sh: tools/_srun.sh SCRIPT PARTITION JOB_NAME CONFIG [options of the script]
# GPUS is the number in all, GPUS_PER_NODE on one machine; SRUN_ARGS goes to srun.
set -euo pipefail

if [ $# -lt 4 ]; then
    name=slurm_$(basename "$1" .py).sh
    echo "usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=] tools/$name PARTITION JOB_NAME CONFIG [options]" >&2
    exit 2
fi
SCRIPT=$1
PARTITION=$2
JOB_NAME=$3
CONFIG=$4
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
ROOT=$(cd "$(dirname "$0")/.." && pwd)
read -r -a SRUN_OPTIONS <<< "${SRUN_ARGS:-}"

PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" \
srun --partition="$PARTITION" \
    --job-name="$JOB_NAME" \
    --gres="gpu:$GPUS_PER_NODE" \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_OPTIONS[@]+"${SRUN_OPTIONS[@]}"} \
    "${PYTHON:-python}" -u "$ROOT/tools/$SCRIPT" "$CONFIG" --launcher slurm "${@:5}"
