"""Every number of a study's statistics as one JSON object."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.study_findings import Findings, Group, Statement
from analysis.study_ranks import Ranks
from analysis.study_statistics import LEVEL, POWER, Summary
from analysis.study_words import findings_words, headline, power_words

FORMAT = 1


def summary_of(findings: Findings, figures: Sequence[str]) -> dict[str, Any]:
    """Return what ``summary.json`` holds.

    Args:
        findings: of the study.
        figures: file names of its pictures.
    """
    study = findings.study
    content = {
        "format": FORMAT,
        "kind": study.kind,
        "recipe": study.recipe,
        "axes": dict(study.axes),
        "seeds": study.seeds,
        "rows": {
            "finished": len(study.rows),
            "failed": len(study.failures),
            "missing": study.missing,
        },
        "measures": findings.measures,
        "level": LEVEL,
        "power": POWER,
        "words": {
            "headline": headline(findings),
            "findings": dict(findings_words(findings)),
            "power": power_words(findings),
        },
        "statements": [_statement(found) for found in findings.statements],
        "groups": [_group(group) for group in findings.groups],
        "refusals": findings.refusals,
        "figures": figures,
    }
    found: dict[str, Any] = _plain(content)
    return found


def _statement(found: Statement) -> dict[str, Any]:
    """Return one statement."""
    return {
        "kind": found.kind,
        "measure": found.measure,
        "group": found.group,
        "subject": found.subject,
        "rival": found.rival,
        "supported": found.supported,
        "p_value": found.evidence.p_value,
        "p_value_corrected": found.adjusted,
        "test": found.evidence.method,
        "reason": found.evidence.reason,
        "difference": _summary(found.difference),
        "detectable": found.detectable,
        "effect": None
        if found.effect is None
        else {
            "share": found.effect.share,
            "chance_share": found.effect.chance_share,
            "spread": found.effect.spread,
            "seeds": found.effect.seeds,
        },
    }


def _group(group: Group) -> dict[str, Any]:
    """Return the conditions of one group."""
    layout = group.layout
    conditions = [
        {"name": name, **(_summary(summary) or {}), "told_apart": apart}
        for name, summary, apart in zip(layout.names, group.summaries, group.apart, strict=True)
    ]
    ranks = group.ranks
    return {
        "measure": layout.measure,
        "group": layout.group,
        "control": layout.control,
        "reference": None if layout.reference is None else layout.names[layout.reference],
        "best": None if group.best is None else layout.names[group.best],
        "conditions": conditions,
        "ranks": dataclasses.asdict(ranks) if isinstance(ranks, Ranks) else None,
        "no_ranks": ranks if isinstance(ranks, str) else "",
    }


def _summary(summary: Summary | None) -> dict[str, Any] | None:
    """Return mean and interval."""
    return None if summary is None else dataclasses.asdict(summary)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return the same with what JSON lacks replaced: tuples, NaN, NumPy's booleans."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
