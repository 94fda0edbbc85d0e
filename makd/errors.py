"""Errors that a user can cause and fix. The command-line tools print them as a message without a traceback.

Every message names the offending value, its place (file, key or config field) and the remedy.
"""

from collections.abc import Sequence
from typing import Any


class MakdError(ValueError):
    """Base class of makd's own errors."""


class ConfigError(MakdError):
    """A config names something that does not exist, does not fit or makes no sense."""


class DataError(MakdError):
    """A dataset on disk is missing, incomplete or not laid out as expected."""


class TrainingError(MakdError):
    """A training has diverged, or cannot learn anything."""


class QuestionsError(MakdError):
    """A file of questions is missing or damaged, or two sets of questions differ where they must agree."""


class TargetsError(MakdError):
    """A folder of aspect targets is missing or damaged, or lacks an image that was looked up."""


class AnnotatorStopped(MakdError):  # noqa: N818, the name says what happened to whom
    """An annotator can no longer answer (a dead server, a spent budget); annotation stops and keeps its results.

    Args:
        message: The reason.
        answers: The answers about each of the images that it was asked about, if it has any of them.
    """

    def __init__(self, message: str, answers: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.answers = list(answers)


class ServerError(MakdError):
    """A language model's server can no longer be used: it is gone, rejects the key, or the budget is spent."""


class RequestRefused(ServerError):  # noqa: N818, what happened
    """A server refuses this request, for example because of its image, but may accept the next one."""
