"""Hub sources: a double stands in for ``datasets``, which itself reads a local folder once."""

import sys
from types import SimpleNamespace

import pytest

from mtl.errors import InputError
from mtl.text.data import read_corpus
from mtl.text.hub import read_hub


class Part(dict):
    """Columns that answer as a Dataset does; a ClassLabel is what has names."""

    def __init__(self, columns, names=None):
        super().__init__(columns)
        self.features = {
            name: SimpleNamespace(names=names if name == "label" else None) for name in columns
        }

    @property
    def column_names(self):
        return list(self)

    def __len__(self):
        return len(self["text"])


@pytest.fixture
def calls(monkeypatch):
    """Install the double; give what it was called with."""
    made = []
    names = ["poor", "fine"]
    parts = {
        "train": Part({"text": ["a", "b", "c"], "label": [0, 1, -1]}, names),
        "validation": Part({"text": ["d", "e"], "label": [1, 0]}, names),
    }

    def load_dataset(name, config):
        made.append((name, config))
        if name == "owner/gone":
            raise ConnectionError("Couldn't reach the Hub\nsecond line")
        return parts

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return made


def test_class_names_stand_for_numbers_and_hidden_labels_are_missing(calls):
    train = read_corpus("hub:owner/name:config")
    assert train.task.classes == ("fine", "poor")
    assert train.labels.tolist() == [1, 0, -1]
    dev = read_corpus("hub:owner/name", task=train.task, split="dev")
    assert dev.texts == ("d", "e")
    assert dev.labels.tolist() == [0, 1]
    assert calls == [("owner/name", "config"), ("owner/name", None)]


def test_a_part_that_is_not_there_and_an_empty_name_are_named(calls):
    with pytest.raises(InputError, match="no test part; it has train, validation"):
        read_hub("hub:owner/name", split="test")
    with pytest.raises(InputError, match="no data set is named"):
        read_hub("hub:", split="train")


def test_an_unreachable_hub_is_one_line_that_says_what_to_do(calls):
    with pytest.raises(InputError, match=r"Couldn't reach the Hub\); check .* offline, give a CSV"):
        read_hub("hub:owner/gone", split="train")


@pytest.mark.filterwarnings("default")  # what other packages warn of while they load
def test_a_local_folder_reads_through_the_real_package(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.csv").write_text("text,label\na,0\nb,1\n")
    (folder / "test.csv").write_text("text,label\nc,1\n")
    train = read_corpus(f"hub:{folder}")
    test = read_corpus(f"hub:{folder}", task=train.task, split="test")
    assert train.task.classes == ("0", "1")
    assert (test.texts, test.labels.tolist()) == (("c",), [1])
