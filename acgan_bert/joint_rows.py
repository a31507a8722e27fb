"""Rows of text as the game beside a moving encoder sees them: vectors, start, and how far they go.

Shapes: B batch, N rows, D embedding.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acgan_bert.gan.space import PrincipalSpace
from acgan_bert.recipe import Recipe
from mtl.bert.embed import resolve_precision
from mtl.bert.model import MultitaskModel
from mtl.errors import InputError
from mtl.settings import TaskData
from mtl.text.tasks import Task
from mtl.text.tokens import TokenizedCorpus

START_ROWS = 2048
"""Rows of a task that are looked at all at once, labelled ones first."""
PROBE_ROWS = 128
"""Rows of a task whose movement is watched."""
SURE_ROWS = 16
"""Labelled rows of each class that are always among these, where it has as many."""
BLOCK_ROWS = 64
Autocast = Callable[[], AbstractContextManager[object]]
"""Opens the context of the forward passes."""


def row_vector(vectors: Sequence[Tensor]) -> Tensor:
    """Return the one vector (B, D) that stands for each row in the game.

    Of a sentence, or a pair read together, its own; of a triplet that of the pair read together; of
    a pair read apart abs(u - v), the part of SBERT's features that says how the two differ. The
    paper says nothing of pairs.
    """
    if len(vectors) == 2:
        u_BD, v_BD = vectors
        return (u_BD - v_BD).abs()
    return vectors[-1]


def felt(x: Tensor, weight: float) -> Tensor:
    """Return x, the same to the last bit, whose gradient is multiplied by a weight on its way."""
    kept = x.detach()
    return kept + weight * (x - kept)


def unit_scores(scores_B: Tensor, task: Task) -> Tensor:
    """Map scores from their range to 0 … 1; NaN stays."""
    return (scores_B - task.low) / (task.high - task.low)


def bucket_scores(buckets: Tensor, within: Tensor, task: Task) -> Tensor:
    """Return scores from 0 to 1 that lie in unit buckets, at a place in each from 0 to 1."""
    scores = (task.first_bucket + buckets + within - 0.5).clamp(task.low, task.high)
    return unit_scores(scores, task)


def as_embedded(model: MultitaskModel, precision: str) -> Autocast:
    """Return what opens the context of passes that embed: in ``encoder.precision``, as anywhere."""
    device = model.encoder.device
    halved = resolve_precision(precision, device) == "bfloat16"
    return partial(torch.autocast, device.type, torch.bfloat16, enabled=halved)


@torch.no_grad()
def row_vectors(
    model: MultitaskModel,
    task: str,
    tokens: TokenizedCorpus,
    rows: NDArray[np.int64],
    *,
    autocast: Autocast = nullcontext,
) -> Tensor:
    """Return the :func:`row_vector` of chosen rows, (n, D) float32 in the order given."""
    was_training = model.training
    model.eval()
    order = np.argsort(tokens.lengths[rows], kind="stable")
    blocks = np.split(order, range(BLOCK_ROWS, len(order), BLOCK_ROWS))
    with autocast():
        found = [row_vector(model.encode(task, tokens.batch(rows[block]))) for block in blocks]
    model.train(was_training)
    sorted_ND = torch.cat(found).float().cpu()
    vectors_ND = torch.empty_like(sorted_ND)
    vectors_ND[torch.from_numpy(order)] = sorted_ND
    return vectors_ND


def chosen_rows(labels: NDArray[np.int64], *, seed: int) -> NDArray[np.int64]:
    """Draw at most :data:`START_ROWS` rows, in order.

    Some of each class go before all others, labelled ones before unlabelled ones.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    turn = np.where(labels[shuffled] < 0, 2, 1)
    for label in np.unique(labels[labels >= 0]):
        turn[np.flatnonzero(labels[shuffled] == label)[:SURE_ROWS]] = 0
    return np.sort(shuffled[np.argsort(turn, kind="stable")][:START_ROWS])


def start_rows(
    model: MultitaskModel,
    data: Mapping[str, TaskData],
    recipe: Recipe,
    *,
    autocast: Autocast = nullcontext,
) -> tuple[Tensor, NDArray[np.int64], NDArray[np.int64]]:
    """Return vectors (N, D), labels (N,) within a task, and the place of the task (N,), of rows.

    Raises:
        InputError: Players are to begin at simple models, and a class has no labelled row.
    """
    vectors, labels, places = [], [], []
    for place, (name, task) in enumerate(data.items()):
        known = task.train.corpus.labels
        rows = chosen_rows(known, seed=recipe.seed)
        _check_start(recipe, task.train.corpus.task, known[rows])
        vectors.append(row_vectors(model, name, task.train, rows, autocast=autocast))
        labels.append(known[rows])
        places.append(np.full(len(rows), place))
    return torch.cat(vectors), np.concatenate(labels), np.concatenate(places)


def _check_start(recipe: Recipe, task: Task, labels: NDArray[np.int64]) -> None:
    player = recipe.discriminator
    starts = recipe.generator.warm_start or player.warm_start or len(player.spectra) > 1
    absent = set(range(task.num_classes)) - set(labels.tolist())
    if starts and absent:
        raise InputError(
            f"task {task.name!r}: no labelled row of class {task.classes[min(absent)]}, and a warm "
            "start needs one of each; label one, or use generator.warm_start false, "
            "discriminator.warm_start false and discriminator.spectra [0]"
        )


class Probe:
    """Some rows of each task, and where they were before training.

    Args:
        model: At its start.
        data: Rows of its tasks; labels are not looked at.
        space: The players' coordinates, in which real rows have mean square 1 at the start.
        seed: Of the choice.
        autocast: Opens the context of the forward passes.

    Attributes:
        latest: By task, the rows where they were when last looked at, (N, D).
    """

    def __init__(
        self,
        model: MultitaskModel,
        data: Mapping[str, TaskData],
        space: PrincipalSpace,
        *,
        seed: int,
        autocast: Autocast = nullcontext,
    ) -> None:
        self.space, self.autocast = space, autocast
        self.tokens = {name: task.train for name, task in data.items()}
        self.rows = {
            name: np.random.default_rng((seed, 1)).permutation(len(tokens))[:PROBE_ROWS]
            for name, tokens in self.tokens.items()
        }
        self.latest: dict[str, Tensor] = {}
        self.before = {name: self._now(model, name) for name in data}

    def moved(self, model: MultitaskModel) -> dict[str, float]:
        """Return ``moved_TASK``: root mean square of the rows' movement since the start.

        In units of the spread of all rows at the start: at 1 a row has moved as far as rows were
        apart from their mean.
        """
        return {
            f"moved_{name}": float((self._now(model, name) - before_ND).square().mean().sqrt())
            for name, before_ND in self.before.items()
        }

    def state(self) -> dict[str, Tensor]:
        """Return where the rows were, for a checkpoint."""
        return dict(self.before)

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned."""
        self.before = dict(state)

    def _now(self, model: MultitaskModel, name: str) -> Tensor:
        tokens, rows = self.tokens[name], self.rows[name]
        found = row_vectors(model, name, tokens, rows, autocast=self.autocast)
        there_ND = found.to(self.space.center_D.device)
        self.latest[name] = self.space.standardize(there_ND).cpu()
        return self.latest[name]
