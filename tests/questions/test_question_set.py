import hashlib
import json

import pytest

from makd.errors import QuestionsError
from makd.questions import Question, QuestionSet

WINGS = Question('wings', 'Does it have wings?', 'visual')
CAFÉ = Question('cafe', 'Is it found in a café?', 'environmental')


def save_json(path, content):
    path.write_text(json.dumps(content), encoding='utf-8')
    return path


def test_hash_is_the_documented_canonical_form():
    questions = QuestionSet([WINGS, CAFÉ])
    canonical = b'[["wings","Does it have wings?"],["cafe","Is it found in a caf\\u00e9?"]]'
    assert questions.hash == hashlib.sha256(canonical).hexdigest()
    # The value itself: a change would make every folder of targets that exists unreadable.
    assert questions.hash == '840262d83882061e8f5c96d095cf7bb38b43dc702291819052b6b4cbaddcd1ef'


def test_equality_counts_ids_texts_and_order_only():
    questions = QuestionSet([WINGS, CAFÉ], {'author': 'me'})
    same = QuestionSet([Question('wings', WINGS.text), Question('cafe', CAFÉ.text)])
    assert questions == same
    assert hash(questions) == hash(same)
    assert questions != QuestionSet([CAFÉ, WINGS])
    assert questions != QuestionSet([Question('w', WINGS.text), CAFÉ])
    assert questions != 'wings'


def test_is_an_ordered_sequence():
    questions = QuestionSet([WINGS, CAFÉ])
    assert len(questions) == 2
    assert list(questions) == [WINGS, CAFÉ]
    assert questions[1] is CAFÉ
    assert questions.ids == ('wings', 'cafe')
    assert questions.texts == ('Does it have wings?', 'Is it found in a café?')


def test_save_and_load_keep_everything(tmp_path):
    questions = QuestionSet([WINGS, Question('x', 'Is it big?')], {'model': 'm', 'seed': 3})
    questions.save(tmp_path / 'sub' / 'questions.json')
    loaded = QuestionSet.load(tmp_path / 'sub' / 'questions.json')
    assert list(loaded) == list(questions)
    assert loaded.metadata == {'model': 'm', 'seed': 3}


def test_interrupted_save_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'questions.json'
    QuestionSet([WINGS]).save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        QuestionSet([CAFÉ], {'not JSON': object()}).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ['questions.json']


def test_from_text_skips_empty_lines(tmp_path):
    path = tmp_path / 'questions.txt'
    path.write_bytes('\ufeffDoes it have wings?\r\n\r\n  Is it found in a café?\r\n'.encode())
    questions = QuestionSet.from_text(path)
    assert list(questions) == [Question('q1', 'Does it have wings?'), Question('q2', 'Is it found in a café?')]


def test_select_and_top():
    questions = QuestionSet([Question(id_, f'Is it {id_}?') for id_ in 'abcd'], {'seed': 1})
    assert questions.select(['d', 'a']).ids == ('d', 'a')
    assert questions.top(2).ids == ('a', 'b')
    assert questions.top(2).metadata == {'seed': 1}
    with pytest.raises(QuestionsError, match=r'top 5 of 4 questions: choose from 1 to 4'):
        questions.top(5)
    with pytest.raises(QuestionsError, match='top 0 of 4'):
        questions.top(0)


def test_unknown_id_names_close_ones():
    with pytest.raises(QuestionsError, match=r"no question 'wing' among the 2; close to it: 'wings'"):
        QuestionSet([WINGS, CAFÉ]).select(['wing'])


@pytest.mark.parametrize(
    ('entries', 'message'),
    [
        ([], 'there are no questions'),
        ([{'id': 'a', 'text': 'A?'}, {'id': 'a', 'text': 'B?'}], r"questions\[1\] .*id 'a' .*questions\[0\]"),
        ([{'id': 'a', 'text': 'A?'}, {'id': 'b', 'text': 'A? '}], r"questions\[1\] .*text 'A\? ' .*questions\[0\]"),
        ([{'id': 'a', 'text': ' '}], r"questions\[0\] \('a'\): text must be one line of text, not empty, got ' '"),
        ([{'id': 'a', 'text': 'A?\nB?'}], r'questions\[0\] .*one line'),
        ([{'id': 3, 'text': 'A?'}], r'questions\[0\] \(3\): id must be one line of text'),
        ([{'id': 'a', 'text': 'A?', 'kind': 'odd'}], r"questions\[0\] .*unknown kind 'odd'; choose from 'visual'"),
        ([{'id': 'a', 'text': 'A?'}, {'id': 'b'}], r"questions\[1\]: the field 'text' is missing"),
        ([{'id': 'a', 'text': 'A?', 'knd': 'visual'}], r"questions\[0\]: unknown field 'knd'"),
        (['A?'], r"questions\[0\]: expected .* got 'A\?'"),
    ],
)
def test_damaged_entries_name_file_and_index(tmp_path, entries, message):
    path = save_json(tmp_path / 'hand.json', {'questions': entries})
    with pytest.raises(QuestionsError, match=f'hand.json: {message}'):
        QuestionSet.load(path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (['A?'], r"""hand.json: expected \{"questions"""),
        ({'question': []}, r"""hand.json: expected \{"questions"""),
        ({'questions': [{'id': 'a', 'text': 'A?'}], 'author': 'me'}, "unknown field 'author' beside"),
        ({'questions': [{'id': 'a', 'text': 'A?'}], 'metadata': []}, '"metadata" must be a JSON object'),
    ],
)
def test_wrong_structure(tmp_path, content, message):
    with pytest.raises(QuestionsError, match=message):
        QuestionSet.load(save_json(tmp_path / 'hand.json', content))


def test_unreadable_files(tmp_path):
    with pytest.raises(QuestionsError, match=r'cannot read .*absent\.json: No such file'):
        QuestionSet.load(tmp_path / 'absent.json')
    (tmp_path / 'list.txt').write_text('Is it big?\n')
    with pytest.raises(QuestionsError, match=r'list\.txt is not JSON: .*from_text'):
        QuestionSet.load(tmp_path / 'list.txt')
    (tmp_path / 'latin.txt').write_bytes('Is it a café?'.encode('latin-1'))
    with pytest.raises(QuestionsError, match=r'latin\.txt is not UTF-8 \(byte 11\)'):
        QuestionSet.from_text(tmp_path / 'latin.txt')
