import pytest

from makd.annotation.question_filter import QuestionFilter

CLASSES = ['leopard', '001.Black_footed_Albatross', 'tench, Tinca tinca', 'lightning bug', 'Boeing 737-200', 'cherry']


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('It has wings.', 'not a question'),
        ('Red?', 'not a question'),
        ('What color is it?', 'not a question that yes or no answers'),
        ('The question is "Which class is it?', 'not a question that yes or no answers'),
        ('In what way does it move?', 'not a question that yes or no answers'),
        ('The question is: Which animal is it?', 'not a question that yes or no answers'),
        ('Is it ' + 'very ' * 80 + 'big?', 'longer than 300 characters'),
        ('Is it a leopard?', "names the class 'leopard'"),
        ('Are there Leopards nearby?', "names the class 'leopard'"),
        ('Is it a black-footed albatross?', "names the class '001.Black_footed_Albatross'"),
        ('Does it look like Tinca tinca?', "names the class 'Tinca tinca'"),
        ('Is it a Boeing 737-200 in flight?', "names the class 'Boeing 737-200'"),
        ('Does it have cherries on it?', "names the class 'cherry'"),
        ('Does it have black feet?', None),
        ('Is it a bug?', None),
        ('Is it a Boeing?', None),
        ('Does it have wings?', None),
    ],
)
def test_reason(text, reason):
    assert QuestionFilter(CLASSES).reason_against(text, []) == reason


@pytest.mark.parametrize(
    'text',
    ['Does the object have wings?', 'Are there any wings visible in the image?', 'Is it winged, as seen?'],
)
def test_the_same_in_other_words(text):
    assert QuestionFilter().reason_against(text, ['Is it big?', 'Has it wings?']) == "repeats 'Has it wings?'"


@pytest.mark.parametrize(
    ('text', 'other'),
    [
        ('Is the beak red?', 'Is the beak blue?'),
        ('Is the beak long and red?', 'Is the beak long?'),
        ('Is it striped?', 'Is it not striped?'),
        ('Is it there?', 'Is it one?'),
    ],
)
def test_different_questions(text, other):
    assert QuestionFilter().reason_against(text, [other]) is None


def test_similarity_is_the_share_of_common_words():
    red, blue = 'Is the beak long and red?', 'Is the beak long and blue?'  # 2 of 3 words in common
    assert QuestionFilter(similarity=0.67).reason_against(red, [blue]) is None
    assert QuestionFilter(similarity=0.66).reason_against(red, [blue]) is not None
