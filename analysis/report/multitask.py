"""What a report says of a multitask run: its tasks and technique, scores and conflicts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.conflicts import pair_conflicts
from analysis.report.sentences import count, interval_text
from analysis.report.tables import Table, flat_rows
from analysis.report.technique import technique
from analysis.runs import Run
from analysis.statistics import Interval
from analysis.tasks import MEASURES, TaskScore, best_scores, task_scores
from analysis.words import UNKNOWN, number, percent, shortened

OVERALL = (
    ("mean", "Mean of the tasks' own scores"),
    ("normalized", "The same with correlations as (r + 1) / 2"),
)
OF_THE_GAME = (
    "The discriminator has a loss about real and fake, source, and one about the classes of each "
    "task, such as sentiment.class."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultitaskParts:
    """What only the page of a multitask run has."""

    tasks: Table
    technique: list[tuple[str, str]]
    parameters: list[tuple[str, str]]
    scores: Table | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictParts:
    """What the page says of gradients that were merged.

    Attributes:
        between: whose they are.
        table: a row a pair.
        caption: what the rows mean.
        wide: whether the figure has so many panels that it needs the whole width.
    """

    between: str
    table: Table
    caption: str
    wide: bool


def multitask_parts(run: Run) -> MultitaskParts:
    """Put into cells what was trained, how, and with what result."""
    parameters = run.result.get("parameters") or {}
    return MultitaskParts(
        tasks=_tasks_table(run),
        technique=technique(run),
        parameters=[
            (key, f"{int(value):,}" if value.isdigit() else value)
            for key, value in flat_rows(parameters)
        ],
        scores=_scores_table(run),
    )


def headline(run: Run) -> tuple[str, str]:
    """Return the overall score in a sentence, and each task's own with its interval."""
    scores = best_scores(run.result)
    if not scores:
        return "No task was scored.", "The run had neither a test nor a dev part."
    part = scores[0].part
    overall = run.result[part].get("overall") or {}
    mean = number(overall.get("mean"), 3)
    normalized = number(overall.get("normalized"), 3)
    tasks = "; ".join(f"{score.name} {_own(score)}" for score in scores)
    chosen = " These rows also guided training, so the scores flatter." if part == "dev" else ""
    if len(scores) == 1:
        said = f"The own score of {scores[0].name} is {mean} on {part} rows."
    else:
        whose = "The tasks' own scores"
        if len(scores) < len(run.tasks):
            whose = f"The own scores of {len(scores)} of {len(run.tasks)} tasks"
        said = (
            f"{whose} have the mean {mean} on {part} rows ({normalized} where a correlation r "
            "counts as (r + 1) / 2)."
        )
    return said, f"On {part} rows: {tasks}.{chosen}"


def what_was_trained(run: Run) -> str:
    """Say the encoder, the tasks, how many weights were trained and which were kept."""
    name = (run.recipe.get("encoder") or {}).get("name")
    encoder = f"the encoder {shortened(str(name), 60)}" if name else "an encoder"
    parameters = run.result.get("parameters") or {}
    trained, total = parameters.get("trained"), parameters.get("total")
    weights = f"{count(trained)} of {count(total)} weights were trained"
    best = run.result.get("best_update")
    kept = f", and those after update {best:,} were kept" if isinstance(best, int) else ""
    game = (
        " A GAN was trained beside, its fakes made for a task and a label."
        if run.recipe.get("gan")
        else ""
    )
    return f"Trained {encoder} on {', '.join(run.tasks)}; {weights}{kept}.{game}"


def _tasks_table(run: Run) -> Table:
    """Return what each task was trained on, and its head."""
    recipes = run.recipe.get("tasks") or {}
    labels = run.result.get("labels") or {}
    rows = []
    for name, task in run.tasks.items():
        recipe, rows_used = recipes.get(name) or {}, labels.get(name) or {}
        classes = len(task.get("classes") or ())
        rows.append(
            (
                name,
                shortened(str(recipe.get("train") or UNKNOWN), 60),
                number(rows_used.get("labeled"), 0),
                number(rows_used.get("unlabeled"), 0),
                f"score, {classes} buckets" if task.get("output") == "score" else f"{classes}",
                str(recipe.get("head") or UNKNOWN),
                str(recipe.get("pair") or UNKNOWN) if task.get("arity") == 2 else UNKNOWN,
            )
        )
    header = ("Task", "Data", "Labelled rows", "Unlabelled", "Classes", "Head", "Pair")
    return Table(header, rows, [False] * len(rows))


def _scores_table(run: Run) -> Table | None:
    """Return every score of every task by part, each task's own marked, and the overall ones."""
    by_part = {part: task_scores(run.result, part) for part in ("dev", "test")}
    parts = {part: scores for part, scores in by_part.items() if scores}
    if not parts:
        return None
    rows, marked = [], []
    for task in run.tasks:
        found = {
            p: next((s for s in scores if s.name == task), None) for p, scores in parts.items()
        }
        known = [score for score in found.values() if score]
        for measure in [key for key in MEASURES if any(key in s.values for s in known)]:
            cells = [cell for score in found.values() for cell in _cells(score, measure)]
            rows.append((f"{task}, {MEASURES[measure]}", *cells))
            marked.append(any(score.measure == measure for score in known))
    for key, name in OVERALL:
        overall = [(run.result[part].get("overall") or {}).get(key) for part in parts]
        cells = [cell for value in overall for cell in (number(value, 3), UNKNOWN, UNKNOWN)]
        rows.append((name, *cells))
        marked.append(False)
    header = [title for part in parts for title in (part.capitalize(), "95% interval", "Rows")]
    return Table(("Score", *header), rows, marked)


def conflict_parts(run: Run) -> ConflictParts | None:
    """Say how often each pair was in conflict, over all parameters and steps, None if unknown."""
    rows = []
    pairs = pair_conflicts(run.conflicts)
    for pair in pairs:
        steps, share, mean, lowest = pair.total()
        cosines = (number(value, 3) for value in (mean, lowest))
        rows.append((shortened(pair.name, 60), f"{steps:,}", percent(share), *cosines))
    if not rows:
        return None
    tasks_alone = {name for pair in pairs for name in pair.tasks} <= set(run.tasks)
    between = "tasks" if tasks_alone else "losses"
    caption = (
        f"Cosines of the {between}' gradients over all parameters and the whole of training; a "
        "negative one is a conflict."
    )
    header = (f"Pair of {between}", "Steps", "In conflict", "Mean cosine", "Lowest cosine")
    return ConflictParts(
        between=between,
        table=Table(header, rows, [False] * len(rows)),
        caption=caption if tasks_alone else f"{caption} {OF_THE_GAME}",
        wide=len(rows) > 2,
    )


def tasks_overview(runs: Sequence[Run], names: Sequence[str]) -> Table:
    """Return one row a multitask run: its tasks' own scores, and their mean if it scored all."""
    tasks = list(dict.fromkeys(task for run in runs for task in run.tasks))
    rows = []
    for run, name in zip(runs, names, strict=True):
        scores = best_scores(run.result)
        own = {score.name: _shown(score.measure, score.own) for score in scores}
        part = scores[0].part if scores else UNKNOWN
        overall = (run.result.get(part) or {}).get("overall") or {}
        rows.append(
            (
                name,
                *(own.get(task, UNKNOWN) for task in tasks),
                number(overall.get("mean"), 3) if len(own) == len(tasks) else UNKNOWN,
                part,
                number((run.result.get("parameters") or {}).get("trained"), 0),
            )
        )
    header = ("Run", *tasks, "Mean", "Part", "Trained weights")
    return Table(header, rows, [False] * len(rows))


def _own(score: TaskScore) -> str:
    """Return a task's own score with its name and interval."""
    bounds = score.intervals.get(score.measure)
    interval = ""
    if bounds and score.measure == "accuracy":
        interval = interval_text(bounds.low, bounds.high)
    elif bounds:
        interval = f" (95% interval {bounds.low:.3f} to {bounds.high:.3f})"
    return f"{MEASURES[score.measure]} {_shown(score.measure, score.own)}{interval}"


def _cells(score: TaskScore | None, measure: str) -> tuple[str, str, str]:
    """Return a score, its interval and its rows."""
    if score is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    bounds: Interval | None = score.intervals.get(measure)
    ends = UNKNOWN
    if bounds:
        ends = f"{_shown(measure, bounds.low)} to {_shown(measure, bounds.high)}"
    value = score.values.get(measure, math.nan)
    return _shown(measure, value), ends, number(score.rows or None, 0)


def _shown(measure: str, value: float) -> str:
    """Return a share as a percentage, any other score as a number."""
    shares = ("accuracy", "macro_f1", "balanced_accuracy")
    return percent(value) if measure in shares else number(value, 3)
