"""`make annotate` on a small scale: the bundled MLLM answers about a few emoji, with the code that runs InternVL."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from makd.targets import AspectTargets

WEIGHTS = Path('data/teachers/tiny-mllm-emoji/model.safetensors')
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_file(), reason='projects/tiny_mllm/train.py'),
]


def test_annotate(tmp_path):
    command = [sys.executable, 'tools/annotate.py', 'configs/annotate/tiny_mllm_emoji.py', '--limit', '12']
    options = ['--work-dir', str(tmp_path / 'run'), '--cfg-options', f'writer.out_dir={tmp_path / "aspects"}']
    done = subprocess.run(command + options, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    targets = AspectTargets.open(tmp_path / 'aspects.trial-12')
    targets.validate()
    assert len(targets) == 12
    assert targets.num_missing == 0
    assert targets.meta['self_check']['scoring'] == 'shared'
    assert targets.label_mass().min() > 0.9
    cldr = AspectTargets.open('data/emoji/aspects/cldr')
    agrees = [(targets.probability(key) > 0.5) == (cldr.probability(key) > 0.5) for key in targets.keys]
    assert np.mean(agrees) > 0.85
