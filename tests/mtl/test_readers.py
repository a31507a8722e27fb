"""Readers: formats, delimiters, quotes, encodings, and one line for each way to be wrong."""

import csv
import io
import json
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtl.errors import InputError
from mtl.text.delimited import read_delimited
from mtl.text.readers import read_table

ROWS = [["good, really; |fine|", "1"], ['she said "no"', "0"], ["two\nlines", "1"], ["", "0"]]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_what_the_csv_module_writes_is_read_back(tmp_path, delimiter):
    path = tmp_path / "data.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=delimiter).writerows([["text", "label"], *ROWS])
    table = read_table(str(path))
    assert table.columns == {"text": [r[0] for r in ROWS], "label": [r[1] for r in ROWS]}
    assert table.lines == (2, 3, 4, 6)


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\0\x1f"))), min_size=1
    ),
    st.sampled_from([",", "\t", ";"]),
)
@example(cells=[*[("",)] * 17, ("\n",), ("\r\r",), ("",)], delimiter=",")  # blank lines at first
@example(cells=[("\t\n",)], delimiter="\t")  # by lines its rows would have two cells each, too
def test_any_cell_survives_quoting(cells, delimiter):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["text", "label"], *([cell, "x"] for (cell,) in cells)])
    assert read_delimited("x", buffer.getvalue()).columns["text"] == [cell for (cell,) in cells]


def test_in_tab_separated_text_a_stray_quote_does_not_swallow_rows():
    table = read_delimited("x", 'text\tlabel\n"open\t0\nclosed" too\t1\n"""whole"""\t1\n')
    assert table.columns["text"] == ['"open', 'closed" too', '"whole"']


def test_one_column_of_texts_needs_no_delimiter():
    table = read_delimited("x", 'text\nWell, well\n"a ""b"""\n""\n\n"two\nlines"\n')
    assert table.columns["text"] == ["Well, well", 'a "b"', "", "two\nlines"]
    assert table.notes == ("x: 1 blank lines left out: 5",)


def test_a_text_of_ten_thousand_words_fits_and_the_csv_limit_is_restored():
    before = csv.field_size_limit()
    text = "word " * 100_000
    assert read_delimited("x", f"text,label\n{text},1\n").columns["text"] == [text]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b" \n\n", ["empty"]),
        (b"text,label\n", ["header", "no row"]),
        (b"text,label,text\na,1,b\n", ["line 1", "'text'", "twice", "fields 1 and 3"]),
        (b"text,label\na,1\nb,2,3\n", ["line 3", "3 fields", "2 expected", "comma"]),
        (b'text\tlabel\n"a\t1\nb\n', ["line 3", "1 fields", "2 expected", "tab"]),
        (b'text,label\na,1\n"b,2\nc,3\n', ["line 3", "quotes"]),
        ("text,label\nso,1\ncaf\u00e9,0\n".encode("latin-1"), ["line 3", "0xe9", "UTF-8"]),
        ("\ufefftext,label\ncaf".encode() + b"\xe9,0\n", ["line 2", "0xe9"]),
        ("text,label\na,1\n".encode("utf-16"), ["UTF-16", "UTF-8"]),
        ("text,label\na,1\n".encode("utf-16-le"), ["UTF-16", "UTF-8"]),
        (b"text,label\na,1\nb\0,0\n", ["line 3", "binary", "UTF-8"]),
        (b"PK\x03\x04 a workbook", ["binary"]),
        (b",,\n1,2,3\n", ["line 1", "no column has a name"]),
    ],
)
def test_each_damaged_file_gets_one_line_that_says_where(tmp_path, content, words):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_table(str(path))
    message = str(caught.value)
    assert "\n" not in message
    for word in [str(path), *words]:
        assert word in message


def test_missing_file_names_the_nearest_and_a_folder_is_refused(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\na,1\n")
    with pytest.raises(InputError, match=r"no such file; did you mean .*train\.csv"):
        read_table(str(tmp_path / "trian.csv"))
    with pytest.raises(InputError, match="no such file; check"):
        read_table(str(tmp_path / "nowhere" / "train.csv"))
    with pytest.raises(InputError, match="folder"):
        read_table(str(tmp_path))


def test_json_lines_take_missing_keys_and_every_scalar(tmp_path):
    path = tmp_path / "data.jsonl"
    records = [{"text": "a", "label": 1}, {"text": "b\u2028c", "label": None}, {"text": True}]
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    table = read_table(str(path))
    assert table.cells("text") == ["a", "b\u2028c", "true"]
    assert table.cells("label") == ["1", "", ""]
    assert table.lines == (1, 3, 5)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("[1, 2]", "list"),
        ('"text"', "str"),
        ('{"text": ', "not JSON"),
        ('{"text": "\\ud83d"}', "surrogate"),
        ("[" * 200_000, "line 2"),
        ('{"n": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_a_line_that_is_no_object_is_named(tmp_path, line, word):
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a"}\n' + line + "\n")
    with pytest.raises(InputError, match="line 2") as caught:
        read_table(str(path))
    assert word in str(caught.value)


def test_a_nested_cell_is_named_only_where_its_column_is_used(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a", "tokens": ["a"]}\n')
    table = read_table(str(path))
    assert table.cells("text") == ["a"]
    with pytest.raises(InputError, match=r"row 1 \(line 1\): column 'tokens' holds a list"):
        table.cells("tokens")


def test_parquet_reads_as_csv_does(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "data.parquet"
    parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": [1.0, None]}), path)
    table = read_table(str(path))
    assert (table.cells("text"), table.cells("label")) == (["a", "b"], ["1.0", ""])
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="not a whole Parquet file"):
        read_table(str(path))


@pytest.mark.parametrize(
    ("source", "module"), [("data.parquet", "pyarrow"), ("hub:owner/name", "datasets")]
)
def test_a_missing_extra_is_named(tmp_path, monkeypatch, source, module):
    (tmp_path / "data.parquet").write_bytes(b"PAR1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r"pip install 'acgan-bert\[hub\]'"):
        read_table(source)


def test_odd_paths_are_missing_files(tmp_path):
    for name in [
        "x" * 5000,
        "~nobody-of-that-name/data.csv",
        "a\0b",
        str(tmp_path / "f.csv" / "g"),
    ]:
        with pytest.raises(InputError, match="no such file"):
            read_table(name)
