import numpy as np
import pytest
from PIL import Image

from projects.tiny_mllm.pictures import Lesson
from projects.tiny_mllm.questions import SAID, TEMPLATES, UNSAID, QuestionBank, ask

SHARED = tuple(f'Is it thing {number}?' for number in range(30))


def lesson(name, words, answers):
    return Lesson(f'noto/x/{name}', Image.new('RGBA', (64, 64)), frozenset(words), answers)


@pytest.fixture(scope='module')
def bank():
    # The first question is answered by yes for one thing in ten, the others for every second one.
    rng = np.random.default_rng(0)
    yes = np.c_[np.arange(100) % 10 == 0, rng.random((100, 29)) < 0.5]
    answers = np.where(yes, 0.97, 0.03).astype(np.float32)
    words = [{'owl', 'bird'} if i % 5 == 0 else {'ice', 'rare'} if i < 3 else {'ice', f'w{i % 4}'} for i in range(100)]
    return QuestionBank(SHARED, [*map(lesson, range(100), words, answers), lesson('other', {'owl', 'bird'}, None)])


def test_words_of_few_things_are_not_asked_for(bank):
    assert bank.words == ['bird', 'ice', 'owl', 'w0', 'w1', 'w2', 'w3']
    assert bank.texts[:30] == list(SHARED)
    bird = ['Is it a bird?', 'Is there a bird?', 'Does it have to do with bird?', 'Can you see a bird?']
    assert bank.texts[30:34] == bird
    assert bank.texts[34] == 'Is it an ice?'
    assert len(bank.texts) == 30 + 7 * len(TEMPLATES)
    assert ask('Is it {a} {word}?', 'sea lion') == 'Is it a sea lion?'


def test_pictures_of_one_thing_in_several_styles_count_once():
    same = [Lesson(f'{style}/x/1f600', Image.new('RGBA', (64, 64)), frozenset({'grin'}), None) for style in 'abcdefg']
    assert QuestionBank(SHARED, same).words == []


def test_targets_belong_to_the_questions(bank):
    rng = np.random.default_rng(0)
    for row in (0, 3, 100):
        indices, targets = bank.draw(row, 4, rng, balanced=True)
        assert len(indices) == len(set(indices)) == len(targets) == 4
        for index, target in zip(indices, targets):
            if index < 30:
                assert target == bank.answers[row, index]
            else:
                said = bank.said[row, (index - 30) // len(TEMPLATES)]
                assert target == np.float32(SAID if said else UNSAID)


@pytest.mark.parametrize(('balanced', 'share'), [(True, 0.5), (False, 0.1)])
def test_balance_asks_for_as_many_yes_as_no(bank, balanced, share):
    rng = np.random.default_rng(0)
    rare = []
    for _ in range(12):
        for row in range(100):
            indices, targets = bank.draw(row, 4, rng, balanced)
            rare += [target > 0.5 for index, target in zip(indices, targets) if index == 0]
    assert np.mean(rare) == pytest.approx(share, abs=0.1)


def test_a_lesson_without_answers_is_asked_on_words_only(bank):
    indices, targets = bank.draw(100, 2, np.random.default_rng(0), balanced=False)
    assert (indices >= 30).all()
    assert np.isfinite(targets).all()
