"""Looking up a teacher imports no student: annotation runs where mmpretrain.models does not import."""

import subprocess
import sys
from pathlib import Path

import pytest

from makd import registry

ROOT = Path(__file__).parents[1]


def test_what_annotation_needs_is_found_without_mmpretrain():
    code = """
import sys
sys.modules['mmpretrain'] = sys.modules['mmdet'] = None  # importing them fails
from mmengine.registry import DATASETS, MODELS, RUNNERS
from makd import registry
assert MODELS.get('makd.HFAnnotator') is registry.find('makd.HFAnnotator')
for root, name in (
    (DATASETS, 'AnnotationImages'),
    (RUNNERS, 'AnnotationRunner'),
    (registry.WRITERS, 'ShardWriter'),
):
    assert root.get('makd.' + name).__name__ == name
try:
    registry.find('makd.ShardWriters')
except ImportError as error:
    assert 'mmpretrain' in str(error) or 'mmdet' in str(error), error
else:
    raise AssertionError('found')
"""
    process = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


def test_each_registry_has_its_own():
    assert registry.MODELS.get('makd.KDLoss') is registry.MODELS.get('KDLoss') is registry.find('makd.KDLoss')
    assert registry.HOOKS.get('makd.KDLoss') is None
    assert registry.find('makd.Nothing') is None
    assert {'makd.KDLoss', 'makd.EmojiDataset', 'makd.AspectMetric'} <= set(registry.names())


@pytest.mark.parametrize('key', ['mmpretrain.ResNet', 'mmengine.BaseTTAModel'])
def test_other_scopes_are_reached(key):
    assert registry.MODELS.get(key) is not None
