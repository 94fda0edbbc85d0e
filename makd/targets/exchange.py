"""Import and export of targets: the JSON of the paper's authors."""

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
from makd.files import atomic_file, read_json, read_text
from makd.images import SUFFIXES, find_images
from makd.questions import QuestionSet
from makd.targets.aspect_targets import AspectTargets
from makd.targets.logprobs import sigmoid_of_pair

ALL = 'all'  # instead of the name of a split

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
            anew in each split: then the answers about one split would fit the images of another, so there must be as
            many as images in the split, with the same numbers.
        meta: See :meth:`AspectTargets.write`.
        overwrite: Replace an existing folder of targets.

    Raises:
        TargetsError: The file is damaged, two images have the same stem, Q differs, a value is outside [0, 1], or the
            stems are numbers and no split is named, or one with other numbers.
    """
    answers = _read_answers(Path(source))
    are_numbers = _are_numbers(answers)
    if split is None and are_numbers:
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
    stems_without_image = tuple(sorted(answers.keys() - key_of.keys()))
    images_without_stem = tuple(sorted(set(keys) - set(key_of.values())))
    if are_numbers and split != ALL and (stems_without_image or images_without_stem):
        raise TargetsError(
            f'{source}: {len(stems_without_image)} of its {len(answers)} answers have no image in {split!r}, and '
            f'{len(images_without_stem)} of the {len(keys)} images there have no answer. The stems, like '
            f'{next(iter(answers))!r}, are numbers, so these may be answers about another split. Name the right one '
            '(--split); list the keys of the images that have answers in a text file (--images), and drop answers '
            f'without an image; or say that no number occurs twice in the dataset (--split {ALL})'
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
    return JsonImport(targets, stems_without_image, images_without_stem)


def label_of(key: str) -> int:
    """Return the label in the name of an image that the authors named ``LABEL_INDEX_N.png``.

    Raises:
        TargetsError: The image has another name.
    """
    named = re.fullmatch(r'(\d+)_\d+_\d+', _stem(key))
    if named is None:
        raise TargetsError(
            f'{key} is not named LABEL_INDEX_N, like 12_345_0.png, so its name does not say of which class it is'
        )
    return int(named[1])


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
        check_writable(path, overwrite)
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
    """Say whether the stems are numbers, such as '00012', 'image_00012' or '3_12_0', and differ in nothing else."""
    parts = [re.fullmatch(r'(\D*)\d+(_\d+)*', stem) for stem in stems]
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


def check_writable(path: PathLike, overwrite: bool) -> None:
    """Raise a TargetsError if the file exists and is not to be replaced."""
    if Path(path).exists() and not overwrite:
        raise TargetsError(f'{path} exists: choose another path, or overwrite it (overwrite=True, --overwrite)')
