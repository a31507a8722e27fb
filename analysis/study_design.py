"""What a study is about: which measures count, which axis is compared, what the reference is."""

from collections.abc import Sequence

from analysis.study_names import as_number, axis_words, level_words
from analysis.study_reading import Study
from analysis.words import readable

SCORES = ("accuracy", "macro_f1", "pearson", "spearman")
FAKES = ("frechet_distance", "kernel_distance")
LOWER = (
    "distance",
    "wasserstein",
    "seconds",
    "loss",
    "ece",
    "aurc",
    "duplicate_rate",
    "two_sample",
)
UNLABELED_AXES = ("unlabeled",)
ABLATION_AXES = ("ablation", "removed", "without", "part")
NOTHING_REMOVED = ("", "none", "nothing", "full", "all", "complete", "recipe")


def higher_is_better(measure: str) -> bool:
    """Tell whether more of a measure is better."""
    return not any(word in measure for word in LOWER)


def outcomes(study: Study) -> list[str]:
    """Return the measures that statements are made of: one score, for depths one of the fakes too.

    Others are described only: each further measure would cost every statement some of its level.
    """
    planned = [str(name) for name in study.definition.get("measures") or ()]
    known = [name for name in (*SCORES, *planned, "mean") if study.has(name)]
    chosen = known[:1]
    if study.kind == "depth":
        chosen += [name for name in FAKES if study.has(name) and name not in chosen][:1]
    return chosen


def depth_axes(study: Study) -> tuple[str, str] | None:
    """Return the two depths that are crossed, the generator's first, or None."""
    found = sorted((key for key in study.axes if key.endswith("depth")), key=_generator_first)
    wide = [key for key in found if len(study.axes[key]) > 1]
    return (wide[0], wide[1]) if len(wide) == 2 else None


def compared_axis(study: Study) -> str | None:
    """Return the axis whose levels are compared, None where methods are."""
    if study.kind == "labels" and len(methods_of(study)) > 1:
        return None
    wanted = {"unlabeled": UNLABELED_AXES, "ablation": ABLATION_AXES}.get(study.kind, ())
    named = [key for key in study.axes if any(word in key for word in wanted)]
    several = [key for key in (*named, *study.axes) if len(study.axes[key]) > 1]
    return several[0] if several else next(iter(study.axes), None)


def condition_words(study: Study, axis: str, level: str) -> str:
    """Return a level of the compared axis as people read it: what is left out, or how much text."""
    words = level_words(axis, level)
    if study.kind == "unlabeled" and "unlabeled" in axis and "imbalance" not in axis:
        return f"{words} unlabelled"
    if study.kind != "ablation" or not any(word in axis for word in ABLATION_AXES):
        return f"{axis_words(axis)} {words}"
    if level.lower() in NOTHING_REMOVED:
        return "full recipe"
    known = "=" in level or level.startswith(("without", "no ", "no_", "no-"))
    return readable(level) if known else f"without {readable(level)}"


def control_words(control: str) -> str:
    """Return what a control holds fixed, in words."""
    if control.lower() in ("true", "1", "yes") or "param" in control.lower():
        return "equal parameters"
    return f"control {readable(control)}"


def seeds_of(study: Study) -> list[str]:
    """Return the seeds of all rows, in order."""
    found = {row.seed for row in study.rows}
    return sorted(found, key=lambda text: (as_number(text) is None, as_number(text) or 0.0, text))


def methods_of(study: Study) -> list[str]:
    """Return the methods that rows are of, in the order of the table."""
    return list(dict.fromkeys(row.method for row in study.rows if row.method))


def reference_level(study: Study, kept: Sequence[str]) -> int:
    """Return the level that others are compared with: nothing removed, or the least."""
    if study.kind == "ablation":
        for index, text in enumerate(kept):
            if text.lower() in NOTHING_REMOVED:
                return index
    return 0


def reference_method(study: Study, kept: Sequence[str]) -> int:
    """Return the method that others are compared with: the study's recipe, or the default."""
    for wanted in (study.definition.get("reference"), study.recipe, "default", "few-labels"):
        if wanted in kept:
            return list(kept).index(str(wanted))
    return 0


def _generator_first(key: str) -> tuple[bool, str]:
    """Order axes so that the generator's comes first."""
    return (not key.startswith("generator"), key)


def ordered_levels(found: set[str], planned: Sequence[str]) -> tuple[str, ...]:
    """Return levels in the planned order, others behind; numbers always rise."""
    levels = [*(text for text in planned if text in found), *sorted(found - set(planned))]
    numbers = {text: as_number(text) for text in levels}
    if all(value is not None for value in numbers.values()):
        levels.sort(key=lambda text: numbers[text] or 0.0)
    return tuple(levels)
