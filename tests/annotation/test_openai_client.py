import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email.utils import formatdate

import pytest
from pydantic import BaseModel
from scripted_server import Reply, ScriptedServer, completion

from makd.annotation.openai_client import OpenAIClient
from makd.errors import ConfigError, MakdError, RequestRefused, ServerError

HELLO = [{'role': 'user', 'content': 'Hello'}]
KEY = 'sk-secret-123'


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv('OPENAI_API_KEY', KEY)
    monkeypatch.delenv('OPENAI_BASE_URL', raising=False)


@pytest.fixture
def serve(waits):
    """Start servers that reply with ``faults``, then with 'Hi'; return the server and a client of it."""
    with ExitStack() as servers:

        def start(*faults, answer=lambda request: completion('Hi'), **client):
            server = servers.enter_context(ScriptedServer(answer, faults))
            return server, OpenAIClient('m', server.url, **client)

        yield start


def test_a_reply_comes_back_whole_and_is_counted(serve, waits):
    server, client = serve()
    reply = client.chat(HELLO, temperature=0, vendor_field=[1])
    assert reply['choices'][0]['message']['content'] == 'Hi'
    assert reply['model'] == 'scripted-2024'
    (request,) = server.requests
    assert request.path == '/v1/chat/completions'
    assert request.body == {'model': 'm', 'messages': HELLO, 'temperature': 0, 'vendor_field': [1]}
    assert request.headers['authorization'] == f'Bearer {KEY}'
    assert str(client.usage) == '1 requests (0 of them repeated), 10 tokens sent and 5 received'
    assert waits == []


@pytest.mark.parametrize(
    'fault',
    [
        Reply({'error': {'message': 'slow down'}}, 429),
        Reply({'error': {'message': 'conflict'}}, 409),
        Reply({'error': {'message': 'time-out'}}, 408),
        Reply({'error': {'message': 'boom'}}, 500),
        Reply(b'<html>Bad gateway</html>', 502, {'Content-Type': 'text/html'}),
        Reply(cut=True),
        Reply(b'{"choices": [{"mess'),
        Reply(b'no JSON', headers={'Content-Type': 'text/plain'}),
        Reply({'choices': []}),
        Reply({'error': {'message': 'overloaded'}}),
    ],
    ids=['429', '409', '408', '500', '502', 'cut', 'half JSON', 'text', 'no choices', 'error with status 200'],
)
def test_transient_faults_are_retried(serve, waits, fault):
    server, client = serve(fault, fault)
    assert client.chat(HELLO)['choices']
    assert len(server.requests) == client.usage.requests == 3
    assert client.usage.repeated == 2
    assert len(waits) == 2
    assert 0 < waits[0] < waits[1]


def test_a_slow_reply_is_retried(serve, waits):
    _, client = serve(Reply(silent=True), timeout=0.2)
    assert client.chat(HELLO)['choices']
    assert len(waits) == 1


def test_the_default_waits_about_a_minute_for_a_server(serve, waits):
    _, client = serve(answer=lambda request: Reply({}, 503))
    with pytest.raises(ServerError, match='tried 11 times'):
        client.chat(HELLO)
    assert 40 < sum(waits) < 80


def test_retry_after_is_honoured_in_seconds_and_as_a_date(serve, waits):
    in_90_s = formatdate(time.time() + 90, usegmt=True)
    server, client = serve(
        Reply({}, 429, {'Retry-After': '17'}),
        Reply({}, 503, {'Retry-After': in_90_s}),
        Reply({}, 429, {'Retry-After': '?'}),
    )
    client.chat(HELLO)
    assert waits[0] == 17
    assert 85 <= waits[1] <= 91
    assert 1 <= waits[2] <= 2
    assert len(server.requests) == client.usage.requests == 4


def test_a_server_that_asks_for_hours_is_given_up(serve, waits):
    server, client = serve(Reply({}, 429, {'Retry-After': '7200'}))
    with pytest.raises(ServerError, match=r'status 429.*Retry-After: 7200'):
        client.chat(HELLO)
    assert len(server.requests) == 1
    assert waits == []


@pytest.mark.parametrize(
    ('fault', 'message'),
    [
        (Reply({'error': {'message': 'boom'}}, 500), r'status 500.*boom.*tried 3 times'),
        (Reply(cut=True), r'no connection \(.*tried 3 times'),
        (Reply({'error': 'overloaded'}), r'the reply is not a chat completion: .*overloaded.*tried 3 times'),
    ],
)
def test_retries_are_bounded_and_then_nothing_is_sent_any_more(serve, waits, fault, message):
    server, client = serve(*[fault] * 9, max_retries=2)
    for _ in range(2):
        with pytest.raises(ServerError, match=message):
            client.chat(HELLO)
    assert len(server.requests) == 3
    assert len(waits) == 2


@pytest.mark.parametrize(
    ('status', 'error', 'message'),
    [
        (401, {'message': f'wrong key {KEY}'}, r'status 401.*wrong key \*\*\*.*api_key_env'),
        (403, {'message': 'not yours'}, 'status 403.*not yours'),
        (404, {'message': 'no model m'}, 'status 404.*no model m.*base_url'),
        (429, {'message': 'pay first', 'code': 'insufficient_quota'}, 'status 429.*pay first'),
    ],
)
def test_fatal_errors_stop_at_once(serve, status, error, message):
    server, client = serve(Reply({'error': error}, status))
    with pytest.raises(ServerError, match=message) as caught:
        client.chat(HELLO)
    assert not isinstance(caught.value, RequestRefused)
    with pytest.raises(ServerError):
        client.chat(HELLO)
    assert len(server.requests) == 1


def test_a_refused_request_does_not_stop_the_next(serve):
    server, client = serve(Reply({'error': {'message': 'image too large'}}, 400))
    with pytest.raises(RequestRefused, match=r'status 400.*image too large'):
        client.chat(HELLO)
    assert client.chat(HELLO)['choices']
    assert len(server.requests) == 2


def test_the_budget_of_requests_counts_retries(serve):
    server, client = serve(Reply({}, 500), max_requests=3)
    client.chat(HELLO)  # two requests
    client.chat(HELLO)
    with pytest.raises(ServerError, match='max_requests=3: 3 requests'):
        client.chat(HELLO)
    assert len(server.requests) == 3


def test_the_budget_ends_retries(serve):
    server, client = serve(answer=lambda request: Reply({}, 500), max_requests=3)
    with pytest.raises(ServerError, match='max_requests=3: 3 requests'):
        client.chat(HELLO)
    assert len(server.requests) == 3


def test_the_budget_of_tokens(serve):
    server, client = serve(max_tokens_total=16)
    client.chat(HELLO)
    client.chat(HELLO)
    with pytest.raises(ServerError, match=r'max_tokens_total=16: .* 20 tokens sent and 10 received'):
        client.chat(HELLO)
    assert len(server.requests) == 2


def test_threads_share_a_client_and_its_budget(serve):
    server, client = serve(max_requests=20)
    outcomes = []

    def ask(_):
        try:
            outcomes.append(len(client.chat(HELLO)['choices']))
        except ServerError:
            outcomes.append(0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(30)))
    assert sorted(outcomes) == [0] * 10 + [1] * 20
    assert len(server.requests) == client.usage.requests == 20
    assert client.usage.tokens == 20 * 15


def test_a_fatal_error_in_one_thread_ends_the_retries_of_others(serve, monkeypatch):
    waiting, fatal = threading.Event(), threading.Event()

    def sleep(seconds):
        waiting.set()
        assert fatal.wait(10)

    monkeypatch.setattr(time, 'sleep', sleep)
    server, client = serve(answer=lambda request: Reply({}, 429 if request.prompt == 'Hello' else 401))
    with ThreadPoolExecutor(1) as pool:
        retried = pool.submit(client.chat, HELLO)
        assert waiting.wait(10)
        with pytest.raises(ServerError, match='401'):
            client.chat([{'role': 'user', 'content': 'Bye'}])
        fatal.set()
        with pytest.raises(ServerError, match='401'):
            retried.result(timeout=10)
    assert server.prompts == ['Hello', 'Bye']


class Form(BaseModel):
    words: list[str]


def test_a_reply_is_asked_for_in_a_form(serve):
    server, client = serve()
    assert client.chat(HELLO, Form, seed=3)['choices'][0]['message']['content'] == 'Hi'  # the form was ignored
    (request,) = server.requests
    asked_form = request.body.pop('response_format')
    assert (request.body['messages'], request.body['seed']) == (HELLO, 3)
    assert asked_form['type'] == 'json_schema'
    assert asked_form['json_schema']['strict']
    assert asked_form['json_schema']['schema']['required'] == ['words']
    assert asked_form['json_schema']['schema']['additionalProperties'] is False


def test_llama_cpp_refuses_a_form_with_status_500(serve, waits):
    refusal = {'error': {'message': "{'loc': ('body', 'response_format', 'type'), 'msg': 'Input should be'}"}}
    server, client = serve(Reply(refusal, 500), Reply(refusal, 500))
    with pytest.raises(RequestRefused, match='response_format'):
        client.chat(HELLO, Form)
    assert len(server.requests) == 1
    client.chat(HELLO)  # without a form, 500 is transient
    assert len(waits) == 1


def test_probe_finds_what_the_root_of_the_server_offers(serve):
    def answer(request):
        return Reply({'tokens': [1]}) if request.path == '/tokenize' else Reply({}, 404)

    server, client = serve(answer=answer)
    assert client.probe('/tokenize', {'prompt': 'Yes'}) == {'tokens': [1]}
    assert client.probe('/generate', {}) is None
    assert server.requests[0].body == {'prompt': 'Yes'}
    with pytest.raises(ServerError, match='401'):
        serve(Reply({}, 401))[1].probe('/tokenize', {})
    with pytest.raises(ServerError, match='max_requests=0'):
        serve(max_requests=0)[1].probe('/tokenize', {})


def test_the_key_shows_nowhere(serve, caplog):
    caplog.set_level(logging.DEBUG)
    faults = [Reply({'error': {'message': f'bad {KEY}'}}, status) for status in (400, 500, 500)]
    _, client = serve(*faults[:2], Reply({'echo': KEY}), *faults[2:], max_retries=2)
    texts = [repr(client), str(client)]
    for _ in range(2):
        with pytest.raises(MakdError) as caught:
            client.chat(HELLO)
        texts.append(str(caught.value))
    assert len(texts) == 4
    assert KEY not in ' '.join([*texts, caplog.text])


def test_a_public_server_needs_a_key_and_a_local_one_does_not(monkeypatch):
    monkeypatch.delenv('OPENAI_API_KEY')
    for local in ('http://localhost:8000/v1', 'http://[::1]:8/v1', 'http://192.168.1.7/v1', 'http://node12:8000/v1'):
        OpenAIClient('m', local)
    for public in (None, 'https://llm.example.com/v1', 'http://8.8.8.8/v1'):
        with pytest.raises(ConfigError, match='environment variable OPENAI_API_KEY'):
            OpenAIClient('m', public)
    monkeypatch.setenv('OTHER_KEY', 'k')
    OpenAIClient('m', 'https://llm.example.com/v1', api_key_env='OTHER_KEY')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'base_url': 'localhost:8000/v1'}, "base_url='localhost:8000/v1' must begin with http"),
        ({'base_url': 'http://me:pass@host/v1'}, 'must not contain a name or password'),
        ({'max_retries': -1}, 'must not be negative'),
    ],
)
def test_arguments_without_meaning(arguments, message):
    with pytest.raises(ConfigError, match=message):
        OpenAIClient('m', **arguments)


@pytest.mark.parametrize('usage', [{'prompt_tokens': '3', 'completion_tokens': None}, 'none', [1]])
def test_usage_that_is_no_number_is_not_counted(serve, waits, usage):
    reply = {**completion('Hi').body, 'usage': usage}
    server, client = serve(Reply(reply))
    assert client.chat(HELLO)['usage'] == usage
    assert (client.usage.tokens, len(server.requests), waits) == (0, 1, [])


@pytest.mark.parametrize('key', ['sk-abc\ndef', 'sk-“abc”'])
def test_a_key_that_cannot_be_one_is_an_error_that_does_not_show_it(monkeypatch, key):
    monkeypatch.setenv('OPENAI_API_KEY', key)
    with pytest.raises(ConfigError, match='OPENAI_API_KEY') as error:
        OpenAIClient('m', 'http://localhost:1/v1')
    assert 'abc' not in str(error.value)
