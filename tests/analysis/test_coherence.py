"""Classes and words around fakes: counted by hand, by scikit-learn, and on what must be equal."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from analysis import label_agreement, nearest_real, topic_words


def blobs(seed, rows, classes=3, distance=8.0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    return rng.normal(size=(rows, 6)) + distance * np.eye(classes, 6)[labels], labels


def test_agreement_and_floor_equal_scikit_learns_neighbors():
    real, real_y = blobs(0, 90, distance=1.5)
    fake, fake_y = blobs(1, 60, distance=1.5)
    found = label_agreement(fake, fake_y, real, real_y, k=7).set_index("class")
    model = NearestNeighbors(n_neighbors=7).fit(real)
    shares = (real_y[model.kneighbors(fake)[1]] == fake_y[:, None]).mean(axis=1)
    floors = (real_y[model.kneighbors()[1]] == real_y[:, None]).mean(axis=1)  # self is left out
    assert found.index.tolist() == [0, 1, 2, "overall"]
    for label in range(3):
        assert found.loc[label, "agreement"] == pytest.approx(shares[fake_y == label].mean())
        assert found.loc[label, "floor"] == pytest.approx(floors[real_y == label].mean())
        assert found.loc[label, "chance"] == pytest.approx(1 / 3)
    whole = found.loc["overall"]
    assert whole["agreement"] == pytest.approx(shares.mean())
    assert whole["low"] < whole["agreement"] < whole["high"]
    assert whole["fakes"] == 60


def test_swapped_classes_agree_with_nobody_and_real_rows_as_the_floor_says():
    real, real_y = blobs(0, 90)
    fake, fake_y = blobs(1, 90)
    swapped = label_agreement(fake, (fake_y + 1) % 3, real, real_y)
    assert swapped["agreement"].max() < 0.05
    assert swapped["floor"].min() > 0.95
    same = label_agreement(fake, fake_y, real, real_y)
    assert (same["low"] <= same["floor"]).all()


def test_classes_without_fakes_or_real_rows_and_equal_rows():
    """Of equal rows each is the nearest of all others, and never its own neighbor."""
    found = label_agreement(np.ones((4, 2)), ["b"] * 4, np.ones((6, 2)), ["a"] * 6, k=2)
    found = found.set_index("class")
    assert found.loc["b", "agreement"] == 0.0
    assert np.isnan(found.loc["b", "floor"])
    assert np.isnan(found.loc["a", "agreement"])
    assert found.loc["a", "floor"] == 1.0


TEXTS = ["The plot is dull and the end is dull", "The plot is a delight", "Tom's play"]


def test_topic_words_are_the_formula_and_words_of_all_classes_fall_out():
    found = topic_words(TEXTS, [[0], [1], [1]], ["bad", "good", "good"], words=9)
    rows = {(row["class"], row["word"]): row for row in found.to_dict("records")}
    # bad: 9 words, dull twice; good: 4 words of two letters or more; A = 6.5
    assert rows["bad", "dull"]["weight"] == pytest.approx(2 / 9 * np.log1p(6.5 / 2))
    assert rows["bad", "dull"]["sentences"] == 1
    assert rows["good", "delight"]["weight"] == pytest.approx(1 / 4 * np.log1p(6.5 / 1))
    assert found[found["class"] == "bad"]["word"].iloc[0] == "dull"
    # "the" is 2 of 9 words here and 1 of 4 there: it sets apart the class that has more of it.
    assert ("bad", "the") not in rows
    assert rows["good", "the"]["weight"] < rows["good", "delight"]["weight"]


def test_a_sentence_counts_once_a_class_and_one_class_has_nothing_to_be_apart_from():
    once = topic_words(TEXTS, [[0], [1]], [0, 1])
    often = topic_words(TEXTS, [[0]] * 5 + [[1]] * 2, [0] * 5 + [1] * 2)
    assert once.equals(often)
    alone = topic_words(TEXTS, [[2]], [0])
    assert alone["word"].tolist() == ["play", "tom's"]  # against no words at all
    assert topic_words(["", "1 2"], [[0], [1]], [0, 1]).empty
    assert topic_words(["é à", "ça va"], [[1], [1]], [0, 1]).empty  # the same words


def test_words_of_the_neighborhood_come_from_the_nearest_sentences():
    real, real_y = blobs(0, 30, classes=2)
    words = (["gloomy", "grey"], ["sunny", "bright"])
    texts = [f"a {words[y][row // 2 % 2]} film" for row, y in enumerate(real_y)]
    fake, fake_y = blobs(1, 20, classes=2)
    found = topic_words(texts, nearest_real(fake, real, k=3)[0], fake_y)
    for label in (0, 1):
        assert set(found[found["class"] == label]["word"]) == set(words[label])


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"k: found 3 with real of shape \(3, 3\); want 1 to 2"):
        label_agreement(np.eye(3), [0] * 3, np.eye(3), [0] * 3, k=3)
    with pytest.raises(ValueError, match=r"fake_labels: found shape \(2,\)"):
        label_agreement(np.eye(3), [0] * 2, np.eye(3), [0] * 3, k=1)
    with pytest.raises(ValueError, match="neighbors: found indices 0 to 3; want 0 to 2"):
        topic_words(TEXTS, [[0], [3]], [0, 1])
    with pytest.raises(ValueError, match="neighbors: found float64"):
        topic_words(TEXTS, [[0.5]], [0])
