import base64
import io
import json
import pickle
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from scripted_server import Reply, ScriptedServer, completion, first_token

from makd.annotation.annotators import OpenAIAnnotator
from makd.errors import AnnotatorStopped, ConfigError
from makd.questions import Question, QuestionSet
from makd.registry import MODELS

ROOT = Path(__file__).parents[2]

QUESTIONS = QuestionSet([Question(id_, f'Is it {id_}?') for id_ in ('red', 'big', 'old')])
RED, BLUE = Image.new('RGB', (8, 4), 'red'), Image.new('RGB', (4, 8), 'blue')
BOTH = {'Yes': -0.1, 'The': -3.0, 'No': -4.0, ' yes': -5.0, 'NO': -6.0}


def image_of(request):
    """The picture of a request, None where there is only text."""
    content = request.body['messages'][-1]['content']
    if isinstance(content, str):
        return None
    url = content[0]['image_url']['url']
    return Image.open(io.BytesIO(base64.b64decode(url.split(',')[1])))


@pytest.fixture
def serve(waits):
    with ExitStack() as servers:

        def start(answer, faults=(), client=None, **arguments):
            script = ScriptedServer(lambda r: Reply({}, 404) if r.path == '/tokenize' else answer(r), faults)
            server = servers.enter_context(script)
            settings = {'model': 'm', 'base_url': server.url, **(client or {})}
            return server, OpenAIAnnotator(settings, QUESTIONS, **{'image_format': 'png', **arguments})

        yield start


def ask(annotator, *images):
    return annotator.answer([annotator.preparer(image) for image in images])


def test_each_question_is_one_request_behind_the_image(serve):
    server, annotator = serve(lambda request: first_token(BOTH), system_prompt='Look.', prompt='yes_no')
    (answers,) = ask(annotator, RED)
    assert answers.logprobs.dtype == np.float32
    np.testing.assert_array_equal(answers.logprobs, np.float32([[-0.1, -4.0]] * 3))
    assert (answers.reason, answers.bounded) == (None, 0)
    assert sorted(server.prompts) == sorted(f'{text} Answer with yes or no.' for text in QUESTIONS.texts)
    body = server.requests[0].body
    assert [turn['role'] for turn in body['messages']] == ['system', 'user']
    assert [part['type'] for part in body['messages'][1]['content']] == ['image_url', 'text']
    del body['messages']
    assert body == {'model': 'm', 'max_tokens': 1, 'temperature': 0, 'logprobs': True, 'top_logprobs': 20}


def test_the_image_arrives_whole_or_shrunk(serve):
    server, annotator = serve(lambda request: first_token(BOTH), top=1)
    ask(annotator, RED)
    np.testing.assert_array_equal(np.array(image_of(server.requests[0])), np.array(RED))
    _, small = serve(lambda request: first_token(BOTH), max_side=4, image_format='jpeg')
    url = pickle.loads(pickle.dumps(small.preparer))(RED)
    shrunk = Image.open(io.BytesIO(base64.b64decode(url.removeprefix('data:image/jpeg;base64,'))))
    assert (shrunk.size, shrunk.format) == ((4, 2), 'JPEG')
    assert RED.size == (8, 4)


def test_the_first_question_goes_alone(serve):
    running, together, lock = [], [], threading.Lock()
    all_rest = threading.Barrier(2)

    def answer(request):
        with lock:
            running.append(request.prompt)
            together.append(len(running))
        if request.prompt != 'Is it red?':
            all_rest.wait(10)  # the other two are under way at the same time
        with lock:
            running.remove(request.prompt)
        return first_token(BOTH)

    server, annotator = serve(answer)
    ask(annotator, RED)
    assert server.prompts[0] == 'Is it red?'
    assert together == [1, 1, 2]


def test_answers_belong_to_their_image_and_question(serve):
    def answer(request):
        yes = -1.0 - QUESTIONS.texts.index(request.prompt) - (10 if image_of(request).size == (4, 8) else 0)
        return first_token({'Yes': yes, 'No': -0.5})

    _, annotator = serve(answer)
    red, blue = ask(annotator, RED, BLUE)
    np.testing.assert_array_equal(red.logprobs[:, 0], [-1, -2, -3])
    np.testing.assert_array_equal(blue.logprobs[:, 0], [-11, -12, -13])


@pytest.mark.parametrize(
    ('shown', 'arguments', 'pair', 'bounded'),
    [
        ({'Yes': -0.1, 'The': -3.0, 'A': -7.0}, {}, [-0.1, -7.0], 1),
        ({'The': -0.1, 'No': -3.0, 'A': -7.0}, {}, [-7.0, -3.0], 1),
        ({'Yes': 1e-6, 'No': -20.0}, {}, [0.0, -20.0], 0),
        ({' yes': -0.5, 'NO': -1.0, 'A': -2.0}, {}, [np.nan, np.nan], 0),
        ({' yes': -0.5, 'NO': -1.0, 'A': -2.0}, {'case_variants': True}, [-0.5, -1.0], 0),
        (BOTH, {'case_variants': True}, [np.logaddexp(-0.1, -5.0), np.logaddexp(-4.0, -6.0)], 0),
        ({'Ja': -0.5, 'Nein': -1.0}, {'answers': ['Ja', 'Nein']}, [-0.5, -1.0], 0),
        ({'Yes': float('nan'), 'No': -1.0}, {}, [np.nan, -1.0], 0),
    ],
)
def test_reading(serve, shown, arguments, pair, bounded):
    _, annotator = serve(lambda request: first_token(shown), **arguments)
    (answers,) = ask(annotator, RED)
    np.testing.assert_allclose(answers.logprobs, [pair] * 3, rtol=1e-6)
    assert answers.bounded == 3 * bounded


def test_a_missing_answer_has_a_reason(serve):
    replies = {
        'Is it red?': first_token(BOTH),
        'Is it big?': first_token({'The': -0.1, 'A': -2.0}),
        'Is it old?': completion('Yes'),
    }
    _, annotator = serve(lambda request: replies[request.prompt])
    (answers,) = ask(annotator, RED)
    assert np.isnan(answers.logprobs).tolist() == [[False] * 2, [True] * 2, [True] * 2]
    assert answers.reason == (
        "neither 'Yes' nor 'No' is among the 2 likeliest tokens; the server gave no log-probabilities"
    )


def test_an_image_that_is_refused_costs_one_request_and_not_the_others(serve):
    def answer(request):
        wide = image_of(request).size == (8, 4)
        return Reply({'error': {'message': 'image too wide'}}, 400) if wide else first_token(BOTH)

    server, annotator = serve(answer)
    red, blue = ask(annotator, RED, BLUE)
    assert np.isnan(red.logprobs).all()
    assert 'status 400' in red.reason
    assert 'image too wide' in red.reason
    assert blue.reason is None
    assert len(server.requests) == 4


def test_a_question_that_is_refused_leaves_the_others(serve):
    big = Reply({'error': {'message': 'not this'}}, 400)
    _, annotator = serve(lambda request: big if 'big' in request.prompt else first_token(BOTH))
    (answers,) = ask(annotator, RED)
    assert np.isnan(answers.logprobs).any(axis=1).tolist() == [False, True, False]
    assert 'not this' in answers.reason


def test_what_passes_is_tried_again(serve):
    faults = [Reply({}, 429), Reply(cut=True), Reply(b'{"choi')]
    server, annotator = serve(lambda request: first_token(BOTH), faults)
    assert ask(annotator, RED)[0].reason is None
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ('reply', 'client', 'message'),
    [
        (Reply({}, 401), {}, r'status 401'),
        (Reply({}, 500), {'max_retries': 1}, r'status 500.*tried 2 times'),
        (first_token(BOTH), {'max_requests': 2}, r'max_requests=2.*So far: 2 requests'),
    ],
)
def test_a_server_that_is_gone_stops_the_run(serve, reply, client, message):
    _, annotator = serve(lambda request: reply, client=client)
    with pytest.raises(AnnotatorStopped, match=f'(?s){message}'):
        ask(annotator, RED, BLUE)


def test_start_reports_what_the_server_shows(serve):
    server, annotator = serve(lambda request: first_token(BOTH))
    report = annotator.start(RED)
    assert report == {'logprobs_by': 'text', 'tokens_shown': 5, 'server_model': 'scripted-2024'}
    assert [request.path for request in server.requests] == ['/tokenize', '/v1/chat/completions']


@pytest.mark.parametrize('shown', [completion('Yes'), first_token({'Yes': -0.1})])
def test_start_refuses_a_server_without_log_probabilities(serve, shown):
    _, annotator = serve(lambda request: shown)
    with pytest.raises(ConfigError, match=r'shows [01] tokens .* at least 2'):
        annotator.start(RED)


@pytest.mark.parametrize('stand_in', [-3.4e38, -9999.0, float('-inf'), -100.5])
def test_all_probability_for_the_likeliest_token_is_no_answer(serve, stand_in):
    greedy = first_token({'Yes': 0.0, 'No': stand_in, 'The': stand_in})
    _, annotator = serve(lambda request: greedy)
    with pytest.raises(ConfigError, match=r'shows 1 tokens .*parameters=dict\(temperature=1\)'):
        annotator.start(RED)
    (answers,) = ask(annotator, RED)
    assert np.isnan(answers.logprobs).all()
    assert answers.reason == 'the server gave the log-probability of a single token'


def test_a_stand_in_is_not_taken_for_a_probability(serve):
    _, annotator = serve(lambda request: first_token({'Yes': -0.1, 'The': -3.0, 'No': -9999.0}))
    (answers,) = ask(annotator, RED)
    np.testing.assert_array_equal(answers.logprobs, np.float32([[-0.1, -3.0]] * 3))
    assert answers.bounded == 3


def divides(request):
    """Divides by the temperature, or by 0.02 where it is 0."""
    logits = np.array([1.0, 0.5, 0.2]) / (request.body['temperature'] or 0.02)
    return first_token(dict(zip(('Yes', 'No', 'The'), logits - np.logaddexp.reduce(logits))))


def test_log_probabilities_that_depend_on_the_temperature_are_refused(serve):
    _, annotator = serve(divides)
    with pytest.raises(ConfigError, match=r'differ by 25, and at temperature 1 by 0\.5\. Set parameters'):
        annotator.start(RED)
    _, annotator = serve(divides, parameters={'temperature': 1})
    annotator.start(RED)
    (answers,) = ask(annotator, RED)
    np.testing.assert_allclose(answers.logprobs[:, 0] - answers.logprobs[:, 1], 0.5, atol=1e-6)


def test_a_model_may_be_certain(serve):
    certain = {'Yes': -1e-9, 'The': -19.0, 'No': -21.0}
    server, annotator = serve(lambda request: first_token(certain))
    assert annotator.start(RED)['tokens_shown'] == 3
    assert [request.body.get('temperature') for request in server.requests[1:]] == [0, 1]
    _, annotator = serve(lambda r: Reply({}, 400) if r.body['temperature'] else first_token(certain))
    assert annotator.start(RED)['tokens_shown'] == 3


def test_start_refuses_a_model_without_eyes_but_not_a_strange_first_image(serve):
    blind = Reply({'error': {'message': 'image input is not supported'}}, 400)
    _, annotator = serve(lambda request: blind)
    with pytest.raises(ConfigError, match=r'(?s)image input is not supported.*take images'):
        annotator.start(RED)
    _, annotator = serve(lambda request: blind if image_of(request).size == (8, 4) else first_token(BOTH))
    assert annotator.start(RED)['tokens_shown'] == 5


def test_a_content_filter_costs_the_first_image_alone(serve):
    """A refusal with status 200 and without log-probabilities, about the first image."""
    filtered = completion('', logprobs=None, finish_reason='content_filter')
    _, annotator = serve(lambda request: filtered if image_of(request).size == (8, 4) else first_token(BOTH))
    assert annotator.start(RED)['tokens_shown'] == 5
    red, blue = ask(annotator, RED, BLUE)
    assert np.isnan(red.logprobs).all()
    assert red.reason == 'the server gave no log-probabilities'
    assert blue.reason is None


def test_start_stops_where_there_is_no_server(serve):
    _, annotator = serve(lambda request: Reply({}, 403))
    with pytest.raises(AnnotatorStopped, match='403'):
        annotator.start(RED)


class VLLM:
    """Tokenizes, and shows the tokens of ``logprob_token_ids`` if it is new enough."""

    IDS = {'Yes': 7, 'No': 8, ' yes': 9, 'no': 10}
    LOGPROBS = {7: -9.0, 8: -11.0, 9: -10.0, 10: -12.0}

    def __init__(self, new=True, continued=(1, 2)):
        self.new, self.continued = new, list(continued)

    def __call__(self, request):
        if request.path == '/tokenize':
            *_, last = request.body['messages']
            if last['role'] == 'user':
                assert request.body['add_generation_prompt']
                return Reply({'tokens': [1, 2]})
            assert request.body['continue_final_message']
            known = last['content'] in self.IDS
            return Reply({'tokens': [*self.continued, *([self.IDS[last['content']]] if known else [3, 4])]})
        ids = [7, 8, *range(100, 118)]
        if self.new and 'logprob_token_ids' in request.body:
            ids = [100, *request.body['logprob_token_ids']]
        by_id = request.body.get('return_tokens_as_token_ids')
        return first_token({f'token_id:{id_}' if by_id else f't{id_}': self.LOGPROBS.get(id_, -0.1) for id_ in ids})


def vllm_annotator(server, **arguments):
    return OpenAIAnnotator({'model': 'm', 'base_url': server.url, 'max_retries': 0}, QUESTIONS, **arguments)


def test_vllm_looks_tokens_up_by_id(serve):
    with ScriptedServer(VLLM()) as server:
        annotator = vllm_annotator(server)
        assert annotator.start(RED)['logprobs_by'] == 'token id'
        (answers,) = ask(annotator, RED)
    np.testing.assert_array_equal(answers.logprobs, [[-9, -11]] * 3)
    assert answers.bounded == 0
    assert server.requests[-1].body['logprob_token_ids'] == [7, 8]


def test_vllm_adds_the_variants_that_are_one_token(serve):
    with ScriptedServer(VLLM()) as server:
        annotator = vllm_annotator(server, case_variants=True)
        annotator.start(RED)
        (answers,) = ask(annotator, RED)
    expected = [np.logaddexp(-9, -10), np.logaddexp(-11, -12)]
    np.testing.assert_allclose(answers.logprobs, [expected] * 3, rtol=1e-6)


def test_an_older_vllm_that_drops_the_field_is_found_out(serve):
    with ScriptedServer(VLLM(new=False)) as server:
        annotator = vllm_annotator(server)
        assert annotator.start(RED)['logprobs_by'] == 'text'
        ask(annotator, RED)
    assert 'logprob_token_ids' not in server.requests[-1].body


def test_a_template_that_goes_on_differently_gives_no_ids(serve):
    with ScriptedServer(VLLM(continued=(1, 5))) as server:
        annotator = vllm_annotator(server)
        assert annotator.start(RED)['logprobs_by'] == 'text'


def test_identity_tells_what_decides_the_answers(serve):
    _, annotator = serve(lambda request: first_token(BOTH))
    identity = json.loads(json.dumps(annotator.identity))
    assert identity['model'] == 'm'
    assert identity['image'] == {'format': 'png', 'max_side': 1024}
    for changed in ({'prompt': 'yes_no'}, {'case_variants': True}, {'max_side': 64}, {'parameters': {'min_p': 0}}):
        assert serve(lambda request: None, **changed)[1].identity != identity
    assert serve(lambda request: None, concurrency=3)[1].identity == identity


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'image_format': 'gif'}, "image_format='gif' must be 'png' or 'jpeg'"),
        ({'answers': ['Yes']}, 'must be two words'),
        ({'top_logprobs': 1}, 'top_logprobs=1 must be at least 2'),
        ({'concurrency': 0}, 'concurrency'),
        ({'prompt': 'Is it?'}, 'must be'),
    ],
)
def test_arguments_without_meaning(serve, arguments, message):
    with pytest.raises(ConfigError, match=message):
        serve(lambda request: None, **arguments)


def test_the_config_builds_it(monkeypatch):
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-secret')
    monkeypatch.chdir(ROOT)
    cfg = Config.fromfile('configs/annotate/openai_server_emoji.py')
    annotator = MODELS.build(cfg.model)
    assert isinstance(annotator, OpenAIAnnotator)
    assert len(annotator.questions) == 66
    assert 'sk-secret' not in f'{annotator} {annotator.identity} {cfg.pretty_text}'
