import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import acgan_bert
from acgan_bert import warm_start
from acgan_bert.estimator import ACGANBertClassifier
from acgan_bert.estimator_input import encode_labels, is_text
from mtl.errors import InputError
from tests.acgan_bert.small_classifier import LABELS, NAMES, TRUTH, X, classifier


@pytest.fixture(scope="module", autouse=True)
def _one_penalty():
    """Weigh one penalty, not four: nearly all of a small fit's time, and no matter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm_start, "STRENGTHS", (3.0,))
        yield


@pytest.fixture(scope="module")
def fitted():
    return classifier(members=2).fit(X, LABELS)


def test_scikit_learns_checks_pass():
    check_estimator(
        classifier(),
        expected_failed_checks={
            "check_classifiers_classes": "-1 marks unlabelled rows, as in sklearn.semi_supervised"
        },
        on_skip=None,
    )


def test_clone_and_parameters():
    original = classifier(generator_depth=3, recipe="gan-bert")
    copied = clone(original)
    assert copied.get_params() == original.get_params()
    assert copied.set_params(steps=7).steps == 7
    assert not hasattr(copied, "model_")
    assert acgan_bert.ACGANBertClassifier is ACGANBertClassifier


def test_fit_learns_from_two_labels_a_class(fitted):
    assert fitted.score(X, TRUTH) > 0.95
    assert fitted.n_features_in_ == 6
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1.0)
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[probabilities.argmax(1)])


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_predict_and_sample_the_same(fitted, copier):
    copied = copier(fitted)
    np.testing.assert_array_equal(copied.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(copied.sample(1, 4), fitted.sample(1, 4))


def test_pipeline_and_grid_search_over_a_matrix():
    pipeline = make_pipeline(StandardScaler(), classifier())
    grid = {"acganbertclassifier__generator_depth": np.array([1, 2])}  # NumPy's own integers
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, NAMES)
    assert search.best_score_ > 0.9
    assert set(search.predict(X)) == {"down", "up"}


def test_table_with_named_columns_is_a_matrix():
    """The names of its columns were taken for texts."""
    table = pd.DataFrame(X, columns=list("abcdef"))
    assert not is_text(table)
    named = classifier().fit(table, LABELS)
    assert named.feature_names_in_.tolist() == list("abcdef")
    plain = classifier().fit(X, LABELS)
    np.testing.assert_array_equal(named.predict(table), plain.predict(X))


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.where(LABELS < 0, -1, 10 + 7 * LABELS), [10, 17]),  # gaps between integers
        (["down" if v == 0 else "up" if v == 1 else None for v in LABELS], ["down", "up"]),
        (["down" if v == 0 else "up" if v == 1 else "" for v in LABELS], ["down", "up"]),
        (["down" if v == 0 else "up" if v == 1 else -1 for v in LABELS], ["down", "up"]),
        (np.where(LABELS < 0, np.nan, LABELS), [0.0, 1.0]),
        (pd.Series(LABELS, index=range(100, 140)), [0, 1]),
        (pd.Series(LABELS, dtype="Int64").where(LABELS >= 0), [0, 1]),
        ([None if v < 0 else bool(v) for v in LABELS], [False, True]),
    ],
)
def test_labels_of_any_kind_and_all_marks_of_unlabelled(fitted, y, classes):
    indices, found = encode_labels(y, count=40)
    np.testing.assert_array_equal(indices, LABELS)
    assert found.tolist() == classes
    other = classifier(members=2).fit(X, y)
    np.testing.assert_array_equal(other.predict_proba(X), fitted.predict_proba(X))
    assert set(other.predict(X)) == set(classes)


def test_unlabelled_rows_take_part():
    known = LABELS >= 0
    alone = classifier().fit(X[known], LABELS[known]).predict_proba(X)
    assert not np.array_equal(alone, classifier().fit(X, LABELS).predict_proba(X))


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(3)])
def test_samples_stay_the_same_whatever_the_random_state(random_state):
    """Each call drew a new seed from the stream."""
    model = classifier(random_state=random_state).fit(X, LABELS)
    np.testing.assert_array_equal(model.sample(0, 3), model.sample(0, 3))
    assert model.sample(0, 3).shape == (3, 6)


def test_same_state_same_classifier():
    first, again, other = (classifier(random_state=seed).fit(X, LABELS) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))
    assert not np.array_equal(first.sample(1, 3), other.sample(1, 3))


@pytest.mark.parametrize("random_state", [0, np.int64(4), None])
def test_saved_matrix_classifier_is_the_same_and_holds_no_pickle(tmp_path, random_state):
    model = classifier(random_state=random_state).fit(X, NAMES)
    model.save(tmp_path / "saved")
    loaded = ACGANBertClassifier.load(tmp_path / "saved")
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert names == {"model.safetensors", "config.json", "checksums.json", "estimator.json"}
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.sample("up", 3), model.sample("up", 3))
    assert loaded.n_features_in_ == 6
    assert loaded.get_params() == model.get_params()


def test_a_matrix_cannot_be_trained_along_with_tasks():
    with pytest.raises(InputError, match="tasks: they are trained along with an encoder"):
        classifier(tasks={"paraphrase": "x.csv"}).fit(X, LABELS)


def test_folder_without_a_whole_classifier_is_refused(fitted, tmp_path):
    with pytest.raises(InputError, match="not a model directory"):
        ACGANBertClassifier.load(tmp_path)
    for content in (None, "{", json.dumps({"parameters": {"depth": 1}}), "[]"):
        fitted.save(tmp_path / "saved")
        settings = tmp_path / "saved" / "estimator.json"
        settings.unlink() if content is None else settings.write_text(content)
        with pytest.raises(InputError, match=r"estimator\.json is missing or damaged"):
            ACGANBertClassifier.load(tmp_path / "saved")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "save", "sample"])
def test_nothing_goes_before_fit(method, tmp_path):
    arguments = {"sample": (0, 3), "save": (tmp_path / "saved",)}.get(method, (X,))
    with pytest.raises(NotFittedError):
        getattr(classifier(), method)(*arguments)


@pytest.mark.parametrize(
    ("X_given", "y", "message"),
    [
        (X, None, "requires y to be passed"),
        (X, LABELS[:9], "9 labels for 40 rows"),
        (X, np.full(40, -1), "no labelled row"),
        (X, np.zeros(40, dtype=int), r"one class only \(0\)"),
        (X, np.where(TRUTH == 0, "down", ""), r"one class only \('down'\)"),
        (X, np.full(40, np.inf), "contains infinity"),
        (np.where(X[3, 2] == X, np.nan, X), LABELS, "contains NaN"),
        (X[0], LABELS, "Expected 2D array"),
        ("one sentence", ["a"], "one string was given; a list of strings"),
        (["fine", None], ["a", "b"], "row 1 is None; every row must be a string"),
    ],
)
def test_input_that_cannot_be_fitted_says_why(X_given, y, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(X_given, y)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "defualt"}, "defualt"),
        ({"generator_depth": 0}, "generator.depth: found 0"),
        ({"members": 0}, "training.members: found 0"),
        ({"random_state": -1}, "seed: found -1"),
    ],
)
def test_parameter_out_of_range_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        classifier(**changes).fit(X, LABELS)


def test_sample_of_an_unknown_class_names_those_known(fitted):
    with pytest.raises(InputError, match="label: 'up' is not a class of this model; known: 0, 1"):
        fitted.sample("up", 3)


def test_matrix_of_another_width_is_refused(fitted):
    with pytest.raises(
        ValueError, match="X has 5 features, but ACGANBertClassifier is expecting 6"
    ):
        fitted.predict(X[:, :5])
