"""Assertions named after the property that they hold, for any loss, network or run."""

import copy

import torch


def gradients(outputs, inputs):
    """Return the gradient of the outputs' sum with respect to each input, zeros where none."""
    found = torch.autograd.grad(outputs.sum(), inputs, allow_unused=True, retain_graph=True)
    return [
        torch.zeros_like(value) if gradient is None else gradient
        for value, gradient in zip(inputs, found, strict=True)
    ]


def snapshot(module):
    """Return a copy of every parameter and buffer."""
    return copy.deepcopy(module.state_dict())


def assert_same_bits(found, expected):
    """Hold two mappings of tensors, or two modules' states, to be equal bit for bit."""
    assert found.keys() == expected.keys()
    different = [key for key in expected if not torch.equal(found[key], expected[key])]
    assert not different


def assert_parameters_unchanged(module, before):
    """Hold a module's state to be bit for bit what :func:`snapshot` saw."""
    assert_same_bits(module.state_dict(), before)


def assert_parameters_changed(module, before):
    """Hold that a module is not what :func:`snapshot` saw any more."""
    assert any(not torch.equal(value, before[key]) for key, value in module.state_dict().items())


def assert_no_gradient(*values):
    """Hold that nothing flowed into these modules or tensors: ``grad`` is still None."""
    for value in values:
        tensors = value.named_parameters() if hasattr(value, "parameters") else [("input", value)]
        reached = [name for name, tensor in tensors if tensor.grad is not None]
        assert not reached


def assert_gradient_reaches_every_parameter(module, *, but=()):
    """Hold that every parameter got a finite, non-zero gradient, and those in ``but`` none."""
    reached = set()
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            assert bool(torch.isfinite(parameter.grad).all()), name
            if bool(parameter.grad.any()):
                reached.add(name)
    assert {name for name, _ in module.named_parameters()} - reached == set(but)


def assert_one_value_per_member(loss, inputs):
    """Hold that a loss of (E, B, ...) tensors is finite and of shape (E,)."""
    value_E = loss(*inputs)
    assert value_E.shape == inputs[0].shape[:1]
    assert bool(torch.isfinite(value_E).all())


def assert_members_do_not_mix(loss, inputs):
    """Hold that member 0's loss has exactly no gradient on any other member's input."""
    for gradient in gradients(loss(*inputs)[0], inputs):
        assert not bool(gradient[1:].any())


def assert_gradients_finite(loss, inputs):
    """Hold that the loss and all its gradients are numbers, however extreme the inputs."""
    value_E = loss(*inputs)
    assert bool(torch.isfinite(value_E).all())
    for gradient in gradients(value_E, inputs):
        assert bool(torch.isfinite(gradient).all())


def assert_gradients_right(loss, inputs):
    """Hold the gradients to finite differences, in float64."""
    exact = [value.detach().double().requires_grad_(True) for value in inputs]
    assert torch.autograd.gradcheck(loss, exact)


def assert_member_equals_itself_alone(alone, together, member, *, tolerance):
    """Hold that a member's tensors (1, ...) are its slice of an ensemble's, padded with zeros.

    Args:
        alone: State of the ensemble that holds this member only.
        together: State of an ensemble of more, possibly wider and deeper, members.
        member: Its place there.
        tolerance: Largest difference.
    """
    for name, padded in together.items():
        whole = padded[member].detach().clone()
        if name in alone:
            own = alone[name][0].detach()
            corner = tuple(slice(0, size) for size in own.shape)
            difference = (whole[corner] - own).abs().max() if own.numel() else torch.tensor(0.0)
            assert float(difference) <= tolerance, name
            whole[corner] = 0.0
        assert not bool(whole.any()), f"{name}: padding is not zero"
    assert alone.keys() <= together.keys()
