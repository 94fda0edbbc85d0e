"""The losses against their formulas written out in float64, mdistiller's code, and values worked out by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from makd.models.losses import DKDLoss, KDLoss, MaKDKLLoss, MaKDLoss

NAN = float('nan')


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


def test_dkd_recouples_to_kd():
    # Zhao et al., Eq. 7: KD = TCKD + (1 - p_label of the teacher) * NCKD, for each sample.
    student, teacher, label = tensors(num_samples=1)
    rest = 1 - (teacher / 2).softmax(1)[0, label[0]]
    dkd = DKDLoss(alpha=1.0, beta=rest.item(), temperature=2.0)(student, teacher, label)
    torch.testing.assert_close(dkd, KDLoss(temperature=2.0, loss_weight=1.0)(student, teacher))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', ['makd', 'makd_kl', 'kd', 'dkd'])
def test_half_precision_inputs_are_summed_in_float32(name, dtype):
    student, teacher, label = tensors(num_samples=64, width=50)
    student, teacher = student.to(dtype), teacher.to(dtype)
    target = teacher.double().sigmoid()
    calls = {
        'makd': lambda s, t: MaKDLoss()(s, target),
        'makd_kl': lambda s, t: MaKDKLLoss()(s, target),
        'kd': lambda s, t: KDLoss()(s, t),
        'dkd': lambda s, t: DKDLoss()(s, t, label),
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
        ]
    for loss in losses:
        (gradient,) = torch.autograd.grad(loss, student, retain_graph=True)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()
    assert losses[0].item() == pytest.approx(4.0 * (1e4 + 1e4 + 0 + 1e4 + 1e4 + math.log(2)) / 5, rel=1e-2)


def test_losses_are_registered():
    from mmengine.registry import MODELS

    for name, cls in {'MaKDLoss': MaKDLoss, 'MaKDKLLoss': MaKDKLLoss, 'KDLoss': KDLoss, 'DKDLoss': DKDLoss}.items():
        assert type(MODELS.build(dict(type=f'makd.{name}'))) is cls


@pytest.mark.parametrize('loss', [MaKDLoss(), MaKDKLLoss(), KDLoss()])
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
