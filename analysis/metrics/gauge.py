"""The diversity of fakes beside that of real rows, and limits taken from real against real.

Real rows are parted at random, again and again: one part is the reference, rows of the other stand
in for fakes. What the stand-ins reach says what is noise at these sizes; a limit lies a stated step
beyond the worst of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from analysis.distances import Matrix
from analysis.metrics.diversity import (
    MODES,
    Modes,
    distinct_neighbors,
    duplicate_rate,
    effective_rank,
    find_modes,
    mean_distance,
    similarity_width,
    squared_distances,
    vendi_score,
)
from analysis.metrics.permutation import interval

LEAST_ROWS = 15
MOST_ROWS = 2000
"""Rows of each set that are looked at: all their distances are held at once."""
PARTINGS = 20

LOW: Mapping[str, float] = MappingProxyType(
    {"rank_ratio": 0.65, "spread_ratio": 0.8, "vendi_ratio": 0.65, "distinct_ratio": 0.4}
)
"""Measures that fall in collapse: how far below the lowest of real rows, as a factor."""
HIGH: Mapping[str, float] = MappingProxyType({"duplicate_rate": 0.1, "missed_modes": 0.2})
"""Measures that rise in collapse: how far above the highest of real rows."""
UNCALIBRATED: Mapping[str, float] = MappingProxyType(
    {
        "rank_ratio": 0.5,
        "spread_ratio": 0.7,
        "vendi_ratio": 0.5,
        "duplicate_rate": 0.4,
    }
)
"""Limits where there are too few real rows to part; duplicates beyond those of the real rows."""


@dataclass(frozen=True, slots=True, eq=False)
class _Parting:
    """One way to part the real rows."""

    reference: NDArray[np.int64]
    stand_in: NDArray[np.int64]
    width: float
    rank: float
    spread: float
    vendi: float
    modes: Modes | None


class Gauge:
    """Measures the diversity of samples beside that of real rows of one kind.

    Args:
        real: shape (N, D), N ≥ 15.
        size: rows of a sample; at most half of the real rows are looked at, where that leaves 15.
        rng: generator of the parts.
        partings: how often the real rows are parted.

    Attributes:
        size: rows of a sample that are looked at.
        calibrated: whether there were enough real rows to part.
        floors: by measure, its value of the real stand-ins, (partings,); NaN where there are none.
        limits: by measure, the value beyond which it speaks of collapse; NaN where it never does.
    """

    def __init__(
        self, real: Matrix, size: int, *, rng: np.random.Generator, partings: int = PARTINGS
    ) -> None:
        self.real = real if len(real) <= MOST_ROWS else real[rng.permutation(len(real))[:MOST_ROWS]]
        rows = len(self.real)
        self.calibrated = rows >= 2 * LEAST_ROWS
        held = rows // 2 if self.calibrated else rows
        self.size = min(size, held)
        squared = squared_distances(self.real, self.real)
        self._partings = [
            self._part(squared, rng) for _ in range(partings if self.calibrated else 1)
        ]
        self.floors = self._floors(squared)
        self.limits = self._limits(squared)

    def _part(self, squared: Matrix, rng: np.random.Generator) -> _Parting:
        order = rng.permutation(len(squared))
        stand_in = order[: self.size]
        reference = order[len(order) // 2 :] if self.calibrated else order
        own = squared[np.ix_(reference, reference)]
        equal = own[: self.size, : self.size]
        width = similarity_width(own)
        fit, weigh = self.real[reference[::2]], self.real[reference[1::2]]
        most = min(MODES, self.size // 10)
        return _Parting(
            reference=reference,
            stand_in=stand_in,
            width=width,
            rank=effective_rank(equal),
            spread=mean_distance(own),
            vendi=vendi_score(equal, width),
            modes=find_modes(fit, weigh, most=most, seed=int(rng.integers(2**31))),
        )

    def read(
        self, sample: Matrix, *, rng: np.random.Generator, partings: int | None = None
    ) -> dict[str, float]:
        """Measure a sample (M, D), on average over the partings.

        Args:
            sample: at least ``size`` rows.
            rng: generator of the rows drawn.
            partings: how many partings are looked at; None: all.

        Returns:
            As :meth:`mean`.
        """
        return self.mean(self.readings(sample, rng=rng, partings=partings))

    def readings(
        self, sample: Matrix, *, rng: np.random.Generator, partings: int | None = None
    ) -> list[dict[str, float]]:
        """Measure a sample as :meth:`read` does, a reading for each parting.

        Of each parting as many rows of the sample are drawn as real rows stood in, so that values,
        floors and limits are of the same sizes.
        """
        sample = sample[rng.permutation(len(sample))[:MOST_ROWS]]
        inside, across = squared_distances(sample, sample), squared_distances(sample, self.real)
        found = []
        for parting in self._partings[:partings]:
            drawn = rng.permutation(len(sample))[: self.size]
            found.append(
                _measure(parting, sample[drawn], inside[np.ix_(drawn, drawn)], across[drawn])
            )
        return found

    def mean(self, readings: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """Average readings of one sample.

        Returns:
            ``rank_real``, ``rank_fake``, ``rank_ratio``, ``spread_ratio``, ``vendi_real``,
            ``vendi_fake``, ``vendi_ratio``, ``distinct_neighbors``, ``distinct_ratio`` (to the
            floors' mean), ``duplicate_rate``, ``missed_modes``; NaN where a measure has no value.
        """
        means = {name: _mean([values[name] for values in readings]) for name in readings[0]}
        floor = float(self.floors["distinct_neighbors"].mean())
        return means | {"distinct_ratio": _ratio(means["distinct_neighbors"], floor)}

    def ends(
        self, means: Mapping[str, float], readings: Sequence[Mapping[str, float]]
    ) -> dict[str, float]:
        """Return the 95 % interval of each measure that has a limit.

        It is ± t times the spread over the partings, for a reading has half of the real rows, and
        at most half of the sample if the readings are well chosen, drawn without replacement.

        Args:
            means: of :meth:`mean`.
            readings: of the same sample, of at most half of its rows; NaN comes of a single one.

        Returns:
            ``NAME_low`` and ``NAME_high``.
        """
        usual = float(self.floors["distinct_neighbors"].mean())
        values = {name: [reading.get(name) for reading in readings] for name in (*LOW, *HIGH)}
        values["distinct_ratio"] = [_ratio(r["distinct_neighbors"], usual) for r in readings]
        return _named_ends(
            {name: (means[name], np.array(values[name], dtype=np.float64)) for name in values}
        )

    def floor_ends(self) -> dict[str, float]:
        """Return what real stand-ins have, by measure: the mean, and where 95 % of them lie.

        Returns:
            ``NAME_floor``, ``NAME_floor_low`` and ``NAME_floor_high``; NaN where none stood in.
        """
        means = {name: float(self.floors[name].mean()) for name in (*LOW, *HIGH)}
        ends = _named_ends({f"{n}_floor": (means[n], self.floors[n]) for n in means})
        return {f"{name}_floor": mean for name, mean in means.items()} | ends

    def beyond(self, values: Mapping[str, float]) -> list[str]:
        """Name the measures of :meth:`read` that lie beyond their limits; NaN accuses nobody."""
        low = [name for name in LOW if values[name] < self.limits[name]]
        return low + [name for name in HIGH if values[name] > self.limits[name]]

    def _floors(self, squared: Matrix) -> dict[str, NDArray[np.float64]]:
        """Measure the stand-ins of every parting."""
        names = (*LOW, *HIGH, "distinct_neighbors")
        if not self.calibrated:
            return {name: np.full(1, np.nan) for name in names}
        found = [
            _measure(
                p,
                self.real[p.stand_in],
                squared[np.ix_(p.stand_in, p.stand_in)],
                squared[p.stand_in],
            )
            for p in self._partings
        ]
        floors = {n: np.array([values[n] for values in found]) for n in names if n in found[0]}
        different = floors["distinct_neighbors"]
        return floors | {"distinct_ratio": different / different.mean()}

    def _limits(self, squared: Matrix) -> dict[str, float]:
        """Put limits a step beyond the worst stand-in; fixed ones where nothing stood in."""
        if not self.calibrated:
            limits = dict.fromkeys((*LOW, *HIGH), float("nan")) | dict(UNCALIBRATED)
            return limits | {
                "duplicate_rate": UNCALIBRATED["duplicate_rate"] + duplicate_rate(squared)
            }
        low = {name: factor * float(self.floors[name].min()) for name, factor in LOW.items()}
        return low | {n: step + float(self.floors[n].max()) for n, step in HIGH.items()}


def _measure(parting: _Parting, rows: Matrix, inside: Matrix, across: Matrix) -> dict[str, float]:
    """Measure S rows by their distances to each other (S, S) and to all real rows (S, N)."""
    rank, vendi = effective_rank(inside), vendi_score(inside, parting.width)
    modes = parting.modes
    return {
        "rank_real": parting.rank,
        "rank_fake": rank,
        "rank_ratio": _ratio(rank, parting.rank),
        "spread_ratio": _ratio(mean_distance(inside), parting.spread),
        "vendi_real": parting.vendi,
        "vendi_fake": vendi,
        "vendi_ratio": vendi / parting.vendi,
        "distinct_neighbors": distinct_neighbors(across[:, parting.reference]),
        "duplicate_rate": duplicate_rate(inside),
        "missed_modes": float("nan") if modes is None else modes.missed(modes.visits(rows)),
    }


def _named_ends(found: Mapping[str, tuple[float, NDArray[np.float64]]]) -> dict[str, float]:
    """Return NAME_low and NAME_high of means and the values that say how sure they are."""
    ends: dict[str, float] = {}
    for name, (mean, values) in found.items():
        most = 1.0 if name.removesuffix("_floor") in HIGH else np.inf
        both = interval(mean, values) if len(values) > 1 else (np.nan, np.nan)
        low, high = np.clip(both, 0.0, most)
        ends |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return ends


def _ratio(value: float, reference: float) -> float:
    """Return value / reference, NaN where the reference is 0."""
    return value / reference if reference > 0.0 else float("nan")


def _mean(values: list[float]) -> float:
    """Return the mean, NaN where a value is."""
    return float(np.mean(values))
