import pytest
import torch

from acgan_bert.gan.streams import TURNS_AHEAD, MemberStreams


def rand(stream, e):
    return torch.rand(3, generator=stream)


def rands(stream, e, count):
    return torch.rand(count, 2, generator=stream)


def test_streams_do_not_depend_on_each_other_and_continue_from_their_state():
    both, alone = MemberStreams([4, 9]), MemberStreams([9])
    assert torch.equal(both.draw(rand)[1:], alone.draw(rand))
    state = both.state()
    following = both.draw(rand)
    again = MemberStreams([0, 0])
    again.load_state(state)
    assert torch.equal(again.draw(rand), following)
    assert not torch.equal(following[0], following[1])


def test_a_supply_hands_out_one_draw_piece_by_piece():
    supply = MemberStreams([4, 9]).ahead(rands)
    pieces_ENX = torch.cat([supply.take(5) for _ in range(TURNS_AHEAD)], dim=1)
    for e, seed in enumerate((4, 9)):
        whole = torch.rand(5 * TURNS_AHEAD, 2, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(pieces_ENX[e], whole)


def test_what_does_not_fit_any_more_is_drawn_anew():
    supply = MemberStreams([0]).ahead(rands)
    assert supply.take(2).shape == (1, 2, 2)
    assert supply.take(2 * TURNS_AHEAD).shape == (1, 2 * TURNS_AHEAD, 2)


@pytest.mark.parametrize("turns", [0, 1, TURNS_AHEAD - 1, TURNS_AHEAD, TURNS_AHEAD + 3])
def test_streams_and_supplies_go_on_from_any_turn(turns):
    """Two supplies of unlike appetite and direct draws take turns on the same generators."""

    def fresh(seed):
        streams = MemberStreams([seed, seed + 1])
        return streams, streams.ahead(rands), streams.ahead(rands)

    def turn(streams, first, second):
        return [first.take(3), streams.draw(rand), second.take(2), second.take(4)]

    original = fresh(7)
    for _ in range(turns):
        turn(*original)
    state = {key: value.clone() for key, value in original[0].state().items()}
    resumed = fresh(100)
    turn(*resumed)  # what it held before must not matter
    resumed[0].load_state(state)
    for _ in range(2 * TURNS_AHEAD):
        for expected, found in zip(turn(*original), turn(*resumed), strict=True):
            assert torch.equal(expected, found)
