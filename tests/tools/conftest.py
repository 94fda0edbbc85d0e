import runpy
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def run_tool(monkeypatch, capfd):
    """Return a function that runs a tool in this process, because starting a new one takes seconds.

    The function returns the output, as (out, err), and the code of the tool's SystemExit: None, a number or a message.
    """

    def run(name, *arguments):
        tool = TOOLS / f'{name}.py'
        monkeypatch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        end = None
        try:
            runpy.run_path(str(tool), run_name='__main__')
        except SystemExit as error:
            end = error.code
        return capfd.readouterr(), end

    return run
