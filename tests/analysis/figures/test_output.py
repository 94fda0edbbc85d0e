from pathlib import Path

import pytest
from matplotlib.figure import Figure

from makd.analysis.figures.output import figure_paths, save_figure
from makd.errors import ConfigError


def test_the_suffix_gives_the_format(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert figure_paths(Path('a/b.pdf'), 'name') == [Path('a/b.pdf')]
    paths = figure_paths(None, 'name')
    assert paths == [Path('work_dirs/analysis/name.png'), Path('work_dirs/analysis/name.svg')]
    save_figure(Figure(figsize=(1, 1)), paths)
    assert paths[0].read_bytes().startswith(b'\x89PNG')
    assert '<svg' in paths[1].read_text()
    assert capsys.readouterr().out == f'Figure: {paths[0]}, {paths[1]}\n'


def test_an_unknown_suffix():
    with pytest.raises(ConfigError, match=r'--out a.txt: a figure ends in .png, .svg, .pdf'):
        figure_paths(Path('a.txt'), 'name')
