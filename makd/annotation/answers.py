"""An annotator's answers about one image."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answers:
    """An annotator's answers about one image.

    Attributes:
        logprobs: (Q, 2) float32, [log p(yes), log p(no)]; NaN where there is no answer.
        reason: Why answers are missing, or None.
        bounded: How many of the values are only a bound: a server shows the likeliest tokens only, or rounds.
        refused: Whether all that is missing was refused by the model, so that asking again is of no use.
    """

    logprobs: np.ndarray
    reason: str | None = None
    bounded: int = 0
    refused: bool = False

    @classmethod
    def missing(cls, num_questions: int, reason: str) -> 'Answers':
        """Return no answers, for a reason."""
        return cls(np.full((num_questions, 2), np.nan, np.float32), reason)
