"""Annotation runs of one process or two gloo ranks, killed at random moments; each try is a fork of the test."""

import json
import os
import random
import resource
import shutil
import signal
import socket
import sys
import traceback
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from makd.annotation.annotation_runner import AnnotationRunner
from makd.annotation.shard_writer import ShardWriter
from makd.cli.runner import initialize_gloo
from makd.errors import ConfigError, DataError, MakdError
from makd.targets import AspectTargets

NUM_IMAGES = 23  # see the fixture config


class Kill:
    """Count what a process does to files and how often it asks the annotator, and end it with SIGKILL at the n-th."""

    def __init__(self, stand_in, at):
        self.at, self.count = at, 0
        for owner, name in (
            (os, 'fsync'),
            (os, 'replace'),
            (os, 'rename'),
            (os, 'unlink'),
            (stand_in.StandInAnnotator, 'answer'),
        ):
            setattr(owner, name, self.counting(getattr(owner, name)))

    def counting(self, function):
        def counted(*args, **kwargs):
            self.count += 1
            if self.count == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return counted


def annotate(config, stand_in, ranks=1, kill=None, resume=True):
    """Annotate in forked processes; rank ``kill[0]`` dies at its event ``kill[1]``, and takes the others along.

    Returns:
        For each rank the number of its events, or None if it did not get to the end.
    """
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    pids, pipes = [], []
    for rank in range(ranks):
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                os.environ.update(
                    RANK=str(rank),
                    LOCAL_RANK=str(rank),
                    WORLD_SIZE=str(ranks),
                    MASTER_ADDR='127.0.0.1',
                    MASTER_PORT=str(port),
                )
                cfg = config.copy()
                if ranks > 1:
                    cfg.launcher = 'pytorch'
                    initialize_gloo('pytorch')
                cfg.writer.resume = resume
                events = Kill(stand_in, kill[1] if kill and kill[0] == rank else None)
                AnnotationRunner.from_cfg(cfg).annotate()
                os.write(writing, str(events.count).encode())
            except BaseException:
                if kill is None:
                    traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
        os.close(writing)
        pids.append(pid)
        pipes.append(reading)
    if kill is not None:  # as torchrun and srun do: the others end with the one that died
        os.waitpid(pids[kill[0]], 0)
        for pid in pids[: kill[0]] + pids[kill[0] + 1 :]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    else:
        for pid in pids:
            os.waitpid(pid, 0)
    counts = [os.read(pipe, 100).decode() for pipe in pipes]
    for pipe in pipes:
        os.close(pipe)
    return [int(count) if count else None for count in counts]


def contents(config):
    return {file.name: file.read_bytes() for file in Path(config.writer.out_dir).iterdir()}


def shards(config):
    """Return the numbers of the finished shards, with the time of the last change of each."""
    partial = Path(config.writer.out_dir + '.partial')
    return {path.name: path.stat().st_mtime_ns for path in partial.glob('shard-*.npy')} if partial.exists() else {}


def test_answers_are_those_of_the_annotator(config, stand_in):
    assert run_here(config)['failed'] == 0
    targets = AspectTargets.open(config.writer.out_dir)
    assert stand_in.asked(config.model.log) == NUM_IMAGES
    root = Path(config.dataloader.dataset.data_root)
    assert list(targets.keys) == sorted(path.relative_to(root).as_posix() for path in root.rglob('*.png'))
    for key in targets.keys:
        brightness = np.asarray(Image.open(root / key))[0, 0].mean() / 255
        z = brightness * np.array([-3, 0, 3]) + 0.1
        np.testing.assert_allclose(targets.probability(key), 1 / (1 + np.exp(-2 * z)), rtol=1e-5)
    np.testing.assert_allclose(targets.label_mass(), 0.9, rtol=1e-5)
    assert targets.meta['teacher'] == {'model': 'stand-in', 'prompt': '{question}', 'dtype': 'float32'}
    assert targets.meta['images'] == {'background': [255, 255, 255]}
    assert targets.meta['self_check'].keys() == {'brightness'}
    assert {'makd', 'torch'} <= targets.meta['versions'].keys()


@pytest.mark.gloo
@pytest.mark.parametrize('first_ranks', [1, 2])
def test_a_kill_at_any_moment_loses_nothing_and_changes_no_byte(config, stand_in, first_ranks):
    """MAKD_TEST_KILLS=100 and another MAKD_TEST_SEED try more moments."""
    run_here(config)  # here and not in a fork, so that forks find all modules imported
    expected = contents(config)
    shutil.rmtree(config.writer.out_dir)
    events = annotate(config, stand_in, first_ranks)
    assert None not in events
    assert contents(config) == expected

    generator = random.Random(int(os.environ.get('MAKD_TEST_SEED', 0)) + first_ranks)
    for _ in range(int(os.environ.get('MAKD_TEST_KILLS', 4))):
        rank = generator.randrange(first_ranks)
        kill = (rank, generator.randint(1, events[rank]))
        assert annotate(config, stand_in, first_ranks, kill, resume=False)[rank] is None
        done = shards(config)
        started = Path(config.writer.out_dir + '.partial', 'manifest.json').exists()
        before = stand_in.asked(config.model.log)
        assert None not in annotate(config, stand_in, generator.randint(1, 2))
        assert contents(config) == expected
        if started:
            # 23 images: 5 shards of 4, one of 3.
            left = NUM_IMAGES - 4 * len(done) + ('shard-000005.npy' in done)
            assert stand_in.asked(config.model.log) - before == left
        assert not Path(config.writer.out_dir + '.partial').exists()
        assert not list(Path(config.writer.out_dir).parent.glob('.*'))


def run_here(config, **changes):
    """Annotate in this process; return the figures."""
    cfg = config.copy()
    cfg.merge_from_dict({'experiment_name': uuid4().hex, **changes})
    return AnnotationRunner.from_cfg(cfg).annotate()


def test_what_cannot_be_answered_is_listed_and_tried_again_alone(config, stand_in):
    root = Path(config.dataloader.dataset.data_root)
    good = {name: (root / name).read_bytes() for name in ('00.png', '02.png', 'a/03.png', 'a/05.png')}
    (root / '00.png').write_bytes(b'')
    (root / '02.png').write_bytes(good['02.png'][:40])
    Image.new('RGB', (2, 2), (0, 0, 255)).save(root / 'a' / '03.png')
    Image.new('RGB', (2, 2), (255, 0, 0)).save(root / 'a' / '05.png')
    metrics = run_here(config)
    assert (metrics['images'], metrics['failed'], metrics['bounded']) == (NUM_IMAGES, 4, 0)
    targets = AspectTargets.open(config.writer.out_dir)
    lines = (targets.path / 'failed.jsonl').read_text().splitlines()
    reasons = {entry['key']: entry['reason'] for entry in map(json.loads, lines)}
    assert reasons.pop('02.png')
    assert reasons == {
        '00.png': 'the file is empty',
        'a/03.png': 'the model gave NaN',
        'a/05.png': 'the answer never came',
    }
    assert np.isnan(targets.logprobs).all(axis=2).sum(axis=1).tolist() == [
        {'00.png': 3, '02.png': 3, 'a/03.png': 1, 'a/05.png': 3}.get(key, 0) for key in targets.keys
    ]
    targets.validate()

    before = stand_in.asked(config.model.log)
    (root / '00.png').write_bytes(good['00.png'])
    assert run_here(config)['failed'] == 3
    assert stand_in.asked(config.model.log) - before == 3  # of the four, one still cannot be read
    for name, content in good.items():
        (root / name).write_bytes(content)
    assert run_here(config)['failed'] == 0
    repaired = contents(config)
    assert 'failed.jsonl' not in repaired
    np.testing.assert_allclose(  # batches of other sizes: the same but for the last digit
        AspectTargets.open(config.writer.out_dir).logprobs,
        AspectTargets.open(run_and_return_folder(config)).logprobs,
        rtol=1e-6,
    )


def log_of(config):
    return ''.join(path.read_text() for path in Path(config.work_dir).glob('*/*.log'))


def test_what_changed_between_two_runs_is_logged(config, stand_in):
    """Another batch size rounds differently: it is allowed, and the answers are the same but for the last digits."""
    config.log_level = 'WARNING'
    with pytest.raises(MakdError, match='the server is dead'):
        run_here(config, **{'model.stop_at': 6})
    assert not log_of(config)
    root = Path(config.dataloader.dataset.data_root)
    Image.new('RGB', (2, 2), (1, 2, 3)).save(root / '00.png')
    run_here(config, **{'dataloader.batch_size': 2})
    assert '1 images have been replaced since they were asked about, and are asked about again:\n  00.png' in log_of(
        config
    )
    assert 'The first shards were made with dataloader.batch_size=3, now 2' in log_of(config)
    targets = AspectTargets.open(config.writer.out_dir)
    assert targets.meta['batch_size'] == 3
    at_once = AspectTargets.open(run_and_return_folder(config))
    np.testing.assert_allclose(targets.logprobs, at_once.logprobs, rtol=1e-6)

    (targets.path / 'fingerprints.npy').unlink()
    run_here(config)
    assert 'does not say what files 23 of its images were' in log_of(config)


def run_and_return_folder(config):
    run_here(config, **{'writer.out_dir': config.writer.out_dir + '2'})
    return config.writer.out_dir + '2'


def test_a_second_run_of_a_finished_folder_does_nothing(config, stand_in):
    run_here(config)
    expected, asked = contents(config), stand_in.asked(config.model.log)
    assert run_here(config) == {'images': NUM_IMAGES, 'failed': 0}
    assert (contents(config), stand_in.asked(config.model.log)) == (expected, asked)


def test_a_replaced_image_is_refused_after_a_finished_run(config, stand_in):
    run_here(config)
    expected, asked = contents(config), stand_in.asked(config.model.log)
    root = Path(config.dataloader.dataset.data_root)
    Image.new('RGB', (2, 2), (1, 2, 3)).save(root / 'a' / '03.png')
    with pytest.raises(MakdError, match=r'(?s)1 of its 23 images .* replaced .*a/03\.png'):
        run_here(config)
    assert (contents(config), stand_in.asked(config.model.log)) == (expected, asked)


def test_a_replaced_image_is_asked_about_again_in_an_unfinished_run(config, stand_in):
    with pytest.raises(MakdError, match='the server is dead'):
        run_here(config, **{'model.stop_at': 6})
    root = Path(config.dataloader.dataset.data_root)
    Image.new('RGB', (2, 2), (1, 2, 3)).save(root / '00.png')
    before = stand_in.asked(config.model.log)
    assert run_here(config)['failed'] == 0
    assert stand_in.asked(config.model.log) - before == NUM_IMAGES - 11 + 1
    resumed = AspectTargets.open(config.writer.out_dir)
    at_once = AspectTargets.open(run_and_return_folder(config))
    np.testing.assert_allclose(resumed.logprobs, at_once.logprobs, rtol=1e-6)
    np.testing.assert_array_equal(resumed.fingerprints, at_once.fingerprints)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'model.prompt': 'Q: {question}'}, r"teacher\.prompt: on disk '{question}', in the config 'Q: {question}'"),
        ({'model.dtype': 'bfloat16'}, r"teacher\.dtype: on disk 'float32', in the config 'bfloat16'"),
        ({'dataloader.dataset.background': (0, 0, 0)}, r'images\.background\.0: on disk 255, in the config 0'),
        ({'dataloader.dataset.limit': 20}, r'images\.count: on disk 23, in the config 20'),
    ],
)
def test_answers_of_another_kind_are_refused(config, changes, message):
    run_here(config)
    with pytest.raises(MakdError, match=message):
        run_here(config, **changes)


def test_a_dead_server_keeps_what_is_done(config, stand_in):
    with pytest.raises(MakdError, match=r'(?s)the server is dead.*are kept in .*t\.partial.*same command'):
        run_here(config, **{'model.stop_at': 6})
    assert len(shards(config)) == 3  # a shard is a batch of 3 and one of 1; the third is unfinished
    before = stand_in.asked(config.model.log)
    assert run_here(config)['failed'] == 0
    assert stand_in.asked(config.model.log) - before == NUM_IMAGES - 11


def test_a_full_disk_keeps_what_is_done(config, stand_in, monkeypatch):
    write, hard = ShardWriter.write, resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def write_without_room(writer, task, *args):
        if task.shard == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            write(writer, task, *args)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    with monkeypatch.context() as patch:
        patch.setattr(ShardWriter, 'write', write_without_room)
        with pytest.raises(MakdError, match=r'File too large.*are kept in .*t\.partial.*same command again'):
            run_here(config)
    assert len(shards(config)) == 3
    assert run_here(config)['failed'] == 0
    assert stand_in.asked(config.model.log) == NUM_IMAGES + 4


def test_loader_workers_and_limits(config, stand_in):
    expected = None
    for workers in (0, 2):
        out_dir = f'{config.writer.out_dir}{workers}'
        changes = {'dataloader.num_workers': workers, 'writer.out_dir': out_dir}
        run_here(config, **changes)
        found = {file.name: file.read_bytes() for file in Path(out_dir).iterdir()}
        assert expected in (None, found)
        expected = found
    assert run_here(config, **{'dataloader.dataset.limit': 5})['images'] == 5


def test_nothing_readable_is_said_before_anything_is_asked(config, stand_in):
    for path in Path(config.dataloader.dataset.data_root).rglob('*.png'):
        path.write_bytes(b'')
    with pytest.raises(DataError, match=r'none of 23 images .* can be read.*00\.png: the file is empty'):
        run_here(config)
    assert not shards(config)


def test_configs_that_do_not_fit_are_refused_in_words(config):
    with pytest.raises(ConfigError, match=r'dataloader\.sampler has no meaning'):
        run_here(config, **{'dataloader.sampler': dict(type='DefaultSampler')})
    config.model = dict(type='BaseDataPreprocessor')
    with pytest.raises(ConfigError, match=r"model\.type='BaseDataPreprocessor' is not an annotator"):
        run_here(config)


def test_figures_go_to_the_visual_backends(config, tmp_path):
    metrics = run_here(config)
    assert {'images_per_second', 'questions_per_second', 'busy', 'label_mass'} <= metrics.keys()
    (scalars,) = tmp_path.glob('work_dir/*/vis_data/scalars.json')
    logged = json.loads(scalars.read_text().splitlines()[-1])
    assert logged['step'] == NUM_IMAGES
    assert 0 < logged['busy'] < 1
