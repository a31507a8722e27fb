"""What multitask training refuses, and what it says."""

from dataclasses import replace

import pytest

from mtl.bert.heads import HeadSettings
from mtl.errors import InputError
from mtl.settings import SmartSettings
from mtl.surgery import make_surgery
from mtl.trainer import MultitaskTrainer
from tests.mtl.toy_multitask import HEADS, LOOP, PAIRS, build


def test_a_task_without_anything_to_train_is_refused():
    with pytest.raises(InputError, match="'similarity': the encoder is frozen and its head has no"):
        MultitaskTrainer(*build(train="frozen"), LOOP)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"loss": "cross_entropi"}, "did you mean 'cross_entropy'"),
        ({"loss": "mean_squared_error"}, "does not fit its output, classes"),
        ({"penalty": "l3"}, "unknown penalty 'l3'"),
        ({"loss": "cosine_similarity"}, "does not fit its output"),
    ],
)
def test_wrong_names_are_refused(change, said):
    model, data = build()
    data["sentiment"] = replace(data["sentiment"], **change)
    with pytest.raises(InputError, match=said):
        MultitaskTrainer(model, data, LOOP)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"precision": "fp8"}, "multitask.precision: 'fp8' is unknown"),
        ({"precision": "fp16"}, "fp16 needs a GPU; use auto, bf16 or no"),
        ({"precision": "bf16", "smart": SmartSettings(weight=1)}, "bf16 rounds SMART's"),
        ({"surgery": "pcgard"}, "did you mean 'pcgrad'"),
        ({"surgery": "pcgrad", "order": "round-robin"}, "gives an update to one task; use the ord"),
        ({"surgery": "gradvac", "order": "annealed"}, "gives an update to one task"),
        ({"surgery": "torchjd:TrimmedMean", "order": "pairs", "pairs": PAIRS}, "with 2 tasks"),
        ({"surgery": "weighted"}, "surgery 'weighted' is unknown"),
        ({"order": "pairs", "pairs": PAIRS * 2, "updates_per_epoch": 3}, "give 4 or more, or 0"),
        ({"accumulation": 9}, "batch_size: 6 leaves less than 1 for each of 9 parts"),
    ],
)
def test_settings_that_would_fail_later_are_refused(change, said):
    with pytest.raises(InputError, match=said):
        MultitaskTrainer(*build(), replace(LOOP, **change))


def test_a_checkpoint_of_another_architecture_is_named():
    state = MultitaskTrainer(*build(), LOOP).state()
    trainer = MultitaskTrainer(*build(shared_depth=1), LOOP)
    with pytest.raises(InputError, match=r"of another recipe .*shared"):
        trainer.load_state(state)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"surgery": "pcgrad"}, "'generator'"),
        ({"smart": SmartSettings(proximal=1.0)}, "'updates'"),
    ],
)
def test_a_checkpoint_without_what_the_settings_need_is_named(change, missing):
    state = MultitaskTrainer(*build(), LOOP).state()
    trainer = MultitaskTrainer(*build(), replace(LOOP, **change))
    with pytest.raises(InputError, match=f"of another recipe .no {missing}.; restore the recipe"):
        trainer.load_state(state)


def test_data_must_be_for_the_tasks_of_the_model():
    model, data = build()
    del data["sentiment"]
    with pytest.raises(InputError, match="model for sentiment, paraphrase, similarity"):
        MultitaskTrainer(model, data, LOOP)


@pytest.mark.parametrize(("surgery", "made"), [("sum", 0), ("torchjd:PCGrad", 1)])
def test_a_surgery_is_made_once_and_none_for_the_sum(monkeypatch, surgery, made):
    if made:
        pytest.importorskip("torchjd")
    turns = []

    def make(*name, turn, **others):
        turns.append(turn)
        return make_surgery(*name, turn=turn, **others)

    monkeypatch.setattr("mtl.trainer.make_surgery", make)
    settings = replace(LOOP, surgery=surgery, order="pairs", pairs=PAIRS)
    step = MultitaskTrainer(*build(), settings).step
    assert turns == [2] * made
    assert (step.surgery is None) == (not made)


def test_surgery_on_one_task_is_refused():
    model, data = build(names=("sentiment",))
    with pytest.raises(InputError, match="surgery 'pcgrad' with 1 task; give another task, or"):
        MultitaskTrainer(model, data, replace(LOOP, surgery="pcgrad"))


def test_surgery_without_shared_parameters_is_refused():
    heads = HEADS | {"similarity": HeadSettings(kind="sigmoid")}
    with pytest.raises(InputError, match="no parameter that tasks share is trained; train the enc"):
        MultitaskTrainer(*build(heads, train="frozen"), replace(LOOP, surgery="pcgrad"))
