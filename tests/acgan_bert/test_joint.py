"""The game beside the multitask BERT: who learns from what, and what a checkpoint brings back."""

from types import SimpleNamespace

import pytest
import torch

from acgan_bert.joint import SOURCE
from mtl.errors import DivergenceError, InputError
from tests.acgan_bert.toy_joint import (
    QUIET,
    joint_recipe,
    joint_trainer,
    round_of,
)
from tests.mtl.test_surgery import pcgrad_vectors
from tests.mtl.toy_multitask import NAMES, PAIRS
from tests.properties import assert_no_gradient, assert_same_bits, snapshot

OBJECTIVES = [*NAMES, SOURCE, *(f"{name}.class" for name in NAMES)]


def gradients_of(players):
    return {name: p.grad.clone() for name, p in players.named_parameters() if p.grad is not None}


def turn_of(trainer):
    return {name: trainer.parts(name) for name in NAMES}


def slopes(loss, parameters):
    """Return a loss's gradient by parameter as autograd gives it, None where there is none."""
    return torch.autograd.grad(loss, list(parameters), allow_unused=True, retain_graph=True)


def flat(gradients, parameters):
    both = zip(gradients, parameters, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in both])


def own_gradients(trainer, parameters):
    """Return the flat gradient of each objective of a whole turn, (T, P), by autograd alone."""
    total = {name: torch.zeros(sum(p.numel() for p in parameters)) for name in OBJECTIVES}
    trainer.model.train()
    trainer.companion.begin()
    for task, parts in turn_of(trainer).items():
        for part in parts:
            for name, loss in trainer.step.losses[task](part).items():
                total[name] += flat(slopes(loss, parameters), parameters)
    return torch.stack([total[name] for name in OBJECTIVES])


def test_generator_learns_by_itself_and_reaches_nobody_else():
    trainer = joint_trainer(joint_recipe(objective__mode_seeking=0.1))
    for task in NAMES:
        round_of(trainer, task)
        gan = trainer.companion
        assert_no_gradient(trainer.model, gan.players.discriminator)
        assert len(gradients_of(gan.players.generator)) == len(
            [*gan.players.generator.parameters()]
        )
        assert all(
            g.any() for n, g in gradients_of(gan.players.generator).items() if "skip" not in n
        )


@pytest.mark.parametrize("surgery", ["sum", "pcgrad"])
def test_losses_of_the_discriminator_leave_the_generator_alone(surgery):
    trainer = joint_trainer(loop={"surgery": surgery})
    start = trainer.state()
    trainer.companion.begin()
    trainer.model.train()
    for task, parts in turn_of(trainer).items():
        trainer.step.losses[task](parts[0])
    alone = gradients_of(trainer.companion.players.generator)
    trainer.load_state(start)
    trainer.step.gradients(turn_of(trainer))
    assert_same_bits(gradients_of(trainer.companion.players.generator), alone)
    assert gradients_of(trainer.companion.players.discriminator)


@pytest.mark.parametrize("name", ["hinge", "gan-bert", "adc-gan"])
def test_fakes_never_reach_the_encoder(name):
    """Other fakes give other losses, and bit for bit the same gradients of the encoder."""
    trainer = joint_trainer(joint_recipe(objective__name=name))
    start, found = trainer.state(), []
    for scale in (1.0, -3.0):
        trainer.load_state(start)
        with torch.no_grad():
            for parameter in trainer.companion.players.generator.parameters():
                parameter.mul_(scale)
        losses = round_of(trainer)
        by_loss = {n: slopes(losses[n], trainer.step.shared) for n in (SOURCE, "sentiment.class")}
        found.append((losses, by_loss))
    (losses, first), (others, second) = found
    for objective in first:
        assert losses[objective] != others[objective]
        assert any(gradient is not None and gradient.any() for gradient in first[objective])
        for one, other in zip(first[objective], second[objective], strict=True):
            assert one is other is None or torch.equal(one, other)


@pytest.mark.parametrize("name", ["hinge", "ac-gan", "gan-bert", "tac-gan", "adc-gan", "reac-gan"])
def test_rows_of_a_task_teach_no_class_head_of_another(name):
    trainer = joint_trainer(joint_recipe(objective__name=name, objective__feature_matching=0))
    losses = round_of(trainer, "paraphrase")
    judge, place = trainer.companion.players.discriminator, NAMES.index("paraphrase")
    total = losses[SOURCE] + losses["paraphrase.class"]
    for family in filter(None, (judge.heads, judge.skips, judge.rivals)):
        reached = [
            any(g is not None and bool(g.any()) for g in slopes(total, head.parameters()))
            for head in family
        ]
        assert reached == [number == place for number in range(len(NAMES))]


def test_without_surgery_the_gradient_is_that_of_the_total():
    trainer = joint_trainer(loop={"accumulation": 2})
    start, parameters = trainer.state(), [*trainer.step.shared, *trainer.step.own]
    parameters += trainer.companion.parameters
    expected = own_gradients(trainer, parameters).sum(0)
    trainer.load_state(start)
    trainer.step.gradients(turn_of(trainer))
    found = flat([p.grad for p in parameters], parameters)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def test_surgery_is_pcgrad_on_the_gradients_of_the_objectives():
    """Tasks, source and classes each; heads and discriminator keep the plain sum."""
    trainer = joint_trainer(loop={"surgery": "pcgrad", "accumulation": 2})
    assert trainer.step.objectives == OBJECTIVES
    start, shared = trainer.state(), trainer.step.shared
    own = [*trainer.step.own, *trainer.companion.parameters]
    plain_TP = own_gradients(trainer, own).sum(0)
    trainer.load_state(start)
    apart_TP = own_gradients(trainer, shared)
    assert all(row.any() for row in apart_TP)
    generator = torch.Generator()
    generator.set_state(start["surgery.generator"].clone())
    expected = torch.from_numpy(pcgrad_vectors(apart_TP.double().numpy(), generator)).float()
    assert (expected - apart_TP.sum(0)).norm() > 1e-2 * expected.norm()  # there is a conflict
    trainer.load_state(start)
    trainer.step.gradients(turn_of(trainer))
    found = flat([p.grad for p in shared], shared)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    kept = flat([p.grad for p in own], own)
    torch.testing.assert_close(kept, plain_TP, rtol=0, atol=1e-5 * float(plain_TP.abs().max()))


@pytest.mark.parametrize(
    ("changes", "loop"),
    [
        (
            {"joint__encoder_ema": 0.5, "semisupervised__warmup_steps": 1},
            {"surgery": "pcgrad", "order": "pairs", "pairs": PAIRS, "accumulation": 2},
        ),
        ({"discriminator__spectral_norm": True, "generator__ema": 0, "discriminator__ema": 0}, {}),
    ],
    ids=["averaged encoder", "no averages"],
)
def test_going_on_from_any_update_gives_the_same_bits(changes, loop):
    recipe, settings = joint_recipe(**changes), {"loop": loop, "dropout": True}
    whole = joint_trainer(recipe, **settings)
    saved = {}
    for number in range(whole.updates):
        saved[number] = whole.state()
        whole.advance()
    final, taken = whole.state(), whole.companion.take()
    for key in ("guesses.sentiment", "streams.now", "players.generator.output.weight_EIO"):
        assert not torch.equal(saved[0][f"companion.{key}"], final[f"companion.{key}"])
    resumed = joint_trainer(recipe, **settings)
    for number, state in reversed(saved.items()):  # what it did before must not matter
        resumed.load_state(state)
        assert resumed.update_number == number
        while resumed.update_number < resumed.updates:
            resumed.advance()
        assert_same_bits(resumed.state(), final)
        assert resumed.companion.take() == taken


@pytest.mark.parametrize("accumulation", [2, 4])
def test_micro_batches_add_up_to_the_batch_for_what_labels_teach(accumulation):
    recipe = joint_recipe(
        objective__class_fake=0,
        semisupervised__pseudo_labels=0,
        **{key.replace(".", "__"): value for key, value in QUIET.items()},
    )
    found = []
    for parts in (1, accumulation):
        trainer = joint_trainer(recipe, loop={"accumulation": parts, "batch_size": 7})
        losses = trainer.step.gradients(turn_of(trainer))
        heads = {n: g for n, g in gradients_of(trainer.model).items() if n.startswith("heads.")}
        found.append(heads | {n: v for n, v in losses.items() if n != SOURCE})
    assert found[0].keys() == found[1].keys()
    for key, value in found[0].items():
        torch.testing.assert_close(found[1][key], value, rtol=1e-4, atol=1e-6, msg=key)


def test_averaged_encoder_is_the_average_of_what_the_encoder_was():
    trainer = joint_trainer(joint_recipe(joint__encoder_ema=0.75))
    seen = []
    for _ in range(3):
        seen.append({n: p.detach().clone() for n, p in trainer.model.named_parameters()})
        trainer.advance()
    del seen[0]
    start = joint_trainer(joint_recipe()).model
    expected = {n: p.detach().clone() for n, p in start.named_parameters()}
    for weights in (*seen, dict(trainer.model.named_parameters())):
        expected = {n: 0.75 * value + 0.25 * weights[n] for n, value in expected.items()}
    found = dict(trainer.companion.teacher.named_parameters())
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-7, msg=name)


def test_with_an_averaged_encoder_the_source_moves_the_encoder_by_exactly_nothing():
    trainer = joint_trainer(joint_recipe(joint__encoder_ema=0.9))
    losses = round_of(trainer)
    shared = trainer.step.shared
    assert all(gradient is None for gradient in slopes(losses[SOURCE], shared))
    assert any(g is not None and g.any() for g in slopes(losses["sentiment.class"], shared))
    judge = trainer.companion.players.discriminator.source
    assert all(g.any() for g in slopes(losses[SOURCE], judge.parameters()))


def broken_judge(trainer):
    with torch.no_grad():
        trainer.companion.players.discriminator.source.bias_E1O.fill_(torch.nan)


def broken_generator(trainer):
    with torch.no_grad():
        trainer.companion.players.generator.output.bias_E1O.fill_(torch.inf)


def long(trainer):
    """Let the generator's gradient alone be longer than it may be."""
    players = trainer.companion.players
    players.recipe = joint_recipe(training__divergence_norm=1e-9)
    players.optimizers[0].gradient_norm = lambda: torch.zeros(1)


@pytest.mark.parametrize(
    ("changes", "damage", "said"),
    [
        ({"joint__encoder_ema": 0.9}, broken_judge, "the loss .* is not finite"),
        ({"joint__encoder_ema": 0.9}, broken_generator, "the loss .* is not finite"),
        ({}, long, "the norm of the generator's gradient is .*, the most is 1e-09"),
    ],
)
def test_divergence_of_the_game_changes_nothing(changes, damage, said):
    trainer = joint_trainer(joint_recipe(**changes))
    trainer.advance()
    damage(trainer)
    model, players = snapshot(trainer.model), trainer.companion.players
    before = {name: value.clone() for name, value in players.state().items()}
    with pytest.raises(DivergenceError, match=f"diverged at update 2: .*{said}"):
        trainer.advance()
    assert_same_bits(trainer.model.state_dict(), model)
    for name, value in players.state().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True, msg=name)
    assert trainer.update_number == 1


@pytest.mark.parametrize(
    "changes", [{"objective__name": "moment-matching"}, {"objective__adversarial": 0}]
)
def test_without_an_adversary_there_is_no_source_loss(changes):
    trainer = joint_trainer(joint_recipe(**changes), loop={"surgery": "pcgrad"})
    losses = trainer.advance()
    assert SOURCE not in losses
    assert {"sentiment", "sentiment.class"} <= set(losses)
    assert trainer.companion.take()["loss_generator"] > 0


def test_float16_is_refused_beside_the_gan():
    with pytest.raises(InputError, match=r"multitask\.precision: fp16 scales losses up.*use bf16"):
        joint_trainer(loop={"precision": "fp16"})


def test_several_processes_are_refused_beside_the_gan(monkeypatch):
    two = SimpleNamespace(device=torch.device("cpu"), num_processes=2, process_index=0)
    monkeypatch.setattr("mtl.trainer.join_processes", lambda: two)
    with pytest.raises(InputError, match="2 processes: the GAN beside the model trains in one"):
        joint_trainer()
