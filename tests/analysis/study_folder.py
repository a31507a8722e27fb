"""Folders of studies made by hand, from the format and not from the code that writes them."""

import csv
import json
from itertools import product

import numpy as np

METHODS = ("default", "logistic_regression", "self_training", "gan_bert")
PARTS = ("none", "pseudo_labels", "adversarial", "warm_start", "feature_matching")
FRACTIONS = (0.01, 0.05, 0.2)
UNLABELED = (0.0, 0.1, 0.5, 1.0)


def write_study(folder, definition, rows, curves=()):
    """Write study.json, table.csv and curves.csv; a row is a mapping of columns."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"format": 1, "recipe": "default", "measures": ["accuracy"]} | definition
    (folder / "study.json").write_text(json.dumps(whole), encoding="utf-8")
    for name, lines in (("table.csv", rows), ("curves.csv", curves)):
        if lines:
            columns = list(dict.fromkeys(key for line in lines for key in line))
            with (folder / name).open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns, restval="")
                writer.writeheader()
                writer.writerows(lines)
    return folder


def noise(rng, size, scale):
    """Return normal noise, of no seed's own."""
    return scale * rng.normal(size=size)


def depth_rows(rng, seeds=5, levels=4, effect=0.0, bend=0.3, control=False):
    """Return rows of a depth study; ``effect`` is lost a discriminator layer, ``bend`` beyond 2."""
    rows = []
    for held in ("", "equal_parameters") if control else ("",):
        for seed in range(seeds):
            level = 0.6 + noise(rng, (), 0.02)
            cells = noise(rng, (levels, levels), 0.006)
            for g, d in product(range(levels), repeat=2):
                accuracy = level + cells[g, d] - effect * d
                distance = 2 + bend * abs(g - 1) + noise(rng, (), 0.2)
                rows.append(
                    {
                        "row": f"r{len(rows):04}",
                        "study": "depth",
                        "generator.depth": g + 1,
                        "discriminator.depth": d + 1,
                        "seed": seed,
                        "method": "",
                        "control": held,
                        "accuracy": round(accuracy, 4),
                        "frechet_distance": round(distance, 4),
                        "frechet_floor": 0.9,
                        "coverage": round(0.7 - 0.05 * g + noise(rng, (), 0.02), 4),
                        "coverage_floor": 0.93,
                        "baseline.logistic_regression": round(level - 0.03, 4),
                        "parameters": 100_000 * (g + d + 2),
                    }
                )
    return rows


def depth_study(folder, **options):
    """Write a depth study."""
    rng = np.random.default_rng(options.pop("rng", 0))
    rows = depth_rows(rng, **options)
    levels, seeds = options.get("levels", 4), options.get("seeds", 5)
    axes = {"generator.depth": list(range(1, levels + 1))}
    axes["discriminator.depth"] = axes["generator.depth"]
    return write_study(folder, {"kind": "depth", "axes": axes, "seeds": seeds}, rows)


def label_rows(rng, seeds=5, methods=METHODS, fractions=FRACTIONS, gain=0.0, rows_scored=500):
    """Return rows of a label study; the first method is ``gain`` above the others, at each."""
    rows = []
    for seed, fraction in product(range(seeds), fractions):
        level = 0.8 + 0.1 * np.log10(fraction) + noise(rng, (), 0.02)
        for index, method in enumerate(methods):
            truth = level + (gain if index == 0 else 0.0) + noise(rng, (), 0.01)
            accuracy = rng.binomial(rows_scored, min(max(truth, 0.0), 1.0)) / rows_scored
            rows.append(
                {
                    "row": f"r{len(rows):04}",
                    "study": "labels",
                    "data.label_fraction": fraction,
                    "seed": seed,
                    "method": method,
                    "control": "",
                    "accuracy": accuracy,
                    "labels": int(8000 * fraction),
                }
            )
    return rows


def label_study(folder, **options):
    """Write a label study."""
    rng = np.random.default_rng(options.pop("rng", 0))
    rows = label_rows(rng, **options)
    axes = {"data.label_fraction": list(options.get("fractions", FRACTIONS))}
    seeds = options.get("seeds", 5)
    return write_study(folder, {"kind": "labels", "axes": axes, "seeds": seeds}, rows)


def axis_study(folder, kind, key, levels, costs, seeds=6, rng=0):
    """Write a study of one axis, whose levels cost so much accuracy; with learning curves."""
    rng = np.random.default_rng(rng)
    rows, curves = [], []
    for seed in range(seeds):
        start = 0.6 + noise(rng, (), 0.02)
        for level, cost in zip(levels, costs, strict=True):
            accuracy = round(start - cost + noise(rng, (), 0.008), 4)
            name = f"r{len(rows):04}"
            rows.append(
                {
                    "row": name,
                    "study": kind,
                    key: level,
                    "seed": seed,
                    "method": "",
                    "control": "",
                    "accuracy": accuracy,
                    "baseline.logistic_regression": round(start - 0.02, 4),
                }
            )
            for step in range(0, 401, 50):
                grown = accuracy - 0.3 * np.exp(-step / 80) + noise(rng, (), 0.004)
                curves.append(
                    {"row": name, "step": step, "measure": "dev_accuracy", "value": grown}
                )
    definition = {"kind": kind, "axes": {key: list(levels)}, "seeds": seeds}
    return write_study(folder, definition, rows, curves)


def ablation_study(folder, costs=(0.0, 0.03, 0.0, 0.015, 0.001), **options):
    """Write an ablation study."""
    return axis_study(folder, "ablation", "ablation", PARTS, costs, **options)


def unlabeled_study(folder, costs=(0.04, 0.02, 0.005, 0.0), **options):
    """Write a study of unlabelled text."""
    return axis_study(folder, "unlabeled", "data.unlabeled_fraction", UNLABELED, costs, **options)
