"""The annotator on a scripted server that speaks the Decisions API by the types of OpenAI's own client."""

import os
import signal
import threading
import time
from contextlib import ExitStack

import numpy as np
import pytest
from openai.types import Decision
from PIL import Image
from pydantic import TypeAdapter
from scripted_decisions import REFUSAL, decision, image_of, names
from scripted_server import Reply, ScriptedServer

from makd.annotation.annotators import REFUSED, DecisionsAnnotator
from makd.errors import AnnotatorStopped, ConfigError
from makd.questions import Question, QuestionSet
from makd.registry import MODELS

QUESTIONS = QuestionSet([Question(id_, f'Is it {id_}?') for id_ in ('red', 'big', 'old')])
RED, BLUE = Image.new('RGB', (8, 4), 'red'), Image.new('RGB', (4, 8), 'blue')


def half(request):
    return decision([(name, 0.5) for name in names(request)])


@pytest.fixture
def serve(waits):
    with ExitStack() as servers:

        def start(answer=half, faults=(), client=None, questions=QUESTIONS, **arguments):
            server = servers.enter_context(ScriptedServer(answer, faults))
            settings = {'model': 'gpt-6-luna', 'base_url': server.url, **(client or {})}
            return server, DecisionsAnnotator(settings, questions, **{'image_format': 'png', **arguments})

        yield start


def ask(annotator, *images):
    return annotator.answer([annotator.preparer(image) for image in images])


def test_the_replies_of_these_tests_are_of_the_documented_form():
    reply = decision([('red', 0.25), ('big', REFUSAL)])
    TypeAdapter(Decision).validate_python(reply.body, strict=True)


def test_an_answer_without_a_name_is_none(serve):
    reply = decision([('red', 0.1), ('big', 0.2)])
    del reply.body['answers'][1]['name']
    _, annotator = serve(lambda request: reply)
    (given,) = ask(annotator, RED)
    np.testing.assert_allclose(np.exp(given.logprobs[:, 0]), [0.1, np.nan, np.nan], rtol=1e-6)


def test_an_image_is_one_request_with_all_questions(serve):
    server, annotator = serve(lambda request: decision([('red', 0.9), ('big', 0.25), ('old', 0.5)]))
    assert isinstance(annotator, MODELS.get('makd.DecisionsAnnotator'))
    (answers,) = ask(annotator, RED)
    np.testing.assert_allclose(answers.logprobs, np.log([[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]]), rtol=1e-6)
    assert answers.logprobs.dtype == np.float32
    assert (answers.reason, answers.bounded, answers.refused) == (None, 0, False)
    (request,) = server.requests
    assert request.path == '/v1/decisions'
    np.testing.assert_array_equal(np.array(image_of(request)), np.array(RED))
    assert request.body['questions'] == [
        {'type': 'predicate', 'name': question.id, 'instructions': question.text} for question in QUESTIONS
    ]
    assert set(request.body) == {'model', 'input', 'questions'}


def test_prompt_and_detail_are_sent_and_part_of_the_identity(serve):
    server, annotator = serve(prompt='Seen from afar: {question}', detail='low', max_side=4)
    ask(annotator, RED)
    assert server.requests[0].body['questions'][0]['instructions'] == 'Seen from afar: Is it red?'
    assert server.requests[0].body['input'][0]['content'][0]['detail'] == 'low'
    assert image_of(server.requests[0]).size == (4, 2)
    identity = annotator.identity
    assert identity['image'] == {'format': 'png', 'max_side': 4, 'detail': 'low'}
    assert (identity['type'], identity['model']) == ('DecisionsAnnotator', 'gpt-6-luna')
    assert identity['prompt'] == 'Seen from afar: {question}'


def test_answers_are_matched_by_name(serve):
    _, annotator = serve(lambda request: decision([('old', 0.3), ('red', 0.1), ('big', 0.2)]))
    (answers,) = ask(annotator, RED)
    np.testing.assert_allclose(np.exp(answers.logprobs[:, 0]), [0.1, 0.2, 0.3], rtol=1e-6)


@pytest.mark.parametrize(
    ('answers', 'reason'),
    [
        ([('red', 0.1), ('old', 0.3)], 'the reply lacks an answer'),
        ([('red', 0.1), ('Big', 0.2), ('old', 0.3)], 'the reply lacks an answer'),  # renamed
        ([('red', 0.1), (None, 0.2), ('old', 0.3)], 'the reply lacks an answer'),
        ([('red', 0.1), ('big', 0.2), ('big', 0.7), ('old', 0.3)], 'the reply lacks an answer'),
        ([('red', 0.1), ('big', 1.2), ('old', 0.3)], '1.2 is not a probability'),
        ([('red', 0.1), ('big', -0.1), ('old', 0.3)], '-0.1 is not a probability'),
        ([('red', 0.1), ('big', {'type': 'predicate', 'probability': '0.2'}), ('old', 0.3)], '0.2'),
        ([('red', 0.1), ('big', {'type': 'predicate', 'probability': True}), ('old', 0.3)], 'True is not a'),
        ([('red', 0.1), ('big', {'type': 'predicate'}), ('old', 0.3)], 'None is not a probability'),
        ([('red', 0.1), ('big', {'type': 'choice', 'choice': 'a'}), ('old', 0.3)], 'the answer is of the type'),
        ([('red', 0.1), (['big'], 0.2), ('old', 0.3)], 'the reply lacks an answer'),
        ([('red', 0.1), ('big', REFUSAL), ('old', 0.3)], REFUSED),
    ],
)
def test_what_is_no_answer_is_missing_and_the_others_are_kept(serve, answers, reason):
    server, annotator = serve(lambda request: decision(answers))
    (given,) = ask(annotator, RED)
    np.testing.assert_allclose(np.exp(given.logprobs[:, 0]), [0.1, np.nan, 0.3], rtol=1e-6)
    assert np.isnan(given.logprobs[1]).all()
    assert given.reason.startswith(reason)
    assert given.refused == (reason == REFUSED)
    assert len(server.requests) == 1


def test_what_is_refused_and_lacking_is_asked_again(serve):
    _, annotator = serve(lambda request: decision([('red', REFUSAL), ('old', 0.3)]))
    (given,) = ask(annotator, RED)
    assert (given.refused, given.reason) == (False, f'{REFUSED}; the reply lacks an answer')


def test_the_ends_of_the_range_are_bounds(serve):
    _, annotator = serve(lambda request: decision([('red', 0.0), ('big', 1.0), ('old', 0.01)]))
    (answers,) = ask(annotator, RED)
    np.testing.assert_allclose(answers.logprobs, np.log([[0.005, 0.995], [0.995, 0.005], [0.01, 0.99]]), rtol=1e-5)
    assert answers.bounded == 2
    _, clamped = serve(lambda request: decision([('red', 0.01), ('big', 0.99), ('old', 0.02)]), limits=(0.01, 0.99))
    (answers,) = ask(clamped, RED)
    np.testing.assert_allclose(answers.logprobs[:, 0], np.log([0.01, 0.99, 0.02]), rtol=1e-5)
    assert answers.bounded == 2


@pytest.mark.parametrize('arguments', [{'limits': (0.9, 0.1)}, {'limits': (0.0,)}, {'resolution': 0.0}])
def test_ranges_without_a_bound_are_refused(serve, arguments):
    with pytest.raises(ConfigError, match='must leave probabilities between bounds'):
        serve(**arguments)


def test_more_questions_than_a_request_takes_are_split_evenly(serve):
    many = QuestionSet([Question(f'q{index}', f'{index}?') for index in range(401)])
    server, annotator = serve(
        lambda request: decision([(name, int(name[1:]) / 1000) for name in names(request)]), questions=many
    )
    (answers,) = ask(annotator, RED)
    assert sorted(len(names(request)) for request in server.requests) == [200, 201]
    np.testing.assert_allclose(np.exp(answers.logprobs[1:, 0]), np.arange(1, 401) / 1000, rtol=1e-5)
    assert annotator.identity['questions_per_request'] == [201, 200]


def test_requests_run_together_up_to_the_concurrency(serve):
    together, lock, running = [], threading.Lock(), []
    full = threading.Barrier(2)

    def answer(request):
        with lock:
            running.append(request)
            together.append(len(running))
        full.wait(10)
        with lock:
            running.remove(request)
        return half(request)

    _, annotator = serve(answer, concurrency=2)
    assert len(ask(annotator, *[RED] * 6)) == 6
    assert max(together) == 2


@pytest.mark.parametrize(
    'fault',
    [
        Reply({'error': {'message': 'slow down'}}, 429, {'Retry-After': '7'}),
        Reply({'error': {'message': 'busy'}}, 503),
        Reply(cut=True),
        Reply(b'{"answers": [{"type": "predi'),
        Reply({'object': 'something else'}),
        Reply([]),
    ],
)
def test_faults_that_pass_are_waited_out(serve, waits, fault):
    server, annotator = serve(faults=[fault])
    (answers,) = ask(annotator, RED)
    assert answers.reason is None
    assert len(server.requests) == 2
    assert (7 in waits) == (fault.status == 429)
    assert annotator.usage.repeated == 1


@pytest.mark.parametrize(
    ('reply', 'client', 'message'),
    [
        (Reply({'error': {'message': 'bad key'}}, 401), {}, 'status 401.*Check the key'),
        (Reply({'error': {'message': 'busy'}}, 503), {'max_retries': 1}, 'status 503.*tried 2 times'),
        (Reply({'object': 'x'}), {'max_retries': 1}, 'the reply is not a decision'),
        (half, {'max_requests': 2}, r'max_requests=2.*So far: 2 requests'),
        (half, {'max_dollars': 2e-4, 'price_per_million_tokens': 0.1}, r'max_dollars=0.0002: .*\$0.0002\b'),
    ],
)
def test_what_does_not_pass_stops_the_run(serve, reply, client, message):
    answer = reply if callable(reply) else lambda request: reply
    _, annotator = serve(answer, client=client, concurrency=1)
    with pytest.raises(AnnotatorStopped, match=f'(?s){message}'):
        ask(annotator, *[RED] * 3)


def test_an_image_that_is_not_accepted_has_a_reason(serve):
    def answer(request):
        return half(request) if image_of(request).size == (4, 8) else Reply({'error': {'message': 'too wide'}}, 400)

    server, annotator = serve(answer)
    wide, tall = ask(annotator, RED, BLUE)
    assert np.isnan(wide.logprobs).all()
    assert 'too wide' in wide.reason
    assert not wide.refused
    assert tall.reason is None
    assert len(server.requests) == 2


def test_tokens_and_dollars_are_counted(serve):
    _, annotator = serve(
        lambda request: decision([(name, 0.5) for name in names(request)], tokens=1200, cached=200),
        client={'price_per_million_tokens': 0.1},
    )
    ask(annotator, RED, BLUE)
    usage = annotator.usage
    assert (usage.requests, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (2, 2400, 400, 6)
    assert usage.dollars == pytest.approx(2400 * 0.1 / 1e6)
    assert str(usage).endswith('400 of those sent from the cache, $0.00024')


def test_the_first_image_is_asked_about_twice(serve):
    replies = iter([decision([('red', 0.2), ('big', 0.5), ('old', REFUSAL)]), decision([('red', 0.27), ('big', 0.5)])])
    server, annotator = serve(lambda request: next(replies), concurrency=1)
    report = annotator.start(RED)
    assert report == {
        'largest_difference_when_asked_twice': pytest.approx(0.07),
        'served_by': ['gpt-6-luna-2026-10-06'],
    }
    assert [image_of(request).size for request in server.requests] == [(8, 4)] * 2


def test_a_refused_first_image_is_no_reason_to_stop(serve):
    def answer(request):
        refused = image_of(request).size == (8, 4)
        return decision([(name, REFUSAL if refused else 0.5) for name in names(request)])

    _, annotator = serve(answer)
    assert annotator.start(RED)['largest_difference_when_asked_twice'] == 0


def test_a_service_that_answers_nothing_is_an_error(serve):
    _, annotator = serve(lambda request: Reply({'error': {'message': 'no images here'}}, 400))
    with pytest.raises(ConfigError, match=r'nor about a plain one: .*no images here'):
        annotator.start(RED)


@pytest.fixture
def logged(monkeypatch):
    """The messages that are logged."""
    lines = []
    for module in ('annotators.probability_annotator', 'openai_client'):
        monkeypatch.setattr(f'makd.annotation.{module}.print_log', lambda text, *level: lines.append(text))
    return lines


def test_digits_beyond_the_resolution_are_warned_about(serve, logged):
    _, annotator = serve(lambda request: decision([('red', 0.123), ('big', 0.5), ('old', 0.5)]))
    annotator.start(RED)
    (warning,) = logged
    assert 'such as 0.123, finer than resolution=0.01' in warning
    _, annotator = serve(lambda request: decision([('red', 0.29), ('big', 0.57), ('old', 0.0)]))
    annotator.start(RED)
    assert len(logged) == 1


def test_it_says_once_that_images_leave_the_machine(serve, logged, monkeypatch):
    _, annotator = serve()
    annotator.start(RED)
    assert not logged
    monkeypatch.setattr(annotator.client, 'base_url', 'https://api.example.com/v1')
    annotator.start(RED)
    (message,) = logged
    assert 'images and questions are sent to api.example.com' in message


@pytest.mark.parametrize(
    ('client', 'message'),
    [
        ({'max_dollars': 1.0}, 'max_dollars=1.0 of a client needs price_per_million_tokens'),
        ({'price_per_million_tokens': -1.0}, 'must not be negative'),
    ],
)
def test_limits_without_meaning(serve, client, message):
    with pytest.raises(ConfigError, match=message):
        serve(client=client)


def test_a_service_that_counts_no_tokens_has_no_budget_in_dollars(serve):
    def uncounted(request):
        reply = half(request)
        del reply.body['usage']
        return reply

    server, annotator = serve(uncounted, client={'price_per_million_tokens': 0.1, 'max_dollars': 5.0}, concurrency=1)
    with pytest.raises(AnnotatorStopped, match='does not say how many tokens were sent'):
        ask(annotator, *[RED] * 3)
    assert len(server.requests) == 1
    _, annotator = serve(uncounted)
    assert ask(annotator, RED)[0].reason is None


def test_replies_of_another_form_have_to_be_paid_for(serve):
    broken = Reply({'answers': None, 'usage': {'input_tokens': 700}})
    _, annotator = serve(faults=[broken])
    ask(annotator, RED)
    assert annotator.usage.prompt_tokens == 700 + 1000


def test_a_request_that_a_vendor_surprises_is_a_missing_answer(serve, monkeypatch):
    def surprised(annotator, image, questions):
        raise AttributeError('a list has no items')

    _, annotator = serve()
    monkeypatch.setattr(DecisionsAnnotator, 'request', surprised)
    (given,) = ask(annotator, RED)
    assert np.isnan(given.logprobs).all()
    assert given.reason == 'a list has no items'


@pytest.fixture
def _interruptible():
    """Let Ctrl-C raise KeyboardInterrupt, also where the tests run in the background of a shell, which ignores it."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures('_interruptible')
def test_ctrl_c_sends_nothing_more_and_keeps_what_has_arrived(serve):
    def answer(request):
        if len(server.requests) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)  # the main thread gets it meanwhile
        return half(request)

    server, annotator = serve(answer, concurrency=1)
    with pytest.raises(KeyboardInterrupt) as stopped:
        ask(annotator, *[RED] * 8)
    assert len(server.requests) <= 4
    answered = [bool(np.isfinite(answers.logprobs).all()) for answers in stopped.value.answers]
    # On a busy machine the signal may come while a fourth request is on its way, whose answer is then not waited for.
    assert answered in ([True] * count + [False] * (8 - count) for count in range(3, len(server.requests) + 1))
