"""The GAN over embeddings, and the programs a user runs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acgan_bert.estimator import ACGANBertClassifier

__all__ = ["ACGANBertClassifier", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Load the estimator only when it is asked for: the command line's help must not wait."""
    if name == "ACGANBertClassifier":
        from acgan_bert.estimator import ACGANBertClassifier

        return ACGANBertClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
