"""The verbs that use runs and data: ``predict``, ``sample``, ``embed``, ``report``, ``recipes``."""

import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acgan_bert.cli_flags import (
    add_column_flags,
    add_print_config,
    add_recipe_flags,
    given_values,
    new_parser,
    parse,
)
from acgan_bert.cli_runs import show_recipes
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import (
    apply,
    check_recipe,
    default_recipe,
    dump_recipe,
    load_recipe,
    shipped,
)
from acgan_bert.terminal import Terminal, say, show_fakes, warnings_shown
from mtl.errors import InputError

_RUN_HELP = "Directory that acgan-bert train or demo wrote."


def predict(words: Sequence[str], summary: str) -> None:
    """Write a CSV with labels and probabilities."""
    usage = "RUN FILE [--task NAME] [--out FILE.csv] [--data.text COLUMN …]"
    parser = new_parser("predict", usage=usage, description=summary)
    parser.add_argument("run", type=str, help=_RUN_HELP)
    parser.add_argument("file", type=str, help="CSV, TSV, JSONL or Parquet file of sentences.")
    parser.add_argument("--task", type=str, help="Which task of a multitask run.")
    parser.add_argument("--out", type=str, help="Where to write; standard output if not given.")
    add_column_flags(parser)
    add_print_config(parser)
    arguments = parse(parser, words)
    if arguments.print_config:
        show_recipes([Path(arguments.run)])
        return
    out = _output_file(arguments.get("out"), inputs=(arguments.file,))

    from acgan_bert import run
    from mtl.text.data import Columns

    given = given_values(arguments)
    columns = Columns(**{key.removeprefix("data."): name for key, name in given.items()})
    with warnings_shown():
        table = run.predict(
            Path(arguments.run), arguments.file, task=arguments.get("task") or "", columns=columns
        )
    text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    if out is None:
        sys.stdout.write(text)
        return

    from mtl.files import write_text

    write_text(out, text)
    say(f"{len(table)} rows: {out}")


def sample(words: Sequence[str], summary: str) -> None:
    """Write fake embeddings and what is known of each."""
    usage = "RUN --label NAME -n N [--task NAME] [--seed N] [--out FILE.npy]"
    parser = new_parser("sample", usage=usage, description=summary)
    parser.add_argument("run", type=str, help=_RUN_HELP)
    parser.add_argument("--label", type=str, required=True, help="Class of the fakes.")
    parser.add_argument("-n", type=int, required=True, help="How many fakes.")
    parser.add_argument("--task", type=str, help="Which task of a run of several.")
    parser.add_argument("--seed", type=int, help="Of the noise. (default: 0)")
    parser.add_argument(
        "--out",
        type=str,
        help="Where the (n, D) matrix goes; what is known of each fake goes beside it, as .jsonl. "
        "(default: in RUN/samples)",
    )
    add_print_config(parser)
    arguments = parse(parser, words)
    if arguments.print_config:
        show_recipes([Path(arguments.run)])
        return
    count, seed = arguments.n, arguments.get("seed") or 0
    if count < 1 or seed < 0:
        wrong = f"-n: found {count}" if count < 1 else f"--seed: found {seed}"
        raise InputError(f"{wrong}, expected {'1' if count < 1 else '0'} or more")
    directory = Path(arguments.run)
    out = _output_file(arguments.get("out"), inputs=(), suffixes=(".npy",))

    from acgan_bert import run

    with warnings_shown():
        task = arguments.get("task") or ""
        samples = run.sample(directory, arguments.label, count, seed=seed, task=task)
    if out is None:
        tame = re.sub(r"[^\w.]+", "-", arguments.label).strip("-.") or "label"
        of_task = f"{task}-" if task else ""
        out = directory / "samples" / f"{of_task}{tame}-n{count}-seed{seed}.npy"
        out.parent.mkdir(exist_ok=True)
    _write_matrix(out, samples.vectors)

    from mtl.files import write_text

    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in samples.rows)
    write_text(out.with_suffix(".jsonl"), lines)
    show_fakes(samples.rows)
    say(f"embeddings: {out}")
    say(f"neighbors: {out.with_suffix('.jsonl')}")


def embed(words: Sequence[str], summary: str) -> None:
    """Compute the embedding matrix of a recipe's training corpus, or of a file."""
    usage = "RECIPE|FILE [--KEY VALUE …] [--out FILE]"
    parser = new_parser("embed", usage=usage, description=summary)
    parser.add_argument(
        "source", type=str, help="A recipe (name or .yaml), or a file of sentences."
    )
    parser.add_argument(
        "--out",
        type=str,
        help="Where the (N, D) matrix goes: .npy, with the row ids beside it, or .safetensors. "
        "(default: the cache only)",
    )
    add_recipe_flags(parser, default_recipe())
    arguments = parse(parser, words)
    recipe = apply(_recipe_or_file(arguments.source), given_values(arguments))
    check_recipe(recipe)
    if arguments.print_config:
        say(dump_recipe(recipe).rstrip())
        return
    out = _output_file(
        arguments.get("out"), inputs=(recipe.data.train,), suffixes=(".npy", ".safetensors")
    )

    from acgan_bert import run

    with Terminal() as progress, warnings_shown():
        embedded = run.embed(recipe, out=out, progress=progress)
    for note in embedded.corpus.notes:
        say(f"note: {note}")
    say(str(embedded))
    if out is not None:
        say(f"embeddings: {out}")


def report(words: Sequence[str], summary: str) -> None:
    """Write one page from runs, or that of a study."""
    parser = new_parser("report", usage="RUN… | STUDY [--out FILE.html]", description=summary)
    parser.add_argument(
        "runs",
        type=str,
        nargs="+",
        help=f"{_RUN_HELP} Several are compared. A study's figures and page are made anew.",
    )
    parser.add_argument(
        "--out",
        type=str,
        help="(default: RUN/report.html for one run, report.html here for several)",
    )
    add_print_config(parser)
    arguments = parse(parser, words)
    if arguments.print_config:
        show_recipes([Path(name) for name in arguments.runs])
        return

    from acgan_bert.studies.folder import STUDY
    from analysis import write_report, write_study

    runs = [Path(name) for name in arguments.runs]
    default = runs[0] / "report.html" if len(runs) == 1 else Path("report.html")
    for path in runs:
        if not path.is_dir():
            raise InputError(f"{path}: no such directory; give one that acgan-bert train wrote")
        if (path / STUDY).is_file() and (len(runs) > 1 or arguments.get("out")):
            raise InputError(f"{path}: is a study; give it alone and without --out")
    out = _output_file(arguments.get("out") or str(default), inputs=(), suffixes=(".html", ".htm"))
    try:
        if (runs[0] / STUDY).is_file():
            write_study(runs[0])
        else:
            write_report(runs, out or default)
    except ValueError as error:
        # The analysis package has no error of its own for a directory that is not a run.
        raise InputError(str(error)) from error
    say(f"report: {out}")


def recipes(words: Sequence[str], summary: str) -> None:
    """List the shipped recipes."""
    parse(new_parser("recipes", usage="", description=summary), words)
    found = shipped()
    width = max(len(name) for name, _ in found) + 2
    for name, line in found:
        say(f"{name:{width}s}{line}")


def _recipe_or_file(source: str) -> Recipe:
    names = [name for name, _ in shipped()]
    if source in names or Path(source).suffix.lower() in (".yaml", ".yml"):
        return load_recipe(source)
    if source.startswith(("demo:", "hub:")) or Path(source).exists():
        return apply(default_recipe(), {"data.train": source})
    raise InputError(
        f"{source}: no such file, and no such recipe; check the path (the shipped recipes are "
        f"{', '.join(names)})"
    )


def _output_file(
    name: str | None, *, inputs: Sequence[str], suffixes: Sequence[str] = ()
) -> Path | None:
    """Check where a file is to be written, before any work is done."""
    if not name:
        return None
    path = Path(name).expanduser()
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(f"--out {path}: the name must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"--out {path}: this is a folder; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: there is no folder {path.parent}; make it first")
    if any(path.exists() and Path(given).exists() and path.samefile(given) for given in inputs):
        raise InputError(f"--out {path}: this is the file that is read; name another")
    return path


def _write_matrix(path: Path, vectors: Any) -> None:  # noqa: ANN401 - an array; numpy loads late
    import numpy as np

    from mtl.files import write_bytes

    content = io.BytesIO()
    np.save(content, vectors, allow_pickle=False)
    write_bytes(path, content.getvalue())
