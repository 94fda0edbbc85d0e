import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from makd.targets import AspectTargets

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_targets.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('convert_targets', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('answers.json').write_text(json.dumps({'a': [0.25, 1], 'b': [0.5, 0], 'gone': [0, 0]}))
    Path('questions.txt').write_text('Has it wings?\nHas it fur?\n')
    for key in ('x/a.png', 'b.png', 'c.png'):
        Path('images', key).parent.mkdir(parents=True, exist_ok=True)
        Path('images', key).touch()
    return tmp_path


def run(tool, line):
    return tool.main(line.split())


def test_there_and_back(tool, folder, capsys):
    assert run(tool, 'from-json answers.json t --questions questions.txt --images images') == 0
    output = capsys.readouterr().out
    assert 'wrote 2 images x 2 questions' in output
    assert '1 answers without an image: gone' in output
    assert '1 images without answers: c.png' in output
    assert AspectTargets.open('t').meta == {'source': 'answers.json'}
    np.testing.assert_array_equal(AspectTargets.open('t').probability('x/a.png'), [0.25, 1])

    assert run(tool, 'to-parquet t t.parquet') == 0
    assert run(tool, 'from-parquet t.parquet u') == 0
    assert run(tool, 'to-json u back.json --questions back.txt') == 0
    back = json.loads(Path('back.json').read_text())
    assert list(back) == ['b', 'a']
    np.testing.assert_allclose([back['a'], back['b']], [[0.25, 1], [0.5, 0]], rtol=1e-7)
    assert Path('back.txt').read_text() == Path('questions.txt').read_text()


def test_one_message_and_status_1(tool, folder, capsys):
    assert run(tool, 'to-parquet absent t.parquet') == 1
    assert capsys.readouterr().err.startswith('convert_targets: there is no folder')
    assert run(tool, 'from-json answers.json t --questions absent.txt --images images') == 1
    assert 'absent.txt' in capsys.readouterr().err


def test_overwrite_is_asked_for(tool, folder, capsys):
    command = 'from-json answers.json t --questions questions.txt --images images'
    assert run(tool, command) == 0
    assert run(tool, command) == 1
    assert '--overwrite' in capsys.readouterr().err
    assert run(tool, f'{command} --overwrite') == 0


def test_help_needs_neither_torch_nor_the_models():
    program = (
        'import runpy, sys\n'
        f'sys.argv = ["convert_targets.py", "--help"]\n'
        'try:\n'
        f'    runpy.run_path({str(TOOL)!r}, run_name="__main__")\n'
        'finally:\n'
        '    assert not {"torch", "mmpretrain", "mmdet", "pyarrow"} & set(sys.modules)\n'
    )
    output = subprocess.run([sys.executable, '-c', program], capture_output=True, check=True).stdout
    assert b'from-json' in output
