"""Where the rows of a map lie: t-SNE fitted to both kinds or to real rows alone, PCA, UMAP.

Source: t-SNE, van der Maaten & Hinton 2008, through openTSNE, with initialization and learning rate
after Kobak & Berens 2019 and placing after Poličar et al. 2023; UMAP, McInnes et al. 2018.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from analysis.distances import Matrix
from analysis.map_rows import Drawn, reduced

# openTSNE's own defaults are 250 and 500; these maps have settled by then.
EXAGGERATION_ITERATIONS, ITERATIONS = 250, 350
# A map that starts from another one has its clusters already: rounds of this many iterations, until
# points move by less than a share of the map's spread in one.
ROUND_ITERATIONS, MOST_ROUNDS, STILL = 50, 6, 0.05
PLACING_ITERATIONS, PLACING_PERPLEXITY = 100, 5.0
UMAP_NEIGHBORS = 15


def bounded(perplexity: float, rows: int) -> float:
    """Keep a perplexity below (n - 1) / 3, since 3 × perplexity neighbors are looked up.

    Example:
        >>> bounded(30.0, 1000), bounded(30.0, 32)
        (30.0, 10.0)
    """
    return float(min(perplexity, max((rows - 2) / 3, 1.0)))


def joint_points(
    rows: Drawn, perplexity: float, *, start: tuple[Matrix, Matrix] | None = None
) -> tuple[Matrix, Matrix]:
    """Fit t-SNE to real and fake rows together; returns points of both, (n, 2) each.

    Args:
        rows: what is drawn.
        perplexity: see :func:`bounded`.
        start: points of both to start from, as another map of as many rows left them.
    """
    pooled = reduced(np.concatenate([rows.real, rows.fake]), rows.seed)[0]
    first = None if start is None else np.concatenate(start)
    points = np.array(_fitted(pooled, perplexity, rows.seed, first))
    if start is None:
        points -= _box_center(points)
    real, fake = np.split(points, [len(rows.real)])
    return real, fake


class Reference:
    """A t-SNE map of real rows alone, on which fakes are placed by their real neighbors.

    Args:
        real: shape (n, D).
        perplexity: see :func:`bounded`.
        seed: of the jitter and the optimization.
    """

    def __init__(self, real: Matrix, perplexity: float, seed: int) -> None:
        self._real, self._seed = real, seed
        self._map = _fitted(reduced(real, seed)[0], perplexity, seed)

    def place(self, fake: Matrix) -> tuple[Matrix, Matrix]:
        """Return points of the real rows (n, 2), the same each time, and of fakes (m, 2)."""
        fake_md = reduced(self._real, self._seed, fake)[1]
        placed = self._map.transform(
            fake_md,
            perplexity=bounded(PLACING_PERPLEXITY, len(self._real)),
            n_iter=PLACING_ITERATIONS,
        )
        # transform() re-centers the reference in place on its first call: read it only afterwards.
        points = np.array(self._map)
        center = _box_center(points)
        return points - center, np.array(placed) - center


def pca_points(rows: Drawn, *, axes_of: Matrix | None = None) -> tuple[Matrix, Matrix]:
    """Return both kinds on the first two principal components of real rows, (n, 2) each.

    Args:
        rows: what is drawn.
        axes_of: the real rows (n', D) whose components they are; None: those that are drawn.
    """
    axes = rows.real if axes_of is None else axes_of
    _, real, fake = reduced(axes, 0, rows.real, rows.fake, components=2)
    return real, fake


def umap_points(rows: Drawn) -> tuple[Matrix, Matrix]:
    """Fit UMAP to real and fake rows together; returns points of both, (n, 2) each.

    Raises:
        ValueError: umap-learn is not installed.
    """
    if not umap_installed():
        raise ValueError("umap: not installed; pip install 'acgan-bert[umap]'")
    from umap import UMAP

    pooled = reduced(np.concatenate([rows.real, rows.fake]), rows.seed)[0]
    points = UMAP(
        n_neighbors=min(UMAP_NEIGHBORS, len(pooled) - 1),
        init="pca",
        random_state=rows.seed,
        n_jobs=1,  # all that a fixed seed allows
    ).fit_transform(pooled)
    real, fake = np.split(np.asarray(points, dtype=np.float64), [len(rows.real)])
    return real, fake


def umap_installed() -> bool:
    """Tell whether the extra ``umap`` is there."""
    try:
        version("umap-learn")  # by its name: any folder may be called umap
    except PackageNotFoundError:
        return False
    return True


def _fitted(samples: Matrix, perplexity: float, seed: int, start: Matrix | None = None) -> Any:  # noqa: ANN401 - untyped library
    """Fit t-SNE to an (n, d) matrix; the result is openTSNE's embedding, an array subclass."""
    from openTSNE import TSNE

    model = TSNE(
        perplexity=bounded(perplexity, len(samples)),
        initialization="pca",
        early_exaggeration_iter=EXAGGERATION_ITERATIONS,
        n_iter=ITERATIONS,
        learning_rate="auto",
        neighbors="exact",
        negative_gradient_method="bh",
        random_state=seed,
        # Two threads take longer than one at this size, and five times as long on a busy machine.
        n_jobs=1,
    )
    if start is None:
        return model.fit(samples)
    # Given as the initialization, points that lie apart already would be warned of.
    points = model.prepare_initial(samples)
    points[:] = start
    for _ in range(MOST_ROUNDS):
        before = np.array(points)
        points.optimize(ROUND_ITERATIONS, momentum=model.final_momentum, inplace=True)
        moved = np.linalg.norm(np.array(points) - before, axis=1).mean()
        if moved < STILL * before.std():
            break
    return points


def _box_center(points: Matrix) -> Matrix:
    """Return the center of the bounding box of an (n, 2) matrix."""
    return (points.max(axis=0) + points.min(axis=0)) / 2
