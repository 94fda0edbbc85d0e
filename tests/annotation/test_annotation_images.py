import json
import os
import pickle
import warnings

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from makd.annotation.annotation_images import AnnotationImages
from makd.errors import ConfigError, TargetsError

RED = (200, 10, 20)


def save(path, image=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or Image.new('RGB', (4, 4), RED)).save(path, **options)


def test_what_is_wrong_with_a_file_is_said_and_raises_nothing(tmp_path, monkeypatch):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    save(tmp_path / 'good.png', noise)
    content = (tmp_path / 'good.png').read_bytes()
    (tmp_path / 'cut.png').write_bytes(content[: len(content) // 2])
    (tmp_path / 'flipped.png').write_bytes(content[:99] + b'\xff' * 9 + content[108:])
    (tmp_path / 'empty.png').touch()
    (tmp_path / 'text.png').write_text('no image')
    save(tmp_path / 'float.tiff', Image.new('F', (2, 2)))
    save(tmp_path / 'bomb.png', Image.new('L', (200, 100)))
    (tmp_path / 'missing.png').touch()
    (tmp_path / 'pipe.png').touch()
    images = AnnotationImages(str(tmp_path))
    for name in ('missing.png', 'pipe.png'):  # between two runs
        (tmp_path / name).unlink()
    os.mkfifo(tmp_path / 'pipe.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1800)  # of which Pillow tolerates the double
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        items = {item['key']: item for item in (images[index] for index in range(len(images)))}
    good = items.pop('good.png')
    assert good['error'] is None
    assert good['inputs'].size == (40, 40)
    assert all(item['inputs'] is None for item in items.values())
    reasons = {key: item['error'] for key, item in items.items()}
    assert reasons['empty.png'] == 'the file is empty'
    assert reasons['missing.png'] == 'No such file or directory'
    assert reasons['pipe.png'] == 'it is a pipe, socket or device'
    assert reasons['text.png'] == 'not an image, or of a format that Pillow does not know'
    assert 'floating-point' in reasons['float.tiff']
    assert 'DecompressionBomb' in reasons['bomb.png']
    assert reasons['cut.png']
    assert reasons['flipped.png']
    assert not any(str(tmp_path) in reason or '0x' in reason or '\n' in reason for reason in reasons.values())


def test_an_image_that_cannot_be_prepared_is_said(tmp_path):
    save(tmp_path / 'a.png')
    images = AnnotationImages(str(tmp_path))

    def prepare(image):
        raise RuntimeError(f'too small: {image.size}\nsecond line')

    images.prepare = prepare
    item = images[0]
    assert (item['key'], item['inputs'], item['error']) == ('a.png', None, 'RuntimeError: too small: (4, 4)')
    images.prepare = Image.Image.getbbox
    assert images[0]['inputs'] == (0, 0, 4, 4)


def test_a_folder_is_listed_sorted_and_the_data_set_is_picklable(tmp_path):
    for name in ('b/2.jpg', 'b/10.JPEG', 'a/1.png', 'ü.webp'):
        save(tmp_path / name)
    (tmp_path / 'notes.txt').touch()
    images = pickle.loads(pickle.dumps(AnnotationImages(str(tmp_path))))
    assert list(images.keys) == ['a/1.png', 'b/10.JPEG', 'b/2.jpg', 'ü.webp']
    assert images[3]['error'] is None
    assert list(AnnotationImages(str(tmp_path), limit=2).keys) == ['a/1.png', 'ü.webp']
    assert len(AnnotationImages(str(tmp_path), limit=9)) == 4
    with pytest.raises(TargetsError, match='absent'):
        AnnotationImages(str(tmp_path / 'absent'))


def emoji(**kwargs):
    return dict(type='makd.EmojiDataset', styles=['noto'], split='val', categories=['Activities'], **kwargs)


def test_wrapped_data_sets_give_each_image_once_and_run_no_pipeline():
    pytest.importorskip('mmpretrain')
    pipeline = [dict(type='makd.LoadAspectTargets', targets='not/there/yet', data_root='x')]
    repeated = dict(type='RepeatDataset', times=3, dataset=emoji(pipeline=pipeline))
    both = dict(type='mmengine.ConcatDataset', datasets=[repeated, emoji()])
    noto = AnnotationImages('data/emoji/images', both)
    assert list(noto.keys) == sorted(set(noto.keys))
    assert all(key.startswith('noto/') for key in noto.keys)
    plain = AnnotationImages('data/emoji/images', emoji())
    assert list(noto.keys) == list(plain.keys)
    assert noto[0]['error'] is None
    part = AnnotationImages('data/emoji/images', dict(type='makd.SubsetDataset', fraction=0.5, dataset=emoji()))
    assert len(part) == round(0.5 * len(plain))
    assert set(part.keys) < set(plain.keys)
    styles = [emoji(), {**emoji(), 'styles': ['twemoji']}]
    assert len(AnnotationImages('data/emoji/images', styles)) == 2 * len(plain)


def test_a_detectors_training_set_is_not_filtered(tmp_path):
    pytest.importorskip('mmdet')
    names = ['train/1.jpg', 'train/2.jpg', 'train/tiny.jpg']
    annotation = dict(
        images=[dict(id=i, file_name=name, width=64, height=64) for i, name in enumerate(names)],
        annotations=[dict(id=1, image_id=0, category_id=1, bbox=[0, 0, 9, 9], area=81, iscrowd=0)],
        categories=[dict(id=1, name='person')],
    )
    annotation['images'][2].update(width=8, height=8)
    (tmp_path / 'coco.json').write_text(json.dumps(annotation))
    coco = dict(
        type='mmdet.CocoDataset',
        data_root=str(tmp_path),
        ann_file='coco.json',
        data_prefix=dict(img='images//'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=[dict(type='LoadImageFromFile')],
    )
    assert list(AnnotationImages(str(tmp_path / 'images'), coco).keys) == names
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert list(AnnotationImages(str(tmp_path / 'images'), {**coco, 'type': 'CocoDataset'}).keys) == names
    with pytest.raises(ConfigError, match=r'train/1\.jpg lies outside data_root=.*elsewhere'):
        AnnotationImages(str(tmp_path / 'elsewhere'), coco)
    coco['data_prefix'] = dict(img='images/../../up')
    with pytest.raises(ConfigError, match='lies outside'):
        AnnotationImages(str(tmp_path / 'images'), coco)


def test_data_sets_without_paths_are_refused_in_words():
    pytest.importorskip('mmpretrain')

    class Pixels:
        def __len__(self):
            return 1

        def get_data_info(self, index):
            return dict(img=np.zeros((2, 2)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('makd.annotation.annotation_images.DATASETS.build', lambda config: Pixels())
        with pytest.raises(ConfigError, match=r'Pixels .* has no `img_path`'):
            AnnotationImages('x', dict(type='Pixels'))
    with pytest.raises(ConfigError, match=r'Imagenet is not in .* write mmpretrain\.NAME'):
        AnnotationImages('x', dict(type='Imagenet', data_root='x'))
