import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import makd

ROOT = Path(__file__).parents[1]
REGISTERED = {
    'DATASETS': ['AnnotationImages', 'EmojiDataset'],
    'TRANSFORMS': ['LoadAspectTargets', 'LoadTeacherLogits'],
    'RUNNERS': ['AnnotationRunner', 'RayAnnotationRunner'],
    'MODELS': ['DistillImageClassifier', 'DKDLoss', 'KDLoss', 'MaKDKLLoss', 'MaKDLinearClsHead', 'MaKDLoss'],
    'HOOKS': ['AspectTargetCheckHook', 'DistillWarmupHook', 'TeacherLogitsHook'],
    'METRICS': ['AspectMetric'],
}


@pytest.fixture
def metadata(monkeypatch):
    """What setup.py hands to setuptools."""
    received = {}
    monkeypatch.setattr(setuptools, 'setup', received.update)
    runpy.run_path(str(ROOT / 'setup.py'))
    return received


def run_python(code):
    return subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)


def test_setup_reads_the_version(metadata):
    assert metadata['version'] == makd.__version__


def test_the_citation_names_the_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text('utf-8'))
    assert citation['version'] == makd.__version__
    assert citation['preferred-citation']['authors'][0]['family-names'] == 'Lee'


def test_every_requirement_has_a_tried_version_in_its_range(metadata):
    pins = {}
    for line in (ROOT / 'requirements' / 'constraints.txt').read_text().splitlines():
        if line and not line.startswith('#'):
            pin = Requirement(line)
            pins.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix('=='))
    for requirement in map(Requirement, [*metadata['install_requires'], *metadata['extras_require']['dev']]):
        versions = pins.get(canonicalize_name(requirement.name), [])
        assert versions, f'{requirement.name} is not in requirements/constraints.txt'
        assert all(version in requirement.specifier for version in versions), (str(requirement), versions)


@pytest.mark.parametrize('modules', ['makd', 'makd.questions, makd.targets, makd.targets.exchange'])
def test_importing_makd_and_its_formats_is_cheap(modules):
    heavy = {'torch', 'torchvision', 'transformers', 'cv2', 'matplotlib.pyplot', 'pydantic'}
    open_mmlab = {'mmengine', 'mmcv', 'mmdet', 'mmpretrain'}
    process = run_python(f'import sys, {modules}; print(sorted({heavy | open_mmlab} & sys.modules.keys()))')
    assert process.stdout.strip() == '[]', process.stdout + process.stderr


def test_names_resolve_after_importing_makd_alone():
    process = run_python(
        f"""
import makd
from mmengine import registry
names = {REGISTERED}
print([name for kind, group in names.items() for name in group if getattr(registry, kind).get('makd.' + name) is None])
"""
    )
    assert process.stdout.strip().endswith('[]'), process.stdout + process.stderr
