"""Where the teacher's answers meet the images."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmcv.transforms import BaseTransform

from makd.datasets.image_key import image_key
from makd.datasets.wrapped import walk_datasets
from makd.errors import ConfigError
from makd.registry import TRANSFORMS
from makd.targets import AspectTargets

SEEN_AT_MOST = 10_000  # images whose answers a worker keeps: a few MB


@TRANSFORMS.register_module()
class LoadAspectTargets(BaseTransform):
    """Set ``gt_aspects``, the teacher's P(yes) for each question, on a packed data sample.

    It stands after ``PackInputs`` or ``PackDetInputs`` and reads nothing but the sample's ``img_path``, so one
    transform serves classification and detection. An image's key is its path relative to ``data_root``.

    Required key: ``data_samples`` (with ``img_path``). Modified: ``data_samples.gt_aspects``, a float32 tensor (Q,) in
    [0, 1]; NaN where the teacher has no answer.

    Args:
        targets (str): A targets folder (see ``makd.targets.AspectTargets``).
        data_root (str): The folder that the targets' keys are relative to.
        missing (str): What an image without targets is: an 'error', or 'ignore' for NaN, which the loss leaves out.
            Defaults to 'error'.
        top (int, optional): Take only the first ``top`` questions. Defaults to None.
        question_ids (Sequence[str], optional): Take only these questions, in this order. Defaults to None.

    Raises:
        ConfigError: If ``missing`` is neither 'error' nor 'ignore', or an image lies outside ``data_root``.
        TargetsError: If the folder is absent or damaged; while loading, if an image has no targets.
    """

    def __init__(
        self,
        targets: str,
        data_root: str,
        missing: str = 'error',
        top: int | None = None,
        question_ids: Sequence[str] | None = None,
    ) -> None:
        if missing not in ('error', 'ignore'):
            raise ConfigError(f"makd.LoadAspectTargets: missing={missing!r} must be 'error' or 'ignore'.")
        opened = AspectTargets.open(targets)
        selected = top is not None or question_ids is not None
        self.targets = opened.select(question_ids=question_ids, top=top) if selected else opened
        self.data_root = os.path.join(data_root, '')
        self.missing = missing

    @property
    def targets(self) -> Any:
        """The targets: ``AspectTargets``, or a control that ``AblateAspectTargetsHook`` has put in their place."""
        return self._targets

    @targets.setter
    def targets(self, targets: Any) -> None:
        self._targets = targets
        self._seen: dict[str, torch.Tensor] = {}

    @property
    def num_aspects(self) -> int:
        """Q, the number of questions that each target answers."""
        return len(self.targets.questions)

    def key(self, img_path: str) -> str:
        """Return the targets' key of an image: its POSIX path relative to ``data_root``."""
        return image_key(img_path, self.data_root)

    def transform(self, results: dict) -> dict:
        """Set ``gt_aspects`` on ``results['data_samples']``."""
        data_sample = results['data_samples']
        aspects = self._seen.get(data_sample.img_path)
        if aspects is None:
            aspects = self._look_up(self.key(data_sample.img_path))
            # Small pictures are loaded so fast that looking up the answers would be felt; small sets are soon all here.
            if len(self._seen) < SEEN_AT_MOST:
                self._seen[data_sample.img_path] = aspects
        data_sample.set_field(aspects, 'gt_aspects')
        return results

    def _look_up(self, key: str) -> torch.Tensor:
        if self.missing == 'ignore' and key not in self.targets:
            return torch.full((self.num_aspects,), torch.nan)
        return torch.from_numpy(self.targets.probability(key))

    def __repr__(self) -> str:
        arguments = f'targets={str(self.targets.path)!r}, data_root={self.data_root!r}, missing={self.missing!r}'
        return f'{type(self).__name__}({arguments})'


def aspect_datasets(dataset: Any) -> Iterator[tuple[Any, LoadAspectTargets]]:
    """Yield each data set that loads aspect targets, with its transform: this one, or those that it wraps."""
    for inner in walk_datasets(dataset):
        pipeline = getattr(inner, 'pipeline', None)
        for transform in getattr(pipeline, 'transforms', None) or ():
            if isinstance(transform, LoadAspectTargets):
                yield inner, transform


def training_aspect_datasets(dataset: Any) -> list[tuple[Any, LoadAspectTargets]]:
    """Return ``aspect_datasets`` of the training set; raise a ConfigError if it loads no aspect targets."""
    pairs = list(aspect_datasets(dataset))
    if not pairs:
        raise ConfigError(
            'No pipeline of train_dataloader.dataset has aspect targets. End it with '
            "dict(type='makd.LoadAspectTargets', targets=..., data_root=...)."
        )
    return pairs
