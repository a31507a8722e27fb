"""What users get wrong: each case makes a command and says what its error line must name."""

import fcntl
import shutil
from dataclasses import dataclass, field

import numpy as np
from safetensors.numpy import load_file, save_file

from mtl.bert.toy import write_toy


@dataclass
class Place:
    """Where one case happens: a folder of its own, with good data, a run and an encoder."""

    folder: object
    run: object
    encoder: object
    flags: tuple[str, ...]
    held: list = field(default_factory=list)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def train(self, source, *more):
        data = ["--data.train", source, "--encoder.name", str(self.encoder)]
        return ["train", *data, "--out", str(self.folder / "out"), *more]

    def good(self):
        rows = "".join(f"a {word} film {i},{word}\n" for i in range(8) for word in ("good", "bad"))
        return self.write("good.csv", f"text,label\n{rows}")


CASES = {}


def case(*said):
    """Register a case: what makes the words of a command, and what its error line must say."""

    def register(function):
        CASES[function.__name__] = (function, said)
        return function

    return register


@case("no such file", "reviews.csv?")
def missing_file(at):
    at.write("reviews.csv", "text,label\n")
    return at.train(str(at.folder / "review.csv"))


@case("folder", "name a file in it")
def folder(at):
    return at.train(str(at.folder))


@case("empty.csv", "empty", "expected a header line")
def empty_file(at):
    return at.train(at.write("empty.csv", ""))


@case("head.csv", "only a header line", "add rows")
def header_only(at):
    return at.train(at.write("head.csv", "text,label\n"))


@case("colon.csv", "single column", "comma, tab")
def wrong_delimiter(at):
    return at.train(at.write("colon.csv", "text:label\ngood film:good\nbad film:bad\n"))


@case("good.csv", "'txt'", "text")
def unknown_column(at):
    return at.train(at.good(), "--data.text", "txt")


@case("twice.csv", "line 1", "'text' is named twice", "rename")
def duplicate_column(at):
    return at.train(at.write("twice.csv", "text,text,label\na,b,good\nc,d,bad\n"))


@case("bytes.csv", "binary", "save it as UTF-8")
def binary_bytes(at):
    return at.train(at.write("bytes.csv", b"text,label\n\x00\x01\x02,good\n"))


@case("wide.csv", "UTF-16", "save it as UTF-8")
def utf16_bytes(at):
    return at.train(at.write("wide.csv", "text,label\nfein,good\nschlecht,bad\n".encode("utf-16")))


@case("latin.csv", "line 2", "0xf6", "save it as UTF-8")
def latin1_bytes(at):
    return at.train(at.write("latin.csv", "text,label\nschön,good\nöde,bad\n".encode("latin-1")))


@case("ragged.csv", "line 3", "3 fields found, 2 expected", "quote")
def ragged_row(at):
    return at.train(at.write("ragged.csv", "text,label\nfine,good\nwell, well,bad\nbad,bad\n"))


@case("test.csv", "line 3", "'ugly' is unknown", "good")
def unknown_label_in_test(at):
    test = at.write("test.csv", "text,label\nfine,good\nwell,ugly\n")
    return at.train(at.good(), "--data.test", test)


@case("one.csv", "one class only", "'good'", "two classes")
def one_class_only(at):
    return at.train(at.write("one.csv", "text,label\nfine,good\nwell,good\n"))


@case("none.csv", "'label' holds no label", "label some rows")
def no_labelled_row(at):
    return at.train(at.write("none.csv", "text,label\nfine,\nwell,\n"))


@case("data.label_fraction: found 0.0", "(0, 1]")
def fraction_of_zero(at):
    return at.train(at.good(), "--data.label_fraction", "0")


@case("data.label_fraction: found 1.5", "(0, 1]")
def fraction_above_one(at):
    return at.train(at.good(), "--data.label_fraction", "1.5")


@case("labels_per_class is 9", "class 'bad' has 8", "give 8 at most")
def more_labels_per_class_than_there_are(at):
    return at.train(at.good(), "--data.labels_per_class", "9")


@case("encoder", "not finite")
def nan_embedding_matrix(at):
    encoder = at.folder / "nan-encoder"
    write_toy(encoder)
    weights = load_file(encoder / "model.safetensors")
    name = "embeddings.word_embeddings.weight"
    weights[name] = np.full_like(weights[name], np.nan)
    save_file(weights, encoder / "model.safetensors", metadata={"format": "pt"})
    return at.train(at.good(), "--encoder.name", str(encoder))


@case("run", "encoder", "train again")
def embedding_matrix_of_another_width(at):
    run = shutil.copytree(at.run, at.folder / "run")
    encoder = at.folder / "wide-encoder"
    write_toy(encoder, dimension=32)
    recipe = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(recipe.replace(str(at.encoder), str(encoder)))
    return ["predict", str(run), at.good()]


@case("no/such/folder", "offline")
def encoder_path_that_is_not_there(at):
    return at.train(at.good(), "--encoder.name", "/no/such/folder")


@case("'nobody/nothing'", "neither", "--encoder.name offline")
def encoder_name_that_cannot_be_reached(at):
    return at.train(at.good(), "--encoder.name", "nobody/nothing")


@case("mine.yaml, line 2", "'generator.dept'", "generator.depth?")
def unknown_recipe_key(at):
    recipe = at.write("mine.yaml", "generator:\n  dept: 3\n")
    return ["train", recipe, *at.train(at.good())[1:]]


@case("--generator.dept", "--generator.depth?")
def unknown_flag(at):
    return at.train(at.good(), "--generator.dept", "3")


@case("--generator.depth", "'two'", "whole number")
def wrong_type_of_a_flag(at):
    return at.train(at.good(), "--generator.depth", "two")


@case("mine.yaml, line 1", "training.clip", "'much'", "a number")
def wrong_type_in_a_recipe_file(at):
    recipe = at.write("mine.yaml", "training: {clip: much}\n")
    return ["train", recipe, *at.train(at.good())[1:]]


@case("generator.depth: found 17", "[1, 16]")
def depth_out_of_range(at):
    return at.train(at.good(), "--generator.depth", "17")


@case("discriminator.depth: found 0", "[1, 16]")
def depth_of_zero(at):
    return at.train(at.good(), "--discriminator.depth", "0")


@case("papre", "paper")
def unknown_recipe(at):
    return ["train", "papre", *at.train(at.good())[1:]]


@case("'trian'", "train?")
def unknown_verb(at):
    return ["trian", *at.train(at.good())[1:]]


@case("run", "already holds a run", "--out")
def directory_that_already_holds_a_run(at):
    run = shutil.copytree(at.run, at.folder / "run")
    return ["train", *at.flags, "--out", str(run)]


@case("out", "process", "--out")
def directory_that_another_process_writes(at):
    (at.folder / "out").mkdir()
    lock = (at.folder / "out" / ".lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    at.held.append(lock)
    return at.train(at.good())


@case("good.csv", "is a file", "--out")
def directory_that_is_a_file(at):
    data = at.good()
    return at.train(data, "--out", data)


@case("recipe.yaml", "acgan-bert train")
def model_directory_that_is_not_one(at):
    return ["predict", str(at.folder), at.good()]


@case("none", "acgan-bert train")
def run_that_is_not_there(at):
    return ["sample", str(at.folder / "none"), "--label", "good", "-n", "1"]


@case("run/model")
def damaged_safetensors(at):
    run = shutil.copytree(at.run, at.folder / "run")
    weights = next((run / "model").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-10] ^= 0xFF
    weights.write_bytes(content)
    return ["predict", str(run), at.good()]


@case("run/model")
def truncated_safetensors(at):
    run = shutil.copytree(at.run, at.folder / "run")
    weights = next((run / "model").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    return ["sample", str(run), "--label", "good", "-n", "1"]


@case("'godo' is unknown", "'good'?")
def unknown_label_to_sample(at):
    return ["sample", str(at.run), "--label", "godo", "-n", "1"]


@case("-n: found 0", "1 or more")
def no_fakes(at):
    return ["sample", str(at.run), "--label", "good", "-n", "0"]


@case("result.json", "want a run")
def report_of_a_folder_that_is_no_run(at):
    return ["report", str(at.folder)]


@case("good.csv", "the file that is read")
def prediction_over_its_own_input(at):
    data = at.good()
    return ["predict", str(at.run), data, "--out", data]


@case("folder", "nowhere", "make it first")
def prediction_into_no_folder(at):
    out = at.folder / "nowhere" / "labels.csv"
    return ["predict", str(at.run), at.good(), "--out", str(out)]


@case("good.csv", "'txt'", "text")
def unknown_column_to_predict(at):
    return ["predict", str(at.run), at.good(), "--data.text", "txt"]
