"""The scikit-learn face: fit, predict, sample, save, load.

Texts are encoded and cached; a float matrix is taken as embeddings that the user already has.
Of scikit-learn's ``check_estimator``, the checks apply to matrix input and pass; text input is a
list of strings, which those checks do not cover.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from acgan_bert.encoding import embed_rows, open_encoder
from acgan_bert.model import GANModel
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import check_recipe, load_recipe
from acgan_bert.trainer import TrainingRows, train_gan
from mtl.bert.encoder import TextEncoder
from mtl.errors import InputError
from mtl.files import write_json
from mtl.text.data import Corpus
from mtl.text.tasks import Task

SETTINGS = "estimator.json"


class ACGANBertClassifier(ClassifierMixin, BaseEstimator):
    """Classify text from few labels, and generate embeddings by class.

    Args:
        encoder: Hub name, local path, or ``"offline"``; not used for matrix input. None: the
            recipe's.
        recipe: Shipped recipe or YAML file that gives everything which is not set here.
        generator_depth: Hidden layers of the generator; None: the recipe's.
        discriminator_depth: Hidden layers of the discriminator; None: the recipe's.
        members: GANs trained as one program, their probabilities averaged; None: the recipe's.
        steps: Updates of each player; None: the recipe's.
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

    def __init__(
        self,
        encoder: str | None = None,
        *,
        recipe: str = "default",
        generator_depth: int | None = None,
        discriminator_depth: int | None = None,
        members: int | None = None,
        steps: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.encoder = encoder
        self.recipe = recipe
        self.generator_depth = generator_depth
        self.discriminator_depth = discriminator_depth
        self.members = members
        self.steps = steps
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:  # noqa: ANN401 (anything array-like)
        """Train on labelled and unlabelled rows.

        Args:
            X: N texts, or an (N, D) float matrix of embeddings.
            y: N labels, strings or integers; -1 or None marks an unlabelled row.

        Raises:
            InputError: A value cannot be trained on; it is a ``ValueError``.
        """
        self.seed_ = _seed(self.random_state)
        settings = self._resolved()
        if is_text(X):
            labels, self.classes_ = encode_labels(y, count=len(X))
            vectors = self._embed(X, settings)
        else:
            X = validate_data(self, X, dtype="numeric", ensure_min_samples=2)
            labels, self.classes_ = encode_labels(y, count=len(X))
            vectors = np.asarray(X, dtype=np.float32)
        self.takes_text_ = is_text(X)
        names = tuple(str(name) for name in self.classes_)
        self.model_ = train_gan(TrainingRows(vectors, labels, names), settings)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: ANN401
        """Return class probabilities (N, C), columns as in ``classes_``."""
        check_is_fitted(self)
        if self.takes_text_ != is_text(X):
            expected = "texts" if self.takes_text_ else "an (N, D) matrix"
            raise InputError(f"X: this classifier was fitted on {expected}; give the same kind")
        if self.takes_text_:
            return self.model_.predict_proba(self._embed(X, self._resolved()))
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
        parameters = {name: _plain(value) for name, value in self.get_params().items()}
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
        loaded.model_ = model
        if not loaded.takes_text_:
            loaded.n_features_in_ = model.dimension
        return loaded

    def _resolved(self) -> Recipe:
        recipe = load_recipe(self.recipe)
        changes: dict[str, dict[str, Any]] = {
            "encoder": {"name": self.encoder},
            "generator": {"depth": self.generator_depth},
            "discriminator": {"depth": self.discriminator_depth},
            "training": {"members": self.members, "steps": self.steps},
        }
        sections = {
            name: replace(
                getattr(recipe, name), **{k: _plain(v) for k, v in section.items() if v is not None}
            )
            for name, section in changes.items()
        }
        recipe = replace(recipe, seed=self.seed_, **sections)
        check_recipe(recipe)
        return recipe

    def _embed(self, X: Sequence[str], recipe: Recipe) -> np.ndarray:
        texts = list(X)
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise InputError(f"X: row {row} is {text!r}; every row must be a string")
        encoder: TextEncoder | None = getattr(self, "encoder_", None)
        if encoder is None or encoder.name != recipe.encoder.name:
            self.encoder_ = encoder = open_encoder(recipe.encoder)
        task = Task(name="text", arity=1, output="classes", classes=())
        unlabeled = np.full(len(texts), -1)
        ids = tuple(str(index) for index in range(len(texts)))
        corpus = Corpus(task, "fit", ids, tuple(texts), None, unlabeled, None, ())
        return embed_rows(corpus, encoder, recipe.encoder).vectors

    def __getstate__(self) -> dict[str, Any]:
        """Leave the encoder out of copies and pickles: it is loaded again by name."""
        return {k: v for k, v in super().__getstate__().items() if k != "encoder_"}

    def __sklearn_tags__(self) -> Tags:
        """Say that strings are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


def is_text(X: Any) -> bool:  # noqa: ANN401
    """Return whether X is a sequence of strings rather than a matrix or a table."""
    if isinstance(X, str):
        raise InputError("X: one string was given; a list of strings is needed")
    if len(getattr(X, "shape", (0,))) != 1 or not hasattr(X, "__len__"):
        return False
    return isinstance(next(iter(X), None), str)


def encode_labels(y: Any, *, count: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
    """Return class indices (N,), -1 where unlabelled, and the sorted classes (C,).

    Raises:
        InputError: The labels do not fit the rows, or fewer than two classes are labelled.
    """
    if y is None:
        raise InputError("y: requires y to be passed, but the target y is None")
    raw = list(column_or_1d(np.asarray(y, dtype=object), warn=True))
    if len(raw) != count:
        raise InputError(f"y: {len(raw)} labels for {count} rows; give one per row, -1 if unknown")
    unknown = np.array([_is_unlabeled(value) for value in raw], dtype=bool)
    known = np.array([value for value, skip in zip(raw, unknown, strict=True) if not skip])
    if len(known) == 0:
        raise InputError("y: no labelled row; label at least one row of each of two classes")
    if known.dtype.kind == "f" and not np.isfinite(known).all():
        raise InputError("y: contains infinity; a label is a string or an integer")
    check_classification_targets(known)
    classes, indices = np.unique(known, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"y: one class only ({classes.tolist()[0]!r}); label rows of two or more classes"
        )
    labels = np.full(count, -1, dtype=np.int64)
    labels[~unknown] = indices
    return labels, classes


def _is_unlabeled(value: Any) -> bool:  # noqa: ANN401
    return bool(pd.isna(value)) or value == "" or value in (-1, "-1")


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a NumPy number, as a parameter grid may hold, as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _seed(random_state: int | np.random.RandomState | None) -> int:
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
