import json
import logging
import re
from contextlib import ExitStack

import pytest
from scripted_server import Reply, ScriptedServer, completion

from makd.annotation.openai_client import OpenAIClient
from makd.annotation.question_writer import GENERATE, RANK, SYSTEM, QuestionWriter
from makd.errors import ConfigError, QuestionsError, ServerError
from makd.questions import KINDS, QuestionSet

CLASSES = ['lion', 'tiger', 'eagle', 'shark']
WORDS = 'red, blue, green, round, long, short, wet, dry, soft, hard, big, small, old, new, hot, cold'
QUESTIONS = [f'Is its body {word}?' for word in WORDS.split(', ')]


class Model:
    """Writes the questions of a list one after the other, as many as it is asked for, and selects the last ones."""

    def __init__(self, questions, as_json=True, extra=()):
        self.questions, self.as_json, self.extra = list(questions), as_json, list(extra)

    def __call__(self, request):
        number = int(re.search(r'(?:Generate|Select) (\d+)', request.prompt).group(1))
        if 'Select' in request.prompt:
            listed = re.findall(r'^(\d+)\. ', request.prompt, re.MULTILINE)
            return self.say({'selected': [int(last) for last in listed[-number:]]}, ', '.join(listed[-number:]))
        texts = self.extra + [self.questions.pop(0) for _ in range(min(number, len(self.questions)))]
        self.extra = []
        return self.say(
            {'questions': [{'text': text, 'kind': 'visual'} for text in texts]},
            '\n'.join(f'{index}. {text} (visual)' for index, text in enumerate(texts)),
        )

    def say(self, structured, text):
        return completion(json.dumps(structured) if self.as_json else text)


@pytest.fixture
def serve():
    with ExitStack() as servers:

        def start(answer, faults=(), **arguments):
            server = servers.enter_context(ScriptedServer(answer, faults))
            client = OpenAIClient('big', server.url, max_retries=0)
            return server, QuestionWriter(client, **{'num_generated': 6, 'num_selected': 4, **arguments})

        yield start


@pytest.mark.parametrize('as_json', [True, False])
def test_generates_then_selects(serve, as_json):
    server, writer = serve(Model(QUESTIONS, as_json), parameters={'temperature': 1.0}, seed=7)
    questions = writer.write(CLASSES)
    assert questions.texts == tuple(QUESTIONS[2:6])
    assert questions.ids == ('body_green', 'body_round', 'body_long', 'body_short')
    assert {question.kind for question in questions} == {'visual'}

    first, second = server.requests
    assert first.body['messages'][0] == {'role': 'system', 'content': SYSTEM}
    assert first.prompt.startswith(
        'The dataset consists of 4 classes and images. The class list is as follows: [lion, tiger, eagle, shark], '
        + GENERATE.format(number=6)
    )
    assert RANK.format(number=4) in second.prompt
    assert '6. Is its body short?' in second.prompt
    schema = first.body['response_format']['json_schema']['schema']
    assert schema['$defs']['WrittenQuestion']['properties']['kind']['enum'] == list(KINDS)
    assert list(second.body['response_format']['json_schema']['schema']['properties']) == ['selected']
    assert [request.body['seed'] for request in server.requests] == [7, 8]
    assert first.body['temperature'] == 1.0


def test_metadata_says_where_the_questions_come_from(serve, tmp_path):
    _, writer = serve(Model(QUESTIONS, extra=['What is it?']))
    writer.write(CLASSES).save(tmp_path / 'q.json')
    metadata = QuestionSet.load(tmp_path / 'q.json').metadata
    assert re.fullmatch(r'\d{4}-\d\d-\d\d', metadata.pop('date'))
    assert metadata.pop('prompts')['rank'] == RANK
    assert metadata == {
        'model': 'big',
        'server_models': ['scripted-2024'],
        'classes': 4,
        'num_generated': 6,
        'seed': 0,
        'similarity': 0.9,
        'class_names': 'drop',
        'parameters': {},
        'system_prompt': SYSTEM,
        'usage': {'requests': 2, 'repeated': 0, 'prompt_tokens': 20, 'completion_tokens': 10, 'cached_tokens': 0},
        'generated': 6,
        'ranked': 4,
        'dropped': [{'text': 'What is it?', 'reason': 'not a question that yes or no answers'}],
    }


def test_what_is_dropped_is_asked_for_again(serve):
    bad = ['Is it a tiger?', 'Is the body red?', 'It is big', 'Is its body red?']
    server, writer = serve(Model([*bad, *QUESTIONS]), num_selected=6)
    questions = writer.write(CLASSES)
    assert set(questions.texts) == {*QUESTIONS[1:6], 'Is the body red?'}
    assert [entry['reason'] for entry in questions.metadata['dropped']] == [
        "names the class 'tiger'",
        'not a question',
        "repeats 'Is the body red?'",
        "repeats 'Is the body red?'",
    ]
    first, second, _ = server.prompts
    assert 'Generate 6' in first
    assert 'Generate 4' in second
    assert 'Do not repeat these questions:\nIs its body blue?\nIs the body red?\n' in second


def test_names_of_classes_may_be_kept(serve):
    server, writer = serve(Model(['Is it a tiger?', *QUESTIONS]), class_names='keep', num_selected=6)
    assert 'Is it a tiger?' in writer.write(CLASSES).texts
    assert 'name of a class' not in server.prompts[0]


def test_too_few_questions_are_kept_and_said(serve, caplog):
    server, writer = serve(Model(QUESTIONS[:3]), max_rounds=3)
    questions = writer.write(CLASSES)
    assert len(questions) == 3
    assert 'wrote 3 usable questions instead of 6 in 3 rounds' in caplog.text
    assert 'there are 3 questions instead of 4' in caplog.text
    assert len(server.requests) == 3 + 1


def test_no_question_is_an_error(serve):
    _, writer = serve(lambda request: completion('- As a language model\n- I cannot'))
    with pytest.raises(QuestionsError, match=r"big wrote no usable question in 5 rounds \('As a language model': not"):
        writer.write(CLASSES)


def test_a_short_selection_is_asked_for_again_then_filled_up(serve, caplog):
    model = Model(QUESTIONS)
    selections = iter(['{"selected": [6, 6, 99]}', 'I like 5'])
    server, writer = serve(
        lambda request: completion(next(selections, '')) if 'Select' in request.prompt else model(request), max_rounds=3
    )
    questions = writer.write(CLASSES)
    assert questions.texts == (QUESTIONS[5], *QUESTIONS[:3])
    assert questions.metadata['ranked'] == 1
    assert 'selected 1 questions; 3 more follow' in caplog.text
    assert RANK.format(number=3) in server.prompts[2]
    assert QUESTIONS[5] not in server.prompts[2]


REFUSALS = [
    Reply({'error': {'message': 'json_schema is not supported'}}, 400),
    Reply({'error': {'message': "{'loc': ('body', 'response_format', 'type'), 'msg': 'Input should be'}"}}, 500),
]


@pytest.mark.parametrize(
    ('refusals', 'forms'),
    [
        (REFUSALS[:1], ['json_schema', 'json_object', 'json_object']),
        (REFUSALS[1:], ['json_schema', 'json_object', 'json_object']),  # what llama-cpp-python says
        (REFUSALS, ['json_schema', 'json_object', None, None]),
    ],
)
def test_a_server_that_refuses_a_form_is_asked_for_the_next(serve, refusals, forms):
    server, writer = serve(Model(QUESTIONS), faults=refusals)
    assert len(writer.write(CLASSES)) == 4
    assert [request.body.get('response_format', {}).get('type') for request in server.requests] == forms
    assert all('in JSON' in prompt for prompt in server.prompts)
    if refusals != REFUSALS:
        assert list(server.requests[-1].body['response_format']['schema']['properties']) == ['selected']


def test_structured_output_can_be_switched_off(serve):
    server, writer = serve(Model(QUESTIONS, as_json=False), structured=False)
    assert len(writer.write(CLASSES)) == 4
    assert not any('response_format' in request.body for request in server.requests)


def test_a_reply_that_is_cut_off_counts_as_far_as_it_goes(serve):
    cut = completion(json.dumps({'questions': [{'text': QUESTIONS[9], 'kind': 'visual'}]})[:-2] + ', {"text": "Is it')
    cut.body['choices'][0]['finish_reason'] = 'length'
    server, writer = serve(Model(QUESTIONS), faults=[cut], num_selected=6)
    questions = writer.write(CLASSES)
    assert set(questions.texts) == {QUESTIONS[9], *QUESTIONS[:5]}
    assert questions.metadata['dropped'] == []
    assert 'Generate 5' in server.prompts[1]


def test_what_is_refused_in_every_form_is_an_error(serve):
    _, writer = serve(lambda request: Reply({'error': {'message': 'context length exceeded'}}, 400))
    with pytest.raises(ServerError, match='context length exceeded'):
        writer.write(CLASSES)


def test_long_lists_are_dealt_out_over_requests(serve):
    classes = [f'species {index:03d}' for index in range(100)]
    server, writer = serve(Model(QUESTIONS), num_generated=12, num_selected=8, max_prompt_tokens=350)
    questions = writer.write(classes)
    assert len(questions) == 8
    generating = [prompt for prompt in server.prompts if 'Generate' in prompt]
    listed = [re.findall(r'species \d+', prompt) for prompt in generating]
    assert len(listed) == 2
    assert sorted(listed[0] + listed[1]) == classes
    assert listed[0][:3] == ['species 000', 'species 002', 'species 004']
    assert all('consists of 100 classes' in prompt for prompt in generating)
    assert all(len(prompt) <= 350 * 3 + 400 for prompt in server.prompts)  # the instructions come on top


def test_a_part_that_brings_too_many_leaves_room_for_the_next(serve):
    everything = completion('\n'.join(QUESTIONS))
    server, writer = serve(lambda request: everything, num_generated=6, max_prompt_tokens=100)
    writer.write([f'species {index:03d}' for index in range(30)])
    generating = [prompt for prompt in server.prompts if 'Generate' in prompt]
    assert len(generating) > 1
    assert 'Generate 6' not in generating[0]


def test_a_long_choice_is_made_in_groups_whose_best_come_first(serve):
    server, writer = serve(Model(QUESTIONS), num_generated=16, num_selected=8, max_prompt_tokens=120)
    questions = writer.write(['a', 'b'])
    selecting = [prompt for prompt in server.prompts if 'Select' in prompt]
    assert len(selecting) == 2
    assert all('Select 4' in prompt for prompt in selecting)
    # The groups are QUESTIONS[0::2] and QUESTIONS[1::2], and the model selects the last four of each.
    assert questions.texts == tuple(QUESTIONS[8:])


def test_what_was_generated_outlives_a_failure_and_is_used_again(serve, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    progress = tmp_path / '.questions.partial'
    model = Model(QUESTIONS)
    _, writer = serve(lambda request: Reply({}, 500) if 'Select' in request.prompt else model(request))
    with pytest.raises(ServerError):
        writer.write(CLASSES, progress)

    server, writer = serve(Model([]))
    assert writer.write(CLASSES, progress).texts == tuple(QUESTIONS[2:6])
    assert len(server.requests) == 1
    assert 'resuming with the 6 questions' in caplog.text

    server, writer = serve(Model(QUESTIONS))
    writer.write([*CLASSES, 'whale'], progress)
    assert len(server.requests) == 2
    assert 'is for another model' in caplog.text


def test_refusals_and_replies_without_content_count_as_nothing(serve):
    refusal = {'role': 'assistant', 'content': None, 'refusal': 'I cannot help with that.'}
    parts = {'role': 'assistant', 'content': [{'type': 'text', 'text': 'Is it red?'}]}
    faults = [completion(None), completion(''), completion(None, message=refusal), completion(None, message=parts)]
    server, writer = serve(Model(QUESTIONS), faults=faults)
    assert len(writer.write(CLASSES)) == 4
    assert len(server.requests) == 4 + 2


def test_prompts_are_shown_without_a_request(serve):
    server, writer = serve(Model(QUESTIONS))
    generate, rank = writer.prompts(CLASSES)
    assert 'Generate 6' in generate
    assert 'Select 4' in rank
    assert not server.requests


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'num_selected': 7}, 'num_selected=7 must be from 1 to num_generated=6'),
        ({'class_names': 'no'}, "class_names='no' must be 'drop' or 'keep'"),
        ({'max_rounds': 0}, 'max_rounds must be at least 1'),
    ],
)
def test_arguments_without_meaning(serve, arguments, message):
    with pytest.raises(ConfigError, match=message):
        serve(Model([]), **arguments)


def test_classes_are_needed(serve):
    with pytest.raises(ConfigError, match='no classes'):
        serve(Model([]))[1].write([])
