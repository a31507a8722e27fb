"""Draws: stratified, at least one a class, nested in the share, deterministic, disjoint."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl.errors import InputError
from mtl.text.data import Corpus
from mtl.text.splits import draw_labels, set_aside
from mtl.text.tasks import Task

some_labels = st.lists(st.integers(-1, 3), min_size=4, max_size=60).filter(
    lambda labels: len(set(labels) - {-1}) > 1
)
shares = st.floats(0.01, 1.0)
seeds = st.integers(0, 9)


@given(some_labels, shares, seeds)
def test_every_class_gives_its_rounded_share_and_at_least_one(labels, fraction, seed):
    split = draw_labels(labels, fraction=fraction, seed=seed)
    array = np.array(labels)
    for index in set(labels) - {-1}:
        drawn = int((array[split.labeled] == index).sum())
        assert drawn == max(1, round(fraction * labels.count(index)))
    assert (array[split.labeled] >= 0).all()


@given(some_labels, shares, shares, seeds)
def test_a_larger_share_holds_the_smaller_draw(labels, one, other, seed):
    small = draw_labels(labels, fraction=min(one, other), seed=seed)
    large = draw_labels(labels, fraction=max(one, other), seed=seed)
    assert set(small.labeled) <= set(large.labeled)
    few = draw_labels(labels, fraction=0.5, unlabeled_fraction=min(one, other), seed=seed)
    many = draw_labels(labels, fraction=0.5, unlabeled_fraction=max(one, other), seed=seed)
    assert set(few.unlabeled) <= set(many.unlabeled)


@given(some_labels, shares, seeds)
def test_the_rows_are_parted_into_sorted_halves(labels, fraction, seed):
    split = draw_labels(labels, fraction=fraction, seed=seed)
    both = np.concatenate([split.labeled, split.unlabeled])
    assert sorted(both.tolist()) == list(range(len(labels)))
    assert (np.diff(split.labeled) > 0).all()
    assert (np.diff(split.unlabeled) > 0).all()


def test_same_seed_same_draw_and_another_seed_another():
    labels = np.arange(1000) % 4
    draws = [draw_labels(labels, fraction=0.1, seed=seed).labeled.tolist() for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


def test_per_class_and_unlabeled_share_are_counted():
    labels = np.array([0] * 50 + [1] * 20 + [-1] * 30)
    split = draw_labels(labels, per_class=8, unlabeled_fraction=0.5, seed=0)
    assert np.bincount(labels[split.labeled]).tolist() == [8, 8]
    assert len(split.unlabeled) == 42
    assert draw_labels(labels, unlabeled_fraction=0.0, seed=0).unlabeled.size == 0
    assert set(draw_labels(labels, seed=0).unlabeled) == set(range(70, 100))


def counts_of(labels, rows):
    return np.bincount(labels[rows], minlength=3).tolist()


def test_imbalance_is_a_geometric_series_of_what_was_drawn():
    labels = np.arange(1200) % 3
    long = draw_labels(labels, per_class=100, imbalance=16, unlabeled_imbalance=0.25, seed=0)
    assert counts_of(labels, long.labeled) == [100, 25, 6]
    # What is not labelled is unlabelled: 300, 375 and 394 rows, of which 1/4, 1/2 and all stay.
    assert counts_of(labels, long.unlabeled) == [75, 188, 394]
    least = draw_labels(labels, per_class=2, imbalance=1000, seed=0)
    assert counts_of(labels, least.labeled) == [2, 1, 1]


@given(some_labels, st.floats(1.0, 50.0), st.floats(1.0, 50.0), seeds)
def test_imbalanced_draws_nest_and_spare_rows_without_a_class(labels, one, other, seed):
    mild, hard = sorted((one, other))
    splits = [
        draw_labels(labels, fraction=0.5, imbalance=3, unlabeled_imbalance=ratio, seed=seed)
        for ratio in (mild, hard)
    ]
    assert set(splits[1].unlabeled) <= set(splits[0].unlabeled)
    unknown = np.flatnonzero(np.array(labels) < 0)
    assert set(unknown) <= set(splits[1].unlabeled)
    balanced = draw_labels(labels, fraction=0.5, seed=seed)
    assert set(splits[0].labeled) <= set(balanced.labeled)


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        ([0, 1], {"fraction": 0.0}, ["label_fraction", "0"]),
        ([0, 1], {"fraction": 1.5}, ["label_fraction", "1.5"]),
        ([0, 1], {"fraction": float("nan")}, ["label_fraction", "nan"]),
        ([0, 1], {"unlabeled_fraction": -0.1}, ["unlabeled_fraction", "-0.1"]),
        ([0, 1], {"imbalance": 0.0}, ["label_imbalance is 0"]),
        ([0, 1], {"unlabeled_imbalance": float("inf")}, ["unlabeled_imbalance is inf"]),
        ([0, 1], {"per_class": -2}, ["labels_per_class", "-2"]),
        ([0, 0, 0, 1, 1], {"per_class": 3}, ["labels_per_class is 3", "'good'", "2 labelled rows"]),
        ([-1, -1], {}, ["no row is labelled"]),
        ([1, -1, 1], {}, ["one class", "'good'"]),
        ([0, 1], {"seed": -1}, ["seed is -1"]),
    ],
)
def test_each_impossible_draw_is_named(labels, options, words):
    with pytest.raises(InputError) as caught:
        draw_labels(labels, **{"seed": 0, "classes": ("bad", "good"), **options})
    for word in words:
        assert word in str(caught.value)


def corpus_of(labels):
    ids = tuple(str(row) for row in range(len(labels)))
    task = Task(name="t", arity=1, output="classes", classes=("a", "b", "c", "d"))
    return Corpus(task, "here", ids, ids, None, np.array(labels, dtype=np.int64), None)


@given(some_labels, st.floats(0.01, 0.99), seeds)
def test_setting_aside_parts_the_rows_and_leaves_every_class(labels, fraction, seed):
    if max(labels.count(index) for index in range(4)) == 1:
        return
    rest, part = set_aside(corpus_of(labels), fraction=fraction, seed=seed)
    assert sorted(map(int, rest.ids + part.ids)) == list(range(len(labels)))
    assert part.labels.min() >= 0
    assert set(rest.labels) - {-1} == set(labels) - {-1}


def test_setting_aside_is_stratified():
    rest, part = set_aside(corpus_of([0] * 100 + [1] * 50 + [-1] * 7), fraction=0.2, seed=1)
    assert np.bincount(part.labels).tolist() == [20, 10]
    assert len(rest) == 127


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_setting_all_or_nothing_aside_is_refused(fraction):
    with pytest.raises(InputError, match="fraction"):
        set_aside(corpus_of([0, 0, 1, 1]), fraction=fraction, seed=0)


def test_single_rows_cannot_be_set_aside():
    with pytest.raises(InputError, match="here: every class has a single row"):
        set_aside(corpus_of([0, 1]), fraction=0.5, seed=0)
