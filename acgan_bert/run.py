"""One recipe to one run directory: read, embed, train, compare, measure, draw, in this order.

Nothing is written before all input has been read and checked; the recipe is written last among
what :func:`resume` needs, so that a directory with a recipe can always be continued.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from acgan_bert.baselines import classifier_baselines
from acgan_bert.draw import draw
from acgan_bert.environment import describe_environment
from acgan_bert.inference import Embedded, Samples, embed, predict, sample
from acgan_bert.judge import (
    choose_reference,
    describe_fakes,
    measure,
    measure_class_gaussian,
    write_embeddings,
)
from acgan_bert.model import GANModel
from acgan_bert.parts import Parts, read_parts
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import check_recipe, dump_recipe
from acgan_bert.rundir import (
    CHECKPOINT,
    ENVIRONMENT,
    METRICS,
    MODEL,
    RECIPE,
    REPORT,
    RESULT,
    SPLIT,
    MetricsLog,
    claimed,
    logged,
    read_json,
    read_recipe,
    refuse_occupied,
)
from acgan_bert.scores import exact_mcnemar, paired_interval, score
from acgan_bert.sources import embed_rows, open_encoder, write_identity
from acgan_bert.trainer import HeldOut, TrainingRows, train_gan
from mtl.bert.encoder import TextEncoder
from mtl.errors import InputError
from mtl.files import write_json, write_text

__all__ = ["Embedded", "Progress", "Samples", "embed", "predict", "resume", "sample", "train"]

logger = logging.getLogger(__name__)
