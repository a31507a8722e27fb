"""What the joint game is made of: rows, scores, the probe, and the GANs that it leaves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from acgan_bert.gan.discriminator import one_hot_condition
from acgan_bert.gan.objectives import score_loss
from acgan_bert.joint import SOURCE, JointGAN
from acgan_bert.joint_models import task_models
from acgan_bert.joint_rows import (
    START_ROWS,
    bucket_scores,
    chosen_rows,
    row_vector,
    row_vectors,
    unit_scores,
)
from acgan_bert.networks import build_discriminator, build_generator
from mtl.bert.heads import HeadSettings
from mtl.checkpoint import named
from mtl.errors import InputError
from mtl.loop import train_multitask
from mtl.text.demo import TASKS
from tests.acgan_bert.toy_joint import LABELED, joint_recipe, joint_trainer, parted, round_of
from tests.mtl.toy_multitask import LOOP, NAMES
from tests.properties import assert_same_bits

SIMILARITY = TASKS["similarity"]


def test_one_vector_stands_for_each_kind_of_row():
    u_BD, v_BD, joint_BD = torch.randn(3, 4, 5)
    assert torch.equal(row_vector([u_BD]), u_BD)
    assert torch.equal(row_vector([u_BD, v_BD]), (u_BD - v_BD).abs())
    assert torch.equal(row_vector([u_BD, v_BD]), row_vector([v_BD, u_BD]))
    assert torch.equal(row_vector([u_BD, v_BD, joint_BD]), joint_BD)


def test_scores_of_a_bucket_lie_in_it():
    places = torch.linspace(0, 0.999, 9).view(-1, 1).expand(-1, 6)
    buckets = torch.arange(6).expand(9, -1)
    unit = bucket_scores(buckets, places, SIMILARITY)
    assert ((unit >= 0) & (unit <= 1)).all()
    np.testing.assert_array_equal(SIMILARITY.bucket(5 * unit.flatten()), buckets.flatten())
    inner = unit[:, 1:-1]
    assert (inner.diff(dim=0) > 0).all()  # anywhere in it
    middle_C = bucket_scores(torch.arange(6), torch.tensor(0.5), SIMILARITY)
    torch.testing.assert_close(middle_C, torch.arange(6) / 5)


def test_scores_go_from_their_range_to_one():
    task = replace(SIMILARITY, low=1.0, high=3.0, classes=("1", "2", "3"))
    found = unit_scores(torch.tensor([1.0, 2.5, 3.0, torch.nan]), task)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.75, 1.0, torch.nan]), equal_nan=True)


def test_score_loss_is_the_mean_square_over_known_scores():
    found_EBS = torch.tensor([[[0.5, 9.0], [1.0, 9.0], [3.0, 0.25]]], requires_grad=True)
    nan = torch.nan
    known_EBS = torch.tensor([[[0.0, nan], [nan, nan], [1.0, 0.75]]])
    loss_E = score_loss(found_EBS, known_EBS)
    torch.testing.assert_close(loss_E, torch.tensor([(0.25 + 4.0) / 2 + 0.25]))
    loss_E.sum().backward()
    expected = torch.tensor([[[0.5, 0.0], [0.0, 0.0], [2.0, -1.0]]])
    torch.testing.assert_close(found_EBS.grad, expected)
    assert score_loss(found_EBS, known_EBS * nan).item() == 0.0


def rounds(task):
    """Return the batch of a round of a task, and the task's first micro-batch."""
    trainer = joint_trainer()
    gan, part = trainer.companion, trainer.parts(task)[0]
    vectors = trainer.model.encode(task, part.batch)
    return (
        gan,
        part.batch,
        gan.rounds.batch(
            task, part.batch, gan._coordinates(vectors), guesser=gan.players, update=gan.done
        ),
    )


def test_the_score_is_a_condition_beside_its_bucket():
    gan, rows, batch = rounds("similarity")
    *_, similarity = gan.shape.classes
    fakes_EB = batch.fake_labels_EBT[..., 2]
    scores_EB = batch.fake_scores_EBS[..., 0]
    np.testing.assert_array_equal(SIMILARITY.bucket(5 * scores_EB[0]), fakes_EB[0])
    assert torch.equal(batch.fake_condition_EBK[..., -1], scores_EB)
    blocks = batch.fake_condition_EBK[..., :-1].split(gan.shape.classes, dim=-1)
    assert not any(block.any() for block in blocks[:2])
    assert torch.equal(blocks[2], one_hot_condition(fakes_EB.unsqueeze(-1), [similarity]))
    known = torch.from_numpy(np.isfinite(rows.scores_B.numpy()))
    assert known.sum() == 6 < len(known)
    torch.testing.assert_close(batch.scores_EBS[0, known, 0], rows.scores_B[known] / 5)
    assert batch.scores_EBS[0, ~known, 0].isnan().all()


def test_fakes_of_a_class_task_have_no_score():
    gan, _, batch = rounds("sentiment")
    assert batch.scores_EBS.isnan().all()
    assert batch.fake_scores_EBS.isnan().all()
    assert not batch.fake_condition_EBK[..., gan.shape.classes[0] :].any()
    assert (batch.fake_labels_EBT[..., 1:] == -1).all()


def test_both_score_heads_learn_from_scores_alone():
    trainer = joint_trainer()
    head = trainer.companion.players.discriminator.scores
    for task, learns in (("sentiment", False), ("similarity", True)):
        losses = round_of(trainer, task)
        total = losses[f"{task}.class"] + losses["source"]
        slopes = torch.autograd.grad(total, [*head.parameters()], allow_unused=True)
        assert any(slope.any() for slope in slopes) == learns
        skip = trainer.companion.players.generator.skip.weight_EIO
        assert bool(skip.grad[0, -1].any()) == learns


@pytest.mark.parametrize("name", ["hinge", "adc-gan"])
def test_the_gan_of_a_task_is_what_the_whole_one_is_on_it(name):
    recipe = joint_recipe(objective__name=name, discriminator__spectral_norm=True)
    trainer = joint_trainer(recipe)
    for _ in range(trainer.updates):
        trainer.advance()
    gan = trainer.companion
    streams, states = gan.streams, gan.players.averaged_states()
    networks = build_generator(gan.shape, streams), build_discriminator(gan.shape, streams)
    for network, state in zip(networks, states, strict=True):
        network.eval().load_state_dict(state)
    generator, judge = networks
    for place, (task, model) in enumerate(task_models(gan).items()):
        count = gan.shape.classes[place]
        labels_B = torch.arange(12) % count
        own_EBK = one_hot_condition(labels_B.view(1, -1, 1), [count])
        labels_EBT = torch.full((1, 12, len(NAMES)), -1)
        labels_EBT[..., place] = labels_B
        score_EB1 = labels_B.view(1, -1, 1) / 5 if task == "similarity" else torch.zeros(1, 12, 1)
        whole_EBK = torch.cat([one_hot_condition(labels_EBT, gan.shape.classes), score_EB1], -1)
        noise_EBZ = torch.randn(1, 12, gan.shape.noise_width)
        expected_EBD = generator(noise_EBZ, whole_EBK)
        found_EBD = model.generator(noise_EBZ, own_EBK)
        torch.testing.assert_close(found_EBD, expected_EBD, rtol=1e-5, atol=1e-6)
        expected = judge(judge.view(expected_EBD), whole_EBK[..., :-1])
        found = model.discriminator(model.discriminator.view(found_EBD.double()), own_EBK.double())
        torch.testing.assert_close(found.source_EB.float(), expected.source_EB, rtol=0, atol=1e-5)
        torch.testing.assert_close(
            found.classes[0].float(), expected.classes[place], rtol=0, atol=1e-5
        )
        assert model.classes == gan.tasks[task].classes


class Shift(nn.Module):
    """Move every vector by the same."""

    def __init__(self, by_D):
        super().__init__()
        self.by_D = by_D

    def forward(self, h_XD):
        return h_XD + self.by_D


def test_probe_says_how_far_rows_went_in_units_of_their_spread():
    model, data = parted()
    every = np.arange(40)
    x_ND = torch.cat([row_vectors(model, n, task.train, every) for n, task in data.items()])
    spread = (x_ND - x_ND.mean(0)).double().square().mean().sqrt()
    gan = JointGAN(model, data, joint_recipe())
    assert gan.take() == {f"moved_{name}": 0.0 for name in NAMES}
    shift_D = torch.randn(model.encoder.dimension)
    model.shared = Shift(shift_D)
    expected = float(shift_D.double().square().mean().sqrt() / spread)
    moved = gan.take()
    assert moved["moved_sentiment"] == pytest.approx(expected, rel=1e-4)
    assert moved["moved_paraphrase"] == pytest.approx(expected, rel=1e-4)  # read as one text
    assert moved["moved_similarity"] == pytest.approx(0.0, abs=1e-6)  # a difference of two stays


def test_vectors_of_rows_are_those_of_the_rows_alone():
    model, data = parted()
    task = data["paraphrase"].train
    rows = np.array([31, 2, 17])
    found = row_vectors(model, "paraphrase", task, rows)
    assert model.training
    for row, vector_D in zip(rows, found, strict=True):
        alone = row_vectors(model, "paraphrase", task, np.array([row]))[0]
        torch.testing.assert_close(vector_D, alone, rtol=1e-5, atol=1e-6)


def test_labeled_rows_come_first_where_there_are_too_many():
    labels = np.where(np.arange(3 * START_ROWS) % 4, -1, 0)
    rows = chosen_rows(labels, seed=1)
    assert len(np.unique(rows)) == START_ROWS
    assert (labels[rows] == 0).sum() == 3 * START_ROWS / 4
    assert (np.diff(rows) > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_rare_classes_are_among_the_chosen_rows(seed):
    """Five rows of a class of many were often all left out, and it was said to have none."""
    labels = np.r_[np.zeros(10 * START_ROWS, np.int64), np.full(5, 1), np.full(START_ROWS, -1)]
    rows = chosen_rows(labels, seed=seed)
    assert len(np.unique(rows)) == START_ROWS
    assert np.bincount(labels[rows]).tolist() == [START_ROWS - 5, 5]


def test_one_task_may_begin_at_the_simple_models():
    recipe = joint_recipe(generator__warm_start=True, discriminator__warm_start=True)
    model, data = parted(["similarity"])
    known = data["similarity"].train.corpus.labels[: LABELED["similarity"]]
    assert set(known) == set(range(6))
    gan = JointGAN(model, data, recipe)
    skip = gan.players.generator.skip.weight_EIO[0]
    assert skip[:-1].any(dim=1).all()
    assert not skip[-1].any()  # the score
    assert gan.game.ridge_ET.item() > 0
    data["similarity"].train.corpus.labels[known.nonzero()] = 0
    with pytest.raises(InputError, match=r"no labelled row of class .*warm_start false"):
        JointGAN(model, data, recipe)


def test_the_best_update_has_its_players_back_with_all_they_remember():
    model, data = parted()
    gan = JointGAN(model, data, joint_recipe(discriminator__spectral_norm=True))
    loop = replace(LOOP, epochs=1, updates_per_epoch=6, evaluate_every=1, encoder_rate=3e-3)
    seen = {}

    def watch(done, _):
        generator, judge = gan.players.averaged_states()
        seen[done] = {
            n: v.clone() for n, v in (named("g.", generator) | named("d.", judge)).items()
        }

    best = train_multitask(model, data, loop, progress=watch, companion=gan).best_update
    assert best < 6
    watch(0, 0)
    assert_same_bits(seen[0], seen[best])
    assert any("left_E1I" in name and (seen[6][name] != seen[best][name]).any() for name in seen[6])


def test_batches_hold_labeled_rows_and_others_as_asked():
    trainer = joint_trainer(unlabeled=9)
    for name in NAMES:
        labels_B = trainer.parts(name)[0].batch.labels_B
        assert (labels_B[: LOOP.batch_size] >= 0).all()
        assert (labels_B[LOOP.batch_size :] == -1).all()
        assert len(labels_B) == LOOP.batch_size + 9
        assert LABELED[name] == int((trainer.data[name].train.corpus.labels >= 0).sum())


def test_where_a_task_has_no_head_the_class_head_answers():
    for name in ("sentiment", "similarity"):
        heads = {name: HeadSettings(kind="none", pair="cross")}
        trainer = joint_trainer(names=[name], heads=heads)
        assert list(trainer.advance()) == [f"{name}.class", SOURCE, "norm"]
        batch = trainer.parts(name)[0].batch
        trainer.model.eval()
        found = trainer.predict(name, batch)
        model = trainer.model
        vectors = trainer.companion._coordinates(model.encode(name, batch))
        share_BC = trainer.companion.players.judge(vectors).classes[0][0].softmax(-1)
        if name == "similarity":
            share_BC = share_BC.double() @ torch.arange(6.0, dtype=torch.float64)
        torch.testing.assert_close(found, share_BC)
