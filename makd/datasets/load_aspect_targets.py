"""Where the annotator's answers meet the images."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from makd.datasets.load_targets import LoadTargets, target_transforms
from makd.errors import ConfigError
from makd.registry import TRANSFORMS
from makd.targets import AspectTargets


@TRANSFORMS.register_module()
class LoadAspectTargets(LoadTargets):
    """Set ``gt_aspects``, the annotator's P(yes) for each question, on a packed data sample.

    It stands after ``PackInputs`` or ``PackDetInputs`` and reads nothing but the sample's ``img_path``, so one
    transform serves classification and detection. An image's key is its path relative to ``data_root``.

    Required key: ``data_samples`` (with ``img_path``). Modified: ``data_samples.gt_aspects``, a float32 tensor (Q,) in
    [0, 1]; NaN where the annotator has no answer.

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

    field = 'gt_aspects'

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
        super().__init__(opened.select(question_ids=question_ids, top=top) if selected else opened, data_root)
        self.missing = missing

    @property
    def num_aspects(self) -> int:
        """Q, the number of questions that each target answers."""
        return len(self.targets.questions)

    def look_up(self, key: str) -> torch.Tensor:
        """Return P(yes) of each question, (Q,) float32."""
        if self.missing == 'ignore' and key not in self.targets:
            return torch.full((self.num_aspects,), torch.nan)
        return torch.from_numpy(self.targets.probability(key))


def aspect_datasets(dataset: Any) -> Iterator[tuple[Any, LoadAspectTargets]]:
    """Yield each data set that loads aspect targets, with its transform: this one, or those that it wraps."""
    return target_transforms(dataset, LoadAspectTargets)


def training_aspect_datasets(dataset: Any) -> list[tuple[Any, LoadAspectTargets]]:
    """Return ``aspect_datasets`` of the training set; raise a ConfigError if it loads no aspect targets."""
    pairs = list(aspect_datasets(dataset))
    if not pairs:
        raise ConfigError(
            'No pipeline of train_dataloader.dataset has aspect targets. End it with '
            "dict(type='makd.LoadAspectTargets', targets=..., data_root=...)."
        )
    return pairs
