"""How a command-line program ends."""

import pytest

from makd.cli.main import run


def test_ctrl_c_ends_in_one_line(capsys):
    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 130
    assert capsys.readouterr() == ('', 'Stopped.\n')
