"""Maps of a study of depths: one reference for all, as many of each kind, nothing without fakes."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from analysis.study_maps import depth_series, kept_fakes, placed_maps
from analysis.study_reading import read_study
from tests.analysis import study_folder

LABELS = np.arange(40) % 2


def blobs(rng, spread=1.0):
    return (3.0 * LABELS[:, None] + spread * rng.normal(size=(40, 6))).astype(np.float32)


def keep(folder, row, fake, real, labels=LABELS):
    """Write the file of a row as a study does."""
    (folder / "maps").mkdir(exist_ok=True)
    tensors = {"real": real, "fake": fake, "labels": labels}
    content = save(tensors, {"classes": json.dumps(["bad", "good"])})
    (folder / "maps" / f"{row}.safetensors").write_bytes(content)


@pytest.fixture
def study(tmp_path):
    """Return the folder of a study of 2 x 2 depths that keeps the fakes of its diagonal."""
    folder, rng = tmp_path / "study", np.random.default_rng(0)
    study_folder.depth_study(folder, seeds=2, levels=2)
    real = blobs(rng)
    for row in ("r0003", "r0000"):  # the deeper one first
        keep(folder, row, blobs(rng, spread=0.5), real)
    return folder


def test_fakes_of_every_depth_lie_on_one_map_of_the_real_rows(study):
    kept = kept_fakes(read_study(study))
    assert list(kept.frames) == ["depths 1 and 1", "depths 2 and 2"]
    maps = placed_maps(kept)
    assert [len(panel.points_fake) for panel in maps] == [len(maps[0].points_real)] * 2
    assert np.array_equal(maps[0].points_real, maps[1].points_real)
    for panel in maps:  # the classes lie apart, and each fake among real rows of its own
        squared = ((panel.points_fake[:, None] - panel.points_real[None]) ** 2).sum(axis=2)
        nearest = squared.argmin(axis=1)
        asked, found = LABELS[panel.fake_rows], LABELS[panel.real_rows][nearest]
        assert (asked == found).mean() > 0.95
    again = placed_maps(kept)[1]
    assert np.array_equal(maps[1].points_fake, again.points_fake)


def test_the_page_has_them_and_a_study_without_fakes_has_none(study, tmp_path):
    figure = depth_series(read_study(study))
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == ["depths 1 and 1", "depths 2 and 2"]
    (study / "maps" / "r0003.safetensors").unlink()
    assert depth_series(read_study(study)) is None
    assert depth_series(read_study(study_folder.depth_study(tmp_path / "other", seeds=2))) is None


def test_what_does_not_belong_together_is_named(study):
    real = kept_fakes(read_study(study)).real
    keep(study, "r0003", real, real + 1.0)
    with pytest.raises(ValueError, match=r"r0003.safetensors: found other real rows .*; remove it"):
        kept_fakes(read_study(study))
    keep(study, "r0003", real[1:], real)
    with pytest.raises(ValueError, match=r"r0003.safetensors: damaged.*; remove it"):
        kept_fakes(read_study(study))
    (study / "maps" / "r0003.safetensors").write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"r0003.safetensors: damaged.*; remove it"):
        kept_fakes(read_study(study))
