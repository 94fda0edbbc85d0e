"""Each tool of tools/analysis, on a few emoji and untrained models; and the messages about mistakes."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from makd.registry import MODELS

MAKD, PLAIN = 'configs/makd/resnet18_emoji.py', 'configs/baseline/resnet18_emoji.py'
# Eight images in two styles of four classes, chosen by their indices.
FEW = [
    'test_dataloader.dataset.indices=[0,1,2,3,849,850,851,852]',
    'test_dataloader.num_workers=0',
    'train_dataloader.num_workers=0',
]


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory):
    """Write checkpoints of two seeds of the baseline and of MaKD; return their paths by config."""
    init_default_scope('mmpretrain')
    paths = {}
    for config in (MAKD, PLAIN):
        folder = tmp_path_factory.mktemp(Path(config).parent.name)
        for seed in range(2):
            torch.manual_seed(seed)
            model = MODELS.build(Config.fromfile(config).model)
            model.init_weights()
            torch.save({'state_dict': model.state_dict()}, folder / f'{seed}.pth')
        paths[config] = [str(folder / '0.pth'), str(folder / '1.pth')]
    return paths


@pytest.fixture
def analyse(run_tool):
    return lambda name, *arguments: run_tool(f'analysis/{name}', *arguments)


@pytest.fixture
def figure(tmp_path):
    yield tmp_path / 'sub' / 'figure.png'
    assert (tmp_path / 'sub' / 'figure.png').read_bytes().startswith(b'\x89PNG')


def test_histogram_of_the_annotator_alone(analyse, figure):
    options = ['--questions', 'animal', '--classes', 'tiger', 'house', '--out', figure]
    (out, _), end = analyse('aspect_histogram', MAKD, *options)
    assert end is None
    assert '1698 images of 849 classes, 1698 with all answers' in out


def test_histogram_of_annotator_and_student(analyse, checkpoints, figure):
    options = ['--top', '1', '--out', figure, '--cfg-options', *FEW]
    assert analyse('aspect_histogram', MAKD, checkpoints[MAKD][0], *options)[1] is None


def test_tsne(analyse, checkpoints, figure):
    options = ['--max-images', '6', '--questions', 'animal', 'round', '--out', figure, '--cfg-options', *FEW]
    (out, _), end = analyse('aspect_tsne', MAKD, checkpoints[MAKD][0], *options)
    assert end is None
    assert '6 images; correlation of distances' in out


@pytest.mark.parametrize('chosen', [['--choose', 'disagree'], ['--images', 'twemoji/place-map/1f310.png']])
def test_panel(analyse, checkpoints, figure, chosen):
    few = ['test_dataloader.dataset.styles=[twemoji]', *FEW[1:]] if chosen[0] == '--images' else FEW
    options = [*chosen, '--num-images', '2', '--num-questions', '3', '--out', figure, '--cfg-options', *few]
    (out, _), end = analyse('aspect_panel', MAKD, checkpoints[MAKD][0], *options)
    assert end is None
    assert out.count('mean |annotator - student|') == (2 if chosen[0] == '--choose' else 1)


def test_confusions(analyse, checkpoints, figure):
    options = ['--top', '2', '--out', figure, '--cfg-options', *FEW]
    models = ['--baseline', PLAIN, *checkpoints[PLAIN], '--makd', MAKD, *checkpoints[MAKD]]
    (out, _), end = analyse('confusions', *models, *options)
    assert end is None
    report = figure.with_suffix('.md').read_text()
    assert report in out
    assert '8 images of 4 classes; 2 runs of the baseline, 2 of MaKD' in report
    assert report.count(' of 4 ') >= 4  # two pairs, each seen on one image in two styles
    assert 'remain in runs left out of the choice' in report


def test_mistakes_are_one_message(analyse, checkpoints):
    plain, makd = checkpoints[PLAIN][0], checkpoints[MAKD][0]
    few = ['--cfg-options', *FEW]
    assert "no question 'animals' among the 66; close to it: 'animal'" in analyse(
        'aspect_histogram', MAKD, '--questions', 'animals', *few
    )[1]  # fmt: skip
    assert "no such class; close to it: 'fox'" in analyse('aspect_histogram', MAKD, '--classes', 'foxx', *few)[1]
    assert "there is no checkpoint 'no.pth'" in analyse('aspect_tsne', MAKD, 'no.pth')[1]
    assert '--by class: ' in analyse('aspect_tsne', MAKD, makd, '--by', 'class', *few)[1]
    assert 'needs four images at least' in analyse('aspect_tsne', MAKD, makd, '--max-images', '3', *few)[1]
    assert 'a config of a MaKD student is needed' in analyse('aspect_panel', PLAIN, plain, *few)[1]
    assert 'does not fit the config' in analyse('aspect_panel', MAKD, plain, *few)[1]
    assert 'no such image; close to it: ' in analyse('aspect_panel', MAKD, makd, '--images', 'a.png', *few)[1]
    assert '--choose right: there are' in analyse('aspect_panel', MAKD, makd, '--choose', 'right', *few)[1]
    assert '--out x.txt: a figure ends in' in analyse('aspect_panel', MAKD, makd, '--out', 'x.txt')[1]
    assert '--makd: give a config and at least one checkpoint' in analyse(
        'confusions', '--baseline', PLAIN, plain, '--makd', MAKD
    )[1]  # fmt: skip
    assert 'a config of a MaKD student is needed' in analyse(
        'confusions', '--baseline', PLAIN, plain, '--makd', PLAIN, plain, *few
    )[1]  # fmt: skip


def test_detection_errors(analyse, figure, tmp_path):
    """Two seeds of two detectors: the second finds the object in the first."""
    box = [10, 10, 20, 20]
    truth = dict(
        images=[dict(id=1, width=64, height=64)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=box, area=400, iscrowd=0)],
        categories=[dict(id=1, name='a')],
    )
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    for name, place in (('worse', [40, 40, 20, 20]), ('better', box)):
        found = [dict(image_id=1, category_id=1, bbox=place, score=0.5)]
        for seed in range(2):
            (tmp_path / f'{name}_{seed}.json').write_text(json.dumps(found))
    runs = [f'{name}={tmp_path}/{name}_0.json,{tmp_path}/{name}_1.json' for name in ('worse', 'better')]
    (out, _), end = analyse('detection_errors', str(tmp_path / 'truth.json'), *runs, '--out', str(figure))
    assert end is None
    cells = [cell.strip() for line in out.splitlines() if line.startswith('| AP50') for cell in line.split('|')]
    assert cells[2:5] == ['0.00 ± 0.00', '100.00 ± 0.00', '+100.00 ± 0.00']
