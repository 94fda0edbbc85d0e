import re

from matplotlib.figure import Figure

from experiments.plots import draw_bands, draw_run_curves, draw_scores, draw_training, draw_validation


def test_the_line_is_the_mean_and_the_band_the_range():
    axes = Figure().subplots()
    draw_bands(axes, {'none': [], 'some': [{5: 1.0, 10: 4.0}, {5: 3.0}], 'one': [{5: 2.0}]})
    some, one = axes.lines
    assert some.get_label() == 'some'
    assert some.get_xydata().tolist() == [[5, 2.0], [10, 4.0]]
    assert (some.get_color(), one.get_color()) == ('C1', 'C2')  # the name's, with or without others
    (band,) = axes.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
    assert corners == {(5.0, 1.0), (5.0, 3.0), (10.0, 4.0)}


def test_one_panel_per_metric():
    panels = {
        'validation top-1 %': {'plain': [{5: 1.0}], 'makd': [{5: 2.0}, {5: 4.0}]},
        'loss_makd': {'plain': [], 'makd': [{1: 0.5}, {1: 0.6}]},
    }
    figure = draw_run_curves(panels, 'epoch')
    assert [axes.get_title() for axes in figure.axes] == ['validation top-1 %', 'loss_makd']
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    assert figure.axes[1].lines[0].get_color() == 'C1'
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['plain (1 run)', 'makd (2 runs)']


def test_the_curves_of_one_run():
    metrics = {'accuracy/top1': [(1, 5.0)], 'accuracy/top5': [(1, 9.0)], 'aspect/auc': [(1, 0.5)]}
    figure = draw_training({'loss': [(50, 3.0), (100, 2.0)]}, [(50, 0.1), (100, 0.01)], metrics, 'epoch')
    losses, rate, accuracy, aspect = figure.axes
    assert losses.lines[0].get_xydata().tolist() == [[50, 3.0], [100, 2.0]]
    assert rate.lines[0].get_xydata().tolist() == [[50, 0.1], [100, 0.01]]
    assert [line.get_label() for line in accuracy.lines] == ['top1', 'top5']
    assert (accuracy.get_xlabel(), aspect.get_xlabel()) == ('', 'epoch')
    assert len(draw_training({}, [(50, 0.1)], {}, 'epoch').axes) == 2


def test_curves_without_a_display(tmp_path):
    draw_validation({'plain': [{1: 3.0, 2: 4.0}], 'failed': []}, 'top-1 %').savefig(tmp_path / 'curves.png')
    assert (tmp_path / 'curves.png').read_bytes().startswith(b'\x89PNG')
    draw_validation({'never validated': [{}]}, '').savefig(tmp_path / 'empty.png')


def test_scores_where_there_are_no_curves(tmp_path):
    draw_scores({'a': {0: 1.0}, 'b': {0: 2.0, 1: 3.0}, 'c': {}}, 'top-1 %').savefig(tmp_path / 'scores.svg')
    texts = set(re.findall(r'<!-- (.*?) -->', (tmp_path / 'scores.svg').read_text()))
    assert {'a', 'b', 'c', 'seed 0', 'seed 1', 'test top-1 %'} <= texts
    draw_scores({'a': {}}, '').savefig(tmp_path / 'nothing.png')
