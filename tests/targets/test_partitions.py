"""A folder of partitions is to its readers what a single folder with the same content is."""

import json
import pickle
import shutil
from collections import Counter
from hashlib import blake2b

import numpy as np
import pytest

from makd import files
from makd.errors import TargetsError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets, RandomTargets, ShuffledTargets, partitions
from makd.targets.fingerprints import FINGERPRINT

KEYS = ['bat.png', 'cat/1.png', 'cat/2.png', 'dog/1.png', 'dog/été.png', 'owl.png', 'zebra/1.png', 'zebra/3.png']
FAILURES = {'zebra/1.png': 'too dark', 'cat/2.png': 'empty file'}
META = {'teacher': {'model': 'm', 'ids': [3, 4]}}
SHUFFLED = [KEYS[row] for row in (5, 0, 7, 3, 1, 6, 2, 4)]


@pytest.fixture
def answers():
    """(8, 3, 2), with a label mass of 0.9; the images of FAILURES have none."""
    p = np.random.default_rng(0).uniform(0.01, 0.99, (len(KEYS), 3))
    logprobs = np.log(0.9 * np.stack([p, 1 - p], axis=-1)).astype(np.float32)
    logprobs[[2, 6]] = np.nan
    return logprobs


@pytest.fixture
def write(tmp_path, questions, answers):
    def write(name, partition_size, keys=KEYS, logprobs=answers, **arguments):
        fingerprints = np.array([(row, 1, row + 1) for row in range(len(keys))], FINGERPRINT)
        arguments = {'meta': META, 'failures': FAILURES, 'fingerprints': [fingerprints], **arguments}
        return AspectTargets.write(
            tmp_path / name,
            questions=questions,
            keys=keys,
            logprobs=logprobs,
            partition_size=partition_size,
            **arguments,
        )

    return write


@pytest.fixture
def pair(write):
    """The same content as one folder, and as partitions of 3, 3 and 2 images."""
    return write('one', 100), write('parts', 3)


def manifest_of(targets):
    return json.loads((targets.path / 'partitions.json').read_text('utf-8'))


def edit_manifest(targets, **changes):
    (targets.path / 'partitions.json').write_text(json.dumps({**manifest_of(targets), **changes}), 'utf-8')


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_partitions_are_folders_of_targets(pair, answers):
    assert sorted(path.name for path in pair[1].path.iterdir()) == [
        'part-00000',
        'part-00001',
        'part-00002',
        'partitions.json',
    ]
    for number, rows in enumerate((slice(0, 3), slice(3, 6), slice(6, 8))):
        part = AspectTargets.open(pair[1].path / f'part-{number:05d}')
        assert list(part.keys) == KEYS[rows]
        np.testing.assert_array_equal(part.logprobs, answers[rows])
        assert part.meta == META
        part.validate()


def test_the_manifest(pair):
    """The format is documented."""
    content = manifest_of(pair[1])
    meta = json.loads((pair[0].path / 'meta.json').read_text('utf-8'))
    for field in ('format', 'question_set', 'question_hash', 'meta'):
        assert content[field] == meta[field]
    assert content['format_version'] == 1
    assert [entry['name'] for entry in content['partitions']] == ['part-00000', 'part-00001', 'part-00002']
    assert [entry['count'] for entry in content['partitions']] == [3, 3, 2]
    assert [(entry['first_key'], entry['last_key']) for entry in content['partitions']] == [
        ('bat.png', 'cat/2.png'),
        ('dog/1.png', 'owl.png'),
        ('zebra/1.png', 'zebra/3.png'),
    ]
    part = json.loads((pair[1].path / 'part-00001' / 'meta.json').read_text('utf-8'))
    assert content['partitions'][1]['keys_hash'] == part['keys_hash']
    answers = (pair[1].path / 'part-00001' / 'logprobs.npy').read_bytes()
    assert (
        content['partitions'][1]['answers_hash'] == part['answers_hash'] == blake2b(answers, digest_size=8).hexdigest()
    )


@pytest.mark.parametrize('size', [8, 9])
def test_what_fits_in_one_folder_is_one(write, size):
    one = write('one', 4_000_000)
    assert files_of(write('other', size).path) == files_of(one.path)
    assert {file.name for file in one.path.iterdir()} == {
        'images.txt',
        'index.npy',
        'logprobs.npy',
        'meta.json',
        'failed.jsonl',
        'fingerprints.npy',
    }


def check_same(one, parts):
    """Compare everything that AspectTargets offers."""
    assert list(parts.keys) == list(one.keys)
    assert len(parts) == len(one)
    assert parts.questions == one.questions
    assert (parts.meta, parts.has_label_mass, parts.failures) == (one.meta, one.has_label_mass, one.failures)
    assert parts.failure_reasons == one.failure_reasons == Counter(one.failures.values())
    assert parts.num_missing == one.num_missing
    assert parts.content_hash == one.content_hash
    np.testing.assert_array_equal(parts.logprobs, one.logprobs)
    np.testing.assert_allclose(parts.label_mass(), one.label_mass(), rtol=1e-12)
    for key in one.keys:
        assert key in parts
        assert parts.row(key) == parts.find(key) == one.row(key)
        np.testing.assert_array_equal(parts.logprobs_of(key), one.logprobs_of(key))
        np.testing.assert_array_equal(parts.probability(key), one.probability(key))
    rows = np.array([7, 0, 3, 3, 5])
    np.testing.assert_array_equal(parts.logprobs_at(rows), one.logprobs_at(rows))
    np.testing.assert_array_equal(np.concatenate([block for _, block in parts.blocks()]), one.logprobs)
    first = 0
    for start, block in parts.blocks():
        assert start == first
        first += len(block)
    for absent in ('cat/3.png', 'a', 'zz', 'cat/2.pnh', '', 3, 'bad\udcff.png'):
        assert absent not in parts
    if one.fingerprints is None:
        assert parts.fingerprints is None
    else:
        np.testing.assert_array_equal(parts.fingerprints[:], one.fingerprints)
    parts.validate()
    assert repr(parts) == repr(one).replace(str(one.path), str(parts.path))


def test_readers_see_no_difference(pair):
    check_same(*pair)


@pytest.mark.parametrize('ids', [['pet'], ['fur', 'pet'], ['pet', 'wings']])
def test_selections_and_copies_of_the_object(pair, ids):
    one, parts = (targets.select(ids) for targets in pair)
    check_same(one, parts)
    check_same(one, pickle.loads(pickle.dumps(parts)))
    assert len(pickle.dumps(parts)) < 1000


def test_copies_of_the_keys(pair):
    for targets in pair:
        targets.keys.find('owl.png')
        assert targets.fingerprints[0]['hash'] == 1
        assert targets.failures == FAILURES
        copy = pickle.loads(pickle.dumps(targets.keys))
        assert list(copy) == KEYS
        assert copy.find('owl.png') == 5


@pytest.mark.parametrize('size', [1, 2, 7])
def test_of_any_size(write, size):
    check_same(write('one', 100), write('parts', size))


def test_keys_in_any_order(write):
    """As imports have them: the ranges of the partitions overlap."""
    check_same(write('one', 100, SHUFFLED), write('parts', 3, SHUFFLED))


def test_without_label_mass_failures_and_fingerprints(write):
    arguments = dict(has_label_mass=False, failures=None, fingerprints=None)
    one, parts = write('one', 100, **arguments), write('parts', 3, **arguments)
    assert not parts.has_label_mass
    check_same(one, parts)


def test_blocks_of_any_length(write, answers, monkeypatch):
    monkeypatch.setattr('makd.targets.logprobs._CHUNK_BYTES', 2 * 3 * 8)
    fingerprints = np.array([(row, 1, row + 1) for row in range(8)], FINGERPRINT)
    blocks = (answers[rows] for rows in (slice(0, 4), slice(4, 4), slice(4, 5), slice(5, 8)))
    parts = write('parts', 3, logprobs=blocks, fingerprints=np.split(fingerprints, [1, 6]))
    check_same(write('one', 100), parts)


@pytest.mark.parametrize(('count', 'cuts'), [(7, [3, 5]), (6, [3, 5]), (3, []), (9, [3, 5]), (9, [3, 8])])
def test_too_few_and_too_many_answers(write, answers, tmp_path, count, cuts):
    rows = np.resize(answers, (count, 3, 2))
    with pytest.raises(TargetsError, match=rf'8 keys .* shape \(8, 3, 2\) .* got float32 \({count}, 3, 2\)'):
        write('parts', 3, logprobs=iter(np.split(rows, cuts)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('keys', [[*KEYS[:-1], 'bat.png'], [*KEYS[:4], *KEYS[:4]], [*SHUFFLED[:-1], SHUFFLED[2]]])
def test_a_key_in_two_partitions_is_refused(write, tmp_path, keys):
    with pytest.raises(TargetsError, match=r"duplicate key '.*' in part-0000\d and part-0000\d"):
        write('parts', 3, keys)
    assert not list(tmp_path.iterdir())


def test_colliding_hashes_are_told_apart(write, monkeypatch):
    monkeypatch.setattr('makd.targets.key_index.hash64', lambda *parts: 7)
    parts = write('parts', 3, SHUFFLED)
    assert [parts.row(key) for key in SHUFFLED] == list(range(8))
    with pytest.raises(TargetsError, match=r"duplicate key 'bat.png' in part-00000 and part-00002"):
        write('again', 3, [*SHUFFLED[:-1], 'bat.png'])


def test_an_invalid_key_is_named_by_its_place(write):
    with pytest.raises(TargetsError, match=r"key of row 4 must be a string of one line, got 'b\\nc'"):
        write('parts', 3, [*KEYS[:4], 'b\nc', *KEYS[5:]])
    with pytest.raises(TargetsError, match=r"key 'b\\udcff' of row 4 is not valid Unicode"):
        write('parts', 3, [*KEYS[:4], 'b\udcff', *KEYS[5:]])
    with pytest.raises(TargetsError, match='partition_size=0 must be at least 1'):
        write('parts', 0)


def test_a_missing_image_is_explained(pair):
    for targets in pair:
        with pytest.raises(TargetsError, match=r"no answers for the image 'train/été.png', but for 'dog/été.png'"):
            targets.probability('train/été.png')
        with pytest.raises(TargetsError, match=r"image 'x.png': its 8 keys look like 'bat.png'"):
            targets.row('x.png')


def test_opening_reads_the_manifest_only(pair):
    path = pair[1].path
    for file in path.glob('part-*/*'):
        file.rename(file.with_name(f'{file.name}.away'))
    opened = AspectTargets.open(path)
    assert len(opened) == 8
    for file in path.glob('part-00001/*'):
        file.rename(file.with_name(file.name.removesuffix('.away')))
    assert opened.row('owl.png') == 5  # only this partition
    assert 'eel.png' not in opened
    assert 'owl.png!' not in opened
    with pytest.raises(TargetsError, match='part-00000 is not a folder of targets'):
        opened.row('bat.png')


def test_rows_like_those_of_an_array(pair):
    one, parts = pair
    for rows in (slice(2, 7), slice(-2, None), slice(None, None, -3), slice(4, 4), slice(3, 6), slice(7, 2)):
        np.testing.assert_array_equal(parts.fingerprints[rows], one.fingerprints[rows])
        assert parts.keys[rows] == one.keys[rows]
    np.testing.assert_array_equal(parts.logprobs_at(np.array([-1, 0])), one.logprobs_at(np.array([-1, 0])))
    for mask in (np.arange(8) % 3 == 1, np.zeros(8, bool)):
        np.testing.assert_array_equal(parts.logprobs_at(mask), one.logprobs_at(mask))
        np.testing.assert_array_equal(parts.fingerprints[mask], one.fingerprints[mask])
    assert parts.keys[-1] == 'zebra/3.png'
    assert parts.fingerprints[np.int64(4)] == one.fingerprints[4]
    assert parts.logprobs_at(np.array([], np.int64)).shape == (0, 3, 2)
    for wrong in (8, -9):
        with pytest.raises(IndexError):
            parts.keys[wrong]
        with pytest.raises(IndexError):
            parts.fingerprints[wrong]
        with pytest.raises(IndexError):
            parts.logprobs_at(np.array([0, wrong]))
    for targets in pair:
        with pytest.raises(IndexError, match='boolean'):
            targets.logprobs_at(np.ones(7, bool))


def test_the_controls(pair):
    labels = {key: int(key.startswith('zebra')) for key in KEYS}
    for control in (lambda targets: ShuffledTargets(targets, labels, 0), lambda targets: RandomTargets(targets, 0)):
        one, parts = map(control, pair)
        for key in KEYS:
            np.testing.assert_array_equal(parts.probability(key), one.probability(key))


def test_a_folder_is_replaced_by_either_kind(write, tmp_path):
    write('t', 3)
    with pytest.raises(TargetsError, match='t exists'):
        write('t', 3)
    assert 'meta.json' in files_of(write('t', 100, overwrite=True).path)
    parts = write('t', 3, overwrite=True)
    assert 'meta.json' not in files_of(parts.path)
    for place in ('notes.txt', 'part-00001/notes.txt', 'part-1'):
        (parts.path / place).touch()
        with pytest.raises(TargetsError, match=f"also holds '{place}' and would lose it"):
            write('t', 3, overwrite=True)
        (parts.path / place).unlink()
    assert [path.name for path in tmp_path.iterdir()] == ['t']


@pytest.mark.parametrize('partition_size', [3, 2, 100, None])
def test_a_folder_that_is_replaced_while_it_is_open(write, answers, tmp_path, partition_size):
    """What has been read is of the former folder, and no partition of the new one is taken for one of it."""
    parts = write('t', 3)
    np.testing.assert_array_equal(parts.logprobs_of('owl.png'), answers[5])
    copy = pickle.dumps(parts.keys)
    if partition_size is None:
        parts.path.rename(tmp_path / 'away')
    else:
        write('t', partition_size, logprobs=answers[::-1], overwrite=True)
    np.testing.assert_array_equal(parts.logprobs_of('owl.png'), answers[5])
    for read in (
        lambda: parts.logprobs_of('bat.png'),
        lambda: parts.failures,
        lambda: parts.failure_reasons,
        lambda: parts.fingerprints,
        lambda: parts.content_hash,
        lambda: pickle.loads(copy).find('bat.png'),
    ):
        with pytest.raises(TargetsError, match='t was replaced while it was open: open it again'):
            read()


def test_a_folder_that_is_replaced_by_an_equal_one_is_read_on(write, answers):
    parts = write('t', 3)
    write('t', 3, overwrite=True)
    np.testing.assert_array_equal(parts.logprobs, answers)
    assert parts.failures == FAILURES


def test_an_opened_folder_keeps_its_content_hash(write, answers):
    parts = write('t', 3)
    expected = parts.content_hash
    again = AspectTargets.open(parts.path)
    np.testing.assert_array_equal(again.logprobs, answers)
    write('t', 3, SHUFFLED, answers[::-1], overwrite=True)
    assert again.content_hash == expected


# Damage


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'format': 'other'}, 'partitions.json does not describe targets'),
        ({'format_version': 2}, r'partitions.json: format_version is 2, this makd reads 1; install a newer makd'),
        ({'question_hash': 'abc'}, "partitions.json: question_hash is 'abc'"),
        ({'partitions': []}, 'partitions.json is damaged: its partitions do not have the hash that it names'),
        ({'partitions_hash': None}, 'partitions.json is damaged: its partitions do not have the hash that it names'),
    ],
)
def test_a_damaged_manifest_is_refused(pair, changes, message):
    edit_manifest(pair[1], **changes)
    with pytest.raises(TargetsError, match=message):
        AspectTargets.open(pair[1].path)


def test_a_manifest_that_is_cut_off(pair):
    path = pair[1].path / 'partitions.json'
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TargetsError, match=r'partitions.json is not JSON'):
        AspectTargets.open(pair[1].path)


def test_partitions_in_another_order_are_refused(pair):
    edit_manifest(pair[1], partitions=manifest_of(pair[1])['partitions'][::-1])
    with pytest.raises(TargetsError, match=r'partitions.json is damaged'):
        AspectTargets.open(pair[1].path)


@pytest.mark.parametrize(
    ('partitions', 'message'),
    [
        (lambda listed: [], r'"partitions" must be a list of partitions, got \[\]'),
        (lambda listed: {}, r'"partitions" must be a list'),
        (lambda listed: [3], '3 does not describe a partition'),
        (lambda listed: [{**listed[0], 'name': '../part-00000'}], 'does not describe a partition'),
        (lambda listed: [{**listed[0], 'count': True}], 'does not describe a partition'),
        (lambda listed: [{**listed[0], 'count': 0}], 'does not describe a partition'),
        (lambda listed: [{**listed[0], 'more': 1}], 'does not describe a partition'),
        (lambda listed: [listed[0], listed[0]], 'names a partition twice'),
    ],
)
def test_manifests_by_other_programs_are_checked(pair, monkeypatch, partitions, message):
    monkeypatch.setattr('makd.targets.partitions._hash', lambda listed: manifest_of(pair[1])['partitions_hash'])
    edit_manifest(pair[1], partitions=partitions(manifest_of(pair[1])['partitions']))
    with pytest.raises(TargetsError, match=message):
        AspectTargets.open(pair[1].path)


def test_a_manifest_with_a_wrong_range_is_found_by_validation(pair, monkeypatch):
    monkeypatch.setattr('makd.targets.partitions._hash', lambda listed: manifest_of(pair[1])['partitions_hash'])
    listed = manifest_of(pair[1])['partitions']
    edit_manifest(pair[1], partitions=[listed[0], {**listed[1], 'last_key': 'eel.png'}, listed[2]])
    opened = AspectTargets.open(pair[1].path)
    with pytest.raises(TargetsError, match=r"keys of part-00001 lie between 'dog/1.png' and 'owl.png', it says"):
        opened.validate()


def test_an_absent_partition_is_named_when_the_folder_is_opened(pair):
    shutil.rmtree(pair[1].path / 'part-00001')
    with pytest.raises(TargetsError, match='parts is incomplete: 1 of its 3 partitions are absent, first part-00001'):
        AspectTargets.open(pair[1].path)


def test_the_files_of_two_folders_are_refused(pair):
    shutil.copy(pair[0].path / 'meta.json', pair[1].path)
    with pytest.raises(TargetsError, match=r'has both partitions.json and meta.json'):
        AspectTargets.open(pair[1].path)


def replace_by(write, pair, name, **arguments):
    """Put a partition of other targets in the place of the second one."""
    other = write(name, 3, **arguments)
    shutil.rmtree(pair[1].path / 'part-00001')
    shutil.copytree(other.path / 'part-00001', pair[1].path / 'part-00001')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(keys=[*KEYS[:5], 'pig.png', *KEYS[6:]]), "its keys_hash is '[0-9a-f]{16}', the manifest says '"),
        (
            dict(meta={'teacher': {'model': 'n'}}),
            r"its meta.teacher is {'model': 'n'}, the manifest says {'model': 'm'",
        ),
        (dict(has_label_mass=False), 'its has_label_mass is False, the manifest says True'),
        (dict(logprobs=np.full((8, 3, 2), -1.0)), "its answers_hash is '[0-9a-f]{16}', the manifest says '"),
    ],
)
def test_a_partition_of_other_targets_is_refused(write, pair, arguments, message):
    replace_by(write, pair, 'other', **arguments)
    opened = AspectTargets.open(pair[1].path)
    assert opened.row('bat.png') == 0
    with pytest.raises(TargetsError, match=f'part-00001 is not the partition that partitions.json names: {message}'):
        opened.row('owl.png')
    with pytest.raises(TargetsError, match='part-00001 is not the partition'):
        opened.validate()


def test_a_partition_with_answers_to_other_questions_is_refused(pair, tmp_path, answers):
    questions = QuestionSet(Question(id_, f'{id_}?') for id_ in 'abc')
    shutil.rmtree(pair[1].path / 'part-00001')
    AspectTargets.write(
        pair[1].path / 'part-00001', questions=questions, keys=KEYS[3:6], logprobs=answers[3:6], meta=META
    )
    with pytest.raises(TargetsError, match=r"part-00001 is not .*: its question_hash is '.*', the manifest says '"):
        AspectTargets.open(pair[1].path).row('owl.png')


def test_a_partition_in_the_place_of_another_is_refused(pair):
    shutil.rmtree(pair[1].path / 'part-00001')
    shutil.copytree(pair[1].path / 'part-00002', pair[1].path / 'part-00001')
    with pytest.raises(TargetsError, match=r'part-00001 is not .*its count is 2, the manifest says 3'):
        AspectTargets.open(pair[1].path).row('owl.png')


@pytest.mark.parametrize('name', ['meta.json', 'images.txt', 'logprobs.npy', 'index.npy'])
def test_a_damaged_file_is_named_with_its_partition(pair, name):
    path = pair[1].path / 'part-00001' / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TargetsError, match=f'part-00001/{name}'):
        AspectTargets.open(pair[1].path).row('owl.png')


def test_validation_names_the_partition_the_image_and_the_question(write, answers):
    answers[4, 1] = 0.5
    with pytest.raises(TargetsError, match=r"part-00001/logprobs.npy is damaged: .* 1 answers, first image 'dog/été"):
        write('parts', 3, logprobs=answers).validate()


@pytest.mark.parametrize('killed_at', ['part-00000', 'part-00002', 'partitions.json', 't'])
@pytest.mark.parametrize('existing', [False, True])
def test_interrupted_writing_leaves_the_old_folder_or_nothing(write, tmp_path, monkeypatch, killed_at, existing):
    if existing:
        before = files_of(write('t', 2).path)

    def killed(function):
        def kill(path, *arguments):
            if path.name == killed_at:
                raise KeyboardInterrupt
            return function(path, *arguments)

        return kill

    with monkeypatch.context() as patch:
        patch.setattr(files, 'replace_folder', killed(files.replace_folder))
        patch.setattr(partitions, 'write_text', killed(files.write_text))
        with pytest.raises(KeyboardInterrupt):
            write('t', 3, overwrite=existing)
    assert [path.name for path in tmp_path.iterdir()] == (['t'] if existing else [])
    if existing:
        assert files_of(tmp_path / 't') == before
