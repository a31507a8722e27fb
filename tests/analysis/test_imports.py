"""`analysis` stands alone: numbers in, numbers and pictures out, no deep-learning library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import analysis

PROBE = """
import importlib
import pkgutil
import sys
import analysis
light = [name for name in ("pandas", "scipy", "sklearn", "matplotlib") if name in sys.modules]
assert not light, light
for name in analysis.__all__:
    getattr(analysis, name)
for module in pkgutil.walk_packages(analysis.__path__, "analysis."):
    importlib.import_module(module.name)
heavy = {"torch", "transformers", "mtl", "acgan_bert", "matplotlib.pyplot"} & set(sys.modules)
assert not heavy, heavy
print(len(analysis.__all__))
"""


@pytest.mark.processes
def test_everything_promised_loads_without_torch():
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(analysis.__all__)


def test_promised_names():
    promised = {
        "frechet_distance",
        "kernel_distance",
        "prdc",
        "PRDC",
        "collapse_report",
        "real_floor",
        "nearest_real",
        "memorized",
        "tsne_map",
        "read_run",
        "write_report",
    }
    assert promised <= set(analysis.__all__)
    assert set(analysis.__all__) == set(analysis._HOMES)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = analysis.nonsense


def test_no_module_imports_upwards():
    forbidden = {"torch", "transformers", "mtl", "acgan_bert"}
    files = sorted(Path(analysis.__file__).parent.rglob("*.py"))
    assert len(files) > 15
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & forbidden, file.name
