import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from acgan_bert.gan import objectives
from tests.properties import gradients

# A world of two points: real data falls on them with p = (3/4, 1/4), fakes with q = (1/4, 3/4).
REAL, FAKE = [0, 0, 0, 1], [0, 1, 1, 1]


def minimum(loss, size, *, steps=400, rate=2.0):
    """Descend from zero to the least value of a loss of ``size`` free float64 numbers."""
    free = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        (slope,) = torch.autograd.grad(loss(free).sum(), free)
        with torch.no_grad():
            free -= rate * slope
    return free.detach()


def test_class_loss_by_hand_and_over_labelled_rows_only():
    logits_EBC = torch.log(torch.tensor([[[1.0, 3.0], [1.0, 1.0], [9.0, 1.0]]]))
    loss_E = objectives.class_loss(logits_EBC, torch.tensor([[1, 0, -1]]))
    assert loss_E.item() == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)) / 2, abs=1e-6)


def test_class_loss_is_cross_entropy_and_ignores_unlabelled_rows_exactly():
    logits_EBC = torch.randn(3, 7, 4, requires_grad=True)
    labels_EB = torch.randint(-1, 4, (3, 7))
    loss_E = objectives.class_loss(logits_EBC, labels_EB)
    for logits_BC, labels_B, loss in zip(logits_EBC, labels_EB, loss_E, strict=True):
        torch.testing.assert_close(loss, cross_entropy(logits_BC, labels_B, ignore_index=-1))
    (gradient_EBC,) = gradients(loss_E, [logits_EBC])
    assert not gradient_EBC[labels_EB < 0].any()
    assert gradient_EBC[labels_EB >= 0].all()


def test_class_loss_without_any_label_is_exactly_zero():
    logits_EBC = torch.randn(1, 3, 2, requires_grad=True)
    loss_E = objectives.class_loss(logits_EBC, torch.full((1, 3), -1))
    assert loss_E.item() == 0.0
    assert not gradients(loss_E, [logits_EBC])[0].any()


def test_class_loss_is_least_at_the_class_frequencies():
    labels_EB = torch.tensor([[0, 0, 0, 1]])
    best = minimum(lambda f: objectives.class_loss(f.expand(1, 4, 2), labels_EB), 2)
    assert torch.softmax(best, 0).tolist() == pytest.approx([0.75, 0.25], abs=1e-6)


def test_pseudo_labels_by_hand():
    logits_EBC = torch.log(torch.tensor([[[1.0, 3.0], [1.0, 3.0], [1.0, 3.0]]]))
    guesses_EBC = torch.tensor([[[0.1, 0.9], [0.8, 0.2], [0.6, 0.4]]])
    loss_E = objectives.pseudo_label_loss(logits_EBC, guesses_EBC, torch.tensor([[1.0, 0.5, 0.0]]))
    by_hand = (math.log(4 / 3) + 0.5 * math.log(4)) / 3  # an untrusted row still counts in B
    assert loss_E.item() == pytest.approx(by_hand, abs=1e-6)


def test_rows_without_trust_teach_nothing():
    logits_EBC = torch.randn(1, 4, 3, requires_grad=True)
    guesses_EBC = torch.softmax(torch.randn(1, 4, 3), -1)
    trust_EB = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    loss_E = objectives.pseudo_label_loss(logits_EBC, guesses_EBC, trust_EB)
    (gradient_EBC,) = gradients(loss_E, [logits_EBC])
    assert not gradient_EBC[0, 1::2].any()
    assert gradient_EBC[0, ::2].all()


def test_logistic_discriminator_by_hand():
    loss_E = objectives.logistic_discriminator(
        torch.tensor([[0.0]]), torch.log(torch.tensor([[3.0]]))
    )
    assert loss_E.item() == pytest.approx(math.log(2) + math.log(4), abs=1e-6)


def test_best_logistic_discriminator_is_the_log_ratio_of_densities():
    def loss(logits):
        return objectives.logistic_discriminator(logits[REAL][None], logits[FAKE][None])

    best = minimum(loss, 2)
    assert best.tolist() == pytest.approx([math.log(3), -math.log(3)], abs=1e-6)
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)  # Jensen-Shannon, of p and of q alike
    assert loss(best).item() == pytest.approx(2 * math.log(2) - 2 * divergence, abs=1e-9)


def test_logistic_generator_by_hand_and_its_slope():
    fake_EB = torch.tensor([[0.0, math.log(3.0)]], requires_grad=True)
    loss_E = objectives.logistic_generator(fake_EB)
    assert loss_E.item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2, abs=1e-6)
    (slope_EB,) = gradients(loss_E, [fake_EB])  # -σ(-f) / B: strong where the fake is found out
    assert slope_EB[0].tolist() == pytest.approx([-0.25, -0.125], abs=1e-6)


def test_hinge_discriminator_by_hand_and_at_its_optimum():
    real_EB, fake_EB = torch.tensor([[0.5, 2.0]]), torch.tensor([[-3.0, 1.0]])
    assert objectives.hinge_discriminator(real_EB, fake_EB).item() == pytest.approx(0.25 + 1.0)

    def loss(logits_N2):
        return objectives.hinge_discriminator(logits_N2[:, REAL], logits_N2[:, FAKE])

    best = loss(torch.tensor([[1.0, -1.0]])).item()  # the sign of p - q
    assert best == pytest.approx(2 * (0.25 + 0.25))  # 2 Σ min(p, q)
    assert loss(3 * torch.randn(1000, 2)).min().item() >= best


def test_hinge_generator_by_hand_and_its_slope():
    fake_EB = torch.tensor([[1.0, -4.0]], requires_grad=True)
    loss_E = objectives.hinge_generator(fake_EB)
    assert loss_E.item() == 1.5
    assert gradients(loss_E, [fake_EB])[0].tolist() == [[-0.5, -0.5]]


def softmax_of_k_plus_1(classes_EBC, source_EB):
    """Return p(fake) with the softmax of K + 1 columns written out."""
    columns = torch.cat([classes_EBC, -source_EB.unsqueeze(-1)], -1).double().exp()
    return columns[..., -1] / columns.sum(-1)


def test_gan_bert_is_the_softmax_of_k_plus_1_columns():
    real_EBC, fake_EBC = torch.randn(2, 2, 5, 3)
    real_EB, fake_EB = torch.randn(2, 2, 5)
    loss_E = objectives.gan_bert_discriminator(real_EBC, real_EB, fake_EBC, fake_EB)
    is_real = -torch.log(1 - softmax_of_k_plus_1(real_EBC, real_EB)).mean(-1)
    is_fake = -torch.log(softmax_of_k_plus_1(fake_EBC, fake_EB)).mean(-1)
    torch.testing.assert_close(loss_E.double(), is_real + is_fake)
    loss_E = objectives.gan_bert_generator(fake_EBC, fake_EB)
    fooled = -torch.log(1 - softmax_of_k_plus_1(fake_EBC, fake_EB)).mean(-1)
    torch.testing.assert_close(loss_E.double(), fooled)


def test_best_gan_bert_discriminator_gives_fakes_their_share():
    classes_2C = torch.randn(2, 3, dtype=torch.float64)

    def loss(source):
        real_EBC, fake_EBC = classes_2C[REAL][None], classes_2C[FAKE][None]
        return objectives.gan_bert_discriminator(
            real_EBC, source[REAL][None], fake_EBC, source[FAKE][None]
        )

    best = minimum(loss, 2)
    p_fake = softmax_of_k_plus_1(classes_2C[None], best[None])[0]
    assert p_fake.tolist() == pytest.approx([0.25, 0.75], abs=1e-6)  # q / (p + q)


def test_twin_losses_are_plain_cross_entropies():
    classes_EBC, rivals_EBC = torch.randn(2, 2, 5, 3)
    labels_EB = torch.randint(3, (2, 5))
    classes_E = objectives.class_loss(classes_EBC, labels_EB)
    rivals_E = objectives.class_loss(rivals_EBC, labels_EB)
    assert torch.equal(objectives.twin_discriminator(rivals_EBC, labels_EB), rivals_E)
    twin_E = objectives.twin_generator(classes_EBC, rivals_EBC, labels_EB)
    torch.testing.assert_close(twin_E, classes_E - rivals_E)
    same_E = objectives.twin_generator(classes_EBC, classes_EBC, labels_EB)
    assert not same_E.any()  # once the twin knows as much, classes pull nowhere


def adc_by_loop(first_BC, second_BC, labels_B):
    """-log softmax over 2C columns, row by row; the row's column lies in ``first``."""
    total, count = 0.0, 0
    for first, second, label in zip(
        first_BC.tolist(), second_BC.tolist(), labels_B.tolist(), strict=True
    ):
        if label >= 0:
            total -= math.log(math.exp(first[label]) / sum(map(math.exp, [*first, *second])))
            count += 1
    return total / max(1, count)


def test_adc_gan_by_loop():
    classes_EBC, rivals_EBC = torch.randn(2, 2, 5, 3)
    labels_EB = torch.randint(-1, 3, (2, 5))
    real_E = objectives.discriminative_real(classes_EBC, rivals_EBC, labels_EB)
    fake_E = objectives.discriminative_fake(classes_EBC, rivals_EBC, labels_EB)
    generator_E = objectives.discriminative_generator(classes_EBC, rivals_EBC, labels_EB)
    for e in range(2):
        toward = adc_by_loop(classes_EBC[e], rivals_EBC[e], labels_EB[e])
        away = adc_by_loop(rivals_EBC[e], classes_EBC[e], labels_EB[e])
        assert real_E[e].item() == pytest.approx(toward, abs=1e-5)
        assert fake_E[e].item() == pytest.approx(away, abs=1e-5)
        assert generator_E[e].item() == pytest.approx(toward - away, abs=1e-5)


def test_best_adc_gan_columns_are_the_joint_shares_of_class_and_source():
    # One point: class 0 real twice and fake once, class 1 real once and fake three times.
    real_B, fake_B = torch.tensor([[0, 0, 1]]), torch.tensor([[0, 1, 1, 1]])

    def loss(columns):
        real = columns.expand(1, 3, 4).split(2, -1)
        fake = columns.expand(1, 4, 4).split(2, -1)
        real_E = objectives.discriminative_real(*real, real_B)
        return 3 / 7 * real_E + 4 / 7 * objectives.discriminative_fake(*fake, fake_B)

    shares = torch.softmax(minimum(loss, 4, steps=1000), 0).tolist()
    assert shares == pytest.approx([2 / 7, 1 / 7, 1 / 7, 3 / 7], abs=1e-5)
