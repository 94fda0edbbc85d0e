"""The log-probabilities of yes and no, (N, Q, 2) float32: their file, and what they can be."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import numpy as np
from scipy.special import expit

from makd.errors import TargetsError

LOGPROBS = np.dtype('<f4')
# Some log-probabilities come from softmaxes in half precision, whose sum is only about 1.
_TOLERANCE = 1e-3
_CHUNK_BYTES = 1 << 24
_Block = TypeVar('_Block', np.ndarray, list[str])


def sigmoid_of_pair(logprobs: np.ndarray) -> np.ndarray:
    """Return P(yes) = sigmoid(log p(yes) - log p(no)), the probability of yes if only yes and no are possible.

    Args:
        logprobs: (..., 2), [log p(yes), log p(no)]. -inf on one side gives exactly 0 or 1, NaN gives NaN.

    Returns:
        (...) float64 in [0, 1].
    """
    return expit(np.subtract(logprobs[..., 0], logprobs[..., 1], dtype=np.float64))


def find_damage(block: np.ndarray) -> dict[str, np.ndarray]:
    """Return the (n, Q) mask of the damaged answers for each kind of damage; an answer is in at most one mask."""
    missing = np.isnan(block)
    too_high = (block > _TOLERANCE).any(axis=-1)
    with np.errstate(over='ignore'):
        mass = np.exp(block).sum(axis=-1)
    return {
        'one of log p(yes), log p(no) is NaN, the other is not': missing[..., 0] != missing[..., 1],
        'both log p(yes) and log p(no) are -inf': np.isneginf(block).all(axis=-1),
        'a log-probability is above 0': too_high,
        'p(yes) + p(no) is above 1': (mass > 1 + _TOLERANCE) & ~too_high,
    }


def open_array(path: Path) -> np.ndarray:
    """Open an array (N, Q, 2) float32 memory-mapped; raise a TargetsError if it is damaged or of another form."""
    with path.open('rb') as file:
        try:
            if (version := np.lib.format.read_magic(file)) != (1, 0):
                raise ValueError(f'.npy version {version}, expected (1, 0)')
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        except Exception as error:  # the header is parsed as Python, and can raise nearly anything
            raise TargetsError(f'{path} is not a NumPy array ({error}); copy or write the folder again') from None
        header = file.tell()
    if dtype != LOGPROBS or fortran_order or len(shape) != 3 or shape[2] != 2:
        order = ' in Fortran order' if fortran_order else ''
        raise TargetsError(
            f'{path} has {dtype} of shape {shape}{order}, expected float32 of shape (N, Q, 2) in C order'
        )
    expected, size = header + 4 * int(np.prod(shape, dtype=np.int64)), path.stat().st_size
    if size != expected:
        state = 'truncated' if size < expected else 'too long'
        raise TargetsError(
            f'{path} is {state}: {size} bytes on disk, {expected} by its header; copy or write the folder again'
        )
    # A plain view, since slicing a numpy.memmap takes a microsecond longer.
    return np.load(path, mmap_mode='r', allow_pickle=False).view(np.ndarray)


def chunks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, rows) of an array (N, Q, 2), a few megabytes at a time: it may be memory-mapped."""
    step = max(1, _CHUNK_BYTES // (array.shape[1] * 8))
    for start in range(0, len(array), step):
        yield start, np.asarray(array[start : start + step])


def write_blocks(file: BinaryIO, dtype: np.dtype, shape: tuple[int, ...], blocks: Iterable[np.ndarray]) -> str:
    """Write an array of this type and shape, given in blocks of its first axis, as one ``.npy``.

    ``np.save`` bypasses the file object, and does not report why writing failed (a full disk).

    Returns:
        BLAKE2b-64 of what was written, 16 hex digits.
    """
    digest = blake2b(digest_size=8)
    data = (np.ascontiguousarray(block, dtype).data for block in blocks)
    for piece in chain[bytes | memoryview]([npy_header(dtype, shape)], data):
        digest.update(piece)
        file.write(piece)
    return digest.hexdigest()


def npy_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """Return how a ``.npy`` file of an array of this type and shape, in C order, begins."""
    file = BytesIO()
    header = {'descr': np.lib.format.dtype_to_descr(dtype), 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


class RowStream(Generic[_Block]):
    """Blocks of rows one after the other, read in other portions.

    Args:
        blocks: Arrays that agree in all but the number of rows, or lists.
    """

    def __init__(self, blocks: Iterable[_Block]) -> None:
        self._blocks: Iterator[_Block] = iter(blocks)
        self._rest: _Block | None = next(self._blocks, None)

    def take(self, count: int) -> Iterator[_Block]:
        """Yield the next ``count`` rows, as far as there are any.

        The block after them is fetched, too, which may raise that there are too many.
        """
        while count and self._rest is not None:
            taken, self._rest = self._rest[:count], self._rest[count:]
            count -= len(taken)
            if not len(self._rest):
                self._rest = next(self._blocks, None)
            yield taken


def check_fit(folder: Path, expected: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise a TargetsError if log-probabilities have another shape than the folder needs, or are no such numbers."""
    if shape != expected or dtype.kind != 'f' or not expected[0]:
        raise TargetsError(
            f'{folder}: {expected[0]} keys and {expected[1]} questions need floating-point logprobs of shape '
            f'{expected} with at least one image, got {dtype} {shape}'
        )


def checked_blocks(blocks: Iterable[np.ndarray], folder: Path, expected: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the blocks; raise a TargetsError if one has another shape, or there are too many or too few rows."""
    rows, dtype = 0, np.dtype(np.float32)
    for block in blocks:
        rows, dtype = rows + len(block), block.dtype
        check_fit(folder, expected, (max(rows, expected[0]), *block.shape[1:]), dtype)
        yield block
    check_fit(folder, expected, (rows, *expected[1:]), dtype)
