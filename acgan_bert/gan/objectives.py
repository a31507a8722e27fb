"""Adversarial, auxiliary and matching losses: pure functions of logits and features.

Every loss reduces the batch and keeps the members: tensors (E, B, ...) in, (E,) out. Members never
mix, so the gradient of the sum over members is each member's own gradient. Losses are written on
logits (``softplus``, ``logsumexp``), never as ``log(p + eps)``.
Shapes: E members, B batch, C classes, W hidden, D embedding.
"""

import functools
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, log_softmax, normalize, relu, softplus

LEAST_NORM = 1e-8  # a zero feature stays finite when it is scaled to unit norm


def total(losses: Iterable[Tensor]) -> Tensor:
    """Add losses (E,) one to another: on tensors this small, cheaper than stacking them."""
    return functools.reduce(torch.add, losses)


def over_tasks(loss: Callable[..., Tensor], labels_EBT: Tensor, *heads: Sequence[Tensor]) -> Tensor:
    """Sum ``loss(logits of each head family, labels)`` over the tasks, (E,)."""
    by_task = enumerate(zip(*heads, strict=True))
    return total([loss(*logits, labels_EBT[..., t]) for t, logits in by_task])


def played(fake_labels_EBT: Tensor) -> Sequence[Tensor | float]:
    """Return 1 for each task that a batch is of, of which its fakes have a class, and 0 for others.

    To choose tasks by name would be to look at the labels, for which a GPU would be waited for.
    """
    if fake_labels_EBT.shape[-1] == 1:
        return [1.0]
    return (fake_labels_EBT >= 0).any(1).float().unbind(-1)


def class_loss(logits_EBC: Tensor, labels_EB: Tensor) -> Tensor:
    """Cross-entropy over the labelled rows only, -Σ log p(y) / max(1, count).

    Args:
        logits_EBC: Class logits.
        labels_EB: Class indices; -1 marks a row without a label, which contributes exactly zero.

    Returns:
        (E,) mean over the labelled rows of each member; 0 where a member has none.
    """
    labeled_EB = labels_EB >= 0
    picked_EB = _log_probability(logits_EBC, labels_EB.clamp_min(0))
    count_E = labeled_EB.sum(-1).clamp_min(1)
    return -(picked_EB * labeled_EB).sum(-1) / count_E


def score_loss(found_EBS: Tensor, known_EBS: Tensor) -> Tensor:
    """Squared error over the rows whose score is known, summed over the score tasks.

    Args:
        found_EBS: What the heads say.
        known_EBS: The scores, from 0 to 1; NaN: unknown, which contributes exactly zero.

    Returns:
        (E,) mean over the known scores of each task; 0 where there is none.
    """
    known = known_EBS.isfinite()
    gap_EBS = (found_EBS - known_EBS.nan_to_num(0.0)) * known
    return (gap_EBS.square().sum(1) / known.sum(1).clamp_min(1)).sum(-1)


def pseudo_label_loss(logits_EBC: Tensor, guesses_EBC: Tensor, trust_EB: Tensor) -> Tensor:
    """Cross-entropy against the likeliest guess, Σ_b trust_b H / B (Sohn et al. 2020, eq. 4).

    Args:
        logits_EBC: Class logits.
        guesses_EBC: The teacher's class probabilities; their argmax is the pseudo-label.
        trust_EB: Weight of each row, 0 where there is a label or no trust.
    """
    return -(_log_probability(logits_EBC, guesses_EBC.argmax(-1)) * trust_EB).mean(-1)


def logistic_discriminator(real_EB: Tensor, fake_EB: Tensor) -> Tensor:
    """-log σ(real) - log(1 - σ(fake)) (Goodfellow et al. 2014, eq. 1)."""
    return softplus(-real_EB).mean(-1) + softplus(fake_EB).mean(-1)


def logistic_generator(fake_EB: Tensor) -> Tensor:
    """Non-saturating -log σ(fake) (Goodfellow et al. 2014, section 3)."""
    return softplus(-fake_EB).mean(-1)


def hinge_discriminator(real_EB: Tensor, fake_EB: Tensor) -> Tensor:
    """max(0, 1 - real) + max(0, 1 + fake) (Miyato et al. 2018, eq. 16)."""
    return relu(1 - real_EB).mean(-1) + relu(1 + fake_EB).mean(-1)


def hinge_generator(fake_EB: Tensor) -> Tensor:
    """-fake (Miyato et al. 2018, eq. 17)."""
    return -fake_EB.mean(-1)


def gan_bert_discriminator(
    real_EBC: Tensor, real_source_EB: Tensor, fake_EBC: Tensor, fake_source_EB: Tensor
) -> Tensor:
    """-log p(real | real) - log p(fake | fake) under the K + 1 softmax (Croce et al. 2020).

    The fake column is the negated source logit f = -source, its own named output rather than a
    position in a vector. With S = logsumexp of the classes, log p(fake) = -softplus(S - f).
    """
    real_margin_EB = _logsumexp(real_EBC) + real_source_EB
    fake_margin_EB = _logsumexp(fake_EBC) + fake_source_EB
    return softplus(-real_margin_EB).mean(-1) + softplus(fake_margin_EB).mean(-1)


def gan_bert_generator(fake_EBC: Tensor, fake_source_EB: Tensor) -> Tensor:
    """-log(1 - p(fake)) under the K + 1 softmax (Croce et al. 2020)."""
    return softplus(-(_logsumexp(fake_EBC) + fake_source_EB)).mean(-1)


def feature_matching(real_EBW: Tensor, fake_EBW: Tensor, units_E: Tensor) -> Tensor:
    """Mean square of the difference of mean features (Salimans et al. 2016, section 3.1).

    The real side is detached: the loss moves the generator only.

    Args:
        real_EBW: Features of real rows.
        fake_EBW: Features of fakes.
        units_E: Each member's own units, over which the mean goes; the rest of W is padding.
    """
    return (real_EBW.detach().mean(1) - fake_EBW.mean(1)).square().sum(-1) / units_E


def moment_matching(
    real_EBD: Tensor, real_weights_EBC: Tensor, fake_EBD: Tensor, fake_weights_EBC: Tensor
) -> Tensor:
    """Match each class's mean and the covariance about the class means; no discriminator needed.

    Σ_c share_c ‖μ_c - μ̂_c‖² / D + ‖Σ - Σ̂‖²_F / D², with μ̂, Σ̂ of the fakes: the second-order
    truncation of a maximum mean discrepancy (Li et al. 2015, generative moment matching networks).

    Args:
        real_EBD: Real embeddings; detached.
        real_weights_EBC: Class probabilities of the real rows, one-hot where labelled.
        fake_EBD: Fake embeddings.
        fake_weights_EBC: One-hot classes of the fakes.
    """
    real_mean_ECD, real_EBD, mass_EC = _about_class_means(real_EBD.detach(), real_weights_EBC)
    fake_mean_ECD, fake_EBD, _ = _about_class_means(fake_EBD, fake_weights_EBC)
    share_EC = mass_EC / mass_EC.sum(-1, keepdim=True).clamp_min(1.0)
    means_EC = (real_mean_ECD - fake_mean_ECD).square().mean(-1)
    spread_E = (
        _gram_square(real_EBD, real_EBD)
        - 2.0 * _gram_square(real_EBD, fake_EBD)
        + _gram_square(fake_EBD, fake_EBD)
    )
    return (share_EC * means_EC).sum(-1) + spread_E


def twin_discriminator(rival_fake_EBC: Tensor, labels_EB: Tensor) -> Tensor:
    """Train TAC-GAN's twin classifier on fakes: its cross-entropy (Gong et al. 2019, eq. 5)."""
    return class_loss(rival_fake_EBC, labels_EB)


def twin_generator(classes_EBC: Tensor, rivals_EBC: Tensor, labels_EB: Tensor) -> Tensor:
    """TAC-GAN's class loss less the twin's, which restores the diversity that AC-GAN loses."""
    return class_loss(classes_EBC, labels_EB) - class_loss(rivals_EBC, labels_EB)


def discriminative_real(classes_EBC: Tensor, rivals_EBC: Tensor, labels_EB: Tensor) -> Tensor:
    """ADC-GAN's cross-entropy over 2C columns on real rows (Hou et al. 2022, eq. 6).

    Columns 0 … C-1 mean "real and of class c", columns C … 2C-1 "fake and of class c".
    """
    return class_loss(torch.cat([classes_EBC, rivals_EBC], dim=-1), labels_EB)


def discriminative_fake(classes_EBC: Tensor, rivals_EBC: Tensor, labels_EB: Tensor) -> Tensor:
    """The same on fakes, whose columns come first when the two halves change places."""
    return discriminative_real(rivals_EBC, classes_EBC, labels_EB)


def discriminative_generator(classes_EBC: Tensor, rivals_EBC: Tensor, labels_EB: Tensor) -> Tensor:
    """ADC-GAN's generator: toward the real column of its class, away from the fake one (eq. 7)."""
    toward_E = discriminative_real(classes_EBC, rivals_EBC, labels_EB)
    return toward_E - discriminative_fake(classes_EBC, rivals_EBC, labels_EB)


def data_to_data(
    features_EBW: Tensor,
    proxies_ECW: Tensor,
    labels_EB: Tensor,
    *,
    margin: float = 0.98,
    temperature: float = 0.5,
) -> Tensor:
    """ReACGAN's data-to-data cross-entropy on unit features (Kang et al. 2021, eq. 8).

    The pull to the row's own class proxy stops at cosine ``margin``; the push from rows of other
    classes stops at cosine 1 - ``margin``. Rows labelled -1 neither pull nor push.
    """
    unit_EBW = normalize(features_EBW, dim=-1, eps=LEAST_NORM)
    proxy_ECW = normalize(proxies_ECW, dim=-1, eps=LEAST_NORM)
    labeled_EB, rows_EB = labels_EB >= 0, labels_EB.clamp_min(0)
    own_EBW = torch.gather(
        proxy_ECW, 1, rows_EB.unsqueeze(-1).expand(*rows_EB.shape, unit_EBW.shape[-1])
    )
    pull_EB = -relu(margin - (unit_EBW * own_EBW).sum(-1)) / temperature
    push_EBB = relu(torch.bmm(unit_EBW, unit_EBW.mT) - (1 - margin)) / temperature
    pair_EBB = labels_EB.unsqueeze(1) != labels_EB.unsqueeze(2)
    pair_EBB = pair_EBB & labeled_EB.unsqueeze(1) & labeled_EB.unsqueeze(2)
    push_EBB = push_EBB.masked_fill(~pair_EBB, -torch.inf)
    every_EBX = torch.cat([pull_EB.unsqueeze(-1), push_EBB], dim=-1)
    loss_EB = every_EBX.logsumexp(-1) - pull_EB
    return (loss_EB * labeled_EB).sum(-1) / labeled_EB.sum(-1).clamp_min(1)


def r1_penalty(source_EB: Tensor, x_EBD: Tensor) -> Tensor:
    """½ E‖∂source/∂x‖² on real rows (Mescheder et al. 2018, eq. 9); ``x_EBD`` requires grad."""
    (slope_EBD,) = torch.autograd.grad(source_EB.sum(), x_EBD, create_graph=True)
    return 0.5 * slope_EBD.square().sum(-1).mean(-1)


def recombined(x_EBD: Tensor, *, parts: int = 2) -> Tensor:
    """Negative data: rows whose coordinates come from different real rows, by turns.

    After Sinha et al. 2021 (negative data augmentation); coordinate d of row b is taken from row
    b + (d mod parts). Marginals stay real, the joint distribution does not.
    """
    mixed_EBD = x_EBD.clone()
    for shift in range(1, parts):
        mixed_EBD[..., shift::parts] = x_EBD[..., shift::parts].roll(shift, dims=1)
    return mixed_EBD


def mode_seeking(first_EBD: Tensor, second_EBD: Tensor) -> Tensor:
    """Cosine of two fakes of equal label and unequal noise: high when noise is ignored.

    After Mao et al. 2019 (mode-seeking GAN), with a bounded similarity in place of their ratio.
    """
    return cosine_similarity(first_EBD, second_EBD, dim=-1).mean(-1)


def _log_probability(logits_EBC: Tensor, labels_EB: Tensor) -> Tensor:
    return log_softmax(logits_EBC, dim=-1).gather(-1, labels_EB.unsqueeze(-1)).squeeze(-1)


def _logsumexp(logits_EBC: Tensor) -> Tensor:
    """Logsumexp over the classes as what log_softmax subtracts: one kernel instead of six."""
    first_EB1, rest = logits_EBC[..., :1], log_softmax(logits_EBC, dim=-1)[..., :1]
    return (first_EB1 - rest).squeeze(-1)


def _about_class_means(x_EBD: Tensor, weights_EBC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return class means (E, C, D), rows less their expected mean, and class masses (E, C)."""
    mass_EC = weights_EBC.sum(1)
    mean_ECD = torch.bmm(weights_EBC.mT, x_EBD) / mass_EC.unsqueeze(-1).clamp_min(1e-3)
    return mean_ECD, x_EBD - torch.bmm(weights_EBC, mean_ECD), mass_EC


def _gram_square(a_EBD: Tensor, b_EXD: Tensor) -> Tensor:
    """tr(Σ_a Σ_b) / D² as ‖A Bᵀ‖²_F: no D x D matrix is formed, and B is far smaller than D."""
    gram_EBX = torch.bmm(a_EBD, b_EXD.mT)
    rows = a_EBD.shape[1] * b_EXD.shape[1] * a_EBD.shape[2] ** 2
    return gram_EBX.square().sum((1, 2)) / rows
