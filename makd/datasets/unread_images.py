"""Images that have answers, but are not read by a dataset, because of the suffixes of their names."""

import os
from typing import Any

from makd.datasets.load_targets import LoadTargets
from makd.targets import AspectTargets

LISTED = 10  # keys in a message


def describe_unread(dataset: Any, transform: LoadTargets) -> str:
    """Return a message about images in the folder of a dataset that have answers and that it does not read; '' if none.

    mmpretrain's ``CustomDataset`` leaves out files whose suffix is not among its ``extensions``, without a word:
    .webp, .gif and .tiff, unless they are given.

    Args:
        dataset: A dataset; only one that looks for files by their suffixes leaves images out.
        transform: The transform that gives its images their answers.
    """
    extensions = getattr(dataset, 'extensions', None)
    if not extensions or dataset.ann_file:
        return ''
    folder = os.path.relpath(dataset.img_prefix, transform.data_root or '.').replace(os.sep, '/')
    prefix = '' if folder == '.' else f'{folder}/'
    keys = AspectTargets.open(transform.targets.path).keys
    unread = [key for key in keys if key.startswith(prefix) and not key.lower().endswith(tuple(extensions))]
    if not unread:
        return ''
    suffixes = sorted({os.path.splitext(key)[1].lower() for key in unread})
    listed = '\n  '.join(unread[:LISTED] + ['...'] * (len(unread) > LISTED))
    return (
        f'{len(unread)} images in {dataset.img_prefix} have answers, but {type(dataset).__name__} does not read them '
        f'because of their suffixes:\n  {listed}\nTo read them, give the dataset '
        f'extensions={sorted({*extensions, *suffixes})}.'
    )
