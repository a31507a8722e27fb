"""Multitask text library: tasks and corpora in, sentence vectors and predictions out."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtl.bert.model import MultitaskModel

__all__ = ["MultitaskModel"]


def __getattr__(name: str) -> object:
    """Load the model only when it is asked for: ``import mtl.errors`` must not wait for torch."""
    if name == "MultitaskModel":
        from mtl.bert.model import MultitaskModel

        return MultitaskModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
