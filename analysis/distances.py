"""Checked sample matrices and Euclidean distances between them, in blocks of rows."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
BLOCK_ROWS = 1024
OWN_STREAM = 1729
LARGEST = float(np.finfo(np.float32).max)


def as_samples(array: ArrayLike, name: str, *, minimum: int = 2) -> Matrix:
    """Return ``array`` as a finite float64 matrix, or say what is wrong with it.

    Args:
        array: samples, a row each, shape (N, D).
        name: name of the caller's argument, for the message.
        minimum: least number of rows.

    Raises:
        ValueError: not numeric, not two-dimensional, too few rows, or a value is not finite or
            beyond what float32 holds.
    """
    try:
        given = np.asarray(array)
        if np.iscomplexobj(given):  # numpy would drop the imaginary part, and only warn
            raise TypeError
        samples = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: found values that are no numbers; want a float matrix") from None
    if samples.ndim != 2 or samples.shape[1] == 0:
        raise ValueError(f"{name}: found shape {samples.shape}; want (rows, features)")
    if samples.shape[0] < minimum:
        raise ValueError(f"{name}: found shape {samples.shape}; want at least {minimum} rows")
    finite = np.isfinite(samples).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{name}: found shape {samples.shape} with NaN or infinity in {np.sum(~finite)} rows "
            f"(the first is {int(np.argmin(finite))}); want finite values"
        )
    # Cubes of products must stay numbers; a generator in float32 cannot go farther.
    largest = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
    if largest > LARGEST:
        raise ValueError(f"{name}: found values up to {largest:.1e}; want at most {LARGEST:.1e}")
    return samples


def as_sample_pair(
    real: ArrayLike, fake: ArrayLike, *, names: tuple[str, str] = ("real", "fake"), minimum: int = 2
) -> tuple[Matrix, Matrix]:
    """Check two sample matrices and that they are equally wide.

    Args:
        real: shape (N, D).
        fake: shape (M, D).
        names: names of the two arguments, for the message.
        minimum: least number of rows of each.

    Raises:
        ValueError: as :func:`as_samples`, or the widths differ.
    """
    first = as_samples(real, names[0], minimum=minimum)
    second = as_samples(fake, names[1], minimum=minimum)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{names[1]}: found shape {second.shape}; want {first.shape[1]} features, "
            f"as {names[0]} has with shape {first.shape}"
        )
    return first, second


def as_sample_sets(real: ArrayLike, fakes: Sequence[ArrayLike]) -> tuple[Matrix, list[Matrix]]:
    """Check real rows and several sets of fakes, which are equally many in each.

    Args:
        real: shape (N, D).
        fakes: sets of shape (M, D) each.

    Raises:
        ValueError: as :func:`as_sample_pair`, there is no set, or one has another number of rows
            than the first.
    """
    if not len(fakes):
        raise ValueError("fakes: found no set; want at least one")
    real_ND = as_samples(real, "real")
    sets = [as_sample_pair(real_ND, fake)[1] for fake in fakes]
    for number, samples in enumerate(sets):
        if len(samples) != len(sets[0]):
            raise ValueError(
                f"fakes: found {len(samples)} rows in set {number}; want {len(sets[0])}, "
                "as set 0 has"
            )
    return real_ND, sets


def as_labels(labels: ArrayLike, rows: int, name: str) -> np.ndarray:
    """Return one label a row as a vector.

    Raises:
        ValueError: ``labels`` is not a vector of ``rows`` values, one is missing (NaN or None), or
            they are of kinds that have no order, or neither numbers nor text.
    """
    vector = np.asarray(labels)
    if vector.shape != (rows,):
        raise ValueError(f"{name}: found shape {vector.shape}; want one label a row, ({rows},)")
    from pandas import isna

    missing = isna(vector)  # NaN is unequal to itself: it would be a class without a row
    if missing.any():
        raise ValueError(
            f"{name}: found no label in {missing.sum()} of {rows} rows (the first is "
            f"{int(missing.argmax())}); leave these rows out"
        )
    if not _ordered(vector):
        raise ValueError(f"{name}: found labels of several kinds; want all numbers or all text")
    if vector.dtype != object:
        return vector
    values = vector.tolist()  # such as the text of a pandas column
    if not all(isinstance(value, str | int | float | np.generic) for value in values):
        kind = type(values[0]).__name__
        raise ValueError(f"{name}: found labels of type {kind}; want numbers or text")
    return np.array(values)


def as_label_pair(
    real: ArrayLike,
    fake: ArrayLike,
    rows: tuple[int, int],
    *,
    names: tuple[str, str] = ("real_labels", "fake_labels"),
) -> tuple[np.ndarray, np.ndarray]:
    """Check two vectors of labels, and that they are of one kind.

    Args:
        real: shape (N,).
        fake: shape (M,).
        rows: N and M.
        names: names of the two arguments, for the message.

    Raises:
        ValueError: as :func:`as_labels`, or one holds numbers and the other text, so that they
            would share no class.
    """
    first, second = as_labels(real, rows[0], names[0]), as_labels(fake, rows[1], names[1])
    if not _ordered(first[:1], second[:1]):
        raise ValueError(
            f"{names[1]}: found {second[:1].tolist()[0]!r} where {names[0]} has "
            f"{first[:1].tolist()[0]!r}; want labels of one kind"
        )
    return first, second


def _ordered(*labels: np.ndarray) -> bool:
    """Tell whether labels can be put in one order, as those of different kinds cannot."""
    try:
        sorted({label for part in labels for label in part.tolist()})
    except TypeError:
        return False
    return True


def as_generator(rng: int | np.random.Generator) -> np.random.Generator:
    """Return a generator; a seed gives other numbers than ``np.random.default_rng`` of it.

    Samples drawn with that seed would otherwise be the very directions that they are projected on.
    """
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng([rng, OWN_STREAM])


def squared_distance_blocks(
    first: Matrix, second: Matrix, *, rows: int = BLOCK_ROWS
) -> Iterator[tuple[int, Matrix]]:
    """Yield (first row of the block, squared distances of these rows to all of ``second``).

    Both sets are shifted by the mean of ``second`` beforehand: ‖x‖² + ‖y‖² − 2xy loses digits when
    the cloud lies far from the origin.

    Args:
        first: shape (N, D).
        second: shape (M, D).
        rows: most rows in one block, which bounds memory by rows × M.
    """
    center = second.mean(axis=0)
    shifted = second - center
    norms = np.einsum("nd,nd->n", shifted, shifted)
    for start in range(0, len(first), rows):
        block = first[start : start + rows] - center
        squared = block @ shifted.T
        squared *= -2.0
        squared += norms
        squared += np.einsum("nd,nd->n", block, block)[:, None]
        np.maximum(squared, 0.0, out=squared)
        yield start, squared


def row_slack(first: Matrix, second: Matrix) -> Matrix:
    """Return each row's share, (N,), of a squared distance that rounding alone may give.

    Below the shares of both, rows of ``first`` (N, D) and ``second`` (M, D) cannot be told apart.
    """
    shifted = first - second.mean(axis=0)
    return 64 * float(np.finfo(np.float64).eps) * np.einsum("nd,nd->n", shifted, shifted)


def mean_pairwise_distance(samples: Matrix) -> float:
    """Return the mean Euclidean distance over all pairs of distinct rows of an (N, D) matrix."""
    total = 0.0
    for start, squared in squared_distance_blocks(samples, samples):
        own = np.arange(len(squared))
        squared[own, start + own] = 0.0
        total += float(np.sqrt(squared).sum())
    return total / (len(samples) * (len(samples) - 1))
