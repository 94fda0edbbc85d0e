"""Rows of one table, measured in turns and within a given time; what fails or no longer fits says so in its row."""

import gc
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median

import torch
from measure import peak_memory, seconds


class Budget:
    """The time that a run may take.

    Args:
        minutes: How long.

    Attributes:
        needed: The seconds that preparing a row took, by the row's method: the most so far.
    """

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes
        self.needed: dict[str, float] = {}

    def allows(self, duration: float) -> bool:
        """Return whether so many seconds are left."""
        return time.monotonic() + duration <= self._end


@dataclass
class Cell:
    """A row of the table.

    Attributes:
        name: The row's first columns; the last of them is the method.
        prepare: Returns the work to be timed; None once it is measured, since it holds the model.
        images: Images that one call of the work gets through.
        limit: Returns the images per second that the peak of the arithmetic allows, if that is of interest.
        work: What ``prepare`` returned, as long as nothing has failed.
        times: Seconds of each round.
        memory: Peak memory that the work allocates, in 10^6 bytes.
        possible: What ``limit`` returned.
        problem: Why there is nothing to show.
        details: The traceback of a failure.
    """

    name: tuple[str, ...]
    prepare: Callable[[], Callable[[], object]] | None
    images: float
    limit: Callable[[], float] | None = None
    work: Callable[[], object] | None = None
    times: list[float] = field(default_factory=list)
    memory: float = 0.0
    possible: float | None = None
    problem: str = ''
    details: str = ''

    @property
    def rate(self) -> float:
        """Images per second, the median of all rounds."""
        return self.images / median(self.times)

    def ratio_to(self, baseline: 'Cell') -> float | None:
        """Return the median over the rounds of how many times faster than the baseline it is."""
        pairs = zip(self.times, baseline.times)
        ratios = [(self.images / ours) / (baseline.images / theirs) for ours, theirs in pairs]
        return median(ratios) if ratios and not self.problem and not baseline.problem else None

    def row(self, baseline: 'Cell') -> str:
        """Return the row, with the ratio to a baseline."""
        if self.problem:
            return f'| {" | ".join(self.name)} | {self.problem} | | | |'
        rates = sorted(self.images / duration for duration in self.times)
        speed = f'{self.rate:.4g} ({rates[0]:.4g} to {rates[-1]:.4g})'
        reached = '' if self.possible is None else f'{self.rate / self.possible:.1%}'
        ratio = self.ratio_to(baseline)
        faster = '' if ratio is None else f'{ratio:.2f}'
        return f'| {" | ".join(self.name)} | {speed} | {reached} | {self.memory / 1e3:.4g} GB | {faster} |'

    def warm_up(self) -> None:
        """Prepare the work, run it once, and measure its memory at the second time."""
        self.work = self.prepare()
        self.work()
        self.memory = peak_memory(self.work)
        if self.limit is not None:
            with suppress(torch.OutOfMemoryError):  # counting operations takes the attention apart
                self.possible = self.limit()

    def attempt(self, step: Callable[[], None]) -> None:
        """Run a step; if it fails, keep the reason and drop the work."""
        try:
            step()
        except torch.OutOfMemoryError:
            self.problem = 'out of memory'
        except Exception as error:
            self.problem = f'failed: {type(error).__name__}: {error}'.split('\n', 1)[0][:120].replace('|', '/')
            self.details = traceback.format_exc()
        if self.problem:
            self.work = None
            release_memory()


def measure(cells: Sequence[Cell], rounds: int, budget: Budget) -> None:
    """Measure cells in turns, after a warm-up of each; print their rows, with the ratios to the first cell."""
    for cell in cells:
        method, start = cell.name[-1], time.monotonic()
        if budget.allows(budget.needed.get(method, 0.0)):
            cell.attempt(cell.warm_up)
            budget.needed[method] = max(budget.needed.get(method, 0.0), time.monotonic() - start)
        else:
            cell.problem = 'skipped: no time is left'
    duration = 0.0
    for number in range(rounds):
        if number > 0 and not budget.allows(duration):
            break
        start = time.monotonic()
        for cell in cells:
            if cell.work is not None:
                cell.attempt(lambda cell=cell: cell.times.append(seconds(cell.work)))
        duration = time.monotonic() - start
    for cell in cells:
        cell.work = cell.prepare = cell.limit = None
        print(cell.row(cells[0]), flush=True)
    torch.compiler.reset()
    release_memory()


def release_memory() -> None:
    """Give the memory of what is no longer used back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
