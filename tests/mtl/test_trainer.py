from dataclasses import replace

import pytest
import torch

from mtl.bert.embed import resolve_precision
from mtl.bert.heads import HeadSettings
from mtl.errors import DivergenceError, InputError
from mtl.evaluate import evaluate
from mtl.loop import train_multitask
from mtl.regularizers import Ascent
from mtl.settings import SmartSettings
from mtl.trainer import MultitaskTrainer
from tests.mtl.toy_multitask import HEADS, LOOP, NAMES, PAIRS, build

SMART = SmartSettings(weight=1.0, proximal=1.0, ascent=Ascent(epsilon=1e-2, step_size=1e-2))


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
    ("order", "surgery", "smart"),
    [
        ("interleaved", "gradvac", SmartSettings()),
        ("pairs", "pcgrad", SMART),
        ("annealed", "sum", replace(SMART, weight=0.0)),
        ("pairs", "torchjd:GradDrop", SmartSettings()),
    ],
)
def test_going_on_from_any_update_gives_the_same_bits(surgery, order, smart):
    pairs = PAIRS if order == "pairs" else ()
    settings = replace(LOOP, surgery=surgery, order=order, pairs=pairs, smart=smart)
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
        trainer.step.gradients({name: trainer.parts(name) for name in NAMES})
        named = trainer.model.named_parameters()
        found.append({name: p.grad for name, p in named if p.grad is not None})
    assert_equal_weights(*found, rtol=1e-4, atol=1e-6)


def test_a_frozen_encoder_never_moves_and_heads_do():
    heads = HEADS | {"similarity": HeadSettings(kind="cosine-affine", depth=1, width=8)}
    trainer = MultitaskTrainer(*build(heads, train="frozen"), LOOP)
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
    assert [row["step"] for row in records] == [2, 4, 6, 8]
    assert seen[-1] == (8, 8)
    assert {"dev_mean", "dev_sentiment_accuracy", "dev_similarity_pearson", "norm"} <= set(
        records[0]
    )
    groups = {row["group"] for row in records[0]["conflicts"]}
    assert {"all", "embeddings", "layer 0", "layer 1"} <= groups
    best = max(records, key=lambda row: row["dev_mean"])
    assert outcome.best_update == best["step"]
    assert outcome.scores["sentiment"]["accuracy"] == best["dev_sentiment_accuracy"]


def test_final_scores_are_those_of_the_weights_in_float32():
    """They were those of bf16, which nobody gets from the saved model."""
    model, data = build()
    settings = replace(LOOP, epochs=1, updates_per_epoch=2, precision="bf16")
    outcome = train_multitask(model, data, settings)
    exact = evaluate(model, "similarity", data["similarity"].dev)
    assert outcome.scores["similarity"] == exact
    with torch.autocast("cpu", torch.bfloat16):
        assert evaluate(model, "similarity", data["similarity"].dev) != exact


class Killed(Exception):
    pass


def kill_at(number):
    def kill(done, _):
        if done == number:
            raise Killed

    return kill


@pytest.mark.parametrize(("killed", "checkpoint_every"), [(5, 0), (6, 1), (8, 3)])
def test_interrupted_loop_goes_on_from_its_checkpoint(tmp_path, killed, checkpoint_every):
    settings = replace(
        LOOP, surgery="pcgrad", evaluate_every=4, checkpoint_every=checkpoint_every, smart=SMART
    )
    uninterrupted, data = build()
    records, resumed = [], []
    expected = train_multitask(uninterrupted, data, settings, record=records.append)
    model, data = build()
    with pytest.raises(Killed):
        train_multitask(model, data, settings, checkpoint=tmp_path, progress=kill_at(killed))
    torch.manual_seed(99)
    model, data = build()
    done = []
    outcome = train_multitask(
        model,
        data,
        settings,
        checkpoint=tmp_path,
        record=resumed.append,
        progress=lambda number, _: done.append(number),
    )
    assert outcome == expected
    assert resumed == records[1:]  # means and conflicts since the last evaluation as well
    assert killed - done[0] < (checkpoint_every or 4)
    assert_equal_weights(weights(uninterrupted), weights(model))


def test_training_lowers_the_loss_of_every_task():
    model, data = build()
    records = []
    settings = replace(LOOP, epochs=1, updates_per_epoch=60, evaluate_every=20, encoder_rate=1e-3)
    train_multitask(model, data, settings, record=records.append)
    for name in NAMES:
        assert records[-1][f"{name}_loss"] < records[0][f"{name}_loss"]


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
        losses = trainer.step.gradients({name: trainer.parts(name) for name in NAMES})
        named = trainer.model.named_parameters()
        found.append({name: p.grad for name, p in named if p.grad is not None} | losses)
    assert_equal_weights(*found, rtol=1e-4, atol=1e-6)


def test_smart_is_for_the_tasks_that_it_names():
    plain, smooth = (
        MultitaskTrainer(*build(dropout=False), replace(LOOP, smart=smart)).advance()
        for smart in (SmartSettings(), replace(SMART, tasks=("similarity",)))
    )
    assert smooth["sentiment"] == plain["sentiment"]
    assert smooth["similarity"] > plain["similarity"]
    with pytest.raises(InputError, match=r"smart\.tasks: topic is none of sentiment, para"):
        MultitaskTrainer(*build(), replace(LOOP, smart=replace(SMART, tasks=("topic",))))


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_precision_is_that_of_the_passes(precision):
    """Scores stay near those of float32, and bf16 is not float32."""
    found = {}
    for name in ("no", precision):
        trainer = MultitaskTrainer(*build(dropout=False), replace(LOOP, precision=name))
        found[name] = trainer.advance()
    for name in NAMES:
        torch.testing.assert_close(found[precision][name], found["no"][name], rtol=0.05, atol=0)
    expected = precision == "bf16" or resolve_precision("auto", torch.device("cpu")) == "bfloat16"
    assert expected == (not torch.equal(found[precision]["norm"], found["no"]["norm"]))


def test_overflow_passes_an_update_over_and_scales_less():
    """Nothing here has float16: the gradient is made to overflow, and the scaler does its part."""
    trainer = MultitaskTrainer(*build(), LOOP)
    trainer.optimization.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    trainer.step.scale = lambda loss: trainer.optimization.scaler.scale(loss) * torch.inf
    before = weights(trainer.model)
    assert trainer.advance() == {}
    assert trainer.update_number == 1
    assert trainer.optimization.scaler.get_scale() == 4.0
    assert_equal_weights(before, weights(trainer.model))
    saved = trainer.state()
    trainer.step.scale = trainer.optimization.scaler.scale
    scaled = trainer.advance()
    plain = MultitaskTrainer(*build(), LOOP)
    plain.load_state(saved)
    torch.testing.assert_close(plain.advance(), scaled, rtol=1e-5, atol=0)
    plain.optimization.scaler = torch.amp.GradScaler("cpu")
    plain.load_state(saved)
    assert plain.optimization.scaler.get_scale() == 4.0
    while trainer.optimization.scaler.get_scale() > 1:
        trainer.optimization.scaler.update(1.0)
    trainer.step.scale = lambda loss: loss * torch.inf
    with pytest.raises(DivergenceError, match="diverged at update 3"):
        trainer.advance()
