"""Hooks that check, or replace, the targets of a training before its first step."""

from collections.abc import Iterator
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.models import ClsDataPreprocessor

from makd.datasets.dataset_wrappers import walk_datasets
from makd.datasets.load_targets import LoadAspectTargets, LoadTeacherLogits, target_transforms, training_transforms
from makd.datasets.targets_join import TargetsJoin
from makd.datasets.unread_images import describe_unread
from makd.errors import ConfigError, TargetsError
from makd.models.data_preprocessor import AspectDataPreprocessor
from makd.ranks import on_main_rank
from makd.registry import HOOKS
from makd.targets import AspectTargets
from makd.targets.controls import RandomTargets, ShuffledTargets


@HOOKS.register_module()
class AblateAspectTargetsHook(Hook):
    """Replace the training targets of any MaKD config by a control, to tell knowledge from regularisation.

    'shuffled': every class learns the answers about another class, so the targets keep their statistics and lose their
    meaning; in detection, where an image has no class, every image learns those about another image. 'random': the
    paper's "Rand" (Table 2), Gaussian logits for each image and question. Validation and test keep the true targets.

    Args:
        kind: 'shuffled' or 'random'.
        seed: Seed of the control; None takes the run's own seed (``randomness.seed``).

    Raises:
        ConfigError: ``kind`` has another value, or the training pipeline loads no targets.
    """

    priority = 'HIGH'  # before AspectTargetCheckHook, which then checks the control

    def __init__(self, kind: str, seed: int | None = None) -> None:
        if kind not in ('shuffled', 'random'):
            raise ConfigError(f"makd.AblateAspectTargetsHook: kind={kind!r} must be 'shuffled' or 'random'.")
        self.kind = kind
        self.seed = seed

    def before_train(self, runner: Runner) -> None:
        """Replace the targets that the training pipeline reads."""
        seed = runner.seed if self.seed is None else self.seed
        for dataset, transform in training_transforms(runner.train_dataloader.dataset, LoadAspectTargets):
            if self.kind == 'random':
                transform.targets = RandomTargets(transform.targets, seed=seed)
            else:
                join = TargetsJoin.of_dataset(dataset, transform)
                groups = join.labels if (join.labels >= 0).all() else range(len(join.labels))
                labels = dict(zip(join.keys(range(len(join.paths))), map(int, groups)))
                transform.targets = ShuffledTargets(transform.targets, labels, seed=seed)
        runner.logger.info(f'Training targets are replaced by {self.kind} ones, seed {seed}.')


@HOOKS.register_module()
class TeacherLogitsHook(Hook):
    """Order the classes of every ``makd.LoadTeacherLogits`` in training, by name, and check that no image lacks them.

    Raises:
        ConfigError: The training pipeline loads no teacher logits, or the teacher was asked about other classes.
        TargetsError: Images have no answers; the message has their number and the first ten keys.
    """

    def before_train(self, runner: Runner) -> None:
        """Order and check."""
        for dataset, transform in training_transforms(runner.train_dataloader.dataset, LoadTeacherLogits):
            transform.order(dataset.metainfo['classes'])
            join = TargetsJoin.of_dataset(dataset, transform)
            if missing := join.describe(~join.answered, f'no class probabilities in {transform.targets.path}'):
                raise TargetsError(
                    f'{missing}\nAnnotate them, or set data_root of makd.LoadTeacherLogits to the folder that the keys '
                    'are relative to.'
                )


@HOOKS.register_module()
class AspectTargetCheckHook(Hook):
    """Check before training that model, images and targets belong together, and log which questions are learnt.

    Every image of training and validation has targets (unless the transform says ``missing='ignore'``), the answers are
    undamaged, their number is the ``num_aspects`` of the head, and mixup and CutMix mix them with the images. In
    detection, no transform composes an image of several, because the annotator has not seen the composition.

    Raises:
        ConfigError: The training pipeline loads no targets, the model has no aspect outputs or another number of them,
            its data preprocessor mixes images without their aspects, or a transform composes images.
        TargetsError: Images have no targets (the message has their number and the first ten keys), or the folder of
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
            on_main_rank(targets.validate)  # it reads all answers, as num_missing does
            if is_main_process():
                runner.logger.info(
                    f'Aspect targets {path}: {len(targets)} images, {len(targets.questions)} questions, hash '
                    f'{targets.questions.hash}, {targets.num_missing} answers missing.'
                )


def _check_preprocessor(preprocessor: Any) -> None:
    if not isinstance(preprocessor, ClsDataPreprocessor) or isinstance(preprocessor, AspectDataPreprocessor):
        return  # a detector's batch_augments resize and pad
    if preprocessor.batch_augments:
        raise ConfigError(
            'The data preprocessor mixes images and classes (mixup, CutMix), but not their aspect targets. '
            "Set data_preprocessor.type='makd.AspectDataPreprocessor', which mixes all three."
        )


def _check_transforms(dataset: Any) -> None:
    for inner in walk_datasets(dataset):
        pipeline = getattr(inner, 'pipeline', ())
        for transform in _flat(getattr(pipeline, 'transforms', pipeline)):
            # mmdet's transforms that need further images (Mosaic, MixUp, CopyPaste, ...) have one of these methods.
            if any(hasattr(transform, name) for name in ('get_indexes', 'get_indices')):
                raise ConfigError(
                    f'{type(transform).__name__} in the pipeline of train_dataloader.dataset composes an image of '
                    'several, and the answers about one of them do not hold for it. Remove the transform, or train '
                    'without aspects.'
                )


def _flat(transforms: Any) -> Iterator[Any]:
    """Yield transforms, and the transforms inside them (RandomApply, TransformBroadcaster, ...)."""
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
    found = bool((join.rows >= 0).any())
    if isinstance(transform.targets, AspectTargets):  # a control makes its answers up
        found = join.has_answers
    if not found:
        raise TargetsError(
            f'{missing or f"{transform.targets.path} has no answer about any image."}\nThere would be nothing to learn '
            'from. Set data_root of makd.LoadAspectTargets to the folder that the keys are relative to, or annotate '
            'the images.'
        )
    if missing and transform.missing == 'error':
        raise TargetsError(
            f'{missing}\nAnnotate them, set data_root of makd.LoadAspectTargets to the folder that the keys are '
            "relative to, or set its missing='ignore' to train on these images' classes alone."
        )
    for message in (missing, describe_unread(dataset, transform)):
        if message:
            runner.logger.warning(message)
