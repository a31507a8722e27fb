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
from analysis.neighbors import nearest_real, suspicious
from analysis.statistics import Interval, accuracy_interval, middle

MOST_ROWS = 5000
PERMUTATIONS = 999


@dataclass(frozen=True, slots=True)
class Memorization:
    """How near fakes lie to training rows, beside held-out ones.

    Attributes:
        nearer_to_train: share of fakes whose nearest row, among as many training as held-out
            rows, is a training row; ½ where nothing is repeated.
        interval: of that share, Wilson's; it takes the pool as given.
        null_interval: where 95 % of the shares lie if training and held-out rows are alike to the
            generator; they are ½ on average.
        p_value: one-sided, of that hypothesis.
        authenticity: share of fakes that are farther from their nearest training row than that
            row is from its own nearest other one.
        authenticity_interval: of that share, Wilson's.
        authenticity_floor: the same with held-out rows in the place of the fakes. Fakes that keep
            to dense regions may lie below it and repeat nothing: alone it is no proof.
        authenticity_floor_interval: of the floor, Wilson's.
        copies: share of fakes that :func:`analysis.memorized` flags.
        copies_interval: of that share, Wilson's.
        copies_floor: the same of held-out rows, against others of them.
        copies_floor_interval: of the floor, Wilson's.
        rows: fakes.
    """

    nearer_to_train: float
    interval: Interval
    null_interval: Interval
    p_value: float
    authenticity: float
    authenticity_interval: Interval
    authenticity_floor: float
    authenticity_floor_interval: Interval
    copies: float
    copies_interval: Interval
    copies_floor: float
    copies_floor_interval: Interval
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
    share, chance = _exchange(fake_MD, train_ND, held_HD, permutations, generator)
    near, held_near = (nearest_real(rows, train_ND, k=1) for rows in (fake_MD, held_HD))
    spacing = _spacing(train_ND, np.concatenate([near[0][:, 0], held_near[0][:, 0]]))
    authentic = near[1][:, 0] > spacing[: len(fake_MD)]
    usual = held_near[1][:, 0] > spacing[len(fake_MD) :]
    half = len(held_HD) // 2
    copies, copies_floor = (
        suspicious(distances, held_near[1][:half, 0])
        for distances in (near[1][:, 0], held_near[1][half:, 0])
    )
    return Memorization(
        nearer_to_train=share,
        interval=accuracy_interval(round(share * len(fake_MD)), len(fake_MD)),
        null_interval=middle(chance),
        p_value=float((1 + (chance >= share).sum()) / (1 + permutations)),
        authenticity=float(authentic.mean()),
        authenticity_interval=_share_interval(authentic),
        authenticity_floor=float(usual.mean()),
        authenticity_floor_interval=_share_interval(usual),
        copies=float(copies.mean()),
        copies_interval=_share_interval(copies),
        copies_floor=float(copies_floor.mean()),
        copies_floor_interval=_share_interval(copies_floor),
        rows=len(fake_MD),
    )


def _some(rows: Matrix, rng: np.random.Generator) -> Matrix:
    """Return at most 5,000 rows in a random order."""
    return rows[rng.permutation(len(rows))[:MOST_ROWS]]


def _exchange(
    fake: Matrix, train: Matrix, held_out: Matrix, permutations: int, rng: np.random.Generator
) -> tuple[float, Matrix]:
    """Return the share of fakes nearest to a training row, and that of each permutation, (B,)."""
    equal = min(len(train), len(held_out))
    # Mixed, so that chance picks the nearest of equal rows: short texts recur in both sets.
    mixed = rng.permutation(2 * equal)
    pool, is_train = np.concatenate([train[:equal], held_out[:equal]])[mixed], mixed < equal
    nearest = np.concatenate(
        [squared.argmin(axis=1) for _, squared in squared_distance_blocks(fake, pool)]
    )
    visits = np.bincount(nearest, minlength=len(pool))
    chance = np.array([visits[rng.permutation(is_train)].sum() for _ in range(permutations)])
    return int(visits[is_train].sum()) / len(fake), chance / len(fake)


def _spacing(train: Matrix, rows: NDArray[np.int64]) -> Matrix:
    """Return how far some training rows are from their nearest other one, each found once."""
    once, places = np.unique(rows, return_inverse=True)
    return np.asarray(nearest_real(train[once], train, k=2)[1][places, 1])


def _share_interval(flags: NDArray[np.bool_]) -> Interval:
    return accuracy_interval(int(flags.sum()), len(flags))
