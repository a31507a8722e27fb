"""What the watch on the generator measured is a panel of the learning curves, warnings marked."""

import pytest

from analysis import learning_curves

RECORDS = [
    {"step": step, "loss_generator": 1.0, "dev_accuracy": 0.5}
    | ({f"collapse/{name}_ratio": value for name in ("rank", "spread")} if step % 20 == 0 else {})
    | ({"collapse/warnings": float(value < 0.5)} if step % 20 == 0 else {})
    for step, value in ((10, 1.0), (20, 0.9), (30, 0.9), (40, 0.3))
]


def test_diversity_has_a_panel_with_the_steps_of_warnings():
    figure = learning_curves(RECORDS)
    panel = next(axis for axis in figure.axes if "Diversity" in axis.get_title("left"))
    rank, spread, warned = panel.lines
    assert rank.get_label() == "rank"
    assert list(rank.get_xdata()) == [20, 40]
    assert list(spread.get_ydata()) == [0.9, 0.3]
    assert list(warned.get_xdata()) == [40]
    assert "a warning of collapse" in panel.get_xlabel()
    assert panel.get_ylim()[0] == 0.0


@pytest.mark.parametrize("keep", [0, 1])
def test_without_a_watch_there_is_no_such_panel(keep):
    records = [
        {key: value for key, value in row.items() if not key.startswith("collapse/")}
        for row in RECORDS[keep:]
    ]
    titles = [axis.get_title("left") for axis in learning_curves(records).axes]
    assert titles == ["Losses", "Scores"]
