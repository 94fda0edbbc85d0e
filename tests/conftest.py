"""Settings and fixtures of every test run; the settings must be made before torch and matplotlib are imported."""

import os
import subprocess
import sys

# The models in tests are tiny: more threads would slow them down.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('MPLBACKEND', 'Agg')

import numpy as np
import pytest
import shortcuts
from warm_python import WarmPython

import makd  # noqa: F401  (torchvision's operators for mmcv, before a test imports mmdet)
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

KEYS = ['cat/1.png', 'cat/2.png', 'dog/1.png', 'dog/été.png', 'owl.png']


def pytest_collection_modifyitems(items):
    for item in items:
        if 'warm_python' in item.fixturenames:  # starting it takes a while
            item.add_marker('slow')


def pytest_collection_finish():
    if 'mmengine.runner' in sys.modules:
        shortcuts.install()


@pytest.fixture
def questions():
    return QuestionSet(
        [Question('wings', 'Has it wings?', 'visual'), Question('fur', 'Has it fur?'), Question('pet', 'Is it a pet?')],
        {'writer': 'by hand'},
    )


@pytest.fixture
def logprobs():
    """(5, 3, 2) float32: log of 0.9 p and 0.9 (1 - p), so that the label mass is 0.9."""
    probability = np.random.default_rng(0).uniform(0.01, 0.99, (len(KEYS), 3))
    return np.log(0.9 * np.stack([probability, 1 - probability], axis=-1)).astype(np.float32)


@pytest.fixture
def targets(tmp_path, questions, logprobs):
    return AspectTargets.write(
        tmp_path / 'targets', questions=questions, keys=KEYS, logprobs=logprobs, meta={'model': 'm'}
    )


@pytest.fixture(scope='session')
def warm_python():
    """Yield the path of a Python that starts at once; ``warm_python.py`` says what it hides."""
    with WarmPython() as program:
        yield program


@pytest.fixture(scope='session')
def python(warm_python):
    """Return a function that runs ``python ARGUMENTS`` in a fork and returns the CompletedProcess, with text output."""

    def run(*arguments, **options):
        command = [warm_python, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    return run


@pytest.fixture(scope='session')
def student_files(tmp_path_factory, pytestconfig):
    """Return the paths of the config and the checkpoint of a small student of the emoji."""
    from apis.small_student import small_student  # imports the models

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(pytestconfig.rootpath)
        return [str(file) for file in small_student(pytestconfig.rootpath, tmp_path_factory.mktemp('student'))]
