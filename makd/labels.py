"""Whether the class of a sample is known."""

from typing import Any

UNKNOWN = -1
"""The label of an image that nobody has labelled."""


def mark_unlabelled(data_sample: Any) -> None:
    """Say that the class of a sample is not known, where a head sees it without waiting for the accelerator.

    It keeps a label, ``UNKNOWN``: mmpretrain's data preprocessor needs one in all samples of a batch or in none.
    """
    data_sample.set_gt_label(UNKNOWN)
    data_sample.set_field(True, 'unlabelled', field_type='metainfo')


def is_labelled(data_sample: Any) -> bool:
    """Whether the class of a sample is known."""
    return ('gt_label' in data_sample or 'gt_score' in data_sample) and not data_sample.get('unlabelled', False)
