"""The one client of OpenAI-compatible servers: OpenAI itself, vLLM, SGLang, llama.cpp and others."""

import ipaddress
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from makd.errors import ConfigError, RequestRefused, ServerError

_logger = logging.getLogger(__name__)

_REFUSED = {400, 413, 415, 422}
_WORTH_ANOTHER_TRY = {408, 409, 425, 429}
_LONGEST_BACKOFF = 60.0
_LONGEST_RETRY_AFTER = 600.0
_SHOWN = 500


@dataclass
class Usage:
    """What has been asked of a server.

    Attributes:
        requests: Requests sent, with those that were repeated.
        repeated: How many of them were repetitions of one that failed.
        prompt_tokens: Tokens sent, as the server counts them.
        completion_tokens: Tokens written by the server.
    """

    requests: int = 0
    repeated: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens

    def __str__(self) -> str:
        return (
            f'{self.requests:,} requests ({self.repeated:,} of them repeated), '
            f'{self.prompt_tokens:,} tokens sent and {self.completion_tokens:,} received'
        )


class OpenAIClient:
    """Ask an OpenAI-compatible server for chat completions. Threads can share one client.

    Too many requests (429, where Retry-After is honoured), errors of the server (5xx), time-outs, cut connections and
    replies that are none are tried again after a wait that doubles from one second to a minute, with jitter. Whatever
    else the server refuses is not. Once the server is given up, all further requests fail at once.

    Args:
        model: Name of the model, as the server calls it.
        base_url: Where the server is, such as 'http://localhost:8000/v1'. Defaults to None: the environment variable
            OPENAI_BASE_URL, or OpenAI.
        api_key_env: Name of the environment variable with the key. A server on this machine or in a private network
            is asked without one if it is not set.
        timeout: Seconds that a reply may take.
        max_retries: How often a request is repeated.
        max_requests: Stop before another request once so many were sent. Defaults to None: no limit.
        max_tokens_total: Stop before another request once the server counted so many tokens, sent and received;
            requests that are under way at that moment still end. Defaults to None: no limit.
        wait: Called with the seconds to wait before a request is repeated. Defaults to None: wait.

    Raises:
        ConfigError: The key is absent, or an argument has no meaning.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key_env: str = 'OPENAI_API_KEY',
        timeout: float = 120.0,
        max_retries: int = 6,
        max_requests: int | None = None,
        max_tokens_total: int | None = None,
        wait: Callable[[float], Any] | None = None,
    ) -> None:
        # Not at the top: it takes a second, which --help should not.
        import openai

        base_url = base_url or os.environ.get('OPENAI_BASE_URL') or 'https://api.openai.com/v1'
        self._key = os.environ.get(api_key_env, '').strip()
        _check_url(base_url, api_key_env, has_key=bool(self._key))
        if min(max_retries, timeout, max_requests or 0, max_tokens_total or 0) < 0:
            raise ConfigError(
                'max_retries, timeout, max_requests and max_tokens_total of a client must not be negative.'
            )
        self.model = model
        self.base_url = base_url
        self.max_retries = max_retries
        self.max_requests = max_requests
        self.max_tokens_total = max_tokens_total
        self.usage = Usage()
        self._openai = openai
        # Its own repetitions are off: they know neither broken replies nor a budget, and ignore a long Retry-After.
        self._sdk = openai.OpenAI(base_url=base_url, api_key=self._key or 'none', timeout=timeout, max_retries=0)
        self._lock = threading.Lock()
        self._given_up: ServerError | None = None
        self._over = threading.Event()
        self._wait = wait or self._over.wait  # ends early once another thread has given up

    def __repr__(self) -> str:
        return f'OpenAIClient(model={self.model!r}, base_url={self.base_url!r})'

    def chat(self, messages: Sequence[Mapping[str, Any]], **parameters: Any) -> dict[str, Any]:
        """Return the server's reply to a chat, as JSON, with at least one entry in ``choices``.

        Args:
            messages: The turns, in OpenAI's form.
            **parameters: Further fields of the request.

        Raises:
            RequestRefused: The server does not take this request.
            ServerError: There is no point in any further request.
        """
        body = {'model': self.model, 'messages': list(messages), **parameters}
        for attempt in range(self.max_retries + 1):
            self._begin(repeated=attempt > 0)
            reply, fault, retry_after = self._try('/chat/completions', body)
            if isinstance(reply, dict) and _is_list_of_dicts(reply.get('choices')):
                self._count(reply.get('usage'))
                return reply
            if fault is None:
                fault = f'the reply is not a chat completion: {self._shown(reply)}'
            if retry_after is not None and retry_after > _LONGEST_RETRY_AFTER:
                raise self._give_up(f'{fault}; it asks to come back in {retry_after:.0f} s')
            if attempt < self.max_retries:
                seconds = min(2.0**attempt, _LONGEST_BACKOFF) * random.uniform(0.5, 1)
                if retry_after is not None:
                    seconds = retry_after + random.uniform(0, 1)
                _logger.info('%s: %s; again in %.1f s', self, fault, seconds)
                self._wait(seconds)
        raise self._give_up(f'{fault}; tried {self.max_retries + 1} times')

    def probe(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask, once, for something that the server may not offer.

        Args:
            path: Under the root of the server, that is, without the /v1 of ``base_url``.
            body: The request, as JSON.

        Returns:
            The reply as JSON, or None if there is none.

        Raises:
            ServerError: The budget is spent, or the server wants another key.
        """
        self._begin(repeated=False)
        return self._try(self.base_url.rstrip('/').removesuffix('/v1') + path, body, probing=True)[0]

    def _try(self, path: str, body: Mapping[str, Any], probing: bool = False) -> tuple[Any, str | None, float | None]:
        """Send a request once; return the reply, or None with the fault and how many seconds the server asks for."""
        try:
            return self._sdk.post(path, body=body, cast_to=object), None, None
        except self._openai.APITimeoutError:
            return None, f'no reply within {self._sdk.timeout} s', None
        except self._openai.APIConnectionError as error:
            return None, f'no connection ({error.__cause__ or error})', None
        except self._openai.APIStatusError as error:
            status, message = error.status_code, self._shown(error.message)
            fault = f'status {status}: {message.removeprefix(f"Error code: {status}").removeprefix(" - ")}'
            # llama-cpp-python answers a form that it does not know with 500.
            form_refused = status == 500 and 'response_format' in body and 'response_format' in message
            again = status >= 500 or (status in _WORTH_ANOTHER_TRY and error.code != 'insufficient_quota')
            if (again and not form_refused) or (probing and status not in (401, 403)):
                return None, fault, _retry_after(error.response.headers)
            if form_refused or status in _REFUSED:
                raise RequestRefused(f'{self} refuses a request, {fault}') from None
            raise self._give_up(fault + _HINTS.get(status, '')) from None
        except ValueError as error:
            return None, f'the reply is not JSON ({error})', None

    def _begin(self, repeated: bool) -> None:
        """Take a request from the budget."""
        with self._lock:
            if self._given_up is None:
                spent = self.usage
                for field, used in (('max_requests', spent.requests), ('max_tokens_total', spent.tokens)):
                    limit = getattr(self, field)
                    if limit is not None and used >= limit:
                        self._given_up = ServerError(
                            f'The budget is spent, {field}={limit}: {spent}. What is done is kept; raise {field} and '
                            'start again.'
                        )
                        self._over.set()
            if self._given_up is not None:
                raise self._given_up
            self.usage.requests += 1
            self.usage.repeated += repeated

    def _count(self, usage: Any) -> None:
        with self._lock:
            for field in ('prompt_tokens', 'completion_tokens'):
                if isinstance(usage, Mapping) and isinstance(tokens := usage.get(field), int):
                    setattr(self.usage, field, getattr(self.usage, field) + tokens)

    def _give_up(self, fault: str) -> ServerError:
        with self._lock:
            self._given_up = self._given_up or ServerError(f'{self}: {fault}')
        self._over.set()
        return self._given_up

    def _shown(self, what: object) -> str:
        """Return a text that may be printed: short, and without the key, which some servers repeat."""
        text = str(what)
        if self._key:
            text = text.replace(self._key, '***')
        return text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'


_HINTS = {
    401: '. Check the key in the environment variable that api_key_env names',
    403: '. This key has no right to this model; check both',
    404: '. Check model and base_url, which usually ends with /v1',
}


def _is_list_of_dicts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header, which may also be a date."""
    value = headers.get('retry-after')
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _check_url(base_url: str, api_key_env: str, has_key: bool) -> None:
    """Raise a ConfigError for a URL that is none or holds a secret, and for a public server without a key."""
    url = urlsplit(base_url)
    if url.scheme not in ('http', 'https') or not url.hostname:
        raise ConfigError(f'base_url={base_url!r} must begin with http:// or https:// and name a host.')
    if '@' in url.netloc:
        raise ConfigError('base_url must not hold a name or password: put the key into the environment (api_key_env).')
    if not has_key and not _is_local(url.hostname):
        raise ConfigError(
            f'The server at {url.hostname} wants a key: set the environment variable {api_key_env}, or name another '
            'one in the field api_key_env (any text does for a server that asks for none).'
        )


def _is_local(host: str) -> bool:
    """Tell whether a host is this machine or in a private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return '.' not in host or host.endswith(('.local', '.localhost', '.internal', '.lan'))
