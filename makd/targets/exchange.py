"""Import and export of targets: the JSON of the paper's authors, and Parquet."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from makd.errors import TargetsError
from makd.files import atomic_file, parse_json, read_json, read_text
from makd.images import SUFFIXES, find_images
from makd.questions import QuestionSet
from makd.targets.aspect_targets import AspectTargets
from makd.targets.logprobs import find_damage, sigmoid_of_pair

ALL = 'all'  # instead of the name of a split
_SCHEMA_KEY = b'makd'
_PARQUET_OWN_COLUMNS = ('key', 'logprobs')

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class JsonImport:
    """The result of importing a JSON file.

    Attributes:
        targets: The new folder.
        stems_without_image: Stems in the JSON file without an image, sorted; their answers are left out.
        images_without_stem: Keys without an entry in the JSON file, sorted; the folder has no row for them.
    """

    targets: AspectTargets
    stems_without_image: tuple[str, ...]
    images_without_stem: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f'wrote {len(self.targets)} images x {len(self.targets.questions)} questions to {self.targets.path}']
        for what, names in (
            ('answers without an image', self.stems_without_image),
            ('images without answers', self.images_without_stem),
        ):
            if names:
                lines.append(f'{len(names)} {what}: {", ".join(names[:10])}{", ..." if len(names) > 10 else ""}')
        return '\n'.join(lines)


def list_images(source: PathLike, split: str | None = None) -> list[str]:
    """Return the keys of a dataset's images.

    Args:
        source: The dataset's root, scanned for image files, or a text file with one key per line.
        split: Only the images in folders of this name, which the root may be itself; None and 'all' for all.

    Returns:
        POSIX paths relative to the root: sorted if scanned, else in the order of the file.

    Raises:
        TargetsError: ``source`` is missing or has no image, or none of the split.
    """
    path = Path(source)
    if path.is_dir():
        keys = find_images(str(path))
    else:
        keys = [line for line in read_text(path, TargetsError).split('\n') if line.strip()]
    if not keys:
        raise TargetsError(f'{path} has no images ({", ".join(SUFFIXES)}): give the root of the dataset')
    if split in (None, ALL) or (path.is_dir() and path.resolve().name == split):
        return keys
    if not (in_split := [key for key in keys if split in key.split('/')[:-1]]):
        raise TargetsError(
            f'{path}: none of its {len(keys)} images, like {keys[0]!r}, is in a folder {split!r} (--split): name a '
            f'folder of the images that the answers are about, or {ALL!r}'
        )
    return in_split


def import_json(
    source: PathLike,
    destination: PathLike,
    *,
    questions: QuestionSet,
    keys: Sequence[str],
    split: str | None = None,
    meta: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> JsonImport:
    """Turn the authors' JSON, ``{image stem: [p_1, ..., p_Q]}``, into a folder of targets.

    A stem is an image's file name without folder and suffix. P(yes) = p is stored as log p and log(1 - p), and these
    targets have no label mass; null and NaN are missing answers.

    Args:
        source: The JSON file.
        destination: The folder of targets.
        questions: The Q questions, see :meth:`QuestionSet.from_text`.
        keys: The images that the answers are about, see :func:`list_images`.
        split: The split that they are, or 'all'. It must be named if the stems are numbers, which many datasets begin
            anew in each split: then the answers about one split would fit the images of another.
        meta: See :meth:`AspectTargets.write`.
        overwrite: Replace an existing folder of targets.

    Raises:
        TargetsError: The file is damaged, two images have the same stem, Q differs, a value is outside [0, 1], or the
            stems are numbers and no split is named.
    """
    answers = _read_answers(Path(source))
    if split is None and _are_numbers(answers):
        raise TargetsError(
            f'{source}: its {len(answers)} stems, like {next(iter(answers))!r}, are numbers. Many datasets begin anew '
            'in each split, so that answers about training images would fit test images as well. Name the split that '
            f'the answers are about (split=..., --split): a folder of its images, or {ALL!r} if no number occurs twice '
            'in the dataset'
        )
    key_of = _key_of_stem((key for key in keys if _stem(key) in answers), source)
    if not key_of:
        raise TargetsError(
            f'{source}: none of its {len(answers)} stems, like {next(iter(answers), None)!r}, belongs to one of the '
            f'{len(keys)} images, like {keys[0]!r}: are these the annotated images?'
        )
    logprobs = np.empty((len(key_of), len(questions), 2), np.float32)
    for row, stem in enumerate(key_of):
        probability = _parse_row(answers[stem], stem, questions, source)
        with np.errstate(divide='ignore'):
            logprobs[row] = np.stack([np.log(probability), np.log1p(-probability)], axis=-1)
    targets = AspectTargets.write(
        destination,
        questions=questions,
        keys=key_of.values(),
        logprobs=logprobs,
        meta=meta,
        has_label_mass=False,
        overwrite=overwrite,
    )
    return JsonImport(
        targets, tuple(sorted(answers.keys() - key_of.keys())), tuple(sorted(set(keys) - set(key_of.values())))
    )


def export_json(
    targets: AspectTargets, destination: PathLike, questions_destination: PathLike, *, overwrite: bool = False
) -> None:
    """Write the authors' JSON, and the questions as text, one per line.

    Only P(yes) is kept: the label mass, the folders of the images, and ids and kinds of the questions are lost. A
    missing answer is null.

    Raises:
        TargetsError: Two images have the same stem, or a file exists and ``overwrite`` is False.
    """
    for path in (destination, questions_destination):
        _check_writable(path, overwrite)
    stems = list(_key_of_stem(targets.keys, targets.path))
    with atomic_file(Path(questions_destination)) as file:
        file.write(''.join(f'{text}\n' for text in targets.questions.texts).encode('utf-8'))
    with atomic_file(Path(destination)) as file:
        separator = '{\n'
        for start, block in targets.blocks():
            for row, probability in enumerate(sigmoid_of_pair(block).tolist(), start=start):
                values = [None if value != value else value for value in probability]
                file.write(f'{separator}{json.dumps(stems[row])}: {json.dumps(values)}'.encode())
                separator = ',\n'
        file.write(b'\n}\n')


def export_parquet(targets: AspectTargets, destination: PathLike, *, overwrite: bool = False) -> None:
    """Write Parquet: ``key``, a column of P(yes) per question id, and ``logprobs`` for an exact import.

    ``logprobs`` is a list of 2 Q float32: log p(yes), log p(no) of the first question, then of the second. The schema's
    metadata has questions, meta and whether there is a label mass under ``makd``.

    Raises:
        TargetsError: pyarrow is absent, a question's id is that of a column of ours, or the file exists and is not to
            be overwritten.
    """
    pa, pq = _import_pyarrow()
    _check_writable(destination, overwrite)
    questions = targets.questions
    if taken := set(questions.ids) & set(_PARQUET_OWN_COLUMNS):
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
    with atomic_file(Path(destination)) as file, pq.ParquetWriter(file, schema) as writer:
        for start, block in targets.blocks():
            probability = sigmoid_of_pair(block).astype(np.float32)
            columns = [pa.array(targets.keys[start : start + len(block)], pa.string())]
            columns += [pa.array(column) for column in probability.T]
            columns.append(pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), 2 * len(questions)))
            writer.write_table(pa.table(columns, schema=schema))


def import_parquet(source: PathLike, destination: PathLike, *, overwrite: bool = False) -> AspectTargets:
    """Turn a Parquet file of :func:`export_parquet` into a folder equal to the exported one, without fingerprints.

    Only the columns ``key`` and ``logprobs`` and the schema's metadata are read; P(yes) follows from them.

    Raises:
        TargetsError: pyarrow is missing, or the file is damaged or not from makd.
    """
    pa, pq = _import_pyarrow()
    try:
        with pq.ParquetFile(source) as file:
            schema = file.schema_arrow
            content = parse_json((schema.metadata or {}).get(_SCHEMA_KEY, b'null'), source, TargetsError)
            if not isinstance(content, dict) or not {*_PARQUET_OWN_COLUMNS} <= {*schema.names}:
                raise TargetsError(
                    f'{source} is not Parquet from makd: it needs the columns {" and ".join(_PARQUET_OWN_COLUMNS)}, '
                    'and the questions under "makd" in the metadata of its schema'
                )
            questions = QuestionSet.from_dict(content.get('question_set'))
            logprobs = np.empty((file.metadata.num_rows, len(questions), 2), np.float32)
            keys: list[str] = []
            for batch in file.iter_batches(columns=list(_PARQUET_OWN_COLUMNS)):
                rows = slice(len(keys), len(keys) + len(batch))
                keys += batch.column('key').to_pylist()
                lists = batch.column('logprobs')
                lengths = pa.compute.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
                if len(uneven := np.flatnonzero(lengths != 2 * len(questions))):
                    row = int(uneven[0])
                    raise TargetsError(
                        f'{source}: the column logprobs has {lengths[row]} values for {keys[rows.start + row]!r}, '
                        f'expected {2 * len(questions)}, log p(yes) and log p(no) of each question; export the answers '
                        'again'
                    )
                values = lists.flatten().to_numpy(zero_copy_only=False)
                logprobs[rows] = values.reshape(len(batch), len(questions), 2)
            if len(keys) < len(logprobs):
                raise TargetsError(f'{source} is damaged: {len(keys)} of its {len(logprobs)} rows can be read')
    except (OSError, UnicodeError, pa.ArrowException) as error:
        raise TargetsError(f'cannot read {source} as Parquet: {error}') from None
    for damage, mask in find_damage(logprobs).items():
        if len(damaged := np.flatnonzero(mask.any(axis=1))):
            raise TargetsError(f'{source}: {damage}, first of {keys[damaged[0]]!r}; export the answers again')
    return AspectTargets.write(
        destination,
        questions=questions,
        keys=keys,
        logprobs=logprobs,
        meta=content.get('meta') or {},
        has_label_mass=content.get('has_label_mass', True) is not False,
        overwrite=overwrite,
    )


def _read_answers(path: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            twice = Counter(stem for stem, _ in pairs).most_common(1)[0][0]
            raise TargetsError(f'{path}: the stem {twice!r} occurs twice; drop one of them')
        return content

    answers = read_json(path, TargetsError, object_pairs_hook=unique)
    if not isinstance(answers, dict):
        raise TargetsError(f'{path}: expected {{image stem: [p_1, ..., p_Q]}}, got a {type(answers).__name__}')
    return answers


def _parse_row(values: object, stem: str, questions: QuestionSet, source: PathLike) -> np.ndarray:
    if not isinstance(values, list) or len(values) != len(questions):
        got = f'{len(values)} values' if isinstance(values, list) else repr(values)
        raise TargetsError(
            f'{source}: the stem {stem!r} has {got}, expected a list of {len(questions)}, one per question'
        )
    for value, question in zip(values, questions):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        # NaN fails neither comparison: like None it is a missing answer.
        if value is not None and (not is_number or value < 0 or value > 1):
            raise TargetsError(
                f'{source}: stem {stem!r}, question {question.id!r} ({question.text!r}): {value!r} is not a '
                'probability; expected a number in [0, 1], or null where there is no answer'
            )
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _are_numbers(stems: Iterable[str]) -> bool:
    """Say whether the stems are numbers, such as '00012' or 'image_00012', and differ in nothing else."""
    parts = [re.fullmatch(r'(\D*)\d+', stem) for stem in stems]
    return len({part and part[1] for part in parts}) == 1 and parts[0] is not None


def _stem(key: str) -> str:
    return PurePosixPath(key).stem


def _key_of_stem(keys: Iterable[str], source: object) -> dict[str, str]:
    key_of: dict[str, str] = {}
    for key in keys:
        if (other := key_of.setdefault(_stem(key), key)) != key:
            raise TargetsError(
                f'{source}: the stem {_stem(key)!r} is ambiguous, both {other!r} and {key!r} have it, and the JSON '
                'format identifies an image by its stem alone. If the answers are about one split, name it (--split); '
                'else rename one of them, or use another format'
            )
    return key_of


def _check_writable(path: PathLike, overwrite: bool) -> None:
    if Path(path).exists() and not overwrite:
        raise TargetsError(f'{path} exists: choose another path, or overwrite it (overwrite=True, --overwrite)')


def _import_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise TargetsError('Parquet needs the package pyarrow: pip install pyarrow') from None
    return pyarrow, pyarrow.parquet
