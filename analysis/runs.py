"""Reads run directories: the files are the interface, the code that wrote them is not known."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from analysis.conflicts import FIELDS

FROZEN = "frozen"  # encoder.mode where no weight of the encoder is trained


@dataclass(frozen=True, slots=True)
class Samples:
    """Embeddings that a run left on disk.

    Attributes:
        vectors: shape (N, D).
        labels: class indices, shape (N,).
        rows: what is known of each row: texts of real ones, neighbors of fakes.
    """

    vectors: np.ndarray
    labels: np.ndarray
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What a generator made for one task, and how it was judged.

    Attributes:
        task: its name.
        classes: names of the classes, or of the unit buckets of a score, by index.
        measures: those of ``result.json``; empty if there were too few real rows.
        real: held-out real embeddings, None if the run wrote none.
        fake: generated embeddings, None if the run wrote none.
        series: earlier fakes by their frame, as "step 10", in order, shape (M', D) each: row m was
            made for the label of row m of ``fake`` and from the same noise.
        real_series: where the encoder was trained, real rows as they were at these frames, shape
            (N', D) each: the first of ``real``; empty where they stood still.
    """

    task: str
    classes: Sequence[str] = ()
    measures: Mapping[str, Any] = field(default_factory=dict)
    real: Samples | None = None
    fake: Samples | None = None
    series: Mapping[str, np.ndarray] = field(default_factory=dict)
    real_series: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left on disk.

    Attributes:
        path: its directory.
        result: ``result.json``.
        metrics: ``metrics.jsonl``, a flat record an evaluation.
        recipe: ``recipe.yaml``.
        recipe_text: the same as text, comments included.
        environment: ``env.json``.
        conflicts: ``conflicts.jsonl``, a record an evaluation, pair of tasks and group of
            parameters; empty if the run wrote none.
        contrastive: ``contrastive.jsonl``, a flat record every few updates of the stage ahead of
            multitask training; empty if there was none.
        adaptation: ``adaptation.jsonl``, the same of the stage that moved the encoder ahead of
            the GAN.
        generated: what the generator made: for its task in a run of the GAN, for each task of a
            multitask run with a GAN beside; empty if the run had none.
        figures: picture files by stem and suffix, as ("map", ".png").
    """

    path: Path
    result: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    recipe: Mapping[str, Any]
    recipe_text: str
    environment: Mapping[str, Any]
    conflicts: Sequence[Mapping[str, Any]] = ()
    contrastive: Sequence[Mapping[str, Any]] = ()
    adaptation: Sequence[Mapping[str, Any]] = ()
    generated: Sequence[Generated] = ()
    figures: Mapping[tuple[str, str], Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the run's own name, or its directory's."""
        return str(self.result.get("name") or self.path.name)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the class names in the order of their indices."""
        return _classes(self.result.get("task"))

    @property
    def tasks(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what a multitask run's tasks are, by name; empty for a run that is none."""
        return self.result.get("tasks") or {}

    @property
    def moved(self) -> bool:
        """Tell whether a run of the GAN trained its encoder: along with it, or ahead of it."""
        ahead = (self.recipe.get("adaptation") or {}).get("updates")
        along = (self.recipe.get("encoder") or {}).get("mode") or FROZEN
        return not self.tasks and (along != FROZEN or bool(ahead))


def read_run(path: Path | str) -> Run:
    """Read a run directory.

    Args:
        path: directory that holds ``result.json``.

    Raises:
        ValueError: it is no directory, not that of a finished run, or a file in it is damaged.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(f"{folder}: found no such directory; want a run directory")
    if not (folder / "result.json").is_file():
        started = (folder / "recipe.yaml").is_file()
        state = "an unfinished run; resume it first" if started else "no result.json; want a run"
        raise ValueError(f"{folder}: found {state}")
    recipe_text, result = _text(folder / "recipe.yaml"), _object(folder / "result.json")
    return Run(
        path=folder,
        result=result,
        metrics=_records(folder / "metrics.jsonl"),
        recipe=_recipe(folder / "recipe.yaml", recipe_text),
        recipe_text=recipe_text,
        environment=_object(folder / "env.json"),
        conflicts=_conflicts(folder / "conflicts.jsonl"),
        contrastive=_optional_records(folder / "contrastive.jsonl"),
        adaptation=_optional_records(folder / "adaptation.jsonl"),
        generated=_generated(folder / "embeddings", result),
        figures={
            (file.stem, file.suffix): file
            for file in sorted((folder / "figures").glob("*"))
            if file.suffix in (".png", ".svg")
        },
    )


def _text(file: Path) -> str:
    """Read a text file of the run."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror}); is it a run's?") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file}: damaged: not UTF-8 text") from None


def _object(file: Path) -> Mapping[str, Any]:
    """Read a JSON file that holds an object."""
    try:
        value = json.loads(_text(file))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: damaged: no JSON at line {error.lineno}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{file}: damaged: found a {type(value).__name__}; want a JSON object")
    return value


def _records(file: Path) -> list[Mapping[str, Any]]:
    """Read a file of one JSON object a line."""
    records: list[Mapping[str, Any]] = []
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        if not isinstance(record, dict):
            raise ValueError(f"{file}: damaged: line {number} is no JSON object")
        records.append(record)
    return records


def _optional_records(file: Path) -> list[Mapping[str, Any]]:
    """Read such a file, if the run wrote it."""
    return _records(file) if file.exists() else []


def _conflicts(file: Path) -> list[Mapping[str, Any]]:
    """Read the tasks' conflicts, if the run wrote them."""
    records = _optional_records(file)
    for number, record in enumerate(records, start=1):
        lacking = [name for name in FIELDS if record.get(name) is None]
        if lacking:
            raise ValueError(f"{file}: damaged: record {number} has no {lacking[0]!r}")
    return records


def _recipe(file: Path, text: str) -> Mapping[str, Any]:
    """Parse the recipe."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError(f"{file}: damaged: not YAML") from None
    if not isinstance(value, dict):
        raise ValueError(f"{file}: damaged: found {type(value).__name__}; want a YAML mapping")
    return value


def _generated(folder: Path, result: Mapping[str, Any]) -> list[Generated]:
    """Read what was made for each task: below its name where there are several."""
    measures, earlier = result.get("generator") or {}, folder.parent / "series"
    if tasks := result.get("tasks") or {}:
        places = [(name, task, measures.get(name), name) for name, task in tasks.items()]
    else:
        task = result.get("task") or {}
        places = [(str(task.get("name") or ""), task, measures, "")]
    found = [
        Generated(
            task=name,
            classes=_classes(task),
            measures=judged or {},
            real=read_samples(folder / place, "real"),
            fake=read_samples(folder / place, "fake"),
            **_series(earlier / place),
        )
        for name, task, judged, place in places
    ]
    return [made for made in found if made.measures or made.fake is not None]


def _classes(task: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the class names of a task in the order of their indices."""
    return tuple(str(name) for name in (task or {}).get("classes") or ())


def read_samples(folder: Path, kind: str) -> Samples | None:
    """Read one kind of embeddings, ``real`` or ``fake``, from a folder; None where there is none.

    Raises:
        ValueError: A file is damaged.
    """
    matrix, lines = folder / f"{kind}.safetensors", folder / f"{kind}.jsonl"
    if not matrix.exists():
        return None
    arrays = _arrays(matrix)
    vectors, labels = arrays["vectors"], arrays["labels"]
    rows = _records(lines)
    if vectors.ndim != 2 or labels.shape != (len(vectors),) or len(rows) != len(vectors):
        raise ValueError(
            f"{matrix}: damaged: found vectors {vectors.shape}, labels {labels.shape} and "
            f"{len(rows)} lines in {lines.name}; want one label and one line a vector"
        )
    return Samples(vectors, labels, rows)


def _series(folder: Path) -> dict[str, Mapping[str, np.ndarray]]:
    """Read what a run kept of its generator by step, and of real rows where they moved."""
    files = {int(file.stem[5:]): file for file in folder.glob(f"step-{8 * '[0-9]'}.safetensors")}
    frames = {f"step {step}": _arrays(files[step]) for step in sorted(files)}
    found = {
        name: {frame: arrays[key] for frame, arrays in frames.items() if key in arrays}
        for name, key in (("series", "vectors"), ("real_series", "real"))
    }
    shapes = {name: {vectors.shape for vectors in kept.values()} for name, kept in found.items()}
    if any(len(unlike) > 1 for unlike in shapes.values()) or (
        len(found["real_series"]) not in (0, len(frames))
    ):
        raise ValueError(f"{folder}: damaged: found snapshots of unlike shapes")
    return {**found}


def _arrays(file: Path) -> Mapping[str, np.ndarray]:
    """Read a file of vectors and labels, with whatever else it holds."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(file.read_bytes())
        if {"vectors", "labels"} <= arrays.keys():
            return arrays
    except (SafetensorError, OSError, TypeError):
        pass
    raise ValueError(f"{file}: damaged: want tensors 'vectors' and 'labels'")
