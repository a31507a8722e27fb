import copy
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

from acgan_bert import warm_start
from acgan_bert.estimator import ACGANBertClassifier
from mtl.bert.toy import write_toy
from mtl.errors import InputError
from tests.acgan_bert.small_classifier import LABELS, NAMES, TEXTS, X, classifier


@pytest.fixture(scope="module", autouse=True)
def _one_penalty():
    """Weigh one penalty, not four: nearly all of a small fit's time, and no matter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm_start, "STRENGTHS", (3.0,))
        yield


@pytest.fixture(scope="module")
def fitted_on_text(encoder_folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACGAN_BERT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return classifier(encoder=str(encoder_folder)).fit(TEXTS, NAMES.tolist())


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_of_a_text_classifier_open_their_encoder_again(fitted_on_text, copier):
    copied = copier(fitted_on_text)
    assert "encoder_" not in vars(copied)
    np.testing.assert_array_equal(
        copied.predict_proba(TEXTS[:3]), fitted_on_text.predict_proba(TEXTS[:3])
    )


def test_grid_search_and_cross_validation_over_texts(encoder_folder):
    search = GridSearchCV(
        classifier(encoder=str(encoder_folder)),
        {"generator_depth": [1, 2]},
        cv=2,
        error_score="raise",
    ).fit(TEXTS, NAMES.tolist())
    assert len(search.cv_results_["mean_test_score"]) == 2
    scores = cross_val_score(classifier(encoder=str(encoder_folder)), TEXTS, NAMES, cv=2)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("texts", [TEXTS, tuple(TEXTS), np.array(TEXTS), pd.Series(TEXTS)])
def test_texts_come_in_any_sequence(encoder_folder, fitted_on_text, texts):
    found = fitted_on_text.predict(texts)
    np.testing.assert_array_equal(found, fitted_on_text.predict(TEXTS))
    assert set(found) <= {"down", "up"}


def test_classifier_remembers_what_it_was_fitted_on(fitted_on_text):
    with pytest.raises(InputError, match=r"fitted on an \(N, D\) matrix"):
        classifier().fit(X, LABELS).predict(TEXTS)
    with pytest.raises(InputError, match="fitted on texts"):
        fitted_on_text.predict(X)
    assert not hasattr(fitted_on_text, "n_features_in_")


def test_saved_text_classifier_is_the_same(fitted_on_text, tmp_path):
    fitted_on_text.save(tmp_path / "saved")
    loaded = ACGANBertClassifier.load(str(tmp_path / "saved"))
    np.testing.assert_array_equal(
        loaded.predict_proba(TEXTS[:5]), fitted_on_text.predict_proba(TEXTS[:5])
    )


def test_saved_text_classifier_knows_its_encoder(fitted_on_text, tmp_path):
    """Another encoder of the same width was used without a word."""
    write_toy(tmp_path / "mine", seed=0)
    own = classifier(encoder=str(tmp_path / "mine")).fit(TEXTS, NAMES.tolist())
    own.save(tmp_path / "saved")
    shutil.rmtree(tmp_path / "mine")
    write_toy(tmp_path / "mine", seed=1)
    loaded = ACGANBertClassifier.load(tmp_path / "saved")
    for _ in range(2):  # the second time as well
        with pytest.raises(InputError, match="this classifier: trained on the encoder with"):
            loaded.predict(TEXTS[:2])
    fitted_on_text.save(tmp_path / "saved")
    (tmp_path / "saved" / "encoder.json").write_text("{}")
    with pytest.raises(InputError, match=r"encoder\.json: damaged"):
        ACGANBertClassifier.load(tmp_path / "saved")


def test_a_saved_classifier_needs_no_recipe_file(encoder_folder, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("# Mine.\nencoder:\n  pooling: cls\n")
    own = classifier(encoder=str(encoder_folder), recipe=str(mine)).fit(TEXTS, NAMES.tolist())
    own.save(tmp_path / "saved")
    mine.unlink()
    loaded = ACGANBertClassifier.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS[:3]), own.predict_proba(TEXTS[:3]))


def test_another_pooling_opens_the_encoder_anew(encoder_folder, tmp_path):
    """The encoder that was open was kept, whatever the recipe said of it."""
    mine = tmp_path / "mine.yaml"
    mine.write_text("# Mine.\nencoder:\n  pooling: cls\n")
    model = classifier(encoder=str(encoder_folder)).fit(TEXTS, NAMES.tolist())
    again = model.set_params(recipe=str(mine)).fit(TEXTS, NAMES.tolist())
    alone = classifier(encoder=str(encoder_folder), recipe=str(mine)).fit(TEXTS, NAMES.tolist())
    np.testing.assert_array_equal(again.predict_proba(TEXTS[:3]), alone.predict_proba(TEXTS[:3]))


def test_a_fit_that_fails_leaves_the_classifier_as_it_was(encoder_folder):
    model = classifier(encoder=str(encoder_folder)).fit(TEXTS, NAMES.tolist())
    before = model.predict_proba(TEXTS[:3])
    with pytest.raises(InputError):
        model.fit(X, np.zeros(40, dtype=int))
    np.testing.assert_array_equal(model.predict_proba(TEXTS[:3]), before)


def test_predictions_are_not_kept_in_the_cache(fitted_on_text, tmp_path, monkeypatch):
    monkeypatch.setenv("ACGAN_BERT_CACHE", str(tmp_path / "cache"))
    assert fitted_on_text.predict(["a new film"]).shape == (1,)
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


def test_no_text_at_all_is_answered(fitted_on_text):
    assert fitted_on_text.predict([]).shape == (0,)
