from pathlib import Path

import pytest
from mmengine.config import Config

from makd.config import (
    accepted_keys,
    check_data_roots,
    check_makd_types,
    check_numbers,
    find_config,
    load_config,
    merge_options,
    require_checkpoint,
    walk_dicts,
    without_pipelines,
)
from makd.errors import ConfigError, DataError
from makd.models.heads import MaKDLinearClsHead
from makd.registry import DATASETS

CONFIG = 'configs/makd/resnet18_emoji.py'


def test_keys_of_a_mixin_are_those_of_its_bases_too():
    keys = accepted_keys(MaKDLinearClsHead)
    assert {'num_aspects', 'aspect_loss', 'num_classes', 'in_channels', 'loss', 'cal_acc', 'topk', 'init_cfg'} == keys


def test_an_unknown_key_is_named_with_its_field_and_a_similar_one():
    cfg = Config(dict(model=dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=2, num_aspect=3))))
    with pytest.raises(
        ConfigError, match=r'model\.head\.num_aspect: makd\.MaKDLinearClsHead.*Did you mean num_aspects'
    ):
        check_makd_types(cfg)


def test_an_unknown_class_is_named_with_its_field_and_a_similar_one():
    cfg = Config(dict(hooks=[dict(type='EMAHook'), dict(type='makd.AspectTargetsCheckHook')]))
    with pytest.raises(ConfigError, match=r'hooks\.1\.type.*makd\.AspectTargetCheckHook'):
        check_makd_types(cfg)


@pytest.mark.parametrize(
    ('loss', 'named'),
    [
        (dict(type='makd.MaKDLoss', loss_weight=-4), 'loss_weight=-4 of makd.MaKDLoss: .*greater than or equal to 0'),
        (dict(type='makd.MaKDKLLoss', loss_weight=float('nan')), 'loss_weight=nan'),
        (
            dict(type='makd.KDLoss', temperature='abc'),
            "temperature='abc' of makd.KDLoss: Input should be a valid number",
        ),
        (dict(type='makd.DKDLoss', beta=float('inf')), 'beta=inf'),
        (dict(type='makd.KDLoss', loss_weight=True), 'loss_weight=True'),
        (dict(type='makd.MaKDLinearClsHead', num_classes=-5, num_aspects=3), 'num_classes=-5'),
        (dict(type='makd.DistillWarmupHook', warmup_epochs=float('nan')), 'warmup_epochs=nan'),
        (dict(type='makd.LoadAspectTargets', targets='a', data_root='b', question_ids='red'), "question_ids='red'"),
        (dict(type='makd.MaKDFasterRCNN', aspect_head=3), 'aspect_head=3'),
    ],
)
def test_a_value_of_another_type_or_range_is_named_with_its_field(loss, named):
    with pytest.raises(ConfigError, match=rf'Config field model\.part\.{named}'):
        check_makd_types(Config(dict(model=dict(part=loss))))


def test_values_that_the_annotations_allow():
    check_makd_types(
        Config(
            dict(
                a=dict(type='makd.DKDLoss', alpha=1, beta=0, temperature=4),
                b=dict(type='makd.MobileNetV1', out_indices=[4], init_cfg=[dict(type='Kaiming')]),
                c=dict(type='makd.AspectHead', num_aspects=2, in_channels=(8, 16), stages=[2, 3]),
            )
        )
    )


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('train_dataloader.batch_size', 0),
        ('train_dataloader.batch_size', None),
        ('train_dataloader.num_workers', -1),
        ('train_cfg.max_epochs', 0),
        ('train_cfg.max_epochs', 2.5),
        ('optim_wrapper.optimizer.lr', -0.1),
        ('optim_wrapper.optimizer.lr', 0),
        ('model.head.loss', dict(type='CrossEntropyLoss', loss_weight=-4)),
        ('optim_wrapper.optimizer.lr', float('nan')),
        ('optim_wrapper.optimizer.lr', '0.1'),
        ('optim_wrapper.optimizer.weight_decay', float('nan')),
    ],
)
def test_numbers_with_which_no_training_can_make_a_step(field, value):
    with pytest.raises(ConfigError, match=f'Config field {field}'):
        check_numbers(load_config(CONFIG, {field: value}))


def test_an_unknown_config_file_is_named_with_a_similar_one():
    with pytest.raises(ConfigError, match=r'resnet81_emoji.*Did you mean .*configs/makd/resnet18_emoji\.py'):
        find_config('configs/makd/resnet81_emoji.py')


def test_all_absent_data_roots_are_named():
    cfg = Config(
        dict(
            train_dataloader=dict(dataset=dict(type='RepeatDataset', dataset=dict(data_root='data/no'))),
            val_dataloader=dict(dataset=dict(data_root='data/nowhere')),
            test_dataloader=dict(dataset=dict(data_root='data/not_used_here')),
        )
    )
    with pytest.raises(DataError, match='prepare_dataset') as error:
        check_data_roots(cfg, ('train_dataloader', 'val_dataloader'))
    assert "train_dataloader.dataset.dataset.data_root='data/no'" in str(error.value)
    assert "val_dataloader.dataset.data_root='data/nowhere'" in str(error.value)
    assert 'not_used_here' not in str(error.value)


def test_remote_data_roots_and_checkpoints_are_left_to_their_backend():
    check_data_roots(
        Config(dict(train_dataloader=dict(dataset=dict(data_root='s3://bucket/set')))), ('train_dataloader',)
    )
    assert require_checkpoint('https://host/a.pth', '--resume') == 'https://host/a.pth'


def test_an_absent_checkpoint_is_named_with_what_is_there(tmp_path):
    (tmp_path / 'epoch_3.pth').touch()
    with pytest.raises(ConfigError, match=r'--resume: .*epoch_4\.pth.*epoch_3\.pth'):
        require_checkpoint(str(tmp_path / 'epoch_4.pth'), '--resume')


def test_work_dir_is_command_line_before_config_before_name():
    assert load_config(CONFIG).work_dir == 'work_dirs/makd/resnet18_emoji'
    assert load_config(CONFIG, work_dir='here').work_dir == 'here'
    assert load_config(CONFIG, {'work_dir': 'there'}).work_dir == 'there'
    assert load_config(CONFIG, {'work_dir': 'there'}, work_dir='here').work_dir == 'here'


def test_load_from_pretrained_is_the_checkpoint_that_the_models_file_names():
    options = {'load_from': 'pretrained'}
    with pytest.raises(ConfigError, match=r"load_from='pretrained': .* load_from=URL"):
        load_config(CONFIG, options)
    cfg = load_config('configs/baseline/resnet101_stanford_cars.py', options)
    assert cfg.load_from.rpartition('/')[2].startswith('resnet101')


def test_loader_defaults_are_mmpretrains():
    cfg = load_config(CONFIG, {'train_dataloader.num_workers': 0})
    assert cfg.train_dataloader.collate_fn.type == 'default_collate'
    assert not cfg.train_dataloader.persistent_workers  # torch refuses it without workers
    assert cfg.val_dataloader.persistent_workers


@pytest.mark.skipif(Path('data/coco').exists(), reason='COCO is here')
def test_without_coco_one_message_names_what_is_missing_and_what_makes_it():
    with pytest.raises(DataError) as error:
        load_config('configs/makd/faster_rcnn_r50_fpn_coco.py', loaders=('train_dataloader', 'val_dataloader'))
    message = str(error.value)
    assert "train_dataloader.dataset.data_root='data/coco/'" in message
    assert "targets='data/coco/aspects/internvl3_8b'" in message
    assert 'python tools/prepare_dataset.py coco' in message
    assert 'python tools/annotate.py configs/annotate/internvl3_8b_coco.py' in message


def test_what_is_named_can_be_overridden_as_it_is_named(tmp_path):
    targets = dict(type='makd.LoadAspectTargets', targets='data/no', data_root='data/emoji/images')
    cfg = Config(dict(train_dataloader=dict(dataset=dict(pipeline=[dict(type='PackInputs'), targets]))))
    with pytest.raises(DataError, match=r"train_dataloader\.dataset\.pipeline\.1\.targets='data/no'"):
        check_data_roots(cfg, ('train_dataloader',))
    merge_options(cfg, {'train_dataloader.dataset.pipeline.1.targets': str(tmp_path)})
    check_data_roots(cfg, ('train_dataloader',))


def test_a_half_prepared_data_set_is_named(tmp_path):
    (tmp_path / 'v1.0').mkdir()
    dataset = dict(data_root=str(tmp_path / 'v1.0'), ann_file='annotations/a.json')
    with pytest.raises(DataError, match=r"dataset\.ann_file='annotations/a\.json' in .*v1\.0") as error:
        check_data_roots(Config(dict(train_dataloader=dict(dataset=dataset))), ('train_dataloader',))
    assert 'prepare_dataset.py --help' in str(error.value)


def test_without_pipelines_no_dataset_runs_transforms_or_filters_and_the_config_stays_as_it_is():
    leaf = dict(type='CocoDataset', data_root='data', filter_cfg=dict(min_size=32), pipeline=[dict(type='Resize')])
    bare_leaf = dict(type='CocoDataset', data_root='data', pipeline=[])
    config = dict(
        type='ConcatDataset', datasets=[dict(type='RepeatDataset', times=2, dataset=dict(leaf)), dict(leaf)], lazy=True
    )
    bare = dict(type='ConcatDataset', datasets=[dict(type='RepeatDataset', times=2, dataset=bare_leaf), bare_leaf])
    assert without_pipelines(config) == {**bare, 'lazy': True}
    assert without_pipelines(dict(type='makd.AnnotationImages', datasets=dict(leaf)))['datasets'] == bare_leaf
    assert sum('filter_cfg' in node for _, node in walk_dicts(config)) == 2


def test_a_fraction_of_the_training_data_is_one_option():
    cfg = load_config(CONFIG, {'train_dataloader.fraction': 0.4})
    plain = load_config(CONFIG)
    assert 'fraction' not in cfg.train_dataloader
    assert cfg.train_dataloader.dataset == dict(
        type='makd.SubsetDataset', fraction=0.4, dataset=plain.train_dataloader.dataset
    )
    with pytest.raises(ConfigError, match=r'fraction=40 is outside \(0, 1\]'):
        DATASETS.build(dict(cfg.train_dataloader.dataset, fraction=40))
