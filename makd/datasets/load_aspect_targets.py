"""Give each image the annotator's answers about it."""

from collections.abc import Sequence

import torch

from makd.datasets.load_targets import LoadTargets
from makd.errors import ConfigError
from makd.registry import TRANSFORMS
from makd.targets import AspectTargets


@TRANSFORMS.register_module()
class LoadAspectTargets(LoadTargets):
    """Set ``gt_aspects``, the annotator's P(yes) for each question, on a packed data sample.

    It stands after ``PackInputs`` or ``PackDetInputs``, in classification and detection alike.

    Required key: ``data_samples`` (with ``img_path``). Modified: ``data_samples.gt_aspects``, a float32 tensor (Q,) in
    [0, 1]; NaN where the annotator has no answer.

    Args:
        targets: A targets folder (see ``makd.targets.AspectTargets``).
        data_root: The folder that the targets' keys are relative to.
        missing: 'error' to refuse an image without targets, or 'ignore' to give it NaN, which the loss leaves out.
        top: Take only the first ``top`` questions.
        question_ids: Take only these questions, in this order.

    Raises:
        ConfigError: ``missing`` has another value; while loading, an image lies outside ``data_root``.
        TargetsError: The folder is absent or damaged; while loading, an image has no targets.
    """

    field = 'gt_aspects'
    content = 'aspect targets'

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
