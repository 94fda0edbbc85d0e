"""ImageNet-1k and Mini-ImageNet, which by their licence a person must fetch."""

from pathlib import Path

from dataset_converters.download import Download
from dataset_converters.published import Published
from makd.errors import DataError


def _unpack(path: Path, out: Path) -> None:
    """Unpack an archive of ImageNet into one folder per class, by torchvision."""
    from torchvision.datasets import imagenet  # torch: not for --help

    steps = {
        'ILSVRC2012_devkit_t12.tar.gz': imagenet.parse_devkit_archive,
        'ILSVRC2012_img_val.tar': imagenet.parse_val_archive,
        'ILSVRC2012_img_train.tar': imagenet.parse_train_archive,
    }
    try:
        steps[path.name](str(out), str(path.resolve()))
    except (RuntimeError, OSError) as error:
        raise DataError(f'{path}: {error}') from None


IMAGENET = Published(
    files=(
        Download('ILSVRC2012_devkit_t12.tar.gz', 'fa75699e90414af021442c21a62c3abf'),
        Download('ILSVRC2012_img_val.tar', '29b22e2961454d5413ddabcf34fc5622'),
        Download('ILSVRC2012_img_train.tar', '1d675b47d978889d74fa0da5fadfb00e'),
    ),
    counts={'val/*/*.JPEG': 50_000, 'train/*/*.JPEG': 1_281_167},
    by_hand=(
        'ImageNet is given to people who accept its terms: register at https://image-net.org, download '
        'ILSVRC2012_devkit_t12.tar.gz, ILSVRC2012_img_val.tar and ILSVRC2012_img_train.tar, and name their folder: '
        'python tools/prepare_dataset.py imagenet --packages DIR'
    ),
    unpacker=_unpack,
)

MINI_IMAGENET = Published(
    files=(),
    counts={'images/*.jpg': 60_000, 't*.csv': 2, 'val.csv': 1},
    by_hand=(
        "Mini-ImageNet is a part of ImageNet, and its makers publish no archive. Put Ravi and Larochelle's train.csv, "
        'val.csv and test.csv (https://github.com/twitter-research/meta-learning-lstm) into data/mini_imagenet and the '
        '60,000 images that they name into data/mini_imagenet/images; then this command checks them'
    ),
)
