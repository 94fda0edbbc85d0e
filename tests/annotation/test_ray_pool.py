"""A pool on a cluster of two CPUs, with actors that fail where they are to."""

import sys
import threading

import pytest
from annotation.frail_actor import FrailActor, wait_for

from makd.annotation.ray_pool import RayPool
from makd.annotation.shard_writer import Task
from makd.errors import AnnotatorStopped, ConfigError

pytestmark = [pytest.mark.gloo, pytest.mark.slow]
TASKS = [Task(shard, range(shard * 10, shard * 10 + 10)) for shard in range(5)]


@pytest.fixture
def open_pool(ray_cluster, tmp_path):
    """Return a function that opens a pool of actors with these fates."""
    pools = []

    def opened(fates, **arguments):
        pools.append(RayPool(**arguments))
        pools[-1].open(FrailActor, str(tmp_path), fates)
        return pools[-1]

    yield opened
    for pool in pools:
        pool.close()


@pytest.fixture
def logged(monkeypatch, tmp_path):
    """Return the list of what the pool logs; when an actor has failed, there is a file 'failed'."""
    messages = []

    def log(message, *_):
        messages.append(message)
        if 'has failed' in message:
            (tmp_path / 'failed').touch()

    monkeypatch.setattr('makd.annotation.ray_pool.print_log', log)
    return messages


def start(pool, tasks=TASKS):
    """Start an actor and return the generator of what all of them do."""
    assert pool.first('start', 'shared') == 'shared'
    return pool.run(tasks, 'shared', lambda task: f'shard {task.shard}')


def run(pool, tasks=TASKS):
    """Return the numbers of the shards in the order in which they were done."""
    return [task.shard for task, _ in start(pool, tasks) if task]


def done(folder):
    return sorted(int(path.name.split()[0]) for path in folder.glob('* done'))


def test_two_actors_take_tasks_as_they_come_free(open_pool, tmp_path, logged):
    """Shard 0 waits for the last one, so another actor has to do all others."""
    pool = open_pool({0: '4 begun'})
    assert sorted(run(pool)) == [0, 1, 2, 3, 4] == done(tmp_path)
    assert pool.usages.keys() == {1, 2}
    assert logged == ['it is cold here']


def test_the_task_of_a_dead_actor_is_done_by_another(open_pool, tmp_path, logged):
    assert sorted(run(open_pool({1: 'dies once', 3: 'dies once'}))) == [0, 1, 2, 3, 4] == done(tmp_path)
    assert sorted(path.name for path in tmp_path.glob('* met')) == ['1 met', '3 met']
    # Ray sometimes, on a busy machine, repeats a task of an actor that dies, and the pool does not hear of it.
    deaths = [message for message in logged if 'An actor has died' in message]
    assert {message[:28] for message in deaths} <= {f'An actor has died (shard {n});' for n in (1, 3)}


def test_a_task_that_ends_every_actor_ends_the_run_after_all_others(open_pool, tmp_path):
    with pytest.raises(AnnotatorStopped, match=r'shard 1 has ended 3 actors.*worker process has died.*is kept'):
        run(open_pool({1: 'dies'}))
    assert done(tmp_path) == [0, 2, 3, 4]


def test_actors_that_all_die_end_the_run(open_pool, tmp_path):
    """With one actor at a time, after three; no shard would ever be done."""
    with pytest.raises(AnnotatorStopped, match=r'3 actors have died in a row, .*: starting\. .*is kept'):
        run(open_pool({'start': 'dies'}, num_actors=1))
    with pytest.raises(AnnotatorStopped, match=r'3 actors have died in a row, .*: shard 2\. '):
        run(open_pool(dict.fromkeys(range(5), 'dies'), num_actors=1))
    assert done(tmp_path) == []


@pytest.mark.parametrize(
    ('fate', 'error', 'message'),
    [('stops', AnnotatorStopped, 'the server is dead'), ('has a bug', ZeroDivisionError, 'division by zero')],
)
def test_an_error_is_raised_as_it_is_when_the_others_have_finished(open_pool, tmp_path, logged, fate, error, message):
    with pytest.raises(error, match=f'^{message}$') as raised:
        run(open_pool({0: 'failed', 1: fate}))
    assert done(tmp_path) == [0]
    assert 'frail_actor.py' in str(raised.value.__cause__)  # for MAKD_TRACEBACK=1


def test_a_node_that_joins_gets_tasks_and_its_death_loses_none(open_pool, ray_cluster, tmp_path):
    """Two shards wait on the first node for shard 2, and shard 3 for the death of the other node."""
    pool = open_pool({0: 'dead', 1: 'dead', 3: 'dead'})

    def end(node):
        wait_for(tmp_path / '3 begun')
        ray_cluster.remove_node(node, allow_graceful=False)
        (tmp_path / 'dead').touch()

    shards = []
    for task, _ in start(pool, TASKS):
        if task is not None:
            shards.append(task.shard)
        elif pool.size == 2:  # both CPUs are taken
            node = ray_cluster.add_node(num_cpus=1)
            thread = threading.Thread(target=end, args=(node,), daemon=True)
            thread.start()
    thread.join()
    assert shards[0] == 2
    assert sorted(shards) == [0, 1, 2, 3, 4]


def test_what_the_cluster_cannot_give_is_said_at_once(open_pool):
    with pytest.raises(ConfigError, match=r'No node .* has 1 GPUs and 1 CPUs for an actor: change ray\.num_gpus'):
        open_pool({}, num_gpus=1)
    with pytest.raises(ConfigError, match='has 0 GPUs and 3 CPUs'):
        open_pool({}, num_cpus=3)


def test_without_ray_it_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(ConfigError, match=r"not installed: pip install 'makd\[ray\]'"):
        RayPool().open(FrailActor, str(tmp_path), {})
