"""How well a student's aspect probabilities match the targets."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torchvision.ops import box_iou

from makd.errors import ConfigError
from makd.questions import QuestionSet
from makd.registry import METRICS
from makd.targets import AspectTargets
from makd.targets.region_key import IMAGES, REGIONS

MIN_IOU = 0.5  # of an object and its detection


@METRICS.register_module()
class AspectMetric(BaseMetric):
    """Mean BCE, agreement and AUC of a student's answers against the annotator's.

    A pair is one image and one question: ``pred_aspects`` against ``gt_aspects``. A pair whose target is NaN (no
    answer) is left out of every figure. With ``about='regions'``, a pair is one object and one question: the detection
    that overlaps the object most, by an IoU of 0.5 or more whatever its class, against ``gt_instances.aspects``.
    Objects without such a detection are left out.

    - ``bce``: binary cross entropy in nats, mean over all pairs. As in :class:`torch.nn.BCELoss`, the logarithms are
      clamped at -100, so a probability of exactly 0 or 1 costs 100 if it is wrong and nothing if it is right.
    - ``agreement``: share of the pairs, in [0, 1], where prediction and target are on the same side of 0.5. A value of
      exactly 0.5 counts as "no".
    - ``auc``: area under the ROC curve of each question, in [0, 1], against targets binarised in the same way; mean
      over the questions that have both answers, NaN if no question has.

    - ``found``: only with ``about='regions'``, the share of the objects that a detection overlaps, in [0, 1].

    Figures without a pair are NaN.

    Args:
        about: 'images' or 'regions'.
        questions: A targets folder or a JSON file of questions. If given, a table of all questions is logged, and the
            figures of each one are returned as ``bce/<question id>``, ``agreement/<question id>`` and
            ``auc/<question id>``. ``makd.IdentityHook`` compares them with those of the targets.
        collect_device: ``'cpu'`` or ``'gpu'``, where results of different ranks are collected.
        prefix: Prefix of the names of the metrics; if None, ``'aspect'``, or ``'region_aspect'`` for regions.
        collect_dir: Directory through which ranks exchange results on ``'cpu'``.

    Raises:
        ConfigError: ``about`` has another value, a data sample lacks predictions or targets, or their number differs
            from each other or from the number of questions.
        QuestionsError: The file ``questions`` is absent or damaged.
        TargetsError: The folder ``questions`` is damaged.
    """

    def __init__(
        self,
        about: str = IMAGES,
        questions: str | PathLike | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        if about not in (IMAGES, REGIONS):
            raise ConfigError(f'AspectMetric: about={about!r} must be {IMAGES!r} or {REGIONS!r}.')
        prefix = prefix or ('region_aspect' if about == REGIONS else 'aspect')
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.about = about
        self.questions = questions
        self.question_set: QuestionSet | None = None
        if questions is not None:
            is_folder = Path(questions).is_dir()
            self.question_set = AspectTargets.open(questions).questions if is_folder else QuestionSet.load(questions)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the predictions and targets of one batch.

        Args:
            data_batch: Not used.
            data_samples: A batch of the model's outputs, each with ``pred_aspects`` (Q,), probabilities in [0, 1], and
                ``gt_aspects`` (Q,), targets in [0, 1] or NaN; or, about regions, with ``aspects`` (M, Q) and ``bboxes``
                (M, 4) of ``pred_instances`` and (G, ...) of ``gt_instances``, in pixels of the same image.
        """
        for sample in data_samples:
            pred, target = _of_regions(sample) if self.about == REGIONS else _of_image(sample)
            if pred.shape[1] != target.shape[1]:
                raise ConfigError(
                    f'AspectMetric: the head predicts {pred.shape[1]} aspects, but there are targets for '
                    f"{target.shape[1]}; set num_aspects of the head to the targets' number of questions"
                )
            if self.question_set is not None and target.shape[1] != len(self.question_set):
                raise ConfigError(
                    f'AspectMetric: {self.questions} holds {len(self.question_set)} questions, but there are targets '
                    f'for {target.shape[1]}; give the questions that the targets were made with'
                )
            # One copied tensor per sample: a slice would keep, and send between ranks, the whole batch.
            self.results.append(torch.stack([pred.cpu().float(), target.cpu().float()], dim=1))

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Compute the figures from the results of all samples.

        Args:
            results: For each sample a tensor (n, 2, Q) of predictions and targets of its image, or of its n objects;
                the predictions about an object that was not found are infinite.

        Returns:
            ``bce``, ``agreement``, ``auc``, about regions ``found``, and, if questions were given, those of each
            question.
        """
        pairs = torch.cat(results).double()
        metrics = {}
        if self.about == REGIONS:
            found = ~pairs[:, 0].isinf().any(dim=1)
            metrics['found'] = found.double().mean().item()
            pairs = pairs[found]
        pred, target = pairs.unbind(dim=1)
        answered = ~target.isnan()
        logger = MMLogger.get_current_instance()
        if not answered.any():
            logger.warning(
                f'AspectMetric: none of the {self.about} has a target for any question, so all of its figures are NaN.'
            )

        metrics.update(_bce_and_agreement(pred[answered], target[answered]))
        per_question = []
        for p, t in zip(pred.T, target.T):
            p, t = p[~t.isnan()], t[~t.isnan()]
            per_question.append({**_bce_and_agreement(p, t), 'auc': auc(p, t)})
        metrics['auc'] = torch.tensor([figures['auc'] for figures in per_question]).nanmean().item()

        if self.question_set is not None:
            logger.info('\n' + _table(self.question_set.ids, per_question))
            for question_id, figures in zip(self.question_set.ids, per_question):
                metrics.update({f'{name}/{question_id}': value for name, value in figures.items()})
        return metrics


def _of_image(sample: dict) -> tuple[Tensor, Tensor]:
    """Return predictions and targets, both (1, Q)."""
    if 'pred_aspects' not in sample:
        raise ConfigError(
            'AspectMetric: a data sample has no `pred_aspects`; use a head that predicts aspects, for example '
            "type='makd.MaKDLinearClsHead' in model.head"
        )
    if 'gt_aspects' not in sample:
        raise ConfigError(
            'AspectMetric: a data sample has no `gt_aspects`; put makd.LoadAspectTargets after PackInputs in '
            'the pipeline of the evaluated dataset'
        )
    return sample['pred_aspects'][None], sample['gt_aspects'][None]


def _of_regions(sample: dict) -> tuple[Tensor, Tensor]:
    """Return what the detections nearest to the G objects predict, infinity without one, and the targets, (G, Q)."""
    pred, gt = sample['pred_instances'], sample['gt_instances']
    if 'aspects' not in pred:
        raise ConfigError(
            'AspectMetric: the detections have no `aspects`; use a region head that predicts them, for example type='
            "'makd.MaKDShared2FCBBoxHead' in model.roi_head.bbox_head"
        )
    if 'aspects' not in gt:
        raise ConfigError(
            'AspectMetric: the objects have no `aspects`; put the pipeline of the evaluated dataset into '
            'makd.LoadRegionAspects'
        )
    target = gt['aspects'].to(pred['aspects'].device)
    nearest = torch.full((len(target), pred['aspects'].shape[1]), torch.inf, device=target.device)
    if len(pred['bboxes']) and len(target):
        overlaps = box_iou(gt['bboxes'].to(pred['bboxes'].device), pred['bboxes'])
        overlap, index = overlaps.max(dim=1)
        found = overlap >= MIN_IOU
        nearest[found] = pred['aspects'][index[found]].float()
    return nearest, target


def _bce_and_agreement(pred: Tensor, target: Tensor) -> dict[str, float]:
    """Return both figures of answered pairs; the tensors are (P,), float64."""
    bce = -(target * pred.log().clamp(min=-100) + (1 - target) * (-pred).log1p().clamp(min=-100))
    agreement = ((pred > 0.5) == (target > 0.5)).double()
    # A diverged student predicts NaN: it agrees with nothing, rather than with every 'no'.
    agreement = agreement.masked_fill(pred.isnan(), float('nan'))
    return {'bce': bce.mean().item(), 'agreement': agreement.mean().item()}


def auc(pred: Tensor, target: Tensor) -> float:
    """Return the AUC of one question's answered pairs, (P,); NaN if all answers are the same."""
    yes = target > 0.5
    # A diverged student predicts NaN: the figure shows it, where scikit-learn would raise an error.
    if not yes.any() or yes.all() or pred.isnan().any():
        return float('nan')
    return float(roc_auc_score(yes.numpy(), pred.numpy()))


def _table(question_ids: Sequence[str], per_question: list[dict[str, float]]) -> str:
    """Return one line per question, the columns aligned."""
    width = max(len('question'), *map(len, question_ids))
    lines = [f'{"question":<{width}}  {"bce":>7}  {"agreement":>9}  {"auc":>6}']
    for question_id, figures in zip(question_ids, per_question):
        lines.append(
            f'{question_id:<{width}}  {figures["bce"]:>7.4f}  {figures["agreement"]:>9.4f}  {figures["auc"]:>6.4f}'
        )
    return '\n'.join(lines)
