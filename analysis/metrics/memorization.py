"""Whether a generator repeats the rows that it was trained on.

Source: authenticity, Alaa et al. 2022, arXiv 2102.08921, section 3; the test rests on the
exchangeability of training and held-out rows, as the data-copying test of Meehan et al. 2020,
arXiv 2004.05675, but puts them into one pool: theirs compares distances, and takes a generator
that keeps to the dense regions for one that copies.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.distances import Matrix, as_sample_pair, squared_distance_blocks
from analysis.neighbors import memorized, nearest_real
from analysis.statistics import Interval, accuracy_interval

MOST_ROWS = 5000
PERMUTATIONS = 999


@dataclass(frozen=True, slots=True)
class Memorization:
    """How near fakes lie to training rows, beside held-out ones.

    Attributes:
        nearer_to_train: share of fakes whose nearest row, among as many training as held-out
            rows, is a training row; ½ where nothing is repeated.
        interval: of that share, Wilson's; it takes the pool as given.
        p_value: one-sided, of the hypothesis that training and held-out rows are alike to the
            generator.
        authenticity: share of fakes that are farther from their nearest training row than that
            row is from its own nearest other one.
        authenticity_floor: the same with held-out rows in the place of the fakes. Fakes that keep
            to dense regions may lie below it and repeat nothing: alone it is no proof.
        copies: share of fakes that :func:`analysis.memorized` flags.
        copies_floor: the same of held-out rows, against others of them.
        rows: fakes.
    """

    nearer_to_train: float
    interval: Interval
    p_value: float
    authenticity: float
    authenticity_floor: float
    copies: float
    copies_floor: float
    rows: int


def memorization(
    fake: ArrayLike,
    train: ArrayLike,
    held_out: ArrayLike,
    *,
    permutations: int = PERMUTATIONS,
    rng: int | np.random.Generator = 0,
) -> Memorization:
    """Test whether fakes lie nearer to training rows than to rows that were held out.

    The p-value is exact: if the generator knows no more of the training rows than of the held-out
    ones, each way of dealing the pooled rows out to the two is as likely, and only the number of
    fakes that each row is nearest to counts. It sees copies, not lost diversity.

    Args:
        fake: shape (M, D).
        train: rows that the generator was trained on, shape (N, D), N ≥ 2; at most 5,000 of each
            set are looked at.
        held_out: rows of the same kind that it never saw, shape (H, D), H ≥ 4.
        permutations: ways of dealing that are drawn.
        rng: seed or generator of the draws.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, or rows are too few.
    """
    train_ND, _ = as_sample_pair(train, fake, names=("train", "fake"), minimum=2)
    held_HD = as_sample_pair(train, held_out, names=("train", "held_out"))[1]
    if len(held_HD) < 4:
        raise ValueError(f"held_out: found shape {held_HD.shape}; want at least 4 rows")
    generator = np.random.default_rng(rng)
    train_ND, held_HD = (_some(rows, generator) for rows in (train_ND, held_HD))
    fake_MD = _some(np.asarray(fake, dtype=np.float64), generator)
    share, p_value = _exchange(fake_MD, train_ND, held_HD, permutations, generator)
    half = len(held_HD) // 2
    spacing = nearest_real(train_ND, train_ND, k=2)[1][:, 1]
    return Memorization(
        nearer_to_train=share,
        interval=accuracy_interval(round(share * len(fake_MD)), len(fake_MD)),
        p_value=p_value,
        authenticity=_authenticity(fake_MD, train_ND, spacing),
        authenticity_floor=_authenticity(held_HD, train_ND, spacing),
        copies=float(memorized(fake_MD, train_ND, held_HD[:half]).mean()),
        copies_floor=float(memorized(held_HD[half:], train_ND, held_HD[:half]).mean()),
        rows=len(fake_MD),
    )


def _some(rows: Matrix, rng: np.random.Generator) -> Matrix:
    """Return at most 5,000 rows in a random order."""
    return rows[rng.permutation(len(rows))[:MOST_ROWS]]


def _exchange(
    fake: Matrix, train: Matrix, held_out: Matrix, permutations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the share of fakes nearest to a training row, and its permutation p-value."""
    equal = min(len(train), len(held_out))
    # Mixed, so that chance picks the nearest of equal rows: short texts recur in both sets.
    mixed = rng.permutation(2 * equal)
    pool, is_train = np.concatenate([train[:equal], held_out[:equal]])[mixed], mixed < equal
    nearest = np.concatenate(
        [squared.argmin(axis=1) for _, squared in squared_distance_blocks(fake, pool)]
    )
    visits = np.bincount(nearest, minlength=len(pool))
    found = int(visits[is_train].sum())
    as_high = sum(
        int(visits[rng.permutation(is_train)].sum() >= found) for _ in range(permutations)
    )
    return found / len(fake), (1 + as_high) / (1 + permutations)


def _authenticity(rows: Matrix, train: Matrix, spacing: NDArray[np.float64]) -> float:
    """Return the share of rows farther from their nearest training row than it from the next."""
    nearest, distances = nearest_real(rows, train, k=1)
    return float((distances[:, 0] > spacing[nearest[:, 0]]).mean())
