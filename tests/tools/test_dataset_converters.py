"""Datasets are prepared from a small local mirror, with broken connections and damaged archives."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.io
import torchvision
from mirror import Mirror, archive
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS

from dataset_converters import PREPARED, download, fine_grained, imagenet, preparer
from dataset_converters.coco import COCO
from dataset_converters.download import fetch
from makd import config
from makd.datasets.caltech101 import Caltech101
from makd.errors import DataError

FILES = {
    'annotations_trainval2017.zip': archive(
        '.zip', {'annotations/instances_train2017.json': '{}', 'annotations/instances_val2017.json': '{}'}
    ),
    'val2017.zip': archive('.zip', {f'val2017/{i}.jpg': 'x' * 5000 for i in range(2)}),
    'train2017.zip': archive('.zip', {f'train2017/{i}.jpg': 'x' * 5000 for i in range(3)}),
}
COUNTS = {'annotations/instances_*2017.json': 2, 'val2017/*.jpg': 2, 'train2017/*.jpg': 3}


@pytest.fixture
def serve(monkeypatch):
    """Return a function that starts a mirror of some files."""
    monkeypatch.setattr(download.time, 'sleep', lambda _: None)
    started = []

    def start(files):
        started.append(Mirror(files))
        return started[-1]

    yield start
    for mirror in started:
        mirror.server.shutdown()


@pytest.fixture
def mirror(serve):
    return serve(FILES)


def prepare(mirror, out, packages=None):
    printed = []
    replace(COCO, files=mirror.downloads(), counts=COUNTS).prepare(out, packages, log=printed.append)
    return '\n'.join(printed)


def test_images_and_annotations_are_laid_out_and_the_next_step_is_said(mirror, tmp_path):
    printed = prepare(mirror, tmp_path / 'coco')
    assert 'train2017/*.jpg: 3 files' in printed
    assert 'configs/annotate/internvl3_8b_coco.py' in printed
    found = {path.relative_to(tmp_path / 'coco').as_posix() for path in (tmp_path / 'coco').rglob('*.*')}
    assert {'annotations/instances_train2017.json', 'train2017/2.jpg', 'val2017/1.jpg'} <= found
    assert not list((tmp_path / 'coco').glob('*.zip'))
    requests = len(mirror.asked)
    prepare(mirror, tmp_path / 'coco')  # everything is there
    assert len(mirror.asked) == requests


@pytest.mark.parametrize('ranges', [True, False])
def test_a_download_goes_on_where_it_broke_off(mirror, tmp_path, ranges):
    mirror.ranges = ranges
    mirror.cut['train2017.zip'] = 4000
    prepare(mirror, tmp_path / 'coco')
    requests = [start for name, start in mirror.asked if name == 'train2017.zip']
    assert requests == [None, 'bytes=4000-']
    assert (tmp_path / 'coco' / 'train2017' / '0.jpg').stat().st_size == 5000


def test_what_an_earlier_command_left_is_used(mirror, tmp_path):
    part = tmp_path / 'val2017.zip.part'
    for kept in (100, len(FILES['val2017.zip'])):  # the second is whole, and the server has nothing after it
        part.write_bytes(FILES['val2017.zip'][:kept])
        path = fetch(mirror.downloads()[1], tmp_path, lambda _: None)
        assert path.read_bytes() == FILES['val2017.zip']
        path.unlink()


def test_a_damaged_archive_and_an_absent_server_are_told(mirror, tmp_path):
    dataset = replace(COCO, files=mirror.downloads(), counts=COUNTS)
    mirror.content['val2017.zip'] = b'y' + FILES['val2017.zip'][1:]
    with pytest.raises(DataError, match=r'val2017\.zip has the MD5 .* its publisher says'):
        dataset.prepare(tmp_path / 'a', None)
    del mirror.content['val2017.zip']
    with pytest.raises(DataError, match=r'val2017\.zip: the server answers 404'):
        dataset.prepare(tmp_path / 'b', None)
    mirror.server.shutdown()
    mirror.server.server_close()
    with pytest.raises(DataError, match=r'tried 5 times\. What has arrived is kept'):
        dataset.prepare(tmp_path / 'c', None)


@pytest.mark.parametrize('name', ['broken.zip', 'broken.tar.gz'])
def test_an_archive_that_is_none_is_told(serve, tmp_path, name):
    mirror = serve({name: b'not an archive'})
    with pytest.raises(DataError, match=f'{name} cannot be unpacked into'):
        replace(COCO, files=mirror.downloads(), counts=COUNTS).prepare(tmp_path, None)
    assert not list(tmp_path.glob('.*.unpacked'))


def test_missing_images_are_counted(mirror, tmp_path):
    prepare(mirror, tmp_path)
    (tmp_path / 'train2017' / '1.jpg').unlink()
    with pytest.raises(DataError, match=r'train2017/\*\.jpg: 2 files, but 3 are published'):
        prepare(mirror, tmp_path)
    for done in tmp_path.glob('.*.done'):
        done.unlink()
    assert 'train2017/*.jpg: 3 files' in prepare(mirror, tmp_path)  # as the message says


def test_archives_that_are_there_already_are_read_and_kept(mirror, tmp_path):
    (tmp_path / 'archives').mkdir()
    for name, content in FILES.items():
        (tmp_path / 'archives' / name).write_bytes(content)
    prepare(mirror, tmp_path / 'coco', tmp_path / 'archives')
    assert mirror.asked == []
    assert len(list((tmp_path / 'archives').iterdir())) == 3
    (tmp_path / 'archives' / 'train2017.zip').unlink()
    with pytest.raises(DataError, match=r'train2017\.zip are missing'):
        prepare(mirror, tmp_path / 'other', tmp_path / 'archives')


def test_what_was_laid_out_by_hand_is_not_fetched_again(mirror, tmp_path):
    prepare(mirror, tmp_path)
    for done in tmp_path.glob('.*.done'):
        done.unlink()
    requests = len(mirror.asked)
    prepare(mirror, tmp_path)
    assert len(mirror.asked) == requests


def test_what_a_person_added_is_left_alone(mirror, tmp_path):
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations' / 'mine.json').write_text('mine')
    prepare(mirror, tmp_path)
    assert (tmp_path / 'annotations' / 'mine.json').read_text() == 'mine'
    (tmp_path / 'train2017' / 'another.jpg').touch()
    requests = len(mirror.asked)
    prepare(mirror, tmp_path)
    assert len(mirror.asked) == requests


def small(name, mirror, counts, folders=None):
    """Return a published data set with the files of a mirror."""
    return replace(preparer(name), files=mirror.downloads(folders), counts=counts)


def split(type_, root, **arguments):
    init_default_scope('mmpretrain')
    return DATASETS.build(dict(type=type_, data_root=str(root), **arguments))


def test_mmpretrain_reads_what_is_laid_out(serve, tmp_path):
    """Each kind of archive as its authors published it, with two or three images."""
    names = {download.name for name in PREPARED if PREPARED[name][1] for download in preparer(name).files}

    pets = {
        'images.tar.gz': archive('.tar.gz', {f'images/pug_{i}.jpg': 'x' for i in (1, 2)}),
        'annotations.tar.gz': archive(
            '.tar.gz', {'annotations/trainval.txt': 'pug_1 26 2 9\n', 'annotations/test.txt': 'pug_2 26 2 9\n'}
        ),
    }
    small('oxford_pets', serve(pets), {'images/*.jpg': 2}).prepare(tmp_path / 'pets', None)
    (sample,) = split('OxfordIIITPet', tmp_path / 'pets', split='test').load_data_list()
    assert (sample['gt_label'], sample['img_path']) == (25, str(tmp_path / 'pets/images/pug_2.jpg'))

    birds = {
        'CUB_200_2011/images/001.A/a.jpg': 'x',
        'CUB_200_2011/images.txt': '1 001.A/a.jpg\n',
        'CUB_200_2011/image_class_labels.txt': '1 1\n',
        'CUB_200_2011/train_test_split.txt': '1 1\n',
        'attributes.txt': '',
    }
    cub = serve({'CUB_200_2011.tgz': archive('.tgz', birds)})
    small('cub200', cub, {'images/*/*.jpg': 1}).prepare(tmp_path / 'cub', None)
    assert len(split('CUB', tmp_path / 'cub', split='train')) == 1

    planes = {
        'fgvc-aircraft-2013b/data/images/0034309.jpg': 'x',
        'fgvc-aircraft-2013b/data/images_variant_test.txt': '0034309 707-320\n',
    }
    aircraft = serve({'fgvc-aircraft-2013b.tar.gz': archive('.tar.gz', planes)})
    small('fgvc_aircraft', aircraft, {'data/images/*.jpg': 1}).prepare(tmp_path / 'aircraft', None)
    assert len(split('FGVCAircraft', tmp_path / 'aircraft', split='test')) == 1

    textures = {'dtd/images/a/a_1.jpg': 'x', 'dtd/imdb/imdb.mat': 'x'}
    dtd = serve({'dtd-r1.0.1.tar.gz': archive('.tar.gz', textures)})
    small('dtd', dtd, {'images/*/*.jpg': 1}).prepare(tmp_path / 'dtd', None)
    assert (tmp_path / 'dtd' / 'imdb' / 'imdb.mat').is_file()

    for name, matrix in (('imagelabels.mat', {'labels': [[3, 4]]}), ('setid.mat', {'trnid': [[1]], 'tstid': [[2]]})):
        scipy.io.savemat(tmp_path / name, {key: np.array(value, np.uint8) for key, value in matrix.items()})
    flowers = {'102flowers.tgz': archive('.tgz', {f'jpg/image_0000{i}.jpg': 'x' for i in (1, 2)})}
    flowers.update({name: (tmp_path / name).read_bytes() for name in ('imagelabels.mat', 'setid.mat')})
    small('flowers102', serve(flowers), {'jpg/*.jpg': 2, '*.mat': 2}).prepare(tmp_path / 'flowers', None)
    assert {path.name for path in (tmp_path / 'flowers').iterdir() if path.name[0] != '.'} == {
        'jpg',
        'imagelabels.mat',
        'setid.mat',
    }

    assert {*pets, *flowers, 'CUB_200_2011.tgz', 'fgvc-aircraft-2013b.tar.gz', 'dtd-r1.0.1.tar.gz'} <= names


def test_caltech101_is_split_by_the_order_of_its_names(serve, tmp_path):
    pictures = {
        f'101_ObjectCategories/{name}/image_{i:04}.jpg': 'x'
        for name in ('Faces', 'BACKGROUND_Google', 'Faces_easy')
        for i in range(1, 7)
    }
    inner = {
        'caltech-101/101_ObjectCategories.tar.gz': archive('.tar.gz', pictures),
        'caltech-101/Annotations.tar': 'x',
    }
    mirror = serve({'caltech-101.zip': archive('.zip', inner)})
    caltech = small('caltech101', mirror, {'101_ObjectCategories/*/*.jpg': 18, 'meta/*.txt': 3})
    caltech.prepare(tmp_path, None)
    train, test = (split('makd.Caltech101', tmp_path, split=part).load_data_list() for part in ('train', 'test'))
    assert [(s['gt_label'], s['img_path'].rsplit('/', 2)[1:]) for s in test] == [
        (0, ['Faces', 'image_0005.jpg']),
        (1, ['Faces_easy', 'image_0005.jpg']),
    ]
    assert len(train) == 10
    assert (tmp_path / 'meta/classes.txt').read_text() == 'Faces\nFaces_easy\n'
    classes = Caltech101.METAINFO['classes']
    assert len(classes) == 101
    assert list(classes) == sorted(classes)  # labels are indices in this order

    # A list of the 102 classes that mmpretrain counts, as former versions wrote it.
    (tmp_path / 'meta/test.txt').write_text('Faces/image_0005.jpg 1\n')
    with pytest.raises(DataError, match=r'label 1 of .*Faces/image_0005.jpg is not that of the category Faces'):
        split('makd.Caltech101', tmp_path, split='test').full_init()


def test_stanford_cars_are_taken_from_where_a_person_put_them(serve, tmp_path):
    cars = {
        'cars_train.tgz': archive('.tgz', {'cars_train/00001.jpg': 'x'}),
        'cars_test.tgz': archive('.tgz', {'cars_test/00001.jpg': 'x'}),
        'car_devkit.tgz': archive('.tgz', {'devkit/cars_train_annos.mat': 'x', 'devkit/cars_test_annos.mat': 'x'}),
        'cars_test_annos_withlabels.mat': b'x',
    }
    assert {file.name: file.folder for file in fine_grained.STANFORD_CARS.files} == {
        **dict.fromkeys(cars, '.'),
        'cars_test_annos_withlabels.mat': 'devkit',
    }
    mirror = serve(cars)
    folders = {'cars_test_annos_withlabels.mat': 'devkit'}
    counts = {'cars_train/*.jpg': 1, 'cars_test/*.jpg': 1, 'devkit/cars_t*_annos*.mat': 3}
    dataset = small('stanford_cars', mirror, counts, folders)
    with pytest.raises(DataError, match=r'its makers. server is gone.*--packages DIR'):
        dataset.prepare(tmp_path / 'cars', None)
    assert not (tmp_path / 'cars').exists()
    (tmp_path / 'archives').mkdir()
    for name, content in cars.items():
        (tmp_path / 'archives' / name).write_bytes(content)
    dataset.prepare(tmp_path / 'cars', tmp_path / 'archives')
    assert (tmp_path / 'cars' / 'devkit' / 'cars_test_annos_withlabels.mat').read_bytes() == b'x'
    assert mirror.asked == []


def test_imagenet_says_what_a_person_has_to_do(tmp_path):
    with pytest.raises(DataError, match=r'register at .* --packages DIR'):
        imagenet.IMAGENET.prepare(tmp_path / 'imagenet', None)
    with pytest.raises(DataError, match=r'ILSVRC2012_devkit_t12\.tar\.gz.* are missing\. ImageNet is given'):
        imagenet.IMAGENET.prepare(tmp_path / 'imagenet', tmp_path)
    with pytest.raises(DataError, match='Larochelle'):
        imagenet.MINI_IMAGENET.prepare(tmp_path / 'mini', None)


def test_imagenet_is_unpacked_by_torchvision_and_its_checksums_are_its(tmp_path):
    known = dict(torchvision.datasets.imagenet.ARCHIVE_META.values())
    assert {file.name: file.md5 for file in imagenet.IMAGENET.files} == known
    for file in imagenet.IMAGENET.files:
        (tmp_path / file.name).write_bytes(b'x')
        with pytest.raises(DataError, match=f'{file.name}: The (archive|meta file) .* is not present'):
            imagenet.IMAGENET.unpacker(tmp_path / file.name, tmp_path)


def test_every_name_is_prepared_by_something():
    for name in PREPARED:
        assert callable(preparer(name).prepare)


def test_messages_name_exactly_the_datasets_that_can_be_prepared():
    assert tuple(PREPARED) == config.PREPARED
