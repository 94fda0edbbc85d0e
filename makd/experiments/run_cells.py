"""Cells run on this machine, some at a time, with progress."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Protocol, TypeVar

from makd.errors import ConfigError
from makd.experiments.tool_run import CellBusyError, CellFailedError

BUSY_SECONDS = 20.0  # between two looks at a cell that another process is running


class Runnable(Protocol):
    """A :class:`~makd.experiments.Cell` or :class:`~makd.experiments.Teacher`."""

    @property
    def label(self) -> str:
        """What a line of progress calls it."""

    def run(self, report: Callable[[str], None], threads: int) -> Any:
        """Run it, on so many CPU threads, and report lines of progress."""


_Runnable = TypeVar('_Runnable', bound=Runnable)


def run_cells(cells: Sequence[_Runnable], jobs: int) -> Iterator[tuple[_Runnable, Any]]:
    """Run cells, and yield each as it ends, with its result; one that fails has None.

    Cells that another process is running come last, when that has ended.

    Args:
        cells: What to run.
        jobs: How many at a time; they share the CPU threads.

    Raises:
        SystemExit: If the user interrupts it; the cells go on from there the next time.
    """
    threads = default_threads(jobs)
    started, done = time.monotonic(), 0

    def work(cell: _Runnable) -> Any:
        label = f'[{cell.label}]'
        return cell.run(lambda line: print(label, line, flush=True), threads)

    waiting = list(cells)
    pool = ThreadPoolExecutor(jobs)
    try:
        while waiting:
            submitted = {pool.submit(work, cell): cell for cell in waiting}
            waiting = []
            for job in as_completed(submitted):
                cell, result = submitted[job], None
                try:
                    result = job.result()
                except CellBusyError:
                    waiting.append(cell)
                    continue
                except (CellFailedError, ConfigError) as error:
                    print(f'error: {error}', flush=True)
                done += 1
                elapsed = time.monotonic() - started
                left = elapsed / done * (len(cells) - done)
                print(f'{cell.label}: {done} of {len(cells)} runs, {elapsed:.0f} s, {left:.0f} s to go.', flush=True)
                yield cell, result
            if waiting:  # a tool may have outlived the process that started it
                names = ', '.join(cell.label for cell in waiting)
                print(f'Waiting for cells that another process is running: {names}', flush=True)
                time.sleep(BUSY_SECONDS)
    except KeyboardInterrupt:  # which the terminal has sent to the running tools as well
        pool.shutdown(cancel_futures=True)
        print('Stopped. The same command goes on from here.', file=sys.stderr)
        raise SystemExit(130) from None
    pool.shutdown()


def default_threads(jobs: int) -> int:
    """Return the CPU threads of each of some runs at a time: ``OMP_NUM_THREADS``, or an equal part of the CPUs."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    # Small images on many threads are slower, not faster.
    return int(os.environ.get('OMP_NUM_THREADS', max(1, min(4, cpus // jobs))))
