"""Configs of annotation from before makd.AnnotationRunner, and options in their words."""

import pytest
from mmengine.config import Config

from makd.compat import annotation_config
from makd.compat.annotation_config import update_annotation_config

WRITER = dict(type='makd.ShardWriter', shard_size=4)
FORMER = dict(
    test_cfg=dict(type='makd.AnnotateLoop'),
    test_dataloader=dict(batch_size=2, dataset=dict(type='makd.AnnotationImages', data_root='images')),
    test_evaluator=WRITER,
    default_hooks=dict(timer=None),
    model_wrapper_cfg=dict(type='makd.FrozenModelWrapper'),
    log_level='INFO',
)


@pytest.fixture
def warnings(monkeypatch):
    given = []
    monkeypatch.setattr(annotation_config, 'print_log', lambda message, *args: given.append(message))
    return given


def test_a_former_config_has_the_fields_of_today(warnings):
    cfg = Config(FORMER)
    assert update_annotation_config(cfg, None) == {}
    assert cfg.to_dict() == {
        'runner_type': 'makd.AnnotationRunner',
        'dataloader': FORMER['test_dataloader'],
        'writer': WRITER,
        'log_level': 'INFO',
    }
    assert len(warnings) == 1


def test_a_former_child_of_the_base_of_today_overrides_it(warnings):
    base = dict(runner_type='makd.AnnotationRunner', writer=WRITER, dataloader=dict(batch_size=2, num_workers=1))
    cfg = Config({**base, 'test_dataloader': dict(batch_size=8), 'test_evaluator': dict(out_dir='x')})
    update_annotation_config(cfg, {})
    assert cfg.to_dict() == {
        'runner_type': 'makd.AnnotationRunner',
        'dataloader': dict(batch_size=8, num_workers=1),
        'writer': {**WRITER, 'out_dir': 'x'},
    }
    assert len(warnings) == 1


def test_options_are_renamed_with_one_warning(warnings):
    cfg = Config(dict(runner_type='makd.AnnotationRunner', writer=WRITER))
    options = {'test_dataloader.batch_size': 4, 'model.top': 3, 'test_evaluator.out_dir': 'x', 'writer.shard_size': 2}
    assert update_annotation_config(cfg, options) == {
        'model.top': 3,
        'dataloader.batch_size': 4,
        'writer.out_dir': 'x',
        'writer.shard_size': 2,
    }
    assert len(warnings) == 1


def test_configs_of_today_and_of_other_tools_are_left_alone(warnings):
    today = dict(runner_type='makd.AnnotationRunner', writer=WRITER)
    training = dict(test_cfg=dict(), test_dataloader=dict(batch_size=2), test_evaluator=dict(type='Accuracy'))
    for settings in (today, training):
        cfg = Config(settings)
        options = {'test_dataloader.batch_size': 4} if settings is training else {'writer.out_dir': 'x'}
        assert update_annotation_config(cfg, options) == options
        assert cfg.to_dict() == settings
    assert warnings == []


def test_a_field_that_hides_what_a_fragment_inherits_is_no_former_one(warnings):
    cfg = Config(dict(runner_type='makd.AnnotationRunner', writer=WRITER, test_dataloader=None, test_evaluator=None))
    update_annotation_config(cfg, {})
    assert cfg.to_dict() == {'runner_type': 'makd.AnnotationRunner', 'writer': WRITER}
    assert warnings == []


def test_the_collate_function_that_the_former_loop_ignored_is_dropped(warnings):
    cfg = Config(
        {**FORMER, 'test_dataloader': {**FORMER['test_dataloader'], 'collate_fn': dict(type='default_collate')}}
    )
    update_annotation_config(cfg, None)
    assert cfg.dataloader.to_dict() == FORMER['test_dataloader']
