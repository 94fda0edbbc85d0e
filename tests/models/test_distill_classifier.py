import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from makd.engine.hooks import IdentityHook
from makd.errors import ConfigError
from makd.labels import mark_unlabelled
from makd.models.losses import KDLoss

C, Q = 4, 3
BACKBONE = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4)
PREPROCESSOR = dict(type='ClsDataPreprocessor', mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 40.0], to_rgb=True)


@pytest.fixture(autouse=True)
def _mmpretrain_scope():
    init_default_scope('mmpretrain')
    torch.manual_seed(0)


def classifier(head='LinearClsHead', num_classes=C, **kwargs):
    head_cfg = dict(type=head, num_classes=num_classes, in_channels=32)
    if head.startswith('makd.'):
        head_cfg['num_aspects'] = Q
    cfg = dict(
        type='ImageClassifier',
        backbone=dict(BACKBONE),
        neck=dict(type='GlobalAveragePooling'),
        head=head_cfg,
        data_preprocessor=dict(PREPROCESSOR),
    )
    return {**cfg, **kwargs}


def student(head='LinearClsHead', teacher=None, **kwargs):
    arguments = dict(teacher_init='random', distill_loss=dict(type='makd.KDLoss'))
    cfg = classifier(
        head, type='makd.DistillImageClassifier', teacher=teacher or classifier(), **{**arguments, **kwargs}
    )
    return MODELS.build(cfg)


def batch(num=3):
    data_samples = [DataSample().set_gt_label(n % C) for n in range(num)]
    for data_sample in data_samples:
        data_sample.set_field(torch.rand(Q), 'gt_aspects')
    return torch.randn(num, 3, 32, 32), data_samples


def test_the_teachers_logits_take_the_order_of_the_students_classes():
    model = student(teacher_classes=['ant', 'bee', 'cod', 'dog'])
    model.init_weights()
    images = torch.randn(2, 3, 32, 32)
    before = model.teacher.class_logits(images)
    model.teacher.order(['dog', 'ant', 'bee', 'cod'])
    assert torch.equal(model.teacher.class_logits(images), before[:, [3, 0, 1, 2]])
    with pytest.raises(ConfigError, match="only the teacher has 'bee'; only the training set has 'eel'"):
        model.teacher.order(['ant', 'cod', 'dog', 'eel'])


def test_training_begins_with_the_teachers_logits_in_the_order_of_the_dataset():
    model = student(teacher_classes=['ant', 'bee', 'cod', 'dog'])
    model.init_weights()
    images = torch.randn(2, 3, 32, 32)
    before = model.teacher.class_logits(images)
    dataset = SimpleNamespace(metainfo=dict(classes=('dog', 'ant', 'bee', 'cod')))
    loader = SimpleNamespace(dataset=dataset)
    logger = SimpleNamespace(warning=lambda message: None)
    IdentityHook().before_train(
        SimpleNamespace(model=model, train_dataloader=loader, val_loop=None, _resume=False, logger=logger)
    )
    assert torch.equal(model.teacher.class_logits(images), before[:, [3, 0, 1, 2]])


def test_the_student_has_exactly_the_plain_classifiers_state_and_parameters():
    model = student()
    model.init_weights()
    plain = MODELS.build(classifier())
    assert model.state_dict().keys() == plain.state_dict().keys()
    assert len(list(model.parameters())) == len(list(plain.parameters()))
    assert not any('teacher' in name for name, _ in model.named_modules())


def test_the_teacher_stays_frozen_in_eval_mode_and_is_shared_by_deep_copies():
    model = student()
    model.init_weights()
    before = copy.deepcopy(model.teacher.model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        model.train()
        sum(model.loss(*batch()).values()).backward()
        optimizer.step()
    assert not model.teacher.model.training
    assert not any(p.requires_grad or p.grad is not None for p in model.teacher.model.parameters())
    for key, value in model.teacher.model.state_dict().items():  # running statistics, too
        assert torch.equal(value, before[key])
    assert copy.deepcopy(model).teacher is model.teacher  # mmengine's EMA copies the student


@pytest.mark.parametrize('head', ['LinearClsHead', 'makd.MaKDLinearClsHead'])
@pytest.mark.parametrize('teacher_head', ['LinearClsHead', 'makd.MaKDLinearClsHead'])
def test_losses_are_the_heads_and_kd_on_class_logits_only(head, teacher_head):
    model = student(head, teacher=classifier(teacher_head))
    model.init_weights()
    model.eval()
    inputs, data_samples = batch()
    losses = model.loss(inputs, data_samples)
    assert losses.keys() == {'loss_cls', 'loss_kd'} | ({'loss_makd'} if head.startswith('makd.') else set())
    plain_losses = model.head.loss(model.extract_feat(inputs), data_samples)
    torch.testing.assert_close(losses['loss_cls'], plain_losses.get('loss_cls', plain_losses.get('loss')))
    expected = KDLoss()(model(inputs)[:, :C], model.teacher.model(inputs)[:, :C])
    torch.testing.assert_close(losses['loss_kd'], expected)
    # parse_losses sums what is named loss; a term called 'loss' would overwrite the total in the log.
    total, log = model.parse_losses(losses)
    torch.testing.assert_close(total, sum(losses.values()))
    torch.testing.assert_close(log['loss'], total)


def test_distill_weight_scales_only_the_distillation_term():
    model = student()
    model.init_weights()
    model.eval()
    inputs, data_samples = batch()
    full = model.loss(inputs, data_samples)
    model.distill_weight = 0.25
    quarter = model.loss(inputs, data_samples)
    torch.testing.assert_close(quarter['loss_kd'], 0.25 * full['loss_kd'])
    torch.testing.assert_close(quarter['loss_cls'], full['loss_cls'])


def test_a_teacher_with_another_normalisation_sees_its_own():
    other = dict(type='ClsDataPreprocessor', mean=[10.0, 20.0, 30.0], std=[2.0, 3.0, 4.0], to_rgb=False)
    model = student(teacher=classifier(data_preprocessor=other))
    model.init_weights()
    model.eval()
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    inputs = model.data_preprocessor({'inputs': pixels})['inputs']
    teacher = model.teacher.model
    expected = teacher(teacher.data_preprocessor({'inputs': pixels})['inputs'])
    torch.testing.assert_close(model.teacher.class_logits(inputs), expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(teacher(inputs), expected, atol=1e-3)


def test_a_teacher_config_without_preprocessor_takes_the_students():
    teacher = classifier()
    del teacher['data_preprocessor']
    model = student(teacher=teacher)
    model.init_weights()
    inputs = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.teacher.class_logits(inputs), model.teacher.model(inputs))


def test_the_teacher_follows_the_student_to_another_type():
    model = student()
    model.init_weights()
    model.double()
    assert model.teacher.class_logits(torch.randn(1, 3, 32, 32, dtype=torch.float64)).dtype == torch.float64


def test_teacher_from_config_file_and_checkpoint(tmp_path):
    trained = MODELS.build(classifier('makd.MaKDLinearClsHead'))
    trained.init_weights()
    torch.save({'state_dict': trained.state_dict()}, tmp_path / 'teacher.pth')
    cfg = classifier('makd.MaKDLinearClsHead')
    Config(dict(data_preprocessor=cfg.pop('data_preprocessor'), model=cfg)).dump(tmp_path / 'teacher.py')
    model = student(
        teacher=str(tmp_path / 'teacher.py'),
        teacher_checkpoint=str(tmp_path / 'teacher.pth'),
        teacher_init='checkpoint',
    )
    model.init_weights()
    inputs = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.teacher.class_logits(inputs), trained.eval()(inputs)[:, :C])
    torch.testing.assert_close(
        model.teacher.model.data_preprocessor.mean.flatten(), torch.tensor([120.0, 110.0, 100.0])
    )


def test_building_the_teacher_does_not_move_the_random_numbers():
    model = student()
    plain = MODELS.build(classifier())
    torch.manual_seed(5)
    model.init_weights()
    after = torch.rand(1)
    torch.manual_seed(5)
    plain.init_weights()
    assert torch.equal(after, torch.rand(1))


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r'teacher_checkpoint=None.*random'):
        student(teacher_init='checkpoint').init_weights()
    with pytest.raises(ConfigError, match=r"teacher_init='rand'"):
        student(teacher_init='rand').init_weights()
    with pytest.raises(ConfigError, match=r'absent\.pth.*Train the teacher first'):
        student(teacher_init='checkpoint', teacher_checkpoint='absent.pth').init_weights()
    with pytest.raises(ConfigError, match=r'absent\.py.*no such config'):
        student(teacher='absent.py').init_weights()
    with pytest.raises(ConfigError, match=r'7 classes, the student 4'):
        student(teacher=classifier(num_classes=7)).init_weights()
    torch.save({'state_dict': MODELS.build(classifier(num_classes=7)).state_dict()}, tmp_path / 'other.pth')
    with pytest.raises(ConfigError, match=r'other\.pth.*does not fit'):
        student(teacher_init='checkpoint', teacher_checkpoint=str(tmp_path / 'other.pth')).init_weights()
    with pytest.raises(RuntimeError, match='init_weights'):
        student().loss(*batch())


def test_dkd_with_mixup_is_refused_in_words():
    preprocessor = dict(PREPROCESSOR, batch_augments=dict(augments=[dict(type='Mixup', alpha=1.0)]), num_classes=C)
    model = student(distill_loss=dict(type='makd.DKDLoss'), data_preprocessor=preprocessor)
    model.init_weights()
    data = model.data_preprocessor({'inputs': torch.zeros(3, 3, 32, 32), 'data_samples': batch()[1]}, training=True)
    with pytest.raises(ValueError, match='mixup'):
        model.loss(**data)


def test_kd_learns_from_images_without_labels_and_dkd_refuses_them():
    images, data_samples = batch()
    mark_unlabelled(data_samples[1])
    model = student('makd.MaKDLinearClsHead')
    model.init_weights()
    losses = model.loss(images, data_samples)
    logits = model.head(model.extract_feat(images))[:, :C]
    torch.testing.assert_close(losses['loss_kd'], KDLoss()(logits, model.teacher.class_logits(images)))
    torch.testing.assert_close(losses['loss_cls'], F.cross_entropy(logits[[0, 2]], torch.tensor([0, 2])))
    model = student('makd.MaKDLinearClsHead', distill_loss=dict(type='makd.DKDLoss'))
    model.init_weights()
    with pytest.raises(ConfigError, match=r'images without labels have none: use makd\.KDLoss'):
        model.loss(images, data_samples)
