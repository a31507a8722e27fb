"""Contrastive pretraining: draws texts together, resumes exactly, refuses what is in vain."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mtl.bert.heads import HeadSettings
from mtl.contrastive import not_negatives, positive_rows, simcse, text_ids
from mtl.errors import InputError
from mtl.loop import train_multitask
from mtl.pretraining import ContrastiveSettings, ContrastiveTrainer, pretrain
from tests.mtl.toy_multitask import HEADS, LOOP, build
from tests.properties import assert_parameters_unchanged, assert_same_bits, snapshot

STAGE = ContrastiveSettings(
    kind="both", updates=6, batch_size=8, learning_rate=1e-3, record_every=4, precision="no"
)


def vectors(model, texts):
    model.eval()
    tokens = model.encoder.tokenizer(
        list(texts), padding=True, truncation=True, max_length=32, return_tensors="pt"
    )
    with torch.no_grad():
        states = model.encoder.model(**tokens).last_hidden_state.mean(1)
    return normalize(states, dim=-1)


def test_positive_pairs_come_nearer_than_other_texts():
    def gap(model, rows):
        first, second = vectors(model, rows.texts), vectors(model, rows.pairs)
        scores = first @ second.T
        own = scores.diagonal().mean()
        return (
            own - (scores.sum() - scores.diagonal().sum()) / (len(rows) ** 2 - len(rows))
        ).item()

    model, data = build()
    rows = data["paraphrase"].train.corpus
    rows = rows.select(positive_rows(rows))
    before = gap(model, rows)
    pretrain(model, data, replace(STAGE, kind="supervised", updates=40))
    assert gap(model, rows) > 3 * before


def test_unsupervised_training_spreads_the_texts():
    def mean_cosine(model, texts):
        scores = vectors(model, texts)
        return (scores @ scores.T).mean().item()

    model, data = build()
    texts = data["sentiment"].train.corpus.texts
    before = mean_cosine(model, texts)
    pretrain(model, data, replace(STAGE, kind="unsupervised", updates=40))
    assert mean_cosine(model, texts) < before - 0.05


def test_one_forward_pass_holds_both_dropout_masks():
    model, data = build()
    trainer = ContrastiveTrainer(model, data, replace(STAGE, kind="unsupervised"))
    seen = []
    model.encoder.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    trainer.advance()
    ((tokens, vectors_BD),) = seen
    ids_first, ids_second = tokens.input_ids_BL.chunk(2)
    assert torch.equal(ids_first, ids_second)
    assert not torch.equal(*vectors_BD.chunk(2))


def test_loss_is_simcse_of_the_batch():
    model, data = build(dropout=False)
    trainer = ContrastiveTrainer(model, data, replace(STAGE, kind="supervised"))
    stage = trainer.stages[0]
    task, rows = stage.batch(0)
    texts = stage.pairs[task].tokenized.corpus.select(rows)
    excluded_BB = not_negatives(*text_ids(texts.texts, texts.pairs))
    found = trainer.advance()["supervised_loss"]
    fresh, _ = build(dropout=False)
    tokens = stage.pairs[task].tokenized.batch(rows).singles
    first, second = fresh.train().encode_texts(task, tokens).chunk(2)
    assert excluded_BB.any()
    expected = simcse(first, second, temperature=0.05, excluded_BK=excluded_BB)
    torch.testing.assert_close(found, expected.detach())


def test_heads_do_not_move_and_everything_in_the_encoder_may():
    model, data = build()
    heads = snapshot(model.heads)
    before = snapshot(model.encoder)
    pretrain(model, data, STAGE)
    assert_parameters_unchanged(model.heads, heads)
    after = model.encoder.state_dict()
    assert not any(torch.equal(after[key], before[key]) for key in before if "weight" in key)


def test_texts_of_pairs_are_read_alone_whatever_the_heads_do():
    model, data = build(HEADS | {"similarity": HeadSettings(kind="sigmoid", pair="cross")})
    stage = ContrastiveTrainer(model, data, STAGE).stages[0]
    corpus = data["paraphrase"].train.corpus
    tokenized = stage.pairs["paraphrase"].tokenized
    assert set(tokenized.corpus.texts) == {*corpus.texts, *corpus.pairs}
    assert tokenized.batch(np.arange(3)).joint is None


def test_supervised_stage_has_the_positive_pairs_alone():
    model, data = build()
    stage = ContrastiveTrainer(model, data, replace(STAGE, kind="supervised")).stages[0]
    assert stage.pairs.keys() == {"paraphrase", "similarity"}
    assert (stage.pairs["paraphrase"].tokenized.corpus.labels == 1).all()
    assert (stage.pairs["similarity"].tokenized.corpus.scores >= 4).all()


@pytest.mark.parametrize("killed", [3, 5, 10, 12])
def test_interrupted_stage_goes_on_from_its_checkpoint(tmp_path, killed):
    class Killed(Exception):
        pass

    def kill(done, _):
        if done == killed:
            raise Killed

    uninterrupted, data = build()
    records, resumed = [], []
    pretrain(uninterrupted, data, STAGE, record=records.append)
    assert [row["step"] for row in records] == [4, 8, 12]
    assert {"unsupervised_loss", "supervised_loss", "norm"} <= records[1].keys()
    model, data = build()
    with pytest.raises(Killed):
        pretrain(model, data, STAGE, checkpoint=tmp_path, progress=kill)
    model, data = build(seed=9)
    pretrain(model, data, STAGE, checkpoint=tmp_path, record=resumed.append)
    assert resumed == [row for row in records if row["step"] > (killed - 1) // 4 * 4]
    encoder = model.encoder.state_dict()
    assert_same_bits(encoder, uninterrupted.encoder.state_dict())


def test_finished_stage_is_not_repeated(tmp_path):
    first, data = build()
    pretrain(first, data, STAGE, checkpoint=tmp_path)
    again, data = build()
    pretrain(again, data, STAGE, checkpoint=tmp_path, progress=pytest.fail)
    assert_same_bits(again.state_dict(), first.state_dict())


def test_no_stage_changes_nothing():
    model, data = build()
    before = snapshot(model)
    pretrain(model, data, replace(STAGE, kind="none"), progress=pytest.fail)
    assert_parameters_unchanged(model, before)


@pytest.mark.parametrize(
    "settings",
    [
        {"train": "lora", "rank": 2},
        {"train": "lora", "adapter": "experts", "rank": 2},
        {"train": "frozen", "adapter": "pals"},
    ],
    ids=["lora", "experts", "pals"],
)
def test_adapters_are_trained_and_what_is_frozen_stays(settings):
    heads = HEADS | {"similarity": HeadSettings(kind="cosine-affine", depth=1, width=8)}
    model, data = build(heads, **settings)
    before = {name: value.clone() for name, value in model.named_parameters()}
    pretrain(model, data, replace(STAGE, updates=30, learning_rate=1e-2))
    moved = {name for name, value in model.named_parameters() if not value.equal(before[name])}
    inside = {n for n, p in model.named_parameters() if p.requires_grad and "heads" not in n}
    assert moved
    assert moved <= inside
    for task in data:
        assert settings.get("adapter", "none") == "none" or any(f".{task}." in n for n in moved)


def test_multitask_training_goes_on_from_it(tmp_path):
    model, data = build()
    pretrain(model, data, STAGE, checkpoint=tmp_path / "contrastive")
    before = snapshot(model)
    outcome = train_multitask(model, data, LOOP, checkpoint=tmp_path / "multitask")
    assert outcome.best_update
    assert any(not torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "simcse"}, "contrastive.kind: 'simcse' is unknown; use none, unsupervised"),
        ({"temperature": 0.0}, "contrastive.temperature: 0.0; use more than 0"),
        ({"updates": 0}, "contrastive.updates: 0; use more than 0"),
    ],
)
def test_settings_out_of_range_are_refused(change, said):
    with pytest.raises(InputError, match=said):
        replace(STAGE, **change)


def test_nothing_to_train_and_nothing_to_learn_from_are_refused():
    heads = HEADS | {"similarity": HeadSettings(kind="cosine-affine", depth=1, width=8)}
    with pytest.raises(InputError, match="trains the encoder, which is frozen and has no adapters"):
        pretrain(*build(heads, train="frozen"), STAGE)
    with pytest.raises(InputError, match="there are none in demo:sentiment; use unsupervised"):
        pretrain(*build(names=("sentiment",)), STAGE)
    with pytest.raises(InputError, match=r"contrastive.batch_size: 1 leaves less than 2 for each"):
        pretrain(*build(), replace(STAGE, batch_size=1))


def test_one_positive_pair_has_nothing_to_be_contrasted_with():
    """Its batches would be copies of it, none of which is a negative of another."""
    model, data = build(names=("paraphrase",))
    data["paraphrase"].train.corpus.labels[:] = 0
    data["paraphrase"].train.corpus.labels[3] = 1
    with pytest.raises(InputError, match="two without a text in common; there are none in demo:pa"):
        pretrain(model, data, replace(STAGE, kind="supervised"))


def test_a_checkpoint_of_another_model_is_named():
    state = ContrastiveTrainer(*build(), STAGE).state()
    trainer = ContrastiveTrainer(*build(train="last"), STAGE)
    trainer.load_state(state)  # without moments yet
    whole = ContrastiveTrainer(*build(), STAGE)
    whole.advance()
    with pytest.raises(InputError, match=r"of another recipe .no 'encoder.model.embeddings"):
        trainer.load_state(whole.state())
    with pytest.raises(InputError, match=r"of another recipe .Missing key"):
        ContrastiveTrainer(*build(shared_depth=1), STAGE).load_state(state)
