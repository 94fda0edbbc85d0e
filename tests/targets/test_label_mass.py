"""p(yes) + p(no) of an annotator's full softmax: annotators that give P(yes) only have none."""

import json
import pickle

import numpy as np
import pytest

from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets
from makd.targets.exchange import import_json
from makd.targets.parquet import export_parquet, import_parquet

QUESTIONS = QuestionSet([Question('a', 'A?'), Question('b', 'B?')])


def write(folder, **arguments):
    logprobs = np.log([[[0.6, 0.2], [0.1, 0.9]], [[0.5, 0.1], [np.nan, np.nan]]])
    return AspectTargets.write(folder, questions=QUESTIONS, keys=['0.png', '1.png'], logprobs=logprobs, **arguments)


def test_the_mean_of_what_is_known(tmp_path):
    targets = write(tmp_path / 'full')
    assert targets.has_label_mass
    assert 'has_label_mass' not in json.loads((targets.path / 'meta.json').read_text())
    np.testing.assert_allclose(targets.label_mass(), [0.7, 1.0])
    np.testing.assert_allclose(targets.mass_of(targets.logprobs), [[0.8, 1.0], [0.6, np.nan]])


@pytest.mark.parametrize(
    'again',
    [
        lambda targets: targets,
        lambda targets: AspectTargets.open(targets.path),
        lambda targets: targets.select(['b', 'a']),
        lambda targets: pickle.loads(pickle.dumps(targets)),
    ],
)
def test_without_it_nothing_reads_as_certain(tmp_path, again):
    targets = again(write(tmp_path / 'only_yes', has_label_mass=False))
    assert not targets.has_label_mass
    assert np.isnan(targets.label_mass()).all()
    assert np.isnan(targets.mass_of(targets.logprobs)).all()
    assert targets.probability('0.png')[targets.questions.ids.index('a')] == pytest.approx(0.75)


@pytest.mark.parametrize('has_label_mass', [True, False])
def test_parquet_keeps_whether_it_is_known(tmp_path, has_label_mass):
    targets = write(tmp_path / 'targets', has_label_mass=has_label_mass)
    export_parquet(targets, tmp_path / 'a.parquet')
    copied = import_parquet(tmp_path / 'a.parquet', tmp_path / 'copied')
    assert copied.has_label_mass == has_label_mass
    assert (copied.path / 'meta.json').read_bytes() == (targets.path / 'meta.json').read_bytes()


def test_the_json_of_the_authors_has_none(tmp_path):
    (tmp_path / 'answers.json').write_text('{"a": [0.5, 0.25]}')
    result = import_json(tmp_path / 'answers.json', tmp_path / 'out', questions=QUESTIONS, keys=['a.png'])
    assert not result.targets.has_label_mass
