"""Every config for annotation: loads, says how it is run, and its annotator is built on a small model of its family."""

import json
from pathlib import Path

import numpy as np
import pytest
from annotation import tiny_models
from mmengine.config import Config
from PIL import Image

from makd.config import check_makd_types, read_config
from makd.registry import DATASETS, MODELS

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.relative_to(ROOT) for path in ROOT.glob('configs/annotate/*.py'))
FAMILIES = {
    'OpenGVLab/InternVL3-8B-hf': 'internvl',
    'llava-hf/llava-v1.6-34b-hf': 'llava_next',
    'Qwen/Qwen2.5-VL-7B-Instruct': 'qwen2_5_vl',
    'Qwen/Qwen3-VL-8B-Instruct': 'qwen3_vl',
    'HuggingFaceTB/SmolVLM2-2.2B-Instruct': 'smolvlm',
}


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_config(path):
    pytest.importorskip('mmdet')  # fragments of datasets inherit its configs; absent beside transformers 5
    text = (ROOT / path).read_text()
    assert f'tools/annotate.py {path}' in text or f'tools/dist_annotate.sh {path}' in text
    cfg = Config.fromfile(ROOT / path)
    check_makd_types(cfg)
    assert cfg.writer.out_dir
    about_regions = 'regions' in path.stem
    assert cfg.dataloader.dataset.type == f'makd.Annotation{"Regions" if about_regions else "Images"}'
    assert not any(cfg.get(f'{part}_dataloader') for part in ('train', 'val', 'test'))


def write_pets(root):
    (root / 'annotations').mkdir()
    for part in ('trainval', 'test'):
        (root / 'annotations' / f'{part}.txt').write_text(f'{part} 1 1 1\n')
    return {'images/trainval.jpg', 'images/test.jpg'}


def write_mini_imagenet(root):
    names = [f'{number}.jpg' for number in range(501)]  # of which the last is for the test
    for part in ('train', 'val', 'test'):
        (root / f'{part}.csv').write_text('\n'.join(['filename,label', *(f'{name},n1' for name in names)]))
        names = []
    return {f'images/{number}.jpg' for number in range(501)}


def write_coco(root):
    (root / 'annotations').mkdir()
    for part in ('train2017', 'val2017'):
        image = dict(id=1, file_name=f'{part}.jpg', width=9, height=9)  # without objects, and too small for training
        content = dict(images=[image], annotations=[], categories=[dict(id=1, name='person')])
        (root / 'annotations' / f'instances_{part}.json').write_text(json.dumps(content))
    return {'train2017/train2017.jpg', 'val2017/val2017.jpg'}


@pytest.mark.parametrize(
    ('config', 'write'),
    [
        ('internvl2_8b_oxford_pets', write_pets),
        ('internvl2_8b_mini_imagenet', write_mini_imagenet),
        ('internvl3_8b_coco', write_coco),
    ],
)
def test_the_images_are_those_of_training_and_test(config, write, tmp_path):
    pytest.importorskip('mmpretrain')
    pytest.importorskip('mmdet')
    expected = write(tmp_path)
    images = Config.fromfile(ROOT / f'configs/annotate/{config}.py').dataloader.dataset
    for node in (images, *images.datasets):
        node.data_root = str(tmp_path)
    assert set(DATASETS.build(images).keys) == expected


@pytest.mark.parametrize('config', ['internvl3_8b_coco_regions', 'gpt_decisions_coco_regions'])
def test_the_regions_of_a_part_are_asked_about(config, tmp_path):
    pytest.importorskip('mmdet')
    write_coco(tmp_path)
    for part, count in (('train2017', 50), ('val2017', 1)):
        path = tmp_path / 'annotations' / f'instances_{part}.json'
        content = json.loads(path.read_text())
        content['images'] = [dict(id=i, file_name=f'{i}.jpg', width=90, height=90) for i in range(count)]
        content['annotations'] = [
            dict(id=i, image_id=i, category_id=1, bbox=[1, 2, 30, 40], area=9, iscrowd=0) for i in range(count)
        ]
        path.write_text(json.dumps(content))
    roots = ('data_root', 'datasets.0.dataset.data_root', 'datasets.1.data_root')
    options = {f'dataloader.dataset.{field}': str(tmp_path) for field in roots}
    whole, part = (
        set(DATASETS.build(read_config(f'configs/annotate/{config}.py', {**options, **more}).dataloader.dataset).keys)
        for more in ({}, {'dataloader.dataset.datasets.0.fraction': 0.2})
    )
    assert whole == {f'train2017/{i}.jpg#1,2,31,42' for i in range(50)} | {'val2017/0.jpg#1,2,31,42'}
    assert {'val2017/0.jpg#1,2,31,42'} < part < whole
    assert len(part) < 25


@pytest.mark.parametrize('name', FAMILIES)
def test_annotator(name, tmp_path):
    (fragment,) = (
        path for path in ROOT.glob('configs/_base_/annotators/*.py') if f"model='{name}'" in path.read_text()
    )
    settings = Config.fromfile(fragment).model.to_dict()
    folder = tiny_models.save_model(FAMILIES[name], tmp_path / 'model')
    settings.update(model=folder, device_map=None, questions=str(ROOT / 'data/emoji/aspects/questions.json'), top=3)
    annotator = MODELS.build(settings)
    noise = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    assert annotator.start(image)['scoring'] != 'naive'
    (answer,) = annotator.answer([annotator.preparer(image)])
    assert answer.logprobs.shape == (3, 2)
    assert (answer.logprobs < 0).all()
