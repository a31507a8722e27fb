"""What the command line shows: progress, the comparison table, errors. Nothing else prints."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from analysis.words import UNKNOWN

_WIDTH_OF_FILES = 100
_LONGEST_TEXT = 200
_MOST_FAKES = 20
_STAGES = {
    "read": "reading data and encoder",
    "embed": "embedding the texts",
    "embed for baselines": "embedding them as the encoder was, for the baselines",
    "pretrain": "contrastive stage",
    "adapt": "moving the encoder ahead of the GAN",
    "train": "training",
    "calibrate": "calibrating the probabilities",
    "score": "scoring",
    "compare": "training the baselines",
    "measure": "measuring the generator",
    "draw": "drawing figures and report",
}
_LOGGERS = ("acgan_bert", "mtl", "analysis")


def say(text: str = "") -> None:
    """Print plain text to standard output, at once."""
    print(text, flush=True)


class _RateColumn(ProgressColumn):
    """Units a second, once there is something to count."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.3g}/s", style="progress.data.speed")


class Terminal:
    """Shows the stages of a run: live bars on a terminal, else one line when each begins.

    Use it as a context manager; it is the Progress of :mod:`acgan_bert.progress`.

    Args:
        silent: Whether to show nothing, as all processes but one do.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self._console = Console(stderr=True)
        self._silent = silent
        self._bars: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._silent:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _RateColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bars.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._bars is not None:
            if error is None:
                self._finish_stage()
            self._bars.stop()

    def stage(self, name: str, total: int | None) -> None:
        """Begin a stage; ``total`` is how much there is to do, None where that is unknown."""
        if self._bars is not None:
            self._finish_stage()
            self._task = self._bars.add_task(_STAGES.get(name, name), total=total)
        elif not self._silent:
            words = _STAGES.get(name, name)
            say(words if total is None else f"{words} ({total})")

    def advance(self, done: int, total: int | None = None) -> None:
        """Say how much of the stage is done so far, and of how much where that became known."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=done, total=total)

    def _finish_stage(self) -> None:
        if self._bars is None or self._task is None:
            return
        task = self._bars.tasks[-1]
        self._bars.update(self._task, total=task.total or 1, completed=task.total or 1)


@contextmanager
def warnings_shown() -> Iterator[None]:
    """Print what our loggers warn of on standard error while the block lasts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("warning: %(message)s"))
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def show_run(run: Path, result: Mapping[str, Any]) -> None:
    """Print a finished run: its table, what the user should know, and where everything is.

    Args:
        run: The run directory.
        result: The content of its ``result.json``.
    """
    labels = result.get("labels") or {}
    if "tasks" in result:
        _show_tasks(result)
        for task, measures in (result.get("generator") or {}).items():
            _show_generator(measures, of=f" of {task}")
    else:
        if not _show_comparison(result):
            say("nothing was scored: no dev or test part (ask for one: --data.test_fraction 0.2)")
        _show_generator(result.get("generator") or {})
        say(f"labels: {labels.get('labeled')} labelled rows, {labels.get('unlabeled')} unlabelled")
    for note in result.get("notes") or ():
        say(f"note: {note}")
    say(f"run: {run}")
    if (run / "report.html").exists():
        say(f"report: {run / 'report.html'}")


def _show_tasks(result: Mapping[str, Any]) -> None:
    """Print the scores of a multitask run, a line for each task and part."""
    table = Table(title=f"weights of update {result.get('best_update')}")
    for name in ("part", "task", "rows", "measure", "score", "macro-F1", "labelled rows"):
        table.add_column(name, justify="left" if name in ("part", "task", "measure") else "right")
    for part in ("dev", "test"):
        for task, scores in (result.get(part) or {}).items():
            if task == "overall":
                cells = ("", "mean of the tasks", f"{scores['mean']:.3f}", "", "")
            else:
                measure = "pearson" if "pearson" in scores else "accuracy"
                value = scores[measure]
                cells = (
                    str(scores["rows"]),
                    measure,
                    UNKNOWN if value is None else f"{value:.3f}",
                    f"{scores['macro_f1']:.3f}",
                    str(result["labels"][task]["labeled"]),
                )
            table.add_row(*map(Text, (part, task, *cells)))
    if not table.row_count:
        say("nothing was scored: no dev or test part (ask: --tasks.sentiment.dev_fraction 0.2)")
    else:
        _console().print(table)
    counts = result.get("parameters") or {}
    say(f"parameters: {counts.get('trained'):,} trained of {counts.get('total'):,}")


def _show_comparison(result: Mapping[str, Any]) -> bool:
    """Print the table and the verdict; False where nothing was scored."""
    from analysis.scores import comparison, scored_part

    part, measure = scored_part(result)
    if not part:
        return False
    table = Table(title=f"{part} part, {result[part].get('rows')} rows, same ids for every method")
    for name in ("method", measure, "95 % interval", "macro-F1"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for score in comparison(result):
        known = score.low == score.low
        cells = (
            score.name,
            f"{score.value:.3f}",
            f"{score.low:.3f} to {score.high:.3f}" if known else UNKNOWN,
            f"{score.macro_f1:.3f}" if score.macro_f1 == score.macro_f1 else UNKNOWN,
        )
        table.add_row(*map(Text, cells), style="bold" if score.highlighted else "")
    _console().print(table)
    _show_verdict(result)
    return True


def _show_generator(measures: Mapping[str, Any], *, of: str = "") -> None:
    """Print the Fréchet distance beside its floor and the generator that a user would pick."""
    distance, floor = measures.get("frechet_distance"), measures.get("frechet_floor")
    if distance is None:
        return
    rival = ((measures.get("baselines") or {}).get("class_gaussian") or {}).get("frechet_distance")
    beside = "" if floor is None else f"; real against real {floor:.4g}"
    beside += "" if rival is None else f"; class Gaussian {rival:.4g}"
    say(f"generator{of}: Fréchet distance {distance:.4g}{beside}")


def _show_verdict(result: Mapping[str, Any]) -> None:
    from analysis.scores import verdict

    found = verdict(result)
    if found.kind == "untested":
        return
    sentence = {
        "better": "better than the best baseline",
        "worse": "worse than the best baseline",
        "noise": "not distinguishable from the best baseline on so many rows",
    }[found.kind]
    interval = ""
    if found.interval is not None:
        interval = f", 95 % interval {found.interval.low:+.3f} to {found.interval.high:+.3f}"
    say(f"this model is {sentence}, {found.baseline} ({found.difference:+.3f}{interval})")


def show_fakes(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print one line for each of the first fakes: posterior, typicality, memorized, neighbor.

    Args:
        rows: As in ``embeddings/fake.jsonl``.
    """
    table = Table(expand=True)
    for name in ("fake", "label", "posterior", "typicality", "memorized"):
        table.add_column(name)
    table.add_column("nearest real sentence", ratio=1, no_wrap=True, overflow="ellipsis")
    for number, row in enumerate(rows[:_MOST_FAKES]):
        chance = (row.get("posterior") or {}).get(row["label"])
        nearest, copied = (row.get("neighbors") or [{}])[0], row.get("memorized")
        cells = (
            str(number),
            str(row["label"]),
            UNKNOWN if chance is None else f"{chance:.3f}",
            UNKNOWN if row.get("typicality") is None else f"{row['typicality']:.3f}",
            UNKNOWN if copied is None else "yes" if copied else "no",
            " ".join(str(nearest.get("text", UNKNOWN)).split())[:_LONGEST_TEXT],
        )
        table.add_row(*map(Text, cells))
    _console().print(table)
    if len(rows) > _MOST_FAKES:
        say(f"and {len(rows) - _MOST_FAKES} more")


def _console() -> Console:
    """Make a console for standard output; files get a width of their own."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH_OF_FILES)
