import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from acgan_bert import run
from acgan_bert.ensemble import Ensemble
from acgan_bert.gan.space import PrincipalSpace
from acgan_bert.member import Member
from acgan_bert.real_rows import RealRows
from acgan_bert.trainer import HeldOut, TrainingRows, train_gan
from acgan_bert.watch import CollapseWatch
from mtl import rows as of_rows
from mtl.bert.store import write_matrix
from mtl.errors import InputError
from mtl.rows import HELD_BYTES, Selection
from tests.properties import assert_same_bits
from tests.toy import blobs, tiny_recipe

VECTORS, TRUTH, LABELS = blobs(rows=60, labeled=4)
CLASSES = ("down", "up")


@pytest.fixture
def streamed(monkeypatch):
    """Hold nothing, and work in blocks of 16 rows."""
    monkeypatch.setattr(of_rows, "HELD_BYTES", 0)
    monkeypatch.setattr(of_rows, "BLOCK_BYTES", 16 * 4 * VECTORS.shape[1])


def scattered(vectors):
    """Return the same rows as a choice from a matrix that has others too, in another order."""
    order = np.random.default_rng(3).permutation(2 * len(vectors))[: len(vectors)]
    matrix = np.full((2 * len(vectors), vectors.shape[1]), np.nan, dtype=np.float32)
    matrix[order] = vectors
    return Selection(matrix, order)


def test_streamed_coordinates_are_those_of_rows_that_are_held(streamed):
    space = PrincipalSpace.fit(torch.from_numpy(VECTORS))
    real = RealRows(scattered(VECTORS))
    assert real.shape == VECTORS.shape
    torch.testing.assert_close(real.space.scale, space.scale)
    torch.testing.assert_close(real.space.variance_D, space.variance_D)
    real.space.load_state_dict(space.state_dict())  # eigenvectors may have another sign
    expected_ND = space.standardize(torch.from_numpy(VECTORS))
    torch.testing.assert_close(real[:], expected_ND)
    rows_EB = torch.tensor([[0, 7, 7], [119, 3, 1]])
    torch.testing.assert_close(real[rows_EB], expected_ND[rows_EB])
    torch.testing.assert_close(real[torch.from_numpy(TRUTH == 1)], expected_ND[TRUTH == 1])


def trained(vectors, **options):
    records = []
    model = train_gan(
        TrainingRows(vectors, LABELS, CLASSES),
        tiny_recipe(training__members=2, watch__every_steps=2),
        dev=HeldOut(VECTORS, TRUTH),
        record=records.append,
        watch=CollapseWatch(CLASSES),
        **options,
    )
    for record in records:
        del record["seconds"]
    return model, records


def test_training_on_streamed_rows_gives_the_same_numbers(monkeypatch, request):
    held, expected = trained(VECTORS)
    request.getfixturevalue("streamed")
    # What is left to differ is how the sums of the covariance are rounded.
    model, records = trained(scattered(VECTORS))
    assert [record.keys() for record in records] == [record.keys() for record in expected]
    for found, of_held in zip(records, expected, strict=True):
        assert found == pytest.approx(of_held, rel=1e-3, abs=1e-4)
    np.testing.assert_allclose(model.predict_proba(VECTORS), held.predict_proba(VECTORS), atol=1e-4)


def test_a_run_on_streamed_rows_comes_to_the_same(small_run, small_recipe, tmp_path, streamed):
    """Embeddings, training, scores, baselines, and the measures of the generator."""
    out = run.train(small_recipe, tmp_path / "small")
    found, expected = (json.loads((of / "result.json").read_text()) for of in (out, small_run))
    for part in ("test", "dev"):
        assert found[part]["accuracy"] == expected[part]["accuracy"]
        assert found[part]["log_loss"] == pytest.approx(expected[part]["log_loss"], abs=1e-3)
    known = expected["baselines"]["logistic_regression"]["accuracy"]
    assert found["baselines"]["logistic_regression"]["accuracy"] == known
    for name in ("frechet_distance", "kernel_distance", "coverage"):
        assert found["generator"][name] == pytest.approx(expected["generator"][name], rel=0.02)


def test_a_streamed_ensemble_goes_on_with_the_same_bits(streamed):
    rows = scattered(VECTORS)
    first, second = (
        Ensemble(rows, [Member(tiny_recipe(), LABELS, 5)], num_classes=2) for _ in "ab"
    )
    for _ in range(3):
        first.step()
    second.load_state(first.state())
    for ensemble in (first, second):
        ensemble.step()
    assert_same_bits(first.state(), second.state())


def test_a_row_that_is_not_finite_is_named_in_whichever_block(streamed):
    vectors = VECTORS.copy()
    vectors[50, 2] = np.nan
    with pytest.raises(InputError, match="row 50 holds NaN"):
        trained(vectors)


@pytest.mark.processes
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the limit counts what is held on Linux only"
)
def test_training_needs_less_memory_than_its_rows_take(tmp_path):
    """307 MB of rows and 240 MB to train in: enough, and not without streaming."""
    block = np.random.default_rng(0).standard_normal((30_000, 128)).astype(np.float32)
    block[:, 5] += np.where(np.arange(len(block)) % 2, 4, -4)
    shape = (20 * len(block), 128)
    write_matrix(tmp_path / "rows", lambda first: (block for _ in range(20)), shape=shape)
    cap = 240_000_000
    assert cap < HELD_BYTES < 4 * shape[0] * shape[1]
    command = [sys.executable, "-m", "tests.acgan_bert.capped_training", str(tmp_path / "rows")]
    # Of one arena: threads that meet at malloc are given more, on a busy machine rather than not.
    calm = os.environ | {"MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(
        [*command, str(cap)], capture_output=True, text=True, check=False, env=calm
    )
    shutil.rmtree(tmp_path / "rows")  # pytest would keep the last three
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "MemoryError" in found["held"]
    assert found["streamed"] > 0.95
