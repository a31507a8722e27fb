"""Adaptation: draws classes apart, reads no hidden label, guesses in rounds, resumes exactly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mtl.adaptation import AdaptationSettings, AdaptationTrainer, adapt
from mtl.bert.embed import embed_corpus
from mtl.bert.portable import MovedEncoder
from mtl.bert.toy import toy_encoder
from mtl.contrastive import class_cosine
from mtl.draws import balanced_rows, surest
from mtl.errors import InputError
from mtl.text.data import Corpus
from mtl.text.tasks import Task
from tests.properties import assert_same_bits

STAGE = AdaptationSettings(
    updates=6,
    rounds=2,
    round_updates=3,
    batch_size=8,
    candidates=10,
    learning_rate=1e-3,
    record_every=2,
    precision="no",
)
GOOD, BAD = ("good", "great", "funny"), ("bad", "dull", "sad")


def corpus(*, labeled=4, pairs=False):
    """Return 24 rows, one word of which tells the class; the first of each class are labeled."""
    words = [(GOOD, BAD)[row % 2][row // 2 % 3] for row in range(24)]
    texts = tuple(f"the film is {word} {'!' * (row // 6)}" for row, word in enumerate(words))
    labels = np.where(np.arange(24) < 2 * labeled, np.arange(24) % 2, -1)
    task = Task(name="films", arity=1 + pairs, output="classes", classes=("good", "bad"))
    seconds = ("a film",) * 24 if pairs else None
    return Corpus(task, "films", tuple(map(str, range(24))), texts, seconds, labels, None, ())


def by_parity(vectors, labels):
    """Guess by the nearer of two class means."""
    means = np.stack([vectors[labels == index].mean(0) for index in (0, 1)])
    distances = np.linalg.norm(vectors[:, None] - means, axis=-1)
    return np.exp(-distances) / np.exp(-distances).sum(1, keepdims=True)


def moved(rows, settings=STAGE, guess=by_parity, **options):
    encoder = toy_encoder()
    adapt(encoder, rows, settings, guess, **options)
    return encoder


def gap(encoder, rows):
    """Return how much nearer rows of one class are than rows of two, in cosine."""
    vectors = embed_corpus(rows, encoder, precision="float32", cache=None).vectors
    unit = normalize(torch.from_numpy(np.array(vectors)))
    cosines = (unit @ unit.T).numpy()
    same = np.equal.outer(np.arange(len(rows)) % 2, np.arange(len(rows)) % 2)
    return cosines[same & ~np.eye(len(rows), dtype=bool)].mean() - cosines[~same].mean()


@pytest.mark.parametrize("pairs", [False, True])
def test_classes_move_apart_also_where_no_label_was_seen(pairs):
    rows = corpus(pairs=pairs)
    unseen = rows.select(np.flatnonzero(rows.labels < 0))
    before = gap(toy_encoder(), unseen)
    encoder = moved(rows, replace(STAGE, updates=80, rounds=0, learning_rate=1e-2))
    assert gap(encoder, unseen) > before + 0.2


def test_longer_texts_are_read_to_their_end_a_window_at_a_time():
    rows = corpus()
    ends = [text.split()[3] for text in rows.texts]
    rows = replace(rows, texts=tuple("it is a film and a plot" + 9 * f" {end}" for end in ends))
    unseen = rows.select(np.flatnonzero(rows.labels < 0))
    short = replace(STAGE, updates=80, rounds=0, learning_rate=3e-3, max_length=8)
    assert gap(moved(rows, short), unseen) > gap(toy_encoder(), unseen) + 0.3


def test_loss_is_the_mean_over_pairs_of_each_kind_written_out():
    torch.manual_seed(0)
    vectors = torch.randn(5, 3, dtype=torch.float64)
    classes = torch.tensor([0, 1, 0, 2, 1])
    near, far = [], []
    for i in range(5):
        for j in range(i):
            cosine = float(torch.cosine_similarity(vectors[i], vectors[j], dim=0))
            if classes[i] == classes[j]:
                near.append((1 - cosine) ** 2)
            else:
                far.append(cosine**2)
    expected = (np.mean(near) + np.mean(far)) / 2
    assert (len(near), len(far)) == (2, 8)
    assert class_cosine(vectors, classes).item() == pytest.approx(expected)
    apart = class_cosine(torch.eye(4), torch.tensor([0, 0, 1, 1]))
    assert apart.item() == pytest.approx(0.5)
    one = class_cosine(vectors[:2], torch.tensor([1, 1])).item()
    cosine = float(torch.cosine_similarity(vectors[0], vectors[1], dim=0))
    assert one == pytest.approx((1 - cosine) ** 2 / 2)


def test_vectors_have_unit_norm_afterwards_and_the_fingerprint_says_so(tmp_path):
    encoder = moved(corpus())
    vectors = embed_corpus(corpus(), encoder, cache=None).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    MovedEncoder(encoder).save_pretrained(tmp_path / "kept")
    kept = MovedEncoder.from_pretrained(tmp_path / "kept").encoder
    np.testing.assert_array_equal(embed_corpus(corpus(), kept, cache=None).vectors, vectors)
    assert kept.fingerprint() == encoder.fingerprint()
    encoder.unit = False
    assert kept.fingerprint() != encoder.fingerprint()


def test_table_of_tokens_stays_and_everything_else_may_move():
    before = toy_encoder().state_dict()
    after = moved(corpus()).state_dict()
    table = "model.embeddings.word_embeddings.weight"
    still = {name for name in before if torch.equal(before[name], after[name])}
    assert table in still
    assert not any("layer" in name and name.endswith("weight") for name in still)


def test_labels_come_in_equal_parts_and_hidden_rows_never_outside_rounds():
    rows = corpus(labeled=3)
    trainer = AdaptationTrainer(toy_encoder(), rows, STAGE, by_parity)
    for number in range(STAGE.updates):
        drawn, classes = trainer._batch(number)
        assert np.bincount(classes).tolist() == [4, 4]
        assert (rows.labels[drawn] == classes).all()


def test_rows_that_no_round_guesses_are_not_tokenized():
    assert len(AdaptationTrainer(toy_encoder(), corpus(), STAGE, by_parity).tokens) == 24
    alone = replace(STAGE, rounds=0)
    assert len(AdaptationTrainer(toy_encoder(), corpus(), alone, by_parity).tokens) == 8


def test_rounds_guess_from_the_vectors_of_candidates_and_visible_labels_alone():
    asked = []

    def guess(vectors, labels):
        asked.append((vectors, labels))
        return by_parity(vectors, labels)

    rows = corpus()
    encoder = toy_encoder()
    trainer = AdaptationTrainer(encoder, rows, STAGE, guess)
    for _ in range(STAGE.updates):
        trainer.advance()
    at_the_time = np.array(embed_corpus(rows, encoder, precision="float32", cache=None).vectors)
    found = trainer.advance()
    ((vectors, labels),) = asked
    assert labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1] + [-1] * 10
    np.testing.assert_allclose(vectors[:8], at_the_time[:8], atol=1e-5)
    assert found["trusted"] == (trainer.pseudo_N >= 0).sum() > 0
    assert (trainer.pseudo_N[rows.labels >= 0] == -1).all()
    drawn, classes = trainer._batch(STAGE.updates)
    assert (rows.labels[drawn[:4]] == classes[:4]).all()
    assert (trainer.pseudo_N[drawn[4:]] == classes[4:]).all()


def test_without_unlabeled_rows_rounds_go_on_with_the_labels():
    rows = corpus(labeled=12)
    assert gap(moved(rows), rows) > gap(toy_encoder(), rows)


@pytest.mark.parametrize("max_length", [64, 5])
@pytest.mark.parametrize("killed", [1, 7, 10])
def test_interrupted_stage_goes_on_from_its_checkpoint(tmp_path, killed, max_length):
    class Killed(Exception):
        pass

    def progress(done, _):
        if done == killed:
            raise Killed

    rows, settings, whole = corpus(), replace(STAGE, max_length=max_length), []
    expected = moved(rows, settings, record=whole.append)
    told = []
    with pytest.raises(Killed):
        moved(rows, settings, checkpoint=tmp_path, record=told.append, progress=progress)
    begun = len(told)
    encoder = moved(rows, settings, checkpoint=tmp_path, record=told.append)
    assert_same_bits(encoder.state_dict(), expected.state_dict())
    first = told[begun]["step"]
    assert told[begun:] == [row for row in whole if row["step"] >= first]


def test_a_checkpoint_of_another_encoder_is_refused(tmp_path):
    moved(corpus(), checkpoint=tmp_path)
    with pytest.raises(InputError, match="checkpoint is of another recipe"):
        adapt(toy_encoder(dimension=8), corpus(), STAGE, by_parity, checkpoint=tmp_path)


def test_rows_of_one_class_cannot_be_told_apart():
    rows = corpus()
    one = replace(rows, labels=np.where(rows.labels == 0, 0, -1))
    with pytest.raises(InputError, match="films: 1 classes with labelled rows"):
        AdaptationTrainer(toy_encoder(), one, STAGE, by_parity)


@pytest.mark.parametrize("name", ["updates", "round_updates", "candidates", "learning_rate"])
def test_settings_out_of_range_are_refused(name):
    with pytest.raises(InputError, match=rf"adaptation\.{name}: 0"):
        replace(STAGE, **{name: 0})


def test_balanced_rows_repeat_what_is_rare_and_leave_out_classes_without_a_pair():
    stream = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 0, 0, 1, -1])
    drawn = balanced_rows(labels, 8, stream)
    assert np.bincount(labels[drawn]).tolist() == [4, 4]
    assert len(set(drawn[labels[drawn] == 0])) == 4
    many = balanced_rows(np.arange(20), 8, stream)
    assert sorted(np.unique(many, return_counts=True)[1]) == [2, 2, 2, 2]


def test_surest_rows_are_kept_class_by_class():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.45, 0.55]])
    assert surest(probabilities, 0.5).tolist() == [0, -1, -1, 0, 1]
    assert surest(probabilities, 1.0).tolist() == [0, 0, 0, 0, 1]
