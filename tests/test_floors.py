"""The house of DESIGN section 3: imports point down only, and what is light stays light."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("acgan_bert", "mtl", "analysis")
TEXT_AND_FILES = (
    *("pandas", "json", "pathlib", "os", "io", "csv", "tempfile", "shutil", "yaml", "safetensors"),
    *("transformers", "tokenizers", "datasets", "logging"),
)
COMMAND_LINE = ("jsonargparse", "rich", "argparse", "docstring_parser")

NOT_PLAIN = ("mtl", "analysis", "torch", "numpy", "yaml", "pathlib", "acgan_bert")


@dataclass(frozen=True)
class Rule:
    """Modules below ``floor``, not ``allowed``, import nothing of ``forbidden`` but ``parts``."""

    floor: str
    forbidden: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


RULES = (
    Rule("analysis", ("mtl", "acgan_bert", "torch", "transformers")),
    Rule("mtl", ("acgan_bert", "analysis", *COMMAND_LINE)),
    Rule("acgan_bert.gan", ("mtl", "analysis", "sklearn", *TEXT_AND_FILES)),
    Rule("acgan_bert.recipe_data", NOT_PLAIN),
    Rule("acgan_bert.recipe_adaptation", NOT_PLAIN),
    Rule("acgan_bert.recipe_watch", NOT_PLAIN),
    Rule("acgan_bert.recipe_tasks", NOT_PLAIN, parts=("acgan_bert.recipe_data",)),
    Rule(
        "acgan_bert.recipe",
        NOT_PLAIN,
        parts=(
            "acgan_bert.recipe_adaptation",
            "acgan_bert.recipe_data",
            "acgan_bert.recipe_tasks",
            "acgan_bert.recipe_watch",
        ),
    ),
    Rule("acgan_bert.trainer", ("transformers", "pandas", "mtl.text", "mtl.bert", "analysis")),
    Rule(
        "acgan_bert",
        COMMAND_LINE,
        allowed=(
            *("acgan_bert.cli", "acgan_bert.cli_data", "acgan_bert.cli_flags"),
            *("acgan_bert.cli_runs", "acgan_bert.terminal", "acgan_bert.recipe_fields"),
            "acgan_bert.cli_study",
        ),
    ),
)


def below(name, prefix):
    return name == prefix or name.startswith(f"{prefix}.")


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source, module):
    """Yield what a module imports and the line, whether at its top or inside a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")[: -node.level]
                base = ".".join([*package, *([base] if base else [])])
            # `from acgan_bert import run` imports acgan_bert.run as well.
            yield base, node.lineno
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno


def broken_edges(source, module):
    """Name each import of a module that breaks a rule."""
    return sorted(
        {
            f"{module} -> {name} (line {line})"
            for rule in RULES
            if below(module, rule.floor) and module not in rule.allowed
            for name, line in imported(source, module)
            for forbidden in rule.forbidden
            if below(name, forbidden) and not any(below(name, part) for part in rule.parts)
        }
    )


def modules():
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def test_imports_point_down_only():
    broken = [
        edge
        for path in modules()
        for edge in broken_edges(path.read_text("utf-8"), module_name(path))
    ]
    assert not broken, "\n".join(broken)


def test_the_gan_imports_nothing_of_its_own_house_but_the_gan():
    upward = [
        f"{module_name(path)} -> {name} (line {line})"
        for path in sorted((ROOT / "acgan_bert" / "gan").rglob("*.py"))
        for name, line in imported(path.read_text("utf-8"), module_name(path))
        if below(name, "acgan_bert") and not below(name, "acgan_bert.gan")
    ]
    assert not upward, "\n".join(upward)


@pytest.mark.parametrize(
    ("module", "source", "edge"),
    [
        ("analysis.bad", "import torch.nn", "analysis.bad -> torch.nn (line 1)"),
        ("analysis.bad", "def f():\n    from mtl import errors", "analysis.bad -> mtl (line 2)"),
        ("mtl.text.bad", "from analysis import prdc", "mtl.text.bad -> analysis (line 1)"),
        ("mtl.bad", "from .. import acgan_bert", ""),
        ("acgan_bert.gan.bad", "import json", "acgan_bert.gan.bad -> json (line 1)"),
        ("acgan_bert.gan.bad", "from mtl.text import data", "acgan_bert.gan.bad -> mtl.text"),
        ("acgan_bert.run", "import rich.table", "acgan_bert.run -> rich.table (line 1)"),
        ("acgan_bert.cli", "import rich.table", ""),
        ("analysis.good", "import torchmetrics", ""),
        ("acgan_bert.gan.good", "import torch", ""),
    ],
)
def test_a_broken_edge_is_named_and_a_sound_one_is_not(module, source, edge):
    found = broken_edges(source, module)
    assert any(line.startswith(edge) for line in found) if edge else not found


def loaded_after(code, names):
    check = f"import sys\n{code}\nprint(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, timeout=300, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.processes
@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_costs_next_to_nothing(package):
    heavy = ("torch", "transformers", "sklearn", "pandas", "matplotlib", "scipy", "numpy")
    assert loaded_after(f"import {package}", heavy) == []
