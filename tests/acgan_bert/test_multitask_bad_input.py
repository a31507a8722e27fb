"""Mistakes in multitask training: exit 2, one ``error:`` line with place and remedy, no run."""

import json
import shutil

import pytest

from acgan_bert import cli, multitask_run, run
from tests.acgan_bert.task_files import small, write_tasks
from tests.acgan_bert.test_bad_input import assert_one_error_line, snapshot

PAIRS = "sentence1,sentence2,{}\n"


def files(folder):
    """Return every file below a folder with its bytes, but for logs, which may grow."""
    return {path: content for path, content in snapshot(folder).items() if path.name != "log.txt"}


def missing(said, error):
    """Return what the error line should say and does not."""
    return [part for part in said if part not in error]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, encoder_folder):
    """A finished run. Do not write into it."""
    folder = tmp_path_factory.mktemp("finished")
    words = ["train", "mtl-interleaved", *write_tasks(folder), *small(encoder_folder)]
    assert cli.main([*words, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def refused(tmp_path, encoder_folder, monkeypatch, capfd):
    """Return a function that runs words which must be refused, and returns the error line."""
    monkeypatch.chdir(tmp_path)
    flags = write_tasks(tmp_path)

    def run(*more, words=None):
        if words is None:
            words = ["train", "mtl-interleaved", *flags, *small(encoder_folder), *more]
            words += ["--out", "out"]
        before = files(tmp_path)
        capfd.readouterr()
        assert cli.main([str(word) for word in words]) == 2
        captured = capfd.readouterr()
        assert_one_error_line(words, captured, said=())
        assert files(tmp_path) == before
        return captured.err

    return run


@pytest.mark.parametrize(
    ("name", "content", "flag", "said"),
    [
        ("one.csv", "text,label\na,0\nb,1\n", "paraphrase.train", ["one.csv", "text_pair"]),
        (
            "odd.csv",
            PAIRS.format("similarity") + "a,b,1\nc,d,7.5\n",
            "similarity.train",
            ["odd.csv", "line 3", "7.5", "0 to 5"],
        ),
        (
            "word.csv",
            PAIRS.format("similarity") + "a,b,1\nc,d,high\n",
            "similarity.train",
            ["word.csv", "line 3", "high"],
        ),
        (
            "new.csv",
            "sentence,sentiment\na good film,0\na bad film,9\n",
            "sentiment.dev",
            ["new.csv", "9"],
        ),
        (
            "three.csv",
            PAIRS.format("is_duplicate") + "a,b,0\nc,d,1\ne,f,2\n",
            "paraphrase.train",
            ["three.csv", "3 classes", "--tasks.paraphrase.label"],
        ),
        (
            "scores.csv",
            "sentence,sentiment\na,0.5\nb,1.25\n",
            "sentiment.train",
            ["scores.csv", "scores from", "sentiment has classes"],
        ),
        (
            "pairs.csv",
            PAIRS.format("sentiment") + "a,b,0\nc,d,1\n",
            "sentiment.train",
            ["pairs.csv", "pairs of sentences", "no sentiment"],
        ),
    ],
)
def test_a_wrong_file_is_named(name, content, flag, said, refused, tmp_path):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert missing(said, refused(f"--tasks.{flag}", name)) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--tasks.similarity.train", "nowhere.csv"], ["nowhere.csv", "no such file"]),
        (["--tasks.paraphrase.text_pair", "second"], ["'second'", "sentence2"]),
        (["--tasks.sentiment.labels_per_class", "50"], ["sentiment-train.csv: labels_per_class"]),
        (["--multitask.surgery", "pcgard"], ["pcgard", "did you mean 'pcgrad'"]),
        (["--multitask.surgery", "torchjd:Nothing"], ["Nothing"]),
        (["--multitask.surgery", "pcgrad", "--multitask.order", "annealed"], ["never act"]),
        (["--multitask.order", "pairs"], ["pairs"]),
        (
            ["--multitask.order", "pairs", "--multitask.pairs=[sentiment]"],
            ["'sentiment' is no pair", "sentiment+paraphrase"],
        ),
        (
            ["--encoder.mode", "lora", "--encoder.lora_modules=[attention.nothing]"],
            ["attention.nothing", "attention.output.dense"],
        ),
        (["--sharing.adapter", "experts"], ["experts", "lora"]),
        (["--tasks.sentiment.head", "cosine-relu"], ["sentiment"]),
        (["--tasks.paraphrase.loss", "mean_squared_error"], ["mean_squared_error", "paraphrase"]),
        (["--tasks.sentiment.extra", "triplet"], ["sentiment", "triplet"]),
        (["--multitask.precision", "fp16"], ["fp16 needs a GPU"]),
        (["--multitask.batch_size", "1", "--multitask.accumulation", "2"], ["batch_size"]),
        (["--training.log_with", "tensorbord"], ["tensorbord", "tensorboard"]),
        (["--gan", "true"], ["training.members: 4", "there is one GAN; use 1"]),
        (["--joint.encoder_ema", "0.9"], ["joint.encoder_ema is of the GAN"]),
        (["--generator.width", "9"], ["generator.width is of the GAN", "the multitask BERT"]),
        (["--data.label_fraction", "0.1"], ["data.label_fraction", "the keys of tasks.sentiment"]),
        (["--encoder.pair", "cross"], ["encoder.pair is of the GAN"]),
        (["--encoder.precision", "float32"], ["encoder.precision is of the GAN"]),
        (["--training.steps", "5"], ["training.steps is of the GAN"]),
        (["--contrastive.kind", "both", "--multitask.surgery", "pcgard"], ["pcgard"]),
        (["--encoder.mode", "frozen", "--contrastive.kind", "both"], ["encoder"]),
        (["--multitask.clip", "-1"], ["multitask.clip", "-1"]),
        (["--tasks.sentiment.depht", "1"], ["did you mean --tasks.sentiment.depth"]),
    ],
)
def test_a_wrong_setting_is_named(more, said, refused):
    assert missing(said, refused(*more)) == []


def test_a_tracker_that_does_not_start_is_named(refused, monkeypatch):
    from accelerate.tracking import TensorBoardTracker

    def start(self):
        raise RuntimeError("no account")

    monkeypatch.setattr(TensorBoardTracker, "start", start)
    error = refused("--training.log_with", "tensorboard")
    assert missing(["tensorboard does not start", "no account"], error) == []


def test_surgery_with_one_task_is_named(refused, tmp_path, encoder_folder):
    one = ["--tasks.paraphrase.train", "", "--tasks.similarity.train", ""]
    words = ["train", "mtl-pcgrad", *write_tasks(tmp_path)[:4], *one, *small(encoder_folder)]
    assert missing(["1 task", "another task"], refused(words=words)) == []


def test_no_task_with_data_is_named(refused, encoder_folder):
    none = [word for task in ("sentiment", "paraphrase", "similarity")
            for word in (f"--tasks.{task}.train", "")]  # fmt: skip
    words = ["train", "mtl-baseline", *none, *small(encoder_folder)]
    assert missing(["no task has text", "--tasks.sentiment.train"], refused(words=words)) == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("multitask.surgery", "pcgrad", "an encoder that is trained"),
        ("joint.encoder_ema", "0.9", "an encoder that is trained"),
        ("tasks.sentiment.label_fraction", "0.5", "the multitask BERT (add --gan false"),
        ("sharing.shared_depth", "1", "the multitask BERT (add --gan false"),
    ],
)
def test_the_gan_on_frozen_embeddings_takes_no_key_of_other_training(key, value, said, refused):
    error = refused(words=["train", "default", f"--{key}", value])
    assert missing([f"{key} is of {said}", "frozen embeddings"], error) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--training.members", "2"], ["training.members: 2", "there is one GAN; use 1"]),
        (["--data.label_fraction", "0.1"], ["data.label_fraction", "the keys of tasks.sentiment"]),
        (["--training.steps", "9"], ["training.steps is of the GAN on one task", "multitask"]),
        (["--training.device", "auto"], ["training.device is of a GAN on frozen embeddings"]),
        (["--report.baselines", "[gan_bert]"], ["report.baselines", "on one task"]),
        (["--joint.encoder_ema", "1"], ["joint.encoder_ema: found 1.0", "[0, 1)"]),
        (["--multitask.surgery", "pcgard"], ["pcgard", "did you mean 'pcgrad'"]),
        (["--multitask.order", "pairs"], ["pairs"]),
        (["--multitask.precision", "fp16"], ["fp16 needs a GPU"]),
        (["--tasks.sentiment.head", "none"], ["tasks.sentiment.head", "none"]),
    ],
)
def test_what_the_gan_beside_the_multitask_bert_cannot_be_is_named(
    more, said, refused, tmp_path, encoder_folder, monkeypatch
):
    def start(*given):
        raise AssertionError("the GAN was started before its recipe was looked at")

    monkeypatch.setattr(multitask_run, "JointGAN", start)
    words = ["train", "joint", *write_tasks(tmp_path), *small(encoder_folder), *more]
    assert missing(said, refused(words=[*words, "--out", "out"])) == []


def test_several_processes_with_a_gan_are_refused(refused, tmp_path, encoder_folder, monkeypatch):
    monkeypatch.setattr(run, "process_count", lambda: 2)
    words = ["train", "joint", *write_tasks(tmp_path), *small(encoder_folder), "--out", "out"]
    assert missing(["2 processes: the GAN trains in one"], refused(words=words)) == []


def test_several_sources_are_not_embedded_as_one(refused):
    assert missing(["name the file to embed"], refused(words=["embed", "mtl-pcgrad"])) == []


def test_a_base_of_several_names_is_no_base(refused, tmp_path):
    (tmp_path / "mine.yaml").write_text("base: [mtl-pcgrad, mtl-cross]\n", "utf-8")
    assert (
        missing(["mine.yaml, line 1", "base", "several"], refused(words=["train", "mine.yaml"]))
        == []
    )


def test_using_a_run_wrongly_is_named(refused, finished, tmp_path):
    source = tmp_path / "sentiment-dev.csv"
    assert missing(["choose one with --task"], refused(words=["predict", finished, source])) == []
    assert (
        missing(
            ["topic", "predicts sentiment"],
            refused(words=["predict", finished, source, "--task", "topic"]),
        )
        == []
    )
    assert (
        missing(
            ["sentiment-dev.csv", "sentence"],
            refused(words=["predict", finished, source, "--task", "paraphrase"]),
        )
        == []
    )
    assert (
        missing(["no generator"], refused(words=["sample", finished, "--label", "0", "-n", "2"]))
        == []
    )


def test_an_edited_recipe_is_named(refused, finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "result.json").unlink()
    text = (run / "recipe.yaml").read_text("utf-8")
    (run / "recipe.yaml").write_text(text.replace("shared_depth: 0", "shared_depth: 1"), "utf-8")
    assert (
        missing(["recipe.yaml", "edited since the run was started"], refused(words=["resume", run]))
        == []
    )


def test_changed_data_is_named(refused, finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "result.json").unlink()
    environment = json.loads((run / "env.json").read_text("utf-8"))
    environment["data"]["similarity.train"]["sha256"] = "0"
    (run / "env.json").write_text(json.dumps(environment), "utf-8")
    assert missing(["similarity-train.csv", "changed since"], refused(words=["resume", run])) == []
