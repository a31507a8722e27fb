"""What a study supports, in words: no winner is named that its seeds do not support."""

import math
from collections.abc import Sequence

from analysis.study_baselines import baseline_means
from analysis.study_design import higher_is_better
from analysis.study_findings import Findings, Group, Statement
from analysis.study_names import TIMES
from analysis.study_numbers import (
    difference_words,
    interval_words,
    measure_words,
    p_words,
    size_words,
    value_words,
)
from analysis.study_statistics import LEAST_SEEDS, LEVEL, POWER, ROOM
from analysis.words import capital, readable

MOST_NAMED = 4


def headline(findings: Findings) -> str:
    """Say in one or two sentences what the whole study supports."""
    tested = [found for found in findings.statements if found.adjusted is not None]
    held = [found for found in tested if found.supported]
    if not findings.statements:
        return "Nothing to compare: the table has fewer than two conditions with results."
    if not tested:
        return f"Nothing is supported: {findings.statements[0].evidence.reason}."
    if not held:
        return f"Nothing is supported. {_winners(findings)}".strip()
    others = [found for found in held if found.kind != "winner"]
    named = "; ".join(_short(found) for found in others[:MOST_NAMED])
    more = f"; and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    said = f"Supported: {named}{more}." if others else ""
    return f"{said} {_winners(findings)}".strip()


def findings_words(findings: Findings) -> list[tuple[str, list[str]]]:
    """Return what is supported and what is not, a title and its sentences for each group."""
    parts = []
    for group in findings.groups:
        own = [found for found in findings.statements if _belongs(found, group)]
        sentences = [_effect_sentence(found) for found in own if found.kind == "effect"]
        sentences += [_winner_sentence(found, group) for found in own if found.kind == "winner"]
        sentences += _difference_sentences([found for found in own if found.kind == "difference"])
        title = capital(measure_words(group.layout.measure))
        parts.append((f"{title}, {group.layout.group}" if group.layout.group else title, sentences))
    return parts


def baseline_words(findings: Findings) -> str:
    """Say what the baselines score that rows carry, where they are not among the conditions."""
    study = findings.study
    if not findings.measures or study.kind == "labels":
        return ""
    measure = findings.measures[0]
    named = ", ".join(
        f"{readable(name)} {value_words(measure, mean)}"
        for name, mean in baseline_means(study.rows, measure).items()
    )
    if not named:
        return ""
    return f"On the same rows, for comparison and not tested: {named}."


def power_words(findings: Findings) -> list[str]:
    """Say what differences these seeds could have shown, and what seeds would be needed."""
    study, planned = findings.study, len(findings.statements)
    if not planned:
        return []
    said = []
    for measure in findings.measures:
        least = [
            found.detectable
            for found in findings.statements
            if found.measure == measure and found.kind != "effect" and found.detectable
        ]
        seeds = {
            found.difference.seeds
            for found in findings.statements
            if found.measure == measure and found.difference and found.kind != "effect"
        }
        if least and max(seeds) >= LEAST_SEEDS:
            low, high = (size_words(measure, bound) for bound in (min(least), max(least)))
            span = low if low == high else f"between {low} and {high}, by comparison"
            said.append(
                f"{capital(measure_words(measure))}: with "
                f"{_range(seeds)} paired seeds and {planned} statements corrected together, a true "
                f"difference would have been shown {POWER:.0%} of the time from {span}. Smaller "
                "ones may be there."
            )
    if study.seeds < LEAST_SEEDS:
        said.append(
            f"{_seeds(study.seeds)}: no statement can be supported. Below {LEAST_SEEDS} paired "
            "seeds there is no test here, for equal differences of coarse scores are then too "
            "likely by chance."
        )
    needed = math.ceil(math.log2(ROOM * planned / LEVEL)) + 1
    methods = {found.evidence.method for found in findings.statements}
    if "t" in methods or "F" in methods or study.seeds < LEAST_SEEDS:
        said.append(
            f"From {needed} seeds on, {planned} statements would rest on exact tests; with fewer, "
            "they rest on differences between seeds being about normal."
        )
    return said


def _short(found: Statement) -> str:
    """Return a supported statement in a few words."""
    if found.kind == "effect":
        if TIMES in found.subject or found.difference is None:
            kind = "interaction of" if TIMES in found.subject else "effect of"
            return f"{kind} {found.subject} ({_where(found)})"
        slope = difference_words(found.measure, found.difference.mean)
        return f"effect of {found.subject}, {slope} for each one more ({_where(found)})"
    better = "better" if _is_better(found) else "worse"
    return f"{found.subject} {better} than {found.rival} ({_where(found)})"


def _winners(findings: Findings) -> str:
    """Name the winners that are supported, and say where there is none."""
    winners = [found for found in findings.statements if found.kind == "winner"]
    if not winners:
        return ""
    held = [found for found in winners if found.supported]
    if not held:
        return "No winner." if len(winners) == 1 else "No winner anywhere."
    named = [f"{found.subject} ({_where(found)})" for found in held]
    rest = len(winners) - len(held)
    left = f" No winner in {rest} of {len(winners)} comparisons." if rest else ""
    return f"{'Winner' if len(held) == 1 else 'Winners'}: {'; '.join(named)}.{left}"


def _where(found: Statement) -> str:
    """Return measure and group of a statement."""
    measure = measure_words(found.measure)
    return f"{measure}, {found.group}" if found.group else measure


def _belongs(statement: Statement, group: Group) -> bool:
    """Tell whether a statement is of a group."""
    layout = group.layout
    return (statement.measure, statement.group) == (layout.measure, layout.group)


def _winner_sentence(found: Statement, group: Group) -> str:
    """Name the winner, or say why there is none."""
    summary = group.summaries[group.layout.names.index(found.subject)]
    mean = value_words(found.measure, summary.mean)
    lead = found.difference
    if lead is None or found.adjusted is None:
        reason = found.evidence.reason or "no seed has every condition"
        return f"No winner: {found.subject} has the best mean, {mean}, but {reason}."
    ahead = f"{size_words(found.measure, abs(lead.mean))} ahead of {found.rival}"
    facts = f"{interval_words(found.measure, lead, signed=True)}; {p_words(found.adjusted)}"
    if found.supported:
        return (
            f"Winner: {found.subject}, {mean}, told apart from every other condition; least from "
            f"{found.rival}, {size_words(found.measure, abs(lead.mean))} ({facts})."
        )
    close = [
        name
        for name, apart in zip(group.layout.names, group.apart, strict=True)
        if apart is False and name != found.subject
    ]
    others = len(close) - (found.rival in close)
    more = f" {others} more cannot be told from it." if others > 0 else ""
    return (
        f"No winner: {found.subject} leads with {mean}, {ahead}, which is not supported "
        f"({facts}).{more}"
    )


def _difference_sentences(found: Sequence[Statement]) -> list[str]:
    """Say which comparisons with the reference are supported, and list the others."""
    said = []
    for one in found:
        if one.supported and one.difference is not None:
            better = "better" if _is_better(one) else "worse"
            interval = interval_words(one.measure, one.difference, signed=True)
            said.append(
                f"Supported: {one.subject} is {better} than {one.rival} by "
                f"{size_words(one.measure, abs(one.difference.mean))} ({interval}; "
                f"{p_words(one.adjusted)})."
            )
    open_ones = [one for one in found if not one.supported]
    if open_ones:
        named = ", ".join(
            f"{one.rival} ({difference_words(one.measure, one.difference.mean)})"
            if one.difference
            else f"{one.rival} ({one.evidence.reason})"
            for one in open_ones
        )
        said.append(f"Not supported either way: {open_ones[0].subject} against {named}.")
    return said


def _effect_sentence(found: Statement) -> str:
    """Say whether a factor matters, how much, and what chance alone gives."""
    effect = found.effect
    if effect is None or found.adjusted is None:
        return f"Untested: an effect of {found.subject}; {found.evidence.reason}."
    facts = (
        f"{p_words(found.adjusted)}; it holds {effect.share:.0%} of what its levels vary within "
        f"seeds, {effect.chance_share:.0%} by chance"
    )
    crossed = TIMES in found.subject
    named = f"an interaction, {found.subject}" if crossed else f"an effect of {found.subject}"
    said = f"{'Supported' if found.supported else 'Not supported'}: {named} ({facts})."
    if crossed:
        return said
    said += f" Its levels differ by up to {size_words(found.measure, effect.spread)}"
    if effect.slope is None:
        return f"{said}."
    return (
        f"{said}, {difference_words(found.measure, effect.slope.mean)} for each one more "
        f"({interval_words(found.measure, effect.slope, signed=True)})."
    )


def _is_better(found: Statement) -> bool:
    """Tell whether the subject of a supported difference is the better one."""
    mean = found.difference.mean if found.difference else 0.0
    return (mean > 0) == higher_is_better(found.measure)


def _seeds(count: int) -> str:
    """Return a number of seeds in words."""
    return "One seed" if count == 1 else f"{count} seeds"


def _range(numbers: set[int]) -> str:
    """Return "5" or "3 to 5"."""
    return str(min(numbers)) if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"
