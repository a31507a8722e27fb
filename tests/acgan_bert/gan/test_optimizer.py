import pytest
import torch
from torch import nn

from acgan_bert.gan.optimizer import Group, MemberAdamW

RATES = (1e-2, 3e-3, 1e-3)
SHAPES = ((3, 4, 5), (3, 1, 5))


def parameters(shapes=SHAPES):
    return [nn.Parameter(torch.randn(shape)) for shape in shapes]


def set_gradients(params, *, scale=1.0):
    for parameter in params:
        parameter.grad = scale * torch.randn_like(parameter)


@pytest.mark.parametrize("rates", [RATES, (2e-3,) * 3, (1e-2, 0.0, 1e-3)])
def test_each_member_moves_as_under_its_own_adamw(rates):
    params = parameters()
    alone = [[nn.Parameter(p[e].detach().clone()) for p in params] for e in range(3)]
    whole = MemberAdamW([Group(params, rates, 0.1)], beta1=0.5)
    single = [
        torch.optim.AdamW(own, lr=rate, betas=(0.5, 0.99), weight_decay=0.1)
        for own, rate in zip(alone, rates, strict=True)
    ]
    for _ in range(10):
        set_gradients(params)
        for e, own in enumerate(alone):
            for parameter, shared in zip(own, params, strict=True):
                parameter.grad = shared.grad[e].clone()
            single[e].step()
        whole.step()
    for e, own in enumerate(alone):
        for parameter, shared in zip(own, params, strict=True):
            torch.testing.assert_close(shared[e], parameter, rtol=0, atol=1e-6)


def test_groups_have_rates_and_decays_of_their_own():
    fast, still = parameters([(2, 3)]), parameters([(2, 3)])
    before = [p[0].detach().clone() for p in (fast, still)]
    groups = [Group(fast, (1e-2, 1e-2), 0.0), Group(still, (0.0, 0.0), 0.5)]
    optimizer = MemberAdamW(groups, beta1=0.5)
    set_gradients([*fast, *still])
    optimizer.step()
    assert torch.equal(still[0], before[1])  # a rate of 0 divided by zero
    torch.testing.assert_close(  # the first step of Adam is the sign of the gradient
        fast[0], before[0] - 1e-2 * fast[0].grad.sign(), rtol=0, atol=1e-6
    )


def test_norm_is_over_all_groups_and_clipping_is_by_member():
    params = parameters()
    optimizer = MemberAdamW([Group([p], RATES) for p in params], beta1=0.5, clip=1.0)
    set_gradients(params)
    for parameter in params:
        parameter.grad[1] *= 1e-3
    before = [p.grad.clone() for p in params]
    expected_E = torch.cat([g.flatten(1) for g in before], 1).norm(dim=1)
    torch.testing.assert_close(optimizer.gradient_norm(), expected_E)
    optimizer.step()
    torch.testing.assert_close(optimizer.gradient_norm(), expected_E)  # what the guard looks at
    after_E = torch.cat([p.grad.flatten(1) for p in params], 1).norm(dim=1)
    torch.testing.assert_close(after_E[[0, 2]], torch.ones(2))
    assert all(torch.equal(p.grad[1], old[1]) for p, old in zip(params, before, strict=True))


def test_norm_is_that_of_the_last_gradient_whether_or_not_it_was_clipped():
    params = parameters()
    optimizer = MemberAdamW([Group(params, RATES)], beta1=0.5, clip=1.0)
    for scale in (10.0, 1e-3, 10.0):
        set_gradients(params, scale=scale)
        expected_E = torch.cat([p.grad.flatten(1) for p in params], 1).norm(dim=1)
        optimizer.step()
        torch.testing.assert_close(optimizer.gradient_norm(), expected_E)


def test_norm_without_any_gradient_is_zero():
    optimizer = MemberAdamW([Group(parameters(), RATES)], beta1=0.5)
    assert optimizer.gradient_norm().tolist() == [0.0, 0.0, 0.0]


def test_without_clip_gradients_stay():
    params = parameters()
    optimizer = MemberAdamW([Group(params, RATES)], beta1=0.5)
    set_gradients(params, scale=1e6)
    before = [p.grad.clone() for p in params]
    optimizer.step()
    assert all(torch.equal(p.grad, old) for p, old in zip(params, before, strict=True))


def test_parameter_without_gradient_stays():
    used, unused = parameters()
    before = unused.detach().clone()
    optimizer = MemberAdamW([Group([used, unused], RATES, 0.1)], beta1=0.5)
    set_gradients([used])
    optimizer.step()
    assert torch.equal(unused, before)
    optimizer.zero_grad()
    assert used.grad is None or not used.grad.any()


@pytest.mark.parametrize("rates", [RATES, (1e-3,) * 3])
def test_state_round_trips_bit_for_bit(rates):
    draws = [[torch.randn(shape) for shape in SHAPES] for _ in range(6)]

    def advance(optimizer, params, steps):
        for step in steps:
            for parameter, gradient in zip(params, draws[step], strict=True):
                parameter.grad = gradient.clone()
            optimizer.step()

    params = parameters()
    first = MemberAdamW([Group(params, rates, 0.1)], beta1=0.5)
    advance(first, params, range(3))
    copies = [nn.Parameter(p.detach().clone()) for p in params]
    second = MemberAdamW([Group(copies, rates, 0.1)], beta1=0.5)
    second.load_state({key: value.clone() for key, value in first.state().items()})
    advance(first, params, range(3, 6))
    advance(second, copies, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(params, copies, strict=True))
    assert all(torch.equal(second.state()[key], value) for key, value in first.state().items())
