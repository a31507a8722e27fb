from pathlib import Path

import numpy as np
import pytest

import acgan_bert.parts as module
from acgan_bert.parts import read_parts
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply
from mtl.errors import InputError
from mtl.files import sha256


@pytest.fixture
def table(tmp_path):
    """Write a CSV of (text, label) rows; gives its path."""

    def write(name, rows):
        lines = [f"{text},{label}" for text, label in rows]
        path = tmp_path / name
        path.write_text("\n".join(["text,label", *lines]) + "\n")
        return str(path)

    return write


def rows(count, start=0):
    return [(f"sentence {number}", "ab"[number % 2]) for number in range(start, start + count)]


def read(**values):
    recipe = apply(Recipe(), {f"data.{key}": value for key, value in values.items()})
    return read_parts(recipe.data, seed=recipe.seed)


def ids_of(parts):
    return {name: set(ids) for name, ids in parts.split_json().items()}


def test_fractions_are_of_all_rows_and_the_parts_are_disjoint(table):
    parts = read(
        train=table("a.csv", rows(200)), dev_fraction=0.25, test_fraction=0.5, label_fraction=0.2
    )
    ids = ids_of(parts)
    assert [len(ids[name]) for name in ("test", "dev", "labeled", "unlabeled")] == [100, 50, 10, 40]
    assert len(set.union(*ids.values())) == 200


def test_held_out_rows_do_not_depend_on_the_label_draw(table):
    source = table("a.csv", rows(100))
    few, many = (
        ids_of(read(train=source, test_fraction=0.3, label_fraction=share)) for share in (0.1, 1)
    )
    assert few["test"] == many["test"]
    assert few["labeled"] < many["labeled"]


def test_labels_and_text_are_imbalanced_each_by_its_own_ratio(table):
    parts = read(
        train=table("a.csv", rows(200)),
        labels_per_class=20,
        label_imbalance=4,
        unlabeled_imbalance=0.5,
    )
    counts = [
        np.bincount(parts.train.labels[drawn])
        for drawn in (parts.split.labeled, parts.split.unlabeled)
    ]
    assert [count.tolist() for count in counts] == [[20, 5], [40, 95]]


def test_only_drawn_labels_are_visible(table):
    parts = read(train=table("a.csv", rows(40)), labels_per_class=2, unlabeled_fraction=0.5)
    visible = parts.visible()
    assert len(visible) == len(parts.rows()) == 4 + 18
    assert np.sum(visible >= 0) == 4
    shown = parts.rows()[visible >= 0]
    assert shown.tolist() == parts.split.labeled.tolist()
    assert visible[visible >= 0].tolist() == parts.train.labels[shown].tolist()


def test_parts_taken_from_the_training_source_are_rows_of_the_pool(table):
    source, other = table("a.csv", rows(40)), table("b.csv", rows(10, start=100))
    parts = read(train=source, dev=other, test_fraction=0.5)
    assert parts.taken == {"test"}
    for part in (parts.train, parts.test):
        again = parts.pool.select(parts.pool_rows(part))
        assert (again.ids, again.texts) == (part.ids, part.texts)
    assert parts.dev.source == other


def test_built_in_corpora_bring_their_parts_unless_a_fraction_is_asked_for():
    parts = read(train="demo:sentiment")
    assert parts.dev.source == parts.test.source == "demo:sentiment"
    assert not parts.taken
    ids = ids_of(parts)
    assert sum(map(len, ids.values())) == len(set.union(*ids.values()))
    asked = read(train="demo:sentiment", test_fraction=0.1)
    assert asked.taken == {"test"}
    assert len(asked.dev) == len(parts.dev)


def test_a_hub_source_without_labels_in_its_test_part_says_so(table, monkeypatch):
    local = {"train": table("a.csv", rows(20)), "dev": table("b.csv", rows(10, start=50))}
    read_corpus = module.read_corpus

    def from_hub(source, *, split="train", **rest):
        if split == "test":
            raise InputError(f"{source}: no row has a label; label some in column 'label'")
        return read_corpus(local[split], **rest)

    monkeypatch.setattr(module, "read_corpus", from_hub)
    parts = read(train="hub:somebody/something")
    assert len(parts.dev) == 10
    assert parts.test is None
    assert any("no test part: hub:somebody" in note for note in parts.notes)


def test_texts_shared_with_the_training_rows_are_counted(table):
    parts = read(
        train=table("a.csv", rows(20)),
        dev=table("b.csv", rows(8, start=50)),
        test=table("c.csv", rows(10, start=17)),
    )
    found = [note for note in parts.notes if "word for word" in note]
    assert len(found) == 1
    assert found[0].startswith("3 of 10 test rows")


def test_held_out_rows_without_a_label_are_left_out(table):
    test = table("b.csv", [*rows(4, start=50), ("no label", "")])
    parts = read(train=table("a.csv", rows(20)), test=test)
    assert len(parts.test) == 4
    assert (parts.test.labels >= 0).all()


def test_the_hash_is_of_the_file_and_of_the_rows_where_there_is_none(table):
    source = table("a.csv", rows(20))
    assert read(train=source).hashes["train"]["sha256"] == sha256(Path(source))
    first, again = read(train="demo:paraphrase"), read(train="demo:paraphrase")
    assert set(first.hashes) == {"train", "dev", "test"}
    assert first.hashes == again.hashes
    assert len({entry["sha256"] for entry in first.hashes.values()}) == 3


def test_an_unknown_label_in_the_test_part_is_a_mistake(table):
    test = table("b.csv", [("x", "a"), ("y", "c")])
    with pytest.raises(InputError, match=r"b\.csv.*'c'"):
        read(train=table("a.csv", rows(20)), test=test)
