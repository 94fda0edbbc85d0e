import pytest
from mmengine.registry import init_default_scope

from makd.errors import ConfigError, DataError
from makd.registry import DATASETS


@pytest.fixture
def folder(tmp_path):
    """Three lists of one class each, with 600 images, in another order than that of their names."""
    for part, wnid in (('train', 'n03'), ('val', 'n01'), ('test', 'n02')):
        rows = [f'{wnid}_{i:03}.jpg,{wnid}' for i in reversed(range(600))]
        (tmp_path / f'{part}.csv').write_text('filename,label\n' + '\n'.join(rows) + '\n')
    return tmp_path


def build(folder, **arguments):
    init_default_scope('mmpretrain')
    return DATASETS.build(dict(type='makd.MiniImageNet', data_root=str(folder), pipeline=[], **arguments))


def test_all_classes_are_in_both_splits(folder):
    train, test = build(folder), build(folder, split='test')
    assert train.metainfo['classes'] == test.metainfo['classes'] == ('n01', 'n02', 'n03')
    assert (len(train), len(test)) == (1500, 300)
    first, last = train.get_data_info(0), test.get_data_info(299)
    assert (first['gt_label'], first['img_path']) == (0, str(folder / 'images' / 'n01_599.jpg'))
    assert (last['gt_label'], last['img_path']) == (2, str(folder / 'images' / 'n03_000.jpg'))
    paths = [{data.get_data_info(i)['img_path'] for i in range(len(data))} for data in (train, test)]
    assert not paths[0] & paths[1]


def test_mistakes_are_named(folder):
    with pytest.raises(ConfigError, match="split='val' must be"):
        build(folder, split='val')
    (folder / 'val.csv').write_text('name,label\na,b\n')
    with pytest.raises(DataError, match=r"val\.csv has no column 'filename'"):
        build(folder)
    (folder / 'val.csv').unlink()
    with pytest.raises(DataError, match=r'val\.csv does not exist'):
        build(folder)
