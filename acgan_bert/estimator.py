"""The scikit-learn face: fit, predict, sample, save, load.

Texts are encoded and cached; a float matrix is taken as embeddings that the user already has.
Of scikit-learn's ``check_estimator``, the checks apply to matrix input and pass; text input is a
list of strings, which those checks do not cover.
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from acgan_bert.adapted import ENCODER_FOLDER, adapted_encoder, encoder_of, write_moved
from acgan_bert.encoding import (
    check_same_encoder,
    embed_rows,
    open_encoder,
    read_encoder_recipe,
    read_identity,
    write_identity,
)
from acgan_bert.estimator_input import (
    encode_labels,
    is_text,
    plain_value,
    seed_of,
    unlabeled_corpus,
)
from acgan_bert.finetuning import finetune, task_sections
from acgan_bert.model import GANModel
from acgan_bert.recipe import EncoderRecipe, Recipe
from acgan_bert.recipe_io import check_recipe, load_recipe
from acgan_bert.trainer import TrainingRows, train_gan
from acgan_bert.transfer import checked_start
from mtl.bert.encoder import TextEncoder
from mtl.errors import InputError
from mtl.files import write_json
from mtl.text.data import Corpus

SETTINGS = "estimator.json"


def _vectors(
    texts: Sequence[str], encoder: TextEncoder, recipe: EncoderRecipe, *, cached: bool
) -> np.ndarray:
    return embed_rows(unlabeled_corpus(texts), encoder, recipe, cached=cached).vectors


class ACGANBertClassifier(ClassifierMixin, BaseEstimator):
    """Classify text from few labels, and generate embeddings by class.

    Args:
        encoder: Hub name, local path, or ``"offline"``; not used for matrix input. None: the
            recipe's.
        recipe: Shipped recipe or YAML file that gives everything which is not set here. None:
            ``default``, or ``finetune`` where ``mode`` trains the encoder.
        generator_depth: Hidden layers of the generator; None: the recipe's.
        members: GANs trained as one program, their probabilities averaged; None: the recipe's.
        steps: Updates of each player; None: the recipe's.
        mode: ``frozen``, ``finetune``, ``last`` or ``lora``: which of the encoder's weights are
            trained along, by one GAN; it needs texts. None: the recipe's.
        tasks: Tasks that are trained along, so that the encoder learns from their rows too: by
            ``sentiment``, ``paraphrase`` or ``similarity`` a file, ``hub:`` or ``demo:`` source.
        random_state: Seed, ``RandomState`` or None.

    Attributes:
        classes_: Class names or numbers, sorted, (C,).
        model_: The trained :class:`~acgan_bert.model.GANModel`.
        n_features_in_: Width of a matrix input; only set for that.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> X = np.concatenate([rng.normal(-1, 1, (50, 8)), rng.normal(1, 1, (50, 8))])
        >>> y = np.full(100, -1)
        >>> y[[0, 1, 50, 51]] = [0, 0, 1, 1]
        >>> clf = ACGANBertClassifier(members=1, steps=20, random_state=0).fit(X, y)
        >>> clf.predict_proba(X).shape, clf.sample(1, 3).shape
        ((100, 2), (3, 8))
    """

    encoder_: TextEncoder
    moved_: TextEncoder | None
    encoder_recipe_: EncoderRecipe
    fingerprint_: str
    _opened_as: tuple[str, str, int]
    """What :attr:`encoder_` was opened by: name, pooling, longest text."""

    def __init__(
        self,
        encoder: str | None = None,
        *,
        recipe: str | None = None,
        generator_depth: int | None = None,
        members: int | None = None,
        steps: int | None = None,
        mode: str | None = None,
        tasks: Mapping[str, str] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.encoder = encoder
        self.recipe = recipe
        self.generator_depth = generator_depth
        self.members = members
        self.steps = steps
        self.mode = mode
        self.tasks = tasks
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:  # noqa: ANN401 (anything array-like)
        """Train on labelled and unlabelled rows.

        Args:
            X: N texts, or an (N, D) float matrix of embeddings.
            y: N labels, strings or integers; -1 or None marks an unlabelled row.

        Raises:
            InputError: A value cannot be trained on; it is a ``ValueError``.
        """
        seed = seed_of(self.random_state)
        settings = self._resolved(seed)
        if is_text(X):
            labels, classes = encode_labels(y, count=len(X))
            rows = replace(unlabeled_corpus(X, tuple(map(str, classes))), labels=labels)
            self.model_, self.moved_ = self._fit_texts(rows, settings)
            self.encoder_recipe_ = settings.encoder
            self.fingerprint_ = (self.moved_ or self.encoder_).fingerprint()
            self.seed_, self.classes_, self.takes_text_ = seed, classes, True
            return self
        if self.tasks:
            raise InputError("tasks: they are trained along with an encoder; give a list of texts")
        if settings.adaptation.updates or settings.encoder.mode != "frozen":
            raise InputError(
                "X: an (N, D) matrix, but by recipe and mode the encoder is moved, for which it "
                "needs texts; give a list of strings, or another recipe and mode frozen"
            )
        if settings.training.start_from:
            raise InputError(
                "X: an (N, D) matrix, but the recipe's training.start_from needs texts, whose "
                "encoder can be compared; give a list of strings, or leave it out"
            )
        X = validate_data(self, X, dtype="numeric", ensure_min_samples=2)
        labels, classes = encode_labels(y, count=len(X))
        given = TrainingRows(np.asarray(X, dtype=np.float32), labels, tuple(map(str, classes)))
        self.model_, self.moved_ = train_gan(given, settings), None
        self.seed_, self.classes_, self.takes_text_ = seed, classes, False
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: ANN401
        """Return class probabilities (N, C), columns as in ``classes_``."""
        check_is_fitted(self)
        if self.takes_text_ != is_text(X) and not (self.takes_text_ and len(X) == 0):
            expected = "texts" if self.takes_text_ else "an (N, D) matrix"
            raise InputError(f"X: this classifier was fitted on {expected}; give the same kind")
        if self.takes_text_:
            vectors = _vectors(X, self._own_encoder(), self.encoder_recipe_, cached=False)
            return self.model_.predict_proba(vectors)
        X = validate_data(self, X, dtype="numeric", reset=False)
        return self.model_.predict_proba(np.asarray(X, dtype=np.float32))

    def predict(self, X: Any) -> np.ndarray:  # noqa: ANN401
        """Return the likeliest class of each row, (N,)."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def sample(self, label: Any, count: int) -> np.ndarray:  # noqa: ANN401
        """Draw fake embeddings of one class, (count, D) float32; the same ones at every call."""
        check_is_fitted(self)
        found = np.flatnonzero(self.classes_ == label)
        if len(found) == 0:
            raise InputError(
                f"label: {label!r} is not a class of this model; "
                f"known: {', '.join(map(repr, self.classes_.tolist()))}"
            )
        return self.model_.sample(np.full(count, found[0]), seed=self.seed_)

    def save(self, directory: str | Path) -> None:
        """Write the fitted classifier as safetensors and JSON; no pickle."""
        check_is_fitted(self)
        self.model_.save_pretrained(directory)
        if self.takes_text_:
            task = unlabeled_corpus((), tuple(map(str, self.classes_))).task
            write_identity(Path(directory), task, self.encoder_recipe_, self.fingerprint_)
        if self.moved_ is not None:
            write_moved(self.moved_, Path(directory))
        parameters = {name: plain_value(value) for name, value in self.get_params().items()}
        if isinstance(parameters["random_state"], np.random.RandomState):
            parameters["random_state"] = None  # a stream cannot be named; the weights are kept
        content = {
            "parameters": parameters,
            "seed": self.seed_,
            "classes": self.classes_.tolist(),
            "takes_text": self.takes_text_,
        }
        write_json(Path(directory) / SETTINGS, content)

    @classmethod
    def load(cls, directory: str | Path) -> "ACGANBertClassifier":
        """Read what :meth:`save` wrote.

        Raises:
            InputError: The directory holds no saved classifier, or one that is damaged.
        """
        model = GANModel.from_pretrained(directory)
        try:
            content = json.loads((Path(directory) / SETTINGS).read_text("utf-8"))
            loaded = cls(**content["parameters"])
            loaded.classes_ = np.array(content["classes"])
            loaded.seed_, loaded.takes_text_ = content["seed"], content["takes_text"]
        except (OSError, UnicodeDecodeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise InputError(
                f"{directory}: {SETTINGS} is missing or damaged ({error}); save it again"
            ) from error
        loaded.model_, loaded.moved_ = model, None
        if not loaded.takes_text_:
            loaded.n_features_in_ = model.dimension
            return loaded
        loaded.encoder_recipe_ = read_encoder_recipe(Path(directory))
        loaded.fingerprint_ = read_identity(Path(directory))[1]
        if (Path(directory) / ENCODER_FOLDER).is_dir():
            loaded.moved_ = encoder_of(Path(directory), loaded.encoder_recipe_)
            check_same_encoder(loaded.moved_, loaded.fingerprint_, where=Path(directory))
        return loaded

    def _fit_texts(self, rows: Corpus, settings: Recipe) -> tuple[GANModel, TextEncoder | None]:
        """Move the encoder as the recipe says, and train; returns the moved one, if any."""
        others, frozen = task_sections(self.tasks), settings.encoder.mode == "frozen"
        if others and frozen:
            raise InputError("tasks: they are trained along with the encoder; use mode finetune")
        encoder = self._opened(settings.encoder)
        moved = None
        if settings.adaptation.updates:
            moved = adapted_encoder(settings, rows, encoder)
        if not frozen:
            moved = moved or deepcopy(encoder)
            return finetune(settings, rows, moved, others=others)[0], moved
        checked_start(settings, encoder, rows.task)
        cached = moved is None  # nobody else will ask for a moved one's
        vectors = _vectors(rows.texts, moved or encoder, settings.encoder, cached=cached)
        return train_gan(TrainingRows(vectors, rows.labels, rows.task.classes), settings), moved

    def _resolved(self, seed: int) -> Recipe:
        moves = self.mode not in (None, "frozen")
        recipe = load_recipe(self.recipe or ("finetune" if moves else "default"))
        one = 1 if moves and self.members is None else self.members
        changes: dict[str, dict[str, Any]] = {
            "encoder": {"name": self.encoder, "mode": self.mode},
            "generator": {"depth": self.generator_depth},
            "training": {"members": one, "steps": self.steps},
        }
        sections = {
            name: replace(
                getattr(recipe, name),
                **{k: plain_value(v) for k, v in section.items() if v is not None},
            )
            for name, section in changes.items()
        }
        recipe = replace(recipe, seed=seed, **sections)
        check_recipe(recipe)
        return recipe

    def _own_encoder(self) -> TextEncoder:
        """Return the encoder that was fitted on; copies and loaded classifiers open it again."""
        if self.moved_ is not None:
            return self.moved_
        before = getattr(self, "encoder_", None)
        encoder = self._opened(self.encoder_recipe_)
        if encoder is not before:  # to hash all weights at each prediction would take longer
            try:
                check_same_encoder(encoder, self.fingerprint_, where="this classifier")
            except InputError:
                del self.encoder_
                raise
        return encoder

    def _opened(self, recipe: EncoderRecipe) -> TextEncoder:
        """Open an encoder, or take the one that is open where it is the same."""
        found: TextEncoder | None = getattr(self, "encoder_", None)
        wanted = recipe.name, recipe.pooling, recipe.max_length
        if found is None or self._opened_as != wanted:
            self.encoder_, self._opened_as = open_encoder(recipe), wanted
        return self.encoder_

    def __getstate__(self) -> dict[str, Any]:
        """Leave the encoder out of copies and pickles: it is loaded again by name."""
        return {k: v for k, v in super().__getstate__().items() if k != "encoder_"}

    def __sklearn_tags__(self) -> Tags:
        """Say that strings are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags
