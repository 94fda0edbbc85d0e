"""Rows of several partitions, one after the other: each partition is opened when a row of it is read."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain

import numpy as np

from makd.targets.key_index import KeyIndex, Keys


class ChainedArray:
    """Read-only arrays as one, which is never in memory as a whole.

    Args:
        starts: The first row of each array, and the number of all rows.
        open_array: Returns the array of a number.
        row_shape: Shape of a row.
        dtype: Type of the elements.
    """

    def __init__(
        self,
        starts: Sequence[int],
        open_array: Callable[[int], np.ndarray],
        row_shape: tuple[int, ...],
        dtype: np.dtype,
    ) -> None:
        self._starts = starts
        self._open_array = open_array
        self._row_shape = row_shape
        self.dtype = dtype

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all arrays together."""
        return len(self), *self._row_shape

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """Return a row, or a copy of some rows; rows in one array that follow each other are not copied.

        An array has the numbers of rows, (n,), or is a mask of all, (N,) bool.
        """
        if isinstance(rows, slice):
            wanted = range(len(self))[rows]
            return self._run(wanted) if wanted.step == 1 else self._gather(np.array(wanted, np.int64))
        if isinstance(rows, np.ndarray):
            if rows.dtype == bool:
                rows = self._rows_of(rows)
            return self._gather(np.where(rows < 0, rows + len(self), rows))
        row = range(len(self))[rows]
        number = bisect_right(self._starts, row) - 1
        return self._open_array(number)[row - self._starts[number]]

    def _run(self, rows: range) -> np.ndarray:
        first = bisect_right(self._starts, rows.start) - 1
        last = bisect_right(self._starts, rows.stop - 1)
        pieces = [
            self._open_array(number)[max(rows.start - self._starts[number], 0) : rows.stop - self._starts[number]]
            for number in range(first, last)
        ]
        if not rows:
            return np.empty((0, *self._row_shape), self.dtype)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _rows_of(self, mask: np.ndarray) -> np.ndarray:
        if mask.shape != (len(self),):
            raise IndexError(f'a boolean mask of shape {mask.shape} does not select from {len(self)} rows')
        return np.flatnonzero(mask)

    def _gather(self, rows: np.ndarray) -> np.ndarray:
        if len(outside := rows[(rows < 0) | (rows >= len(self))]):
            raise IndexError(f'row {outside[0]} is out of range: there are {len(self)}')
        numbers = np.searchsorted(self._starts, rows, side='right') - 1
        gathered = np.empty((len(rows), *self._row_shape), self.dtype)
        for number in np.unique(numbers).tolist():
            mine = numbers == number
            gathered[mine] = self._open_array(number)[rows[mine] - self._starts[number]]
        return gathered


class ChainedKeys(Keys):
    """The keys of all partitions in row order, which finds the row of a key in microseconds.

    A key is looked for in those partitions between whose first and last key it lies: in one of them, if the keys are
    sorted.

    Args:
        starts: The first row of each partition, and the number of all rows.
        ranges: The smallest and the largest key of each partition.
        open_keys: Returns the keys of the partition of a number.
    """

    def __init__(
        self, starts: Sequence[int], ranges: Sequence[tuple[str, str]], open_keys: Callable[[int], KeyIndex]
    ) -> None:
        self._starts = starts
        self._open_keys = open_keys
        # By the smallest keys: who looks for a key goes back from the last partition that may have it, as long as one
        # before reaches that far.
        self._numbers = sorted(range(len(ranges)), key=ranges.__getitem__)
        self._smallest = [ranges[number][0] for number in self._numbers]
        self._largest = [ranges[number][1] for number in self._numbers]
        self._reach = list(accumulate(self._largest, max))

    def __len__(self) -> int:
        return self._starts[-1]

    def _at(self, row: int) -> str:
        number = bisect_right(self._starts, row) - 1
        return self._open_keys(number)[row - self._starts[number]]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(map(self._open_keys, range(len(self._numbers))))

    def find(self, key: str) -> int | None:
        """Return the row of ``key``, or None."""
        position = bisect_right(self._smallest, key)
        while position and self._reach[position - 1] >= key:
            position -= 1
            if self._largest[position] >= key:
                number = self._numbers[position]
                row = self._open_keys(number).find(key)
                if row is not None:
                    return self._starts[number] + row
        return None

    def same_name(self, key: str) -> str | None:
        """Return the first key with the file name of ``key``, in any folder, or None. This reads all keys."""
        found = (self._open_keys(number).same_name(key) for number in range(len(self._numbers)))
        return next((other for other in found if other is not None), None)

    @property
    def overlap(self) -> bool:
        """Whether a key may lie between the smallest and the largest key of several partitions."""
        return any(reach >= smallest for reach, smallest in zip(self._reach, self._smallest[1:]))
