import json
import math
import pickle
import re
import threading

import numpy as np
import pytest

from makd.errors import QuestionsError, TargetsError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets, aspect_targets, key_index

KEYS = ['cat/1.png', 'cat/2.png', 'dog/1.png', 'dog/été.png', 'owl.png']


def edit_meta(path, **changes):
    meta = path / 'meta.json'
    meta.write_text(json.dumps({**json.loads(meta.read_text('utf-8')), **changes}), 'utf-8')


def write_one(folder, pairs):
    """Write targets of one image, with a question for each pair."""
    questions = QuestionSet(Question(f'q{index}', f'{index}?') for index in range(len(pairs)))
    return AspectTargets.write(folder, questions=questions, keys=['a.png'], logprobs=np.array([pairs], np.float64))


def test_what_is_written_is_read(targets, questions, logprobs):
    opened = AspectTargets.open(targets.path)
    assert opened.questions == questions
    assert [question.kind for question in opened.questions] == ['visual', None, None]
    assert opened.questions.metadata == {'writer': 'by hand'}
    assert opened.meta == {'model': 'm'}
    assert opened.path == targets.path
    assert list(opened.keys) == KEYS
    assert len(opened) == len(KEYS)
    np.testing.assert_array_equal(opened.logprobs, logprobs)
    assert [opened.row(key) for key in KEYS] == list(range(len(KEYS)))
    opened.validate()


def test_file_formats(targets, logprobs):
    """The format is documented: other programs read it without makd."""
    assert sorted(file.name for file in targets.path.iterdir()) == [
        'images.txt',
        'index.npy',
        'logprobs.npy',
        'meta.json',
    ]
    assert (targets.path / 'images.txt').read_bytes() == ''.join(f'{key}\n' for key in KEYS).encode()
    np.testing.assert_array_equal(np.load(targets.path / 'logprobs.npy', allow_pickle=False), logprobs)
    meta = json.loads((targets.path / 'meta.json').read_text('utf-8'))
    assert (meta['format'], meta['format_version']) == ('makd-targets', 1)
    assert meta['question_hash'] == targets.questions.hash


def test_probability_is_the_sigmoid_of_the_difference(targets, logprobs):
    for row, key in enumerate(KEYS):
        expected = [1 / (1 + math.exp(-(float(yes) - float(no)))) for yes, no in logprobs[row]]
        probability = targets.probability(key)
        assert probability.dtype == np.float32
        np.testing.assert_allclose(probability, expected, rtol=1e-7, atol=0)


@pytest.mark.filterwarnings('error')
def test_probability_at_the_limits(tmp_path):
    inf, nan = math.inf, math.nan
    pairs = [(-inf, -0.5), (-0.5, -inf), (nan, nan), (-1e4, -2e-9), (-2e-9, -1e4), (-80.0, -1e-30), (-0.7, -0.7)]
    targets = write_one(tmp_path / 'limits', pairs)
    expected = np.array([0, 1, nan, 0, 1, math.exp(-80), 0.5])
    np.testing.assert_allclose(targets.probability('a.png'), expected, rtol=1e-5, atol=0)
    assert targets.num_missing == 1
    targets.validate()
    # Alone among the questions, as well.
    assert [float(targets.select([f'q{i}']).probability('a.png')[0]) for i in (0, 1)] == [0.0, 1.0]


def test_select(targets, logprobs):
    scattered = targets.select(['pet', 'wings'])
    assert scattered.questions.ids == ('pet', 'wings')
    np.testing.assert_array_equal(scattered.logprobs, logprobs[:, [2, 0]])
    np.testing.assert_array_equal(scattered.select(top=1).logprobs, logprobs[:, [2]])
    # Close and not equal: the sigmoid of an array of another length may take other instructions of the processor.
    probability = targets.probability('owl.png')
    np.testing.assert_allclose(scattered.probability('owl.png'), probability[[2, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        targets.select(top=2).select(['fur']).probability('owl.png'), probability[1:2], rtol=1e-6
    )
    assert targets.select().questions == targets.questions


def test_select_of_a_run_does_not_copy(targets):
    for view in (targets, targets.select(top=2), targets.select(['fur', 'pet'])):
        assert np.shares_memory(view.logprobs, targets.logprobs)
        assert not view.logprobs.flags.writeable


def test_select_errors(targets):
    with pytest.raises(QuestionsError, match=r"no question 'wing' .*'wings'"):
        targets.select(['wing'])
    with pytest.raises(QuestionsError, match='top 4 of 3'):
        targets.select(top=4)
    with pytest.raises(QuestionsError, match='not both'):
        targets.select(['fur'], top=1)
    with pytest.raises(QuestionsError, match="no question 'pet'"):
        targets.select(top=2).select(['pet'])


def test_contains_and_missing_keys(targets):
    assert 'cat/2.png' in targets
    for absent in ('cat/3.png', 'cat/1.pn', 'at/1.png', '', 3, 'bad\udcff.png', 'cat/1.png\ncat/2.png'):
        assert absent not in targets
    with pytest.raises(
        TargetsError, match=r"no answers for the image 'train/été.png', but for 'dog/été.png'.*data_root"
    ):
        targets.probability('train/été.png')
    with pytest.raises(TargetsError, match=r"'data/owl.png', but for 'owl.png'"):
        targets.row('data/owl.png')
    with pytest.raises(TargetsError, match=r"image 'wl.png': its 5 keys look like 'cat/1.png'"):
        targets.probability('wl.png')


def test_keys_is_a_lazy_sequence(targets):
    assert targets.keys[-1] == 'owl.png'
    assert targets.keys[1:3] == ['cat/2.png', 'dog/1.png']
    with pytest.raises(IndexError):
        targets.keys[5]


def test_colliding_hashes_are_told_apart(tmp_path, monkeypatch, questions, logprobs):
    monkeypatch.setattr(key_index, 'hash64', lambda *parts: 7)
    targets = AspectTargets.write(tmp_path / 'collisions', questions=questions, keys=KEYS, logprobs=logprobs)
    assert [targets.row(key) for key in KEYS] == list(range(5))
    assert 'cat/3.png' not in targets
    with pytest.raises(TargetsError, match=r"duplicate key 'a' in lines 1 and 3"):
        AspectTargets.write(tmp_path / 'x', questions=questions, keys=['a', 'b', 'a'], logprobs=logprobs[:3])


def change_keys(folder, change):
    path = folder / 'images.txt'
    path.write_bytes(change(path.read_bytes()))


def without_keys_hash(folder):
    """Make a folder one of a makd that did not store the hash."""
    content = json.loads((folder / 'meta.json').read_text('utf-8'))
    del content['keys_hash']
    (folder / 'meta.json').write_text(json.dumps(content), 'utf-8')


def sort_again(text):
    return b''.join(sorted(text.splitlines(keepends=True), reverse=True))


@pytest.mark.parametrize('index', ['stale', 'absent', 'of the sorted keys'])
def test_keys_in_another_order_are_refused(targets, index):
    change_keys(targets.path, sort_again)
    if index == 'absent':
        (targets.path / 'index.npy').unlink()
    elif index == 'of the sorted keys':
        text = (targets.path / 'images.txt').read_bytes()
        np.save(targets.path / 'index.npy', key_index.build_words(text, targets.path))
    with pytest.raises(TargetsError, match=r"images.txt was changed .* hash '[0-9a-f]{16}'.* Restore the file"):
        AspectTargets.open(targets.path)


def test_new_names_in_the_same_order_are_taken_with_their_hash(targets):
    row = targets.row('owl.png')
    change_keys(targets.path, lambda text: text.replace(b'owl.png', b'OWL.png'))
    with pytest.raises(TargetsError, match='keys_hash') as error:
        AspectTargets.open(targets.path)
    edit_meta(targets.path, keys_hash=re.search("hash '([0-9a-f]{16})'", str(error.value))[1])
    (targets.path / 'index.npy').unlink()
    assert AspectTargets.open(targets.path).row('OWL.png') == row


def test_a_folder_without_the_hash_is_checked_by_its_index(targets, caplog):
    without_keys_hash(targets.path)
    assert AspectTargets.open(targets.path).row('owl.png') == 4
    assert not caplog.records
    change_keys(targets.path, sort_again)
    with pytest.raises(TargetsError, match=r'index.npy does not belong to images.txt: .* remove index.npy'):
        AspectTargets.open(targets.path)
    (targets.path / 'index.npy').unlink()
    assert AspectTargets.open(targets.path).row('owl.png') == 0
    assert 'nothing says whether the keys are in the order of the answers' in caplog.text


@pytest.mark.parametrize('content', [b'', b'garbage', 'cut', 'zip', 'a row out of range'])
def test_a_damaged_index_is_refused(targets, content):
    index = targets.path / 'index.npy'
    if content == 'cut':
        content = index.read_bytes()[:-8]
    elif content == 'zip':
        np.savez(index.with_name('zip'), np.load(index))
        content = index.with_name('zip.npz').read_bytes()
    elif content == 'a row out of range':
        words = np.load(index)
        words[6] = 5
        np.save(index, words)
        content = index.read_bytes()
    index.write_bytes(content)
    with pytest.raises(TargetsError, match=r'index.npy does not belong to images.txt: it is damaged'):
        AspectTargets.open(targets.path)


@pytest.mark.parametrize('ending', [b'\n', b''])
def test_an_absent_index_is_built(targets, caplog, ending):
    AspectTargets.open(targets.path)
    assert not caplog.records
    change_keys(targets.path, lambda text: text.removesuffix(b'\n') + ending)
    (targets.path / 'index.npy').unlink()
    opened = AspectTargets.open(targets.path)
    assert [opened.row(key) for key in KEYS] == list(range(5))
    assert list(opened.keys) == KEYS
    assert len(caplog.records) == 1
    assert 'has no index.npy: building it in memory' in caplog.text
    assert 'nothing says' not in caplog.text


def test_pickle_is_small_and_keeps_the_selection(tmp_path):
    count = 2000
    targets = AspectTargets.write(
        tmp_path / 'big',
        questions=QuestionSet(Question(id_, f'{id_}?') for id_ in 'abc'),
        keys=[f'{index:06d}.png' for index in range(count)],
        logprobs=np.zeros((count, 3, 2), np.float32),
    ).select(['c', 'a'])
    content = pickle.dumps(targets)
    assert len(content) < 1000
    again = pickle.loads(content)
    assert again.questions.ids == ('c', 'a')
    assert again.row('001999.png') == 1999


def test_threads_read_the_same(targets):
    expected = {key: targets.probability(key) for key in KEYS}
    wrong = []

    def read():
        for _ in range(200):
            wrong.extend(key for key in KEYS if not np.array_equal(targets.probability(key), expected[key]))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize('dtype', [np.float16, np.float64])
def test_write_stores_float32_in_blocks(tmp_path, monkeypatch, questions, logprobs, dtype):
    monkeypatch.setattr('makd.targets.logprobs._CHUNK_BYTES', 2 * 3 * 8)
    source = np.lib.format.open_memmap(tmp_path / 'source.npy', 'w+', dtype, logprobs.shape)
    source[:] = logprobs
    targets = AspectTargets.write(tmp_path / 't', questions=questions, keys=KEYS, logprobs=source)
    np.testing.assert_array_equal(targets.logprobs, source.astype(np.float32))
    targets.validate()


@pytest.mark.parametrize(
    'key',
    ['/a.png', '../a.png', 'a/../b.png', './a.png', 'a//b.png', 'a/', '', 'a\\b.png', 'C:/a.png', 'a\r', '\ufeffa'],
)
def test_write_refuses_what_is_no_key(tmp_path, questions, logprobs, key):
    with pytest.raises(TargetsError, match=r'images.txt, line 2: .* is not a key. A key is the POSIX path'):
        AspectTargets.write(tmp_path / 't', questions=questions, keys=['ok.png', key], logprobs=logprobs[:2])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('key', ['a..b/c...png', '...', '.hidden/a.png', 'a b/ü.png', 'a:b.png'])
def test_write_takes_odd_keys(tmp_path, questions, logprobs, key):
    targets = AspectTargets.write(tmp_path / 't', questions=questions, keys=[key], logprobs=logprobs[:1])
    assert targets.row(key) == 0


def test_write_refuses_what_does_not_fit(tmp_path, questions, logprobs):
    def write(keys, logprobs):
        AspectTargets.write(tmp_path / 't', questions=questions, keys=keys, logprobs=logprobs)

    with pytest.raises(TargetsError, match=r"duplicate key 'a' in lines 1 and 3"):
        write(['a', 'b', 'a'], logprobs[:3])
    with pytest.raises(TargetsError, match=r'4 keys and 3 questions need .*\(4, 3, 2\).* got float32 \(5, 3, 2\)'):
        write(KEYS[:4], logprobs)
    with pytest.raises(TargetsError, match=r'\(5, 3, 2\).* got float32 \(5, 2, 2\)'):
        write(KEYS, logprobs[:, :2])
    with pytest.raises(TargetsError, match='got int64'):
        write(KEYS, np.zeros((5, 3, 2), np.int64))
    with pytest.raises(TargetsError, match='at least one image'):
        write([], logprobs[:0])
    with pytest.raises(TargetsError, match="key of row 1 must be a string of one line, got 'b\\\\nc'"):
        write(['a', 'b\nc'], logprobs[:2])
    with pytest.raises(TargetsError, match='of row 1 is not valid Unicode'):
        write(['a', 'b\udcff'], logprobs[:2])
    assert not list(tmp_path.iterdir())


def test_overwrite_is_asked_for_and_spares_other_files(targets, questions, logprobs):
    arguments = {'questions': questions, 'keys': ['new.png'], 'logprobs': logprobs[:1]}
    with pytest.raises(TargetsError, match='exists: choose another path, or overwrite it'):
        AspectTargets.write(targets.path, **arguments)
    (targets.path / 'README.md').touch()
    with pytest.raises(TargetsError, match=r"also holds 'README.md' and would lose it"):
        AspectTargets.write(targets.path, **arguments, overwrite=True)
    (targets.path / 'README.md').unlink()
    replaced = AspectTargets.write(targets.path, **arguments, overwrite=True)
    assert list(replaced.keys) == ['new.png']
    # Who has the old folder open keeps reading it.
    np.testing.assert_array_equal(targets.logprobs, logprobs)
    assert [file.name for file in targets.path.parent.iterdir()] == ['targets']


@pytest.mark.parametrize('existing', [False, True])
@pytest.mark.parametrize('step', ['np.save', 'os.fsync', 'rename'])
def test_interrupted_write_leaves_the_old_folder_or_nothing(tmp_path, monkeypatch, questions, logprobs, existing, step):
    path = tmp_path / 'parent' / 't'
    arguments = {'questions': questions, 'keys': KEYS, 'logprobs': logprobs}
    if existing:
        AspectTargets.write(path, **arguments)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    if step == 'np.save':
        monkeypatch.setattr(aspect_targets.np, 'save', interrupt)
    elif step == 'os.fsync':
        monkeypatch.setattr('makd.files.os.fsync', interrupt)
    else:
        # The rename that puts the new folder in place, after the old one went aside.
        rename = aspect_targets.os.rename
        monkeypatch.setattr(
            'makd.files.os.rename',
            lambda source, to: interrupt() if to == path and (source / 'new').exists() else rename(source, to),
        )
        save = aspect_targets.np.save
        monkeypatch.setattr(
            aspect_targets.np, 'save', lambda file, array: (save(file, array), (file.parent / 'new').touch())
        )
    with pytest.raises(KeyboardInterrupt):
        AspectTargets.write(path, **{**arguments, 'logprobs': logprobs - 1}, overwrite=existing)
    assert [file.name for file in path.parent.iterdir()] == (['t'] if existing else [])
    if existing:
        np.testing.assert_array_equal(AspectTargets.open(path).logprobs, logprobs)


def test_folders_that_are_no_targets(tmp_path, targets):
    with pytest.raises(TargetsError, match=r'there is no folder .*absent'):
        AspectTargets.open(tmp_path / 'absent')
    with pytest.raises(TargetsError, match=r'is not a folder of targets: it has none of meta.json'):
        AspectTargets.open(tmp_path)
    with pytest.raises(TargetsError, match='is not a folder of targets'):
        AspectTargets.open(targets.path / 'meta.json')


@pytest.mark.parametrize('name', ['meta.json', 'images.txt', 'logprobs.npy'])
def test_absent_file(targets, name):
    (targets.path / name).unlink()
    with pytest.raises(TargetsError, match=f'is incomplete: {name} is absent'):
        AspectTargets.open(targets.path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'format': 'other'}, 'does not describe targets: it lacks "format": "makd-targets"'),
        ({'format_version': 2}, r'format_version is 2, this makd reads 1; install a newer makd'),
        ({'format_version': 'x'}, r"format_version is 'x', this makd reads 1; write the folder again"),
        ({'question_hash': 'abc'}, r"question_hash is 'abc', but its questions have the hash '[0-9a-f]{64}'"),
        ({'question_hash': None}, 'question_hash is None, but'),
        ({'question_set': None}, r'meta.json, question_set: expected \{"questions"'),
        ({'question_set': {'questions': [{'id': 'a'}]}}, r"question_set: questions\[0\]: the field 'text'"),
        ({'meta': 3}, '"meta" must be a JSON object, got 3'),
    ],
)
def test_damaged_meta(targets, changes, message):
    edit_meta(targets.path, **changes)
    with pytest.raises(TargetsError, match=message):
        AspectTargets.open(targets.path)


def test_meta_that_is_not_json(targets):
    (targets.path / 'meta.json').write_text('{')
    with pytest.raises(TargetsError, match=r'meta.json is not JSON'):
        AspectTargets.open(targets.path)


def test_questions_changed_after_the_answers(targets):
    text = (targets.path / 'meta.json').read_text('utf-8')
    (targets.path / 'meta.json').write_text(text.replace('Has it fur?', 'Has it scales?'), 'utf-8')
    with pytest.raises(TargetsError, match='were changed after the annotator answered them'):
        AspectTargets.open(targets.path)


def test_truncated_array(targets):
    content = (targets.path / 'logprobs.npy').read_bytes()
    for size, message in (
        (
            len(content) - 4,
            rf'logprobs.npy is truncated: {len(content) - 4} bytes on disk, {len(content)} by its header',
        ),
        (60, r'logprobs.npy is not a NumPy array \('),
        (0, r'logprobs.npy is not a NumPy array \('),
    ):
        (targets.path / 'logprobs.npy').write_bytes(content[:size])
        with pytest.raises(TargetsError, match=message):
            AspectTargets.open(targets.path)
    (targets.path / 'logprobs.npy').write_bytes(content + b'more')
    with pytest.raises(TargetsError, match='is too long'):
        AspectTargets.open(targets.path)


@pytest.mark.parametrize(
    ('array', 'message'),
    [
        (np.zeros((5, 3, 2), np.float16), r'has float16 of shape \(5, 3, 2\), expected float32'),
        (np.zeros((5, 3, 2), '>f4'), r'has >f4 of shape'),
        (np.zeros((5, 3), np.float32), r'has float32 of shape \(5, 3\), expected float32 of shape \(N, Q, 2\)'),
        (np.zeros((5, 3, 1), np.float32), r'shape \(5, 3, 1\)'),
        (np.zeros((2, 3, 5), np.float32).T, r'in Fortran order'),
        (np.array(['x']), r'has <U1 of shape'),
        (np.zeros((4, 3, 2), np.float32), r'images.txt lists 5 images, logprobs.npy has answers for 4'),
        (np.zeros((5, 4, 2), np.float32), r'meta.json has 3 questions, logprobs.npy has answers to 4'),
    ],
)
def test_array_that_does_not_fit(targets, array, message):
    np.save(targets.path / 'logprobs.npy', array)
    with pytest.raises(TargetsError, match=message):
        AspectTargets.open(targets.path)


def test_pickled_array_is_not_loaded(targets):
    np.save(targets.path / 'logprobs.npy', np.array([{}]), allow_pickle=True)
    with pytest.raises(TargetsError, match='has object of shape'):
        AspectTargets.open(targets.path)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        (b'cat/1.png', r"images.txt: duplicate key 'cat/1.png' in lines 1 and 5"),
        (b'/owl.png', r"images.txt, line 5: '/owl.png' is not a key"),
        (b'..\\owl.png', r'images.txt, line 5: .* is not a key'),
        (b'../owl.png', r"images.txt, line 5: '../owl.png' is not a key"),
        (b'', r"images.txt, line 5: '' is not a key"),
        (b'\xff.png', r'images.txt, line 5 is not UTF-8'),
        (b'owl.png\nbat.png', r'lists 6 images, logprobs.npy has answers for 5'),
    ],
)
def test_damaged_keys(targets, line, message):
    without_keys_hash(targets.path)
    (targets.path / 'index.npy').unlink()
    change_keys(targets.path, lambda text: text.replace(b'owl.png', line))
    with pytest.raises(TargetsError, match=message):
        AspectTargets.open(targets.path)


def test_empty_keys(targets):
    (targets.path / 'images.txt').write_bytes(b'')
    with pytest.raises(TargetsError, match=r'images.txt is empty'):
        AspectTargets.open(targets.path)


@pytest.mark.parametrize(
    ('pair', 'damage'),
    [
        ((math.nan, -0.5), 'one of log p(yes), log p(no) is NaN, the other is not'),
        ((-math.inf, -math.inf), 'both log p(yes) and log p(no) are -inf'),
        ((math.inf, -0.5), 'a log-probability is above 0'),
        ((-0.5, 0.01), 'a log-probability is above 0'),
        ((math.log(0.6), math.log(0.5)), 'p(yes) + p(no) is above 1'),
    ],
)
def test_validate_tells_damage_apart(tmp_path, monkeypatch, questions, logprobs, pair, damage):
    monkeypatch.setattr('makd.targets.logprobs._CHUNK_BYTES', 2 * 3 * 8)
    logprobs[3, 1] = pair
    logprobs[4, 2] = pair[::-1]
    targets = AspectTargets.write(tmp_path / 't', questions=questions, keys=KEYS, logprobs=logprobs)
    with pytest.raises(TargetsError) as error:
        targets.validate()
    assert f"damaged: {damage}: 2 answers, first image 'dog/été.png', question 'fur': [" in str(error.value)
    assert ';' not in str(error.value)
    targets.select(['wings']).validate()


def test_validate_allows_missing_answers_and_rounding(tmp_path, monkeypatch, questions, logprobs):
    monkeypatch.setattr('makd.targets.logprobs._CHUNK_BYTES', 2 * 3 * 8)
    logprobs[0, 0] = logprobs[4] = np.nan
    logprobs[1, 1] = (1e-6, -math.inf)
    targets = AspectTargets.write(tmp_path / 't', questions=questions, keys=KEYS, logprobs=logprobs)
    targets.validate()
    assert targets.num_missing == 4
    assert targets.select(['wings']).num_missing == 2
