"""A recipe in the terms of mtl: what the one says by default, the other means by default."""

from dataclasses import replace

from acgan_bert.multitask_settings import (
    contrastive_settings,
    head_settings,
    loop_settings,
    model_settings,
    task_data,
)
from acgan_bert.recipe import Recipe, TaskRecipe
from mtl.bert.heads import HeadSettings
from mtl.bert.model import ModelSettings
from mtl.pretraining import ContrastiveSettings
from mtl.settings import LoopSettings, TaskData


def test_defaults_of_a_recipe_are_those_of_mtl():
    assert loop_settings(Recipe()) == LoopSettings()
    assert contrastive_settings(Recipe()) == ContrastiveSettings()
    assert head_settings(TaskRecipe()) == HeadSettings()
    assert task_data(TaskRecipe(), None, None) == TaskData(train=None)


def test_default_model_differs_in_the_encoder_alone():
    """The recipe's is frozen, as the GAN needs it; a model of tasks alone trains it."""
    assert replace(model_settings(Recipe()), train="finetune") == ModelSettings()


def test_a_default_stage_leaves_checkpoints_to_go_on_from():
    stage = ContrastiveSettings()
    assert stage.updates >= 4 * stage.record_every


def test_the_ascent_of_a_recipe_is_that_of_smart():
    recipe = Recipe()
    smart = replace(recipe.smart, epsilon=0.5, step_size=0.25, steps=3, weight=2.0)
    found = loop_settings(replace(recipe, smart=smart)).smart
    assert (found.weight, found.ascent.epsilon) == (2.0, 0.5)
    assert (found.ascent.step_size, found.ascent.steps) == (0.25, 3)
