import csv
import sys

import numpy as np
import pytest

from makd.errors import TargetsError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets
from projects.tiny_mllm.evaluate import auc, evaluate, main, score, to_markdown

QUESTIONS = QuestionSet([Question('red', 'Is it red?'), Question('round', 'Is it round?')])
KEYS = [f'{style}/x/{number}.png' for style in ('noto', 'twemoji') for number in range(4)]
HELD_OUT = frozenset({'2', '3'})


def write(path, logprobs, keys=KEYS, questions=QUESTIONS):
    return AspectTargets.write(path, questions=questions, keys=keys, logprobs=np.array(logprobs, np.float32))


def test_auc_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    truth, scores = rng.random(50) < 0.3, rng.integers(0, 10, 50) / 10  # with ties
    assert auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    assert np.isnan(auc(scores, np.ones(50, bool)))


def test_score_by_hand():
    logprobs = np.log([[0.6, 0.2], [0.3, 0.6], [0.5, 0.4], [0.1, 0.9]])
    logprobs[3] = np.nan  # no answer: ignored
    result = score('group', 'red', logprobs, np.array([True, True, False, False]))
    assert (result.images, result.yes, result.majority) == (3, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert result.accuracy == pytest.approx(1 / 3)
    assert result.auc == pytest.approx(1 / 2)  # 0.75 is above 0.56, 0.33 is not
    assert result.mass == pytest.approx((0.8 + 0.9 + 0.9) / 3)


def test_groups_are_the_styles_and_emoji_that_were_seen_or_not(tmp_path):
    yes, no = [0.0, -np.inf], [-np.inf, 0.0]
    truth = [[yes, no], [no, yes]] * 4
    right, wrong = np.log([[[0.9, 0.1], [0.1, 0.9]], [[0.1, 0.9], [0.9, 0.1]]]), np.log([[[0.4, 0.5]] * 2] * 2)
    wrong[1, :, 0] += 0.01
    answers = np.concatenate([right, wrong, wrong, right])
    scores = evaluate(write(tmp_path / 'a', answers), write(tmp_path / 'b', truth), ('noto',), HELD_OUT)
    means = {result.group: result for result in scores if result.question == 'mean'}
    assert [(result.accuracy, result.auc) for result in means.values()] == [(1, 1), (0.5, 0.5), (0.5, 0.5), (1, 1)]
    assert list(means) == [
        'seen emoji, training styles',
        'seen emoji, new styles',
        'new emoji, training styles',
        'new emoji, new styles',
    ]
    assert all(result.images == 2 for result in scores)
    assert len(scores) == 4 * 3
    table = to_markdown(scores)
    assert '| new emoji, new styles | 2 | 0.500 | 0.500 | 1.000 | 1.000 | 1.0000 |' in table
    assert '## New emoji, training styles' in table


def test_different_questions_are_an_error(tmp_path):
    other = QuestionSet([Question('blue', 'Is it blue?'), Question('long', 'Is it long?')])
    logprobs = np.full((8, 2, 2), np.log(0.5))
    with pytest.raises(TargetsError, match='have no question in common'):
        evaluate(write(tmp_path / 'a', logprobs), write(tmp_path / 'b', logprobs, questions=other), ('noto',), HELD_OUT)


def test_the_tool_writes_both_files(tmp_path, monkeypatch, capsys):
    pytest.importorskip('mmpretrain')  # its dataset knows the new emoji; not installed with transformers 5
    reference = AspectTargets.open('data/emoji/aspects/cldr')
    AspectTargets.write(
        tmp_path / 'a', questions=reference.questions, keys=reference.keys, logprobs=np.full((4046, 66, 2), np.log(0.5))
    )
    monkeypatch.setattr(sys, 'argv', ['evaluate.py', str(tmp_path / 'a'), '--out', str(tmp_path / 'out')])
    main()
    report = (tmp_path / 'out' / 'evaluation.md').read_text('utf-8')
    assert '| new emoji, new styles | 328 |' in report
    assert report in capsys.readouterr().out
    with (tmp_path / 'out' / 'evaluation.csv').open(encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 67
    of_questions = [row for row in rows if row['question'] != 'mean']
    # Two averages, each rounded in the file: their sum is 1 up to rounding.
    assert [float(row['accuracy']) + float(row['yes']) for row in of_questions] == pytest.approx(
        [1] * len(of_questions)
    )
