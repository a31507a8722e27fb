"""What a report says in words about a run. Plain text: escaping is the template's business."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.report.tables import floor_of
from analysis.runs import Generated, Run
from analysis.scores import Score, Verdict, comparison, scored_part, verdict
from analysis.words import percent, shortened

STRANGE = 0.05
"""Typicality at which a row of its class counts as strange."""
LEAST_REAL = 19
"""Real rows of a class from which on a fake can be that strange: the least is 1 / (rows + 1)."""
SHARES = ("precision", "recall", "density", "coverage")
TRAINED = {
    "finetune": "all of its weights",
    "last": "the weights of its last {last}",
    "lora": "by low-rank adapters",
}
OUTCOMES = {
    "better": "better than the best baseline",
    "noise": "no clear difference from the best baseline",
    "worse": "worse than the best baseline",
    "untested": "no baseline to compare with",
}


def what_was_run(run: Run) -> str:
    """Say the data, the encoder, the classes and how many labels there were."""
    data = run.recipe.get("data") or {}
    encoder = run.recipe.get("encoder") or {}
    labels = run.result.get("labels") or {}
    source = shortened(str(data.get("train") or "unknown data"), 80)
    parts = [f"Trained on {source}"]
    if encoder.get("name"):
        parts.append(f"with the encoder {shortened(str(encoder['name']), 60)}")
    counts = f"{count(labels.get('labeled'))} labelled and {count(labels.get('unlabeled'))}"
    classes = f" in {len(run.classes)} classes" if run.classes else ""
    said = f"{' '.join(parts)}, from {counts} unlabelled sentences{classes}."
    return f"{said} {_what_moved(run)}" if run.moved else said


def comparison_text(run: Run) -> str:
    """Say what all methods share; intervals and order are as in the table."""
    shared = "Same labels, same rows" if run.moved else "Same labels, same rows, same embeddings"
    plain = " Baselines were given the encoder as it was before." if run.moved else ""
    return f"{shared}; best first, this model in bold. Intervals are for the score.{plain}"


def model_score(run: Run) -> str:
    """Say the model's score with its interval and the rows it was measured on."""
    part, measure = scored_part(run.result)
    if not part:
        return "The run scored no rows: no test or dev part was given."
    model = next(score for score in comparison(run.result) if score.highlighted)
    rows = run.result[part].get("rows")
    where = f"on {count(rows)} {part} rows" if rows else f"on the {part} rows"
    guided = part == "dev" and "best_update" in run.result
    chosen = " These rows also guided training, so the score flatters." if guided else ""
    return f"{part.capitalize()} {measure} {score_text(model)} {where}.{chosen}"


def verdict_text(run: Run) -> str:
    """Say whether the model beat the best baseline, or that nobody can tell."""
    found = verdict(run.result)
    if found.kind == "untested":
        return "No baseline was scored on the same rows, so nothing can be said about its worth."
    points = f"{100 * abs(found.difference):.1f} points"
    direction = "above" if found.difference >= 0 else "below"
    facts = f"{points} {direction} the best baseline, {found.baseline}"
    interval = _difference_text(found)
    if found.kind == "better":
        return f"The model beat every baseline: it is {facts}{interval}."
    if found.kind == "worse":
        return f"The model did not beat the best baseline: it is {facts}{interval}. Use that."
    if found.interval is None:
        return f"The model is {facts}; without the number of rows, chance cannot be ruled out."
    return (
        f"The model is {facts}{interval}. That is within noise: these rows do not show that "
        f"either is better."
    )


def measures_text(made: Generated) -> str:
    """Say how near the fakes come to real rows, by what real rows have among themselves."""
    measures, said = made.measures, []
    own = _value(measures.get("frechet_distance"))
    floor = _value(floor_of(measures, "frechet_distance"))
    if math.isfinite(own + floor):
        chance = own <= _usual(made, "frechet_distance")[1]
        beyond = "no larger than chance makes it" if chance else "larger than"
        text = f"The Fréchet distance, {own:,.3f}, is {beyond} between real rows, {floor:,.3f}"
        simple = (measures.get("baselines") or {}).get("class_gaussian") or {}
        other = _value(simple.get("frechet_distance"))
        if math.isfinite(other):
            beside = "smaller than" if own < other else "not smaller than"
            text += f", and {beside} that of a Gaussian fitted to each class, {other:,.3f}"
        said.append(f"{text}.")
    shares = {key: (_value(measures.get(key)), _value(floor_of(measures, key))) for key in SHARES}
    known = {key: pair for key, pair in shares.items() if math.isfinite(sum(pair)) and pair[1] > 0}
    below = [key for key, (value, _) in known.items() if value < _usual(made, key)[0]]
    if below:
        worst = min(below, key=lambda key: known[key][0] / known[key][1])
        value, usual = known[worst]
        are, most = ("are", f"; farthest is {worst}") if len(below) > 1 else ("is", "")
        said.append(
            f"{_listed(below).capitalize()} {are} below that of real rows{most}: {value:.3f} "
            f"against {usual:.3f}."
        )
    elif known:
        said.append(f"In {_listed(list(known))} the fakes do not fall short of real rows.")
    return " ".join(said)


def _usual(made: Generated, measure: str) -> tuple[float, float]:
    """Return where 95 of 100 draws of real rows against real rows lie; their mean, if unknown."""
    floor = _value(floor_of(made.measures, measure))
    for row in made.measures.get("measures") or []:
        if (row.get("class"), row.get("measure")) == ("overall", measure):
            ends = _value(row.get("floor_low")), _value(row.get("floor_high"))
            return ends if math.isfinite(sum(ends)) else (floor, floor)
    return floor, floor


def collapse_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say which classes collapsed, and what else the verdicts hold against the fakes."""
    classes = [row for row in rows if row.get("class") != "overall"]
    bad = [row for row in classes if row.get("collapsed")]
    overall = next((row for row in rows if row.get("class") == "overall"), {})
    judged = [row for row in classes if not str(row.get("reason")).startswith("not judged")]
    few = len(classes) - len(judged)
    said = f"No sign of collapse in {len(judged)} of {len(classes)} classes."
    if bad:
        said = (
            f"The generator has collapsed in {len(bad)} of {len(classes)} classes: {_names(bad)}."
        )
    elif overall.get("collapsed"):
        said = f"The generator has collapsed overall: {overall.get('reason')}."
    if few:
        said += f" {few} {'class' if few == 1 else 'classes'} had too few rows to judge."
    said += "".join(
        f" Fakes of {_names(found)} {text}."
        for holds, text in FINDINGS
        if (found := [row for row in judged if holds(row)])
    )
    return said + _only_together(overall, classes)


def _only_together(overall: Mapping[str, Any], classes: Sequence[Mapping[str, Any]]) -> str:
    """Say what is found of all fakes together and of no class."""
    found = overall.get("verdict")
    if found not in LESSER or any(row.get("verdict") == found for row in classes):
        return ""
    return f" Of all classes together: {overall.get('reason')}."


def fakes_text(made: Generated) -> str:
    """Say how usual the fakes are among real rows, and how many repeat a training row."""
    rows = [] if made.fake is None else made.fake.rows
    real = Counter(row.get("label") for row in (made.real.rows if made.real else ()))
    usual = [
        value
        for row in rows
        if isinstance(value := row.get("typicality"), int | float)
        and real[row.get("label")] >= LEAST_REAL
    ]
    flags = [v for row in rows if isinstance(v := row.get("memorized"), bool)]
    said = []
    if usual:
        far = sum(value <= STRANGE for value in usual) / len(usual)
        said.append(
            f"Of {len(usual):,} fakes {percent(far)} lie as far out as the outermost "
            f"{percent(STRANGE, 0)} of the real rows of their class."
        )
    if flags:
        said.append(f"{sum(flags):,} of {len(flags):,} repeat a training row.")
    return " ".join(said)


def rejection_text(found: Mapping[str, Any]) -> str:
    """Say which of the two reasons to reject a row finds more wrong answers."""
    fake, confidence = ((found.get(key) or {}).get("aurc") for key in ("p_fake", "confidence"))
    if not isinstance(fake, int | float) or not isinstance(confidence, int | float):
        return ""
    where = f"on {count(found.get('rows'))} {found.get('on')} rows"
    if fake > confidence:
        return (
            f"{where.capitalize()}, p_fake finds wrong answers less well than the probabilities "
            "do: it tells what the generator makes, not a doubtful class."
        )
    return f"{where.capitalize()}, p_fake finds wrong answers as well as the probabilities do."


def _what_moved(run: Run) -> str:
    """Say how much of the encoder was trained, and that the baselines have the frozen one."""
    encoder = run.recipe.get("encoder") or {}
    if encoder.get("mode") in TRAINED:
        last = encoder.get("last_layers")
        what = TRAINED[encoder["mode"]].format(last=f"{last} layers" if last != 1 else "layer")
        said = f"The encoder was trained along with the GAN, {what}"
    else:
        said = "The encoder was trained ahead of the GAN"
    if not run.result.get("baselines"):
        return f"{said}."
    return f"{said}; the baselines stand on the frozen one, as it was before."


def _is_stranger(row: Mapping[str, Any]) -> bool:
    """Tell whether a classifier recognizes fakes less than half as often as real rows."""
    found, usual = row.get("conditional_accuracy"), row.get("conditional_floor")
    if not isinstance(found, int | float) or not isinstance(usual, int | float):
        return False
    return found < usual / 2


def _is_mistaken(row: Mapping[str, Any]) -> bool:
    """Tell whether fakes are surely recognized less often than real rows, if not that seldom."""
    return _is_flagged(row, "conditional_accuracy") and not _is_stranger(row)


def _is_repeating(row: Mapping[str, Any]) -> bool:
    """Tell whether fakes repeat training rows, collapsed or not."""
    return row.get("verdict") == "memorized" or _is_flagged(row, "memorized")


def _is_different(row: Mapping[str, Any]) -> bool:
    """Tell whether nothing is known but that fakes lie elsewhere."""
    return bool(row.get("verdict") == "different")


def _is_flagged(row: Mapping[str, Any], measure: str) -> bool:
    return measure in str(row.get("flags")).split(", ")


LESSER = ("off class", "memorized", "different")
FINDINGS = (
    (_is_stranger, "are not recognized as their class"),
    (_is_mistaken, "are recognized as their class less often than real rows are"),
    (_is_repeating, "repeat training rows"),
    (_is_different, "fill the clusters of real rows in other shares, which is no collapse"),
)
"""What a verdict can hold besides collapse, in the order in which it is said."""


def _value(entry: object) -> float:
    """Return a number, NaN for anything else."""
    return float(entry) if isinstance(entry, int | float) else math.nan


def _listed(words: Sequence[str]) -> str:
    """Join words with commas and a final and."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _names(rows: Sequence[Mapping[str, Any]]) -> str:
    """List the classes of these rows."""
    return ", ".join(shortened(str(row.get("class")), 40) for row in rows)


def score_text(score: Score) -> str:
    """Return a score with its interval where that is known."""
    return f"{percent(score.value)}{interval_text(score.low, score.high)}"


def interval_text(low: float, high: float) -> str:
    """Return " (95% interval a to b)", or nothing where an end is unknown."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f" (95% interval {percent(low)} to {percent(high)})"


def count(value: object) -> str:
    """Return a number of things with separators, a word where it is not known."""
    return f"{value:,}" if isinstance(value, int) else "an unknown number of"


def _difference_text(found: Verdict) -> str:
    """Return the interval of a difference in points, and whether it is paired."""
    if found.interval is None:
        return ""
    low, high = 100 * found.interval.low, 100 * found.interval.high
    kind = "paired" if found.paired else "unpaired, so on the wide side"
    return f" (95% interval {low:+.1f} to {high:+.1f} points; {kind})"
