"""README: its two commands are there as promised, and what it names exists."""

import re
from pathlib import Path

import pytest

from acgan_bert import cli
from acgan_bert.recipe_fields import recipe_fields
from acgan_bert.recipe_io import shipped

ROOT = Path(__file__).resolve().parents[1]
DEMO = 'pip install -c constraints.txt -e ".[offline]" && acgan-bert demo'
TESTS = 'pip install -c constraints.txt -e ".[offline,test]" && pytest'
OTHER_FLAGS = (
    *("--out", "--label", "--seed", "--task", "--print_config", "--help", "--version", "--check"),
    "--nproc_per_node",  # torchrun's
    *("--axis", "--seeds", "--methods", "--yes", "--engine", "--ray_address", "--workers"),
    "--threads",
)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def test_readme_holds_the_two_commands_as_lines_of_their_own():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert lines.count(DEMO) == 1
    assert lines.count(TESTS) == 1
    assert lines.index(DEMO) < lines.index(TESTS) < 30


def test_ci_runs_the_second_command_as_it_is_printed():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    pattern = re.search(r"grep -x '([^']+)' README\.md", script)[1]
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert [line for line in lines if re.fullmatch(pattern, line)] == [TESTS]


def test_every_shipped_multitask_recipe_is_in_the_table_and_no_other():
    page = (ROOT / "docs" / "multitask.md").read_text("utf-8")
    shown = set(re.findall(r"`(mtl-[a-z0-9-]+)`", page))
    assert shown == {name for name, _ in shipped() if name.startswith("mtl-")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_compile(page):
    for block in blocks(page.read_text("utf-8"), "python"):
        assert compile(block, str(page), "exec").co_code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_flags_that_are_named_exist(page):
    text = page.read_text("utf-8")
    verbs = set(re.findall(r"(?:^|`|&& )acgan-bert ([a-z]+)", text, flags=re.MULTILINE))
    assert verbs <= set(cli.VERBS)
    for block in blocks(text, "(?:sh|console)"):
        flags = re.findall(r"(?<!\S)--[a-z][\w.-]*", block)
        unknown = [f for f in flags if f[2:] not in recipe_fields() and f not in OTHER_FLAGS]
        assert not unknown
    keys = re.findall(
        r"`(?:--)?((?:data|encoder|generator|discriminator|objective"
        r"|semisupervised|training|report|tasks\.[a-z]+|sharing|multitask|smart|contrastive)"
        r"\.[a-z_0-9]+)",
        text,
    )
    files = {"report.html", "multitask.md", "contrastive.jsonl"}
    assert [key for key in keys if key not in recipe_fields() and key not in files] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_constraints_pin_what_the_extras_name_for_any_machine():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-zA-Z.]*", pin) for pin in pins)
    assert "torch==2.13.0" in pins
    assert not any(pin.startswith(("torchvision", "torchaudio")) for pin in pins)
