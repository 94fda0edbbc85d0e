"""Time, memory and arithmetic of a piece of work, for the other benchmarks."""

import itertools
import time
from collections.abc import Callable
from statistics import median

import torch
from mmengine.device import get_device
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode


def stopwatch() -> float:
    """Return the CPU seconds of this process or, with an accelerator, the wall-clock time once it has finished."""
    if get_device() == 'cpu':
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def seconds(work: Callable[[], object]) -> float:
    """Return how long the work takes."""
    start = stopwatch()
    work()
    return stopwatch() - start


def take_turns(
    baseline: Callable[[], object], other: Callable[[], object], rounds: int, title: str, name: str = 'MaKD'
) -> None:
    """Print the times of both, and the median and quartiles of the ratio of the other to the baseline."""
    times: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        for row, work in zip(times, (baseline, other)):
            duration = seconds(work)
            if number > 0:  # the first round is a warm-up
                row.append(duration)
        print(f'\r{title}: round {number} of {rounds}', end='', flush=True)
    ratios = sorted(b / a for a, b in zip(*times))
    quarter = len(ratios) // 4
    print(
        f'\r{title}: baseline {median(times[0]):.3f} s, {name} {median(times[1]):.3f} s per round, ratio '
        f'{median(ratios):.3f} (half of {rounds} rounds from {ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f})'
    )


def peak_memory(work: Callable[[], object]) -> float:
    """Return the peak memory of the tensors that the work allocates, in 10^6 bytes."""
    if get_device() != 'cpu':
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == '[memory]']
    sizes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(itertools.accumulate(sizes)) / 1e6


def flops(work: Callable[[], object]) -> int:
    """Return the number of floating-point operations in the work's matrix products, including attention."""
    # The counter does not know the fused attention of CPUs.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def peak_flops(dtype: torch.dtype, size: int) -> float:
    """Return the floating-point operations per second of the fastest of several products of large matrices."""
    left, right = torch.randn(2, size, size, dtype=dtype, device=get_device())
    products = 10

    def work() -> None:
        for _ in range(products):
            left @ right

    return products * 2 * size**3 / min(seconds(work) for _ in range(6))
