import numpy as np
import pytest
import torch

from mtl.bert.heads import HeadSettings
from mtl.bert.model import ModelSettings, MultitaskModel, pair_input, parameter_counts
from mtl.bert.toy import toy_encoder
from mtl.errors import InputError
from mtl.text.data import Corpus
from mtl.text.tasks import Task
from mtl.text.tokens import TokenizedCorpus

TASKS = {
    "mood": Task(name="mood", arity=1, output="classes", classes=("bad", "so", "good")),
    "same": Task(name="same", arity=2, output="classes", classes=("no", "yes")),
    "near": Task(name="near", arity=2, output="score", classes=tuple("012345"), low=0.0, high=5.0),
}
HEADS = {
    "mood": HeadSettings(dropout=0.0),
    "same": HeadSettings(kind="binary", pair="cross", dropout=0.0),
    "near": HeadSettings(kind="cosine-affine", dropout=0.0),
}
TEXTS = ("a good film", "the plot was bad", "not so good", "dull")
OTHERS = ("a great movie", "the worst film", "very good", "sad")
ROWS = np.arange(4)


def batches(model):
    found = {}
    for name, task in TASKS.items():
        scores = np.array([5.0, 1.0, 0.0, 3.0]) if task.output == "score" else None
        pairs = OTHERS if task.arity == 2 else None
        corpus = Corpus(task, "here", tuple("abcd"), TEXTS, pairs, np.array([0, 1, 1, 0]), scores)
        how = pair_input(model.head_settings[name])
        tokens = TokenizedCorpus(corpus, model.encoder.tokenizer, pair_input=how, max_length=32)
        found[name] = tokens.batch(ROWS)
    return found


def build(heads=HEADS, **settings):
    torch.manual_seed(0)
    return MultitaskModel(toy_encoder(), TASKS, heads, ModelSettings(**settings)).eval()


def test_each_task_has_the_output_of_its_head():
    model = build()
    outputs = {name: model(name, batch) for name, batch in batches(model).items()}
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "mood": (4, 3),
        "same": (4, 2),
        "near": (4,),
    }
    near = model.predict("near", batches(model)["near"])
    assert ((near >= 0) & (near <= 5)).all()
    torch.testing.assert_close(
        model.predict("mood", batches(model)["mood"]), outputs["mood"].softmax(-1)
    )


def test_two_encodings_are_those_of_the_two_sentences():
    model = build()
    batch = batches(model)["near"]
    u_BD, v_BD = model.encode("near", batch)
    with torch.no_grad():
        h_XD = model.encoder(batch.singles)
    torch.testing.assert_close(u_BD, h_XD[:4])
    torch.testing.assert_close(v_BD, h_XD[4:])


def test_triplet_reads_both_texts_and_the_pair():
    model = build(HEADS | {"same": HeadSettings(pair="triplet")})
    batch = batches(model)["same"]
    assert len(model.encode("same", batch)) == 3
    assert model("same", batch).shape == (4, 2)


def test_shared_block_lies_between_encoder_and_every_head():
    model = build(shared_depth=1, shared_width=8, activation="gelu")
    for name, batch in batches(model).items():
        assert all(vector.shape == (4, 8) for vector in model.encode(name, batch))
    assert any(name.startswith("shared.") for name, _ in model.shared_parameters())


@pytest.mark.parametrize(
    ("settings", "shared", "own"),
    [
        ({}, "encoder.model.", ("heads.",)),
        ({"train": "lora", "rank": 2}, ".lora_", ("heads.",)),
        ({"train": "lora", "adapter": "experts", "rank": 2}, None, ("heads.", "encoder.model.")),
        ({"adapter": "pals"}, "encoder.model.", ("heads.", "pals.")),
        ({"train": "frozen"}, None, ("heads.",)),
    ],
)
def test_parameters_are_shared_or_a_tasks_own_and_each_once(settings, shared, own):
    model = build(**settings)
    common, apart = dict(model.shared_parameters()), dict(model.own_parameters())
    assert not common.keys() & apart.keys()
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert common.keys() | apart.keys() == trained
    assert bool(common) == (shared is not None)
    assert all(shared in name for name in common)
    assert {start for start in own if any(name.startswith(start) for name in apart)} == set(own)


def test_parameters_are_counted():
    dimension, rank = 16, 2
    heads = 3 * (dimension + 1) + (2 * dimension + 1)
    plain = parameter_counts(build(HEADS | {"same": HeadSettings(kind="binary")}))
    assert plain["own"] == heads
    assert plain["trained"] == plain["total"] == plain["shared"] + heads
    lora = {"train": "lora", "rank": rank, "lora_modules": ("attention.self.query",)}
    per_task = 2 * rank * (dimension + dimension)
    shared = parameter_counts(build(**lora))
    assert shared["shared"] == per_task
    assert shared["total"] > shared["trained"] == shared["shared"] + shared["own"]
    experts = parameter_counts(build(**lora, adapter="experts"))
    assert experts["shared"] == 0
    assert experts["own"] == len(TASKS) * per_task + shared["own"]


def test_adapters_have_the_size_and_place_that_is_asked_for():
    model = build(train="lora", rank=2, lora_modules=("attention.self.query", "output.dense"))
    places = {name.split(".lora_")[0].split(".layer.")[1] for name, _ in model.shared_parameters()}
    assert places == {f"{n}.{m}" for n in (0, 1) for m in ("attention.self.query", "output.dense")}
    with pytest.raises(InputError, match=r"no linear map query; it has attention\.self\.query, "):
        build(train="lora", lora_modules=("query",))
    sizes = [
        build(adapter="pals", pal_size=s).pals.tasks["mood"].encode.out_features for s in (0, 6)
    ]
    assert sizes == [4, 6]
    with pytest.raises(InputError, match="5 is no multiple of the encoder's 2 heads"):
        build(adapter="pals", pal_size=5)


@pytest.mark.parametrize(
    "settings", [{"adapter": "pals"}, {"train": "lora", "adapter": "experts", "rank": 2}]
)
def test_a_task_moves_its_own_adapter_and_no_others(settings):
    model = build(**settings)
    batch = batches(model)["mood"]
    model("mood", batch).sum().backward()
    reached = {name for name, value in model.own_parameters() if value.grad is not None}
    assert any("mood" in name for name in reached)
    assert not any("same" in name or "near" in name for name in reached)


def test_fresh_adapters_leave_every_vector_as_it_was():
    plain = build()
    for settings in ({"adapter": "pals"}, {"train": "lora", "adapter": "experts", "rank": 2}):
        adapted = build(**settings)
        for name, batch in batches(plain).items():
            for expected, found in zip(
                plain.encode(name, batch), adapted.encode(name, batch), strict=True
            ):
                torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"train": "all"}, "encoder.mode: 'all' is unknown"),
        ({"adapter": "lora"}, "sharing.adapter: 'lora' is unknown"),
        (
            {"activation": "tanh"},
            "sharing.activation: 'tanh' is unknown; use relu, leaky-relu, gelu",
        ),
        ({"adapter": "experts"}, "encoder.mode is finetune; use lora"),
    ],
)
def test_settings_that_contradict_are_refused(settings, said):
    with pytest.raises(InputError, match=said):
        ModelSettings(**settings)


def test_a_head_that_does_not_fit_is_named_by_its_key():
    """A task calls itself after its label column, of which a recipe knows nothing."""
    task = Task(name="label", arity=1, output="classes", classes=("0", "1", "2"))
    with pytest.raises(InputError, match=r"^tasks\.topic\.head: binary, but it needs exactly two"):
        MultitaskModel(
            toy_encoder(),
            {"topic": task},
            {"topic": HeadSettings(kind="binary")},
            ModelSettings(),
        )
