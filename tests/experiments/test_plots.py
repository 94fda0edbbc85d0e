from matplotlib.figure import Figure

from makd.experiments import Result
from makd.experiments.plots import plot_curves
from makd.experiments.plots.curves import draw_curves
from makd.experiments.plots.run_curves import draw_run_curves


def test_the_line_is_the_mean_and_the_band_the_range():
    axes = Figure().subplots()
    draw_curves(axes, {'none': [], 'some': [{5: 1.0, 10: 4.0}, {5: 3.0}], 'one': [{5: 2.0}]})
    some, one = axes.lines
    assert some.get_label() == 'some'
    assert some.get_xydata().tolist() == [[5, 2.0], [10, 4.0]]
    assert (some.get_color(), one.get_color()) == ('C1', 'C2')  # that of the name, with or without others
    (band,) = axes.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
    assert corners == {(5.0, 1.0), (5.0, 3.0), (10.0, 4.0)}


def test_a_panel_for_each_metric():
    panels = {
        'accuracy/top1': {'plain': [{5: 1.0}], 'makd': [{5: 2.0}, {5: 4.0}]},
        'loss_makd': {'plain': [], 'makd': [{1: 0.5}, {1: 0.6}]},
    }
    figure = draw_run_curves(panels, 'epoch')
    assert [axes.get_title() for axes in figure.axes] == ['validation top-1 %', 'loss_makd']
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    assert figure.axes[1].lines[0].get_color() == 'C1'
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['plain (1 run)', 'makd (2 runs)']


def test_curves_of_results(tmp_path):
    result = Result({'accuracy/top1': 5.0}, 1.0, [(1, {'accuracy/top1': 3.0}), (2, {'accuracy/top1': 4.0})])
    plot_curves({'plain': {0: result, 1: None}, 'failed': {0: None}}, tmp_path / 'curves.png')
    assert (tmp_path / 'curves.png').read_bytes().startswith(b'\x89PNG')
