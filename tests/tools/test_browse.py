import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

DATASET = "dict(type='mmpretrain.CustomDataset', data_root='images/{}', pipeline=[dict(type='PackInputs')])"
TRAINING = f"""
default_scope = 'mmpretrain'
load = dict(type='makd.LoadAspectTargets', targets='not_there', data_root='images')
dataset = {DATASET.format('train')}
dataset['pipeline'].append(load)
train_dataloader = dict(dataset=dict(type='RepeatDataset', times=2, dataset=dataset))
"""
ANNOTATION = f"""
default_scope = 'mmengine'
datasets = [{DATASET.format('train')}, {DATASET.format('val')}]
runner_type = 'makd.AnnotationRunner'
dataloader = dict(dataset=dict(type='makd.AnnotationImages', data_root='images', datasets=datasets))
"""
DETECTION = """
default_scope = 'mmdet'
load = dict(type='makd.LoadAspectTargets', targets='not_there', data_root='images')
dataset = dict(type='CocoDataset', data_root='images', ann_file='coco.json', data_prefix=dict(img='train/'),
               filter_cfg=dict(filter_empty_gt=True), metainfo=dict(classes=['cat']), pipeline=[load])
train_dataloader = dict(dataset=dataset)
"""
REGIONS = """
default_scope = 'mmdet'
boxes = dict(type='mmdet.CocoDataset', data_root='images', ann_file='boxes.json', data_prefix=dict(img='train/'),
             metainfo=dict(classes=['cat', 'dog']), pipeline=[])
dataloader = dict(dataset=dict(type='makd.AnnotationRegions', data_root='images', datasets=boxes))
"""
LEARNT = """
default_scope = 'mmdet'
load = dict(type='makd.LoadRegionAspects', targets='not_there', data_root='images', transforms=[])
dataset = dict(type='CocoDataset', data_root='images', ann_file='boxes.json', data_prefix=dict(img='train/'),
               metainfo=dict(classes=['cat', 'dog']), pipeline=[load])
train_dataloader = dict(dataset=dataset)
"""
KEYS = [f'{part}/{name}/{number}.png' for part in ('train', 'val') for name in ('cat', 'dog') for number in range(3)]


@pytest.fixture
def browse(tmp_path, monkeypatch, run_tool):
    for number, key in enumerate(KEYS):
        (tmp_path / 'images' / key).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGBA', (20, 10), (20 * number, 0, 0, 0)).save(tmp_path / 'images' / key)
    AspectTargets.write(
        tmp_path / 'answers',
        questions=QuestionSet([Question('q', 'Is it a question?')]),
        keys=KEYS,
        logprobs=np.log(np.full((len(KEYS), 1, 2), 0.5)),
    )
    coco = dict(
        images=[
            dict(id=n, file_name=key.removeprefix('train/'), width=20, height=10) for n, key in enumerate(KEYS[:6])
        ],
        categories=[dict(id=1, name='cat')],
        annotations=[],
    )
    (tmp_path / 'images/coco.json').write_text(json.dumps(coco))
    for name, text in (('training', TRAINING), ('annotation', ANNOTATION), ('detection', DETECTION)):
        (tmp_path / f'{name}.py').write_text(text)
    monkeypatch.chdir(tmp_path)

    return partial(run_tool, 'browse')


def data(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', Path(path).read_text('utf-8'))[1])


def test_a_folder_of_images(browse):
    (out, _), end = browse('answers', '--images', 'images')
    assert end is None
    assert '12 of 12 images with answers to 1 questions; 4 folders.' in out
    assert 'warning' not in out
    page = data('work_dirs/browse/answers.html')
    assert page['keys'] == KEYS
    assert page['classes'] == ['train/cat', 'train/dog', 'val/cat', 'val/dog']
    assert page['byFolder']


@pytest.mark.parametrize(
    ('config', 'images', 'classes'),
    [('training', 6, ['cat', 'dog']), ('annotation', 12, ['cat', 'dog']), ('detection', 6, ['train/cat', 'train/dog'])],
)
def test_the_datasets_of_a_config(browse, config, images, classes):
    (out, _), end = browse('answers', '--config', f'{config}.py', '--out', 'sub/page.html')
    assert end is None
    assert f'{images} of 12 images' in out
    page = data('sub/page.html')
    assert page['keys'] == KEYS[:images]
    assert page['classes'] == classes
    assert page['byFolder'] is (config == 'detection')


def test_an_annotation_config_without_datasets(browse):
    (out, _), end = browse(
        'answers', '--config', 'annotation.py', '--cfg-options', 'test_dataloader.dataset.datasets=[]'
    )
    assert end is None
    assert '12 of 12 images with answers to 1 questions; 4 folders.' in out


@pytest.fixture
def regions(browse, tmp_path):
    """Answers about two boxes in each image of training, of a cat and of a dog."""
    coco = json.loads((tmp_path / 'images/coco.json').read_text())
    coco['categories'] = [dict(id=1, name='cat'), dict(id=2, name='dog')]
    coco['annotations'] = [
        dict(id=2 * n + i, image_id=n, category_id=1 + i, bbox=[10 * i, 0, 10, 5], area=50, iscrowd=0)
        for n in range(6)
        for i in range(2)
    ]
    (tmp_path / 'images/boxes.json').write_text(json.dumps(coco))
    keys = [f'{key}#{box}' for key in KEYS[:6] for box in ('0,0,10,5', '10,0,20,5')]
    AspectTargets.write(
        tmp_path / 'regions',
        questions=QuestionSet([Question('q', 'Is it a question?')]),
        keys=keys,
        logprobs=np.log(np.full((len(keys), 1, 2), 0.5)),
    )
    for name, text in (('annotate_regions', REGIONS), ('learn_regions', LEARNT)):
        (tmp_path / f'{name}.py').write_text(text)
    return keys


@pytest.mark.parametrize(
    ('place', 'classes'),
    [
        (('--config', 'annotate_regions.py'), ['cat', 'dog']),
        (('--config', 'learn_regions.py'), ['cat', 'dog']),
        (('--images', 'images'), ['train/cat', 'train/dog']),
    ],
)
def test_regions(browse, regions, place, classes):
    (out, _), end = browse('regions', *place, '--out', 'page.html')
    assert end is None
    assert '12 of 12 regions with answers' in out
    assert '12 regions, ' in out
    assert 'placeholder' not in out
    page = data('page.html')
    assert page['classes'] == classes


def test_a_link_out_of_the_folder_is_found_behind_a_region(browse, regions, tmp_path):
    (tmp_path / 'secret.png').write_bytes((tmp_path / 'images' / KEYS[0]).read_bytes())
    (tmp_path / 'images' / KEYS[0]).unlink()
    (tmp_path / 'images' / KEYS[0]).symlink_to(tmp_path / 'secret.png')
    assert 'links to files outside' in browse('regions', '--images', 'images')[1]


def test_a_sample_is_always_the_same(browse):
    for name in ('a', 'b'):
        browse('answers', '--images', 'images', '--limit', '5', '--out', f'{name}.html')
    assert Path('a.html').read_bytes() == Path('b.html').read_bytes()
    page = data('a.html')
    assert len(page['keys']) == 5
    assert page['keys'] == sorted(page['keys'])
    assert page['numImages'] == 12


def test_images_that_are_absent_or_broken(browse):
    Path('images', KEYS[0]).unlink()
    Path('images', KEYS[1]).write_bytes(b'no image')
    (out, _), end = browse('answers', '--images', 'images')
    assert end is None
    assert f"warning: 2 images are absent or broken and have a placeholder, such as 'images/{KEYS[0]}'." in out
    ends = data('work_dirs/browse/answers.html')['pictureEnds']
    assert ends[:2] == [0, 0]
    assert ends[2] > 0


def test_links_out_of_the_folder_are_not_shown_unless_asked_for(browse, tmp_path):
    image = next(Path('images').rglob('*.png')).absolute()
    image.rename(tmp_path / 'private.png')
    image.symlink_to(tmp_path / 'private.png')
    assert 'private.png' in browse('answers', '--images', 'images')[1]
    assert not Path('work_dirs/browse/answers.html').exists()
    assert browse('answers', '--images', 'images', '--follow-links')[1] is None


def test_mistakes_are_one_message(browse):
    assert 'there is no folder' in browse('no', '--images', 'images')[1]
    assert "--images: there is no folder 'no'" in browse('answers', '--images', 'no')[1]
    assert "'images/train/train/cat/0.png': are the keys of answers relative" in browse(
        'answers', '--images', 'images/train'
    )[1]  # fmt: skip
    assert "There is no config file 'no.py'" in browse('answers', '--config', 'no.py')[1]
    assert '--limit 0: give 1 or more' in browse('answers', '--images', 'images', '--limit', '0')[1]
    assert '--thumbnail 8: give 16 or more' in browse('answers', '--images', 'images', '--thumbnail', '8')[1]
    assert browse('answers')[1] == 2  # argparse: one of --images, --config
    root = 'train_dataloader.dataset.dataset.data_root'
    assert f"{root}='no'" in browse('answers', '--config', 'training.py', '--cfg-options', f'{root}=no')[1]
    options = 'train_dataloader.dataset.dataset.pipeline.1.data_root=images/train'
    assert 'none of the 6 images of the datasets has answers' in browse(
        'answers', '--config', 'training.py', '--cfg-options', options
    )[1]  # fmt: skip
    Path('empty.py').write_text('model = dict()')
    assert 'empty.py: no dataset has a data_root' in browse('answers', '--config', 'empty.py')[1]
