"""A run directory made by hand, from the format and not from the code that writes runs."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import analysis

RECORDS = [
    {"step": step, "seconds": step / 100, "loss_class": 2.0 / (1 + step), "dev_accuracy": 0.4}
    for step in (0, 10, 20)
]


def result_of(classes, name):
    measures = {"frechet_distance": 1.5, "kernel_distance": 0.01, "precision": 0.5}
    collapse = [
        {"class": classes[0], "real": 20, "fake": 10, "collapsed": True, "reason": "all equal"},
        {"class": "overall", "real": 40, "fake": 20, "collapsed": True, "reason": "inside"},
    ]
    return {
        "name": name,
        "task": {"name": "toy", "arity": 1, "output": "classes", "classes": list(classes)},
        "test": {"accuracy": 0.7, "macro_f1": 0.68, "rows": 1000},
        "dev": {"accuracy": 0.71, "macro_f1": 0.69, "rows": 500},
        "baselines": {
            "logistic_regression": {"accuracy": 0.6, "macro_f1": 0.58, "on": "test"},
            "gan_bert": {"accuracy": 0.5, "macro_f1": 0.4, "on": "test"},
        },
        "generator": measures
        | {"frechet_floor": 0.5, "baselines": {"class_gaussian": measures}, "collapse": collapse},
        "labels": {"labeled": 40, "unlabeled": 2000},
        "seconds": {"embed": 1.5, "train": 2.25},
        "notes": [f"a note on {classes[0]}"],
    }


def fake_lines(classes, labels, texts):
    return [
        {
            "label": classes[label],
            "posterior": {classes[0]: 0.75, classes[1]: 0.25},
            "memorized": row == 0,
            "neighbors": [{"id": "0", "text": texts[0], "label": classes[0], "distance": 0.5}],
        }
        for row, label in enumerate(labels)
    ]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@cache
def curves(kind):
    """Draw the learning curves once: every run has the same."""
    return analysis.render(analysis.learning_curves(RECORDS), kind)


@pytest.fixture
def make_run(tmp_path):
    """Return a function that writes a run directory and returns its path."""

    def make(
        name="toy", classes=("good", "bad"), text="a fine day", source="day.csv", changes=None
    ):
        root = Path(tmp_path) / name
        (root / "embeddings").mkdir(parents=True)
        (root / "figures").mkdir()
        rng = np.random.default_rng(0)
        for kind, rows in (("real", 40), ("fake", 20)):
            labels = np.arange(rows) % 2
            vectors = rng.normal(size=(rows, 6)).astype(np.float32)
            arrays = {"vectors": vectors, "labels": labels}
            save_file(arrays, root / "embeddings" / f"{kind}.safetensors")
        texts = [f"{text} {row}" for row in range(40)]
        real = [{"id": str(i), "text": t, "label": classes[i % 2]} for i, t in enumerate(texts)]
        write_lines(root / "embeddings" / "real.jsonl", real)
        fake = fake_lines(classes, np.arange(20) % 2, texts)
        write_lines(root / "embeddings" / "fake.jsonl", fake)
        write_lines(root / "metrics.jsonl", RECORDS)
        result = result_of(classes, name) | (changes or {})
        (root / "result.json").write_text(json.dumps(result), encoding="utf-8")
        recipe = {"data": {"train": source}, "encoder": {"name": "offline"}}
        (root / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
        environment = {"python": "3.11", "command": f"acgan-bert train {source}"}
        (root / "env.json").write_text(json.dumps(environment), encoding="utf-8")
        for kind in ("png", "svg"):
            (root / "figures" / f"curves.{kind}").write_bytes(curves(kind))
        return root

    return make


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Return a browser without a network, once for the tests of a file."""
    from tests.analysis.browser import CHROMIUM, FLAGS, SECONDS

    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra 'test'")
    if CHROMIUM is None:
        pytest.skip("needs a Chromium on the path")
    with playwright.sync_playwright() as started:
        context = started.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("browser"),
            executable_path=CHROMIUM,
            headless=True,
            args=FLAGS,
            offline=True,
            reduced_motion="reduce",
        )
        context.set_default_timeout(30 * SECONDS)
        yield context
        context.close()


@pytest.fixture
def show(browser, tmp_path):
    """Return a function that opens the page of runs; nothing may go wrong on it or be loaded."""
    from tests.analysis.browser import Shown

    opened = []

    def opens(*runs, scheme="light", width=1100):
        analysis.write_report(runs, tmp_path / "page.html")
        page = browser.new_page()
        page.set_viewport_size({"width": width, "height": 1000})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        opened.append(Shown(page, tmp_path / "page.html"))
        return opened[-1]

    yield opens
    for shown in opened:
        shown.page.close()
        assert shown.errors == []
        assert {url.partition(":")[0] for url in shown.requests} <= {"file", "data"}


@pytest.fixture
def shown(show, make_run):
    """Return the page of a run with maps."""
    from tests.analysis.maps import with_maps

    return show(with_maps(make_run()))
