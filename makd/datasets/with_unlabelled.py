"""A labelled training set with images that nobody has labelled."""

from typing import Any

from mmengine.dataset import BaseDataset

from makd.errors import ConfigError
from makd.labels import mark_unlabelled
from makd.registry import DATASETS


@DATASETS.register_module()
class WithUnlabelled:
    """The images of a labelled training set, then those of a dataset whose labels are not known, or not looked at.

    A MaKD classifier learns the answers about all images, and the classes of the labelled ones. A config asks for it
    with ``train_dataloader.unlabelled=dict(dataset=..., labelled_share=0.5)``, which also sets the sampler.

    Args:
        labelled: The labelled training set, or its config.
        unlabelled: The other images, or the config of their dataset, whose pipeline makes the same kind of samples.
        lazy_init: Whether to load annotations later, in :meth:`full_init`.

    Raises:
        ConfigError: One of them has no image, or is a detector's.
    """

    def __init__(self, labelled: BaseDataset | dict, unlabelled: BaseDataset | dict, lazy_init: bool = False) -> None:
        self.datasets = [DATASETS.build(part) if isinstance(part, dict) else part for part in (labelled, unlabelled)]
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """A copy of the meta information of the labelled images."""
        return self.datasets[0].metainfo

    @property
    def CLASSES(self) -> tuple[str, ...] | None:  # noqa: N802
        """Names of the classes, under the name that mmpretrain's ``ClassNumCheckHook`` reads."""
        return self.metainfo.get('classes')

    @property
    def num_labelled(self) -> int:
        """Number of labelled images, which are the first."""
        return len(self.datasets[0])

    def full_init(self) -> None:
        """Load the annotations."""
        if self._fully_initialized:
            return
        for name, dataset in zip(('labelled', 'unlabelled'), self.datasets):
            dataset.full_init()
            if not len(dataset):
                raise ConfigError(f'makd.WithUnlabelled: the {name} dataset has no image.')
            if 'instances' in dataset.get_data_info(0):
                raise ConfigError(
                    f'makd.WithUnlabelled: the {name} dataset is a {type(dataset).__name__}, whose images have '
                    'objects. Only classifiers learn from unlabelled images: take train_dataloader.unlabelled out.'
                )
        self._fully_initialized = True

    def get_data_info(self, idx: int) -> dict:
        """Return the annotation of an image, such as its ``img_path``; that of an unlabelled image has no label."""
        dataset, index = self._locate(idx)
        info = dataset.get_data_info(index)
        if dataset is not self.datasets[0]:
            info.pop('gt_label', None)
        return info

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    def __getitem__(self, idx: int) -> Any:
        dataset, index = self._locate(idx)
        item = dataset[index]
        if dataset is not self.datasets[0]:
            mark_unlabelled(item['data_samples'])
        return item

    def _locate(self, idx: int) -> tuple[Any, int]:
        self.full_init()
        labelled, unlabelled = self.datasets
        return (labelled, idx) if idx < len(labelled) else (unlabelled, idx - len(labelled))


def labelled_part(dataset: Any) -> Any:
    """Return the labelled images of a ``WithUnlabelled``, and any other dataset as it is."""
    return dataset.datasets[0] if isinstance(dataset, WithUnlabelled) else dataset
