"""Measure the cost of a targets folder: looking answers up, memory in four data-loader workers, and merging its shards.

    python benchmarks/targets.py                    # 200,000 images x 50 questions
    python benchmarks/targets.py --images 1281167   # ImageNet
    python benchmarks/targets.py --shards           # instead, the end of an annotation: merging the shards
    python benchmarks/targets.py --partitions       # instead, 20,000,000 images in partitions against 1,281,167 in one

Each figure is compared with an alternative in the same run: a dictionary of all keys, a copy of the array in each
worker, a plain copy of the array to disk, and a single folder. Each measurement runs in its own process. Linux only
(/proc).
"""

import argparse
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from makd.annotation.answers import Answers
from makd.annotation.shard_writer import ShardWriter
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets
from makd.targets.key_index import KeyIndex, build_words
from makd.targets.partitions import PARTITION_SIZE

LOOKUPS = 10_000
WORKERS = 4
SHARD_SIZE = 256
LARGE_SHARD = 4096  # of answers to few questions
ONE_FOLDER = 1_281_167  # ImageNet
MB = 1e6


def make_questions(count: int) -> QuestionSet:
    """Return ``count`` questions."""
    return QuestionSet(Question(f'q{i}', f'Is it {i}?') for i in range(count))


def make_keys(count: int) -> Iterator[str]:
    """Yield keys like ImageNet's, sorted."""
    return (f'train/n{i // 1300:08d}/n{i // 1300:08d}_{i:09d}.JPEG' for i in range(count))


def write_folder(path: Path, num_images: int, num_questions: int) -> None:
    """Write targets with random answers."""
    probability = np.random.default_rng(0).random((num_images, num_questions), np.float32)
    AspectTargets.write(
        path,
        questions=make_questions(num_questions),
        keys=make_keys(num_images),
        logprobs=np.log(np.stack([probability, 1 - probability], axis=-1).clip(1e-6)),
    )


def memory(pid: int | str, *fields: str, file: str = 'status') -> list[float]:
    """Return fields of a /proc file, in bytes."""
    lines = dict(line.split(':', 1) for line in Path(f'/proc/{pid}/{file}').read_text().splitlines() if ':' in line)
    return [1024.0 * int(lines[field].split()[0]) for field in fields]


def microseconds(function: Callable[[str], Any], keys: list[str]) -> tuple[float, float]:
    """Return the time per call, in the first pass over the keys and in the best of five more.

    It is the median over groups of 100 calls, which are short enough that other processes rarely interrupt them.
    """
    passes = []
    for _ in range(6):
        groups = []
        for first in range(0, len(keys), 100):
            start = time.perf_counter()
            for key in keys[first : first + 100]:
                function(key)
            groups.append((time.perf_counter() - start) / 100 * 1e6)
        passes.append(float(np.median(groups)))
    return passes[0], min(passes[1:])


def measure_lookup(path: Path, kind: str) -> dict[str, Any]:
    """Look up random images: the row alone, then the probabilities, with AspectTargets or a dictionary of all keys."""
    all_keys = AspectTargets.open(path).keys
    keys = [all_keys[row] for row in np.random.default_rng(1).integers(len(all_keys), size=LOOKUPS).tolist()]
    del all_keys
    before = memory('self', 'RssAnon', 'RssFile')
    start = time.perf_counter()
    targets = AspectTargets.open(path)
    row: Callable[[str], int] = targets.row
    if kind == 'dict':
        row = {key: row for row, key in enumerate(targets.keys)}.__getitem__
    opened = time.perf_counter() - start
    result: dict[str, Any] = {'open': opened, 'row': microseconds(row, keys)}
    if kind == 'targets':
        result['probability'] = microseconds(targets.probability, keys)
    result['memory'] = [after - b for after, b in zip(memory('self', 'RssAnon', 'RssFile'), before)]
    return result


class Rows:
    """A dataset of probabilities by row, from the folder, a copy in each worker, or nothing (the baseline)."""

    def __init__(self, path: Path, kind: str, size: int) -> None:
        self.targets = AspectTargets.open(path) if kind == 'targets' else None
        self.array_file = path / 'logprobs.npy' if kind == 'copies' else None
        self.array: np.ndarray | None = None
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, row: int) -> float:
        if self.targets is not None:
            return float(self.targets.probability(self.targets.keys[row])[0])
        if self.array_file is not None:
            if self.array is None:
                self.array = np.load(self.array_file)
            return float(self.array[row, 0, 0])
        return 0.0


def mapped_from(pid: int, folder: Path) -> float:
    """Return the process's proportional share of the pages that are mapped from the folder's files, in bytes."""
    total, inside = 0.0, False
    for line in Path(f'/proc/{pid}/smaps').read_text().splitlines():
        if not line.split(' ', 1)[0].endswith(':'):
            inside = str(folder) in line
        elif inside and line.startswith('Pss:'):
            total += 1024.0 * int(line.split()[1])
    return total


def measure_workers(path: Path, kind: str, size: int) -> list[float]:
    """Return the private memory of all workers, and their page cache of the folder, after each image was read once."""
    from torch.utils.data import DataLoader

    warnings.filterwarnings('ignore', message='This DataLoader will create')
    loader: DataLoader[Any] = DataLoader(
        Rows(path, kind, size),  # type: ignore[arg-type]
        batch_size=256,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
        collate_fn=sum,
    )
    for _ in loader:
        pass
    workers = multiprocessing.active_children()
    assert len(workers) == WORKERS
    pids = [worker.pid or 0 for worker in workers]
    private = [memory(pid, 'Pss_Anon', file='smaps_rollup')[0] for pid in pids]
    return [sum(private), sum(mapped_from(pid, path) for pid in pids)]


def in_fresh_process(function: Callable[..., Any], *args: Any) -> Any:
    """Run the function in a fresh process and return its result."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:
        return pool.submit(function, *args).result()


def report(path: Path, num_images: int, num_questions: int) -> None:
    """Measure and print the results."""
    size = os.path.getsize(path / 'logprobs.npy')
    print(f'{num_images} images x {num_questions} questions: logprobs.npy takes {size / MB:.0f} MB\n')
    results = {kind: in_fresh_process(measure_lookup, path, kind) for kind in ('targets', 'dict')}
    print(f'{LOOKUPS} random lookups        open      first pass   later passes   private memory   page cache mapped')
    for name, kind, measured in (
        ('dict[key] -> row', 'dict', 'row'),
        ('AspectTargets.row', 'targets', 'row'),
        ('AspectTargets.probability', 'targets', 'probability'),
    ):
        result = results[kind]
        first, later = result[measured]
        anonymous, mapped = (value / MB for value in result['memory'])
        times = f'{result["open"]:7.3f} s {first:11.2f} us {later:11.2f} us'
        print(f'{name:26} {times} {anonymous:13.1f} MB {mapped:16.1f} MB')
    ratio = results['targets']['row'][1] / results['dict']['row'][1]
    private = [results[kind]['memory'][0] for kind in ('targets', 'dict')]
    print(
        f'looking up a row takes {ratio:.1f} times as long as in a dictionary of all keys, with '
        f'{private[0] / private[1]:.4f} of its private memory'
    )
    print(f'private memory / size of the array: {private[0] / size:.4f}\n')

    pss = {kind: in_fresh_process(measure_workers, path, kind, num_images) for kind in ('none', 'targets', 'copies')}
    print(f'{WORKERS} loader workers in total (PSS)   private, added           page cache of the folder')
    held = {}
    for name, kind in (('AspectTargets', 'targets'), ('a copy of the array in each', 'copies')):
        private_memory, mapped = pss[kind][0] - pss['none'][0], pss[kind][1]
        held[kind] = (private_memory + mapped) / size
        print(f'{name:32} {private_memory / MB:19.1f} MB {mapped / MB:27.1f} MB')
    print(f'in total: {held["targets"]:.2f} times the size of the array; with copies {held["copies"]:.2f} times')


def index_keys(count: int) -> KeyIndex:
    """Return the keys as an annotation run holds them."""
    text = b''.join(f'{key}\n'.encode() for key in make_keys(count))
    return KeyIndex(text, build_words(text, Path()))


class Cost(NamedTuple):
    """What some work takes: seconds, of these seconds on the CPU, and the peak of its own memory in bytes."""

    seconds: float
    cpu: float
    memory: float


def measure(work: Callable[[], object]) -> Cost:
    """Do the work; its memory is that besides mapped files and what there was before."""
    (before,) = memory('self', 'RssAnon')
    peak, done = before, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, *memory('self', 'RssAnon'))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, start_cpu = time.perf_counter(), time.process_time()
    work()
    duration, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    done.set()
    watcher.join()
    return Cost(duration, cpu, peak - before)


def annotate(out_dir: Path, num_images: int, num_questions: int, shard_size: int) -> tuple[Cost, Cost]:
    """Write the shards of an annotation run, and join them; return the costs of both."""
    writer = ShardWriter(out_dir, shard_size)
    tasks = writer.open(make_questions(num_questions), index_keys(num_images), {}, '')
    writer.begin({})
    probability = np.random.default_rng(0).random((shard_size, num_questions), np.float32)
    logprobs = np.log(np.stack([probability, 1 - probability], axis=-1).clip(1e-6))
    answers = [Answers(pairs) for pairs in logprobs]

    def write() -> None:
        for task in tasks:
            count = len(task.rows)
            writer.write(task, answers[:count], [(1, 1, 1)] * count)

    return measure(write), measure(writer.finish)


def copy(path: Path) -> float:
    """Return the seconds that copying a file to disk takes."""
    start = time.perf_counter()
    with path.open('rb') as source, path.with_suffix('.copy').open('wb') as target:
        shutil.copyfileobj(source, target, 1 << 20)
        os.fsync(target.fileno())
    return time.perf_counter() - start


def report_shards(path: Path, num_images: int, num_questions: int) -> None:
    """Measure merging the shards and print the results."""
    _, cost = in_fresh_process(annotate, path, num_images, num_questions, SHARD_SIZE)
    array = path / 'logprobs.npy'
    size, copied = array.stat().st_size, copy(array)
    print(f'{num_images} images x {num_questions} questions: logprobs.npy takes {size / MB:.0f} MB')
    print(f'merged in {cost.seconds:.1f} s, {cost.seconds / copied:.1f} times as long as a copy ({copied:.1f} s)')
    print(f'peak memory {cost.memory / MB:.0f} MB, {cost.memory / size:.2f} times the array')


def measure_reading(path: Path) -> dict[str, float]:
    """Open a folder, then all its partitions, and look up random images."""
    keys = AspectTargets.open(path).keys
    rows = np.random.default_rng(1).integers(len(keys), size=LOOKUPS)
    chosen = [keys[row] for row in rows.tolist()]
    everywhere = [keys[row] for row in range(0, len(keys), len(keys) // 100)]
    del keys
    (before,) = memory('self', 'RssAnon')
    start = time.perf_counter()
    targets = AspectTargets.open(path)
    opened = time.perf_counter()
    for key in everywhere:
        targets.row(key)
    used = time.perf_counter()
    row, probability = microseconds(targets.row, chosen), microseconds(targets.probability, chosen)
    return {
        'open': (opened - start) * 1e3,
        'all': used - start,
        'row': row[1],
        'probability': probability[1],
        'memory': memory('self', 'RssAnon')[0] - before,
    }


def report_partitions(folder: Path, num_images: int, num_questions: int) -> None:
    """Measure a folder of partitions against a single one, from the shards to the look-up."""
    results = []
    for count in (ONE_FOLDER, num_images):
        path = folder / str(count)
        writing, joining = in_fresh_process(annotate, path, count, num_questions, LARGE_SHARD)
        partitions = len(list(path.glob('part-*'))) or 1
        reading = in_fresh_process(measure_reading, path)
        size = sum(file.stat().st_size for file in path.rglob('*') if file.is_file())
        shutil.rmtree(path)
        results.append(
            {
                'images': count,
                'partitions': partitions,
                'size on disk, MB': size / MB,
                'writing the shards, s': writing.seconds,
                'writing the shards, s of CPU': writing.cpu,
                'writing the shards, MB of memory': writing.memory / MB,
                'joining them, s': joining.seconds,
                'joining them, s of CPU': joining.cpu,
                'joining them, MB of memory': joining.memory / MB,
                'opening, ms': reading['open'],
                'opening and a key in each partition, s': reading['all'],
                'AspectTargets.row, us': reading['row'],
                'AspectTargets.probability, us': reading['probability'],
                'private memory of reading, MB': reading['memory'] / MB,
            }
        )
    one, many = results
    print(f'{num_questions} questions, shards of {LARGE_SHARD} images, partitions of {PARTITION_SIZE}')
    print(f'{"":40} {"one folder":>12} {"partitions":>12} {"ratio":>8}')
    for name, value in one.items():
        print(f'{name:40} {value:12.6g} {many[name]:12.6g} {many[name] / value:8.3g}')


def main() -> None:
    """Write a folder, measure, and delete it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, help='default: 200,000, and with --partitions 20,000,000')
    parser.add_argument('--questions', type=int, help='default: 50, and with --partitions 2')
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument('--shards', action='store_true', help='measure merging the shards of an annotation')
    kinds.add_argument('--partitions', action='store_true', help='measure a folder of partitions')
    args = parser.parse_args()
    images, questions = (20_000_000, 2) if args.partitions else (200_000, 50)
    images, questions = args.images or images, args.questions or questions
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'targets'
        if args.partitions:
            report_partitions(Path(folder), images, questions)
        elif args.shards:
            report_shards(path, images, questions)
        else:
            # In its own process, so that its memory is released.
            in_fresh_process(write_folder, path, images, questions)
            report(path, images, questions)


if __name__ == '__main__':
    main()
