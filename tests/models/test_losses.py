"""The losses against their formulas written out in float64, mdistiller's code, and values worked out by hand."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from makd.models.losses import DISTLoss, DKDLoss, KDLoss, LSKDLoss, MaKDKLLoss, MaKDLoss, WTTMLoss

NAN, INF = float('nan'), float('inf')
LSKD = dict(type='makd.KDLoss', temperature=2.0, loss_weight=9.0)


def tensors(num_samples=5, width=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(num_samples, width, generator=generator, dtype=torch.float64) * 3
    teacher = torch.randn(num_samples, width, generator=generator, dtype=torch.float64) * 3
    label = torch.randint(width, (num_samples,), generator=generator)
    return student, teacher, label


def mdistiller_dkd(logits_student, logits_teacher, target, alpha, beta, temperature):
    """mdistiller's dkd_loss, in its own steps (masks, two-way sums, minus 1000 on the label)."""
    gt_mask = torch.zeros_like(logits_student).scatter_(1, target[:, None], 1).bool()

    def two_way(p):
        return torch.cat([(p * gt_mask).sum(1, keepdim=True), (p * ~gt_mask).sum(1, keepdim=True)], dim=1)

    student = two_way(F.softmax(logits_student / temperature, dim=1))
    teacher = two_way(F.softmax(logits_teacher / temperature, dim=1))
    tckd = F.kl_div(student.log(), teacher, reduction='sum') * temperature**2 / len(target)
    teacher_rest = F.softmax(logits_teacher / temperature - 1000.0 * gt_mask, dim=1)
    student_rest = F.log_softmax(logits_student / temperature - 1000.0 * gt_mask, dim=1)
    nckd = F.kl_div(student_rest, teacher_rest, reduction='sum') * temperature**2 / len(target)
    return alpha * tckd + beta * nckd


def authors_lskd(logits_student, logits_teacher, temperature, weight):
    """The authors' kd_loss with logit_stand, in its own steps, sample by sample."""

    def scores(logits):
        return torch.stack([(row - row.sum() / len(row)) / (1e-7 + row.var(correction=1) ** 0.5) for row in logits])

    log_student = F.log_softmax(scores(logits_student) / temperature, dim=1)
    teacher = F.softmax(scores(logits_teacher) / temperature, dim=1)
    return weight * F.kl_div(log_student, teacher, reduction='none').sum(1).mean() * temperature**2


def authors_dist(z_s, z_t, beta, gamma, tau):
    """The authors' DIST: one minus the correlation of rows, and of columns."""
    y_s, y_t = (z_s / tau).softmax(1), (z_t / tau).softmax(1)

    def relation(a, b):
        correlations = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(a, b)]
        return 1 - torch.stack(correlations).mean()

    return tau**2 * (beta * relation(y_s, y_t) + gamma * relation(y_s.T, y_t.T))


def authors_wttm(y_s, y_t, exponent):
    """The authors' Algorithm 1."""
    powers = torch.pow(F.softmax(y_t, dim=1), exponent)
    norm = powers.sum(dim=1)
    kl = F.kl_div(F.log_softmax(y_s, dim=1), powers / norm[:, None], reduction='none').sum(dim=1)
    return (norm * kl).mean()


def test_makd_loss_by_hand():
    # z = 0 costs log 2 whatever the target; z = log 3 has sigmoid 3/4, so against p = 1/4 it costs
    # -(1/4 log 3/4 + 3/4 log 1/4); the mean runs over all four pairs.
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]], dtype=torch.float64)
    target = torch.tensor([[0.2, 1.0], [0.25, 0.5]], dtype=torch.float64)
    expected = 4.0 * (3 * math.log(2) - 0.25 * math.log(0.75) - 0.75 * math.log(0.25)) / 4
    assert MaKDLoss(loss_weight=4.0)(logits, target).item() == pytest.approx(expected, rel=1e-12)


def test_makd_loss_is_the_mean_over_questions_not_their_sum():
    logits, target = torch.randn(3, 5), torch.rand(3, 5)
    repeated = MaKDLoss()(logits.repeat(1, 10), target.repeat(1, 10))
    torch.testing.assert_close(repeated, MaKDLoss()(logits, target))


def test_makd_loss_gradient_is_sigmoid_minus_target():
    logits, _, _ = tensors()
    target = torch.rand(logits.shape, dtype=torch.float64)
    logits.requires_grad_()
    MaKDLoss(loss_weight=2.0)(logits, target).backward()
    torch.testing.assert_close(logits.grad, 2.0 * (logits.detach().sigmoid() - target) / logits.numel())


def test_makd_loss_leaves_unanswered_questions_out_of_mean_and_gradient():
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.5]], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[0.9, NAN], [NAN, 0.1]], dtype=torch.float64)
    loss = MaKDLoss(loss_weight=1.0)(logits, target)
    answered = F.binary_cross_entropy_with_logits(
        torch.tensor([0.3, 0.5], dtype=torch.float64), torch.tensor([0.9, 0.1], dtype=torch.float64)
    )
    torch.testing.assert_close(loss.detach(), answered)
    loss.backward()
    assert logits.grad[0, 1] == 0
    assert logits.grad[1, 0] == 0
    assert logits.grad[0, 0] != 0


@pytest.mark.parametrize('loss', [MaKDLoss(), MaKDKLLoss()])
def test_no_answer_at_all_is_zero_with_zero_gradient(loss):
    logits = torch.randn(2, 3, requires_grad=True)
    value = loss(logits, torch.full((2, 3), NAN))
    value.backward()
    assert value == 0
    assert torch.equal(logits.grad, torch.zeros(2, 3))


def test_makd_kl_loss_is_the_kl_divergence_between_distributions_over_questions():
    logits, _, _ = tensors()
    target = torch.rand(logits.shape, dtype=torch.float64)
    t = target / target.sum(1, keepdim=True)
    expected = 1.5 * sum((t[n] * (t[n].log() - logits[n].softmax(0).log())).sum() for n in range(len(t))) / len(t)
    torch.testing.assert_close(MaKDKLLoss(loss_weight=1.5)(logits, target), expected)


def test_makd_kl_loss_of_a_row_with_gaps_is_that_of_its_answered_questions():
    logits = torch.tensor([[0.3, -1.0, 2.0], [1.0, 2.0, 3.0]], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[0.9, NAN, 0.3], [NAN, NAN, NAN]], dtype=torch.float64)
    loss = MaKDKLLoss(loss_weight=1.0)(logits, target)
    expected = MaKDKLLoss(loss_weight=1.0)(
        torch.tensor([[0.3, 2.0]], dtype=torch.float64), torch.tensor([[0.9, 0.3]], dtype=torch.float64)
    )
    torch.testing.assert_close(loss.detach(), expected)
    loss.backward()
    assert torch.equal(logits.grad[1], torch.zeros(3, dtype=torch.float64))
    assert logits.grad[0, 1] == 0


def test_makd_kl_loss_differs_from_bce_in_its_gradient():
    logits, target = torch.randn(4, 6, requires_grad=True), torch.rand(4, 6)
    (bce,) = torch.autograd.grad(MaKDLoss()(logits, target), logits)
    (kl,) = torch.autograd.grad(MaKDKLLoss()(logits, target), logits)
    assert not torch.allclose(bce / bce.norm(), kl / kl.norm(), atol=0.1)


def test_kd_loss_against_the_written_out_formula():
    student, teacher, _ = tensors()
    p, q = (teacher / 4).softmax(1), (student / 4).softmax(1)
    expected = 0.9 * 16 * (p * (p / q).log()).sum() / len(student)
    torch.testing.assert_close(KDLoss(temperature=4.0, loss_weight=0.9)(student, teacher), expected)


def test_kd_loss_by_hand():
    # Teacher (1/2, 1/2), student (3/4, 1/4): KL = log 2 - (log 3) / 2 ... = -1/2 log(3/4) at T = 1.
    student = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64)
    teacher = torch.zeros(1, 2, dtype=torch.float64)
    assert KDLoss(temperature=1.0, loss_weight=1.0)(student, teacher).item() == pytest.approx(-0.5 * math.log(0.75))


@pytest.mark.parametrize(('alpha', 'beta', 'temperature'), [(1.0, 8.0, 4.0), (0.5, 0.5, 1.0), (1.0, 0.0, 2.0)])
def test_dkd_loss_and_gradient_equal_mdistillers(alpha, beta, temperature):
    student, teacher, label = tensors()
    ours, theirs = student.clone().requires_grad_(), student.clone().requires_grad_()
    loss = DKDLoss(alpha, beta, temperature)(ours, teacher, label)
    reference = mdistiller_dkd(theirs, teacher, label, alpha, beta, temperature)
    torch.testing.assert_close(loss, reference)
    torch.testing.assert_close(*(torch.autograd.grad(x, y)[0] for x, y in ((loss, ours), (reference, theirs))))


def assert_equal_with_gradients(loss, reference, student, teacher, **tolerance):
    ours, theirs = student.clone().requires_grad_(), student.clone().requires_grad_()
    value, expected = loss(ours, teacher), reference(theirs, teacher)
    torch.testing.assert_close(value, expected, **tolerance)
    gradients = [torch.autograd.grad(x, y)[0] for x, y in ((value, ours), (expected, theirs))]
    torch.testing.assert_close(*gradients, **tolerance)


@pytest.mark.parametrize(('num_samples', 'width'), [(5, 7), (1, 7), (5, 2), (1, 2)])
def test_lskd_and_wttm_losses_and_gradients_equal_their_authors(num_samples, width):
    student, teacher, _ = tensors(num_samples, width)
    assert_equal_with_gradients(LSKDLoss(LSKD), partial(authors_lskd, temperature=2.0, weight=9.0), student, teacher)
    for gamma in (0.1, 0.8):
        loss = WTTMLoss(gamma=gamma, loss_weight=1.0)
        assert_equal_with_gradients(loss, partial(authors_wttm, exponent=gamma), student, teacher)


@pytest.mark.parametrize('width', [7, 2])
@pytest.mark.parametrize(('beta', 'gamma', 'temperature'), [(2.0, 3.0, 4.0), (1.0, 1.0, 1.0), (0.0, 1.0, 1.0)])
def test_dist_loss_and_gradient_equal_its_authors(width, beta, gamma, temperature):
    student, teacher, _ = tensors(width=width)
    reference = partial(authors_dist, beta=beta, gamma=gamma, tau=temperature)
    # torch.corrcoef has no epsilon of 1e-8 beside the norms.
    assert_equal_with_gradients(DISTLoss(beta, gamma, temperature), reference, student, teacher, rtol=1e-5, atol=1e-6)


def test_dist_loss_of_one_sample_has_no_relation_between_samples():
    student, teacher, _ = tensors(num_samples=1)
    student.requires_grad_()
    loss = DISTLoss(gamma=3.0)(student, teacher)
    rows = DISTLoss(gamma=0.0)(student, teacher)
    torch.testing.assert_close(loss, rows + 3.0)
    torch.testing.assert_close(*(torch.autograd.grad(x, student, retain_graph=True)[0] for x in (loss, rows)))


def test_dist_loss_by_hand():
    # Two samples, two classes, the student sure of the opposite: each of the four correlations is -1.
    student = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    assert DISTLoss()(student, -student).item() == pytest.approx(4.0, abs=1e-6)
    assert DISTLoss()(student, student).item() == pytest.approx(0.0, abs=1e-6)


def test_wttm_loss_by_hand():
    # The teacher's (4/5, 1/5) to the power 1/2 is (2, 1) / sqrt(5): U = 3 / sqrt(5) and (2/3, 1/3). The student's
    # (1/2, 1/2) costs KL = log 2 - H(1/3).
    teacher = torch.tensor([[math.log(4), 0.0]], dtype=torch.float64)
    entropy = -(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3)
    expected = 3 / math.sqrt(5) * (math.log(2) - entropy)
    loss = WTTMLoss(gamma=0.5, loss_weight=1.0)(torch.zeros(1, 2, dtype=torch.float64), teacher)
    assert loss.item() == pytest.approx(expected)


def test_lskd_loss_does_not_see_scale_and_shift():
    student, teacher, label = tensors()
    for around in (LSKD, dict(type='makd.DKDLoss')):
        loss = LSKDLoss(around)
        torch.testing.assert_close(loss(student * 5 + 3, teacher, label), loss(student, teacher, label))
        assert loss(teacher * 0.1 - 7, teacher, label).item() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize('width', [2, 3, 7])
@pytest.mark.parametrize('excluded', ['label', 'other'])
def test_a_class_that_the_teacher_excludes_costs_what_it_does_elsewhere(width, excluded):
    """A teacher's logit of -inf is a probability of 0, and 0 log 0 is 0."""
    student, teacher, label = tensors(width=width)
    column = label if excluded == 'label' else (label + 1) % width
    without, nearly = teacher.clone(), teacher.clone()
    without[torch.arange(5), column] = -INF
    nearly[torch.arange(5), column] = -1e6
    only_rest = width == 2 and excluded == 'other'  # mdistiller gives the mask's 1000 there, which is no distribution
    losses = {'kd': KDLoss(), 'dkd': DKDLoss(), 'wttm': WTTMLoss(), 'dist': DISTLoss()}
    for name, loss in losses.items():
        ours = student.clone().requires_grad_()
        value = loss(ours, without, label)
        torch.testing.assert_close(value, loss(student, nearly, label), msg=name)
        assert torch.isfinite(torch.autograd.grad(value, ours)[0]).all(), name
    if not only_rest:
        expected = mdistiller_dkd(student, without, label, 1.0, 8.0, 4.0)
        torch.testing.assert_close(DKDLoss()(student, without, label), expected)


def test_dkd_recouples_to_kd():
    # Zhao et al., Eq. 7: KD = TCKD + (1 - p_label of the teacher) * NCKD, for each sample.
    student, teacher, label = tensors(num_samples=1)
    rest = 1 - (teacher / 2).softmax(1)[0, label[0]]
    dkd = DKDLoss(alpha=1.0, beta=rest.item(), temperature=2.0)(student, teacher, label)
    torch.testing.assert_close(dkd, KDLoss(temperature=2.0, loss_weight=1.0)(student, teacher))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', ['makd', 'makd_kl', 'kd', 'dkd', 'lskd', 'dist', 'wttm'])
def test_half_precision_inputs_are_summed_in_float32(name, dtype):
    student, teacher, label = tensors(num_samples=64, width=50)
    student, teacher = student.to(dtype), teacher.to(dtype)
    target = teacher.double().sigmoid()
    calls = {
        'makd': lambda s, t: MaKDLoss()(s, target),
        'makd_kl': lambda s, t: MaKDKLLoss()(s, target),
        'kd': lambda s, t: KDLoss()(s, t),
        'dkd': lambda s, t: DKDLoss()(s, t, label),
        'lskd': lambda s, t: LSKDLoss(LSKD)(s, t),
        'dist': lambda s, t: DISTLoss()(s, t),
        'wttm': lambda s, t: WTTMLoss()(s, t),
    }
    value = calls[name](student, teacher)
    assert value.dtype == torch.float32
    reference = calls[name](student.double(), teacher.double())
    torch.testing.assert_close(value.double(), reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
def test_huge_logits_stay_finite_with_finite_gradients(dtype):
    student = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], dtype=dtype, requires_grad=True)
    teacher = torch.tensor([[-1e4, 1e4, 0.0], [1e4, -1e4, 1e4]], dtype=dtype)
    target = torch.tensor([[0.0, 1.0, 0.5], [1.0, NAN, 0.0]])
    label = torch.tensor([0, 2])
    with torch.autocast('cpu', torch.bfloat16):
        losses = [
            MaKDLoss()(student, target),
            MaKDKLLoss()(student, target),
            KDLoss()(student, teacher),
            DKDLoss()(student, teacher, label),
            LSKDLoss(LSKD)(student, teacher),
            DISTLoss()(student, teacher),
            WTTMLoss()(student, teacher),
        ]
    for loss in losses:
        (gradient,) = torch.autograd.grad(loss, student, retain_graph=True)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()
    assert losses[0].item() == pytest.approx(4.0 * (1e4 + 1e4 + 0 + 1e4 + 1e4 + math.log(2)) / 5, rel=1e-2)


def test_losses_are_registered():
    from mmengine.registry import MODELS

    for cls in (MaKDLoss, MaKDKLLoss, KDLoss, DKDLoss, DISTLoss, WTTMLoss):
        assert type(MODELS.build(dict(type=f'makd.{cls.__name__}'))) is cls
    assert type(MODELS.build(dict(type='makd.LSKDLoss', distill_loss=LSKD))) is LSKDLoss


@pytest.mark.parametrize('loss', [MaKDLoss(), MaKDKLLoss(), KDLoss(), DISTLoss(), WTTMLoss(), LSKDLoss(LSKD)])
def test_different_shapes_are_named(loss):
    with pytest.raises(ValueError, match=r'\(2, 3\).*\(2, 4\)'):
        loss(torch.zeros(2, 3), torch.zeros(2, 4))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match='temperature=0'):
        KDLoss(temperature=0)
    with pytest.raises(ValueError, match='temperature=-1'):
        DKDLoss(temperature=-1)
    with pytest.raises(ValueError, match='one class index per sample'):
        DKDLoss()(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match='mixup'):
        DKDLoss()(torch.zeros(2, 3), torch.zeros(2, 3), None)
    with pytest.raises(ValueError, match='one class'):
        DKDLoss()(torch.zeros(2, 1), torch.zeros(2, 1), torch.zeros(2, dtype=torch.long))
