"""Import and export of targets: Parquet, as one file or as a data set of several."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from makd.errors import TargetsError
from makd.files import atomic_file, atomic_folder, parse_json
from makd.questions import QuestionSet
from makd.targets.aspect_targets import AspectTargets
from makd.targets.description import Description
from makd.targets.exchange import PathLike, check_writable
from makd.targets.folder import Content
from makd.targets.key_index import KEYS_FILE, encode_keys
from makd.targets.logprobs import RowStream, find_damage, sigmoid_of_pair
from makd.targets.partitions import PARTITION_SIZE, write_answers

ROWS_PER_FILE = 500_000
_SCHEMA_KEY = b'makd'
_OWN_COLUMNS = ('key', 'logprobs')
_SUFFIXES = ('.parquet', '.pq')
_PART = re.compile(r'part-\d{5}-of-(\d{5})\.parquet')


def export_parquet(
    targets: AspectTargets,
    destination: PathLike,
    *,
    rows_per_file: int = ROWS_PER_FILE,
    overwrite: bool = False,
) -> None:
    """Write Parquet: ``key``, a column of P(yes) per question id, and ``logprobs`` for an exact import.

    A missing answer is null in the question's column, so that means and comparisons of databases pass over it.
    ``logprobs`` is a list of 2 Q float32: log p(yes), log p(no) of the first question, then of the second. The schema's
    metadata has questions, meta and whether there is a label mass under ``makd``.

    Args:
        targets: The answers.
        destination: A file, if the name ends with ``.parquet`` or ``.pq``; else the folder of a data set, with files
            ``part-00000-of-00003.parquet``.
        rows_per_file: The most images in a file of a data set.
        overwrite: Replace an existing file, or an existing folder with such files only.

    Raises:
        TargetsError: pyarrow is absent, a question's id is that of a column of ours, ``rows_per_file`` is below 1, or
            the destination exists and is not to be replaced.
    """
    if rows_per_file < 1:
        raise TargetsError(f'rows_per_file={rows_per_file} must be at least 1')
    pa, pq = _import_pyarrow()
    path = Path(destination)
    questions = targets.questions
    if taken := set(questions.ids) & set(_OWN_COLUMNS):
        raise TargetsError(f'{targets.path}: the question id {min(taken)!r} is the name of another column; rename it')
    content = json.dumps(
        {'question_set': questions.to_dict(), 'meta': targets.meta, 'has_label_mass': targets.has_label_mass}
    )
    schema = pa.schema(
        [
            pa.field('key', pa.string()),
            *(pa.field(id_, pa.float32()) for id_ in questions.ids),
            pa.field('logprobs', pa.list_(pa.float32(), 2 * len(questions))),
        ],
        metadata={_SCHEMA_KEY: content.encode()},
    )
    blocks = RowStream(block for _, block in targets.blocks())

    def write(file: BinaryIO, rows: range) -> None:
        start = rows.start
        with pq.ParquetWriter(file, schema) as writer:
            for block in blocks.take(len(rows)):
                probability = sigmoid_of_pair(block).astype(np.float32)
                columns = [pa.array(targets.keys[start : start + len(block)], pa.string())]
                columns += [pa.array(column, from_pandas=True) for column in probability.T]  # NaN is null
                columns.append(pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), 2 * len(questions)))
                writer.write_table(pa.table(columns, schema=schema))
                start += len(block)

    check_writable(path, overwrite)
    if path.suffix in _SUFFIXES:
        with atomic_file(path) as file:
            write(file, range(len(targets)))
        return
    if path.is_file():
        raise TargetsError(f'{path} is a file, and the data set would be a folder: name a file *.parquet, or a folder')
    if path.exists() and (foreign := sorted(name for name in os.listdir(path) if not _PART.fullmatch(name))):
        raise TargetsError(f'{path} also holds {foreign[0]!r} and would lose it: move it away or choose another path')
    starts = range(0, len(targets), rows_per_file)
    with atomic_folder(path) as temporary:
        for number, start in enumerate(starts):
            with (temporary / f'part-{number:05d}-of-{len(starts):05d}.parquet').open('wb') as file:
                write(file, range(start, min(start + rows_per_file, len(targets))))


def import_parquet(
    source: PathLike, destination: PathLike, *, partition_size: int = PARTITION_SIZE, overwrite: bool = False
) -> AspectTargets:
    """Turn Parquet of :func:`export_parquet` into a folder of the same keys, answers, questions and metadata.

    Parquet has neither the reasons for missing answers (``failed.jsonl``) nor the fingerprints of the images. Only the
    columns ``key`` and ``logprobs`` and the schema's metadata are read; P(yes) follows from them.

    Args:
        source: A file, or a folder of files, which are read in the order of their names.
        destination: The folder of targets.
        partition_size: See :meth:`AspectTargets.write`.
        overwrite: Replace an existing folder of targets.

    Raises:
        TargetsError: pyarrow is missing; or a file is damaged, not from makd, or of other targets than the first one;
            or a file is missing.
    """
    folder, files = Path(destination).absolute(), _find_files(Path(source))
    description, count = _describe(files)
    if not count:
        raise TargetsError(f'{source} has no rows; export the answers again')
    num_questions = len(description.questions)
    keys = RowStream(_keys(path, batch) for path, batch in _batches(files, ['key']))
    answers = RowStream(_logprobs(path, batch, num_questions) for path, batch in _batches(files, _OWN_COLUMNS))

    def content(rows: range) -> Content:
        listed = [key for block in keys.take(len(rows)) for key in block]
        if len(listed) < len(rows):
            raise TargetsError(
                f'{source} is damaged: {rows.start + len(listed)} of its {count} rows can be read; export again'
            )
        return Content(encode_keys(listed, folder / KEYS_FILE, first=rows.start), answers.take(len(rows)))

    write_answers(folder, description, count, content, partition_size=partition_size, overwrite=overwrite)
    return AspectTargets.open(folder)


def _find_files(source: Path) -> list[Path]:
    """Return the files of a data set in order; raise a TargetsError if there are none, or some are missing."""
    if not source.is_dir():
        return [source]
    files = sorted(path for path in source.iterdir() if path.suffix in _SUFFIXES and path.name[0] not in '._')
    if not files:
        raise TargetsError(f'{source} has no Parquet files (*.parquet): give the folder that to-parquet wrote')
    for path in files:
        if part := _PART.fullmatch(path.name):
            expected = [f'part-{number:05d}-of-{part[1]}.parquet' for number in range(int(part[1]))]
            if missing := sorted({*expected} - {other.name for other in files}):
                raise TargetsError(
                    f'{source} lacks {len(missing)} of {len(expected)} files, first {missing[0]}: copy them again'
                )
            if len(files) > len(expected):
                raise TargetsError(
                    f'{source} has files of two exports: {path.name} and others; export into a new folder'
                )
    return files


def _describe(files: Sequence[Path]) -> tuple[Description, int]:
    """Return the description that all files have, and the number of their rows."""
    _, pq = _import_pyarrow()
    first: Description | None = None
    count = 0
    for path in files:
        with _reading(path), pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            content = parse_json((schema.metadata or {}).get(_SCHEMA_KEY, b'null'), path, TargetsError)
            rows = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
            if sum(rows) != file.metadata.num_rows:
                raise TargetsError(
                    f'{path} is damaged: its parts have {sum(rows)} rows, it has {file.metadata.num_rows}'
                )
            count += sum(rows)
        if not isinstance(content, dict) or not {*_OWN_COLUMNS} <= {*schema.names}:
            raise TargetsError(
                f'{path} is not Parquet from makd: it needs the columns {" and ".join(_OWN_COLUMNS)}, '
                'and the questions under "makd" in the metadata of its schema'
            )
        questions = QuestionSet.from_dict(content.get('question_set'))
        if not isinstance(meta := content.get('meta') or {}, dict):
            raise TargetsError(f'{path}: "meta" must be a JSON object, got {meta!r:.100}; export the answers again')
        found = Description(questions, meta, content.get('has_label_mass', True) is not False)
        first = first or found
        if found != first:
            raise TargetsError(
                f'{path} has answers to other questions, or from another annotator, than {files[0]}: export them into '
                'different folders'
            )
    assert first is not None
    return first, count


def _batches(files: Sequence[Path], columns: Sequence[str]) -> Iterator[tuple[Path, Any]]:
    """Yield some rows of these columns at a time, with their file."""
    _, pq = _import_pyarrow()
    for path in files:
        with _reading(path), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=list(columns)):
                yield path, batch


def _keys(path: Path, batch: Any) -> list[str]:
    with _reading(path):
        return batch.column('key').to_pylist()


def _logprobs(path: Path, batch: Any, count: int) -> np.ndarray:
    """Return the log-probabilities of some rows, (n, Q, 2); raise a TargetsError if they are damaged."""
    pa, _ = _import_pyarrow()
    with _reading(path):
        lists = batch.column('logprobs')
        lengths = pa.compute.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        values = lists.flatten().to_numpy(zero_copy_only=False)
    if len(uneven := np.flatnonzero(lengths != 2 * count)):
        row = int(uneven[0])
        raise TargetsError(
            f'{path}: the column logprobs has {lengths[row]} values for {_keys(path, batch)[row]!r}, expected '
            f'{2 * count}, log p(yes) and log p(no) of each question; export the answers again'
        )
    logprobs = values.reshape(len(batch), count, 2).astype(np.float32)
    for damage, mask in find_damage(logprobs).items():
        if len(damaged := np.flatnonzero(mask.any(axis=1))):
            raise TargetsError(
                f'{path}: {damage}, first of {_keys(path, batch)[damaged[0]]!r}; export the answers again'
            )
    return logprobs


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises into a TargetsError."""
    pa, _ = _import_pyarrow()
    try:
        yield
    except (OSError, UnicodeError, pa.ArrowException) as error:
        raise TargetsError(f'cannot read {path} as Parquet: {error}') from None


def _import_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise TargetsError('Parquet needs the package pyarrow: pip install pyarrow') from None
    return pyarrow, pyarrow.parquet
