import numpy as np
import pytest
import torch

from acgan_bert.gan.streams import MemberStreams
from acgan_bert.semisupervised import (
    PseudoLabels,
    TwoStreams,
    class_shares,
    fake_labels,
    ramp,
)

LABELS = np.array([0, -1, 1, -1, -1, -2, 2, -1])


def two_streams(labels=(LABELS,), *, batch_size=20, labeled_share=0.25, seeds=None):
    streams = MemberStreams(range(len(labels)) if seeds is None else seeds)
    return TwoStreams(labels, batch_size=batch_size, labeled_share=labeled_share, streams=streams)


def test_labelled_rows_come_first_and_in_their_share():
    rows_EB = two_streams([LABELS, LABELS]).draw()
    drawn_EB = torch.from_numpy(LABELS)[rows_EB]
    assert rows_EB.shape == (2, 20)
    assert (drawn_EB[:, :5] >= 0).all()
    assert (drawn_EB[:, 5:] == -1).all()  # never a row that is not used
    assert not torch.equal(rows_EB[0], rows_EB[1])


def test_every_row_of_each_stream_is_drawn_in_the_end():
    drawn = two_streams()
    seen = torch.cat([drawn.draw().flatten() for _ in range(20)])
    assert set(seen.tolist()) == set(np.flatnonzero(LABELS > -2).tolist())


def test_draws_of_a_member_do_not_depend_on_the_others():
    other = np.array([0, 1, 2, -1, -1, -1, -1, 0])
    together, alone = two_streams([other, LABELS], seeds=[5, 6]), two_streams(seeds=[6])
    for _ in range(40):  # beyond the first refill
        assert torch.equal(together.draw()[1:], alone.draw())


def test_without_unlabelled_rows_the_whole_batch_is_labelled():
    everything = np.array([0, 1, 0, 1])
    alone = two_streams([everything], seeds=[3])
    assert alone.num_labeled == 20
    both = two_streams([everything, np.array([0, 1, -1, -1])], seeds=[3, 4])
    assert both.num_labeled == 5
    assert both.has_unlabeled_E1.tolist() == [[False], [True]]
    assert torch.equal(both.draw()[:1], alone.draw())  # the same rows as alone


@pytest.mark.parametrize(("share", "expected"), [(1e-6, 1), (0.5, 10), (1.0, 20)])
def test_labelled_share_is_of_the_batch_and_at_least_one_row(share, expected):
    assert two_streams(labeled_share=share).num_labeled == expected


def test_member_without_labels_is_refused():
    with pytest.raises(ValueError, match="no labelled row"):
        two_streams([LABELS, np.full(8, -1)])


def test_pseudo_labels_without_alignment_are_the_predictions():
    guess = PseudoLabels(torch.tensor([[0.5, 0.5]]), threshold=0.8, alignment=False)
    given_EBC = torch.tensor([[[0.9, 0.1], [0.25, 0.75], [0.2, 0.8]]])
    aligned_EBC, trust_EB = guess(given_EBC)
    assert torch.equal(aligned_EBC, given_EBC)
    assert trust_EB.tolist() == [[1.0, 0.0, 1.0]]


def test_alignment_by_hand():
    shares_EC = torch.tensor([[0.5, 0.5]])
    guess = PseudoLabels(shares_EC, threshold=0.6, alignment=True, momentum=1.0)
    aligned_EBC, trust_EB = guess(torch.tensor([[[0.8, 0.2], [0.4, 0.6]]]))
    # The mean prediction is (0.6, 0.4): odds times 2/3, 4 : 1 becomes 8 : 3 and 2 : 3 is 4 : 9.
    assert aligned_EBC[0, :, 0].tolist() == pytest.approx([8 / 11, 4 / 13], abs=1e-6)
    assert trust_EB.tolist() == [[1.0, 1.0]]


def test_alignment_brings_class_shares_to_those_of_the_labels():
    torch.manual_seed(0)
    shares_EC = torch.tensor([[0.7, 0.3]])
    guess = PseudoLabels(shares_EC, threshold=0.9, alignment=True)
    for _ in range(300):
        skewed_EBC = torch.softmax(torch.randn(1, 64, 2) + torch.tensor([-1.0, 1.0]), -1)
        aligned_EBC, _ = guess(skewed_EBC)
    before, after = skewed_EBC.mean(1)[0, 0].item(), aligned_EBC.mean(1)[0, 0].item()
    assert abs(after - 0.7) < 0.5 * abs(before - 0.7)
    torch.testing.assert_close(aligned_EBC.sum(-1), torch.ones(1, 64))


def test_class_that_is_never_predicted_keeps_alignment_finite():
    guess = PseudoLabels(torch.tensor([[0.5, 0.5]]), threshold=0.9, alignment=True, momentum=1.0)
    aligned_EBC, _ = guess(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]))
    assert aligned_EBC.tolist() == [[[1.0, 0.0], [1.0, 0.0]]]


def test_shares_count_labelled_rows_only():
    shares_EC = class_shares([LABELS, np.array([0, 0, 0, 1, -1, -1, -2, -2])], 3)
    np.testing.assert_allclose(shares_EC, [[1 / 3, 1 / 3, 1 / 3], [0.75, 0.25, 0.0]], rtol=1e-6)


def test_fake_labels_follow_the_shares():
    shares_EC = torch.tensor([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]])
    labels_EB = fake_labels(shares_EC, MemberStreams([0, 1])).take(4000)
    assert labels_EB.shape == (2, 4000)
    counts = torch.bincount(labels_EB[0], minlength=3) / 4000
    assert counts.tolist() == pytest.approx([0.75, 0.25, 0.0], abs=0.03)
    assert (labels_EB[1] == 2).all()


@pytest.mark.parametrize(
    ("step", "warmup", "weight"),
    [(0, 0, 1.0), (0, 10, 0.0), (10, 10, 0.0), (15, 10, 0.5), (20, 10, 1.0), (99, 10, 1.0)],
)
def test_trust_ramps_up(step, warmup, weight):
    assert ramp(step, warmup) == weight
