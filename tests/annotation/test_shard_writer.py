import errno
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from makd import files
from makd.annotation.answers import Answers
from makd.annotation.shard_writer import ShardWriter
from makd.errors import TargetsError
from makd.files import atomic_file
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets, partitions
from makd.targets.fingerprints import fingerprint
from makd.targets.key_index import KeyIndex, build_words, encode_keys

KEYS = [f'{index:02d}.png' for index in range(7)]
IDENTITY = {'teacher': {'model': 'm', 'prompt': '{question}', 'ids': [3, 4]}}
FILE = (1, 1, 1)  # a fingerprint
NOTES = {'self_check': {'error': 0.5}}


def answers(rows):
    """Made-up answers of three questions, which only depend on the row: (n, 3, 2)."""
    p = (1 + np.array(list(rows))[:, None] * 3 + np.arange(3)) / 30
    return np.log(0.8 * np.stack([p, 1 - p], axis=-1))


def write(writer, task, missing=()):
    logprobs = answers(task.rows)
    reasons = ['no image' if row in missing else None for row in task.rows]
    logprobs[[row in missing for row in task.rows]] = np.nan
    paths = [os.path.join(writer.out_dir.parent, 'images', KEYS[row]) for row in task.rows]
    write_answers(writer, task, logprobs, reasons, files=[fingerprint_of(path) for path in paths])


def write_answers(writer, task, logprobs, reasons, bounded=None, files=None):
    count = len(task.rows)
    given = [Answers(*one) for one in zip(logprobs, reasons, bounded or [0] * count)]
    writer.write(task, given, files or [FILE] * count)


def fingerprint_of(path):
    if not os.path.exists(path):
        return FILE
    return fingerprint(Path(path).read_bytes(), os.stat(path).st_mtime_ns)


def open_writer(out_dir, questions, keys=KEYS, identity=IDENTITY, resume=True, shard_size=3, partition_size=100_000):
    writer = ShardWriter(out_dir, shard_size, resume, partition_size)
    return writer, writer.open(questions, keys, identity, os.path.join(writer.out_dir.parent, 'images', ''))


def annotate(out_dir, questions, missing=(), **kwargs):
    """Do all that is left; return the writer, the tasks and the targets."""
    writer, tasks = open_writer(out_dir, questions, **kwargs)
    writer.begin(NOTES)
    for task in tasks:
        write(writer, task, missing)
    return writer, tasks, writer.finish()


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob('*') if file.is_file()}


def test_all_shards_become_a_folder_and_go(tmp_path, questions):
    _, tasks, targets = annotate(tmp_path / 't', questions)
    assert [list(task.rows) for task in tasks] == [[0, 1, 2], [3, 4, 5], [6]]
    np.testing.assert_array_equal(targets.logprobs, answers(range(7)).astype(np.float32))
    assert list(targets.keys) == KEYS
    assert targets.questions == questions
    assert targets.meta == {**IDENTITY, **NOTES}
    assert targets.failures == {}
    assert os.listdir(tmp_path) == ['t']
    np.testing.assert_allclose(targets.label_mass(), 0.8, rtol=1e-6)


@pytest.mark.parametrize('done', [0, 1, 2, 3])
def test_what_is_done_is_not_done_again(tmp_path, questions, done):
    expected = contents(annotate(tmp_path / 'at_once', questions)[2].path)
    writer, tasks = open_writer(tmp_path / 't', questions)
    assert writer.begin(NOTES) == NOTES
    for task in tasks[3 - done :]:
        write(writer, task)
    assert writer.written(tasks) == [0, 1, 4, 7][done]
    del writer
    again, left = open_writer(tmp_path / 't', questions)
    assert left == tasks[: 3 - done]
    assert again.begin({'self_check': 'another'}) == NOTES
    for task in left:
        write(again, task)
    assert contents(again.finish().path) == expected


@pytest.mark.parametrize('step', ['unlink', 'rmtree'])
def test_a_kill_while_the_shards_are_cleared_away_costs_nothing(tmp_path, questions, monkeypatch, step):
    expected = contents(annotate(tmp_path / 'at_once', questions)[2].path)

    def kill(path, *args, **kwargs):
        if path.name in ('manifest.json', 't.partial'):
            raise KeyboardInterrupt
        original(path, *args, **kwargs)

    owner = Path if step == 'unlink' else shutil
    original = getattr(owner, step)
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, kill)
        with pytest.raises(KeyboardInterrupt):
            annotate(tmp_path / 't', questions)
    (tmp_path / '.t.0123456789ab.tmp').mkdir()
    (tmp_path / 't.partial' / '.shard-000000.npy.0123456789ab.tmp').touch()
    writer, tasks = open_writer(tmp_path / 't', questions)
    assert tasks == []
    if not writer.finished:
        writer.finish()
    assert contents(tmp_path / 't') == expected
    assert sorted(set(os.listdir(tmp_path)) - {'.t.0123456789ab.tmp'}) == ['at_once', 't']


@pytest.mark.parametrize('damage', ['cut', 'empty', 'garbage', 'pickle', 'other shape'])
def test_a_damaged_shard_is_computed_again(tmp_path, questions, damage):
    expected = contents(annotate(tmp_path / 'at_once', questions)[2].path)
    writer, tasks = open_writer(tmp_path / 't', questions)
    writer.begin(NOTES)
    for task in tasks:
        write(writer, task)
    shard = tmp_path / 't.partial' / 'shard-000001.npy'
    if damage == 'pickle':
        np.save(shard, np.array([{}], object), allow_pickle=True)
    elif damage == 'other shape':
        np.save(shard, np.zeros((2, 3, 2), np.float32))
    else:
        shard.write_bytes({'cut': shard.read_bytes()[:-3], 'empty': b'', 'garbage': b'garbage'}[damage])
    with pytest.raises(TargetsError, match=r'shard-000001\.npy is absent or damaged'):
        writer.finish()
    _, left, targets = annotate(tmp_path / 't', questions)
    assert left == [tasks[1]]
    assert contents(targets.path) == expected


def test_images_without_answers_are_listed_and_only_they_are_asked_about_again(tmp_path, questions):
    expected = contents(annotate(tmp_path / 'at_once', questions)[2].path)
    _, _, targets = annotate(tmp_path / 't', questions, missing=(1, 5, 6))
    assert targets.failures == {KEYS[row]: 'no image' for row in (1, 5, 6)}
    lines = (targets.path / 'failed.jsonl').read_text().splitlines()
    assert json.loads(lines[0]) == {'key': '01.png', 'reason': 'no image'}
    assert targets.num_missing == 9
    targets.validate()
    _, tasks, targets = annotate(tmp_path / 't', questions, missing=(6,))
    assert [(task.shard, list(task.rows)) for task in tasks] == [(0, [1]), (1, [5]), (2, [6])]
    assert list(targets.failures) == ['06.png']
    _, tasks, targets = annotate(tmp_path / 't', questions)
    assert [(task.shard, list(task.rows)) for task in tasks] == [(2, [6])]
    assert contents(targets.path) == expected
    assert sorted(os.listdir(tmp_path)) == ['at_once', 't']


def test_no_answer_is_made_up_and_none_is_lost_by_asking_again(tmp_path, questions):
    writer, tasks = open_writer(tmp_path / 't', questions, shard_size=7)
    writer.begin(NOTES)
    logprobs = answers(range(7))
    logprobs[0, 1] = np.nan  # a question without an answer
    logprobs[1, 2, 0] = np.nan  # half of one
    logprobs[2, 0] = [-0.1, -0.1]  # no probabilities
    logprobs[3] = np.nan
    logprobs[4, 0] = [0, -np.inf]  # sure
    reasons = [None, None, None, 'empty file', 'nothing', None, None]
    write_answers(writer, tasks[0], logprobs, reasons, [0, 0, 0, 0, 2, 1, 0])
    targets = writer.finish()
    assert writer.num_bounded == 3
    assert targets.failures == {
        '00.png': 'the model gave NaN',
        '01.png': 'the model gave no probability: one of log p(yes), log p(no) is NaN, the other is not',
        '02.png': 'the model gave no probability: p(yes) + p(no) is above 1',
        '03.png': 'empty file',
    }
    targets.validate()
    for row, column in ((0, 1), (1, 2), (2, 0), (3, 0), (3, 2)):
        assert np.isnan(targets.logprobs[row, column]).all()
    assert targets.logprobs[4, 0].tolist() == [0, -np.inf]

    writer, (task,) = open_writer(tmp_path / 't', questions, shard_size=7)
    worse, good = np.full((3, 2), np.nan), answers([3])[0]
    write_answers(writer, task, [worse, worse, answers([2])[0], good], ['gone'] * 4, [0, 0, 0, 1])
    targets = writer.finish()
    assert writer.num_bounded == 4
    assert targets.failures.keys() == {'00.png', '01.png'}
    assert targets.failures['00.png'] == 'the model gave NaN'
    np.testing.assert_array_equal(targets.logprobs[0, [0, 2]], answers([0])[0, [0, 2]].astype(np.float32))
    np.testing.assert_array_equal(targets.logprobs[3], good.astype(np.float32))


def test_a_finished_folder_is_left_alone(tmp_path, questions):
    annotate(tmp_path / 't', questions)
    before = (tmp_path / 't' / 'meta.json').stat()
    writer, tasks = open_writer(tmp_path / 't', questions, shard_size=2)
    assert (tasks, writer.finished) == ([], True)
    assert (tmp_path / 't' / 'meta.json').stat() == before
    assert os.listdir(tmp_path) == ['t']


@pytest.fixture
def images(tmp_path):
    """Files of the images, of one byte each."""
    (tmp_path / 'images').mkdir()
    for row, key in enumerate(KEYS):
        (tmp_path / 'images' / key).write_bytes(bytes([row]))
    return tmp_path / 'images'


def test_a_replaced_image_is_asked_about_again_while_there_are_shards(tmp_path, questions, images):
    annotate(tmp_path / 't', questions, missing=(5,))
    (images / KEYS[1]).write_bytes(b'X')
    os.utime(images / KEYS[1], ns=(7, 7))
    os.utime(images / KEYS[2], ns=(7, 7))  # as a copy would have
    (images / KEYS[3]).unlink()
    writer, tasks = open_writer(tmp_path / 't', questions)
    assert [(task.shard, list(task.rows)) for task in tasks] == [(0, [1]), (1, [5])]
    assert (writer.changed, writer.num_unchecked) == ([KEYS[1]], 0)
    for task in tasks:
        write(writer, task, missing=(1, 5))
    targets = writer.finish()
    assert targets.failures == {KEYS[1]: 'no image', KEYS[5]: 'no image'}
    assert np.isnan(targets.logprobs[1]).all()  # not the answers about the former image
    del writer
    assert open_writer(tmp_path / 't', questions)[0].changed == []


def test_any_rank_writes_a_replaced_image(tmp_path, questions, images):
    """Only one rank opens the folder."""
    annotate(tmp_path / 't', questions, missing=(5,))
    (images / KEYS[1]).write_bytes(b'another image')
    writer, tasks = open_writer(tmp_path / 't', questions)
    for task in tasks:
        write(ShardWriter(tmp_path / 't', 3), task)
    assert writer.finish().failures == {}


def test_a_finished_folder_of_replaced_images_is_refused(tmp_path, questions, images, monkeypatch):
    monkeypatch.setattr('makd.annotation.shard_writer._CHECKED', 2)
    before = contents(annotate(tmp_path / 't', questions)[2].path)
    os.utime(images / KEYS[2], ns=(7, 7))
    assert open_writer(tmp_path / 't', questions)[0].finished
    for row in (1, 6):
        (images / KEYS[row]).write_bytes(b'another image')
    with pytest.raises(TargetsError, match=r'(?s)2 of its 7 images .*:\n  01.png\n  06.png\n.*--no-resume'):
        open_writer(tmp_path / 't', questions)
    assert contents(tmp_path / 't') == before


@pytest.mark.parametrize('finished', [False, True])
def test_answers_from_before_the_fingerprints_are_counted(tmp_path, questions, images, finished):
    annotate(tmp_path / 't', questions, missing=() if finished else (1,))
    for file in (*(tmp_path / 't.partial').glob('*.files'), tmp_path / 't' / 'fingerprints.npy'):
        file.unlink()
    (images / KEYS[0]).write_bytes(b'another image')
    writer, tasks = open_writer(tmp_path / 't', questions)
    assert (writer.num_unchecked, writer.changed, writer.finished) == (7, [], finished)
    if not finished:
        assert [list(task.rows) for task in tasks] == [[1]]
        write(writer, tasks[0])
        targets = writer.finish()
        assert (targets.fingerprints['hash'] == 0).all()
        del writer
        assert open_writer(tmp_path / 't', questions)[0].num_unchecked == 7


@pytest.mark.parametrize('killed_at', ['jsonl', 'npy', 'files'])
def test_a_kill_while_replaced_images_are_written_keeps_no_former_answer(
    tmp_path, questions, images, monkeypatch, killed_at
):
    annotate(tmp_path / 't', questions, missing=(6,))
    (images / KEYS[1]).write_bytes(b'another image')
    writer, tasks = open_writer(tmp_path / 't', questions)

    def kill(path):
        if path.suffix == f'.{killed_at}':
            raise KeyboardInterrupt
        return atomic_file(path)

    with monkeypatch.context() as patch:
        patch.setattr('makd.annotation.shard_files.atomic_file', kill)
        with pytest.raises(KeyboardInterrupt):
            write(writer, tasks[0])
    del writer
    _, tasks = open_writer(tmp_path / 't', questions)
    assert [list(task.rows) for task in tasks] == [[1], [6]]


OTHER = {
    'model': (
        dict(identity={'teacher': {**IDENTITY['teacher'], 'model': 'n'}}),
        "teacher.model: on disk 'm', .* 'n'",
    ),
    'field': (
        dict(identity={'teacher': {**IDENTITY['teacher'], 'dtype': 'f'}}),
        "teacher.dtype: on disk None, .* 'f'",
    ),
    'ids': (dict(identity={'teacher': {**IDENTITY['teacher'], 'ids': (3, 5)}}), r'teacher.ids.1: on disk 4, .* 5'),
    'images': (dict(keys=KEYS[:-1]), 'images.count: on disk 7, .* 6'),
    'same number of images': (dict(keys=[*KEYS[:-1], 'x.png']), 'images.sha256: on disk'),
}


@pytest.mark.parametrize('finished', [False, True])
@pytest.mark.parametrize('other', OTHER)
def test_other_answers_are_refused_with_both_values(tmp_path, questions, other, finished):
    annotate(tmp_path / 't', questions, missing=() if finished else (1,))
    kwargs, message = OTHER[other]
    with pytest.raises(TargetsError, match=f'(?s){message}.*--no-resume'):
        open_writer(tmp_path / 't', questions, **kwargs)


@pytest.mark.parametrize('finished', [False, True])
def test_other_questions_are_refused_with_both_texts(tmp_path, questions, finished):
    annotate(tmp_path / 't', questions, missing=() if finished else (1,))
    changed = QuestionSet([*list(questions)[:2], Question('pet', 'Is it wild?')])
    with pytest.raises(TargetsError, match=r"questions.2.1: on disk 'Is it a pet\?', in the config 'Is it wild\?'"):
        open_writer(tmp_path / 't', changed)
    with pytest.raises(TargetsError, match=r"questions.2.0: on disk 'pet', in the config None"):
        open_writer(tmp_path / 't', questions.top(2))


def test_another_shard_size_is_refused_while_there_are_shards(tmp_path, questions):
    annotate(tmp_path / 't', questions, missing=(1,))
    with pytest.raises(TargetsError, match='shard_size: on disk 3, in the config 4'):
        open_writer(tmp_path / 't', questions, shard_size=4)


def test_starting_anew_is_asked_for_and_replaces_at_the_end(tmp_path, questions):
    annotate(tmp_path / 't', questions, missing=(1,))
    other = {'teacher': {'model': 'n'}}
    writer, tasks = open_writer(tmp_path / 't', questions, identity=other, resume=False)
    assert len(tasks) == 3
    assert AspectTargets.open(tmp_path / 't').meta['teacher'] == IDENTITY['teacher']
    writer.begin({})
    write(writer, tasks[0])
    del writer
    _, tasks, targets = annotate(tmp_path / 't', questions, identity=other)
    assert len(tasks) == 2
    assert targets.meta == {'teacher': {'model': 'n'}}


def test_shards_without_a_manifest_are_not_trusted(tmp_path, questions):
    annotate(tmp_path / 't', questions, missing=(1,))
    (tmp_path / 't.partial' / 'manifest.json').unlink()
    (tmp_path / 't').rename(tmp_path / 'elsewhere')
    assert len(open_writer(tmp_path / 't', questions)[1]) == 3


def test_a_folder_that_is_something_else_is_refused(tmp_path, questions):
    (tmp_path / 't').mkdir()
    (tmp_path / 't' / 'photo.jpg').touch()
    with pytest.raises(TargetsError, match='not a folder of targets'):
        open_writer(tmp_path / 't', questions)
    with pytest.raises(TargetsError, match=r"holds 'photo\.jpg'"):
        open_writer(tmp_path / 't', questions, resume=False)


def test_foreign_files_are_not_lost_at_the_end(tmp_path, questions):
    annotate(tmp_path / 't', questions, missing=(1,))
    (tmp_path / 't' / 'notes.txt').touch()
    with pytest.raises(TargetsError, match=r"holds 'notes\.txt'"):
        annotate(tmp_path / 't', questions)
    (tmp_path / 't' / 'notes.txt').unlink()
    assert annotate(tmp_path / 't', questions)[1] == []


def test_a_full_disk_keeps_what_is_done(tmp_path, questions, monkeypatch):
    writer, tasks = open_writer(tmp_path / 't', questions)
    writer.begin(NOTES)
    write(writer, tasks[0])
    with monkeypatch.context() as patch:
        patch.setattr('makd.annotation.shard_files.write_blocks', _no_space)
        with pytest.raises(
            TargetsError, match=r'No space left on device.*are kept in .*t\.partial.*same command again'
        ):
            write(writer, tasks[1])
    assert not list((tmp_path / 't.partial').glob('.*'))
    for task in tasks[1:]:
        write(writer, task)
    with monkeypatch.context() as patch:
        patch.setattr('makd.targets.folder.write_blocks', _no_space)
        with pytest.raises(TargetsError, match='No space left on device'):
            writer.finish()
    assert os.listdir(tmp_path) == ['t.partial']
    assert annotate(tmp_path / 't', questions)[1] == []


def _no_space(*args):
    raise OSError(28, 'No space left on device')


def test_too_little_room_is_said_before_the_start(tmp_path, questions, monkeypatch):
    usage = type('Usage', (), {'free': 2 * 7 * 3 * 8 - 1})
    monkeypatch.setattr('makd.annotation.shard_writer.shutil.disk_usage', lambda path: usage)
    with pytest.raises(TargetsError, match='the answers need'):
        open_writer(tmp_path / 't', questions)
    usage.free += 1
    open_writer(tmp_path / 't', questions)


def test_two_runs_at_once_are_refused(tmp_path, questions):
    writer, _ = open_writer(tmp_path / 't', questions)
    code = f"""
from makd import files
from makd.annotation.shard_writer import ShardWriter
from makd.questions import Question, QuestionSet
try:
    ShardWriter({str(tmp_path / 't')!r}).open(QuestionSet([Question('a', 'a?')]), ['x'], {{}}, '')
except ValueError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert 'another run is writing' in result.stdout
    del writer
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert not result.stdout


def test_finishing_holds_a_shard_in_memory_not_all(tmp_path):
    questions = QuestionSet(Question(f'q{index}', f'{index}?') for index in range(50))
    keys = [f'{index:05d}' for index in range(20_000)]
    writer, tasks = open_writer(tmp_path / 't', questions, keys, shard_size=500)
    writer.begin({})
    for task in tasks:
        write_answers(writer, task, np.full((500, 50, 2), -1, np.float32), [None] * 500)
    tracemalloc.start()
    writer.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = (tmp_path / 't' / 'logprobs.npy').stat().st_size
    assert size > 8e6
    assert peak < size / 2 + 200 * len(keys)


@pytest.mark.parametrize('shard_size', [1, 2, 3, 4, 7, 9])
@pytest.mark.parametrize('partition_size', [1, 2, 3, 5])
def test_many_images_become_partitions(tmp_path, questions, shard_size, partition_size):
    """Shards and partitions need not end at the same image."""
    one = annotate(tmp_path / 'one', questions, missing=(1, 4))[2]
    _, _, targets = annotate(
        tmp_path / 't', questions, missing=(1, 4), shard_size=shard_size, partition_size=partition_size
    )
    assert len(list(targets.path.glob('part-*'))) == -(-7 // partition_size)
    np.testing.assert_array_equal(targets.logprobs, one.logprobs)
    assert (list(targets.keys), targets.failures, targets.meta) == (KEYS, one.failures, one.meta)
    np.testing.assert_array_equal(targets.fingerprints[:], one.fingerprints)
    targets.validate()
    writer, _, targets = annotate(tmp_path / 't', questions, shard_size=shard_size, partition_size=partition_size)
    assert (targets.failures, targets.num_missing) == ({}, 0)
    assert not writer.partial.exists()
    assert open_writer(tmp_path / 't', questions)[0].finished


def test_a_finished_folder_of_partitions_of_replaced_images_is_refused(tmp_path, questions, images, monkeypatch):
    monkeypatch.setattr('makd.annotation.shard_writer._CHECKED', 2)
    annotate(tmp_path / 't', questions, partition_size=3)
    (images / KEYS[6]).write_bytes(b'another image')
    with pytest.raises(TargetsError, match=r'(?s)1 of its 7 images .*:\n  06.png\n'):
        open_writer(tmp_path / 't', questions)


@pytest.fixture
def kill_at(monkeypatch):
    """Return a context manager in which the process is killed when it gives a file or folder this name."""

    @contextmanager
    def kill_at(name):
        def killed(function):
            def kill(path, *arguments):
                if path.name == name:
                    raise KeyboardInterrupt
                return function(path, *arguments)

            return kill

        with monkeypatch.context() as patch:
            for module, function in ((files, 'replace_folder'), (partitions, 'replace_folder')):
                patch.setattr(module, function, killed(getattr(module, function)))
            patch.setattr(partitions, 'write_text', killed(partitions.write_text))
            with pytest.raises(KeyboardInterrupt):
                yield

    return kill_at


@pytest.mark.parametrize(
    ('name', 'done'),
    [('part-00000', 0), ('part-00001', 1), ('part-00002', 2), ('partitions.json', 3), ('t', 3)],
)
def test_partitions_that_are_finished_are_not_written_again(tmp_path, questions, kill_at, name, done):
    expected = contents(annotate(tmp_path / 'at_once', questions, partition_size=3)[2].path)
    with kill_at(name):
        annotate(tmp_path / 't', questions, partition_size=3)
    assert sorted(os.listdir(tmp_path)) == ['at_once', 't.partial']
    joined = tmp_path / 't.partial' / 'joined-3'
    half_written = joined / '.part-00002.0123456789ab.tmp'
    half_written.mkdir()
    (half_written / 'images.txt').touch()
    before = {path.name: path.stat().st_ino for path in joined.glob('part-*')}
    assert len(before) == done
    writer, tasks = open_writer(tmp_path / 't', questions, partition_size=3)
    assert tasks == []
    targets = writer.finish()
    assert contents(targets.path) == expected
    assert sorted(os.listdir(tmp_path)) == ['at_once', 't']
    after = {path.name: path.stat().st_ino for path in targets.path.glob('part-*')}
    assert {name: after[name] for name in before} == before


def test_finished_partitions_of_another_size_are_not_taken(tmp_path, questions, kill_at):
    with kill_at('partitions.json'):
        annotate(tmp_path / 't', questions, partition_size=2)
    expected = contents(annotate(tmp_path / 'at_once', questions, partition_size=3)[2].path)
    _, tasks, targets = annotate(tmp_path / 't', questions, partition_size=3)
    assert tasks == []
    assert contents(targets.path) == expected


def test_finished_partitions_whose_answers_change_are_written_again(tmp_path, questions, kill_at):
    with kill_at('part-00002'):
        annotate(tmp_path / 't', questions, missing=(1,), partition_size=3)
    joined = tmp_path / 't.partial' / 'joined-3'
    assert sorted(path.name for path in joined.glob('part-*')) == ['part-00000', 'part-00001']
    writer, tasks = open_writer(tmp_path / 't', questions, partition_size=3)
    assert [list(task.rows) for task in tasks] == [[1]]
    assert not joined.exists()
    for task in tasks:
        write(writer, task)
    targets = writer.finish()
    assert (targets.failures, targets.num_missing) == ({}, 0)
    np.testing.assert_array_equal(targets.logprobs, answers(range(7)).astype(np.float32))


def test_finished_partitions_are_not_taken_after_a_run_with_another_size(tmp_path, questions, kill_at):
    """In between, the answers about their images may have changed."""
    with kill_at('part-00002'):
        annotate(tmp_path / 't', questions, missing=(2,), shard_size=1, partition_size=3)
    with kill_at('part-00000'):
        annotate(tmp_path / 't', questions, shard_size=1, partition_size=2)
    _, tasks, targets = annotate(tmp_path / 't', questions, shard_size=1, partition_size=3)
    assert tasks == []
    assert (targets.failures, targets.num_missing) == ({}, 0)
    np.testing.assert_array_equal(targets.logprobs, answers(range(7)).astype(np.float32))


@pytest.mark.parametrize('resume', [True, False])
def test_partitions_that_cannot_be_removed_are_not_taken(tmp_path, questions, kill_at, monkeypatch, resume):
    """Neither is what is left of a partition: without its reasons, it would look like a whole one."""
    with kill_at('part-00002'):
        annotate(tmp_path / 't', questions, missing=(1, 4), partition_size=3)

    def fail(path, ignore_errors=False):
        for file in path.rglob('failed.jsonl'):
            file.unlink()
        if not ignore_errors:
            raise OSError(errno.EACCES, 'Permission denied', str(path))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, 'rmtree', fail)
        with pytest.raises(TargetsError, match='Permission denied'):
            open_writer(tmp_path / 't', questions, partition_size=3, resume=resume)
    targets = annotate(tmp_path / 't', questions, missing=(4,), partition_size=3)[2]
    assert targets.failures == {KEYS[4]: 'no image'}
    kept = [row for row in range(7) if row != 4]
    np.testing.assert_array_equal(targets.logprobs[kept], answers(kept).astype(np.float32))


def test_starting_anew_discards_finished_partitions(tmp_path, questions, kill_at):
    with kill_at('part-00002'):
        annotate(tmp_path / 't', questions, partition_size=3)
    open_writer(tmp_path / 't', questions, resume=False)
    assert os.listdir(tmp_path / 't.partial') == ['lock']


@pytest.mark.parametrize(('value', 'reason'), [(-1, None), (np.nan, 'no image')])
def test_joining_holds_a_partition_in_memory_not_all(tmp_path, value, reason):
    questions = QuestionSet([Question('a', 'a?')])
    keys = [f'{"x" * 90}/{index:06d}' for index in range(10_000)]
    text = encode_keys(keys, tmp_path)
    peaks = {}
    for partition_size in (1_000, 10_000):
        out_dir = tmp_path / str(partition_size)
        writer, tasks = open_writer(
            out_dir, questions, KeyIndex(text, build_words(text, tmp_path)), {}, True, 250, partition_size
        )
        writer.begin({})
        for task in tasks:
            writer.write(task, [Answers(np.full((1, 2), value, np.float32), reason)] * 250, [FILE] * 250)
        tracemalloc.start()
        writer.finish()
        peaks[partition_size] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[1_000] < peaks[10_000] / 4


def test_importing_it_does_not_import_torch():
    code = "import sys, makd.annotation.shard_writer; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, '-c', code], check=True, cwd=Path(__file__).parents[2])
