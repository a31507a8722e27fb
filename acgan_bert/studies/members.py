"""An ensemble's model taken apart again: the members of each row as a model of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from acgan_bert.gan.layers import MLPSize
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.model import GANModel
from acgan_bert.networks import build_discriminator, build_generator


def split_model(model: GANModel, groups: Sequence[slice]) -> list[GANModel]:
    """Return a model of each group of members, without the padding that the others needed.

    Args:
        model: Of all members.
        groups: Members of each.
    """
    return [_part(model, group) for group in groups]


def _part(model: GANModel, group: slice) -> GANModel:
    shape = replace(
        model.shape,
        generator=_sizes(model.shape.generator, group),
        discriminator=_sizes(model.shape.discriminator, group),
    )
    unused = MemberStreams([0] * shape.members)
    return GANModel(
        shape,
        model.classes,
        model.space,
        _trimmed(model.generator.state_dict(), build_generator(shape, unused), group),
        _trimmed(model.discriminator.state_dict(), build_discriminator(shape, unused), group),
    )


def _sizes(size: MLPSize, group: slice) -> MLPSize:
    return replace(
        size, depths=size.depths[group], widths=size.widths[group], dropouts=size.dropouts[group]
    )


def _trimmed(state: Mapping[str, Tensor], like: nn.Module, group: slice) -> dict[str, Tensor]:
    """Take a group's rows of each tensor; padding is at the end of every dimension."""
    return {
        name: state[name][group][(slice(None), *map(slice, own.shape[1:]))].to(own)
        for name, own in like.state_dict().items()
    }
