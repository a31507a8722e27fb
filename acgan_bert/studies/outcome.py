"""What a row came to, as flat numbers for the table."""

from collections.abc import Mapping
from typing import Any

from acgan_bert.recipe import Recipe
from acgan_bert.studies.sizes import PlayerSizes

_LEFT_OUT = ("rows",)
_OF_RIVAL = ("frechet_distance", "kernel_distance")
_USE = ("train_on_fake", "test_on_fake", "augmentation", "two_sample")


def measures_of(
    result: Mapping[str, Any], recipe: Recipe, *, sizes: PlayerSizes | None
) -> dict[str, float | None]:
    """Flatten the result of a run of one task, or of several.

    Args:
        result: With the keys of ``result.json``: ``test``, ``dev``, ``baselines``, ``generator``,
            ``labels``.
        recipe: Of the row.
        sizes: Parameters of the players; None where there are none to count.

    Returns:
        Scores on the test part, else dev, under their own names; ``baseline.NAME``, an accuracy;
        measures of the generator with their floors, what its fakes are good for among them, and of
        the class Gaussian beside it; labels, steps and parameters. Of several tasks, each under
        ``TASK.NAME``, and the mean score. What is neither number nor None is left out.
    """
    scores = result.get("test") or result.get("dev") or {}
    if "tasks" in result:
        return _of_tasks(scores, result.get("generator") or {})
    found = _numbers(scores)
    if result.get("test") and result.get("dev"):
        found["dev_accuracy"] = result["dev"]["accuracy"]
    for name, baseline in (result.get("baselines") or {}).items():
        found[f"baseline.{name}"] = baseline.get("accuracy")
    found |= _of_generator(result.get("generator") or {})
    found |= _numbers(result.get("labels") or {})
    if sizes is not None:
        found["steps"] = recipe.training.steps
        found["parameters"] = sum(sizes)
        found["generator_parameters"] = sizes.generator
        found["discriminator_parameters"] = sizes.discriminator
    return found


def _of_generator(generator: Mapping[str, Any]) -> dict[str, float | None]:
    found = _numbers(generator)
    for row in generator.get("use") or ():
        if row["class"] == "overall" and row["measure"] in _USE:
            found |= {row["measure"]: row["value"], f"{row['measure']}_floor": row["floor"]}
    rival = (generator.get("baselines") or {}).get("class_gaussian") or {}
    return found | {f"class_gaussian.{name}": rival[name] for name in _OF_RIVAL if name in rival}


def _of_tasks(scores: Mapping[str, Any], generators: Mapping[str, Any]) -> dict[str, float | None]:
    found: dict[str, float | None] = {"mean": (scores.get("overall") or {}).get("mean")}
    for task, own in scores.items():
        if task != "overall":
            numbers = _numbers(own) | _of_generator(generators.get(task) or {})
            found |= {f"{task}.{name}": value for name, value in numbers.items()}
    return found


def _numbers(values: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        name: value
        for name, value in values.items()
        if name not in _LEFT_OUT
        and (value is None or (isinstance(value, int | float) and not isinstance(value, bool)))
    }
