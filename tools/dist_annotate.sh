#!/usr/bin/env bash
# Annotate on several GPUs of one or more machines: tools/dist_annotate.sh CONFIG GPUS [options of tools/annotate.py]
# On more than one machine, start it on each with NNODES, NODE_RANK and MASTER_ADDR set; PORT is the master's. All of
# them write to writer.out_dir, which has to be on a file system that they share.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: [NNODES=1] [NODE_RANK=0] [MASTER_ADDR=127.0.0.1] [PORT=29500] $0 CONFIG GPUS [options]" >&2
    exit 2
fi
exec "$(dirname "$0")/_torchrun.sh" "$2" annotate.py "$1" "${@:3}"
