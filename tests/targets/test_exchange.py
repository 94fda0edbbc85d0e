import json

import numpy as np
import pytest

from makd.errors import TargetsError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets, exchange

KEYS = ['cat/1.jpg', 'dog/2.b.JPEG']


@pytest.fixture
def two_questions():
    return QuestionSet([Question('q1', 'Has it wings?'), Question('q2', 'Has it fur?')])


@pytest.fixture
def convert(tmp_path, two_questions):
    def convert(answers, keys=KEYS, **arguments):
        source = tmp_path / 'answers.json'
        arguments.setdefault('split', 'all')
        source.write_text(answers if isinstance(answers, str) else json.dumps(answers), 'utf-8')
        return exchange.import_json(source, tmp_path / 'out', questions=two_questions, keys=keys, **arguments)

    return convert


def test_json_becomes_log_probabilities(convert):
    report = convert({'2.b': [0.25, 1], '1': [0.0, None]}, meta={'from': 'authors'})
    targets = report.targets
    assert list(targets.keys) == KEYS
    assert targets.meta == {'from': 'authors'}
    nan = np.nan
    np.testing.assert_allclose(
        targets.logprobs,
        [[[-np.inf, 0], [nan, nan]], [[np.log(0.25), np.log(0.75)], [0, -np.inf]]],
        rtol=1e-7,
    )
    np.testing.assert_array_equal(targets.probability('cat/1.jpg'), [0, nan])
    # The sigmoid of a difference of float32 logarithms gives 0.25 to within rounding.
    np.testing.assert_allclose(targets.probability('dog/2.b.JPEG'), [0.25, 1], rtol=1e-6)
    targets.validate()
    assert (report.stems_without_image, report.images_without_stem) == ((), ())


def test_json_keeps_probabilities_close_to_one(convert):
    """1 - p is taken in float64: in float32 this p is 1."""
    logprobs = convert({'1': [1 - 1e-9, 1e-9]}).targets.logprobs
    np.testing.assert_allclose(logprobs[0], [[-1e-9, np.log(1e-9)], [np.log(1e-9), -1e-9]], rtol=1e-6)


def test_json_reports_what_has_no_counterpart(convert):
    answers = {'1': [0.1, 0.2], **{f'x{i:02d}': [0.1, 0.2] for i in range(12)}}
    report = convert(answers, keys=[*KEYS, 'a.png'])
    assert report.images_without_stem == ('a.png', 'dog/2.b.JPEG')
    assert len(report.stems_without_image) == 12
    assert list(report.targets.keys) == ['cat/1.jpg']
    text = str(report)
    assert '12 answers without an image: x00, x01, x02, x03, x04, x05, x06, x07, x08, x09, ...' in text
    assert '2 images without answers: a.png, dog/2.b.JPEG' in text


def test_ambiguous_stem_is_an_error_if_it_matters(convert):
    keys = ['a/1.png', 'b/1.png', 'a/2.png', 'b/2.png', '3.png']
    with pytest.raises(TargetsError, match=r"answers.json: the stem '1' is ambiguous, both 'a/1.png' and 'b/1.png'"):
        convert({'1': [0, 1], '3': [0, 1]}, keys=keys)
    report = convert({'3': [0, 1]}, keys=keys)
    assert list(report.targets.keys) == ['3.png']


@pytest.mark.parametrize(
    ('answers', 'message'),
    [
        ({'1': [0.5, 1.5]}, r"answers.json: stem '1', question 'q2' \('Has it fur\?'\): 1.5 is not a probability"),
        ({'1': [-0.1, 0]}, r"question 'q1' .* -0.1 is not a probability"),
        ('{"1": [0.5, Infinity]}', r"question 'q2' .* inf is not a probability"),
        ({'1': ['0.5', 0]}, r"question 'q1' .* '0.5' is not a probability"),
        ({'1': [0, True]}, r'True is not a probability'),
        ({'1': [0.5]}, r"the stem '1' has 1 values, expected a list of 2"),
        ({'1': 0.5}, r"the stem '1' has 0.5, expected a list of 2"),
        ({'7': [0, 1]}, r"none of its 1 stems, like '7', belongs to one of the 2 images, like 'cat/1.jpg'"),
        ({}, r'none of its 0 stems'),
        ([], r'expected \{image stem: .*got a list'),
        ('{', 'answers.json is not JSON'),
        ('{"1": [0, 1], "2": [0, 1], "1": [1, 1]}', "the stem '1' occurs twice"),
    ],
)
def test_damaged_json(convert, tmp_path, answers, message):
    with pytest.raises(TargetsError, match=message):
        convert(answers)
    assert not (tmp_path / 'out').exists()


def test_json_round_trip(tmp_path, monkeypatch, targets):
    logprobs = targets.logprobs.copy()
    logprobs[0, 0] = np.nan
    logprobs[1, 1] = (-30, -1e-13)
    keys = ['a/x.png', 'b/y.png', 'b/z.png', 'é.png', 'q"uote.png']
    source = AspectTargets.write(tmp_path / 's', questions=targets.questions, keys=keys, logprobs=logprobs)
    exchange.export_json(source, tmp_path / 'o.json', tmp_path / 'q.txt')
    content = json.loads((tmp_path / 'o.json').read_text('utf-8'))
    assert list(content) == ['x', 'y', 'z', 'é', 'q"uote']
    assert content['x'][0] is None
    assert (tmp_path / 'q.txt').read_text('utf-8') == 'Has it wings?\nHas it fur?\nIs it a pet?\n'
    back = exchange.import_json(
        tmp_path / 'o.json', tmp_path / 'back', questions=QuestionSet.from_text(tmp_path / 'q.txt'), keys=keys
    ).targets
    assert back.questions.texts == source.questions.texts
    for key in keys:
        np.testing.assert_allclose(back.probability(key), source.probability(key), rtol=1e-6, atol=0)


def test_json_export_needs_unique_stems(targets, tmp_path):
    with pytest.raises(TargetsError, match=r"'1' is ambiguous, both 'cat/1.png' and 'dog/1.png'"):
        exchange.export_json(targets, tmp_path / 'o.json', tmp_path / 'q.txt')
    assert not (tmp_path / 'o.json').exists()


@pytest.mark.parametrize('stems', [['00001', '00002'], ['image_1', 'image_27'], ['7'], ['0_1_0', '12_3_1']])
def test_numbers_need_the_name_of_their_split(convert, tmp_path, stems):
    answers = {stem: [0.5, 0.5] for stem in stems}
    keys = [f'test/{stem}.jpg' for stem in stems]
    with pytest.raises(TargetsError, match=rf"stems, like '{stems[0]}', are numbers\. .* --split"):
        convert(answers, keys=keys, split=None)
    assert not (tmp_path / 'out').exists()
    assert list(convert(answers, keys=keys, split='test').targets.keys) == keys


@pytest.mark.parametrize('annotated', [['1', '2', '3'], ['1']])
def test_numbers_of_another_split_are_refused(convert, tmp_path, annotated):
    """Numbers restart in each split: these answers about training images fit test images, but not all and only them."""
    keys = ['test/1.jpg', 'test/2.jpg']
    answers = {stem: [0.5, 0.5] for stem in annotated}
    with pytest.raises(
        TargetsError, match=r"answers have no image in 'test', and \d of the 2 images there have no answer"
    ):
        convert(answers, keys=keys, split='test')
    assert not (tmp_path / 'out').exists()
    assert len(convert(answers, keys=keys, split='all').targets) == min(len(annotated), 2)


def test_the_label_in_the_name_of_an_image():
    assert [exchange.label_of(key) for key in ('train/0_0_0.png', 'train/12_345_1.png')] == [0, 12]
    for key in ('cat/1.jpg', '12_345.png', 'a_1_2.png'):
        with pytest.raises(TargetsError, match=rf'{key} is not named LABEL_INDEX_N'):
            exchange.label_of(key)


@pytest.mark.parametrize('stems', [['a'], ['1', 'a'], ['Audi_1', 'BMW_1'], ['1f438', '2615']])
def test_names_need_no_split(convert, stems):
    report = convert({stem: [0.5, 0.5] for stem in stems}, keys=[f'{stem}.jpg' for stem in stems], split=None)
    assert len(report.targets) == len(stems)


def test_images_of_one_split(tmp_path):
    for name in ('train/x/1.png', 'train/x/2.png', 'test/x/1.png', 'test/train.png'):
        (tmp_path / 'cars' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'cars' / name).touch()
    assert exchange.list_images(tmp_path / 'cars', 'train') == ['train/x/1.png', 'train/x/2.png']
    assert exchange.list_images(tmp_path / 'cars/train', 'train') == ['x/1.png', 'x/2.png']
    assert len(exchange.list_images(tmp_path / 'cars', 'all')) == 4
    with pytest.raises(TargetsError, match=r"none of its 2 images, like 'train.png', is in a folder 'train'"):
        exchange.list_images(tmp_path / 'cars/test', 'train')
    (tmp_path / 'keys.txt').write_text('train/1.png\ntest/1.png\n')
    assert exchange.list_images(tmp_path / 'keys.txt', 'test') == ['test/1.png']


def test_list_images(tmp_path):
    for name in ('b/2.PNG', 'b/1.jpeg', 'a.webp', 'b/notes.txt'):
        (tmp_path / 'root' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'root' / name).touch()
    assert exchange.list_images(tmp_path / 'root') == ['a.webp', 'b/1.jpeg', 'b/2.PNG']
    (tmp_path / 'keys.txt').write_text('b/2.PNG\na.webp\n\n')
    assert exchange.list_images(tmp_path / 'keys.txt') == ['b/2.PNG', 'a.webp']
    (tmp_path / 'empty').mkdir()
    with pytest.raises(TargetsError, match='empty has no images'):
        exchange.list_images(tmp_path / 'empty')
    with pytest.raises(TargetsError, match=r'cannot read .*absent'):
        exchange.list_images(tmp_path / 'absent')
