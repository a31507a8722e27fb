"""Keys, names and numbers as people read them."""

import math
import textwrap

UNKNOWN = "\N{EN DASH}"
ACRONYMS = {word.lower(): word for word in ("AC", "BERT", "F1", "GAN", "Gaussian", "MLP", "SVM")}


def readable(key: str) -> str:
    """Return a key of a results file as words.

    Example:
        >>> readable("gan_bert"), readable("dev_macro_f1")
        ('GAN-BERT', 'dev macro F1')
    """
    words = " ".join(ACRONYMS.get(word, word) for word in key.replace("-", "_").split("_"))
    return words.replace("AC GAN", "AC-GAN").replace("GAN BERT", "GAN-BERT")


def shortened(name: str, limit: int = 28) -> str:
    """Return ``name`` on one line, cut in its middle to at most ``limit`` characters."""
    line = " ".join(name.split())
    if len(line) <= limit:
        return line
    head = (limit - 1) * 2 // 3
    return f"{line[:head].rstrip()}…{line[-(limit - 1 - head) :].lstrip()}"


def wrapped(name: str, width: int) -> str:
    r"""Return a name over two lines at most, of about so many characters each.

    Example:
        >>> wrapped("discriminator warm start true, labels per class 8", 34)
        'discriminator warm start true,\nlabels per class 8'
    """
    return "\n".join(textwrap.wrap(shortened(name, 2 * width - 8), width))


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as a percentage, a dash where it is not known.

    Example:
        >>> percent(0.4567), percent(None)
        ('45.7%', '–')
    """
    return UNKNOWN if share is None or not math.isfinite(share) else f"{share:.{digits}%}"


def number(value: object, digits: int) -> str:
    """Return a number with fixed digits, a dash where there is none.

    Example:
        >>> number(1234.5, 2), number(-0.001, 2), number(None, 2), number(float("nan"), 2)
        ('1,234.50', '0.00', '–', '–')
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return UNKNOWN
    return f"{value:z,.{digits}f}"


def capital(words: str) -> str:
    """Return words with a capital at their head, and the others as they are."""
    return words[:1].upper() + words[1:]


def probability(value: object) -> str:
    """Return a p-value; one that three digits would make 0 as a bound, a dash where there is none.

    Example:
        >>> probability(0.0421), probability(1e-9), probability(None)
        ('0.042', '< 0.001', '–')
    """
    tiny = isinstance(value, float) and value < 0.0005
    return "< 0.001" if tiny else number(value, 3)
