"""mmengine's Runner with strict loading of weights, whole checkpoints, and makd's hooks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop
from mmengine.runner import Runner as MMEngineRunner
from torch.utils.data import DataLoader

from makd.checkpoints import load_matching_weights, load_weights, read_checkpoint
from makd.config import without_secrets
from makd.engine.resumed_schedule import check_same_schedule, check_same_steps, read_schedule
from makd.errors import ConfigError, DataError, MakdError
from makd.files import atomic_path
from makd.ranks import on_main_rank
from makd.secrets import masked_text
from makd.work_dir import last_checkpoint, saved_checkpoints

# Hooks that every training and test has, unless its config replaces them.
HOOKS = dict(
    identity=dict(type='makd.IdentityHook'),
    training_check=dict(type='makd.TrainingCheckHook'),
    epoch_seed=dict(type='makd.EpochSeedHook'),
)
RESUMED = ('message_hub', 'optimizer')  # what a checkpoint to resume from has beside weights


class Runner(MMEngineRunner):
    """A Runner that loads a checkpoint only if it is safe and belongs to its model.

    A test and a resumed training need every weight. A training that begins from other weights (``load_from``) needs
    most of those of the backbone, and logs what did not fit. What the Runner writes down has no secrets of the config.
    """

    _resume: bool
    _load_from: str | None

    def __init__(self, *args: Any, cfg: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, cfg=None if cfg is None else without_secrets(cfg), **kwargs)

    def register_default_hooks(self, hooks: dict[str, Any] | None = None) -> None:
        """Register mmengine's default hooks, and makd's."""
        super().register_default_hooks({**HOOKS, **(hooks or {})})

    @staticmethod
    def build_dataloader(dataloader: Any, seed: int | None = None, diff_rank_seed: bool = False) -> DataLoader:
        """Build a data loader as mmengine does.

        Raises:
            ConfigError: Its sampler composes batches of another size.
            DataError: Its dataset has no image, or its files are not what the dataset expects.
        """
        try:
            loader = MMEngineRunner.build_dataloader(dataloader, seed, diff_rank_seed)
        except (AssertionError, IndexError, RuntimeError, ValueError) as error:
            if isinstance(error, MakdError) or 'not installed' in str(error):  # a package, not the dataset
                raise
            raise DataError(_about_dataset(dataloader, str(error))) from error
        except KeyError as error:
            if 'registry' in str(error):  # a class that is not registered
                raise
            raise DataError(_about_dataset(dataloader, f'the field {error} is missing')) from error
        if (size := getattr(loader.sampler, 'batch_size', loader.batch_size)) != loader.batch_size:
            raise ConfigError(
                f'sampler.batch_size={size} of a data loader with batch_size={loader.batch_size}: the sampler '
                f'{type(loader.sampler).__name__} composes batches, so both must be the same.'
            )
        return loader

    def load_or_resume(self) -> None:
        """Load the weights that the run begins with; resume from the newest checkpoint that can be read.

        A process may have been killed while it wrote the last one, or the name of the last one.

        Raises:
            ConfigError: There are checkpoints, but none can be resumed from; or see :meth:`load_checkpoint`.
        """
        if self._resume and self._load_from is None:
            self._load_from = on_main_rank(self._newest_checkpoint)  # all resume from the same one
            self._resume = self._load_from is not None
        super().load_or_resume()

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict | None = None) -> None:
        """Scale the learning rate as mmengine does, but count all images of a step, which may have several passes."""
        if auto_scale_lr and 'base_batch_size' in auto_scale_lr:
            passes = getattr(optim_wrapper, '_accumulative_counts', 1)
            auto_scale_lr = {**auto_scale_lr, 'base_batch_size': auto_scale_lr['base_batch_size'] / passes}
        super().scale_lr(optim_wrapper, auto_scale_lr)

    def _newest_checkpoint(self) -> str | None:
        refused: list[str] = []
        for path in map(str, saved_checkpoints(Path(self.work_dir))):
            try:
                _check_resumable(read_checkpoint(path, '--resume'), path)
            except ConfigError as error:
                refused.append(str(error))
                continue
            if refused or last_checkpoint(Path(self.work_dir)) is None:
                reason = '\n  '.join(refused) or 'last_checkpoint does not name a file'
                self.logger.warning(f'Resuming from {path}, the newest checkpoint that is whole:\n  {reason}')
            return path
        if refused:
            raise ConfigError(
                '\n  '.join(refused) + f'\nNo other checkpoint in {self.work_dir} can be resumed from. To begin at the '
                'first epoch, remove these files.'
            )
        self.logger.warning(f'There is no checkpoint in {self.work_dir} to resume from: training begins anew.')
        return None

    @master_only
    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save a checkpoint; see mmengine. A local file appears under its name once it is complete."""
        if '://' in str(out_dir):
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
            return
        with atomic_path(Path(out_dir, filename)) as temporary:
            super().save_checkpoint(out_dir, temporary.name, *args, **kwargs)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = False,
        revise_keys: list | None = None,
    ) -> dict[str, Any]:
        """Load weights into the model, and return the checkpoint.

        Args:
            filename: Path or URL.
            map_location: As ``torch.load`` takes it.
            strict: Whether every weight is needed. Before a training, unless it is resumed, False: see the class.
            revise_keys: None: names are not changed, except for the prefix ``module.``.

        Raises:
            ConfigError: The checkpoint cannot be read, runs code, does not fit, or cannot be resumed from; or
                ``revise_keys`` is given.
        """
        if revise_keys is not None:
            raise ConfigError(f'revise_keys={revise_keys!r}: rename the keys in the file {filename!r} instead.')
        trains = isinstance(self._train_loop, BaseLoop) and self.iter == 0 and not strict
        field = '--resume' if self._resume else 'load_from' if trains else 'checkpoint'
        checkpoint = read_checkpoint(filename, field, map_location)
        # A config of mmcv 1, which mmengine would run as Python to learn the number of GPUs.
        checkpoint['meta'].pop('config', None)
        if self._resume:
            _check_resumable(checkpoint, filename)
            self._check_schedule(checkpoint, filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)

        model = self.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        where = (checkpoint, filename, field, self.cfg.filename or 'of the run')
        if trains and not self._resume:
            fit = load_matching_weights(model, *where)
            if not fit.exact:
                self.logger.warning(masked_text(f'load_from: not everything in {filename!r} fits the model:\n  {fit}'))
        else:
            load_weights(model, *where)
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {masked_text(filename)}')
        return checkpoint

    def _check_schedule(self, checkpoint: dict[str, Any], path: str) -> None:
        stored = read_schedule(checkpoint['meta'].get('cfg', ''))
        if stored is None:
            self.logger.warning(
                f'{path} does not say its schedule, so it could not be compared with that of the config.'
            )
        else:
            check_same_schedule(stored, self.cfg, path)
        if isinstance(self._train_loop, EpochBasedTrainLoop):
            meta, steps = checkpoint['meta'], len(self.train_dataloader)
            check_same_steps(meta['epoch'], meta['iter'], steps, self.cfg.get('param_scheduler'), path)


def _about_dataset(loader: Mapping[str, Any], reason: str) -> str:
    dataset = loader['dataset']
    if 'need at least one array to concatenate' in reason:
        reason = 'no image is left. Images without objects, or that filter_cfg excludes, are left out'
    fields = ', '.join(f'{key}={dataset[key]!r}' for key in ('type', 'data_root', 'ann_file') if key in dataset)
    return (
        f'The dataset {fields} cannot be loaded: {reason}. A file of annotations for classification has one image per '
        "line, its path and the number of its class from 0 with one space between them; a file in COCO's format has "
        'image_id, category_id, bbox, area and iscrowd for each object.'
    )


def _check_resumable(checkpoint: dict[str, Any], path: str) -> None:
    absent = [key for key in RESUMED if key not in checkpoint]
    absent += [f'meta.{key}' for key in ('epoch', 'iter') if not isinstance(checkpoint['meta'].get(key), int)]
    if absent:
        raise ConfigError(
            f'--resume: {path!r} has weights, but no {", ".join(absent)}, so no training can go on from it. Begin one '
            'from its weights with --cfg-options load_from=PATH.'
        )
