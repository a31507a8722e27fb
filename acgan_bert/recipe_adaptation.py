"""The part of a recipe that says how the encoder is moved ahead of the GAN.

Part of :mod:`acgan_bert.recipe`, which says what the strings below the fields are for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptationRecipe:
    """The stage that moves the encoder ahead of the GAN."""

    updates: int = 0
    """Updates on pairs of labelled rows; 0: the encoder stays as it is."""
    rounds: int = 0
    """Rounds after them in which guessed classes of unlabelled rows take part."""
    round_updates: int = 20
    """Updates of each round."""
    batch_size: int = 32
    """Texts of an update, in equal parts of all classes; all their pairs are compared."""
    labeled_share: float = 0.5
    """Share of a round's batch drawn from the labelled rows, in (0, 1]; two rows are others."""
    trusted_share: float = 0.5
    """Share of the rows guessed to be of a class whose guess counts, surest first; in (0, 1]."""
    candidates: int = 2000
    """Unlabelled rows whose classes are guessed in a round."""
    learning_rate: float = 1e-4
    """AdamW step size; it warms up and then falls to 0."""
    max_length: int = 64
    """Tokens of a text in an update, of a longer one a run that is drawn anew each time.

    Pairs that are read as one are cut there.
    """
    checkpoint_every_updates: int = 50
    """Updates between two checkpoints."""
