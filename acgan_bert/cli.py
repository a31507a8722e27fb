"""The command ``acgan-bert VERB …``: finds the verb, and turns mistakes into one ``error:`` line.

The verbs are in :mod:`acgan_bert.cli_runs` and :mod:`acgan_bert.cli_data`, imported when called;
they in turn import what is heavy only once the words are understood, so ``--help`` is quick.
"""

import difflib
import errno
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module, metadata

from mtl.errors import InputError

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130
_RUNS, _DATA = "acgan_bert.cli_runs", "acgan_bert.cli_data"
_STUDY = "acgan_bert.cli_study"

VERBS = {
    "demo": (_RUNS, "the main job on built-in sentences: trains, compares, draws; no network"),
    "train": (_RUNS, "one run by a recipe: the GAN beside its baselines, or a multitask BERT"),
    "resume": (_RUNS, "go on with an interrupted run or study from its last checkpoint"),
    "study": (_STUDY, "a grid of recipes and seeds: depth, labels, unlabelled text, ablation"),
    "predict": (_DATA, "labels and probabilities for new sentences, as CSV"),
    "sample": (_DATA, "fake embeddings of a label, with their nearest real sentences"),
    "embed": (_DATA, "the embedding matrix of a corpus"),
    "report": (_DATA, "one self-contained page from any runs, side by side"),
    "recipes": (_DATA, "the shipped recipes, a line each"),
}
"""Module and summary of each verb; the module's function has the verb's name."""

_DISK_HINTS = {
    errno.ENOSPC: "the disk is full; free some space, or write elsewhere with --out",
    errno.EDQUOT: "the disk quota is used up; free some space, or write elsewhere with --out",
    errno.EROFS: "the file system is read-only; write elsewhere with --out",
    errno.EACCES: "no permission; change it, or write elsewhere with --out",
    errno.EPERM: "not permitted; write elsewhere with --out",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words behind ``acgan-bert``; None for those of this process.

    Returns:
        0 done, 2 the user's input is wrong (one ``error:`` line says how), 130 interrupted.
    """
    if argv is None and not sys.warnoptions:
        # A library's deprecations are ours to read, in the tests, not the user's.
        warnings.simplefilter("ignore")
    if os.name == "nt":
        return _failed("Windows is not supported; run acgan-bert in WSL")
    try:
        _dispatch(list(sys.argv[1:] if argv is None else argv))
    except SystemExit as end:  # how argparse leaves after --help
        return int(end.code or 0)
    except KeyboardInterrupt as stop:
        sys.stderr.write(f"\ninterrupted{stop.args[0] if stop.args else ''}\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; nothing is left to say, even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except InputError as error:
        return _failed(str(error))
    except OSError as error:
        message = _about_the_disk(error)
        if not message:
            raise
        return _failed(message)
    return DONE


def _dispatch(words: Sequence[str]) -> None:
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help", "help"):
        print(_help())
    elif verb == "--version":
        print(f"acgan-bert {metadata.version('acgan-bert')}")
    elif verb in VERBS:
        module, summary = VERBS[verb]
        getattr(import_module(module), verb)(words[1:], summary)
    else:
        close = difflib.get_close_matches(verb, VERBS, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"unknown verb {verb!r}; {meant}the verbs are {', '.join(VERBS)}")


def _help() -> str:
    verbs = "\n".join(f"  {verb:9s}{summary}" for verb, (_, summary) in VERBS.items())
    return (
        "usage: acgan-bert VERB …\n\n"
        "Few labels, many sentences: a conditional GAN over BERT embeddings, beside its rivals.\n\n"
        f"{verbs}\n\n"
        "acgan-bert VERB --help lists the flags of a verb; acgan-bert --version, the version."
    )


def _failed(message: str) -> int:
    """Print one line, whatever line breaks or control characters the message holds."""
    line = " ".join(message.split())
    shown = "".join(character if character.isprintable() else "?" for character in line)
    print(f"error: {shown}", file=sys.stderr, flush=True)
    return BAD_INPUT


def _about_the_disk(error: OSError) -> str:
    """Say what can be done about a file that cannot be read or written; "" for another error."""
    hint = _DISK_HINTS.get(error.errno or 0, "check the path" if error.filename else "")
    if not hint:
        return ""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; {hint}"
