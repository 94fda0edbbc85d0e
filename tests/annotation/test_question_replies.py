import json

import pytest

from makd.annotation.question_replies import parse_questions, parse_selection

WINGS, RED, SEA = 'Does it have wings?', 'Is its body red?', 'Is it found at sea?'
THREE = [(WINGS, 'visual'), (RED, 'visual'), (SEA, 'environmental')]
WITHOUT_KIND = [(text, None) for text, _ in THREE]
OBJECTS = {'questions': [{'text': text, 'kind': kind} for text, kind in THREE]}


@pytest.mark.parametrize(
    'text',
    [
        json.dumps(OBJECTS),
        f'Here you are:\n```json\n{json.dumps(OBJECTS, indent=2)}\n```\nAnything else?',
        json.dumps({'Visual': [WINGS, RED], 'environmental': {'questions': [SEA]}}),
        json.dumps([{'question': text, 'kind': kind.upper()} for text, kind in THREE]),
        f'<think>Is it good to ask "Is it old?"\nI say no.</think>{json.dumps(OBJECTS)}',
        json.dumps(OBJECTS)[:-2] + ', {"text": "Is it bro',  # cut off
        f'1. {WINGS} (visual)\n2. {RED} [visual]\n3. {SEA} - environmental',
        f'## Visual aspects\n\n- {WINGS}\n- {RED}\n\n**Environmental:**\n* **{SEA}**',
        f'1) [visual] {WINGS}\n2) Visual: {RED}\n3) **environmental**: {SEA}',
    ],
)
def test_questions_with_kinds(text):
    assert parse_questions(text) == THREE


@pytest.mark.parametrize(
    'text',
    [
        json.dumps({'questions': [WINGS, RED, SEA]}),
        json.dumps([WINGS, RED, SEA])[:-1] + ', "Is it bro',
        f'{WINGS}\n{RED}\n{SEA}',
        f'Sure! Here are 3 questions:\n\n1. {WINGS}\n2. {RED}\n3. {SEA}\n\nI hope they help.',
        f'• {WINGS}\n• {RED} (Yes/No)\n• "{SEA}"',
        f'Q1: {WINGS} Q2: {RED} Q3: {SEA}',
        f'(1) {WINGS}\n(2) {RED}\n(3) {SEA}',
        f'Of course: {WINGS} {RED} Great. {SEA}',
        f'```\n{WINGS}\n{RED}\n{SEA}\n```',
        json.dumps([{'text': text, 'kind': 'funny'} for text, _ in THREE]),
    ],
)
def test_questions_without_kinds(text):
    assert parse_questions(text) == WITHOUT_KIND


def test_entries_of_a_list_that_are_no_questions_come_too():
    assert parse_questions('- It has wings\n- Is it 3. or 4.\nProse.') == [
        ('It has wings', None),
        ('Is it 3. or 4.', None),
    ]


@pytest.mark.parametrize('text', ['', 'I cannot help with that.', '{"questions": []}', '{', '[{]', '"?'])
def test_no_questions(text):
    assert parse_questions(text) in ([], [('?', None)])


@pytest.mark.parametrize(
    'text',
    [
        '{"selected": [3, 1]}',
        '{"selected": ["3", "1"]}',
        json.dumps([SEA, WINGS]),
        json.dumps({'selected': [{'rank': 1, 'number': 3}, {'rank': 2, 'number': 1}]}),
        '{"selected": [3, 1',
        'The best are:\n3, 1',
        '3\n1',
        '3.\n1.',
        'Question 3, Question 1',
        'Q3\nQ1',
        '1. 3\n2. 1',
        f'1. {SEA}\n2. {WINGS}',  # the numbers are those of its own list
        f'3. {SEA}\n1. {WINGS}',
        f'- **{SEA}** It is distinct.\n- does it have wings',
        '1. Is it found at the sea?\n2. Does it have wing?',
    ],
)
def test_selection(text):
    assert parse_selection(text, [WINGS, RED, SEA]) == [2, 0]


@pytest.mark.parametrize('text', ['', 'None of the 3 is good.', '[0, 4, 99]', '{"selected": [null, true, {}]}'])
def test_selection_of_nothing_that_is_there(text):
    assert parse_selection(text, [WINGS, RED, SEA]) == []
