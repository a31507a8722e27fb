"""The built-in corpora: sizes, balance, no repeats, rules that hold, no easy way around."""

import hashlib
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mtl.errors import InputError
from mtl.text import demo_deals, demo_domains, demo_pairs, demo_scenes, demo_sentiment
from mtl.text import demo_sentiment_words as words
from mtl.text.demo import SEED, SIZES, TASKS, demo_corpus
from mtl.text.phrases import sentence, with_article

NAMES = tuple(SIZES)
SPLITS = ("train", "dev", "test")


def sentences(corpus):
    return corpus.texts + (corpus.pairs or ())


def tokens(text):
    return set(re.findall(r"[\w'-]+", text.lower()))


def overlap(corpus):
    """Jaccard index of the words of each pair."""
    pairs = ((tokens(a), tokens(b)) for a, b in zip(corpus.texts, corpus.pairs, strict=True))
    return np.array([len(a & b) / len(a | b) for a, b in pairs])


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", NAMES)
def test_shape_of_a_corpus(name, split):
    corpus = demo_corpus(name, split)
    assert len(corpus) == SIZES[name][split]
    assert corpus.task == TASKS[name]
    assert corpus.source == f"demo:{name}"
    assert corpus.ids[17] == f"demo-{name}-{split}-00017"
    assert len(set(corpus.ids)) == len(corpus)
    assert (corpus.pairs is None) == (corpus.task.arity == 1)
    assert corpus.labels.dtype == np.int64
    counts = np.bincount(corpus.labels, minlength=corpus.task.num_classes)
    assert counts.max() == counts.min()


@pytest.mark.parametrize("name", NAMES)
def test_order_does_not_tell_the_label(name):
    """Training takes rows as they come, so labels must not come in turns or in blocks."""
    labels = demo_corpus(name, "train").labels
    repeats = np.mean([a == b for a, b in pairwise(labels)])
    assert repeats == pytest.approx(1 / len(set(labels)), abs=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_no_sentence_occurs_twice_in_a_corpus(name):
    texts = [text.casefold() for split in SPLITS for text in sentences(demo_corpus(name, split))]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("name", NAMES)
def test_sentences_are_well_formed(name):
    for text in sentences(demo_corpus(name, "train")):
        assert re.fullmatch(r"[A-Z].*[a-zé][.?]", text), text
        assert not re.search(r"  |[{}_|=+]| [,.;:?]|,,|\.\.", text), text
        assert not re.search(r"\ba [aeio]|\ban [^aeiouh]|\b(\w+) \1\b", text, re.IGNORECASE), text
        assert not re.search(r"\bthey was\b|\bit were\b", text), text


def test_verbs_agree_with_their_nouns():
    nouns = {a.noun: a.plural for domain in demo_domains.DOMAINS for a in domain.aspects}
    pattern = re.compile(rf"\bthe ({'|'.join(sorted(nouns, key=len, reverse=True))}) (was|were)\b")
    found = [
        hit for text in demo_corpus("sentiment", "train").texts for hit in pattern.findall(text)
    ]
    assert len(found) > 1000
    assert all((verb == "were") == nouns[noun] for noun, verb in found)


@pytest.mark.processes
def test_same_sentences_whatever_the_hash_seed():
    """Text must not depend on the order of a set, which Python varies from process to process."""
    code = (
        "import hashlib; from mtl.text.demo import demo_corpus\n"
        "for name in ('sentiment', 'paraphrase', 'similarity'):\n"
        "    corpus = demo_corpus(name, 'dev')\n"
        "    print(hashlib.sha256(repr((corpus.texts, corpus.pairs)).encode()).hexdigest())"
    )
    here = [
        hashlib.sha256(repr((corpus.texts, corpus.pairs)).encode()).hexdigest()
        for corpus in (demo_corpus(name, "dev") for name in NAMES)
    ]
    for seed in ("1", "2"):
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert result.stdout.split() == here


def test_another_seed_writes_other_sentences():
    one, other = demo_sentiment.reviews(100, 0), demo_sentiment.reviews(100, 1)
    assert len({r.text for r in one} & {r.text for r in other}) < 10
    assert demo_pairs.paraphrases(20, 0) != demo_pairs.paraphrases(20, 1)


@pytest.mark.parametrize(
    "write", [demo_sentiment.reviews, demo_pairs.paraphrases, demo_pairs.similarities]
)
def test_no_text_is_written_twice(write):
    written = write.__wrapped__(4200, 3)
    assert len({(row.text, getattr(row, "other", "")) for row in written}) == 4200


def test_a_caller_cannot_spoil_the_next_corpus():
    corpus = demo_corpus("similarity", "dev")
    before = corpus.scores.copy()
    corpus.labels[:] = 0
    corpus.scores[:] = 0
    np.testing.assert_array_equal(demo_corpus("similarity", "dev").scores, before)


@pytest.mark.parametrize(
    ("name", "split", "nearest"),
    [
        ("sentimental", "train", "'sentiment'"),
        ("Similarty", "train", "'similarity'"),
        ("paraphrase", "tests", "'test'"),
    ],
)
def test_unknown_name_or_split_names_the_nearest(name, split, nearest):
    with pytest.raises(InputError, match=f"did you mean {nearest}") as caught:
        demo_corpus(name, split)
    assert "\n" not in str(caught.value)


def test_denials_follow_the_rule():
    """Every template that denies one word has the grade that the rule gives."""
    grades = {"terrible": (-2,), "bad": (-1,), "good": (1,), "better": (1, 2), "great": (2,)}
    checked = 0
    for table in (words.DENIALS, words.DENIED_FEELINGS):
        for grade, templates in table.items():
            for template in templates:
                slots = [slot for slot in re.findall(r"{(\w+)}", template) if slot in grades]
                if len(slots) == 1 and abs(grade) < 2:
                    assert {demo_sentiment.deny(g) for g in grades[slots[0]]} == {grade}, template
                    checked += 1
    assert checked >= 18


def test_adjectives_have_one_grade_each():
    """A word that had two grades would make the labels a matter of chance."""
    for lists in words.ADJECTIVES.values():
        merged = {g: {*lists[g], *words.ADJECTIVES["general"][g]} for g in lists}
        assert sum(map(len, merged.values())) == len(set().union(*merged.values()))


def test_frames_are_all_in_use():
    corpus = demo_sentiment.reviews(1000, 0)
    share = {frame: sum(r.frame == frame for r in corpus) / 1000 for frame in ("plain", "event")}
    assert 0.2 < share["plain"] < 0.5
    assert 0.05 < share["event"] < 0.25
    assert {r.frame for r in corpus if r.grade == 0} == {"plain", "denial", "contrast", "hearsay"}
    assert {r.frame for r in corpus if r.grade == 2} == {"plain", "denial", "hearsay", "event"}


def test_irony_and_sincerity_share_their_opening():
    """ "What a joy it was" must open terrible sentences as well as great ones."""
    by_grade = {-2: 0, 2: 0}
    corpus = demo_corpus("sentiment", "train")
    for text, label in zip(corpus.texts, corpus.labels, strict=True):
        if re.search(r"what a (joy|treat) it was", text, re.IGNORECASE) and abs(label - 2) == 2:
            by_grade[int(label) - 2] += 1
    assert min(by_grade.values()) > 10
    assert max(by_grade.values()) < 2 * min(by_grade.values())


def test_a_bag_of_words_is_not_enough():
    """It errs, and it errs on denial, contrast and hearsay far more than on plain statements."""
    train, test = demo_corpus("sentiment", "train"), demo_corpus("sentiment", "test")
    counter = CountVectorizer()
    model = LogisticRegression(max_iter=1000)
    model.fit(counter.fit_transform(train.texts), train.labels)
    right = model.predict(counter.transform(test.texts)) == test.labels
    assert 0.45 < right.mean() < 0.85
    frame_of = {r.text: r.frame for r in demo_sentiment.reviews(5500, SEED)}
    frames = np.array([frame_of[text] for text in test.texts])
    plain = right[frames == "plain"].mean()
    assert right[frames == "denial"].mean() < plain - 0.03
    assert right[frames == "contrast"].mean() < plain - 0.2
    assert right[frames == "hearsay"].mean() < plain - 0.2


def test_word_overlap_does_not_separate_paraphrases():
    corpus = demo_corpus("paraphrase", "train")
    shared = overlap(corpus)
    assert 0.2 < roc_auc_score(corpus.labels, shared) < 0.8
    # Hard negatives: most different pairs share more than a third of their words.
    assert np.mean(shared[corpus.labels == 0] > 1 / 3) > 0.5


def test_a_swap_of_roles_keeps_the_words_and_changes_the_meaning():
    corpus = demo_corpus("paraphrase", "train")
    equal = np.array(
        [tokens(a) == tokens(b) for a, b in zip(corpus.texts, corpus.pairs, strict=True)]
    )
    assert equal[corpus.labels == 0].sum() > 5
    assert equal[corpus.labels == 1].sum() > 5


def test_what_is_varied_differs_in_one_role():
    rng = np.random.default_rng(0)
    for _ in range(200):
        deal, wish = demo_deals.draw_deal(rng), demo_deals.draw_wish(rng)
        changed = demo_deals.vary_deal(rng, deal)
        swapped = (changed.giver, changed.taker) == (deal.taker, deal.giver)
        different = sum(a != b for a, b in zip(deal, changed, strict=True))
        assert different == (2 if swapped else 1)
        assert deal.giver != deal.taker
        assert sum(a != b for a, b in zip(wish, demo_deals.vary_wish(rng, wish), strict=True)) == 1


def test_scores_of_known_frames():
    """Closed form: weights 3, 2, 2, 1, 1, 1 and half a credit for fillers of a kind."""
    rng = np.random.default_rng(0)
    frame = demo_scenes.draw_frame(rng, meeting=0, optional=1)
    assert demo_scenes.similarity(frame, frame) == 5.0
    for role, score in {"place": 4.5, "time": 4.5, "manner": 4.5, "action": 4.2}.items():
        assert demo_scenes.similarity(frame, demo_scenes.vary(rng, frame, role)) == score
    assert demo_scenes.similarity(frame, demo_scenes.vary(rng, frame, "object")) == 4.5
    bare = frame._replace(place=(), time=(), manner=())
    assert demo_scenes.similarity(frame, bare) == 3.5
    thief, farmer, baker = (
        bare._replace(agent=(name,)) for name in ("the thief", "the farmer", "the baker")
    )
    assert demo_scenes.similarity(farmer, baker) == round(5 * 5 / 7, 1)
    assert demo_scenes.similarity(thief, baker) == round(5 * 5 / 7, 1)
    gardener = bare._replace(agent=("the gardener",))
    assert demo_scenes.similarity(farmer, gardener) == round(5 * 6 / 7, 1)


def test_similarity_is_symmetric_and_in_range():
    rng = np.random.default_rng(1)
    for _ in range(200):
        one, other = demo_scenes.draw_frame(rng), demo_scenes.draw_frame(rng)
        score = demo_scenes.similarity(one, other)
        assert score == demo_scenes.similarity(other, one)
        assert 0 <= score <= 5


def test_scores_follow_shared_words_but_not_only():
    corpus = demo_corpus("similarity", "train")
    assert 0.5 < np.corrcoef(overlap(corpus), corpus.scores)[0, 1] < 0.9
    np.testing.assert_allclose(corpus.scores, np.round(corpus.scores, 1))
    np.testing.assert_array_equal(corpus.labels, corpus.task.bucket(corpus.scores))


def test_articles_and_sentences():
    phrases = ("uninspired plot", "useful lamp", "hour", "one-act play", "umbrella", "hotel")
    assert [with_article(phrase).split()[0] for phrase in phrases] == [
        "an",
        "a",
        "an",
        "a",
        "an",
        "a",
    ]
    assert sentence("  the soup   was cold ", "?") == "The soup was cold?"
