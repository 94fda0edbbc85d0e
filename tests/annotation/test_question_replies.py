import json

import pytest

from makd.annotation.question_replies import read_questions, read_selection

WINGS, RED, SEA = 'Does it have wings?', 'Is its body red?', 'Is it found at sea?'
THREE = [(WINGS, 'visual'), (RED, 'visual'), (SEA, 'environmental')]
WITHOUT_KIND = [(text, None) for text, _ in THREE]
OBJECTS = {'questions': [{'text': text, 'kind': kind} for text, kind in THREE]}


@pytest.mark.parametrize(
    'reply',
    [
        json.dumps(OBJECTS),
        f'Here you are:\n```json\n{json.dumps(OBJECTS, indent=2)}\n```\nAnything else?',
        json.dumps([{'question': text, 'kind': kind.upper()} for text, kind in THREE]),
        json.dumps(
            {'questions': [{'text': f'{n}. "{text}" (Yes/No)', 'kind': kind} for n, (text, kind) in enumerate(THREE)]}
        ),
        f'<think>Is it good to ask "Is it old?"\nI say no.</think>{json.dumps(OBJECTS)}',
        json.dumps(OBJECTS)[:-2] + ', {"text": "Is it bro',  # cut off
        json.dumps({'visual': [WINGS, RED], 'environmental': [SEA]}),
        f'1. {WINGS} (visual)\n2. {RED} [Visual]\n3. **{SEA}** (environmental)',
        f'1) [visual] {WINGS}\n2) (Visual) {RED}\n3) [environmental] {SEA}',
    ],
)
def test_questions_with_kinds(reply):
    assert read_questions(reply) == THREE


@pytest.mark.parametrize(
    'reply',
    [
        json.dumps({'questions': [WINGS, RED, SEA]}),
        json.dumps([WINGS, RED, SEA])[:-1] + ', "Is it bro',
        f'{WINGS}\n{RED}\n{SEA}',
        f'Sure! Here are 3 questions:\n\n1. {WINGS}\n2. {RED}\n3. {SEA}\n\nI hope they help.',
        f'## Visual aspects\n\n- {WINGS}\n- {RED}\n\n**Environmental:**\n+ **{SEA}**',
        f'• {WINGS}\n• {RED} (Yes/No)\n• "{SEA}"',
        f'Q1: {WINGS} Q2: {RED} Q3: {SEA}',
        f'(1) {WINGS}\n(2) {RED}\n(3) {SEA}',
        f'```\n{WINGS}\n{RED}\n{SEA}\n```',
        json.dumps([{'text': text, 'kind': 'funny'} for text, _ in THREE]),
    ],
)
def test_questions_without_kinds(reply):
    assert read_questions(reply) == WITHOUT_KIND


def test_entries_of_a_list_that_are_not_questions_are_returned_as_well():
    assert read_questions('- It has wings\n- Is it 3. or 4.\nProse.') == [
        ('It has wings', None),
        ('Is it 3. or 4.', None),
    ]


@pytest.mark.parametrize(
    'reply', ['', 'I cannot help with that.', '{"questions": []}', '{', '[{]', '"?', '[{"kind": 3}]']
)
def test_no_questions(reply):
    assert read_questions(reply) == []


@pytest.mark.parametrize(
    'reply',
    [
        '{"selected": [3, 1]}',
        '{"selected": ["3", "1"]}',
        '```json\n{"selected": [3, 1]}\n```',
        json.dumps([SEA, WINGS]),
        '{"selected": [3, 1',
        'The best are:\n3, 1',
        '3\n1',
        '3.\n1.',
        '1. 3\n2. 1',
        f'1. {SEA}\n2. {WINGS}',  # the numbers are those of its own list
        f'3. {SEA}\n1. {WINGS}',
        f'- **{SEA}** It is distinct.\n- does it have wings',
        '{"selected": [3, 3, 0, 99, 1]}',
    ],
)
def test_selection(reply):
    assert read_selection(reply, [WINGS, RED, SEA]) == [2, 0]


def test_a_question_within_another_is_told_apart():
    assert read_selection('- Is it red or blue?', ['Is it red?', 'Is it red or blue?']) == [1]


@pytest.mark.parametrize('reply', ['', 'None of the 3 is good.', '[0, 4, 99]', '{"selected": [null, true, {}]}'])
def test_selection_of_nothing_that_is_listed(reply):
    assert read_selection(reply, [WINGS, RED, SEA]) == []


@pytest.mark.parametrize(
    ('reply', 'expected'),
    [
        (
            '{"text": "Is it red?", "kind": "visual"}\n{"text": "Has it fur?"}',
            [('Is it red?', 'visual'), ('Has it fur?', None)],
        ),
        ('Here are [2] questions:\n1. Is it red?\n2. Has it fur?', [('Is it red?', None), ('Has it fur?', None)]),
        ('{"q1": "Is it red?", "q2": "Has it fur?"}', [('Is it red?', None), ('Has it fur?', None)]),
        ('{"questions": {"visual": ["Is it red?"]}}', [('Is it red?', 'visual')]),
        ('[{"text": null}, {"text": "Is it red?"}]', [('Is it red?', None)]),
        ('{"questions": [{"id": 1, "yes_no_question": "Is it red?"}]}', [('Is it red?', None)]),
    ],
)
def test_questions_in_json_of_another_form(reply, expected):
    assert read_questions(reply) == expected


@pytest.mark.parametrize(
    'reply', ['{"selected": [{"number": 3}, {"number": 1}]}', '{"selected": "3, 1"}', 'Questions: 3, 1']
)
def test_selection_in_another_form(reply):
    assert read_selection(reply, ['Is it a?', 'Is it b?', 'Is it c?']) == [2, 0]
