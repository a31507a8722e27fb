"""The closing lines of a run on the command line."""

import json

from acgan_bert.terminal import show_run
from tests.analysis.joint_run import write_joint_run
from tests.analysis.multitask_run import write_multitask_run


def shown(run, capsys):
    """Return the lines that a finished run ends with."""
    show_run(run, json.loads((run / "result.json").read_text("utf-8")))
    return capsys.readouterr().out.splitlines()


def test_the_generator_of_each_measured_task_stands_beside_floor_and_gaussian(tmp_path, capsys):
    lines = shown(write_joint_run(tmp_path / "run", evaluations=1), capsys)
    assert [line for line in lines if line.startswith("generator")] == [
        "generator of sentiment: Fréchet distance 1.5; real against real 0.5; class Gaussian 0.75"
    ]
    assert any("mean of the tasks" in line for line in lines)


def test_a_run_without_a_gan_says_nothing_of_generators(tmp_path, capsys):
    lines = shown(write_multitask_run(tmp_path / "run", evaluations=1), capsys)
    assert not [line for line in lines if line.startswith("generator")]
