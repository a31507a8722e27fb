"""What a report says of generated embeddings, task by task."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.report.class_measures import (
    class_measures_table,
    coherence_table,
    measures_caption,
    use_table,
)
from analysis.report.explorer import Explorer, explorers_of
from analysis.report.pictures import MORE_MAPS, Picture, map_name
from analysis.report.sentences import (
    collapse_text,
    fakes_text,
    measures_text,
    rejection_text,
)
from analysis.report.tables import (
    Fake,
    Table,
    collapse_table,
    fakes_by_class,
    floor_of,
    generator_table,
    rejection_table,
)
from analysis.runs import Generated, Run
from analysis.words import number


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorParts:
    """What the page has of one task's fakes.

    Attributes:
        task: its name where there are several, else empty.
        measures: beside floors and simple generators.
        measures_text: the same in a sentence.
        measures_caption: what their columns are.
        by_class: the measures class by class, None where a class was not measured.
        use: what the fakes are good for, None where that was not measured.
        collapse: class by class.
        collapse_text: the same in a sentence.
        map: of real and generated embeddings.
        more_maps: by class, over training, at another perplexity.
        explorer: the same to walk through, None where the run kept no points.
        coherence: classes and words around the fakes of each class, None if unknown.
        rejection: how well p(fake) finds wrong answers to a task, None where the run says it once.
        rejection_text: the same in a sentence.
        fakes: the first few of each class, with the sentences that they are near to.
        fakes_text: how usual they are.
    """

    task: str
    measures: Table | None
    measures_text: str
    measures_caption: str
    by_class: Table | None
    use: Table | None
    collapse: Table | None
    collapse_text: str
    map: Picture | None
    more_maps: list[Picture]
    explorer: Explorer | None
    coherence: Table | None
    rejection: Table | None
    rejection_text: str
    fakes: list[tuple[str, list[Fake]]]
    fakes_text: str


def generator_parts(
    run: Run, pictures: dict[str, Picture | None], anchor: str
) -> list[GeneratorParts]:
    """Put into words and cells what was made for each task; ``anchor`` is the run's own."""
    explorers = explorers_of(run, anchor)
    return [
        _parts(run, made, pictures, explorer)
        for made, explorer in zip(run.generated, explorers, strict=True)
    ]


def _parts(
    run: Run, made: Generated, drawn: dict[str, Picture | None], explorer: Explorer | None
) -> GeneratorParts:
    """Put into words and cells what was made for one task."""
    collapse = made.measures.get("collapse") or []
    rejection = made.measures.get("rejection") or {}
    return GeneratorParts(
        task=made.task if run.tasks else "",
        measures=generator_table(made),
        measures_text=measures_text(made),
        measures_caption=measures_caption(made),
        by_class=class_measures_table(made),
        use=use_table(made),
        collapse=collapse_table(collapse) if collapse else None,
        collapse_text=collapse_text(collapse) if collapse else "",
        map=drawn.get(map_name(run, made.task)),
        more_maps=[
            picture for stem in MORE_MAPS if (picture := drawn.get(map_name(run, made.task, stem)))
        ],
        explorer=explorer,
        coherence=coherence_table(made),
        rejection=rejection_table(rejection),
        rejection_text=rejection_text(rejection),
        fakes=fakes_by_class(made),
        fakes_text=fakes_text(made),
    )


def generators_overview(runs: Sequence[Run], names: Sequence[str]) -> Table | None:
    """Return a row for each task that multitask runs have fakes of, None if there is none."""
    rows = []
    for run, name in zip(runs, names, strict=True):
        for made in run.generated:
            if made.measures.get("frechet_distance") is None:
                continue
            simple = (made.measures.get("baselines") or {}).get("class_gaussian") or {}
            found = (
                made.measures.get("frechet_distance"),
                simple.get("frechet_distance"),
                floor_of(made.measures, "frechet_distance"),
            )
            rows.append((name, made.task, *(number(value, 3) for value in found)))
    header = ("Run", "Task", "Fréchet distance, squared", "Class Gaussian", "Real against real")
    return Table(header, rows, [False] * len(rows)) if rows else None
