"""Requests that are sent at the same time."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from makd.annotation.answers import Answers
from makd.annotation.openai_client import OpenAIClient
from makd.errors import AnnotatorStopped, RequestRefused, ServerError


@contextmanager
def request_pool(client: OpenAIClient, concurrency: int) -> Iterator[ThreadPoolExecutor]:
    """Yield threads that send requests, and wait for all replies; after Ctrl-C, for those that are under way.

    Ctrl-C stops the client, so that queued requests fail at once. :func:`check_replies` raises it again.
    """
    pool = ThreadPoolExecutor(concurrency)
    try:
        yield pool
        pool.shutdown()
    except KeyboardInterrupt as interrupt:
        client.stop(interrupt)
        pool.shutdown()


def check_replies(client: OpenAIClient, replies: Iterable['Future[Any]'], answers: Sequence[Answers]) -> None:
    """Raise what ended the requests early, with the answers that have arrived as its ``answers``.

    Raises:
        KeyboardInterrupt: The user stopped them.
        AnnotatorStopped: One of the replies says that no other will come.
    """
    if client.interrupt is not None:
        client.interrupt.answers = list(answers)  # type: ignore[attr-defined]
        raise client.interrupt
    for reply in replies:
        error = reply.exception()
        if isinstance(error, ServerError) and not isinstance(error, RequestRefused):
            raise AnnotatorStopped(f'{error}\nSo far: {client.usage}.', answers)
