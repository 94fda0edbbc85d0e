import math

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, InstanceData

from makd.errors import ConfigError
from makd.evaluation import AspectMetric
from makd.questions import Question, QuestionSet
from makd.registry import METRICS
from makd.targets import AspectTargets

nan = float('nan')


def samples(pred, target):
    return [
        BaseDataElement(pred_aspects=torch.tensor(p), gt_aspects=torch.tensor(t)).to_dict()
        for p, t in zip(pred, target)
    ]


def evaluate(pred, target, **kwargs):
    metric = METRICS.build(dict(type='makd.AspectMetric', **kwargs))
    for sample in samples(pred, target):
        metric.process(None, [sample])
    return metric.evaluate(len(pred))


QUESTIONS = QuestionSet([Question('wings', 'Does it have wings?'), Question('red', 'Is it red?')])

# Of five pairs of prediction and target: 0.9 and 1, 0.2 and 0, 0.4 and 0.8, 0.7 and 0.1, 0.5 and 0.25.
BCE = [
    -math.log(0.9),
    -math.log(0.8),
    -(0.8 * math.log(0.4) + 0.2 * math.log(0.6)),
    -(0.1 * math.log(0.7) + 0.9 * math.log(0.3)),
    -math.log(0.5),
]


@pytest.fixture
def questions_file(tmp_path):
    QUESTIONS.save(tmp_path / 'questions.json')
    return tmp_path / 'questions.json'


def test_figures_worked_out_by_hand():
    pred = [[0.9, 0.2], [0.4, 0.6], [0.7, 0.5]]
    target = [[1.0, 0.0], [0.8, nan], [0.1, 0.25]]
    figures = evaluate(pred, target)

    assert figures['aspect/bce'] == pytest.approx(sum(BCE) / 5, rel=1e-6)
    assert figures['aspect/agreement'] == pytest.approx(3 / 5)
    # Question 0: yes at 0.9 and 0.4, no at 0.7, so one of two orderings is right. Question 1 has no "yes": no AUC.
    assert figures['aspect/auc'] == pytest.approx(1 / 2)
    assert set(figures) == {'aspect/bce', 'aspect/agreement', 'aspect/auc'}


def test_auc_is_the_mean_over_questions_and_counts_ties_half():
    pred = [[0.5, 0.1], [0.5, 0.9], [0.2, 0.05], [0.8, 0.9]]
    target = [[0.9, 0.2], [0.1, 0.7], [0.3, 0.5], [0.6, 1.0]]
    # Question 0: yes {0.5, 0.8}, no {0.5, 0.2}: 0.5 + 1 + 1 + 1 of 4. Question 1: a target of 0.5 is "no"; perfect.
    assert evaluate(pred, target)['aspect/auc'] == pytest.approx((3.5 / 4 + 1) / 2)


def test_bce_of_saturated_probabilities_is_finite():
    # Right with certainty costs nothing, wrong with certainty 100 (torch's clamp), and half wrong 50.
    figures = evaluate([[1.0, 0.0, 0.0, 1.0]], [[1.0, 0.0, 1.0, 0.5]])
    assert figures['aspect/bce'] == pytest.approx((0 + 0 + 100 + 50) / 4)
    assert figures['aspect/agreement'] == pytest.approx(2 / 4)


def test_without_any_answer_all_figures_are_nan(monkeypatch):
    warnings = []
    monkeypatch.setattr('mmengine.logging.MMLogger.warning', lambda self, message: warnings.append(message))
    figures = evaluate([[0.3], [0.6]], [[nan], [nan]])
    assert all(math.isnan(value) for value in figures.values())
    assert len(figures) == 3
    assert any('none of the images has a target' in message for message in warnings)


def test_nan_predictions_show_in_the_figures():
    figures = evaluate([[nan], [0.4]], [[1.0], [0.0]])
    assert math.isnan(figures['aspect/bce'])
    assert math.isnan(figures['aspect/auc'])


def test_questions_add_figures_and_a_table_for_each(questions_file, monkeypatch):
    messages = []
    monkeypatch.setattr('mmengine.logging.MMLogger.info', lambda self, message: messages.append(message))
    pred = [[0.9, 0.25], [0.2, 0.5]]
    target = [[1.0, 0.0], [0.0, nan]]
    figures = evaluate(pred, target, questions=str(questions_file))

    assert figures['aspect/bce/wings'] == pytest.approx((-math.log(0.9) - math.log(0.8)) / 2, rel=1e-6)
    assert figures['aspect/agreement/wings'] == 1
    assert figures['aspect/auc/wings'] == 1
    assert figures['aspect/bce/red'] == pytest.approx(-math.log(0.75), rel=1e-6)
    assert math.isnan(figures['aspect/auc/red'])
    rows = messages[-1].split('\n')[1:]
    assert [row.split() for row in rows] == [
        ['question', 'bce', 'agreement', 'auc'],
        ['wings', '0.1643', '1.0000', '1.0000'],
        ['red', '0.2877', '1.0000', 'nan'],
    ]
    assert len({len(row) for row in rows}) == 1


def test_questions_of_a_targets_folder(tmp_path):
    logprobs = np.full((1, 2, 2), np.log(0.5), dtype=np.float32)
    AspectTargets.write(tmp_path / 'targets', questions=QUESTIONS, keys=['a.png'], logprobs=logprobs)
    assert AspectMetric(questions=tmp_path / 'targets').question_set.ids == ('wings', 'red')


@pytest.mark.parametrize(
    ('sample', 'message'),
    [
        ({'gt_aspects': torch.zeros(2)}, 'no `pred_aspects`'),
        ({'pred_aspects': torch.zeros(2)}, r'no `gt_aspects`.*LoadAspectTargets'),
        ({'pred_aspects': torch.zeros(3), 'gt_aspects': torch.zeros(2)}, 'predicts 3 aspects.* targets for 2'),
        ({'pred_aspects': torch.zeros(3), 'gt_aspects': torch.zeros(3)}, 'holds 2 questions.* targets for 3'),
    ],
)
def test_unfit_samples_are_refused(questions_file, sample, message):
    with pytest.raises(ConfigError, match=message):
        AspectMetric(questions=questions_file).process(None, [sample])


def test_results_do_not_hold_on_to_the_batch():
    batch = torch.rand(8, 2, requires_grad=True)
    metric = AspectMetric()
    metric.process(None, [{'pred_aspects': p.detach(), 'gt_aspects': p.detach()} for p in batch])
    assert len(metric.results) == 8
    assert all(result.untyped_storage().nbytes() == 4 * 4 for result in metric.results)


def of_regions(*images, **kwargs):
    """Evaluate images, each as its objects with answers, and its detections with predictions, by box."""
    metric = METRICS.build(dict(type='makd.AspectMetric', about='regions', **kwargs))
    for objects, detections in images:
        sample = BaseDataElement()
        for field, found in (('gt_instances', objects), ('pred_instances', detections)):
            boxes = torch.tensor([box for box, _ in found]).reshape(-1, 4)
            aspects = torch.tensor([p for _, p in found]).reshape(-1, 2)
            sample.set_field(InstanceData(bboxes=boxes, aspects=aspects), field)
        metric.process(None, [sample.to_dict()])
    return metric.evaluate(len(images))


def test_figures_of_regions_worked_out_by_hand():
    first = (
        [((0.0, 0, 10, 10), (1.0, 0.0)), ((20.0, 0, 30, 10), (0.8, nan)), ((50.0, 50, 60, 60), (0.0, 1.0))],
        [
            ((0.0, 0, 10, 5), (0.1, 0.1)),  # IoU 0.5 with the first object, which has a nearer one
            ((0.0, 0, 10, 9), (0.9, 0.2)),
            ((20.0, 0, 30, 5), (0.4, 0.6)),  # exactly 0.5 with the second
            ((50.0, 50, 60, 54.9), (0.7, 0.7)),  # 0.49 with the third, which is not found
        ],
    )
    second = ([((0.0, 0, 10, 10), (0.1, 0.25))], [((0.0, 1, 10, 10), (0.7, 0.5))])
    neither = ([((0.0, 0, 10, 10), (0.9, 0.9))], [])
    none = ([], [((0.0, 0, 10, 10), (0.9, 0.9))])
    figures = of_regions(first, second, neither, none)
    assert figures['region_aspect/found'] == pytest.approx(3 / 5)
    assert figures['region_aspect/bce'] == pytest.approx(sum(BCE) / 5, rel=1e-6)
    assert figures['region_aspect/agreement'] == pytest.approx(3 / 5)
    # Question 0: yes at 0.9 and 0.4, no at 0.7. Question 1 has no "yes" among the objects that were found.
    assert figures['region_aspect/auc'] == pytest.approx(1 / 2)
    assert len(figures) == 4


def test_regions_without_any_detection_or_object(questions_file):
    figures = of_regions(([((0.0, 0, 1, 1), (1.0, 0.0))], []), questions=questions_file)
    assert figures['region_aspect/found'] == 0
    assert math.isnan(figures['region_aspect/bce'])
    assert math.isnan(figures['region_aspect/auc/red'])
    assert math.isnan(of_regions(([], []))['region_aspect/found'])


def test_regions_without_aspects_are_named():
    metric = METRICS.build(dict(type='makd.AspectMetric', about='regions'))
    boxes, aspects = torch.zeros(1, 4), torch.zeros(1, 2)
    with pytest.raises(ConfigError, match=r'detections have no `aspects`; .*makd\.MaKDShared2FCBBoxHead'):
        metric.process(None, [dict(pred_instances=dict(bboxes=boxes), gt_instances=dict(bboxes=boxes))])
    predicted = dict(bboxes=boxes, aspects=aspects)
    with pytest.raises(ConfigError, match=r'objects have no `aspects`; .*makd\.LoadRegionAspects'):
        metric.process(None, [dict(pred_instances=predicted, gt_instances=dict(bboxes=boxes))])
    with pytest.raises(ConfigError, match='predicts 2 aspects, but there are targets for 1'):
        metric.process(None, [dict(pred_instances=predicted, gt_instances=dict(bboxes=boxes, aspects=aspects[:, :1]))])
    with pytest.raises(ConfigError, match=r"about='boxes' must be 'images' or 'regions'"):
        AspectMetric(about='boxes')


def test_a_student_that_has_diverged_does_not_pass_for_one_that_finds_nothing():
    figures = of_regions(([((0.0, 0, 10, 10), (1.0, 0.0))], [((0.0, 0, 10, 10), (nan, nan))]))
    assert figures['region_aspect/found'] == 1
    assert math.isnan(figures['region_aspect/bce'])
