"""Corpora: inferred columns, what labels mean, ids, bad rows, and the CS224N files as they are."""

import math
from pathlib import Path

import numpy as np
import pytest

from mtl.errors import InputError
from mtl.text.data import Columns, read_corpus
from mtl.text.tasks import Task

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
LONG = "a text that is clearly longer than a label"
needs_shared_data = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")


@pytest.fixture
def write(tmp_path):
    """Write lines to a file; give its path as a source."""

    def write_lines(*lines, name="data.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    return write_lines


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("id,sentence,sentiment", "7,{0},{1}", ("sentence", "", "sentiment")),
        ("label,Text", "{1},{0}", ("Text", "", "label")),
        ("Premise,hypothesis,gold label", "{0},{0},{1}", ("Premise", "hypothesis", "gold label")),
        (
            "question1,question2,is_duplicate",
            "{0},{0},{1}",
            ("question1", "question2", "is_duplicate"),
        ),
        ("finding,kind", "{0},{1}", ("finding", "", "kind")),
        (",title,abstract,kind,year", "3,short,{0},{1},2001", ("abstract", "", "kind")),
    ],
)
def test_columns_are_found_by_name_or_content_and_said(write, header, row, expected):
    corpus = read_corpus(write(header, *(row.format(LONG, label) for label in "xyxy")))
    assert corpus.texts == (LONG,) * 4
    assert (corpus.pairs is not None) == bool(expected[1])
    assert corpus.task.classes == ("x", "y")
    for flag, column in zip(("text", "text_pair", "label"), expected, strict=True):
        said = f"{flag} is column {column!r} (--data.{flag})"
        assert (said in corpus.notes[0]) == bool(column)


def test_given_columns_win_and_are_not_repeated_in_notes(write):
    source = write("text,headline,label,topic", "t1,h1,0,a", "t2,h2,1,b")
    corpus = read_corpus(source, columns=Columns(text="headline", label="topic"))
    assert (corpus.texts, corpus.task.name) == (("h1", "h2"), "topic")
    assert corpus.notes == ()
    pair = read_corpus(source, columns=Columns(text="headline", text_pair="text"))
    assert (pair.task.arity, pair.pairs) == (2, ("t1", "t2"))


def test_naming_one_sentence_of_a_pair_asks_for_single_ones(write):
    source = write("sentence1,sentence2,label", "a,b,0", "c,d,1")
    assert read_corpus(source).task.arity == 2
    assert read_corpus(source, columns=Columns(text="sentence1")).task.arity == 1


@pytest.mark.parametrize(
    ("lines", "columns", "words"),
    [
        (["text~label", "a~1"], Columns(), ["single column", "text~label", "sniffed"]),
        (["text,label", "a,1"], Columns(text="texts"), ["'texts'", "did you mean 'text'", "label"]),
        (["text,label", "a,1"], Columns(label="x"), ["'x'", "--data.label", "text, label"]),
        (["text,label", "a,1"], Columns(label="text", text="text"), ["chosen twice"]),
        (["one,two,three", "abc,abd,abe"], Columns(), ["--data.text", "one, two, three"]),
        (["text,foo,bar", "a,x,y", "b,y,x"], Columns(), ["--data.label", "foo and bar"]),
        (["0," + LONG, "1," + LONG], Columns(), ["looks like data", "header"]),
        ([f"{LONG},good", f"{LONG}!,good", "b,bad"], Columns(), ["looks like data"]),
        (["text,label", "a,1", "b,1"], Columns(), ["'label'", "one class only", "'1'"]),
        (["text,label", "a,", "b,"], Columns(), ["no label"]),
        (
            ["text,label", *(f"a,l{i}" for i in range(51))],
            Columns(),
            ["51 distinct", "--data.label"],
        ),
        (["text,label", "a,0.5", "b,99"], Columns(), ["0.5 to 99", "bin"]),
    ],
)
def test_each_doubt_about_columns_is_one_line_that_says_what_to_do(write, lines, columns, words):
    with pytest.raises(InputError) as caught:
        read_corpus(write(*lines), columns=columns)
    message = str(caught.value)
    assert "\n" not in message
    for word in ["data.csv", *words]:
        assert word in message


@pytest.mark.parametrize(
    ("labels", "classes", "indices"),
    [
        (["10", "9", "", "10"], ("9", "10"), [1, 0, -1, 1]),
        (["1.0", "0.0", "nan", "-1"], ("0", "1"), [1, 0, -1, -1]),
        (["pos", "neg", " ", "pos "], ("neg", "pos"), [1, 0, -1, 1]),
        (["1", "x", "-1", ""], ("-1", "1", "x"), [1, 2, 0, -1]),
    ],
)
def test_labels_are_whole_numbers_or_names(write, labels, classes, indices):
    corpus = read_corpus(write("text,label", *(f"t,{label}" for label in labels)))
    assert corpus.task.classes == classes
    assert corpus.labels.tolist() == indices
    assert corpus.scores is None


def test_fractions_are_scores_with_unit_buckets(write):
    corpus = read_corpus(write("text,similarity", "a,0.4", "b,2", "c,", "d,2.75"))
    assert corpus.task == Task(
        name="similarity", arity=1, output="score", classes=("0", "1", "2", "3"), low=0.0, high=3.0
    )
    assert corpus.labels.tolist() == [0, 2, -1, 3]
    np.testing.assert_array_equal(corpus.scores, [0.4, 2.0, math.nan, 2.75])
    part = read_corpus(write("text,similarity", "a,1", "b,-1"), task=corpus.task)
    assert part.labels.tolist() == [1, -1]
    with pytest.raises(InputError, match=r"row 2 \(line 3\): score '3.5' is no number from 0 to 3"):
        read_corpus(write("text,similarity", "a,1", "b,3.5"), task=corpus.task)


@pytest.mark.parametrize(
    ("scores", "classes", "low", "high"),
    [
        ((0.5, 1.0, 2.5, 5.0), tuple("12345"), 0.0, 5.0),
        ((0.6, 2.0, 3.0), tuple("123"), 0.0, 3.0),
        ((1.0, 2.2, 3.3), tuple("123"), 1.0, 4.0),
        ((-0.3, 1.0), tuple("01"), -1.0, 1.0),
        ((1.6, 2.4), tuple("123"), 1.0, 3.0),
    ],
)
def test_no_bucket_lies_beyond_the_scores(write, scores, classes, low, high):
    """Half stars began at a bucket 0 without rows, and could not be trained on."""
    task = read_corpus(write("text,stars", *(f"t{row},{s}" for row, s in enumerate(scores)))).task
    assert (task.classes, task.low, task.high) == (classes, low, high)
    assert [int(classes[b]) for b in task.bucket(scores)] == [math.floor(s + 0.5) for s in scores]
    assert task.bucket([low, high, math.nan]).tolist() == [0, len(classes) - 1, -1]


def test_labels_of_another_part_must_be_known(write):
    task = read_corpus(write("text,label", "a,0", "b,1")).task
    part = read_corpus(write("text,label", "a,1.0", "b,"), task=task)
    assert part.labels.tolist() == [1, -1]
    with pytest.raises(InputError, match=r"row 2 \(line 3\): label '7' is unknown; .* are 0, 1;"):
        read_corpus(write("text,label", "a,1", "b,7"), task=task)
    with pytest.raises(InputError, match="no row has a label"):
        read_corpus(write("text,label", "a,", "b,"), task=task)


def test_messages_stay_on_one_short_line_whatever_the_cells_hold(write):
    task = read_corpus(write("text,label", "a,0", "b,1")).task
    sources = [
        write('"te', 'xt",b,c', "1,2,3"),
        write("text,label", '"a', 'b","' + "c\n" * 500 + '"'),
    ]
    for source in sources:
        with pytest.raises(InputError) as caught:
            read_corpus(source, task=task)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < len(source) + 250


def test_a_file_to_predict_needs_no_labels_and_loses_no_row(write):
    task = read_corpus(write("text,label", "a,0", "b,1")).task
    bare = read_corpus(write("text", "a", '""'), task=task, require_labels=False)
    assert (bare.texts, bare.labels.tolist(), bare.task) == (("a", ""), [-1, -1], task)
    unrelated = read_corpus(write("text,score", "a,812", "b,3"), task=task, require_labels=False)
    assert unrelated.labels.tolist() == [-1, -1]
    unknown = read_corpus(
        write("text,body,stars", "a,b,1", "c,d,9"),
        task=task,
        columns=Columns(text="body", label="stars"),
        require_labels=False,
    )
    assert (unknown.texts, unknown.labels.tolist()) == (("b", "d"), [-1, -1])
    absent = read_corpus(
        write("text,other", "a,1", ",2"),
        task=task,
        columns=Columns(text="text", label="label"),
        require_labels=False,
    )
    assert (len(absent), absent.labels.tolist()) == (2, [-1, -1])
    with pytest.raises(InputError, match="no second sentence"):
        read_corpus(
            write("text", "a"),
            task=Task(name="p", arity=2, output="classes", classes=("0", "1")),
            require_labels=False,
        )


def test_ids_are_taken_where_they_are_distinct(write):
    assert read_corpus(write("ID,text,label", "x,a,0", "y,b,1")).ids == ("x", "y")
    repeated = read_corpus(write("id,text,label", "x,a,0", "x,b,1"))
    assert repeated.ids == ("1", "2")
    assert "repeats or lacks ids" in repeated.notes[1]
    assert read_corpus(write("text,label", "a,0", "b,1")).ids == ("1", "2")


def test_rows_with_neither_text_nor_label_are_skipped_and_all_of_them_counted(write):
    rows = ["a,x,0", *["a,,"] * 7, "a,,1", "a,x,"]
    corpus = read_corpus(write("sentence1,sentence2,label", *rows))
    assert corpus.pairs == ("x", "", "x")
    assert corpus.labels.tolist() == [0, 1, -1]
    assert corpus.ids == ("1", "9", "10")
    assert "skipped 7 rows (row 2 (line 3)," in corpus.notes[1]
    assert "and 2 more)" in corpus.notes[1]
    assert "without a label: 1 row (row 10 (line 11))" in corpus.notes[2]


def test_select_takes_positions_masks_and_nothing(write):
    corpus = read_corpus(write("id,text,score", "x,a,0.5", "y,b,1", "z,c,2"))
    assert corpus.select([2, 0]).ids == ("z", "x")
    assert corpus.select([2, 0]).scores.tolist() == [2.0, 0.5]
    assert corpus.select(np.array([False, True, False])).texts == ("b",)
    assert len(corpus.select([])) == 0


def test_columns_of_unequal_length_are_a_bug(write):
    corpus = read_corpus(write("text,label", "a,0", "b,1"))
    with pytest.raises(ValueError, match="differ in length"):
        type(corpus)(corpus.task, "x", corpus.ids, ("a",), None, corpus.labels, None)


def test_built_in_corpora_are_read_by_name():
    with pytest.raises(InputError, match="demo:sentiment or demo:paraphrase"):
        read_corpus("demo:sentimant")
    train = read_corpus("demo:similarity")
    assert train.task.output == "score"
    assert read_corpus("demo:similarity", task=train.task, split="dev").source == "demo:similarity"
    with pytest.raises(InputError, match="not the one trained on"):
        read_corpus("demo:sentiment", task=train.task)


@pytest.mark.data
@needs_shared_data
@pytest.mark.parametrize(
    ("name", "rows", "task", "arity", "classes"),
    [
        ("ids-sst-train.csv", 8544, "sentiment", 1, 5),
        ("ids-cfimdb-dev.csv", 245, "sentiment", 1, 2),
        ("quora-train.csv", 12999, "paraphrase", 2, 2),
        ("sts-train.csv", 6040, "similarity", 2, 6),
    ],
)
def test_cs224n_files_work_unchanged(name, rows, task, arity, classes):
    corpus = read_corpus(str(SHARED / name))
    assert (len(corpus), corpus.task.name, corpus.task.arity) == (rows, task, arity)
    assert corpus.task.classes == tuple(str(index) for index in range(classes))
    assert all(len(row_id) == 25 for row_id in corpus.ids)
    if "train" in name:
        other = read_corpus(str(SHARED / name.replace("train", "dev")), task=corpus.task)
        assert other.labels.min() >= 0


@pytest.mark.data
@needs_shared_data
def test_quora_bad_rows_are_named_with_a_count():
    corpus = read_corpus(str(SHARED / "quora-train.csv"))
    assert "skipped 1 row (row 4921 (line 4922), id 9054345d" in corpus.notes[1]
    assert "without a label: 1 row (row 1019 (line 1020), id ad118c96" in corpus.notes[2]
    assert corpus.labels[corpus.ids.index("ad118c967d683c93883bf072d")] == -1
    assert not any(row_id.startswith("9054345d") for row_id in corpus.ids)
