"""Fills the templates of pages: one look, one policy and one way to escape for all of them.

A page loads nothing and says so in its Content-Security-Policy, which names by their hashes the
style and, where there is one, the script that may run. All text goes through the templates'
escaping; pictures are embedded as images, where markup in them stays inert.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
# Control characters have no place in HTML, and lone surrogates none in UTF-8.
UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def fill(template: str, *, scripts: Sequence[str] = (), **content: object) -> str:
    """Return a page as HTML.

    Args:
        template: its file's name; it extends ``layout.html``.
        scripts: files of the one script that may run, in order; none: nothing runs.
        content: what the template names, ``title`` and ``kind`` among it.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _source(["style.css"]), _source(scripts)
    page = environment.get_template(template).render(
        policy=_policy(style, script), style=style, script=script, **content
    )
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", page)


def _source(names: Sequence[str]) -> str:
    """Return files that go into a page as they are, one after the other."""
    return "\n".join((HERE / name).read_text(encoding="utf-8").strip() for name in names)


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy of a page with this style and script and nothing else."""
    allowed = [
        f"{kind} '{_hash(text)}'" for kind, text in (("style-src", style), ("script-src", script))
    ]
    parts = ["default-src 'none'", "img-src data:", *(allowed if script else allowed[:1])]
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    """Return the name of an inline style or script in a policy."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
