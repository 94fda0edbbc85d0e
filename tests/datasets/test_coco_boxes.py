"""Boxes that are read without mmdet are those that mmdet reads."""

import json

import pytest
from PIL import Image

from makd.annotation.annotation_regions import AnnotationRegions
from makd.datasets.coco_boxes import CocoBoxes
from makd.datasets.regions import regions
from makd.datasets.subset import SubsetDataset
from makd.errors import DataError

BOXES = [
    dict(image_id=7, category_id=3, bbox=[10, 10, 20, 15.5]),
    dict(image_id=7, category_id=1, bbox=[0.1, 0.2, 5.55, 6.05]),
    dict(image_id=7, category_id=1, bbox=[0, 0, 50, 40], iscrowd=1),
    dict(image_id=7, category_id=1, bbox=[1, 1, 9, 9], ignore=1),
    dict(image_id=7, category_id=1, bbox=[-5, 30, 10, 100]),  # partly outside
    dict(image_id=7, category_id=1, bbox=[60, 10, 10, 10]),  # outside
    dict(image_id=7, category_id=1, bbox=[-10, 10, 10, 10]),  # touches the edge from outside
    dict(image_id=7, category_id=3, bbox=[10, 10, 0.9, 15]),  # tiny
    dict(image_id=7, category_id=3, bbox=[10, 10, 0, 15]),
    dict(image_id=7, category_id=3, bbox=[10, 10, 5, 15], area=0),
    dict(image_id=7, category_id=2, bbox=[10, 10, 20, 15]),  # of a class that is not asked for
    dict(image_id=2, category_id=3, bbox=[1, 2, 3, 4]),
    dict(image_id=99, category_id=3, bbox=[1, 2, 3, 4]),  # of an image that is not there
]


def save(path, boxes=BOXES):
    content = dict(
        images=[dict(id=id_, file_name=f'train/{id_}.png', width=50, height=40) for id_ in (7, 2, 5)],
        annotations=[dict(dict(id=i, area=9, iscrowd=0), **box) for i, box in enumerate(boxes)],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog'), dict(id=3, name='ür')],
    )
    (path / 'boxes.json').write_text(json.dumps(content))
    return dict(
        data_root=str(path),
        ann_file='boxes.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=('cat', 'ür')),
    )


def described(dataset):
    """Return what a dataset knows about each image, by its path."""
    fields = ('bbox', 'bbox_label', 'ignore_flag')
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    return {info['img_path']: [[box[field] for field in fields] for box in info['instances']] for info in infos}


def test_boxes_are_those_of_mmdet(tmp_path):
    datasets = pytest.importorskip('mmdet.datasets')
    arguments = save(tmp_path)
    found = described(CocoBoxes(**arguments))
    assert found == described(datasets.CocoDataset(**arguments))
    assert list(found) == [f'{tmp_path}/images/train/{id_}.png' for id_ in (2, 5, 7)]
    assert found[f'{tmp_path}/images/train/7.png'] == [
        [[10, 10, 30, 25.5], 1, 0],
        [[0.1, 0.2, 5.55 + 0.1, 6.25], 0, 0],
        [[0, 0, 50, 40], 0, 1],
        [[-5, 30, 5, 130], 0, 0],
    ]
    found_regions = [
        list(AnnotationRegions(str(tmp_path / 'images'), dict(type=type_, **arguments)).keys)
        for type_ in ('makd.CocoBoxes', 'mmdet.CocoDataset')
    ]
    assert found_regions[0] == found_regions[1]
    assert found_regions[0] == [
        'train/2.png#1,2,4,6',
        'train/7.png#-5,30,5,130',
        'train/7.png#0.1,0.2,5.65,6.25',
        'train/7.png#10,10,30,25.5',
    ]


def test_without_classes_they_are_those_of_the_file(tmp_path):
    arguments = save(tmp_path)
    del arguments['metainfo']
    dataset = CocoBoxes(**arguments)
    assert dataset.metainfo['classes'] == ('cat', 'dog', 'ür')
    assert [box[1] for box in described(dataset)[f'{tmp_path}/images/train/7.png']] == [2, 0, 0, 0, 1]


def test_a_file_that_does_not_fit_is_named(tmp_path):
    arguments = save(tmp_path)
    with pytest.raises(DataError, match=r"^\S*boxes\.json has no category 'cow', which metainfo\.classes names"):
        CocoBoxes(**{**arguments, 'metainfo': dict(classes=('cat', 'cow'))})
    for content in ('[]', '{"images": []}', '{"images', '{"images": [], "categories": [], "annotations": [{}]}'):
        (tmp_path / 'boxes.json').write_text(content)
        with pytest.raises(DataError, match=r"boxes\.json is not a file of boxes in COCO's format"):
            CocoBoxes(**arguments)
    save(tmp_path, [dict(image_id=7, category_id=1)])
    with pytest.raises(DataError, match=r"COCO's format \(KeyError\('bbox'\)\)"):
        CocoBoxes(**arguments)
    with pytest.raises(DataError, match=r'none\.json is not'):
        CocoBoxes(**{**arguments, 'ann_file': 'none.json'})


def test_boxes_of_pascal_voc(tmp_path):
    """mmdet reads them; difficult objects are to be ignored, and its corners count from 0."""
    pytest.importorskip('mmdet')
    folder = tmp_path / 'VOC2007'
    for name in ('JPEGImages', 'Annotations'):
        (folder / name).mkdir(parents=True)
    Image.new('RGB', (50, 40), (10, 20, 30)).save(folder / 'JPEGImages' / '000001.jpg')
    (folder / 'Annotations' / '000001.xml').write_text(
        '<annotation><size><width>50</width><height>40</height></size>'
        + ''.join(
            f'<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{x}</xmin><ymin>5</ymin>'
            f'<xmax>{x + 10}</xmax><ymax>25</ymax></bndbox></object>'
            for name, difficult, x in (('dog', 0, 11), ('cat', 1, 21), ('cat', 0, 3))
        )
        + '</annotation>'
    )
    (tmp_path / 'train.txt').write_text('000001\n')
    dataset = dict(
        type='mmdet.XMLDataset',
        data_root=str(tmp_path),
        ann_file='train.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=dict(classes=('cat', 'dog')),
    )
    images = AnnotationRegions(str(tmp_path), dataset)
    assert list(images.keys) == [f'VOC2007/JPEGImages/000001.jpg#{box}' for box in ('10,4,20,24', '2,4,12,24')]
    assert images[0]['inputs'].size == (10, 20)


def test_a_part_is_annotated_and_trained_alike(tmp_path):
    """1 % of COCO needs the answers about the boxes of these images only."""
    mmdet = pytest.importorskip('mmdet.datasets')
    arguments = save(tmp_path)
    content = json.loads((tmp_path / 'boxes.json').read_text())
    content['images'] = [dict(content['images'][0], id=i, file_name=f'train/{i}.png') for i in range(40)]
    content['annotations'] = [dict(BOXES[0], id=i, image_id=i, area=9, iscrowd=0) for i in range(0, 40, 2)]
    (tmp_path / 'boxes.json').write_text(json.dumps(content))
    annotated, trained = (
        SubsetDataset(dict(type=type_, **arguments, **filters), fraction=0.4)
        for type_, filters in (
            ('makd.CocoBoxes', {}),
            ('mmdet.CocoDataset', dict(filter_cfg=dict(filter_empty_gt=True))),
        )
    )
    with_objects = [path for path, boxes in described(annotated).items() if boxes]
    assert 0 < len(with_objects) < 20
    assert list(described(trained)) == with_objects
    part = dict(type='makd.SubsetDataset', fraction=0.4, dataset=dict(type='makd.CocoBoxes', **arguments))
    images = AnnotationRegions(str(tmp_path / 'images'), part)
    assert set(images.keys) == {region.path.removeprefix(f'{tmp_path}/images/') for region in _regions(trained)}
    assert isinstance(trained.dataset, mmdet.CocoDataset)


def _regions(dataset):
    return [region for index in range(len(dataset)) for _, region in regions(dataset.get_data_info(index))]
