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
from acgan_bert.encoding import embed_rows, open_encoder
from acgan_bert.estimator_input import (
    encode_labels,
    is_text,
    plain_value,
    seed_of,
    unlabeled_corpus,
)
from acgan_bert.finetuning import finetune, task_sections
from acgan_bert.model import GANModel
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import check_recipe, load_recipe
from acgan_bert.trainer import TrainingRows, train_gan
from acgan_bert.transfer import checked_start
from mtl.bert.encoder import TextEncoder
from mtl.errors import InputError
from mtl.files import write_json
from mtl.text.data import Corpus

SETTINGS = "estimator.json"


class ACGANBertClassifier(ClassifierMixin, BaseEstimator):
    """Classify text from few labels, and generate embeddings by class.

    Args:
        encoder: Hub name, local path, or ``"offline"``; not used for matrix input. None: the
            recipe's.
        recipe: Shipped recipe or YAML file that gives everything which is not set here.
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

    def __init__(
        self,
        encoder: str | None = None,
        *,
        recipe: str = "default",
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
        self.seed_ = seed_of(self.random_state)
        settings, self.moved_ = self._resolved(), None
        self.takes_text_ = is_text(X)
        if self.takes_text_:
            labels, self.classes_ = encode_labels(y, count=len(X))
            names = tuple(map(str, self.classes_))
            self.model_ = self._fit_texts(
                replace(unlabeled_corpus(X, names), labels=labels), settings
            )
            return self
        if settings.adaptation.updates or settings.encoder.mode != "frozen":
            raise InputError(
                f"recipe {self.recipe}, mode {settings.encoder.mode}: the encoder is moved, for "
                "which it needs texts; give a list of strings, or another recipe and mode frozen"
            )
        if settings.training.start_from:
            raise InputError(
                f"recipe {self.recipe}: training.start_from needs texts, whose encoder can be "
                "compared; give a list of strings, or leave it out"
            )
        X = validate_data(self, X, dtype="numeric", ensure_min_samples=2)
        labels, self.classes_ = encode_labels(y, count=len(X))
        vectors = np.asarray(X, dtype=np.float32)
        names = tuple(map(str, self.classes_))
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
        if (Path(directory) / ENCODER_FOLDER).is_dir():
            loaded.moved_ = encoder_of(Path(directory), loaded._resolved().encoder)
        if not loaded.takes_text_:
            loaded.n_features_in_ = model.dimension
        return loaded

    def _fit_texts(self, rows: Corpus, settings: Recipe) -> GANModel:
        """Move the encoder as the recipe says, and train."""
        others = task_sections(self.tasks)
        if settings.adaptation.updates:
            self.moved_ = adapted_encoder(settings, rows, self._opened(settings))
        if settings.encoder.mode == "frozen":
            if others:
                raise InputError(
                    "tasks: they are trained along with the encoder; use mode finetune"
                )
            checked_start(settings, self._opened(settings), rows.task)
            vectors = self._embed(rows.texts, settings)
            return train_gan(TrainingRows(vectors, rows.labels, rows.task.classes), settings)
        self.moved_ = deepcopy(self.moved_ or self._opened(settings))
        return finetune(settings, rows, self.moved_, others=others)[0]

    def _resolved(self) -> Recipe:
        recipe = load_recipe(self.recipe)
        one = 1 if self.mode not in (None, "frozen") and self.members is None else self.members
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
        recipe = replace(recipe, seed=self.seed_, **sections)
        check_recipe(recipe)
        return recipe

    def _embed(self, X: Sequence[str], recipe: Recipe) -> np.ndarray:
        encoder = self.moved_ or self._opened(recipe)
        shared = self.moved_ is None
        return embed_rows(unlabeled_corpus(X), encoder, recipe.encoder, cached=shared).vectors

    def _opened(self, recipe: Recipe) -> TextEncoder:
        encoder: TextEncoder | None = getattr(self, "encoder_", None)
        if encoder is None or encoder.name != recipe.encoder.name:
            self.encoder_ = encoder = open_encoder(recipe.encoder)
        return encoder

    def __getstate__(self) -> dict[str, Any]:
        """Leave the encoder out of copies and pickles: it is loaded again by name."""
        return {k: v for k, v in super().__getstate__().items() if k != "encoder_"}

    def __sklearn_tags__(self) -> Tags:
        """Say that strings are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags
