"""Runs of a GAN beside a trained encoder, of several tasks and of one, made by hand."""

import itertools
import json

import numpy as np
from safetensors.numpy import save_file

from tests.analysis.conftest import fake_lines, write_lines
from tests.analysis.multitask_run import CLASSES, conflicts, metrics, write_multitask_run

OBJECTIVES = (*CLASSES, "source", *(f"{task}.class" for task in CLASSES))
MEASURES = {
    "frechet_distance": 1.5,
    "frechet_floor": 0.5,
    "baselines": {"class_gaussian": {"frechet_distance": 0.75}},
    "collapse": [{"class": "bad", "real": 20, "fake": 10, "collapsed": True, "reason": "equal"}],
}


def rng():
    return np.random.default_rng(0)


def joint_metrics(evaluations):
    """Make the records of three tasks with a GAN beside."""
    records = metrics(evaluations, rng())
    for index, record in enumerate(records):
        record |= {f"{task}.class_loss": 3.0 - 0.1 * index for task in CLASSES}
        record |= {f"moved_{task}": 0.2 + 0.1 * index for task in CLASSES}
        record |= {"source_loss": 2.0 - 0.1 * index, "loss_generator": 1.0 + 0.1 * index}
    return records


def finetune_metrics(evaluations):
    """Make the records of one task whose classifier is the discriminator."""
    return [
        {
            "step": 10 * (index + 1),
            "sentiment.class_loss": 3.0 - index,
            "source_loss": 2.0 - index,
            "norm": 1.0,
            "dev_sentiment_accuracy": 0.4 + 0.1 * index,
            "dev_sentiment_macro_f1": 0.4,
            "dev_mean": 0.4 + 0.1 * index,
            "loss_generator": 1.0 + index,
            "moved_sentiment": 0.2 + index,
        }
        for index in range(evaluations)
    ]


def objective_conflicts(evaluations, objectives=OBJECTIVES):
    """Make a line an evaluation, group and pair of objectives."""
    template = [line for line in conflicts(evaluations, rng()) if line["task_b"] == "paraphrase"]
    draws = rng()
    return [
        line
        | {"task_a": a, "task_b": b}
        | {"mean_cosine": draws.normal(0, 0.1), "conflict_share": draws.random()}
        for line in template
        for a, b in itertools.combinations(objectives, 2)
    ]


def write_embeddings(folder, classes, *, rows):
    """Write real rows and as many fakes."""
    folder.mkdir(parents=True)
    labels = np.arange(rows) % len(classes)
    for kind in ("real", "fake"):
        vectors = rng().normal(size=(rows, 4)).astype(np.float32)
        save_file({"vectors": vectors, "labels": labels}, folder / f"{kind}.safetensors")
    texts = [f"{folder.name} text {row}" for row in range(rows)]
    real = [{"id": str(row), "text": text, "label": "x"} for row, text in enumerate(texts)]
    fakes = [line | {"typicality": 0.25} for line in fake_lines(classes, labels, texts)]
    write_lines(folder / "real.jsonl", real)
    write_lines(folder / "fake.jsonl", fakes)


def write_joint_run(root, *, evaluations=3, changes=None, recipe=None):
    """Write a run of three tasks and a GAN; of paraphrase there are few rows, of similarity none.

    Args:
        root: Where to.
        evaluations: How many there were.
        changes: Keys of ``result.json`` that are other than here.
        recipe: Sections of the recipe that are other than here.
    """
    measured = {"generator": {"sentiment": MEASURES, "paraphrase": {}, "similarity": {}}}
    write_multitask_run(root, evaluations=1, changes=measured | (changes or {}), recipe=recipe)
    content = json.loads((root / "recipe.yaml").read_text())
    game = {"gan": True, "joint": {"encoder_ema": 0.99}, "objective": {"name": "hinge"}}
    (root / "recipe.yaml").write_text(json.dumps(content | game))
    write_lines(root / "metrics.jsonl", joint_metrics(evaluations))
    write_lines(root / "conflicts.jsonl", objective_conflicts(evaluations))
    for task, rows in (("sentiment", 15), ("paraphrase", 4)):
        write_embeddings(root / "embeddings" / task, CLASSES[task], rows=rows)
    return root
