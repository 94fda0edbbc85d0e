"""``--help`` of every tool: it answers at once, without importing torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = sorted(
    str(path.relative_to(ROOT)) for folder in ('tools', 'tools/analysis') for path in (ROOT / folder).glob('[!_]*.py')
)
SHOWN = {
    'tools/browse.py': 'examples:',
    'tools/convert_targets.py': 'from-json',
    'tools/export_student.py': '.safetensors',
    'tools/predict.py': 'IMAGE',
    'tools/prepare_dataset.py': 'emoji_scenes',
}
# One process runs them all; a heavy import shows in the first tool that makes it, and in all later ones.
PROGRAM = """
import contextlib, io, json, runpy, sys
shown = {}
for tool in sys.argv[1:]:
    sys.argv, sys.path[0], printed = [tool, '--help'], 'tools', io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            status = runpy.run_path(tool, run_name='__main__')
        except SystemExit as end:
            status = end.code
    heavy = sorted({'torch', 'mmpretrain', 'mmdet', 'pyarrow'} & sys.modules.keys())
    shown[tool] = status, heavy, printed.getvalue()
print(json.dumps(shown))
"""


@pytest.fixture(scope='module')
def answers():
    command = [sys.executable, '-c', PROGRAM, *TOOLS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize('tool', TOOLS)
def test_help_does_not_import_torch(tool, answers):
    status, heavy, text = answers[tool]
    assert (status, heavy) == (0, [])
    assert 'usage:' in text
    assert ('examples:' if '/analysis/' in tool else SHOWN.get(tool, '')) in text
