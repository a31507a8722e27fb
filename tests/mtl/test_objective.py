"""A task's loss with its terms: SMART's equal a computation by hand, extras reach the vectors."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from mtl.bert.encoder import load_encoder
from mtl.bert.heads import HeadSettings
from mtl.bert.toy import write_toy
from mtl.companion import Part
from mtl.contrastive import hardest_triplet, multiple_negatives_ranking
from mtl.errors import InputError
from mtl.losses import binary_cross_entropy
from mtl.objective import Objective
from mtl.regularizers import DIVERGENCES, Ascent, ProximalPoint, worst_perturbation
from mtl.settings import SmartSettings
from mtl.terms import terms_of
from mtl.text.collate import TokenBatch
from mtl.trainer import MultitaskTrainer
from tests.mtl.toy_multitask import HEADS, LOOP, NAMES, build
from tests.properties import assert_parameters_unchanged, snapshot

TRIPLET = {name: replace(head, kind="mlp", pair="triplet") for name, head in HEADS.items()}
APART = HEADS | {"paraphrase": HeadSettings(pair="difference")}
COLUMNS = ("input_ids", "attention_mask", "token_type_ids")
WIDE = SmartSettings(weight=2.0, ascent=Ascent(epsilon=0.1, step_size=0.05, steps=2))


def setting(task, heads=HEADS, rows=6, dropout=False, **changes):
    """Return a model, the data of one of its tasks, and a batch of it."""
    model, data = build(heads, dropout=dropout)
    task_data = replace(data[task], **changes)
    batch = task_data.train.batch(np.arange(rows))
    return model.train(), task_data, batch


def loss_of(model, task, data, batch, smart=None, proximal=None, *, labeled=1.0, rows=1.0):
    torch.manual_seed(1)
    objective = Objective(
        model,
        task,
        terms_of(model, task, data),
        autocast=nullcontext,
        smart=smart or SmartSettings(),
        proximal=proximal,
    )
    return objective(Part(batch, labeled, rows))[task]


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_encoder_starts_from_its_own_embeddings_as_from_ids(architecture, side, tmp_path):
    write_toy(tmp_path, architecture=architecture)
    encoder = load_encoder(str(tmp_path))
    encoder.tokenizer.padding_side = side
    tokens = encoder.tokenizer(["a good film", "bad"], padding=True, return_tensors="pt")
    batch = TokenBatch(*(tokens.get(key) for key in COLUMNS), np.arange(2))
    expected = encoder(batch)
    embeddings_BLD = encoder.embed(batch)
    assert torch.equal(encoder(batch, embeddings_BLD), expected)
    assert not torch.allclose(encoder(batch, embeddings_BLD + 1.0), expected)
    assert torch.equal(encoder(batch), expected)


@pytest.mark.parametrize("heads", [HEADS, TRIPLET], ids=["own", "triplet"])
@pytest.mark.parametrize("task", NAMES)
def test_model_starts_from_its_own_embeddings_as_from_ids(task, heads):
    model, _, batch = setting(task, heads)
    model.eval()
    embeddings = model.embed(batch)
    for found, expected in zip(
        model.encode(task, batch, embeddings), model.encode(task, batch), strict=True
    ):
        assert torch.equal(found, expected)
    embeddings.retain_grad()
    sum(vector.sum() for vector in model.encode(task, batch, embeddings)).backward()
    assert embeddings.grad.flatten(1).any(dim=1).all()  # every sequence starts from its own


@pytest.mark.parametrize("heads", [HEADS, TRIPLET], ids=["own", "triplet"])
@pytest.mark.parametrize("task", NAMES)
def test_smoothness_is_added_to_every_task(task, heads):
    model, data, batch = setting(task, heads)
    plain = loss_of(model, task, data, batch)
    smooth = loss_of(model, task, data, batch, WIDE)

    def forward(embeddings):
        return model.heads[task](*model.encode(task, batch, embeddings))

    embeddings, divergence = model.embed(batch), DIVERGENCES[model.tasks[task].output]
    torch.manual_seed(1)
    shift = worst_perturbation(
        forward,
        embeddings,
        forward(embeddings),
        divergence=divergence,
        ascent=WIDE.ascent,
        generator=torch.default_generator,
    )
    rough = divergence(forward(embeddings + shift), forward(embeddings)).mean()
    assert rough > 1e-6
    torch.testing.assert_close(smooth, plain + 2.0 * rough)
    shares = loss_of(model, task, data, batch, WIDE, labeled=0.5, rows=0.25)
    torch.testing.assert_close(shares, 0.5 * plain + 0.25 * 2.0 * rough)


def test_smoothness_is_next_to_nothing_at_the_papers_radius_whatever_dropout_does():
    model, data, batch = setting("sentiment", dropout=True)
    smart = SmartSettings(weight=1.0)
    plain = loss_of(model, "sentiment", data, batch)
    assert 0 <= loss_of(model, "sentiment", data, batch, smart) - plain < 1e-5


def test_proximal_term_is_zero_at_the_start_and_grows_with_the_distance():
    model, data, batch = setting("paraphrase", dropout=True)
    proximal = ProximalPoint(model, early_updates=1)
    smart = SmartSettings(proximal=3.0)
    plain = loss_of(model, "paraphrase", data, batch)
    assert torch.equal(loss_of(model, "paraphrase", data, batch, smart, proximal), plain)
    with torch.no_grad():
        model.encoder.model.get_input_embeddings().weight.mul_(1.5)
    before = snapshot(model)
    moved = loss_of(model, "paraphrase", data, batch, smart, proximal)
    assert moved > loss_of(model, "paraphrase", data, batch) + 1e-6
    assert_parameters_unchanged(model, before)


@pytest.mark.parametrize(
    "model_settings",
    [
        {"train": "lora", "adapter": "experts", "rank": 2},
        {"train": "frozen", "adapter": "pals"},
        {"shared_depth": 1},
    ],
    ids=["experts", "pals", "shared"],
)
def test_smart_trains_what_is_trained_otherwise(model_settings):
    heads = HEADS | {"similarity": HeadSettings(kind="cosine-affine", depth=1, width=8)}
    reached = []
    for smart in (SmartSettings(), replace(WIDE, proximal=1.0)):
        trainer = MultitaskTrainer(*build(heads, **model_settings), replace(LOOP, smart=smart))
        for _ in range(2):
            trainer.advance()
        parameters = trainer.model.named_parameters()
        reached.append({n for n, p in parameters if p.grad is not None and p.grad.any()})
    assert reached[0]
    assert reached[0] == reached[1]


def test_smart_makes_the_trained_function_smoother():
    found = []
    for smart in (SmartSettings(), replace(WIDE, weight=20.0)):
        settings = replace(LOOP, updates_per_epoch=15, encoder_rate=1e-3, smart=smart)
        trainer = MultitaskTrainer(*build(), settings)
        while trainer.update_number < trainer.updates:
            trainer.advance()
        model, data = trainer.model.eval(), trainer.data["sentiment"]
        batch = data.train.batch(np.arange(30))
        rough = loss_of(model, "sentiment", data, batch, WIDE) - loss_of(
            model, "sentiment", data, batch
        )
        found.append(rough.item())
    assert found[1] < 0.5 * found[0]


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        (SmartSettings, "weight", -1),
        (SmartSettings, "momentum", 1),
        (Ascent, "epsilon", 0),
        (Ascent, "steps", -1),
    ],
)
def test_settings_of_smart_out_of_range_are_refused(settings, name, value):
    with pytest.raises(InputError, match=f"smart.{name}: {value}; use"):
        settings(**{name: value})


def test_binary_loss_of_a_binary_head_is_that_of_its_one_logit():
    model, data, batch = setting("paraphrase", loss="binary_cross_entropy")
    logits_BC = model("paraphrase", batch)
    expected = binary_cross_entropy(logits_BC[:, 1:], batch.labels_B)
    torch.testing.assert_close(loss_of(model, "paraphrase", data, batch), expected)


def extra_of(model, task, data, batch):
    with_it = loss_of(model, task, data, batch)
    return (with_it - loss_of(model, task, replace(data, extra=""), batch)) / data.extra_weight


@pytest.mark.parametrize("task", ["paraphrase", "similarity"])
def test_cosine_is_regressed_on_scores_and_on_yes_or_no(task):
    model, data, batch = setting(task, APART, extra="cosine_similarity", extra_weight=0.5)
    cosine_B = cosine_similarity(*model.encode(task, batch), dim=-1)
    known_B = batch.labels_B.float() if batch.scores_B is None else batch.scores_B / 5.0
    torch.testing.assert_close(
        extra_of(model, task, data, batch), (cosine_B - known_B).square().mean()
    )


def test_unlabeled_pairs_have_no_cosine_to_reach():
    model, data, batch = setting("paraphrase", APART, extra="cosine_similarity")
    unknown = batch._replace(labels_B=torch.full_like(batch.labels_B, -1))
    assert loss_of(model, "paraphrase", data, unknown).item() == 0.0


@pytest.mark.parametrize("task", ["paraphrase", "similarity"])
@pytest.mark.parametrize(
    ("extra", "loss"),
    [
        ("multiple_negatives_ranking", multiple_negatives_ranking),
        ("triplet", hardest_triplet),
    ],
)
def test_contrast_is_among_the_positive_pairs_of_the_batch(task, extra, loss):
    model, data, batch = setting(task, APART, rows=20, extra=extra, extra_weight=0.5)
    chosen_B = batch.labels_B == 1 if batch.scores_B is None else batch.scores_B >= 4
    assert 2 <= chosen_B.sum() < 20
    pairs = [vector[chosen_B] for vector in model.encode(task, batch)]
    nothing_shared = torch.zeros(len(pairs[0]), len(pairs[0]), dtype=torch.bool)
    texts = np.array([data.train.corpus.texts, data.train.corpus.pairs])[:, :20][:, chosen_B]
    assert len(set(texts.flatten())) == texts.size
    found = extra_of(model, task, data, batch)
    torch.testing.assert_close(found, loss(*pairs, excluded_BK=nothing_shared))
    known_B = None if batch.scores_B is None else batch.scores_B * 0
    none = batch._replace(labels_B=batch.labels_B * 0, scores_B=known_B)
    assert extra_of(model, task, data, none).item() == 0.0


def test_extra_loss_runs_the_encoder_once():
    model, data, batch = setting("paraphrase", APART, extra="triplet")
    calls = []
    model.encoder.register_forward_hook(lambda *_: calls.append(1))
    loss_of(model, "paraphrase", data, batch).backward()
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("task", "heads", "extra", "said"),
    [
        ("sentiment", APART, "triplet", "'sentiment': extra triplet needs .* reads one text"),
        ("paraphrase", HEADS, "cosine_similarity", "reads both texts as one; leave it out"),
        ("paraphrase", APART, "tripplet", "extra: 'tripplet' is unknown"),
    ],
)
def test_extra_loss_that_does_not_fit_is_refused(task, heads, extra, said):
    model, data = build(heads)
    data[task] = replace(data[task], extra=extra)
    with pytest.raises(InputError, match=said):
        MultitaskTrainer(model, data, LOOP)


def test_contrast_without_a_positive_pair_is_refused():
    model, data = build(APART)
    data["paraphrase"].train.corpus.labels[:] = 0
    data["paraphrase"] = replace(data["paraphrase"], extra="triplet")
    said = (
        "learns from pairs that mean the same, each against others, and demo:paraphrase has no two"
    )
    with pytest.raises(InputError, match=said):
        MultitaskTrainer(model, data, LOOP)
    data["paraphrase"].train.corpus.labels[:1] = 1
    with pytest.raises(InputError, match=said):
        MultitaskTrainer(model, data, LOOP)


@pytest.mark.parametrize("extra", ["multiple_negatives_ranking", "triplet"])
def test_contrast_in_micro_batches_of_one_pair_is_refused(extra):
    model, data = build(APART)
    data["paraphrase"] = replace(data["paraphrase"], extra=extra)
    MultitaskTrainer(model, data, replace(LOOP, accumulation=3))
    with pytest.raises(InputError, match="batch_size: 6 leaves less than 2 for each of 6 parts"):
        MultitaskTrainer(model, data, replace(LOOP, accumulation=6))
    data["paraphrase"] = replace(data["paraphrase"], extra="cosine_similarity")
    MultitaskTrainer(model, data, replace(LOOP, accumulation=6))


def test_cosine_goes_to_one_for_the_positive_class_wherever_it_stands():
    model, data, batch = setting("paraphrase", APART, extra="cosine_similarity")
    expected = extra_of(model, "paraphrase", data, batch)
    task = model.tasks["paraphrase"]
    model.tasks["paraphrase"] = replace(task, classes=task.classes[::-1])
    turned = batch._replace(labels_B=1 - batch.labels_B)
    torch.testing.assert_close(extra_of(model, "paraphrase", data, turned), expected)
