"""Orders of tasks: exact shares, no state, and no set cut to the shortest."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl.errors import InputError
from mtl.schedules import KINDS, CircularRows, make_schedule

BATCHES = {"sentiment": 9, "paraphrase": 100, "similarity": 4}
PAIRS = (("sentiment", "paraphrase"), ("similarity", "paraphrase"))


def schedule_of(kind, batches=BATCHES, epochs=3, seed=0):
    return make_schedule(kind, batches, epochs, seed, PAIRS if kind == "pairs" else ())


def epoch_of(schedule, epoch):
    return [schedule.turn(epoch, index) for index in range(schedule.turns_per_epoch)]


def uses(turns):
    return Counter(task for turn in turns for task in turn)


@pytest.mark.parametrize("kind", KINDS)
def test_no_set_is_cut_to_the_shortest(kind):
    """Every batch of the largest set is used, except where the kind takes shares away from it."""
    counts = uses(epoch_of(schedule_of(kind), 0))
    assert counts.keys() == BATCHES.keys()
    for task, batches in BATCHES.items():
        assert counts[task] >= batches or (kind == "square-root" and task == "paraphrase")


@pytest.mark.parametrize("kind", KINDS)
def test_a_turn_depends_on_seed_epoch_and_index_alone(kind):
    turns = {
        (e, i): turn for e in range(3) for i, turn in enumerate(epoch_of(schedule_of(kind), e))
    }
    places = list(turns)
    random.Random(0).shuffle(places)
    again = schedule_of(kind)
    assert all(again.turn(*place) == turns[place] for place in places)


@pytest.mark.parametrize("kind", ["proportional", "square-root", "annealed"])
def test_sampled_kinds_differ_between_epochs_and_seeds(kind):
    first = epoch_of(schedule_of(kind), 0)
    assert first != epoch_of(schedule_of(kind), 1)
    assert first != epoch_of(schedule_of(kind, seed=1), 0)
    assert {len(turn) for turn in first} == {1}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_served_is_what_the_turns_before_used(kind):
    schedule = schedule_of(kind, {"sentiment": 2, "paraphrase": 5, "similarity": 1})
    before = [turn for epoch in (0, 1) for turn in epoch_of(schedule, epoch)]
    counts = uses([*before, *epoch_of(schedule, 2)[:3]])
    assert schedule.served(2, 3) == {task: counts[task] for task in schedule.batches}
    assert set(schedule.served(0, 0).values()) == {0}


def test_sequential_is_one_task_after_the_other():
    turns = epoch_of(schedule_of("sequential"), 1)
    assert turns == [(task,) for task, count in BATCHES.items() for _ in range(count)]


def test_round_robin_and_interleaved_hold_the_same_batches():
    robin, interleaved = schedule_of("round-robin"), schedule_of("interleaved")
    assert epoch_of(robin, 0)[:4] == [(task,) for task in (*BATCHES, "sentiment")]
    assert epoch_of(interleaved, 0) == [tuple(BATCHES)] * 100
    assert uses(epoch_of(robin, 0)) == uses(epoch_of(interleaved, 0))


def test_pairs_go_by_turns_until_every_set_is_passed_over():
    turns = epoch_of(schedule_of("pairs"), 0)
    assert turns == list(PAIRS) * 50  # 100 batches of paraphrase, two a round
    longer = schedule_of("pairs", {**BATCHES, "similarity": 80})
    assert longer.turns_per_epoch == 160


def test_proportional_is_every_batch_once():
    assert uses(epoch_of(schedule_of("proportional"), 2)) == BATCHES


def test_square_root_shares():
    counts = uses(epoch_of(schedule_of("square-root"), 0))
    roots = {task: count**0.5 for task, count in BATCHES.items()}
    for task, root in roots.items():
        assert abs(counts[task] - 113 * root / sum(roots.values())) < 1


def test_annealing_goes_from_proportional_to_the_power_of_a_fifth():
    """α = 1 - 0.8 (e - 1) / (E - 1), Stickland and Murray 2019."""
    schedule = schedule_of("annealed", epochs=5)
    for epoch in range(5):
        counts = uses(epoch_of(schedule, epoch))
        sizes = np.array(list(BATCHES.values())) ** (1 - 0.8 * epoch / 4)
        expected = 113 * sizes / sizes.sum()
        assert np.abs([counts[task] for task in BATCHES] - expected).max() < 1
    assert uses(epoch_of(schedule_of("annealed", epochs=1), 0)) == BATCHES


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=5),
    st.sampled_from(["proportional", "square-root", "annealed"]),
)
def test_no_task_is_left_out_of_an_epoch_and_the_shares_add_up(sizes, kind):
    batches = {f"task {number}": size for number, size in enumerate(sizes)}
    schedule = make_schedule(kind, batches, 2, 0)
    for epoch in (0, 1):
        counts = uses(epoch_of(schedule, epoch))
        assert counts.keys() == batches.keys()
        assert counts.total() == sum(sizes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shorter_epoch_has_the_same_shares(kind):
    schedule = make_schedule(kind, BATCHES, 2, 0, PAIRS if kind == "pairs" else (), turns=12)
    turns = epoch_of(schedule, 1)
    assert len(turns) == 12
    assert uses(turns).keys() == BATCHES.keys()
    if kind in ("sequential", "proportional"):
        assert uses(turns) == {"sentiment": 1, "paraphrase": 10, "similarity": 1}


def test_an_epoch_may_be_one_update_of_all_tasks():
    schedule = make_schedule("interleaved", BATCHES, 2, 0, turns=1)
    assert epoch_of(schedule, 1) == [tuple(BATCHES)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "round_robin"}, "did you mean 'round-robin'?"),
        ({"batches_per_epoch": {"a": 3, "b": 0}}, "task 'b' has 0 batches"),
        ({"batches_per_epoch": {}}, "there are 0 tasks and 1 epochs"),
        ({"epochs": 0}, "there are 2 tasks and 0 epochs"),
        (
            {"kind": "sequential", "turns": 1},
            "an epoch of 1 updates is too short for the order 'sequential' of these tasks; give 2",
        ),
        ({"kind": "pairs", "pairs": [("a", "b")] * 4, "turns": 3}, "give 4 or more, or 0 for"),
        ({"kind": "pairs"}, "'pairs' needs pairs of tasks"),
        ({"pairs": [("a", "b")]}, "'interleaved' takes no pairs"),
        ({"kind": "pairs", "pairs": [("a", "bb")]}, "no task 'bb'; did you mean 'b'?"),
        ({"kind": "pairs", "pairs": [("a", "a")]}, "give two different tasks"),
        (
            {
                "kind": "pairs",
                "pairs": [("a", "b")],
                "batches_per_epoch": {"a": 1, "b": 1, "c": 1},
            },
            "task 'c' is in no pair",
        ),
    ],
)
def test_a_mistake_is_one_line(change, message):
    usual = {"kind": "interleaved", "batches_per_epoch": {"a": 1, "b": 2}, "epochs": 1, "seed": 0}
    with pytest.raises(InputError) as found:
        make_schedule(**{**usual, **change})
    assert message in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(("epoch", "index"), [(0, 113), (0, -1), (3, 0), (-1, 0)])
def test_there_is_no_turn_outside_the_epochs(epoch, index):
    with pytest.raises(IndexError):
        schedule_of("proportional").turn(epoch, index)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 3))
def test_every_row_is_seen_once_a_pass(rows, batch_size, seed):
    circular = CircularRows(rows, batch_size, seed)
    batches = [circular.batch(index) for index in range(3 * circular.batches_per_epoch)]
    assert {batch.shape for batch in batches} == {(batch_size,)}
    seen = np.concatenate(batches)
    for start in range(0, len(seen) - rows + 1, rows):
        assert sorted(seen[start : start + rows]) == list(range(rows))


def test_a_batch_is_a_pure_function_of_its_number():
    circular = CircularRows(rows=1000, batch_size=32, seed=4)
    far = circular.batch(12_345)
    circular.batch(0)
    assert np.array_equal(CircularRows(1000, 32, 4).batch(12_345), far)
    assert not np.array_equal(circular.batch(0), CircularRows(1000, 32, 5).batch(0))


def test_passes_have_orders_of_their_own():
    circular = CircularRows(rows=50, batch_size=50, seed=0)
    assert not np.array_equal(circular.batch(0), circular.batch(1))


@pytest.mark.parametrize("sizes", [(0, 8), (8, 0)])
def test_rows_and_batches_must_exist(sizes):
    with pytest.raises(InputError, match="give 1 or more of each"):
        CircularRows(*sizes, seed=0)
