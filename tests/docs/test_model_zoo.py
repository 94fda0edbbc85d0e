"""The model zoo lists every model of the metafiles, with its figures and their source."""

import runpy


def test_every_model_is_in_the_zoo(tmp_path):
    zoo = runpy.run_path('docs/model_zoo.py')
    zoo['write'](tmp_path / 'zoo.md')
    page = (tmp_path / 'zoo.md').read_text('utf-8')
    models = list(zoo['models']())
    assert len(models) > 100
    assert all(f'`{model["Config"]}`' in page for model in models)
    assert '| `configs/makd/resnet18_stanford_cars.py` | MaKD | Top 1 Accuracy 83.38 | paper, Table 1 |' in page
    assert '| `configs/makd/resnet18_emoji.py` | MaKD | Top 1 Accuracy 15.03, Top 5 Accuracy 28.57 | here |' in page
