"""The annotator on a scripted server that speaks the API by the vendor's documentation."""

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from scripted_server import Reply, ScriptedServer

from makd.config import check_makd_types
from makd.errors import AnnotatorStopped
from makd.questions import Question, QuestionSet
from makd.registry import MODELS

CONFIG = 'projects/perplexity_decisions/configs/perplexity_decisions_emoji.py'
QUESTIONS = QuestionSet([Question(id_, f'Is it {id_}?') for id_ in ('red', 'big', 'old')])


def reply(answers):
    content = {name: {'type': 'noul', 'noul': value} for name, value in answers.items()}
    return Reply({'answers': content, 'model': 'pplx', 'usage': {'input_tokens': 351, 'output_tokens': 0}})


@pytest.fixture
def ask(monkeypatch):
    """Return a function that asks about a red image: the answers, and the requests."""
    cfg = Config.fromfile(CONFIG)  # registers the annotator
    check_makd_types(cfg)
    monkeypatch.setenv('PERPLEXITY_API_KEY', 'secret')

    def about(answers, questions=QUESTIONS, **client):
        answer = answers if callable(answers) else lambda request: reply(answers)
        with ScriptedServer(answer) as server:
            settings = {**cfg.model, 'questions': questions}
            settings['client'] = {**cfg.model.client, 'base_url': server.url, **client}
            annotator = MODELS.build(settings)
            (given,) = annotator.answer([annotator.preparer(Image.new('RGB', (2000, 100), 'red'))])
            return given, server.requests, annotator

    return about


def test_the_request_is_the_documented_one(ask):
    _, (request,), annotator = ask({'red': 0.5, 'big': 0.5, 'old': 0.5})
    assert request.path == '/v1/decisions'
    assert request.headers['authorization'] == 'Bearer secret'
    assert set(request.body) == {'model', 'state', 'questions'}
    assert request.body['model'] == 'pplx-decider-v1.2'
    assert request.body['questions']['big'] == {'type': 'noul', 'instructions': 'Is it big?'}
    (part,) = request.body['state']
    assert part['type'] == 'image_url'
    assert part['image_url']['url'].startswith('data:image/png;base64,')
    assert annotator.usage.dollars == pytest.approx(351 * 0.02 / 1e6)


def test_answers_are_matched_by_name(ask):
    given, _, _ = ask({'old': 0.3, 'red': 0.1, 'new': 0.9})
    np.testing.assert_allclose(np.exp(given.logprobs[:, 0]), [0.1, np.nan, 0.3], rtol=1e-6)
    assert given.reason == 'the reply lacks an answer'


def test_more_than_128_questions_are_split(ask):
    many = QuestionSet([Question(f'q{index}', f'{index}?') for index in range(130)])
    given, requests, _ = ask(lambda request: reply(dict.fromkeys(request.body['questions'], 0.5)), questions=many)
    assert [len(request.body['questions']) for request in requests] == [65, 65]
    assert given.reason is None


def test_a_rejected_key_stops_the_run(ask):
    with pytest.raises(AnnotatorStopped, match='status 401'):
        ask(lambda request: Reply({'error': {'message': 'no'}}, 401))
