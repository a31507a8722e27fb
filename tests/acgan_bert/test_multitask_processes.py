"""``torchrun … -m acgan_bert train``: two processes leave the run that one leaves."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.acgan_bert.task_files import small, write_tasks

pytestmark = pytest.mark.processes
ROOT = Path(__file__).parents[2]
LAUNCHER = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def test_two_processes_leave_the_run_of_one(tmp_path, encoder_folder):
    """With PCGrad, and without dropout, of which each process has a stream of its own."""
    encoder = tmp_path / "encoder"
    shutil.copytree(encoder_folder, encoder)
    config = json.loads((encoder / "config.json").read_text("utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (encoder / "config.json").write_text(json.dumps(config), "utf-8")
    off = [word for task in ("sentiment", "paraphrase", "similarity")
           for word in (f"--tasks.{task}.dropout", "0")]  # fmt: skip
    flags = ["train", "mtl-pcgrad", *write_tasks(tmp_path), *small(encoder), *off]
    for name, launcher in {"one": [], "two": LAUNCHER}.items():
        command = [sys.executable, *launcher, "-m", "acgan_bert", *flags]
        done = subprocess.run(
            [*command, "--out", str(tmp_path / name)],
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("reading data and encoder") == 1
    one, two = tmp_path / "one", tmp_path / "two"
    counts = [json.loads((run / "env.json").read_text("utf-8"))["processes"] for run in (one, two)]
    assert counts == [1, 2]
    expected, found = (load_file(run / "model" / "model.safetensors") for run in (one, two))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        # Softmax does not see it: its gradient is rounding, which AdamW makes a whole step of.
        if not name.endswith("attention.self.key.bias"):
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5, msg=name)
    steps = [
        [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (one, two)
    ]
    assert steps[0] == steps[1] == [3, 6]
