"""ImageNet-1k and Mini-ImageNet, whose licence wants a person to fetch them."""

from collections.abc import Callable
from pathlib import Path

from makd.datasets.preparation.published import Published, missing_files
from makd.errors import DataError

COUNTS = {'train/*/*.JPEG': 1_281_167, 'val/*/*.JPEG': 50_000}
ARCHIVES = ('ILSVRC2012_devkit_t12.tar.gz', 'ILSVRC2012_img_val.tar', 'ILSVRC2012_img_train.tar')
BY_HAND = (
    'ImageNet is given to people who accept its terms: register at https://image-net.org, download '
    f'{", ".join(ARCHIVES)}, and give their folder: python tools/prepare_dataset.py imagenet --packages DIR'
)

MINI_IMAGENET = Published(
    files=(),
    counts={'images/*.jpg': 60_000, 't*.csv': 2, 'val.csv': 1},
    by_hand=(
        "Mini-ImageNet is a part of ImageNet, and its makers publish no archive. Put Ravi and Larochelle's train.csv, "
        'val.csv and test.csv (https://github.com/twitter-research/meta-learning-lstm) into data/mini_imagenet and the '
        '60,000 pictures that they name into data/mini_imagenet/images; then this command checks them'
    ),
)


def prepare(out: Path, packages: Path | None, shipped: Path | None = None, log: Callable[[str], None] = print) -> None:
    """Lay out ImageNet-1k in a folder a class, by torchvision, which knows the archives and their checksums.

    Args:
        out: Folder to build.
        packages: Folder of the three archives; None if ``out`` is only to be checked.
        shipped: Not used: nothing of it ships.
        log: Receives a line at each step.

    Raises:
        DataError: The archives are absent or damaged, or images are missing in the end.
    """
    if missing_files(COUNTS, out):
        if packages is None:
            raise DataError(BY_HAND)
        absent = [name for name in ARCHIVES if not (packages / name).is_file()]
        if absent:
            raise DataError(f'--packages {packages}: {", ".join(absent)} are not there. {BY_HAND}')
        from torchvision.datasets import imagenet

        out.mkdir(parents=True, exist_ok=True)
        steps = (imagenet.parse_devkit_archive, imagenet.parse_val_archive, imagenet.parse_train_archive)
        for name, step in zip(ARCHIVES, steps):
            done = out / f'.{name}.done'
            if not done.exists():
                log(f'{name}: reading')
                try:
                    step(str(out), str((packages / name).resolve()))
                except (RuntimeError, OSError) as error:
                    raise DataError(f'{packages / name}: {error}') from None
                done.touch()
    if missing := missing_files(COUNTS, out):
        raise DataError(f'{missing}: remove {out}/.*.done and give the same command again')
    for pattern, count in COUNTS.items():
        log(f'{out / pattern}: {count} files')
