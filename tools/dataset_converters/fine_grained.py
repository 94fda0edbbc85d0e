"""The six fine-grained datasets and Caltech-101 of the paper (section 4.1), as mmpretrain's classes read them."""

from pathlib import Path

from dataset_converters.archives import unpack
from dataset_converters.download import Download
from dataset_converters.published import Published
from makd.errors import DataError
from makd.files import write_text

VGG = 'https://www.robots.ox.ac.uk/~vgg/data'
CALTECH = 'https://data.caltech.edu/records'

STANFORD_CARS = Published(
    files=(
        Download('cars_train.tgz', '065e5b463ae28d29e77c1b4b166cfe61'),
        Download('cars_test.tgz', '4ce7ebf6a94d07f1952d94dd34c4d501'),
        Download('car_devkit.tgz', 'c3b158d763b6e2245038c8ad08e45376'),
        Download('cars_test_annos_withlabels.mat', 'b0a2b23655a3edd16d84508592a98d10', folder='devkit'),
    ),
    counts={'cars_train/*.jpg': 8144, 'cars_test/*.jpg': 8041, 'devkit/cars_t*_annos*.mat': 3},
    by_hand=(
        "Stanford Cars: its makers' server is gone, and they have no other. Get cars_train.tgz, cars_test.tgz, "
        'car_devkit.tgz and cars_test_annos_withlabels.mat from somebody who has them (their checksums are verified), '
        'and name the folder: python tools/prepare_dataset.py stanford_cars --packages DIR'
    ),
)
OXFORD_PETS = Published(
    files=(
        Download(f'{VGG}/pets/data/images.tar.gz', '5c4f3ee8e5d25df40f4fd59a7f44e54c'),
        Download(f'{VGG}/pets/data/annotations.tar.gz', '95a8c909bbe2e81eed6a22bccdf3f68f'),
    ),
    counts={'images/*.jpg': 7390, 'annotations/t*.txt': 2},
)
DTD = Published(
    files=(Download(f'{VGG}/dtd/download/dtd-r1.0.1.tar.gz', 'fff73e5086ae6bdbea199a49dfb8a4c1'),),
    counts={'images/*/*.jpg': 5640, 'imdb/imdb.mat': 1},
    strip='dtd',
)
FLOWERS102 = Published(
    files=(
        Download(f'{VGG}/flowers/102/102flowers.tgz', '52808999861908f626f3c1f4e79d11fa'),
        Download(f'{VGG}/flowers/102/imagelabels.mat', 'e0620be6f572b9609742df49c70aed4d'),
        Download(f'{VGG}/flowers/102/setid.mat', 'a5357ecc9cb78c4bef273ce3793fc85c'),
    ),
    counts={'jpg/*.jpg': 8189, '*.mat': 2},
)
CUB200 = Published(
    files=(Download(f'{CALTECH}/65de6-vp158/files/CUB_200_2011.tgz', '97eceeb196236b17998738112f37df78'),),
    counts={'images/*/*.jpg': 11788, 'train_test_split.txt': 1},
    strip='CUB_200_2011',
)
FGVC_AIRCRAFT = Published(
    files=(Download(f'{VGG}/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz', 'd4acdd33327262359767eeaa97a4f732'),),
    counts={'data/images/*.jpg': 10000, 'data/images_variant_*.txt': 4},
    strip='fgvc-aircraft-2013b',
)


def _split_caltech101(out: Path) -> None:
    """Unpack the inner archive, and write the lists: every fifth image of a class is for the test.

    The background images are no class. ``meta/classes.txt`` has the name of one class per line. There is no official
    split, and the paper does not say which one it used.
    """
    folder = out / '101_ObjectCategories'
    inner = out / '101_ObjectCategories.tar.gz'
    if not inner.is_file():
        raise DataError(f'{inner} is missing: it is part of caltech-101.zip')
    unpack(inner, out)
    lines: dict[str, list[str]] = {'train': [], 'test': []}
    categories = sorted(entry.name for entry in folder.iterdir() if entry.name != 'BACKGROUND_Google')
    for label, category in enumerate(categories):
        for number, image in enumerate(sorted((folder / category).glob('*.jpg'))):
            lines['test' if number % 5 == 4 else 'train'].append(f'{category}/{image.name} {label}\n')
    for split, rows in lines.items():
        write_text(out / 'meta' / f'{split}.txt', ''.join(rows))
    write_text(out / 'meta' / 'classes.txt', '\n'.join(categories) + '\n')


CALTECH101 = Published(
    files=(Download(f'{CALTECH}/mzrjq-6wc02/files/caltech-101.zip', '3138e1922a9193bfa496528edbbc45d0'),),
    counts={'101_ObjectCategories/*/*.jpg': 9144, 'meta/*.txt': 3},
    strip='caltech-101',
    finish=_split_caltech101,
)
