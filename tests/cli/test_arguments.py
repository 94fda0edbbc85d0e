import argparse

import pytest

from makd.cli.arguments import LAUNCHERS, add_options, config_parser, parse_options


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('1e-3', 0.001),
        ('True', True),
        ('None', None),
        ('adam', 'adam'),
        ('1,2,3', [1, 2, 3]),
        ('[60,90]', [60, 90]),
        ('[a,b]', ['a', 'b']),
        ('[(1,2),(3,4)]', [(1, 2), (3, 4)]),
        ('data/my images', 'data/my images'),  # mmengine drops the space
        ("['my images', 'b']", ['my images', 'b']),
        ('"[is it red?]"', '[is it red?]'),
        ("{'type': 'Accuracy', 'topk': (1,)}", {'type': 'Accuracy', 'topk': (1,)}),
        ('a=b', 'a=b'),
        ('', ''),
    ],
)
def test_values(text, value):
    assert parse_options([f'key={text}']) == {'key': value}


@pytest.mark.parametrize('option', ['key', '=3', 'key=[1,2', 'key=(1,[2)', 'key=1,2]'])
def test_a_mistake_is_one_message(option, capsys):
    parser = argparse.ArgumentParser()
    add_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', option])
    error = capsys.readouterr().err
    assert f'--cfg-options: {option!r}' in error
    assert 'Traceback' not in error


def test_a_launcher_that_a_tool_does_not_have_is_refused(capsys):
    """Training has no Ray, annotation has."""
    assert config_parser('', launchers=(*LAUNCHERS, 'ray')).parse_args(['c.py', '--launcher', 'ray']).launcher == 'ray'
    with pytest.raises(SystemExit):
        config_parser('').parse_args(['c.py', '--launcher', 'ray'])
    assert "invalid choice: 'ray'" in capsys.readouterr().err
