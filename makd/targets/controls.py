"""Controls: targets without knowledge about the image, which separate knowledge from regularisation."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path

import numpy as np

from makd.errors import TargetsError
from makd.questions import QuestionSet
from makd.targets.aspect_targets import AspectTargets
from makd.targets.logprobs import sigmoid_of_pair


class _Control:
    """The common part of the controls: the images and questions of the true targets."""

    def __init__(self, targets: AspectTargets) -> None:
        self._targets = targets

    @property
    def questions(self) -> QuestionSet:
        """The questions of the targets."""
        return self._targets.questions

    @property
    def path(self) -> Path:
        """The folder of the targets."""
        return self._targets.path

    def find(self, key: str) -> int | None:
        """Return the row of an image in the targets, or None."""
        return self._targets.find(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.find(key) is not None


class _Donated(_Control):
    """Targets that give each labelled image the answers about another one, its donor.

    Args:
        targets: The true targets, with the selected questions.
        labels: The class of each image that will be read. Images without a row in ``targets`` stay without one.
        seed: Seed of the choice.
    """

    def __init__(self, targets: AspectTargets, labels: Mapping[str, int], seed: int) -> None:
        super().__init__(targets)
        self._num_labelled = len(labels)
        rows_of_class: dict[int, list[int]] = {}
        for key in sorted(labels):
            if key in targets:
                rows_of_class.setdefault(labels[key], []).append(targets.row(key))
        self._donor_row = np.full(len(targets), -1, np.int32)
        for rows, donors in self._donors(dict(sorted(rows_of_class.items())), seed):
            self._donor_row[rows] = donors

    @abstractmethod
    def _donors(self, rows_of_class: Mapping[int, list[int]], seed: int) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield rows and their donors, given the rows of each class in the order of their keys."""

    def find(self, key: str) -> int | None:
        """Return the row of an image in the targets; None also for an image without a label."""
        row = super().find(key)
        return None if row is None or self._donor_row[row] < 0 else row

    def probability(self, key: str) -> np.ndarray:
        """Return P(yes) of the donor of an image.

        Returns:
            (Q,) float32 in [0, 1]; NaN where the donor has no answer.

        Raises:
            TargetsError: The image has no row, or no label.
        """
        donor = int(self._donor_row[self._targets.row(key)])
        if donor < 0:
            raise TargetsError(
                f'the image {key!r} has no label, so there is no class to shuffle it with: add its label'
            )
        return self._targets.probability(self._targets.keys[donor])


class ShuffledTargets(_Donated):
    """Targets shuffled between classes: each class gets the answers about another class.

    A derangement of the classes, drawn uniformly, gives each class a donor other than itself. The i-th image of a class
    (keys sorted) gets the answers about image i mod n of the donor's n images. So every class keeps a consistent
    description, and the answers keep their distribution as far as the classes are equal in size; only their information
    about the image is lost. A student that gains as much from these targets gains by regularisation. This control is
    not from the paper.

    Args:
        targets: The true targets, with the selected questions.
        labels: The class of each image that will be read. Images without a row in ``targets`` stay without one.
        seed: Seed of the derangement.

    Raises:
        TargetsError: Fewer than 2 classes have images in ``targets``.
    """

    def _donors(self, rows_of_class: Mapping[int, list[int]], seed: int) -> Iterator[tuple[list[int], np.ndarray]]:
        classes = list(rows_of_class)
        if len(classes) < 2:
            raise TargetsError(
                f'shuffling between classes needs 2 classes with images in {self.path}, found {len(classes)} '
                f'({self._num_labelled} labelled images). Are the keys of the labels relative to the dataset, like '
                f'{self._targets.keys[0]!r}?'
            )
        for class_, donor in zip(classes, _derangement(len(classes), seed)):
            rows = rows_of_class[class_]
            yield rows, np.resize(rows_of_class[classes[donor]], len(rows))


class ShuffledWithinTargets(_Donated):
    """Targets shuffled within each class: each image gets the answers about another image of its class.

    A derangement of the images of each class, drawn uniformly, gives each of them a donor. So a student learns all that
    its label says about the answers, and nothing that only the picture says. What it gains from the true targets beyond
    this control comes from the pictures. The only image of a class keeps its own answers. This control is not from the
    paper.

    Args:
        targets: The true targets, with the selected questions.
        labels: The class of each image that will be read. Images without a row in ``targets`` stay without one.
        seed: Seed of the derangements.

    Raises:
        TargetsError: No class has 2 images in ``targets``.
    """

    def _donors(self, rows_of_class: Mapping[int, list[int]], seed: int) -> Iterator[tuple[list[int], np.ndarray]]:
        if max(map(len, rows_of_class.values()), default=0) < 2:
            raise TargetsError(
                f'shuffling within classes needs a class with 2 images in {self.path}. Are the keys of the labels '
                f'relative to the dataset, like {self._targets.keys[0]!r}?'
            )
        for class_, rows in rows_of_class.items():
            yield rows, np.array(rows)[_derangement(len(rows), (seed, class_))] if len(rows) > 1 else np.array(rows)


class RandomTargets(_Control):
    """The paper's Table 2, 'Rand': 'random logit following a Gaussian distribution'.

    We read this as follows: z_yes and z_no are drawn from N(0, 1) for each image and question, once for the whole
    training, and their softmax gives P(yes) = sigmoid(z_yes - z_no). The draw depends only on the seed and the key, not
    on order, worker or process; the first K questions get the same draw whether more are selected or not.

    Args:
        targets: The true targets, for the images and the number of questions.
        seed: Seed of the draw.
    """

    def __init__(self, targets: AspectTargets, seed: int) -> None:
        super().__init__(targets)
        self._seed = seed

    def probability(self, key: str) -> np.ndarray:
        """Return the random P(yes) of an image.

        Returns:
            (Q,) float32 in (0, 1).

        Raises:
            TargetsError: The image has no row.
        """
        self._targets.row(key)
        # A 128-bit hash is the whole key of a counter-based generator, which is cheaper than seeding another kind.
        digest = blake2b(f'{self._seed}:{key}'.encode(), digest_size=16).digest()
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, 'little')))
        return sigmoid_of_pair(generator.standard_normal((len(self.questions), 2))).astype(np.float32)


def _derangement(count: int, seed: int | tuple[int, ...]) -> np.ndarray:
    """Draw a permutation of ``count`` >= 2 elements without a fixed point: (count,) int64, uniform over all of them."""
    generator = np.random.default_rng(seed)
    while True:
        # A permutation is a derangement with probability 1/e, so this takes e attempts on average.
        permutation = generator.permutation(count)
        if not (permutation == np.arange(count)).any():
            return permutation
