"""Hooks that check, or replace, the targets of a training before its first step."""

import random
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.models import ClsDataPreprocessor

from makd.datasets.dataset_wrappers import walk_datasets
from makd.datasets.load_region_aspects import LoadRegionAspects
from makd.datasets.load_targets import (
    LoadAnswers,
    LoadAspectTargets,
    LoadTeacherLogits,
    target_transforms,
    training_transforms,
)
from makd.datasets.targets_join import TargetsJoin
from makd.datasets.unread_images import describe_unread
from makd.datasets.walk_transforms import refuse_mixing
from makd.datasets.with_unlabelled import labelled_part
from makd.errors import ConfigError, TargetsError
from makd.models.data_preprocessor import AspectDataPreprocessor
from makd.ranks import on_main_rank
from makd.registry import HOOKS
from makd.targets import AspectTargets
from makd.targets.controls import RandomTargets, ShuffledTargets, ShuffledWithinTargets
from makd.targets.region_key import IMAGES

TRIED = 8  # images that a pipeline is tried on


@HOOKS.register_module()
class AblateAspectTargetsHook(Hook):
    """Replace the training targets of any MaKD config by a control, to tell knowledge from regularisation.

    'shuffled': every class learns the answers about another class, so the targets keep their statistics and lose their
    meaning; images without a class, as a detector's, learn those about another image. 'shuffled_within': every image
    or region learns the answers about another one of its class, so that the targets keep what the label says and lose
    what the picture says. 'random': the paper's "Rand" (Table 2), Gaussian logits for each image and question.
    Validation and test keep the true targets.

    Args:
        kind: 'shuffled', 'shuffled_within' or 'random'.
        seed: Seed of the control; None takes the run's own seed (``randomness.seed``).

    Raises:
        ConfigError: ``kind`` has another value, the training pipeline loads no targets, or its images have no classes
            to shuffle within.
    """

    priority = 'HIGH'  # before AspectTargetCheckHook, which then checks the control

    def __init__(self, kind: str, seed: int | None = None) -> None:
        if kind not in (kinds := ('shuffled', 'shuffled_within', 'random')):
            raise ConfigError(
                f'makd.AblateAspectTargetsHook: kind={kind!r} must be one of {", ".join(map(repr, kinds))}.'
            )
        self.kind = kind
        self.seed = seed

    def before_train(self, runner: Runner) -> None:
        """Replace the targets that the training pipeline reads."""
        seed = runner.seed if self.seed is None else self.seed
        for dataset, transform in training_transforms(runner.train_dataloader.dataset, LoadAnswers):
            if self.kind == 'random':
                transform.targets = RandomTargets(transform.targets, seed=seed)
                continue
            join = TargetsJoin.of_dataset(dataset, transform)
            if self.kind == 'shuffled_within' and (join.labels < 0).any():
                raise ConfigError(
                    "makd.AblateAspectTargetsHook: kind='shuffled_within' needs a class of each image, which images of "
                    f"{type(dataset).__name__} do not have. kind='shuffled' exchanges their answers."
                )
            # An image without a class is a class of its own.
            groups = np.where(join.labels < 0, -1 - np.arange(len(join.labels)), join.labels)
            labels = dict(zip(join.keys(range(len(join.paths))), map(int, groups)))
            control = ShuffledTargets if self.kind == 'shuffled' else ShuffledWithinTargets
            transform.targets = control(transform.targets, labels, seed=seed)
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
            transform.order(runner.train_dataloader.dataset.metainfo['classes'])
            join = TargetsJoin.of_dataset(dataset, transform)
            if missing := join.describe(~join.answered, f'no class probabilities in {transform.targets.path}'):
                raise TargetsError(
                    f'{missing}\nAnnotate them, or set data_root of makd.LoadTeacherLogits to the folder that the keys '
                    'are relative to.'
                )


@HOOKS.register_module()
class AspectTargetCheckHook(Hook):
    """Check before training that model, images and targets belong together, and log which questions are learnt.

    Every image or region of training and validation has targets (unless the transform says ``missing='ignore'``), the
    answers are undamaged, their number is the ``num_aspects`` of each head that learns them, and mixup and CutMix mix
    them with the images. In detection, no transform composes an image of several, because the annotator has not seen
    the composition, and the pipeline keeps the answers about regions with their objects, as some images show.

    Raises:
        ConfigError: The training pipeline loads no targets, the model has no outputs for them or another number, its
            data preprocessor mixes images without their aspects, or a transform composes images or changes the labels
            of objects.
        TargetsError: Images have no targets (the message has their number and the first ten keys), or the folder of
            targets is damaged.
    """

    def before_train(self, runner: Runner) -> None:
        """Run the checks."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        _check_preprocessor(model.data_preprocessor, runner.train_dataloader.dataset)
        heads = {name: module for name, module in model.named_modules() if hasattr(module, 'num_aspects')}
        if not heads:
            raise ConfigError(
                'No module of the model has num_aspects. Give the model a MaKD head, for example model.head.type='
                "'makd.MaKDLinearClsHead', or take makd.AspectTargetCheckHook out of the config."
            )
        trained = runner.train_dataloader.dataset
        pairs: list[tuple[Any, LoadAnswers]] = []
        for kind in (LoadAspectTargets, LoadRegionAspects):
            if any(_about(head) == kind.about for head in heads.values()):
                pairs += training_transforms(trained, kind)
            elif found := list(target_transforms(trained, kind)):
                raise ConfigError(
                    f'{found[0][1].targets.path} has answers about {kind.about}, and no head of the model learns them '
                    f'(it has {", ".join(heads)}). Take makd.{kind.__name__} out of the pipeline, or add a head.'
                )
        for inner in walk_datasets(trained):
            refuse_mixing(getattr(inner, 'pipeline', None), 'the pipeline of train_dataloader.dataset')
        if runner.val_loop is not None:
            pairs += target_transforms(runner.val_dataloader.dataset, LoadAnswers)
        for dataset, transform in pairs:
            _check_number_of_questions(heads, transform)
            _check_images(dataset, transform, runner)
            if isinstance(transform, LoadRegionAspects):
                _try_pipeline(dataset, transform)
        for path in sorted({transform.targets.path for _, transform in pairs}):
            targets = AspectTargets.open(path)
            on_main_rank(targets.validate)  # it reads all answers, as num_missing does
            if is_main_process():
                runner.logger.info(
                    f'Aspect targets {path}: {len(targets)} {targets.about}, {len(targets.questions)} questions, hash '
                    f'{targets.questions.hash}, {targets.num_missing} answers missing.'
                )


def _check_preprocessor(preprocessor: Any, trained: Any) -> None:
    if not isinstance(preprocessor, ClsDataPreprocessor):
        return  # a detector's batch_augments resize and pad
    if preprocessor.to_onehot and labelled_part(trained) is not trained:  # as it is for mixup and CutMix
        raise ConfigError(
            'The data preprocessor turns labels into scores (mixup, CutMix or to_onehot), which the images of '
            'train_dataloader.unlabelled do not have. Take one of them out.'
        )
    if preprocessor.batch_augments and not isinstance(preprocessor, AspectDataPreprocessor):
        raise ConfigError(
            'The data preprocessor mixes images and classes (mixup, CutMix), but not their aspect targets. '
            "Set data_preprocessor.type='makd.AspectDataPreprocessor', which mixes all three."
        )


def _try_pipeline(dataset: Any, transform: LoadRegionAspects) -> None:
    """Run the pipeline on some images with objects, and leave the random numbers as they were."""
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002, mmcv draws from it
    for info in islice((info for info in infos if info['instances']), TRIED):
        transform.transform(info)
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])


def _about(head: Any) -> str:
    return getattr(head, 'about', IMAGES)


def _check_number_of_questions(heads: dict[str, Any], transform: LoadAnswers) -> None:
    for name, head in heads.items():
        if _about(head) == transform.about and head.num_aspects != transform.num_aspects:
            raise ConfigError(
                f'{transform.targets.path} answers {transform.num_aspects} questions, model.{name} has num_aspects='
                f'{head.num_aspects}. Set model.{name}.num_aspects={transform.num_aspects}, or top={head.num_aspects} '
                f'in makd.{type(transform).__name__}.'
            )


def _check_images(dataset: Any, transform: LoadAnswers, runner: Runner) -> None:
    join = TargetsJoin.of_dataset(dataset, transform)
    missing = join.describe(join.rows < 0, f'no targets in {transform.targets.path}')
    found = bool((join.rows >= 0).any())
    if isinstance(transform.targets, AspectTargets):  # a control makes its answers up
        found = join.has_answers
    name = f'makd.{type(transform).__name__}'
    if not found:
        nothing = missing or f'{transform.targets.path} has no answer about any of the {transform.about}.'
        raise TargetsError(
            f'{nothing}\nThere would be nothing to learn from. Set data_root of {name} to the folder that the keys are '
            f'relative to, or annotate the {transform.about}.'
        )
    if missing and transform.missing == 'error':
        raise TargetsError(
            f'{missing}\nAnnotate them, set data_root of {name} to the folder that the keys are relative to, or set '
            f"its missing='ignore' to train on the classes of these {transform.about} alone."
        )
    for message in (missing, describe_unread(dataset, transform)):
        if message:
            runner.logger.warning(message)
