"""Random numbers of an ensemble: every member has a stream of its own.

So a member's numbers never depend on who else is there. Shapes: E members, N items of a draw.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

TURNS_AHEAD = 16
"""Turns that one refill of :class:`Ahead` serves."""


class MemberStreams:
    """One random stream per member; every draw is stacked along the members axis.

    Args:
        seeds: One seed per member.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        self.device = torch.device("cpu")
        self._aheads: list[Ahead] = []

    def to(self, device: torch.device) -> None:
        """Go on, on another device, with streams there that these streams seed."""
        if device != self.device:
            seeds = [int(torch.randint(2**62, (), generator=own)) for own in self.generators]
            self.generators = [_stream(device).manual_seed(seed) for seed in seeds]
            self.device = device

    def draw(self, sample: Callable[[torch.Generator, int], Tensor]) -> Tensor:
        """Stack ``sample(generator, member)`` of every member, shape (E, ...)."""
        # Entering a device costs more than a small draw does; of the CPU there is no need.
        with nullcontext() if self.device.type == "cpu" else self.device:
            drawn = [sample(stream, e) for e, stream in enumerate(self.generators)]
        return drawn[0].unsqueeze(0) if len(drawn) == 1 else torch.stack(drawn)

    def ahead(self, sample: Callable[[torch.Generator, int, int], Tensor]) -> "Ahead":
        """Return a supply of items, ``sample(generator, member, count)`` of shape (count, ...)."""
        self._aheads.append(Ahead(self, sample))
        return self._aheads[-1]

    def state(self) -> dict[str, Tensor]:
        """Return the state of all streams and supplies, for a checkpoint."""
        supplies = {
            f"{index}.{name}": value
            for index, ahead in enumerate(self._aheads)
            for name, value in ahead.state().items()
        }
        return {"now": self.positions(), **supplies}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that :meth:`state` returned."""
        for index, ahead in enumerate(self._aheads):
            ahead.load_state(state[f"{index}.start"], state[f"{index}.place"])
        self.move_to(state["now"])

    def positions(self) -> Tensor:
        """Return where each generator is, (E, bytes)."""
        return torch.stack([stream.get_state() for stream in self.generators])

    def move_to(self, positions: Tensor) -> None:
        """Put each generator where it was.

        Raises:
            ValueError: It was one of another kind of device.
        """
        if positions.shape[1:] != self.generators[0].get_state().shape:
            raise ValueError(
                "checkpoint: its random streams are of another kind of device; resume where "
                "training began (training.device), or train anew"
            )
        for stream, row in zip(self.generators, positions, strict=True):
            stream.set_state(row.clone())  # set_state misreads a view


def _stream(device: torch.device) -> torch.Generator:
    return torch.Generator(device)


class Ahead:
    """Draw items for several turns in one call a member, and hand out a turn's at a time.

    Around networks this small, a call a member and turn costs more than what is drawn.

    Args:
        streams: The members' streams.
        sample: ``sample(generator, member, count)`` returns items, (count, ...).
    """

    def __init__(
        self, streams: MemberStreams, sample: Callable[[torch.Generator, int, int], Tensor]
    ) -> None:
        self.streams, self.sample = streams, sample
        self.start: Tensor | None = None
        self.place, self.items_EN = 0, torch.empty(0, 0)

    def take(self, count: int) -> Tensor:
        """Return the next items of every member, (E, count, ...)."""
        if self.place + count > self.items_EN.shape[1]:
            self.start = self.streams.positions()
            self._fill(TURNS_AHEAD * count)
        self.place += count
        return self.items_EN[:, self.place - count : self.place]

    def state(self) -> dict[str, Tensor]:
        """Return where the streams were at the last refill, its length, and what was handed out."""
        place = torch.tensor([self.items_EN.shape[1], self.place])
        return {"start": torch.empty(0) if self.start is None else self.start, "place": place}

    def load_state(self, start: Tensor, place: Tensor) -> None:
        """Refill as then; moves the generators."""
        length, handed_out = place.tolist()
        self.start, self.items_EN = None, torch.empty(0, 0)
        if length:
            self.start = start.clone()
            self.streams.move_to(start)
            self._fill(length)
        self.place = handed_out

    def _fill(self, count: int) -> None:
        self.items_EN = self.streams.draw(lambda stream, e: self.sample(stream, e, count))
        self.place = 0
