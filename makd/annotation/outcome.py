"""What an actor of a pool hands back."""

from dataclasses import dataclass
from typing import Any

from makd.annotation.usage import Usage


@dataclass(frozen=True)
class Outcome:
    """What a call of an actor's method has come to.

    Attributes:
        value: The result of the method.
        started: Whether it can do tasks.
        warnings: What its annotator has warned of since the last outcome.
        usage: The costs of its answers so far, if they cost more than time.
    """

    value: Any
    started: bool
    warnings: tuple[str, ...]
    usage: Usage | None
