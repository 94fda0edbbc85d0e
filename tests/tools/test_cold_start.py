"""Each tool in a new Python, which imports what the tool needs, in its order; other tests run in a warm process.

train.py and test.py start like this in ``test_train_a_detector.py``, predict.py in ``test_predict.py``, annotate.py in
``test_annotate.py`` and prepare_dataset.py in ``projects/emoji_data/tests/test_build.py``.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASELINE, MAKD = 'configs/baseline/resnet18_emoji.py', 'configs/makd/resnet18_emoji.py'
ANSWERS = 'data/emoji/aspects/cldr'
COMMANDS = {
    '_job': (['no.py', '--seed=0', '--root=OUT', '--tools=tools', '--gpus=1', '--overrides'], "no config file 'no.py'"),
    'analyze_log': (['data'], 'holds no log'),
    'browse': ([ANSWERS, '--images', 'no'], "there is no folder 'no'"),
    'compare': ([BASELINE, BASELINE], 'listed twice'),
    'convert_targets': (['to-json', ANSWERS, 'OUT/answers.json', '--questions', 'OUT/questions.txt'], ''),
    'export_student': (['CONFIG', 'CHECKPOINT', 'OUT/plain.pth'], 'the same scores as the student'),
    'extract_backbone': (['no.pth', 'OUT/backbone.pth'], "there is no checkpoint 'no.pth'"),
    'reproduce': (['table1', '--datasets', 'boats'], '--datasets boats: this table has'),
    'select_questions': (['no.py', '--top', '2', '--out', 'OUT/chosen.json'], "There is no config file 'no.py'"),
    'write_questions': (['no.py', '--dry-run'], "There is no config file 'no.py'"),
    'analysis/aspect_histogram': ([MAKD, '--questions', 'animal', '--out', 'OUT/figure.png'], '1698 images'),
    'analysis/aspect_panel': ([MAKD, 'no.pth'], "there is no checkpoint 'no.pth'"),
    'analysis/aspect_tsne': ([MAKD, 'no.pth'], "there is no checkpoint 'no.pth'"),
    'analysis/detection_errors': (['no.json', 'a=no.json'], 'no.json is no file'),
    'analysis/confusions': (['--baseline', BASELINE, 'no.pth', '--makd', MAKD, 'no.pth'], "no checkpoint 'no.pth'"),
}


@pytest.mark.slow
@pytest.mark.parametrize('tool', COMMANDS)
def test_a_tool_starts(tool, student_files, tmp_path):
    arguments, message = COMMANDS[tool]
    placed = {'CONFIG': student_files[0], 'CHECKPOINT': student_files[1]}
    words = (placed.get(argument, argument.replace('OUT', str(tmp_path))) for argument in arguments)
    command = [sys.executable, f'tools/{tool}.py', *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 'Traceback' not in done.stderr
    assert done.returncode == 0 or done.stderr.startswith('error: ')
    assert message in done.stdout + done.stderr
