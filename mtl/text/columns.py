"""Which column is the text, the second text, the label and the id: given, known or inferred.

Known names come first; the content decides only where it does so clearly. A wrong guess costs
an experiment, so a doubtful one is an error that lists the columns.
"""

import re
from dataclasses import dataclass, replace

from mtl.choices import suggestion
from mtl.errors import InputError
from mtl.text.labels import is_number, is_whole
from mtl.text.table import Table

# In order of preference. A known pair beats a single known text.
_PAIRS = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("sentence_a", "sentence_b"),
    ("sentence", "sentence2"),
    ("text", "text2"),
    ("text", "text_pair"),
    ("question", "sentence"),
)
_TEXTS = (
    *("sentence", "text", "sentence1", "premise", "question1", "text1", "text_a", "review"),
    *("content", "comment", "tweet", "message", "utterance", "question", "query", "phrase"),
    *("headline", "document", "body"),
)
_LABELS = (
    *("label", "labels", "sentiment", "is_duplicate", "similarity", "gold_label", "class"),
    *("target", "score", "stars", "rating", "category", "intent", "emotion", "topic", "polarity"),
)
_IDS = ("id", "ids", "guid", "uid", "uuid", "idx", "index", "row", "pair_id", "unnamed:_0")
# A text column must be this many times as long as the next longest to be chosen by content.
_CLEARLY_LONGER = 2.0
_MOST_LABELS = 50


@dataclass(frozen=True, slots=True)
class Columns:
    """Column names as the user gave them; empty where they are to be inferred.

    Args:
        text: The sentence, or the first of a pair.
        text_pair: The second sentence of a pair.
        label: The label or score.
    """

    text: str = ""
    text_pair: str = ""
    label: str = ""


def find_columns(
    table: Table, given: Columns, *, arity: int = 0, require_labels: bool = True
) -> Columns:
    """Fill the names that were not given.

    Args:
        table: What was read.
        given: What the user said.
        arity: 1 or 2 where the task is known already; 0 where the columns decide.
        require_labels: Whether a missing label column is an error; where it is not, only a
            column with a known label name is taken for one.

    Returns:
        The columns; ``text_pair`` is empty for single sentences, ``label`` where there is none.

    Raises:
        InputError: An unknown column, one column in two parts, or no clear choice.
    """
    if require_labels and len(table.columns) == 1:
        sniffed = f" (delimiter sniffed: {table.delimiter})" if table.delimiter else ""
        raise InputError(
            f"{table.source}: a single column, {table.listed()!r}{sniffed}; expected "
            "a text and a label column, separated by comma, tab, semicolon or pipe"
        )
    if given.label and given.label not in table.columns and not require_labels:
        given = replace(given, label="")
    for flag, name in (
        ("text", given.text),
        ("text_pair", given.text_pair),
        ("label", given.label),
    ):
        if name:
            _check_known(table, name, flag)
    found = _with_texts(table, given, arity)
    if not found.label:
        found = replace(found, label=_find_label(table, found, by_content=require_labels))
    _check_distinct(table, found)
    return found


def id_column(table: Table, taken: Columns) -> str:
    """Name the column ``id`` in whatever case it is written; empty where there is none."""
    used = (taken.text, taken.text_pair, taken.label)
    return next((name for name in table.columns if _key(name) == "id" and name not in used), "")


def _with_texts(table: Table, given: Columns, arity: int) -> Columns:
    """Fill in the text, and the second text where there is one."""
    names = {_key(name): name for name in reversed(table.columns) if name != given.label}
    text, pair = given.text, given.text_pair
    # Someone who names the text alone wants single sentences, unless the task says otherwise.
    seek_pair = arity == 2 or (arity == 0 and not text)
    if (seek_pair and not pair) or (pair and not text):
        for first, second in _PAIRS:
            if names.get(first) and names.get(second):
                known = (names[first], names[second])
                if (text or known[0]) == known[0] and (pair or known[1]) == known[1]:
                    text, pair = known
                    break
    if arity == 2 and not pair:
        raise InputError(
            f"{table.source}: no second sentence found for a task of pairs; name its column with "
            f"--data.text_pair among: {table.listed()}"
        )
    if not text:
        text = next((names[key] for key in _TEXTS if key in names and names[key] != pair), "")
    return replace(given, text=text or _longest(table, given), text_pair=pair)


def _longest(table: Table, given: Columns) -> str:
    """Choose the column whose cells are clearly the longest, numbers and ids left out."""
    lengths: dict[str, float] = {}
    for name in table.columns:
        if (
            _key(name) in _IDS
            or name in (given.label, given.text_pair)
            or not _is_text(table, name)
        ):
            continue
        lengths[name] = sum(map(len, table.cells(name))) / max(len(table), 1)
    ranked = sorted(lengths, key=lengths.__getitem__, reverse=True)
    if any(is_number(name) for name in table.columns):
        raise _no_header(table)
    clear = len(ranked) == 1 or (
        len(ranked) > 1 and lengths[ranked[0]] >= _CLEARLY_LONGER * lengths[ranked[1]]
    )
    if not clear:
        raise InputError(
            f"{table.source}: no column is clearly the text; name it with --data.text among: "
            f"{table.listed()}"
        )
    return ranked[0]


def _find_label(table: Table, found: Columns, *, by_content: bool) -> str:
    """Choose the label column by its name, else the only one with few distinct values."""
    free = [name for name in table.columns if name not in (found.text, found.text_pair)]
    names = {_key(name): name for name in reversed(free)}
    known = next((names[key] for key in _LABELS if key in names), "")
    if known or not by_content:
        return known
    free = [name for name in free if _key(name) not in (*_IDS, *_TEXTS)]
    likely = [name for name in free if len(free) == 1 or _has_few_values(table, name)]
    if len(likely) == 1 and likely[0] in table.columns[likely[0]]:
        raise _no_header(table)
    if len(likely) != 1:
        found_instead = f"{' and '.join(likely)} may be" if likely else "none looks like it"
        raise InputError(
            f"{table.source}: no column is clearly the label ({found_instead}); name it with "
            f"--data.label among: {table.listed()} (--data.text is {found.text})"
        )
    return likely[0]


def _no_header(table: Table) -> InputError:
    return InputError(
        f"{table.source}: the first line ({table.listed()}) looks like data, not like column "
        "names; add a header line such as: text,label"
    )


def _is_text(table: Table, name: str) -> bool:
    filled = [cell for cell in table.columns[name] if cell not in (None, "")]
    texts = [cell for cell in filled if isinstance(cell, str)]
    return 2 * len(texts) > len(filled) and not all(map(is_number, texts))


def _has_few_values(table: Table, name: str) -> bool:
    if any(isinstance(cell, (list, dict, bytes)) for cell in table.columns[name]):
        return False
    distinct = {cell.strip() for cell in table.cells(name)} - {""}
    scores = all(map(is_number, distinct)) and not all(map(is_whole, distinct))
    few = len(distinct) <= min(_MOST_LABELS, max(2, len(table) / 2))
    return len(distinct) >= 2 and (scores or few)


def _check_known(table: Table, name: str, flag: str) -> None:
    if name in table.columns:
        return
    raise InputError(
        f"{table.source}: no column {name!r} (--data.{flag}); "
        f"{suggestion(name, table.columns, cutoff=0.5)}the columns are: {table.listed()}"
    )


def _check_distinct(table: Table, found: Columns) -> None:
    used = [name for name in (found.text, found.text_pair, found.label) if name]
    for name in used:
        if used.count(name) > 1:
            raise InputError(
                f"{table.source}: column {name!r} is chosen twice among text, text_pair and label; "
                f"choose different ones among: {table.listed()}"
            )


def _key(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())
