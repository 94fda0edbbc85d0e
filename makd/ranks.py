"""Let one rank of a run do what concerns all."""

from collections.abc import Callable
from typing import Any, TypeVar

from mmengine.dist import broadcast_object_list, is_main_process

from makd.errors import MakdError

_Result = TypeVar('_Result')


def on_main_rank(function: Callable[[], _Result]) -> _Result:
    """Call ``function`` on rank 0, and return its result, or raise its MakdError, on every rank."""
    outcome: list[Any] = [None]
    if is_main_process():
        try:
            outcome = [(function(), None)]
        except MakdError as mistake:
            outcome = [(None, mistake)]
    broadcast_object_list(outcome)
    result, error = outcome[0]
    if error is not None:
        raise error
    return result
