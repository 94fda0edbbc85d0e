import numpy as np
import pytest
import torch
from mmengine.runner import set_random_seed
from mmpretrain.models.utils import ClsDataPreprocessor
from mmpretrain.structures import DataSample

from makd.errors import ConfigError
from makd.labels import mark_unlabelled
from makd.models.data_preprocessor import AspectDataPreprocessor
from makd.registry import MODELS

nan = float('nan')
MIXUP = {'type': 'Mixup', 'alpha': 1.0}
CUTMIX = {'type': 'CutMix', 'alpha': 1.0}


def build(augments=None, probs=None, **kwargs):
    batch_augments = augments and {'augments': augments, 'probs': probs}
    return MODELS.build(
        {'type': 'makd.AspectDataPreprocessor', 'num_classes': 2, 'batch_augments': batch_augments, **kwargs}
    )


def batch(aspects, labels=(0, 1)):
    """Images of constant value 0 and 1, 4 x 4 pixels, each with its label and aspects."""
    samples = [DataSample().set_gt_label(label) for label in labels]
    for sample, values in zip(samples, aspects):
        sample.set_field(torch.tensor(values), 'gt_aspects')
    return {'inputs': [torch.full((3, 4, 4), float(i)) for i in range(len(labels))], 'data_samples': samples}


@pytest.fixture
def fix_draws(monkeypatch):
    """Fix the weight of an image's own part, and swap the two images of a batch for the other's part."""

    def fix(lam):
        monkeypatch.setattr(np.random, 'beta', lambda a, b: lam)
        monkeypatch.setattr(torch, 'randperm', lambda n: torch.arange(n).flip(0))

    return fix


def mixed(out, name):
    return torch.stack([sample.get(name) for sample in out['data_samples']])


def test_mixup_mixes_images_classes_and_aspects_alike(fix_draws):
    fix_draws(0.75)
    out = build(MIXUP)(batch([[1.0, 0.2, 0.5], [0.0, 0.6, 0.5]]), training=True)
    torch.testing.assert_close(out['inputs'][:, 0, 0, 0], torch.tensor([0.25, 0.75]))
    torch.testing.assert_close(mixed(out, 'gt_score'), torch.tensor([[0.75, 0.25], [0.25, 0.75]]))
    torch.testing.assert_close(mixed(out, 'gt_aspects'), torch.tensor([[0.75, 0.3, 0.5], [0.25, 0.5, 0.5]]))
    assert out['data_samples'][0].num_classes == 2


def test_cutmix_mixes_by_the_area_of_the_patch(fix_draws, monkeypatch):
    fix_draws(0.75)
    # sqrt(1 - 0.75) of 4 pixels: a patch of 2 x 2. Its centre at (0, 1) cuts it to 1 x 2, an eighth of the image.
    centre = iter([0, 1])
    monkeypatch.setattr(np.random, 'randint', lambda low, high, size: next(centre))
    out = build(CUTMIX)(batch([[1.0, 0.2], [0.0, 0.6]]), training=True)
    expected = torch.zeros(3, 4, 4)
    expected[:, 0, 0:2] = 1
    torch.testing.assert_close(out['inputs'], torch.stack([expected, 1 - expected]))
    torch.testing.assert_close(mixed(out, 'gt_score'), torch.tensor([[7 / 8, 1 / 8], [1 / 8, 7 / 8]]))
    torch.testing.assert_close(mixed(out, 'gt_aspects'), torch.tensor([[7 / 8, 0.25], [1 / 8, 0.55]]))


@pytest.mark.parametrize('augment', [MIXUP, CUTMIX])
@pytest.mark.parametrize(
    ('lam', 'expected'),
    [
        (0.75, [[nan, 0.3], [nan, 0.5]]),  # the other's missing answer has a weight
        (1.0, [[nan, 0.2], [0.4, 0.6]]),  # it has none
        (0.0, [[0.4, 0.6], [nan, 0.2]]),  # each is wholly the other
    ],
)
def test_missing_answers_spread_only_where_they_have_a_weight(fix_draws, monkeypatch, augment, lam, expected):
    fix_draws(lam)
    monkeypatch.setattr(np.random, 'randint', lambda low, high, size: high // 2)
    out = build(augment)(batch([[nan, 0.2], [0.4, 0.6]]), training=True)
    torch.testing.assert_close(mixed(out, 'gt_aspects'), torch.tensor(expected), equal_nan=True)
    assert mixed(out, 'gt_score').isfinite().all()


def test_images_and_classes_are_mixed_as_by_the_parent():
    arguments = {'mean': [0.1] * 3, 'std': [0.5] * 3, 'to_rgb': True, 'num_classes': 5}
    arguments['batch_augments'] = {'augments': [MIXUP, CUTMIX], 'probs': [0.4, 0.4]}
    outs = []
    for kind in (ClsDataPreprocessor, AspectDataPreprocessor):
        set_random_seed(0)
        arguments['batch_augments']['probs'] = [0.4, 0.4]  # the parent appends to it
        preprocessor = kind(**arguments)
        outs.append([preprocessor(batch([[0.1]] * 4, labels=(0, 3, 2, 4)), training=True) for _ in range(10)])
    for theirs, ours in zip(*outs):
        # The two classes mix in code of their own, whose operations may be rounded differently.
        torch.testing.assert_close(ours['inputs'], theirs['inputs'])
        torch.testing.assert_close(mixed(ours, 'gt_score'), mixed(theirs, 'gt_score'))
        assert [s.gt_label for s in theirs['data_samples']] == [s.gt_label for s in ours['data_samples']]


def test_a_batch_that_no_augmentation_is_drawn_for_stays_as_it_is():
    aspects = [[nan, 0.25], [0.75, 1.0]]
    out = build([MIXUP], probs=[0.0])(batch(aspects), training=True)
    torch.testing.assert_close(mixed(out, 'gt_aspects'), torch.tensor(aspects), equal_nan=True, rtol=0, atol=0)
    assert mixed(out, 'gt_score').equal(torch.eye(2))


@pytest.mark.parametrize(('augment', 'training'), [(MIXUP, False), (None, True), (None, False)])
def test_otherwise_nothing_is_mixed_and_aspects_are_not_needed(augment, training):
    data = batch([[nan, 0.2], [0.4, 0.6]])
    del data['data_samples'][1].gt_aspects
    out = build(augment)(data, training=training)
    assert out['inputs'][:, 0, 0, 0].tolist() == [0, 1]
    torch.testing.assert_close(out['data_samples'][0].gt_aspects, torch.tensor([nan, 0.2]), equal_nan=True)
    assert ('gt_score' in out['data_samples'][0]) == (augment is not None)


@pytest.mark.parametrize('has_samples', [True, False])
def test_mixing_without_aspects_is_refused(has_samples):
    data = batch([[0.5]])  # the second sample has none
    if not has_samples:
        del data['data_samples']
    with pytest.raises(ConfigError, match=r'no `gt_aspects`.*makd\.LoadAspectTargets after PackInputs'):
        build(MIXUP)(data, training=True)


def test_mixing_images_without_labels_is_refused():
    data = batch([[0.5, 0.2], [0.4, 0.6]])
    mark_unlabelled(data['data_samples'][1])
    with pytest.raises(ConfigError, match=r'batch_augments mixes .* a training image has no\s+label'):
        build(MIXUP)(data, training=True)
