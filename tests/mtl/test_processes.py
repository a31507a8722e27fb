"""Two processes train as one does, agree on everything, and go on together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.properties import assert_same_bits

pytestmark = pytest.mark.processes
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Return the folder of one process and that of two."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    folders = {}
    for processes, prefix in ((1, []), (2, launcher)):
        folders[processes] = tmp_path_factory.mktemp(f"processes-{processes}")
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        script = [*prefix, "tests/mtl/two_processes.py", str(folders[processes])]
        done = subprocess.run(
            [sys.executable, *script],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads((folders[processes] / "processes-0.json").read_text()) == processes
    return folders


def tensors(folder, name, rank=0):
    return load_file(folder / f"{name}-{rank}.safetensors")


def report(folder, name, rank=0):
    return json.loads((folder / f"{name}-{rank}.json").read_text())


def test_two_processes_give_the_weights_and_losses_of_one_with_the_whole_batch(found):
    one, two = (tensors(found[processes], "updates") for processes in (1, 2))
    assert one.keys() == two.keys()
    # Softmax does not see a key's bias: its gradient is rounding, which AdamW scales up.
    gaps = {k: (one[k] - two[k]).abs().max().item() for k in one if "key.bias" not in k}
    assert max(gaps.values()) < 1e-5, max(gaps, key=gaps.get)


@pytest.mark.parametrize("name", ["updates", "whole", "contrastive"])
def test_processes_hold_the_same_weights(found, name):
    """They start from different heads: the main one's are sent to the other."""
    assert_same_bits(tensors(found[2], name, 1), tensors(found[2], name, 0))


def test_main_process_alone_evaluates_and_records_and_both_keep_the_best(found):
    main, other = (report(found[2], "whole", rank) for rank in (0, 1))
    assert main["evaluated"] > 0
    assert other["evaluated"] == 0
    assert other["records"] == []
    best = max(main["records"], key=lambda row: row["dev_mean"])
    assert main["best"] == other["best"] == best["step"]
    assert main["scores"] == other["scores"]
    assert main["scores"]["sentiment"]["accuracy"] == best["dev_sentiment_accuracy"]


def test_killed_processes_go_on_together_from_one_checkpoint(found):
    whole = tensors(found[2], "whole")
    for rank in (0, 1):
        assert_same_bits(tensors(found[2], "resumed", rank), whole)
    assert report(found[2], "resumed")["records"] == report(found[2], "whole")["records"][2:]
    assert len(list((found[2] / "checkpoint").iterdir())) == 1
    assert len(list((found[2] / "contrastive").iterdir())) == 1
