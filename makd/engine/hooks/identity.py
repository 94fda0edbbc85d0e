"""Compare classes and questions by name wherever a dataset, a model and a checkpoint meet in a run."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from makd.datasets.dataset_wrappers import leaf_datasets
from makd.datasets.relabel import relabel
from makd.datasets.targets_join import identity_of
from makd.datasets.with_unlabelled import labelled_part
from makd.errors import ConfigError, DataError
from makd.identity import QUESTIONS, REGION_QUESTIONS, Identity, check_same
from makd.labels import UNKNOWN
from makd.models.distill_mixin import DistillMixin
from makd.registry import HOOKS
from makd.targets.region_key import IMAGES, REGIONS

# Heads of mmdet that tell other things apart than the dataset's classes.
OTHER_HEADS = {'rpn_head', 'semantic_head', 'reid'}


@HOOKS.register_module()
class IdentityHook(Hook):
    """Let no class and no question be taken for another of the same number; the tools give it to every run.

    Before training and testing, the classes of the dataset are compared with the head, the training set with
    validation set and teacher, and a resumed or tested checkpoint with the dataset; likewise the questions. The
    checkpoint of a MaKD student gets its questions about images as ``meta['questions']``, those about regions as
    ``meta['region_questions']``, beside the classes in ``meta['dataset_meta']``. What has no names cannot be compared,
    and a warning says so.

    Args:
        map_classes: In a test, give the images the labels that the checkpoint has for their classes, by name. The
            dataset may then have some of the checkpoint's classes, in any order.

    Raises:
        ConfigError: Classes or questions differ, or the head has another number of them.
        DataError: A label is not the number of a class, or a hidden folder is taken for a class.
    """

    def __init__(self, map_classes: bool = False) -> None:
        self.map_classes = map_classes
        self._checkpoint = Identity()
        self._trained = Identity()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the identity of the checkpoint."""
        self._checkpoint = Identity.of_checkpoint(checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Compare the training set with the model, the validation set, the teacher and a resumed checkpoint."""
        model = _bare(runner.model)
        dataset = runner.train_dataloader.dataset
        self._trained = trained = identity_of(dataset)
        _check_dataset(model, dataset, 'train_dataloader', runner)
        if runner.val_loop is not None:
            validation = runner.val_dataloader.dataset
            _check_dataset(model, validation, 'val_dataloader', runner)
            validated = identity_of(validation)
            check_same('val_dataloader.dataset', validated, 'train_dataloader.dataset', trained)
            _check_metrics(runner.val_evaluator, validated, 'val')
        if isinstance(model, DistillMixin) and model.teacher is not None:
            _check_teacher(model.teacher, trained, runner)
        if runner._resume:
            self._compare_checkpoint(runner, 'train_dataloader.dataset', trained)

    def after_train(self, runner: Runner) -> None:
        """Take the training set for what the model has learnt, whatever it began with."""
        self._checkpoint = self._trained

    def before_test(self, runner: Runner) -> None:
        """Compare the test set with the model and the checkpoint."""
        dataset = runner.test_dataloader.dataset
        if self.map_classes:
            if self._checkpoint.classes is None:
                raise ConfigError(f'--map-classes: {_checkpoint_name(runner)} does not name its classes.')
            _check_averages(runner.test_evaluator, dataset, self._checkpoint.classes)
            relabel(dataset, self._checkpoint.classes)
            runner.test_evaluator.dataset_meta = runner.visualizer.dataset_meta = dataset.metainfo
        tested = identity_of(dataset)
        self._compare_checkpoint(runner, 'test_dataloader.dataset', tested)
        _check_metrics(runner.test_evaluator, tested, 'test')
        _check_dataset(_bare(runner.model), dataset, 'test_dataloader', runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the questions."""
        for name in (QUESTIONS, REGION_QUESTIONS):
            questions = getattr(self._trained, name)
            if questions is not None:
                checkpoint['meta'][name] = questions.to_dict()

    def _compare_checkpoint(self, runner: Runner, owner: str, dataset: Identity) -> None:
        if not runner._has_loaded:
            return
        name = _checkpoint_name(runner)
        for what in ('classes', QUESTIONS, REGION_QUESTIONS):
            if getattr(dataset, what) is not None and getattr(self._checkpoint, what) is None:
                runner.logger.warning(
                    f'{name} does not name its {what.replace("_", " ")}, so they could not be compared with those of '
                    f'{owner}.'
                )
        check_same(name, self._checkpoint, owner, dataset)


def _check_dataset(model: nn.Module, dataset: Any, loader: str, runner: Runner) -> None:
    """Check that the classes of a dataset are classes, have as many outputs in the model, and that labels are valid."""
    identity = identity_of(dataset)
    classes = identity.classes
    if classes is None:
        runner.logger.warning(
            f'{loader}.dataset does not name its classes (metainfo.classes), so only their number is checked.'
        )
    hidden = [name for name in classes or () if str(name).startswith('.')]
    if hidden:
        raise DataError(
            f'{loader}.dataset takes the hidden folder {hidden[0]!r} for a class: remove it from '
            f'{_place(dataset)}, or move it elsewhere.'
        )
    heads = dict(_heads(model))
    if not heads:
        runner.logger.warning(
            f'{type(model).__name__} has no head with num_classes that could be compared with {loader}.'
        )
        return
    # In panoptic segmentation, boxes have the classes of things only.
    things = identity.dataset_meta.get('thing_classes')
    numbers = {len(names) for names in (classes, things) if names is not None}
    for name, head in heads.items():
        if classes is not None and head.num_classes not in numbers:
            raise ConfigError(
                f'model.{name}.num_classes is {head.num_classes}, and {loader}.dataset has {len(classes)} classes. Set '
                f'--cfg-options model.{name}.num_classes={len(classes)}.'
            )
    name = min(heads, key=lambda head: heads[head].num_classes)
    learns_without = loader == 'train_dataloader' and hasattr(heads[name], 'num_aspects')
    if labelled_part(dataset) is not dataset and not learns_without:
        raise ConfigError(
            f'train_dataloader.unlabelled: model.{name} is a {type(heads[name]).__name__}, which learns no aspects, so '
            'nothing could be learnt from images without labels. Take a MaKD head, or take unlabelled out.'
        )
    labels = _check_labels(dataset, heads[name].num_classes, f'model.{name}.num_classes', loader, learns_without)
    if learns_without and not labels and _is_classified(dataset):
        runner.logger.warning(f'No image of {loader}.dataset has a label: the student learns aspects and no classes.')
    if classes is None and labels and min(labels) == 1:
        runner.logger.warning(
            f'{loader}.dataset has labels from 1 to {max(labels)} and none with 0, but labels start at 0. If its '
            f'first class has the label 1, subtract 1 from all labels, and from model.{name}.num_classes.'
        )


def _check_metrics(evaluator: Evaluator, identity: Identity, split: str) -> None:
    """Check that a metric names the questions that its dataset has answers to."""
    for metric in evaluator.metrics:
        questions = getattr(metric, 'question_set', None)
        about_regions = getattr(metric, 'about', IMAGES) == REGIONS
        check_same(
            f'{type(metric).__name__} in {split}_evaluator',
            Identity(region_questions=questions) if about_regions else Identity(questions=questions),
            f'{split}_dataloader.dataset',
            identity,
        )


def _check_averages(evaluator: Evaluator, dataset: Any, classes: Sequence[str]) -> None:
    """Refuse averages over classes if some have no image, which would count as 0."""
    absent = [name for name in classes if name not in (dataset.metainfo.get('classes') or ())]
    for metric in evaluator.metrics:
        if absent and getattr(metric, 'average', None) == 'macro':
            raise ConfigError(
                f'--map-classes: the dataset lacks {len(absent)} of the {len(classes)} classes, first {absent[0]!r}, '
                f"and {type(metric).__name__} with average='macro' would count them as 0. Set its average to None, "
                'which gives the figure of each class, or leave it out of test_evaluator.'
            )


def _check_labels(dataset: Any, num_classes: int, field: str, loader: str, may_lack: bool) -> set[int]:
    """Return the labels of all images; raise a DataError for one that the head has no output for.

    If labels may lack, -1 stands for one that is not known.
    """
    seen: set[int] = set()
    for leaf in leaf_datasets(labelled_part(dataset)):
        if not hasattr(leaf, 'get_data_info'):
            continue
        for index in range(len(leaf)):
            info = leaf.get_data_info(index)
            if not isinstance(info.get('gt_label'), Sequence | np.integer | np.ndarray | int):
                break  # a detector's dataset, or one of several tasks
            labels = np.atleast_1d(info['gt_label'])
            if may_lack and labels.size == 1 and labels.item() == UNKNOWN:
                continue
            if labels.size and not (labels.min() >= 0 and labels.max() < num_classes):
                raise DataError(
                    f'{loader}.dataset gives {info.get("img_path", f"image {index}")} the label '
                    f'{labels.tolist() if labels.size > 1 else labels.item()}, and {field}={num_classes} allows 0 to '
                    f'{num_classes - 1}. Labels start at 0.'
                )
            seen.update(labels.tolist())
    return seen


def _is_classified(dataset: Any) -> bool:
    """Whether the images of a dataset have, or lack, a class each, and not objects."""
    leaf = next(leaf_datasets(dataset))
    return hasattr(leaf, 'get_data_info') and len(leaf) > 0 and 'instances' not in leaf.get_data_info(0)


def _check_teacher(teacher: Any, trained: Identity, runner: Runner) -> None:
    if teacher.classes is None or trained.classes is None:
        whose = 'The teacher' if teacher.classes is None else 'train_dataloader.dataset'
        runner.logger.warning(
            f'{whose} does not name its classes, so those of teacher and student could not be compared. '
            "model.teacher_classes=[...] names the teacher's."
        )
        return
    teacher.order(trained.classes)


def _heads(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the modules that tell the dataset's classes apart, with their names."""
    if hasattr(model, 'language_model') or hasattr(model, 'prototype'):
        return  # the outputs of a grounding model are words, the labels of a retrieval indices of its gallery
    for name, module in model.named_modules():
        part = next((part for part in reversed(name.split('.')) if not part.isdigit()), '')
        if (
            'head' in part
            and not OTHER_HEADS & {part, *name.split('.')}
            and isinstance(getattr(module, 'num_classes', None), int)
        ):
            yield name, module


def _bare(model: Any) -> Any:
    return model.module if is_model_wrapper(model) else model


def _checkpoint_name(runner: Runner) -> str:
    return f'the checkpoint {runner._load_from}' if runner._load_from else 'the resumed checkpoint'


def _place(dataset: Any) -> str:
    leaf = next(leaf_datasets(dataset))
    return str(getattr(leaf, 'img_prefix', None) or getattr(leaf, 'data_root', None) or 'its folder')
