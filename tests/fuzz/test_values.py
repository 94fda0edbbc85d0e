"""Options and arguments of any value: an error of makd's, or a value that the class takes."""

import gc
import inspect
import math
import warnings

import pytest
from fuzz.damage import json_values, outcome
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from makd import registry
from makd.argument_types import FRAMEWORKS, wrong_values
from makd.cli.arguments import parse_options
from makd.config import check_makd_types, check_numbers, merge_options, read_config
from makd.errors import MakdError
from makd.models.losses import DKDLoss, KDLoss, MaKDKLLoss, MaKDLoss
from makd.ranges import Count, Positive, Weight

symbols = st.text('abc=.,[](){}\'"\\ 0123456789-+eE:', max_size=16)
LOSSES = {'makd.KDLoss': KDLoss, 'makd.DKDLoss': DKDLoss, 'makd.MaKDLoss': MaKDLoss, 'makd.MaKDKLLoss': MaKDKLLoss}


@given(key=symbols, value=symbols | st.text(max_size=8))
def test_an_option(key, value):
    try:
        options = parse_options([f'{key}={value}'])
    except ValueError:
        return
    cfg = Config(dict(a=dict(b=[dict(c=1)], c=2)))
    _, message = outcome(merge_options, cfg, options)
    assert not message or '--cfg-options' in message


@given(values=st.dictionaries(st.sampled_from(['loss_weight', 'temperature', 'alpha', 'beta']), json_values))
@pytest.mark.parametrize('name', LOSSES)
def test_the_arguments_of_a_loss(name, values):
    """What passes the check is built, with weights that are finite and not negative."""
    _, message = outcome(check_makd_types, Config(dict(model=dict(loss=dict(type=name, **values)))))
    if message:
        assert 'model.loss' in message
        return
    loss = LOSSES[name](**values)
    assert all(0 <= getattr(loss, key) < float('inf') for key in values)


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


ALLOWED = {
    Count: lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
    Positive: lambda value: is_number(value) and value > 0,
    Weight: lambda value: is_number(value) and value >= 0,
    str: lambda value: isinstance(value, str),
}


@pytest.fixture(scope='module')
def classes():
    registry.find('makd.none')
    return {name: registry.find(name) for name in registry.names()}


@given(data=st.data())
def test_the_arguments_of_every_class(data, classes):
    """Exactly the values of the annotation pass, and so do all defaults.

    A class with the arguments of a framework's is checked by the framework.
    """
    name = data.draw(st.sampled_from(sorted(filter(lambda name: _has_own_arguments(classes[name]), classes))))
    parameters = inspect.signature(classes[name]).parameters.values()
    arguments = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    values = {p.name: data.draw(json_values) for p in arguments if data.draw(st.booleans())}
    wrong = dict(wrong_values(classes[name], values))
    for argument in arguments:
        if argument.name in values and argument.annotation in ALLOWED:
            assert (argument.name not in wrong) == ALLOWED[argument.annotation](values[argument.name])
    defaults = {p.name: p.default for p in arguments if p.default is not p.empty}
    assert dict(wrong_values(classes[name], defaults)) == {}


def _has_own_arguments(cls):
    owner = next(base for base in cls.__mro__ if '__init__' in vars(base))
    return owner.__module__.partition('.')[0] not in FRAMEWORKS


@given(data=st.data())
def test_the_numbers_of_a_config(data, tmp_path):
    fields = ['train_dataloader.batch_size', 'train_cfg.max_epochs', 'optim_wrapper.optimizer.lr', 'other.field']
    values = data.draw(st.dictionaries(st.sampled_from(fields), json_values, min_size=1))
    cfg = Config(dict(train_dataloader=dict(batch_size=2), train_cfg=dict(), optim_wrapper=dict(optimizer=dict())))
    try:
        merge_options(cfg, values)
        check_numbers(cfg)
    except MakdError:
        return
    assert isinstance(cfg.train_dataloader.batch_size, int)
    assert cfg.train_dataloader.batch_size >= 1
    assert cfg.train_cfg.get('max_epochs') is None or cfg.train_cfg.max_epochs >= 1
    assert cfg.optim_wrapper.optimizer.get('lr') is None or cfg.optim_wrapper.optimizer.lr > 0


SOURCES = ['a = 1', 'a = [', 'raise ValueError', '_base_ = 3', '_base_ = [[]]', 'import x', '1/0', 'a = 1' * 5000]


@pytest.fixture
def _collected():
    """Collect the files that mmengine leaves open here, so that no other test warns of them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        gc.collect()


@pytest.mark.usefixtures('_collected')
@given(text=st.text(max_size=40) | st.sampled_from(SOURCES))
def test_a_config_of_any_text(text, tmp_path):
    path = tmp_path / 'c.py'
    path.write_text(text, 'utf-8', errors='surrogatepass')
    cfg, message = outcome(read_config, str(path))
    assert cfg or 'c.py' in message
