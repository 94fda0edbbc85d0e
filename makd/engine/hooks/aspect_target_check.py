"""Find out before the first step, not in hour three, that an image has no targets."""

from collections.abc import Iterator
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.models import ClsDataPreprocessor

from makd.datasets.dataset_wrappers import walk_datasets
from makd.datasets.load_aspect_targets import LoadAspectTargets
from makd.datasets.load_targets import target_transforms, training_transforms
from makd.datasets.targets_join import TargetsJoin
from makd.errors import ConfigError, TargetsError
from makd.models.data_preprocessor import AspectDataPreprocessor
from makd.registry import HOOKS
from makd.targets import AspectTargets


@HOOKS.register_module()
class AspectTargetCheckHook(Hook):
    """Check before training that model, images and targets belong together, and log which questions are learnt.

    Every image of training and validation has targets (unless the transform says ``missing='ignore'``), the answers are
    undamaged, their number is the ``num_aspects`` of the head, and mixup and CutMix mix them with the images. In
    detection, no transform puts several images into one, about which nobody has asked.

    Raises:
        ConfigError: If the training pipeline loads no targets, or the model has no aspect outputs, or another number
            of them, or its data preprocessor mixes images and not their aspects, or a transform mixes images.
        TargetsError: If images have no targets: one error with the count and the first ten keys; or the folder of
            targets is damaged.
    """

    def before_train(self, runner: Runner) -> None:
        """Run the checks."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        _check_preprocessor(model.data_preprocessor)
        heads = {name: m.num_aspects for name, m in model.named_modules() if hasattr(m, 'num_aspects')}
        if not heads:
            raise ConfigError(
                'No module of the model has num_aspects. Give the model a MaKD head, for example model.head.type='
                "'makd.MaKDLinearClsHead', or take makd.AspectTargetCheckHook out of the config."
            )
        pairs = training_transforms(runner.train_dataloader.dataset, LoadAspectTargets)
        _check_transforms(runner.train_dataloader.dataset)
        if runner.val_loop is not None:
            pairs += target_transforms(runner.val_dataloader.dataset, LoadAspectTargets)
        for dataset, transform in pairs:
            _check_number_of_questions(heads, transform)
            _check_images(dataset, transform, runner)
        for path in sorted({transform.targets.path for _, transform in pairs}):
            targets = AspectTargets.open(path)
            if is_main_process():  # both read all answers
                targets.validate()
                runner.logger.info(
                    f'Aspect targets {path}: {len(targets)} images, {len(targets.questions)} questions, hash '
                    f'{targets.questions.hash}, {targets.num_missing} answers missing.'
                )


def _check_preprocessor(preprocessor: Any) -> None:
    if not isinstance(preprocessor, ClsDataPreprocessor) or isinstance(preprocessor, AspectDataPreprocessor):
        return  # a detector's batch_augments resize and pad
    if preprocessor.batch_augments:
        raise ConfigError(
            'The data preprocessor mixes images and classes (mixup, CutMix), and would leave their aspect targets as '
            "they are. Set data_preprocessor.type='makd.AspectDataPreprocessor', which mixes them too."
        )


def _check_transforms(dataset: Any) -> None:
    for inner in walk_datasets(dataset):
        pipeline = getattr(inner, 'pipeline', ())
        for transform in _flat(getattr(pipeline, 'transforms', pipeline)):
            # How mmdet's transforms say that they want further images: Mosaic, MixUp, CopyPaste and their like.
            if any(hasattr(transform, name) for name in ('get_indexes', 'get_indices')):
                raise ConfigError(
                    f'{type(transform).__name__} in the pipeline of train_dataloader.dataset makes one image of '
                    'several, and the answers to the questions about one of them are not true of it. Take the '
                    'transform out, or train without aspects.'
                )


def _flat(transforms: Any) -> Iterator[Any]:
    """Yield transforms, and those in them (RandomApply, TransformBroadcaster, ...)."""
    for transform in transforms:
        if isinstance(transform, list | tuple):
            yield from _flat(transform)
        else:
            yield transform
            yield from _flat(getattr(transform, 'transforms', None) or ())


def _check_number_of_questions(heads: dict[str, int], transform: LoadAspectTargets) -> None:
    for name, num_aspects in heads.items():
        if num_aspects != transform.num_aspects:
            raise ConfigError(
                f'{transform.targets.path} answers {transform.num_aspects} questions, model.{name} has num_aspects='
                f'{num_aspects}. Set model.{name}.num_aspects={transform.num_aspects}, or top={num_aspects} in '
                'makd.LoadAspectTargets.'
            )


def _check_images(dataset: Any, transform: LoadAspectTargets, runner: Runner) -> None:
    join = TargetsJoin.of_dataset(dataset, transform)
    missing = join.describe(join.rows < 0, f'no targets in {transform.targets.path}')
    if missing and transform.missing == 'error':
        raise TargetsError(
            f'{missing}\nAnnotate them, set data_root of makd.LoadAspectTargets to the folder that the keys are '
            "relative to, or set its missing='ignore' to train on these images' classes alone."
        )
    if missing:
        runner.logger.warning(missing)
