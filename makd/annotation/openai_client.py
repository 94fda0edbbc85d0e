"""The client of all OpenAI-compatible servers: OpenAI itself, vLLM, SGLang, llama.cpp and others."""

import ipaddress
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from logging import WARNING
from typing import Any
from urllib.parse import urlsplit

from mmengine.logging import print_log
from pydantic import BaseModel, Field
from pydantic_core import from_json

from makd.annotation.usage import Usage
from makd.errors import ConfigError, RequestRefused, ServerError

_logger = logging.getLogger(__name__)

_REFUSED = {400, 413, 415, 422}
_MALFORMED = 599  # stands for a reply of another form than requested: the SDK retries every status from 500
_HINTS = {
    401: '. Check the key in the environment variable that api_key_env names',
    403: '. This key may not use this model: check both',
    404: '. Check model and base_url, which usually ends with /v1',
}
_SHOWN = 500  # characters of a server's message


class _Choice(BaseModel):
    message: dict[str, Any]


class _Reply(BaseModel):
    """What every reply has: it is a JSON object."""

    model: Any = None
    usage: Any = None


class _Completion(_Reply):
    """The part of a chat completion that every server sends."""

    choices: list[_Choice] = Field(min_length=1)


class _Decision(_Reply):
    """The part of a decision that does not depend on the vendor."""

    answers: list[dict[str, Any]] | dict[str, Any]


_FORMS: dict[str, tuple[type[_Reply], str]] = {
    '/chat/completions': (_Completion, 'a chat completion'),
    '/decisions': (_Decision, 'a decision'),
}
# The counts of tokens have other names in replies of the newer interfaces.
_PROMPT, _COMPLETION = ('prompt_tokens', 'input_tokens'), ('completion_tokens', 'output_tokens')


class OpenAIClient:
    """Ask an OpenAI-compatible server for chat completions or decisions. Threads can share one client.

    The SDK retries status 408, 409, 429 and 5xx, time-outs and failed connections, with exponential back-off or after
    the time that Retry-After names, up to two minutes. Malformed replies are retried, too. Other errors are not. After
    a fatal error no thread sends another request; a thread that waits for a retry notices when its wait is over.

    Args:
        model: Name of the model, as the server calls it.
        base_url: URL of the server, such as 'http://localhost:8000/v1'. Defaults to None: the environment variable
            OPENAI_BASE_URL, or OpenAI.
        api_key_env: Name of the environment variable with the key. It need not be set for a server on this machine or
            in a private network.
        timeout: Seconds that a reply may take.
        max_retries: How often a request is retried. The default waits about a minute in total.
        max_requests: Send no more requests than this; each retry counts. Defaults to None: no limit.
        max_tokens_total: Send no further request or retry once the server has counted this many tokens, sent and
            received; requests under way at that moment still finish. Defaults to None: no limit.
        price_per_million_tokens: Dollars for a million tokens sent. Tokens received, and a discount for tokens in the
            server's cache, are not counted. Defaults to None: not known.
        max_dollars: As ``max_tokens_total``, for the dollars that the sent tokens cost. Defaults to None: no limit.

    Attributes:
        usage: Requests, tokens and dollars so far.
        served_by: The models that the replies name: an alias stands for a dated one.
        interrupt: What :meth:`stop` was called with.

    Raises:
        ConfigError: The key is missing, an argument is invalid, or ``max_dollars`` is given without a price.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key_env: str = 'OPENAI_API_KEY',
        timeout: float = 120.0,
        max_retries: int = 10,
        max_requests: int | None = None,
        max_tokens_total: int | None = None,
        price_per_million_tokens: float | None = None,
        max_dollars: float | None = None,
    ) -> None:
        # Not at the top: it takes a second, which --help should not.
        import openai

        base_url = base_url or os.environ.get('OPENAI_BASE_URL') or 'https://api.openai.com/v1'
        self._key = os.environ.get(api_key_env, '').strip()
        _check_url(base_url, api_key_env, has_key=bool(self._key))
        if not (self._key.isascii() and self._key.isprintable()):
            raise ConfigError(f'The environment variable {api_key_env} is not a key: it has characters that none has.')
        limits = dict(max_requests=max_requests, max_tokens_total=max_tokens_total, max_dollars=max_dollars)
        numbers = dict(max_retries=max_retries, timeout=timeout, price=price_per_million_tokens, **limits)
        if min(number or 0 for number in numbers.values()) < 0:
            raise ConfigError(
                'max_retries, timeout, price_per_million_tokens, max_requests, max_tokens_total and max_dollars of a '
                'client must not be negative.'
            )
        if max_dollars is not None and price_per_million_tokens is None:
            raise ConfigError(
                f'max_dollars={max_dollars} of a client needs price_per_million_tokens, the price of the sent tokens.'
            )
        self.model = model
        self.base_url = base_url
        self.limits = {name: limit for name, limit in limits.items() if limit is not None}
        self.usage = Usage(price_per_million_tokens=price_per_million_tokens, max_dollars=max_dollars)
        self.served_by: set[str] = set()
        self._openai = openai
        # The SDK calls these for every attempt, so that budget and latch hold for its retries and all its methods.
        hooks: dict[str, list[Callable[..., Any]]] = {
            'request': [self._before_attempt],
            'response': [self._after_attempt],
        }
        self._sdk = openai.OpenAI(
            base_url=base_url,
            api_key=self._key or 'none',
            timeout=timeout,
            max_retries=max_retries,
            http_client=openai.DefaultHttpxClient(event_hooks=hooks),
        )
        self._lock = threading.Lock()
        self._fatal: ServerError | None = None
        self.interrupt: KeyboardInterrupt | None = None

    def __repr__(self) -> str:
        return f'OpenAIClient(model={self.model!r}, base_url={self.base_url!r})'

    def announce(self) -> None:
        """Log that what is sent leaves the machine, unless the server is on it or in a private network."""
        host = urlsplit(self.base_url).hostname or ''
        if not _is_local(host):
            print_log(
                f'The images and questions are sent to {host}. Whether they may be, and whether a model may be trained '
                "with the answers, is for you to read in the service's terms.",
                'current',
            )

    def stop(self, interrupt: KeyboardInterrupt) -> None:
        """Send nothing more, because of Ctrl-C."""
        self.interrupt = interrupt
        self._fatal = ServerError('The run was stopped.')

    def chat(
        self, messages: Sequence[Mapping[str, Any]], form: type | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Return the server's reply to a chat, as JSON, with at least one message in ``choices``.

        Args:
            messages: The turns, in OpenAI's form.
            form: A pydantic model. The server is asked to reply in its form (``response_format``); some ignore that.
            **parameters: Further fields of the request.

        Raises:
            RequestRefused: The server does not accept this request.
            ServerError: No further request would succeed.
        """
        completions: Any = self._sdk.chat.completions.with_raw_response
        send = completions.create if form is None else partial(completions.parse, response_format=form)
        try:
            return send(model=self.model, messages=messages, extra_body=parameters).http_response.json()
        except self._openai.OpenAIError as error:
            raise self._makd_error(error) from None

    def decide(self, **fields: Any) -> dict[str, Any]:
        """Return the server's decisions on some questions, as JSON, with ``answers``.

        Args:
            **fields: The fields of the request besides ``model``.

        Raises:
            RequestRefused: The server does not accept this request.
            ServerError: No further request would succeed.
        """
        try:
            # Not `decisions.create`, whose fields are those of one vendor; retries and time-outs are the same.
            reply: Any = self._sdk.post('/decisions', body={'model': self.model, **fields}, cast_to=object)
            return reply
        except self._openai.OpenAIError as error:
            raise self._makd_error(error) from None

    def probe(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask, once, for something that the server may not offer.

        Args:
            path: Path below the root of the server, that is, without the /v1 of ``base_url``.
            body: The request, as JSON.

        Returns:
            The reply as JSON, or None if the request failed.

        Raises:
            ServerError: The budget is spent, or the server rejects the key.
        """
        url = self.base_url.rstrip('/').removesuffix('/v1') + path
        try:
            return self._sdk.with_options(max_retries=0).post(url, body=dict(body), cast_to=object)
        except self._openai.OpenAIError as error:
            if not isinstance(error, self._openai.APIError) or getattr(error, 'status_code', None) in (401, 403):
                raise self._makd_error(error) from None
        except ValueError:
            pass  # not JSON
        return None

    def _before_attempt(self, request: Any) -> None:
        """Take an attempt from the budget, or end the request if there was a fatal error."""
        retry = int(request.headers.get('x-stainless-retry-count', 0))
        with self._lock:
            spent = dict(
                max_requests=self.usage.requests,
                max_tokens_total=self.usage.tokens,
                max_dollars=self.usage.dollars or 0.0,
            )
            for field, limit in self.limits.items():
                if self._fatal is None and spent[field] >= limit:
                    self._fatal = ServerError(
                        f'The budget is spent, {field}={limit}: {self.usage}. What is done is kept; raise {field} and '
                        'start again.'
                    )
            if self._fatal is not None:
                raise self._openai.OpenAIError  # which the SDK does not retry
            self.usage.requests += 1
            self.usage.repeated += retry > 0
        if retry:
            _logger.info('%s: retry %d', self, retry)

    def _after_attempt(self, response: Any) -> None:
        """Count tokens, and correct the SDK's idea of which replies are worth a retry."""
        response.read()
        if response.is_success and (form := _form(response)):
            try:
                content = from_json(response.content)
                self._count(content)  # also if it is of another form: it has to be paid for
                form[0].model_validate(content)
            except ValueError:
                response.status_code = _MALFORMED
        if response.is_error:
            _logger.info('%s: status %d: %s', self, response.status_code, self._shown(response.text))
            if 'insufficient_quota' in response.text or _refuses_form(response):
                response.headers['x-should-retry'] = 'false'

    def _count(self, reply: Any) -> None:
        """Count the tokens of a reply, and note which model it is from."""
        if not isinstance(reply, dict):
            return
        usage, model = reply.get('usage'), str(reply.get('model'))
        with self._lock:
            if self.served_by and model not in self.served_by:
                print_log(f'{self}: a reply is from {model}, the former were from {self.served_by}', 'current', WARNING)
            self.served_by.add(model)
            self.usage.prompt_tokens += (sent := _tokens(usage, *_PROMPT))
            self.usage.completion_tokens += _tokens(usage, *_COMPLETION)
            self.usage.cached_tokens += _cached(usage)
            if not sent and self._fatal is None and {'max_dollars', 'max_tokens_total'} & self.limits.keys():
                self._fatal = ServerError(
                    f'{self} does not say how many tokens were sent, so max_dollars and max_tokens_total cannot be '
                    'kept: remove them; max_requests is a limit that can.'
                )

    def _makd_error(self, error: Any) -> ServerError:
        """Return what to raise for an error of the SDK; all but a refusal stop the client for good."""
        if self._fatal is not None:
            return self._fatal
        hint = ''
        if isinstance(error, self._openai.APIStatusError):
            status, message = error.status_code, self._shown(error.message)
            fault = f'status {status}: {message.removeprefix(f"Error code: {status}").removeprefix(" - ")}'
            if status in _REFUSED or _refuses_form(error.response):
                return RequestRefused(f'{self} refuses a request, {fault}')
            if status == _MALFORMED:
                form = _form(error.response)
                fault = f'the reply is not {form[1] if form else "JSON"}: {self._shown(error.response.text)}'
            hint = _HINTS.get(status, '')
            if seconds := error.response.headers.get('retry-after'):
                hint += f'; the server sent Retry-After: {seconds}'
        elif isinstance(error, self._openai.APITimeoutError):
            fault = f'no reply within {self._sdk.timeout} s'
        else:
            fault = f'no connection ({error.__cause__ or error})'
        if retries := int(error.request.headers.get('x-stainless-retry-count', 0)):
            fault += f'; tried {retries + 1} times'
        self._fatal = ServerError(f'{self}: {fault}{hint}')
        return self._fatal

    def _shown(self, text: str) -> str:
        """Return a text that may be printed: short, and without the key, which some servers repeat."""
        if self._key:
            text = text.replace(self._key, '***')
        return text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'


def _form(response: Any) -> tuple[type[_Reply], str] | None:
    """Return what the reply must have, and its name, if it was not a probe."""
    path = response.request.url.path
    return next((form for end, form in _FORMS.items() if path.endswith(end)), None)


def _tokens(usage: Any, *fields: str) -> int:
    """Return a count of a reply's usage; 0 if the server does not give it as a number."""
    values = (usage.get(field) if isinstance(usage, dict) else None for field in fields)
    return next((value for value in values if isinstance(value, int)), 0)


def _cached(usage: Any) -> int:
    """Return how many of the sent tokens the server had in its cache."""
    details = (f'{field}_details' for field in _PROMPT)
    return sum(_tokens(usage.get(field), 'cached_tokens') for field in details) if isinstance(usage, dict) else 0


def _refuses_form(response: Any) -> bool:
    """Tell whether a server refuses ``response_format``; llama-cpp-python does so with status 500."""
    field = 'response_format'
    return response.status_code == 500 and field in response.text and field.encode() in response.request.content


def _check_url(base_url: str, api_key_env: str, has_key: bool) -> None:
    """Raise a ConfigError for an invalid URL, one with a secret in it, and a public server without a key."""
    url = urlsplit(base_url)
    if url.scheme not in ('http', 'https') or not url.hostname:
        raise ConfigError(f'base_url={base_url!r} must begin with http:// or https:// and name a host.')
    if '@' in url.netloc:
        raise ConfigError(
            'base_url must not contain a name or password: put the key into the environment (api_key_env).'
        )
    if not has_key and not _is_local(url.hostname):
        raise ConfigError(
            f'The server at {url.hostname} needs a key: set the environment variable {api_key_env}, or name another '
            'variable in the field api_key_env (if the server needs no key, set it to any text).'
        )


def _is_local(host: str) -> bool:
    """Tell whether a host is this machine or in a private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return '.' not in host or host.endswith(('.local', '.localhost', '.internal', '.lan'))
