#!/usr/bin/env bash
# Shared by dist_train.sh, dist_test.sh and dist_annotate.sh: tools/_torchrun.sh GPUS SCRIPT [its arguments]
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)

PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" \
"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$1" \
    "$ROOT/tools/$2" "${@:3}" --launcher pytorch
