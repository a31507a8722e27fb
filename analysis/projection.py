"""Flat maps of real and fake embeddings together, each with numbers that say how far to trust it.

Source: t-SNE, van der Maaten & Hinton 2008, through openTSNE; initialization and learning rate
after Kobak & Berens 2019; trustworthiness, Venna & Kaski 2001.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.distances import Matrix, as_sample_pair
from analysis.neighbors import nearest_real

Points = NDArray[np.float64]
COMPONENTS = 50
NEIGHBORS = 10
# openTSNE's own defaults are 250 and 500; these maps have settled by then.
EXAGGERATION_ITERATIONS, ITERATIONS = 250, 350
PLACING_ITERATIONS = 100


@dataclass(frozen=True, slots=True)
class Map:
    """Points of a flat map.

    Attributes:
        name: how the map was made.
        points_real: shape (n, 2).
        points_fake: shape (n, 2).
        real_rows: which rows of the real input are drawn, shape (n,).
        fake_rows: which rows of the fake input are drawn, shape (n,).
        quality: ``trustworthiness`` (1: no false neighbors on the map), ``neighbor_overlap``
            (share of true nearest neighbors that stay), ``same_kind`` and
            ``same_kind_expected`` (see :func:`same_kind_share`; in the full space).
    """

    name: str
    points_real: Points
    points_fake: Points
    real_rows: NDArray[np.int64]
    fake_rows: NDArray[np.int64]
    quality: Mapping[str, float]


def all_maps(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    perplexity: float = 30.0,
    size: int = 600,
    rng: int | np.random.Generator = 0,
) -> list[Map]:
    """Draw the joint t-SNE, the reference-placed t-SNE and the PCA of the same rows.

    Args:
        real: shape (N, D).
        fake: shape (M, D).
        perplexity: as :func:`tsne_map`.
        size: most rows of each kind that are drawn.
        rng: seed or generator of the subsample and the maps.

    Raises:
        ValueError: as :func:`tsne_map`.
    """
    seed = int(np.random.default_rng(rng).integers(2**31))
    return [
        tsne_map(real, fake, perplexity=perplexity, size=size, rng=seed),
        tsne_map(real, fake, placement="reference", perplexity=perplexity, size=size, rng=seed),
        pca_map(real, fake, size=size, rng=seed),
    ]


def tsne_map(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    placement: Literal["joint", "reference"] = "joint",
    perplexity: float = 30.0,
    size: int = 600,
    rng: int | np.random.Generator = 0,
) -> Map:
    """Draw a t-SNE map of equally many real and fake rows.

    A joint map shows fakes that live apart as islands. A reference map is fitted to real rows
    alone and places each fake by its real neighbors: real points do not depend on the fakes, but
    fakes far from everything still land inside the clouds.

    Args:
        real: shape (N, D), N ≥ 4.
        fake: shape (M, D), M ≥ 4.
        placement: ``joint`` or ``reference``.
        perplexity: kept below a third of the rows.
        size: most rows of each kind that are drawn.
        rng: seed or generator of the subsample and the optimization.

    Raises:
        ValueError: an array is not a finite matrix of 4 rows, the widths differ, or the
            placement is unknown.
    """
    if placement not in ("joint", "reference"):
        raise ValueError(f"placement: found {placement!r}; want 'joint' or 'reference'")
    generator = np.random.default_rng(rng)
    real_rows, fake_rows, real_nD, fake_nD = _balanced(real, fake, size, generator)
    seed = int(generator.integers(2**31))
    if placement == "joint":
        pooled = _reduced(np.concatenate([real_nD, fake_nD]), seed)[0]
        points = np.asarray(_fit_tsne(pooled, perplexity, seed))
        points_real, points_fake = np.split(points - _box_center(points), [len(real_nD)])
        name = "t-SNE, joint"
    else:
        points_real, points_fake = _place(real_nD, fake_nD, perplexity, seed)
        name = "t-SNE, fakes placed on real"
    quality = _quality(real_nD, fake_nD, points_real, points_fake)
    return Map(name, points_real, points_fake, real_rows, fake_rows, quality)


def pca_map(
    real: ArrayLike, fake: ArrayLike, *, size: int = 600, rng: int | np.random.Generator = 0
) -> Map:
    """Draw both sets on the first two principal components of the real rows.

    Args:
        real: shape (N, D), N ≥ 4.
        fake: shape (M, D), M ≥ 4.
        size: most rows of each kind that are drawn.
        rng: seed or generator of the subsample.

    Raises:
        ValueError: an array is not a finite matrix of 4 rows, or the widths differ.
    """
    generator = np.random.default_rng(rng)
    real_rows, fake_rows, real_nD, fake_nD = _balanced(real, fake, size, generator)
    points_real, points_fake = _reduced(real_nD, 0, fake_nD, components=2)
    quality = _quality(real_nD, fake_nD, points_real, points_fake)
    return Map("PCA of real", points_real, points_fake, real_rows, fake_rows, quality)


def same_kind_share(real: ArrayLike, fake: ArrayLike, *, k: int = NEIGHBORS) -> tuple[float, float]:
    """Return how often a row's k nearest others are of its own kind, and the expected value.

    The expected value is that of fakes distributed as the real rows are; 1 means that real rows
    see real ones only and fakes see fakes only. Both kinds count, since a single real row that
    is near to everything would otherwise move the value.

    Args:
        real: shape (N, D).
        fake: shape (M, D).
        k: neighbors counted.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, or k does not fit.

    References:
        Schilling 1986, "Multivariate two-sample tests based on nearest neighbors".
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    is_fake = np.repeat([False, True], [len(real_ND), len(fake_MD)])
    neighbors = _neighbors_of(np.concatenate([real_ND, fake_MD]), k)
    same = float((is_fake[neighbors] == is_fake[:, None]).mean())
    sizes = np.array([len(real_ND), len(fake_MD)])
    expected = float((sizes * (sizes - 1)).sum() / (sizes.sum() * (sizes.sum() - 1)))
    return same, expected


def _balanced(
    real: ArrayLike, fake: ArrayLike, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], Matrix, Matrix]:
    """Draw equally many rows of each kind: an unbalanced map shows the count, not the shape."""
    real_ND, fake_MD = as_sample_pair(real, fake, minimum=4)
    if size < 4:
        raise ValueError(f"size: found {size}; want at least 4 rows of each kind")
    count = min(size, len(real_ND), len(fake_MD))
    real_rows = np.sort(rng.choice(len(real_ND), count, replace=False))
    fake_rows = np.sort(rng.choice(len(fake_MD), count, replace=False))
    return real_rows, fake_rows, real_ND[real_rows], fake_MD[fake_rows]


def _reduced(
    samples: Matrix, seed: int, *others: Matrix, components: int = COMPONENTS
) -> list[Matrix]:
    """Project on the principal components of ``samples``, signs fixed, with seeded jitter.

    Exactly equal rows have no t-SNE gradient between them and stay a single point without it.
    """
    mean = samples.mean(axis=0)
    axes = np.linalg.svd(samples - mean, full_matrices=False)[2][:components]
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    if len(axes) < 2:
        axes = np.concatenate([axes, np.zeros_like(axes)])
    projected = [(part - mean) @ axes.T for part in (samples, *others)]
    scale = 1e-6 * max(float(projected[0].std()), 1e-12)
    rng = np.random.default_rng(seed)
    return [part + scale * rng.standard_normal(part.shape) for part in projected]


def _fit_tsne(samples: Matrix, perplexity: float, seed: int) -> Any:  # noqa: ANN401 - untyped library
    """Fit t-SNE to an (n, d) matrix; the result is openTSNE's embedding, an array subclass."""
    from openTSNE import TSNE

    return TSNE(
        perplexity=_bounded(perplexity, len(samples)),
        initialization="pca",
        early_exaggeration_iter=EXAGGERATION_ITERATIONS,
        n_iter=ITERATIONS,
        neighbors="exact",
        negative_gradient_method="bh",
        random_state=seed,
        # Two threads take longer than one at this size, and five times as long on a busy machine.
        n_jobs=1,
    ).fit(samples)


def _bounded(perplexity: float, rows: int) -> float:
    """Keep the perplexity below (n − 1) / 3, since 3 × perplexity neighbors are looked up."""
    return min(perplexity, max((rows - 2) / 3, 1.0))


def _place(real: Matrix, fake: Matrix, perplexity: float, seed: int) -> tuple[Points, Points]:
    """Fit t-SNE to real rows and place each fake on that map by its real neighbors."""
    real_nd, fake_nd = _reduced(real, seed, fake)
    reference = _fit_tsne(real_nd, perplexity, seed)
    placed = reference.transform(
        fake_nd, perplexity=_bounded(5.0, len(real)), n_iter=PLACING_ITERATIONS
    )
    # transform() re-centers the reference in place on its first call: read it only afterwards.
    points = np.array(reference)
    center = _box_center(points)
    return points - center, np.array(placed) - center


def _box_center(points: Points) -> Points:
    """Return the center of the bounding box of an (n, 2) matrix."""
    return (points.max(axis=0) + points.min(axis=0)) / 2


def _quality(
    real: Matrix, fake: Matrix, points_real: Points, points_fake: Points
) -> dict[str, float]:
    """Measure how much of the full space's neighborhoods a map keeps."""
    from sklearn.manifold import trustworthiness

    pooled, points = np.concatenate([real, fake]), np.concatenate([points_real, points_fake])
    k = min(NEIGHBORS, (len(pooled) - 1) // 2)
    true, drawn = _neighbors_of(pooled, k), _neighbors_of(points, k)
    shared = [len(np.intersect1d(a, b)) for a, b in zip(true, drawn, strict=True)]
    same, expected = same_kind_share(real, fake, k=k)
    return {
        "trustworthiness": float(trustworthiness(pooled, points, n_neighbors=k)),
        "neighbor_overlap": float(np.mean(shared) / k),
        "same_kind": same,
        "same_kind_expected": expected,
    }


def _neighbors_of(samples: Matrix, k: int) -> NDArray[np.int64]:
    """Return the k nearest other rows of every row of an (n, d) matrix, shape (n, k)."""
    if not 1 <= k < len(samples):
        raise ValueError(f"k: found {k} with {len(samples)} rows; want 1 to {len(samples) - 1}")
    nearest = nearest_real(samples, samples, k=k + 1)[0]
    # A row's own index may be missing among duplicates: then its farthest neighbor goes.
    keep = nearest != np.arange(len(samples))[:, None]
    keep[keep.all(axis=1), -1] = False
    return nearest[keep].reshape(len(samples), k)
