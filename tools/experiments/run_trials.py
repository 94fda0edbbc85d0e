"""Run trials on this machine, several at a time, with progress."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from experiments.tool_run import TrialBusyError

BUSY_SECONDS = 20.0  # between two attempts at a trial that another process is running


class Runnable(Protocol):
    """A :class:`~experiments.Trial` or :class:`~experiments.teacher_training.TeacherTraining`."""

    @property
    def label(self) -> str:
        """Its name in lines of progress."""

    def run(self, report: Callable[[str], None], environment: Mapping[str, str]) -> Any:
        """Run it with these environment variables, and report lines of progress."""


_Runnable = TypeVar('_Runnable', bound=Runnable)


def run_trials(trials: Sequence[_Runnable], jobs: int, gpus: int = 1) -> Iterator[tuple[_Runnable, Any]]:
    """Run trials, and yield each as it ends, with its result; None for one that fails, whose error is printed.

    Trials that another process is running come last, after that process has ended.

    Args:
        trials: The trials.
        jobs: Number of trials at a time. They share the CPU threads and the visible GPUs.
        gpus: GPUs per trial.

    Raises:
        SystemExit: The user interrupts it; the same call later resumes the trials.
    """
    environments: SimpleQueue[dict[str, str]] = SimpleQueue()
    for environment in job_environments(jobs, gpus, visible_devices()):
        environments.put(environment)
    started, done = time.monotonic(), 0

    def work(trial: _Runnable) -> Any:
        label = f'[{trial.label}]'
        environment = environments.get()
        try:
            return trial.run(lambda line: print(label, line, flush=True), environment)
        finally:
            environments.put(environment)

    waiting = list(trials)
    pool = ThreadPoolExecutor(jobs)
    try:
        while waiting:
            submitted = {pool.submit(work, trial): trial for trial in waiting}
            waiting = []
            for job in as_completed(submitted):
                trial, result = submitted[job], None
                try:
                    result = job.result()
                except TrialBusyError:
                    waiting.append(trial)
                    continue
                except Exception as error:  # any: the other trials go on, and the table has a gap
                    print(f'error: {error}', flush=True)
                done += 1
                elapsed = time.monotonic() - started
                left = elapsed / done * (len(trials) - done)
                print(f'{trial.label}: {done} of {len(trials)} runs, {elapsed:.0f} s, {left:.0f} s to go.', flush=True)
                yield trial, result
            if waiting:  # on a tool, which may outlive the process that started it
                names = ', '.join(trial.label for trial in waiting)
                print(f'Waiting for trials that another process is running: {names}', flush=True)
                time.sleep(BUSY_SECONDS)
    except KeyboardInterrupt:  # the terminal has sent it to the running tools as well
        print('Stopped. The same command goes on from here.', file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        pool.shutdown(cancel_futures=True)


def job_environments(jobs: int, gpus: int, devices: Sequence[str]) -> list[dict[str, str]]:
    """Return the environment variables of concurrent jobs: CPU threads, and GPUs of their own if there are enough.

    Args:
        jobs: Number of jobs at a time.
        gpus: GPUs per job.
        devices: The visible GPUs, as ``CUDA_VISIBLE_DEVICES`` names them.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    # Small images on many threads are slower, not faster.
    threads = os.environ.get('OMP_NUM_THREADS', str(max(1, min(4, cpus // jobs))))
    environments = [dict(OMP_NUM_THREADS=threads) for _ in range(jobs)]
    if jobs > 1 and len(devices) >= gpus:
        slots = [devices[start : start + gpus] for start in range(0, len(devices) - gpus + 1, gpus)]
        for job, environment in enumerate(environments):
            environment['CUDA_VISIBLE_DEVICES'] = ','.join(slots[job % len(slots)])
    return environments


def visible_devices() -> list[str]:
    """Return the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    if 'CUDA_VISIBLE_DEVICES' in os.environ:
        return [device for device in os.environ['CUDA_VISIBLE_DEVICES'].split(',') if device]
    import torch  # not for --help

    return [str(index) for index in range(torch.cuda.device_count())]
