"""Controls: targets that carry no knowledge about the image, to tell knowledge from regularisation."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

import numpy as np

from makd.errors import TargetsError
from makd.questions import QuestionSet
from makd.targets.aspect_targets import AspectTargets, sigmoid_of_pair


class _Control:
    """What a control has in common with the targets that it stands in for: the same images and questions."""

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


class ShuffledTargets(_Control):
    """Targets shuffled between classes: each class gets the answers about another one.

    A derangement of the classes, drawn uniformly, gives each class its donor, never itself. The i-th image of a class
    (keys sorted) reads the answers about image i mod n of the n images of the donor. So every class keeps a consistent
    description, and the answers keep their distribution as far as the classes are equal in size; only what the answers
    say about the image is gone. A student that gains as much from these targets gains by regularisation. This control
    is not the paper's.

    Args:
        targets: The true targets, selected as wanted.
        labels: The class of each image that will be asked for. Images without a row in ``targets`` stay without one.
        seed: Of the derangement.

    Raises:
        TargetsError: Fewer than 2 classes have images in ``targets``.
    """

    def __init__(self, targets: AspectTargets, labels: Mapping[str, int], seed: int) -> None:
        super().__init__(targets)
        rows_of_class: dict[int, list[int]] = {}
        for key in sorted(labels):
            if key in targets:
                rows_of_class.setdefault(labels[key], []).append(targets.row(key))
        classes = sorted(rows_of_class)
        if len(classes) < 2:
            raise TargetsError(
                f'shuffling between classes needs 2 classes with images in {targets.path}, found {len(classes)} '
                f'({len(labels)} labelled images). Are the keys of the labels relative to the data set, like '
                f'{targets.keys[0]!r}?'
            )
        self._donor_row = np.full(len(targets), -1, np.int32)
        for class_, donor in zip(classes, _derangement(len(classes), seed)):
            rows = rows_of_class[class_]
            self._donor_row[rows] = np.resize(rows_of_class[classes[donor]], len(rows))

    def find(self, key: str) -> int | None:
        """Return the row of an image in the targets; None also for an image without a label."""
        row = super().find(key)
        return None if row is None or self._donor_row[row] < 0 else row

    def probability(self, key: str) -> np.ndarray:
        """Return P(yes) of an image of another class.

        Returns:
            (Q,) float32 in [0, 1]; NaN where the donor image has no answer.

        Raises:
            TargetsError: The image has no row, or no label.
        """
        donor = int(self._donor_row[self._targets.row(key)])
        if donor < 0:
            raise TargetsError(
                f'the image {key!r} has no label, so there is no class to shuffle it with: add its label'
            )
        return self._targets.probability(self._targets.keys[donor])


class RandomTargets(_Control):
    """The paper's Table 2, 'Rand': 'random logit following a Gaussian distribution'.

    We read it as: z_yes and z_no are drawn from N(0, 1) for each image and question, once for the whole training, and
    their softmax gives P(yes) = sigmoid(z_yes - z_no). The draw depends on the seed and the key alone, not on order,
    worker or process; the first K questions get the same draw whether more are selected or not.

    Args:
        targets: The true targets, which say for which images and how many questions.
        seed: Of the draw.
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
        # A 128-bit hash is the whole key of the counter-based generator: no state, and cheaper than seeding another.
        digest = blake2b(f'{self._seed}:{key}'.encode(), digest_size=16).digest()
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, 'little')))
        return sigmoid_of_pair(generator.standard_normal((len(self.questions), 2))).astype(np.float32)


def _derangement(count: int, seed: int) -> np.ndarray:
    """Draw a permutation of ``count`` >= 2 elements without a fixed point: (count,) int64, uniform over all of them."""
    generator = np.random.default_rng(seed)
    while True:
        # A permutation is a derangement with probability 1/e, so this takes e attempts on average.
        permutation = generator.permutation(count)
        if not (permutation == np.arange(count)).any():
            return permutation
