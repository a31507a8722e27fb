"""Adaptation: an encoder is moved so that texts of one class lie together, other classes apart.

First on the labelled rows alone (the target of SetFit, Tunstall et al. 2022), then in rounds: the
classes of unlabelled rows are guessed in the space as it is by then, and the surest guesses of each
class take part like labels (pseudo-labels, Lee 2013). A batch holds the classes in equal parts and
compares all its texts: B encodings give B (B - 1) / 2 pairs, where a loop over pairs gives B / 2.
Shapes: ``N`` rows, ``B`` batch, ``D`` vector of a row, ``C`` classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl.bert.embed import joined_pair
from mtl.bert.encoder import TextEncoder
from mtl.checkpoint import named, of_this_recipe, part_of, read_latest, write_checkpoint
from mtl.contrastive import class_cosine
from mtl.draws import balanced_rows, surest
from mtl.errors import InputError
from mtl.machine import autocast, choose_precision, update_stream
from mtl.optim import Optimization, parameter_groups
from mtl.record import Means, Progress, Record
from mtl.text.data import Corpus
from mtl.text.tokens import PairInput, Shown, TokenizedCorpus, window

Guess = Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float64]]
"""Takes vectors (n, D) and labels (n,), -1 unknown; returns class probabilities (n, C)."""

_BATCH, _DROPOUT, _CANDIDATES, _WINDOWS = 0, 1, 2, 3
"""Random streams of one seed."""
CHUNK_ROWS = 8
"""Rows of like length that are padded together; more pad more, fewer leave the processor idle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptationSettings:
    """How an encoder is moved.

    Args:
        updates: Updates on the labelled rows alone.
        rounds: Rounds with pseudo-labels after them.
        round_updates: Updates of each round.
        batch_size: Texts of an update, over all classes.
        labeled_share: Share of a round's batch that is drawn from the labelled rows.
        trusted_share: Share of the rows guessed to be of a class whose guess counts, surest first.
        candidates: Unlabelled rows whose class is guessed in a round; drawn anew each time.
        learning_rate: Largest learning rate; it warms up and then falls to 0 at the end.
        weight_decay: AdamW decay of matrices.
        warmup_share: Share of the updates that warm up.
        clip: Largest norm of the gradient; 0: no clipping.
        max_length: Tokens of a text in an update, of a longer one a run that is drawn anew each
            time: as dear as the beginning, and in the end all that the encoder reads is shown.
            Pairs that are read as one are cut there instead.
        record_every: Updates between two records, and checkpoints.
        seed: Seed of batches, dropout and candidates.
        precision: Of the forward passes, as for multitask training.

    Raises:
        InputError: A value is out of range.
    """

    updates: int
    rounds: int = 0
    round_updates: int = 20
    batch_size: int = 32
    labeled_share: float = 0.5
    trusted_share: float = 0.5
    candidates: int = 2000
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    clip: float = 1.0
    max_length: int = 64
    record_every: int = 20
    seed: int = 0
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name in ("updates", "round_updates", "candidates", "record_every", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"adaptation.{name}: {getattr(self, name)}; use more than 0")
        if self.batch_size < 4:
            raise InputError(
                f"adaptation.batch_size: {self.batch_size}; use 4 or more: two texts of two classes"
            )

    @property
    def updates_in_all(self) -> int:
        """Updates of all stages."""
        return self.updates + self.rounds * self.round_updates


def adapt(
    encoder: TextEncoder,
    corpus: Corpus,
    settings: AdaptationSettings,
    guess: Guess,
    *,
    pair: PairInput = "joined",
    record: Record | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> None:
    """Move an encoder.

    Args:
        encoder: Trained in place, but for its table of tokens; left in evaluation mode. Its
            vectors have unit norm from then on: it is their cosines that were trained.
        corpus: The rows that are used; a label that must not be seen is -1 in it.
        settings: How.
        guess: Gives the classes of unlabelled rows; asked at the beginning of a round.
        pair: How rows of two texts become vectors, as in :func:`~mtl.bert.embed.embed_corpus`.
        record: Called with ``step``, ``loss``, ``norm`` and, in rounds, ``trusted`` rows.
        checkpoint: Directory of checkpoints, of this stage alone; where it holds one, training goes
            on from it.
        progress: Called with (updates done, updates in all).

    Raises:
        InputError: Fewer than two classes are labelled.
    """
    trainer, means = AdaptationTrainer(encoder, corpus, settings, guess, pair=pair), Means()
    if checkpoint is not None and (saved := read_latest(checkpoint)) is not None:
        trainer.load_state(part_of(saved, "trainer."))
        means.load_state(part_of(saved, "means."))
    while (done := trainer.optimization.done) < settings.updates_in_all:
        means.add(trainer.advance())
        done += 1
        if progress is not None:
            progress(done, settings.updates_in_all)
        if done % settings.record_every and done < settings.updates_in_all:
            continue
        row = {"step": done} | means.take()
        if record is not None:
            record(row)
        if checkpoint is not None:
            state = named("trainer.", trainer.state()) | named("means.", means.state())
            write_checkpoint(checkpoint, state, step=done)
    encoder.eval()


class AdaptationTrainer:
    """The state of adaptation, advanced one update at a time.

    Args:
        encoder: Trained in place.
        corpus: N rows; -1 for a label that is not known.
        settings: How.
        guess: Gives the classes of unlabelled rows.
        pair: How rows of two texts become vectors.

    Raises:
        InputError: Fewer than two classes are labelled.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        corpus: Corpus,
        settings: AdaptationSettings,
        guess: Guess,
        *,
        pair: PairInput = "joined",
    ) -> None:
        labeled = np.flatnonzero(corpus.labels >= 0)
        if (classes := len(np.unique(corpus.labels[labeled]))) < 2:
            raise InputError(
                f"{corpus.source}: {classes} classes with labelled rows; adaptation tells classes "
                "apart, so label rows of two or more"
            )
        if not settings.rounds:  # the other rows take part in nothing
            corpus = corpus.select(labeled)
        self.encoder, self.settings, self.guess = encoder, settings, guess
        self.labels_N = corpus.labels
        self.pseudo_N = np.full(len(corpus), -1)
        crossed, longest = corpus.pairs is not None and pair == "cross", encoder.max_length
        self.tokens = TokenizedCorpus(
            corpus,
            encoder.tokenizer,
            pair_input=pair,
            max_length=min(settings.max_length, longest) if crossed else longest,
        )
        encoder.unit = True
        device = encoder.device
        self.autocast = partial(autocast, choose_precision(settings.precision, device), device)
        self.optimization = Optimization(
            _groups(encoder, settings),
            course="linear",
            warmup_share=settings.warmup_share,
            updates=settings.updates_in_all,
            clip=settings.clip,
        )

    def advance(self) -> dict[str, Tensor | float]:
        """Do one update; returns ``loss``, ``norm`` of the gradient and, in rounds, ``trusted``.

        Raises:
            DivergenceError: The gradient is not finite; nothing was changed.
        """
        number = self.optimization.done
        rounds, place = divmod(number - self.settings.updates, self.settings.round_updates)
        if rounds >= 0 and place == 0:
            self.pseudo_N = self._pseudo_labels(number)
        rows_B, classes_B = self._batch(number)
        self.encoder.train()
        self.optimization.optimizer.zero_grad()
        with update_stream(self.encoder.device, self.settings.seed, _DROPOUT, number):
            windows = np.random.default_rng((self.settings.seed, _WINDOWS, number))
            vectors_BD = self._encode(rows_B, windows)
            loss = class_cosine(vectors_BD, torch.from_numpy(classes_B).to(vectors_BD.device))
            loss.backward()
        found: dict[str, Tensor | float] = {**self.optimization.apply({"loss": loss.detach()})}
        trusted = int((self.pseudo_N >= 0).sum())
        return found | {"trusted": float(trusted)} if rounds >= 0 else found

    def state(self) -> dict[str, Tensor]:
        """Return a copy of everything that the next updates depend on, for a checkpoint."""
        tensors = named("encoder.", self.encoder.state_dict())
        tensors |= named("optimization.", self.optimization.state())
        tensors["pseudo_labels"] = torch.from_numpy(self.pseudo_N)
        return {key: value.detach().cpu().clone() for key, value in tensors.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned; an InputError where it is of another encoder."""
        with of_this_recipe():
            self.encoder.load_state_dict(part_of(state, "encoder."))
            self.optimization.load_state(part_of(state, "optimization."))
            self.pseudo_N = state["pseudo_labels"].numpy()

    def _batch(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of an update and their classes, known or guessed."""
        stream = np.random.default_rng((self.settings.seed, _BATCH, number))
        size = self.settings.batch_size
        rows = balanced_rows(self.labels_N, size, stream)
        if number >= self.settings.updates and (self.pseudo_N >= 0).any():
            kept = min(max(2, round(self.settings.labeled_share * size)), size - 2)
            rows = balanced_rows(self.labels_N, kept, stream)
            rows = np.concatenate([rows, balanced_rows(self.pseudo_N, size - kept, stream)])
        return rows, np.where(self.labels_N >= 0, self.labels_N, self.pseudo_N)[rows]

    def _pseudo_labels(self, number: int) -> NDArray[np.int64]:
        """Guess the classes of some unlabelled rows; -1 where the guess is not to be trusted."""
        pseudo_N = np.full(len(self.labels_N), -1)
        stream = np.random.default_rng((self.settings.seed, _CANDIDATES, number))
        unlabeled = stream.permutation(np.flatnonzero(self.labels_N < 0))
        unlabeled = np.sort(unlabeled[: self.settings.candidates])
        if not len(unlabeled):
            return pseudo_N
        rows = np.concatenate([np.flatnonzero(self.labels_N >= 0), unlabeled])
        self.encoder.eval()
        with torch.inference_mode():
            vectors = self._encode(rows, stream).cpu().numpy()
        guessed = self.guess(vectors, self.labels_N[rows])[-len(unlabeled) :]
        pseudo_N[unlabeled] = surest(guessed, self.settings.trusted_share)
        return pseudo_N

    def _encode(self, rows: NDArray[np.int64], stream: np.random.Generator) -> Tensor:
        """Encode rows in chunks of like length; their vectors come in the order given, float32."""
        shown = partial(window, stream=stream, size=self.settings.max_length)
        order = np.argsort(self.tokens.lengths[rows], kind="stable")
        chunks = np.array_split(order, -(-len(order) // CHUNK_ROWS))
        with self.autocast():
            encoded = [self._vectors(rows[chunk], shown) for chunk in chunks]
        back = torch.from_numpy(np.argsort(order)).to(self.encoder.device)
        return torch.cat(encoded)[back]

    def _vectors(self, rows: NDArray[np.int64], shown: Shown) -> Tensor:
        batch = self.tokens.batch(rows, shown)
        if batch.joint is not None:
            return self.encoder(batch.joint).float()
        assert batch.singles is not None  # a row is read in one of the two ways
        h_BD = self.encoder(batch.singles).float()
        if self.tokens.corpus.pairs is None:
            return h_BD
        return joined_pair(*h_BD.chunk(2))


def _groups(encoder: TextEncoder, settings: AdaptationSettings) -> list[dict[str, object]]:
    """Return the parameters that move: all but the table of tokens, half of a small encoder.

    Few texts hold few of its rows; decay would move the others, and each costs two moments.
    """
    encoder.requires_grad_(True)
    encoder.model.get_input_embeddings().requires_grad_(False)  # type: ignore[operator]
    return parameter_groups(
        encoder.named_parameters(),
        (),
        encoder_rate=settings.learning_rate,
        rest_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
