import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from makd.errors import ConfigError
from makd.export.plain_model import plain_config, plain_state_dict
from makd.labels import mark_unlabelled
from makd.models.heads import MaKDLinearClsHead

ROOT = Path(__file__).parents[2]
C, Q = 5, 3


@pytest.fixture(autouse=True)
def _mmpretrain_scope():
    init_default_scope('mmpretrain')


def sample(label, aspects):
    data_sample = DataSample().set_gt_label(label)
    data_sample.set_field(torch.tensor(aspects), 'gt_aspects')
    return data_sample


@pytest.fixture
def head():
    torch.manual_seed(0)
    return MaKDLinearClsHead(num_classes=C, num_aspects=Q, in_channels=4)


def test_last_layer_is_widened_and_num_classes_stays(head):
    assert head.fc.out_features == C + Q
    assert (head.num_classes, head.num_aspects) == (C, Q)
    assert head.state_dict().keys() == LinearClsHead(num_classes=C, in_channels=4).state_dict().keys()


def test_loss_is_cross_entropy_on_classes_and_bce_on_aspects(head):
    feats = (torch.randn(2, 4),)
    losses = head.loss(feats, [sample(1, [0.1, 0.9, 0.5]), sample(4, [1.0, 0.0, float('nan')])])
    assert losses.keys() == {'loss_cls', 'loss_makd'}
    logits = feats[0] @ head.fc.weight.T + head.fc.bias
    torch.testing.assert_close(losses['loss_cls'], F.cross_entropy(logits[:, :C], torch.tensor([1, 4])))
    z = torch.cat([logits[0, C:], logits[1, C : C + 2]])
    bce = F.binary_cross_entropy_with_logits(z, torch.tensor([0.1, 0.9, 0.5, 1.0, 0.0]))
    torch.testing.assert_close(losses['loss_makd'], 4.0 * bce)


def test_prediction_has_class_scores_of_c_classes_and_aspect_probabilities(head):
    feats = (torch.randn(2, 4),)
    logits = head(feats)
    for n, prediction in enumerate(head.predict(feats)):
        torch.testing.assert_close(prediction.pred_score, logits[n, :C].softmax(0))
        assert prediction.pred_label.item() == logits[n, :C].argmax().item()
        torch.testing.assert_close(prediction.pred_aspects, logits[n, C:].sigmoid())


def test_an_aspect_logit_never_becomes_the_predicted_class(head):
    with torch.no_grad():
        head.fc.bias[C:] = 100.0
    (prediction,) = head.predict((torch.zeros(1, 4),))
    assert prediction.pred_label.item() < C


def test_accuracy_during_training_is_that_of_the_classes():
    head = MaKDLinearClsHead(num_classes=C, num_aspects=Q, in_channels=4, cal_acc=True)
    with torch.no_grad():
        head.fc.weight.zero_()
        head.fc.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0]))
    losses = head.loss((torch.zeros(1, 4),), [sample(1, [0.0, 0.0, 0.0])])
    assert [accuracy.item() for accuracy in losses['accuracy_top-1']] == [100.0]


def test_samples_without_targets_are_an_error_that_names_the_transform(head):
    with pytest.raises(ConfigError, match=r'makd\.LoadAspectTargets'):
        head.loss((torch.randn(1, 4),), [DataSample().set_gt_label(0)])


def test_another_number_of_targets_is_named(head):
    with pytest.raises(ConfigError, match=r'answer 2 questions.*num_aspects=3'):
        head.loss((torch.randn(1, 4),), [sample(0, [0.5, 0.5])])


@pytest.mark.parametrize('field', ['num_aspects', 'num_classes'])
@pytest.mark.parametrize('count', [0, -5, 2.5, None])
def test_counts_must_be_positive_integers(field, count):
    with pytest.raises(ConfigError, match=rf'{field}={count} \(config field model.head.{field}\)'):
        MaKDLinearClsHead(**{'num_classes': C, 'num_aspects': 2, 'in_channels': 4, field: count})


def test_the_head_of_the_documentation_learns():
    blocks = re.findall(r'```python\n(.*?)```', (ROOT / 'docs/extend.md').read_text(), re.DOTALL)
    exec(blocks[0], {})
    cfg = Config.fromstring(blocks[1].replace("custom_imports = dict(imports=['my_heads'])\n", ''), '.py')
    cfg.model.head.update(num_classes=C, num_aspects=2)
    model = MODELS.build(dict(cfg.model, _scope_='mmpretrain'))
    losses = model.loss(torch.randn(2, 3, 224, 224), [sample(0, [0.2, 0.8]), sample(1, [0.6, float('nan')])])
    assert set(losses) == {'loss_cls', 'loss_makd'}
    assert all(torch.isfinite(loss) for loss in losses.values())


STUDENTS = {
    'ResNet': ('resnet18', 'makd.MaKDLinearClsHead', (1, 3, 32, 32)),
    'MobileNet-V3': ('mobilenet_v3/mobilenet_v3_small_imagenet', 'makd.MaKDStackedLinearClsHead', (1, 3, 32, 32)),
    'ViT': ('vit-base-p16', 'makd.MaKDVisionTransformerClsHead', (1, 3, 32, 32)),
}


@pytest.mark.parametrize('student', STUDENTS)
def test_three_keys_make_a_student_of_an_mmpretrain_config(student, tmp_path):
    """And exporting it gives back the plain classifier, with the same scores."""
    base, head_type, shape = STUDENTS[student]
    file = tmp_path / 'student.py'
    file.write_text(
        f"_base_ = ['mmpretrain::_base_/models/{base}.py']\n"
        f"model = dict(head=dict(type='{head_type}', num_aspects={Q}, aspect_loss=dict(type='makd.MaKDLoss')))\n"
    )
    cfg = Config.fromfile(file)
    if student == 'ViT':
        cfg.merge_from_dict({'model.backbone.arch': 'deit-tiny', 'model.backbone.img_size': 32})
        cfg.merge_from_dict({'model.head.in_channels': 192})
    model = MODELS.build(cfg.model).eval()
    images = torch.randn(shape)
    assert model(images).shape == (1, 1000 + Q)
    losses = model.loss(images, [sample(7, [0.0, 0.5, 1.0])])
    assert {'loss_cls', 'loss_makd'} <= losses.keys()

    plain = MODELS.build(plain_config(cfg.model.to_dict())).eval()
    assert type(plain.head) is type(model.head).__mro__[2]
    plain.load_state_dict(plain_state_dict(model.state_dict(), plain.state_dict()))
    with torch.no_grad():
        torch.testing.assert_close(plain(images), model(images)[:, :1000])


def test_export_of_foreign_weights_is_an_error(head):
    plain = LinearClsHead(num_classes=C, in_channels=4).state_dict()
    with pytest.raises(ConfigError, match=r'fc\.weight has shape'):
        plain_state_dict(MaKDLinearClsHead(num_classes=C, num_aspects=Q, in_channels=6).state_dict(), plain)
    with pytest.raises(ConfigError, match='other'):
        plain_state_dict({**head.state_dict(), 'other': torch.zeros(1)}, plain)


def test_the_class_loss_is_the_mean_over_labelled_samples(head):
    features = (torch.randn(4, 4, requires_grad=True),)
    samples = [sample(label, [0.2, 0.5, 0.9]) for label in (1, 0, 4, 2)]
    for data_sample in (samples[0], samples[2]):
        mark_unlabelled(data_sample)
    losses = head.loss(features, samples)
    class_logits, aspect_logits = head.split(head(features))
    torch.testing.assert_close(losses['loss_cls'], F.cross_entropy(class_logits[[1, 3]], torch.tensor([0, 2])))
    targets = torch.tensor([[0.2, 0.5, 0.9]]).expand(4, -1)
    torch.testing.assert_close(losses['loss_makd'], 4.0 * F.binary_cross_entropy_with_logits(aspect_logits, targets))
    (gradient,) = torch.autograd.grad(losses['loss_cls'], features[0])
    assert gradient.any(dim=1).tolist() == [False, True, False, True]


def test_a_batch_without_labels_teaches_aspects_only(head):
    features = (torch.randn(2, 4, requires_grad=True),)
    unlabelled = [DataSample(), DataSample()]
    for data_sample in unlabelled:
        data_sample.set_field(torch.rand(Q), 'gt_aspects')
    losses = head.loss(features, unlabelled)
    assert losses['loss_cls'] == 0
    assert losses['loss_makd'] > 0
    (gradient,) = torch.autograd.grad(losses['loss_cls'] + losses['loss_makd'], head.fc.weight)
    assert not gradient[:C].any()
    assert gradient[C:].any()
