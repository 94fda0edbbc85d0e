import json
import sys

import numpy as np
import pytest

from makd.errors import TargetsError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets, parquet

pa = pytest.importorskip('pyarrow')
pq = pytest.importorskip('pyarrow.parquet')
ds = pytest.importorskip('pyarrow.dataset')


@pytest.fixture
def two_questions():
    return QuestionSet([Question('q1', 'Has it wings?'), Question('q2', 'Has it fur?')])


@pytest.mark.parametrize('select', [None, ['pet', 'wings']])
def test_round_trip_is_exact(tmp_path, targets, select):
    logprobs = targets.logprobs.copy()
    logprobs[0, 0] = np.nan
    logprobs[1, 0] = (-np.inf, 0)
    source = AspectTargets.write(
        tmp_path / 's', questions=targets.questions, keys=targets.keys, logprobs=logprobs, meta={'model': 'm'}
    ).select(select)
    parquet.export_parquet(source, tmp_path / 'o.parquet')
    back = parquet.import_parquet(tmp_path / 'o.parquet', tmp_path / 'back')
    np.testing.assert_array_equal(back.logprobs.view(np.uint32), np.ascontiguousarray(source.logprobs).view(np.uint32))
    assert list(back.keys) == list(source.keys)
    assert list(back.questions) == list(source.questions)
    assert back.meta == {'model': 'm'}


def test_has_a_column_a_question(tmp_path, targets):
    parquet.export_parquet(targets, tmp_path / 'o.parquet')
    table = pq.read_table(tmp_path / 'o.parquet')
    assert table.column_names == ['key', 'wings', 'fur', 'pet', 'logprobs']
    expected = [float(targets.probability(key)[1]) for key in targets.keys]
    # Close and not equal: sigmoids of all images in one array, against those of one image after the other.
    assert table['fur'].to_pylist() == pytest.approx(expected, rel=1e-6)


def test_a_missing_answer_is_null(tmp_path, targets):
    """A database takes NaN for larger than all numbers, and a mean with it for NaN."""
    logprobs = targets.logprobs.copy()
    logprobs[1, 0] = np.nan
    source = AspectTargets.write(tmp_path / 's', questions=targets.questions, keys=targets.keys, logprobs=logprobs)
    parquet.export_parquet(source, tmp_path / 'o.parquet')
    column = pq.read_table(tmp_path / 'o.parquet')['wings']
    assert [value is None for value in column.to_pylist()] == [False, True, False, False, False]
    back = parquet.import_parquet(tmp_path / 'o.parquet', tmp_path / 'back')
    np.testing.assert_array_equal(back.logprobs, logprobs)


def test_in_several_blocks(tmp_path, monkeypatch, targets):
    monkeypatch.setattr('makd.targets.logprobs._CHUNK_BYTES', 2 * 3 * 8)
    parquet.export_parquet(targets, tmp_path / 'o.parquet')
    back = parquet.import_parquet(tmp_path / 'o.parquet', tmp_path / 'back')
    np.testing.assert_array_equal(back.logprobs, targets.logprobs)


def test_errors(tmp_path, monkeypatch, targets, logprobs):
    with pytest.raises(TargetsError, match=r'cannot read .*absent.parquet as Parquet'):
        parquet.import_parquet(tmp_path / 'absent.parquet', tmp_path / 'out')
    (tmp_path / 'text.parquet').write_text('hello')
    with pytest.raises(TargetsError, match=r'cannot read .*text.parquet as Parquet'):
        parquet.import_parquet(tmp_path / 'text.parquet', tmp_path / 'out')
    pq.write_table(pa.table({'key': ['a'], 'wings': [0.5]}), tmp_path / 'foreign.parquet')
    with pytest.raises(TargetsError, match=r'foreign.parquet is not Parquet from makd: .*key and logprobs'):
        parquet.import_parquet(tmp_path / 'foreign.parquet', tmp_path / 'out')
    taken = AspectTargets.write(
        tmp_path / 't', questions=QuestionSet([Question('key', 'Key?')]), keys=['a'], logprobs=logprobs[:1, :1]
    )
    with pytest.raises(TargetsError, match="question id 'key' is the name of another column"):
        parquet.export_parquet(taken, tmp_path / 'o.parquet')
    parquet.export_parquet(targets, tmp_path / 'o.parquet')
    with pytest.raises(TargetsError, match=r'o.parquet exists'):
        parquet.export_parquet(targets, tmp_path / 'o.parquet')
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(TargetsError, match='pip install pyarrow'):
        parquet.import_parquet(tmp_path / 'o.parquet', tmp_path / 'out')


def test_lists_of_another_length_are_refused_by_their_image(tmp_path, two_questions):
    """Lists of 2, 6 and 4 values have 12 in all, as three of 4 would have."""

    def write(lists, kind=None):
        content = json.dumps({'question_set': two_questions.to_dict(), 'meta': {}})
        schema = pa.schema(
            [('key', pa.string()), ('logprobs', kind or pa.list_(pa.float32()))], metadata={b'makd': content.encode()}
        )
        keys = ['a.png', 'b.png', 'c.png'][: len(lists)]
        pq.write_table(pa.table({'key': keys, 'logprobs': lists}, schema), tmp_path / 'o.parquet')

    for lists, key, count in (
        ([[-1.0] * 4, [-1.0] * 2, [-1.0] * 6], 'b.png', 2),
        ([[-1.0] * 2] * 2, 'a.png', 2),
        ([[-1.0] * 4, None, [-1.0] * 4], 'b.png', 0),
    ):
        write(lists)
        with pytest.raises(TargetsError, match=f"o.parquet: .* has {count} values for '{key}', expected 4"):
            parquet.import_parquet(tmp_path / 'o.parquet', tmp_path / 'out')
    write([[-1.0] * 2] * 2, pa.list_(pa.float32(), 2))
    with pytest.raises(TargetsError, match=r"has 2 values for 'a.png', expected 4"):
        parquet.import_parquet(tmp_path / 'o.parquet', tmp_path / 'out')
    write([[-1.0] * 4, None], pa.list_(pa.float32(), 4))
    with pytest.raises(TargetsError, match=r"has 0 values for 'b.png', expected 4|size=4 but index 2 had size=0"):
        parquet.import_parquet(tmp_path / 'o.parquet', tmp_path / 'out')
    write([[-1.0, -2.0, -3.0, -4.0], [-5.0, -6.0, -7.0, -8.0]])
    back = parquet.import_parquet(tmp_path / 'o.parquet', tmp_path / 'out')
    assert back.logprobs[1].tolist() == [[-5, -6], [-7, -8]]


@pytest.fixture
def dataset(tmp_path, targets):
    """The five images in files of two."""
    parquet.export_parquet(targets, tmp_path / 'o', rows_per_file=2)
    return tmp_path / 'o'


NAMES = [f'part-{number:05d}-of-00003.parquet' for number in range(3)]


def test_a_data_set_of_several_files(dataset, targets):
    assert sorted(path.name for path in dataset.iterdir()) == NAMES
    assert [pq.read_metadata(dataset / name).num_rows for name in NAMES] == [2, 2, 1]
    table = ds.dataset(dataset).to_table()
    assert table['key'].to_pylist() == list(targets.keys)
    expected = [float(targets.probability(key)[0]) for key in targets.keys]
    assert table['wings'].to_pylist() == pytest.approx(expected, rel=1e-6)
    assert ds.dataset(dataset).to_table(filter=ds.field('key') == 'owl.png')['wings'].to_pylist() == [
        pytest.approx(expected[4], rel=1e-6)
    ]


@pytest.mark.parametrize('partition_size', [1, 2, 3, 100])
@pytest.mark.parametrize('chunk', [1, 3, 1000])
def test_there_and_back_in_parts_of_any_size(tmp_path, monkeypatch, targets, partition_size, chunk):
    monkeypatch.setattr('makd.targets.logprobs._CHUNK_BYTES', chunk * 3 * 8)
    parts = AspectTargets.write(
        tmp_path / 'parts',
        questions=targets.questions,
        keys=targets.keys,
        logprobs=targets.logprobs,
        meta=targets.meta,
        partition_size=3,
    )
    for name in ('o', 'o.parquet', 'o.pq'):
        parquet.export_parquet(parts, tmp_path / name, rows_per_file=2)
        back = parquet.import_parquet(
            tmp_path / name, tmp_path / 'back', partition_size=partition_size, overwrite=name != 'o'
        )
        assert (back.path / 'partitions.json').exists() == (partition_size < 5)
        assert (tmp_path / name).is_dir() == (name == 'o')
        assert back.content_hash == targets.content_hash
        assert back.meta == targets.meta
        back.validate()


def test_files_of_a_data_set_by_other_names(dataset, tmp_path, targets):
    """Another program may write them anew, with the metadata."""
    table = ds.dataset(dataset).to_table()
    (tmp_path / 'other').mkdir()
    pq.write_table(table[:4], tmp_path / 'other' / 'a.parquet')
    pq.write_table(table[4:], tmp_path / 'other' / 'b.parquet')
    (tmp_path / 'other' / '_SUCCESS').touch()
    (tmp_path / 'other' / '._a.parquet').touch()
    assert parquet.import_parquet(tmp_path / 'other', tmp_path / 'back').content_hash == targets.content_hash


def test_incomplete_and_mixed_data_sets_are_refused(dataset, tmp_path, targets):
    def refused(message):
        with pytest.raises(TargetsError, match=message):
            parquet.import_parquet(dataset, tmp_path / 'back')
        assert not (tmp_path / 'back').exists()

    (dataset / NAMES[1]).rename(tmp_path / 'away')
    refused(f'o lacks 1 of 3 files, first {NAMES[1]}')
    for number, change in enumerate(
        [
            dict(meta={'model': 'n'}),
            dict(meta=targets.meta, has_label_mass=False),
            dict(questions=targets.questions.top(2)),
        ]
    ):
        questions = change.pop('questions', targets.questions)
        other = AspectTargets.write(
            tmp_path / str(number),
            questions=questions,
            keys=targets.keys[2:4],
            logprobs=targets.logprobs[2:4, : len(questions)],
            **{'meta': targets.meta, **change},
        )
        parquet.export_parquet(other, dataset / 'part-00001-of-00003.parquet', overwrite=True)
        refused(f'{NAMES[1]} has answers to other questions, or from another annotator, than .*{NAMES[0]}')
    (tmp_path / 'away').rename(dataset / NAMES[1])
    (dataset / 'part-00003-of-00004.parquet').write_bytes((dataset / NAMES[0]).read_bytes())
    refused('lacks 3 of 4 files|has files of two exports')
    (dataset / 'part-00003-of-00004.parquet').rename(dataset / 'more.parquet')
    refused('has files of two exports')
    (dataset / 'more.parquet').unlink()
    (dataset / NAMES[2]).write_bytes((dataset / NAMES[2]).read_bytes()[:-9])
    refused(f'cannot read .*{NAMES[2]} as Parquet')
    for name in NAMES:
        (dataset / name).unlink()
    refused('o has no Parquet files')


def test_a_file_without_rows_is_refused(dataset, tmp_path):
    pq.write_table(pq.read_table(dataset / NAMES[0])[:0], tmp_path / 'empty.parquet')
    with pytest.raises(TargetsError, match=r'empty.parquet has no rows'):
        parquet.import_parquet(tmp_path / 'empty.parquet', tmp_path / 'back')


def test_a_key_in_two_files_is_refused(dataset, tmp_path):
    (dataset / NAMES[2]).write_bytes((dataset / NAMES[0]).read_bytes())
    for partition_size in (2, 100):
        with pytest.raises(TargetsError, match=r"duplicate key 'cat/1.png'"):
            parquet.import_parquet(dataset, tmp_path / 'back', partition_size=partition_size)
        assert not (tmp_path / 'back').exists()


def test_files_of_no_rows_are_refused(targets, tmp_path):
    for name in ('o', 'o.parquet'):
        with pytest.raises(TargetsError, match='rows_per_file=0 must be at least 1'):
            parquet.export_parquet(targets, tmp_path / name, rows_per_file=0)
        assert not (tmp_path / name).exists()


def test_a_data_set_is_replaced_if_it_holds_nothing_else(dataset, targets):
    with pytest.raises(TargetsError, match='o exists'):
        parquet.export_parquet(targets, dataset)
    (dataset / 'notes.txt').touch()
    with pytest.raises(TargetsError, match=r"also holds 'notes.txt' and would lose it"):
        parquet.export_parquet(targets, dataset, overwrite=True)
    (dataset / 'notes.txt').unlink()
    parquet.export_parquet(targets, dataset, overwrite=True)
    assert [path.name for path in dataset.iterdir()] == ['part-00000-of-00001.parquet']
    with pytest.raises(TargetsError, match='is a file'):
        parquet.export_parquet(targets, targets.path / 'meta.json', overwrite=True)
