import numpy as np
import pytest
import torch

from mtl.bert.heads import HeadSettings
from mtl.bert.model import ModelSettings, MultitaskModel
from mtl.bert.toy import toy_encoder
from mtl.errors import InputError
from mtl.text.tasks import Task

TASKS = {
    "mood": Task(name="mood", arity=1, output="classes", classes=("bad", "so", "good")),
    "same": Task(name="same", arity=2, output="classes", classes=("no", "yes")),
    "near": Task(name="near", arity=2, output="score", classes=tuple("012345"), low=0.0, high=5.0),
}
HEADS = {
    "mood": HeadSettings(),
    "same": HeadSettings(kind="binary", pair="cross"),
    "near": HeadSettings(kind="cosine-affine"),
}
TEXTS = ["a good film", "", "dull"] * 30
OTHERS = ["a great movie with a plot", "so", ""] * 30


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return MultitaskModel(toy_encoder(), TASKS, HEADS, ModelSettings())


def seconds(name):
    return OTHERS if TASKS[name].arity == 2 else None


@pytest.mark.parametrize("name", TASKS)
def test_every_text_is_predicted_in_its_place(model, name):
    predicted = model.predict_texts(name, TEXTS, seconds(name))
    shape = (90,) if name == "near" else (90, TASKS[name].num_classes)
    assert predicted.shape == shape
    assert np.isfinite(predicted).all()
    if name == "near":
        assert ((predicted >= 0) & (predicted <= 5)).all()
    else:
        np.testing.assert_allclose(predicted.sum(1), 1, rtol=1e-6)
    for row in range(3):
        other = None if seconds(name) is None else [OTHERS[row]]
        alone = model.predict_texts(name, [TEXTS[row]], other)
        np.testing.assert_allclose(predicted[row::3], np.repeat(alone, 30, axis=0), atol=1e-5)
    assert len(np.unique(predicted.round(4), axis=0)) == 3


@pytest.mark.parametrize("name", TASKS)
def test_no_text_gives_no_prediction(model, name):
    shape = (0,) if name == "near" else (0, TASKS[name].num_classes)
    assert model.predict_texts(name, [], seconds(name) and []).shape == shape


def test_any_sequence_of_strings_will_do_and_the_mode_stays(model):
    expected = model.predict_texts("mood", TEXTS)
    model.train()
    np.testing.assert_array_equal(model.predict_texts("mood", np.array(TEXTS)), expected)
    assert model.training
    model.eval()


@pytest.mark.parametrize(
    ("name", "texts", "pairs", "said"),
    [
        ("topic", ["a"], None, "task 'topic': the model does not have it; use mood, same, near"),
        ("mood", ["a"], ["b"], r"task 'mood': it is about 1 text a row; give texts only"),
        ("near", ["a"], None, r"task 'near': it is about 2 texts a row; give both lists"),
        ("near", ["a", "b"], ["c"], "pairs: 1 for 2 texts; give one for each"),
        ("mood", "a good film", None, "texts: 'a good film' is one text; give a list"),
        ("same", ["a"], "b", "pairs: 'b' is one text"),
        ("mood", ["a", None], None, "texts: row 1 is None; every row must be a string"),
    ],
)
def test_what_the_task_is_not_about_is_refused(model, name, texts, pairs, said):
    with pytest.raises(InputError, match=said):
        model.predict_texts(name, texts, pairs)
