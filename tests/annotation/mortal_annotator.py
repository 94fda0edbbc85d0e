"""A stand-in whose process ends, or whose self-check fails."""

import os
import time
from pathlib import Path

from stand_in_annotator import StandInAnnotator

from makd.errors import ConfigError
from makd.registry import MODELS


@MODELS.register_module()
class MortalAnnotator(StandInAnnotator):
    """Answers only when it is one of two, and ends its process the first time that it is asked about a colour.

    Args:
        lethal: The colour.
        marks: Folder of a file for each process that has started, and of 'dead' for the one that has ended.
        checks: Whether its self-check succeeds.
        **arguments: Those of the stand-in.
    """

    def __init__(self, lethal=None, marks=None, checks=True, **arguments):
        super().__init__(**arguments)
        self.lethal, self.marks, self.checks = lethal, marks and Path(marks), checks

    def start(self, *arguments):
        if not self.checks:
            raise ConfigError('the self-check has failed')
        if self.marks:
            (self.marks / str(os.getpid())).touch()
        return super().start(*arguments)

    def answer(self, inputs):
        for _ in range(6000):
            if self.marks is None or len(os.listdir(self.marks)) >= 2:
                break
            time.sleep(0.01)
        if self.lethal and not (self.marks / 'dead').exists():
            colours = [(255 * colour).round().tolist() for colour in inputs]
            if list(self.lethal) in colours:
                (self.marks / 'dead').touch()
                os._exit(1)
        return super().answer(inputs)
