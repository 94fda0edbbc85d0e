"""An actor without an annotator: it fails where it is to, and imports little, so that it starts fast."""

import os
import time
from pathlib import Path

from makd.annotation.outcome import Outcome
from makd.errors import AnnotatorStopped, ConfigError


class FrailActor:
    """Writes a file for each shard that it has done.

    Args:
        folder: Where to.
        fates: What happens at a shard, or at the 'start': 'dies', 'dies once', 'stops', 'is wrong', 'has a bug', or
            the name of a file to wait for.
    """

    def __init__(self, folder, fates):
        self.folder, self.fates = Path(folder), fates

    def start(self, shared):
        self._meet('start')
        return Outcome(shared, True, ('it is cold here',), None)

    def annotate(self, task):
        (self.folder / f'{task.shard} begun').touch()
        self._meet(task.shard)
        (self.folder / f'{task.shard} done').touch()
        return Outcome(len(task.rows), True, ('it is cold here',), f'{task.shard}')

    def _meet(self, place):
        fate = self.fates.get(place)
        if fate == 'dies' or (fate == 'dies once' and not self._met(place)):
            os._exit(1)
        if fate == 'stops':
            raise AnnotatorStopped('the server is dead')
        if fate == 'is wrong':
            raise ConfigError('the self-check has failed')
        if fate == 'has a bug':
            raise ZeroDivisionError('division by zero')
        if fate and not fate.startswith('dies'):
            wait_for(self.folder / fate)

    def _met(self, place):
        try:
            (self.folder / f'{place} met').touch(exist_ok=False)
        except FileExistsError:
            return True
        return False


def wait_for(path):
    """Wait until another process has written a file; raise an error if it never does."""
    for _ in range(6000):
        if path.exists():
            return
        time.sleep(0.01)
    raise TimeoutError(f'there is no {path}')
