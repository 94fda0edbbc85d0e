#!/usr/bin/env bash
# Test on several GPUs of one or more machines: tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of tools/test.py]
# On more than one machine, start it on each with NNODES, NODE_RANK and MASTER_ADDR set; PORT is the master's.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: [NNODES=1] [NODE_RANK=0] [MASTER_ADDR=127.0.0.1] [PORT=29500] $0 CONFIG CHECKPOINT GPUS [options]" >&2
    exit 2
fi
exec "$(dirname "$0")/_torchrun.sh" "$3" test.py "$1" "$2" "${@:4}"
