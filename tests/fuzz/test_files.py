"""Damaged files of targets, questions, answers and weights: an error of makd's, or what the file says."""

import contextlib
import io
import json
import math
import shutil

import numpy as np
import pytest
import torch
from fuzz.damage import damaged, damaged_json, json_values, numbers, outcome, text
from hypothesis import given
from hypothesis import strategies as st

from makd.checkpoints import read_checkpoint
from makd.errors import MakdError, QuestionsError
from makd.questions import QuestionSet
from makd.targets import AspectTargets
from makd.targets.exchange import import_json
from makd.targets.parquet import export_parquet, import_parquet

FILES = ('meta.json', 'images.txt', 'index.npy', 'logprobs.npy', 'failed.jsonl')


@pytest.fixture
def folder(targets, tmp_path):
    """Return a function that copies the targets folder, with a list of failures, and returns the copy."""
    (targets.path / 'failed.jsonl').write_text('{"key": "owl.png", "reason": "too dark"}\n')

    def copy():
        shutil.rmtree(tmp_path / 'copy', ignore_errors=True)
        return shutil.copytree(targets.path, tmp_path / 'copy')

    return copy


def read_all(path):
    """Read everything that a targets folder holds, and check what every folder promises."""
    targets = AspectTargets.open(path)
    targets.validate()
    keys = list(targets.keys)
    assert len(set(keys)) == len(keys) == len(targets)
    for row, key in enumerate(keys):
        assert targets.find(key) == row
        probability = targets.probability(key)
        assert probability.shape == (len(targets.questions),)
        assert ((probability >= 0) & (probability <= 1) | np.isnan(probability)).all()
    assert isinstance(targets.num_missing, int)
    assert all(isinstance(key, str) and isinstance(reason, str) for key, reason in targets.failures.items())
    assert targets.fingerprints is None or len(targets.fingerprints) == len(targets)
    assert len(targets.content_hash) == 64
    return targets


@given(data=st.data())
def test_a_targets_folder_with_a_damaged_file(data, folder):
    copy = folder()
    name = data.draw(st.sampled_from([name for name in FILES if (copy / name).exists()]))
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(data.draw(damaged(content)))
    try:
        targets = read_all(copy)
    except MakdError:
        return
    if name in ('index.npy', 'failed.jsonl'):  # the answers of the others are as they were
        assert list(targets.keys) == list(AspectTargets.open(folder()).keys)


@given(data=st.data())
def test_a_targets_folder_with_other_metadata(data, folder):
    copy = folder()
    content = json.loads((copy / 'meta.json').read_text())
    (copy / 'meta.json').write_text(json.dumps(data.draw(damaged_json(content))))
    try:
        targets = read_all(copy)
    except MakdError:
        return
    assert targets.questions == AspectTargets.open(folder()).questions


@given(data=st.data())
def test_a_folder_of_partitions_with_a_damaged_file(data, targets, tmp_path):
    whole = tmp_path / 'whole'
    if not whole.exists():
        AspectTargets.write(
            whole, questions=targets.questions, keys=targets.keys, logprobs=targets.logprobs, partition_size=2
        )
    copy = tmp_path / 'copy'
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    name = data.draw(st.sampled_from(['partitions.json', 'part-00001/meta.json', 'part-00001/images.txt']))
    content = (copy / name).read_bytes()
    if name.endswith('.json') and data.draw(st.booleans()):
        (copy / name).write_text(json.dumps(data.draw(damaged_json(json.loads(content)))))
    else:
        (copy / name).write_bytes(data.draw(damaged(content)))
    try:
        read = read_all(copy)
    except MakdError:
        return
    assert list(read.keys) == list(targets.keys)
    np.testing.assert_array_equal(read.logprobs, targets.logprobs)


@given(shape=st.lists(st.integers(0, 2**62), max_size=4), dtype=st.sampled_from(['<f4', '<f2', '<i8', '|O', '|b1']))
def test_arrays_of_other_and_huge_shapes(shape, dtype, folder):
    copy = folder()
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, dict(descr=dtype, fortran_order=False, shape=tuple(shape)))
    for name in ('logprobs.npy', 'index.npy'):
        (copy / name).write_bytes(file.getvalue())
        with pytest.raises(MakdError):
            read_all(copy)


@given(data=st.data())
def test_questions(data, questions, tmp_path):
    path = tmp_path / 'questions.json'
    whole = questions.to_dict()
    path.write_text(json.dumps(data.draw(damaged_json(whole) | json_values)))
    try:
        read = QuestionSet.load(path)
    except QuestionsError:
        return
    read.save(path)
    assert QuestionSet.load(path) == read
    assert len(set(read.ids)) == len(read)


@given(data=st.data())
def test_questions_of_any_bytes(data, questions, tmp_path):
    path = tmp_path / 'questions.json'
    path.write_bytes(data.draw(damaged(json.dumps(questions.to_dict()).encode()) | st.just(b'[' * 100_000)))
    for read in (QuestionSet.load, QuestionSet.from_text):
        with contextlib.suppress(QuestionsError):
            assert len(read(path)) > 0


@given(data=st.data())
def test_answers_of_the_authors(data, questions, tmp_path):
    keys = ['a/cat.png', 'b/dog.png']
    whole = {'cat': [0.1, 0.2, 0.3], 'dog': [0.4, None, 1.0]}
    values = data.draw(
        damaged_json(whole) | st.dictionaries(st.sampled_from(['cat', 'dog']), st.lists(numbers, max_size=4))
    )
    (tmp_path / 'answers.json').write_text(json.dumps(values))
    try:
        import_json(tmp_path / 'answers.json', tmp_path / 'out', questions=questions, keys=keys, overwrite=True)
    except MakdError:
        return
    imported = read_all(tmp_path / 'out')
    for key in imported.keys:  # each image has its own values
        given_values = values[key.split('/')[1].removesuffix('.png')]
        expected = [math.nan if value is None else float(value) for value in given_values]
        np.testing.assert_allclose(imported.probability(key), expected, atol=1e-6)


@given(data=st.data())
def test_parquet_of_any_bytes(data, targets, tmp_path):
    whole = tmp_path / 'whole.parquet'
    if not whole.exists():
        export_parquet(targets, whole)
    (tmp_path / 'damaged.parquet').write_bytes(data.draw(damaged(whole.read_bytes())))
    try:
        import_parquet(tmp_path / 'damaged.parquet', tmp_path / 'out', overwrite=True)
    except MakdError:
        return
    read_all(tmp_path / 'out')


@given(
    keys=st.lists(st.none() | text | st.sampled_from(['a.png', 'b.png']), min_size=1, max_size=3),
    lengths=st.lists(st.integers(0, 8), min_size=3, max_size=3),
    value=st.none() | st.floats(width=32),
    metadata=st.none() | json_values,
)
def test_parquet_of_other_columns(keys, lengths, value, metadata, targets, tmp_path):
    pa = pytest.importorskip('pyarrow')
    pq = pytest.importorskip('pyarrow.parquet')
    export_parquet(targets, tmp_path / 'whole.parquet', overwrite=True)
    schema = pq.read_schema(tmp_path / 'whole.parquet').metadata
    if metadata is not None:
        schema = {name: json.dumps(metadata).encode() for name in schema}
    rows = [[value] * length for length, _ in zip(lengths, keys)]
    try:
        columns = dict(key=pa.array(keys, pa.string()), logprobs=pa.array(rows, pa.list_(pa.float32())))
    except (UnicodeError, pa.ArrowInvalid):  # a surrogate is no string of Arrow's
        return
    pq.write_table(pa.table(columns).replace_schema_metadata(schema), tmp_path / 'other.parquet')
    try:
        imported = import_parquet(tmp_path / 'other.parquet', tmp_path / 'out', overwrite=True)
    except MakdError:
        return
    read_all(tmp_path / 'out')
    assert list(imported.keys) == keys
    assert {len(row) for row in rows} == {2 * len(imported.questions)}


def checkpoint_bytes():
    file = io.BytesIO()
    torch.save({'state_dict': {'fc.weight': torch.eye(2)}, 'meta': {'epoch': 1}}, file)
    return file.getvalue()


@given(content=damaged(checkpoint_bytes()))
def test_a_checkpoint_of_any_bytes(content, tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(content)
    checkpoint, message = outcome(read_checkpoint, str(path))
    if message:
        assert str(path) in message
        return
    assert all(isinstance(value, torch.Tensor) for value in checkpoint['state_dict'].values())
    assert isinstance(checkpoint['meta'], dict)


plain = st.none() | st.integers() | st.text(max_size=4) | st.just(torch.eye(2)) | st.binary(max_size=4)
objects = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@given(
    content=objects
    | st.fixed_dictionaries({}, optional=dict(state_dict=objects, meta=objects, model=objects, optimizer=objects))
)
def test_a_checkpoint_of_other_content(content, tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(content, path)
    checkpoint, message = outcome(read_checkpoint, str(path))
    if message:
        assert str(path) in message
        return
    assert checkpoint['state_dict']
    assert isinstance(checkpoint['meta'], dict)
