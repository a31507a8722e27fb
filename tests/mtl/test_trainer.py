import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from mtl.bert.heads import HeadSettings
from mtl.errors import DivergenceError, InputError
from mtl.loop import train_multitask
from mtl.trainer import MultitaskTrainer
from tests.mtl.toy_multitask import HEADS, LOOP, NAMES, build


def weights(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def assert_equal_weights(first, second, **tolerance):
    assert first.keys() == second.keys()
    for name, value in first.items():
        if tolerance:
            torch.testing.assert_close(second[name], value, msg=name, **tolerance)
        else:
            assert torch.equal(second[name], value), name


@pytest.mark.parametrize(
    ("order", "surgery"),
    [("interleaved", "gradvac"), ("pairs", "pcgrad"), ("annealed", "sum")],
)
def test_going_on_from_any_update_gives_the_same_bits(surgery, order):
    pairs = (("sentiment", "paraphrase"), ("similarity", "paraphrase"))
    settings = replace(LOOP, surgery=surgery, order=order, pairs=pairs if order == "pairs" else ())
    model, data = build()
    whole = MultitaskTrainer(model, data, settings)
    saved = {}
    for number in range(whole.updates):
        saved[number] = whole.state()
        whole.advance()
    for number in (0, 3):
        resumed = MultitaskTrainer(*build(), settings)
        resumed.advance()  # what it did before must not matter
        resumed.load_state(saved[number])
        while resumed.update_number < resumed.updates:
            resumed.advance()
        assert_equal_weights(weights(model), weights(resumed.model))


def test_micro_batches_add_up_to_the_batch():
    found = []
    for accumulation in (1, 3):
        settings = replace(LOOP, accumulation=accumulation, surgery="pcgrad")
        trainer = MultitaskTrainer(*build(dropout=False), settings)
        trainer.step.gradients({name: trainer.batches(name) for name in NAMES})
        named = trainer.model.named_parameters()
        found.append({name: p.grad for name, p in named if p.grad is not None})
    assert_equal_weights(*found, rtol=1e-4, atol=1e-6)


def test_one_task_a_turn_is_never_projected():
    found = []
    for surgery in ("sum", "pcgrad"):
        settings = replace(LOOP, surgery=surgery, order="round-robin")
        trainer = MultitaskTrainer(*build(), settings)
        for _ in range(4):
            trainer.advance()
        found.append(weights(trainer.model))
    assert_equal_weights(*found)


def test_a_frozen_encoder_never_moves_and_heads_do():
    heads = HEADS | {"similarity": HeadSettings(kind="cosine-affine", depth=1, width=8)}
    trainer = MultitaskTrainer(*build(heads, train="frozen"), replace(LOOP, surgery="pcgrad"))
    before = weights(trainer.model)
    for _ in range(3):
        trainer.advance()
    moved = {
        name for name, value in weights(trainer.model).items() if not value.equal(before[name])
    }
    assert moved
    assert all(name.startswith("heads.") for name in moved)


def test_task_of_another_turn_keeps_its_head():
    settings = replace(LOOP, order="round-robin", warmup_share=0.0)
    trainer = MultitaskTrainer(*build(), settings)
    before = weights(trainer.model)
    trainer.advance()
    after = weights(trainer.model)
    moved = {name for name in after if not after[name].equal(before[name])}
    assert any(name.startswith("heads.sentiment") for name in moved)
    assert not any(name.startswith(("heads.paraphrase", "heads.similarity")) for name in moved)


def test_clipping_bounds_the_gradient_before_the_step():
    trainer = MultitaskTrainer(*build(), replace(LOOP, clip=1e-3))
    norm = trainer.advance()["norm"]
    left = torch.stack(
        [p.grad.norm() for p in trainer.model.parameters() if p.grad is not None]
    ).norm()
    assert norm > 1e-2
    assert left.item() == pytest.approx(1e-3, rel=1e-3)


def test_loop_records_scores_and_conflicts_and_ends_with_the_best_weights():
    model, data = build()
    records, seen = [], []
    settings = replace(LOOP, surgery="pcgrad")
    outcome = train_multitask(
        model, data, settings, record=records.append, progress=lambda *done: seen.append(done)
    )
    assert [row["update"] for row in records] == [2, 4, 6, 8]
    assert seen[-1] == (8, 8)
    assert {"dev_mean", "dev_sentiment_accuracy", "dev_similarity_pearson", "norm"} <= set(
        records[0]
    )
    groups = {row["group"] for row in records[0]["conflicts"]}
    assert {"all", "embeddings", "layer 0", "layer 1"} <= groups
    best = max(records, key=lambda row: row["dev_mean"])
    assert outcome.best_update == best["update"]
    assert outcome.scores["sentiment"]["accuracy"] == best["dev_sentiment_accuracy"]


def test_interrupted_loop_goes_on_from_its_checkpoint(tmp_path):
    settings = replace(LOOP, surgery="pcgrad")
    uninterrupted, data = build()
    expected = train_multitask(uninterrupted, data, settings)

    class Killed(Exception):
        pass

    def kill(done, _):
        if done == 5:
            raise Killed

    model, data = build()
    with pytest.raises(Killed):
        train_multitask(model, data, settings, checkpoint=tmp_path, progress=kill)
    torch.manual_seed(99)
    model, data = build()
    outcome = train_multitask(model, data, settings, checkpoint=tmp_path)
    assert outcome == expected
    assert_equal_weights(weights(uninterrupted), weights(model))


def test_training_lowers_the_loss_of_every_task():
    model, data = build()
    records = []
    settings = replace(LOOP, epochs=1, updates_per_epoch=60, evaluate_every=20, encoder_rate=1e-3)
    train_multitask(model, data, settings, record=records.append)
    for name in NAMES:
        assert records[-1][f"{name}_loss"] < records[0][f"{name}_loss"]


def test_a_task_without_anything_to_train_is_refused():
    with pytest.raises(InputError, match="'similarity': the encoder is frozen and its head has no"):
        MultitaskTrainer(*build(train="frozen"), LOOP)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"loss": "cross_entropi"}, "did you mean cross_entropy"),
        ({"loss": "mean_squared_error"}, "does not fit its output, classes"),
        ({"penalty": "l3"}, "unknown penalty 'l3'"),
        ({"loss": "cosine_similarity"}, "does not fit its output"),
    ],
)
def test_wrong_names_are_refused(change, said):
    model, data = build()
    data["sentiment"] = replace(data["sentiment"], **change)
    with pytest.raises(InputError, match=said):
        MultitaskTrainer(model, data, LOOP)


@pytest.mark.processes
def test_two_processes_give_the_weights_of_one_with_the_whole_batch(tmp_path):
    root = Path(__file__).parents[2]
    script = "tests/mtl/two_processes.py"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    found = {}
    for processes, prefix in ((1, []), (2, launcher)):
        out = tmp_path / f"{processes}.safetensors"
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *prefix, script, str(out)]
        subprocess.run(
            command, check=True, cwd=root, env=environment, capture_output=True, timeout=120
        )
        with safe_open(out, "pt") as opened:
            assert opened.metadata()["processes"] == str(processes)
        # Softmax does not see a key's bias: its gradient is rounding, which AdamW scales up.
        found[processes] = {k: v for k, v in load_file(out).items() if "key.bias" not in k}
    assert_equal_weights(found[1], found[2], rtol=0, atol=1e-5)


def test_nan_is_never_trained_on():
    trainer = MultitaskTrainer(*build(), replace(LOOP, surgery="pcgrad"))
    with torch.no_grad():
        trainer.model.heads["sentiment"].head[1].weight.fill_(float("nan"))
    before = weights(trainer.model)
    with pytest.raises(DivergenceError, match=r"diverged at update 1 \(sentiment nan"):
        trainer.advance()
    after = weights(trainer.model)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("accumulation", [2, 4])
def test_micro_batches_of_unequal_size_and_missing_labels_add_up(accumulation):
    found = []
    for parts in (1, accumulation):
        model, data = build(dropout=False)
        corpus = data["sentiment"].train.corpus
        corpus.labels[::3] = -1
        settings = replace(LOOP, batch_size=7, accumulation=parts)
        trainer = MultitaskTrainer(model, data, settings)
        losses = trainer.step.gradients({name: trainer.batches(name) for name in NAMES})
        named = trainer.model.named_parameters()
        found.append({name: p.grad for name, p in named if p.grad is not None} | losses)
    assert_equal_weights(*found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"precision": "fp16"}, "training.precision: 'fp16' is unknown"),
        ({"surgery": "weighted"}, "give the tasks' weights with their data"),
        ({"accumulation": 9}, "batch_size 6 is less than the 9 micro-batches"),
    ],
)
def test_settings_that_would_fail_later_are_refused(change, said):
    with pytest.raises(InputError, match=said):
        MultitaskTrainer(*build(), replace(LOOP, **change))


def test_data_must_be_for_the_tasks_of_the_model():
    model, data = build()
    del data["sentiment"]
    with pytest.raises(InputError, match="model for sentiment, paraphrase, similarity"):
        MultitaskTrainer(model, data, LOOP)
