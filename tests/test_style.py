"""The short law of STYLE: sizes, parameters, docstrings, printing, machine paths."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("acgan_bert", "mtl", "analysis")
MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 300, 50, 8
PRINTERS = ("acgan_bert/cli.py", "acgan_bert/terminal.py")
# Spelt so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w./])/(?:wo" r"rk|tm" r"p|ro" r"ot|ho" r"me)/\w")
REGISTRY = re.compile(r"py" r"pi\.org|python" r"hosted|--(?:extra-)?index" r"-url")


def python_files(*folders):
    return [
        path.relative_to(ROOT)
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def functions(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def code_lines(function):
    """Count the lines of a function without its decorators and docstring."""
    length = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        length -= first.end_lineno - first.lineno + 1
    return length


def parameters(function):
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument.arg for argument in named if argument.arg not in ("self", "cls")]


def offences(source):
    """List what breaks the law of sizes in one file."""
    found = []
    lines = source.count("\n")
    if lines > MOST_LINES:
        found.append(f"{lines} lines, {MOST_LINES} at most")
    for function in functions(ast.parse(source)):
        where = f"line {function.lineno}, {function.name}"
        if code_lines(function) > MOST_FUNCTION_LINES:
            found.append(f"{where}: {code_lines(function)} lines, {MOST_FUNCTION_LINES} at most")
        if len(parameters(function)) > MOST_PARAMETERS:
            found.append(f"{where}: {len(parameters(function))} parameters")
    return found


def undocumented(source):
    """List the public functions and classes, and the module, that have no docstring."""
    tree = ast.parse(source)
    found = [] if ast.get_docstring(tree) else ["the module"]
    scopes = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    for scope in scopes:
        if scope is not tree and scope.name.startswith("_"):
            continue
        for node in scope.body:
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            public = isinstance(node, kinds) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                found.append(f"line {node.lineno}, {node.name}")
    return found


def tracked():
    """List the files that git holds or would add; every file where there is no git."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "ls-files", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        paths = [ROOT / line for line in done.stdout.splitlines()]
    else:
        paths = [path for path in ROOT.rglob("*") if path.relative_to(ROOT).parts[0][0] != "."]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("path", python_files(*PACKAGES, "tests", "benchmarks"), ids=str)
def test_files_functions_and_signatures_are_short(path):
    assert offences((ROOT / path).read_text("utf-8")) == []


@pytest.mark.parametrize("path", python_files(*PACKAGES), ids=str)
def test_everything_public_is_documented(path):
    assert undocumented((ROOT / path).read_text("utf-8")) == []


@pytest.mark.parametrize("path", python_files("benchmarks"), ids=str)
def test_benchmarks_say_what_they_are(path):
    assert ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8")))


def test_only_the_command_line_prints():
    printing = [
        f"{path}, line {node.lineno}"
        for path in python_files(*PACKAGES)
        if path.as_posix() not in PRINTERS
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    assert not printing


def test_no_file_names_a_machine_or_a_registry():
    found = []
    for path in tracked():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if MACHINE_PATH.search(line) or REGISTRY.search(line):
                found.append(f"{path.relative_to(ROOT)}, line {number}: {line.strip()[:80]}")
    assert not found, "\n".join(found)


def test_the_law_finds_what_breaks_it():
    long_function = "def f():\n" + "    x = 1\n" * 51
    assert offences(long_function) == ["line 1, f: 52 lines, 50 at most"]
    assert offences("x = 1\n" * 301) == ["301 lines, 300 at most"]
    many = ", ".join(f"p{number}" for number in range(9))
    assert offences(f"def f({many}): ...\n") == ["line 1, f: 9 parameters"]
    documented = '"""Docs."""\nclass A:\n    """Docs."""\n    def f(self): ...\n'
    assert undocumented(documented) == ["line 4, f"]
    assert undocumented("x = 1\n") == ["the module"]
    assert MACHINE_PATH.search("/".join(("see ", "tmp", "x")))
    assert not MACHINE_PATH.search("$folder/" + "tmp/x")
