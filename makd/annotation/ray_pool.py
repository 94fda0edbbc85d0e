"""Actors on a Ray cluster that take tasks as they come free. Any of them, and its node, may die at any moment."""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from logging import ERROR, WARNING
from textwrap import shorten
from typing import Any

from mmengine.logging import print_log

from makd.annotation.outcome import Outcome
from makd.annotation.shard_writer import Task
from makd.annotation.usage import Usage
from makd.errors import AnnotatorStopped, ConfigError
from makd.ranges import Count, Positive, Weight
from makd.registry import POOLS

MAX_DEATHS = 3  # that one task may cause; that the actors may die one after the other, each, with no task done
_POLL_S = 2.0  # how soon a node that has joined gets an actor
_REMIND_S = 60.0
_NO_REASON = ('The actor died unexpectedly', '\tclass_name', '\tactor_id', '\tnamespace', '\tname')
_LONGEST_REASON = 450  # characters
_KEPT = 'What is done is kept: give the same command again.'


@dataclass
class _Member:
    """An actor of the pool.

    Attributes:
        number: Its number in the order of creation.
        actor: Its handle.
        owed: The reference of the outcome that it owes; None while it has nothing to do.
        task: The task that it does; None while it starts.
        started: Whether it can do tasks.
    """

    number: int
    actor: Any
    owed: Any = None
    task: Task | None = None
    started: bool = False


@POOLS.register_module()
class RayPool:
    """Gives tasks to the actors that are free, and the task of an actor that has died to another, after the others.

    It replaces the dead, and grows while nodes join, never beyond what is left to do. What the annotators warn of goes
    to this process's log, once.

    Args:
        num_actors: At most this many actors at a time. Those for which there is no room wait for a node, and let an
            autoscaling cluster add one. Defaults to None: as many as the nodes have room for.
        num_gpus: GPUs of an actor, which sees no others; 0.5 lets two share one. Defaults to None: 1 if the cluster
            has GPUs, else 0.
        num_cpus: CPUs that Ray reserves for an actor. It does not bind the actor to them.
        address: HOST:PORT of a cluster's head; 'auto', the cluster that this machine belongs to; 'local', a cluster
            of this machine alone, which ends with the run. Defaults to None: 'auto' if there is one, else 'local'.

    Attributes:
        usages: What the answers of each actor have cost so far, by its number.

    Raises:
        ConfigError: ``num_gpus`` or ``num_cpus`` is above 1 and not whole.
    """

    def __init__(
        self,
        num_actors: Count | None = None,
        num_gpus: Weight | None = None,
        num_cpus: Positive = 1,
        address: str | None = None,
    ) -> None:
        for field, amount in (('num_gpus', num_gpus or 0), ('num_cpus', num_cpus)):
            if amount > 1 and amount % 1:
                raise ConfigError(f'ray.{field}={amount}: above 1, Ray reserves whole ones only.')
        self.num_actors, self.num_gpus, self.num_cpus, self.address = num_actors, num_gpus, num_cpus, address
        self.usages: dict[int, Usage | None] = {}
        self._members: list[_Member] = []
        self._num_created = self._most_members = self._deaths_in_a_row = 0
        self._deaths: Counter[int] = Counter()
        self._waiting: deque[Task] = deque()
        self._warnings: set[str] = set()
        self._connected = False
        self._reminded = time.monotonic()

    @property
    def size(self) -> int:
        """How many actors can do tasks."""
        return sum(member.started for member in self._members)

    def open(self, actor: type, *arguments: Any) -> None:
        """Connect to the cluster, or start one.

        Args:
            actor: The actors' class. Its methods ``start`` and ``annotate`` are called here, and return an
                :class:`~makd.annotation.outcome.Outcome`.
            *arguments: Those of its constructor.

        Raises:
            ConfigError: Ray is not installed, the cluster cannot be reached, or it has no room for an actor.
        """
        # Of a cluster that is started here: nothing about it leaves the machine, and its scheduler is not quoted.
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
        os.environ.setdefault('RAY_SCHEDULER_EVENTS', '0')
        try:
            import ray
        except ImportError:
            raise ConfigError("--launcher ray needs Ray, which is not installed: pip install 'makd[ray]'") from None
        self._ray = ray
        if not ray.is_initialized():
            try:
                ray.init(self.address, include_dashboard=False, log_to_driver=False, logging_level=ERROR)
            except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
                raise ConfigError(
                    f'There is no Ray cluster for ray.address={self.address!r}: {error}\nStart one with `ray start '
                    "--head`, or set ray.address='local'."
                ) from None
            self._connected = True
        if self.num_gpus is None:
            self.num_gpus = int(ray.cluster_resources().get('GPU', 0) > 0)
        if self.num_actors is None and not self._room():
            raise ConfigError(
                f'No node of the Ray cluster has {self._needs()} for an actor: change ray.num_gpus or ray.num_cpus. '
                'With ray.num_actors, the actors wait for such a node.'
            )
        remote: Any = ray.remote(num_cpus=self.num_cpus, num_gpus=self.num_gpus)(actor)
        self._create = lambda: remote.remote(*arguments)

    def close(self) -> None:
        """End the actors, and leave the cluster; a local one ends."""
        while self._members:
            self._end(self._members[0])
        if self._connected:
            self._ray.shutdown()
            self._connected = False

    def share(self, value: Any) -> Any:
        """Return a reference that stands for a value among the arguments of the actors' methods."""
        return self._ray.put(value)

    def first(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the first actor returns, or of one that replaces it, while there is no other.

        Raises:
            AnnotatorStopped: It has died, and so have those that replaced it.
            Exception: Whatever the method raises.
        """
        while True:
            member = self._members[0] if self._members else self._add()
            if member.owed is None:
                self._call(member, method, *arguments)
            if collected := self._collect():
                return collected[1]

    def run(self, tasks: Sequence[Task], shared: Any, name: Callable[[Task], str]) -> Iterator[tuple[Task | None, Any]]:
        """Let the actors do the tasks, and others join them. If something goes wrong, they end what they have begun.

        Args:
            tasks: The tasks.
            shared: The argument of ``start``, which the first actor has been given before.
            name: Describes a task for messages.

        Yields:
            Each task that is done, with the value of ``annotate``; None, with that of ``start``, for each actor that
            joins.

        Raises:
            AnnotatorStopped: An annotator cannot go on, or actors die again and again.
            Exception: Whatever else an actor raises.
        """
        self._waiting.extend(tasks)
        self._name = name
        failure: Exception | None = None
        while self._waiting or any(member.task for member in self._members):
            self._grow(shared)
            self._give()
            try:
                if collected := self._collect():
                    yield collected
            except Exception as error:
                if failure is None:
                    print_log('An actor has failed; the others finish what they have begun.', 'current', WARNING)
                failure = failure or error
            if failure is not None:
                self._waiting.clear()
        if failure is not None:
            raise failure

    def _room(self) -> int:
        """Return how many actors the nodes that are alive have room for."""
        needs = {'CPU': self.num_cpus, 'GPU': self.num_gpus or 0}
        nodes = [node['Resources'] for node in self._ray.nodes() if node['Alive']]
        return sum(
            min(int(node.get(resource, 0) / need + 1e-6) for resource, need in needs.items() if need) for node in nodes
        )

    def _needs(self) -> str:
        return f'{self.num_gpus:g} GPUs and {self.num_cpus:g} CPUs'

    def _grow(self, shared: Any) -> None:
        """Add actors, as many as there are tasks for and room."""
        tasks = len(self._waiting) + sum(member.task is not None for member in self._members)
        while len(self._members) < min(tasks, self.num_actors or max(self._room(), 1)):
            self._call(self._add(), 'start', shared)

    def _give(self) -> None:
        """Give tasks to the actors that have none."""
        for member in self._members:
            if self._waiting and member.started and member.task is None:
                member.task = self._waiting.popleft()
                self._call(member, 'annotate', member.task)

    def _add(self) -> _Member:
        self._num_created += 1
        self._members.append(_Member(self._num_created, self._create()))
        self._most_members = max(self._most_members, len(self._members))
        return self._members[-1]

    def _call(self, member: _Member, method: str, *arguments: Any) -> None:
        member.owed = getattr(member.actor, method).remote(*arguments)

    def _collect(self) -> tuple[Task | None, Any] | None:
        """Wait for an actor; return its task and the value. Return None if nothing comes for a while, or it has died.

        Raises:
            AnnotatorStopped: Actors die again and again.
            Exception: Whatever the actor has raised.
        """
        owing = {member.owed: member for member in self._members if member.owed is not None}
        ready, _ = self._ray.wait(list(owing), timeout=_POLL_S)
        if not ready:
            self._remind()
            return None
        member = owing[ready[0]]
        task, member.owed, member.task = member.task, None, None
        try:
            outcome: Outcome = self._ray.get(ready[0])
        except self._ray.exceptions.RayTaskError as error:
            self._end(member)
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            self._end(member)
            self._lost(task, _reason(error))
            return None
        if task is not None:
            self._deaths_in_a_row = 0
        member.started = outcome.started
        self.usages[member.number] = outcome.usage
        for warning in outcome.warnings:
            if warning not in self._warnings:
                self._warnings.add(warning)
                print_log(warning, 'current', WARNING)
        return task, outcome.value

    def _lost(self, task: Task | None, reason: str) -> None:
        """Put the task of an actor that has died last, so that one which ends every actor delays no other."""
        what = 'starting' if task is None else self._name(task)
        self._deaths_in_a_row += 1
        if task is not None:
            self._deaths[task.shard] += 1
            if self._deaths[task.shard] == MAX_DEATHS:
                raise AnnotatorStopped(f'{what} has ended {MAX_DEATHS} actors, the last one so: {reason} {_KEPT}')
            self._waiting.append(task)
        if self._deaths_in_a_row == MAX_DEATHS * self._most_members:
            raise AnnotatorStopped(
                f'{self._deaths_in_a_row} actors have died in a row, the last one at this: {what}. {reason} {_KEPT}'
            )
        print_log(f'An actor has died ({what}); another one takes over. {reason}', 'current', WARNING)

    def _end(self, member: _Member) -> None:
        self._members.remove(member)
        self._ray.kill(member.actor)

    def _remind(self) -> None:
        if not self.size and time.monotonic() - self._reminded > _REMIND_S:
            self._reminded = time.monotonic()
            print_log(
                f'No actor has started yet: it loads its model, or waits for a node that has {self._needs()} left.',
                'current',
                WARNING,
            )


def _reason(error: Exception) -> str:
    """Return what Ray knows about a death, on one line; for an exception in the constructor, its last line."""
    if getattr(error, 'actor_init_failed', False):
        return str(error).strip().rsplit('\n', 1)[-1]
    lines = (line for line in str(error).split('\n') if not line.startswith(_NO_REASON))
    return shorten(' '.join(lines), _LONGEST_REASON, placeholder=' ...')
