"""What putting the shards of an annotation together costs: time, beside copying as many bytes, and memory.

    python benchmarks/finish.py                    # 200,000 images x 50 questions
    python benchmarks/finish.py --images 1281167   # ImageNet

The shards are written as a run writes them. `makd.ShardWriter.finish`, in a process of its own, checks them and
makes the targets folder. The copy is that of the folder's array, with fsync. Linux only (/proc).
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from targets import MB, in_fresh_process, make_keys, make_questions, memory

from makd.annotation.shard_writer import ShardWriter

SHARD_SIZE = 256


def write_shards(out_dir: Path, num_images: int, num_questions: int) -> None:
    """Write the shards of a run, all but putting them together."""
    writer = ShardWriter(out_dir, SHARD_SIZE)
    tasks = writer.open(make_questions(num_questions), sorted(make_keys(num_images)), {})
    writer.begin({})
    probability = np.random.default_rng(0).random((SHARD_SIZE, num_questions), np.float32)
    logprobs = np.log(np.stack([probability, 1 - probability], axis=-1).clip(1e-6))
    for task in tasks:
        count = len(task.rows)
        writer.write(task, logprobs[:count], [None] * count, [0] * count)


def finish(out_dir: Path, num_images: int, num_questions: int) -> dict[str, float]:
    """Put them together; return the seconds, and the memory beside that of the keys and the mapped files."""
    writer = ShardWriter(out_dir, SHARD_SIZE)
    writer.open(make_questions(num_questions), sorted(make_keys(num_images)), {})
    (before,) = memory('self', 'RssAnon')
    peak, done = before, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, *memory('self', 'RssAnon'))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    writer.finish()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return {'seconds': seconds, 'memory': peak - before}


def copy(path: Path) -> float:
    """Return the seconds that copying a file to the disk takes."""
    start = time.perf_counter()
    with path.open('rb') as source, path.with_suffix('.copy').open('wb') as target:
        shutil.copyfileobj(source, target, 1 << 20)
        os.fsync(target.fileno())
    return time.perf_counter() - start


def main() -> None:
    """Write shards, put them together, copy the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=200_000)
    parser.add_argument('--questions', type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out_dir = Path(folder) / 'aspects'
        in_fresh_process(write_shards, out_dir, args.images, args.questions)
        result = in_fresh_process(finish, out_dir, args.images, args.questions)
        array = out_dir / 'logprobs.npy'
        size, copied = array.stat().st_size, copy(array)
    print(f'{args.images} images x {args.questions} questions: logprobs.npy has {size / MB:.0f} MB')
    print(f'put together in {result["seconds"]:.1f} s, {result["seconds"] / copied:.1f} times a copy ({copied:.1f} s)')
    print(f'memory while doing so {result["memory"] / MB:.0f} MB, {result["memory"] / size:.2f} of the array')


if __name__ == '__main__':
    main()
