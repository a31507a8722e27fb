"""Maps on disk: what is written is read again, in the same bytes; damage is named."""

import json

import numpy as np
import pytest

from analysis import read_maps, write_maps
from tests.analysis.maps import map_of


def test_maps_are_read_as_they_were_written_but_for_rounding(tmp_path):
    maps = [
        map_of(7, 5, perplexity=98 / 3, frame="step 10"),
        map_of(7, 5, seed=1, name="é \u2028", method="pca", perplexity=None),
    ]
    write_maps(tmp_path / "maps.json", maps)
    for found, written in zip(read_maps(tmp_path / "maps.json"), maps, strict=True):
        for part in ("points_real", "points_fake"):
            np.testing.assert_allclose(getattr(found, part), getattr(written, part), rtol=5.1e-4)
        for part in ("real_rows", "fake_rows"):
            np.testing.assert_array_equal(getattr(found, part), getattr(written, part))
        for part in ("name", "method", "perplexity", "frame", "quality"):
            assert getattr(found, part) == getattr(written, part)


def test_equal_maps_give_equal_bytes_and_reading_loses_nothing(tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    write_maps(first, [map_of(6, 6)])
    write_maps(second, read_maps(first))
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["first.json", "second.json"]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "maps.json"
    write_maps(file, [map_of(4, 4)])
    before = file.read_bytes()
    with pytest.raises(ValueError, match="found nan; want finite numbers"):
        write_maps(file, [map_of(4, 4, points_real=np.full((4, 2), np.nan))])
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def rewritten(file, change):
    """Change the content of a file of one map."""
    write_maps(file, [map_of(5, 4)])
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def setting(**changes):
    return lambda content: content["maps"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(format=2), "found format 2; this version reads 1"),
        (lambda content: content.pop("format"), "damaged: want a format number"),
        (lambda content: content.pop("maps"), "damaged: 'maps' is missing"),
        (lambda content: content["maps"][0].pop("method"), "damaged: 'method' is missing"),
        (setting(real_rows=[0, 1]), "damaged: points_real is no finite matrix of 2 points"),
        (setting(fake_rows=[0, -1, 2, 3]), "damaged: fake_rows are no row numbers"),
        (setting(fake_rows=[]), "damaged: fake_rows are no row numbers"),
        (setting(points_fake=[[0, 1]] * 3 + [[0]]), "damaged: "),
        (setting(points_fake=[[0, float("nan")]] * 4), "damaged: points_fake is no finite"),
        (setting(frame=3), "damaged: name, method or frame is no text"),
        (setting(quality=[1]), "damaged: "),
        (setting(perplexity="many"), "damaged: "),
        (lambda content: content.update(maps=[None]), "damaged: "),
    ],
)
def test_damage_is_one_clear_error(tmp_path, change, message):
    file = tmp_path / "maps.json"
    rewritten(file, change)
    with pytest.raises(ValueError, match=message) as found:
        read_maps(file)
    assert str(found.value).startswith(str(file))
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3"])
def test_a_file_of_something_else_is_damaged(tmp_path, content):
    file = tmp_path / "maps.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged: .*; draw again"):
        read_maps(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"maps.json: cannot be read \(No such file"):
        read_maps(tmp_path / "maps.json")
