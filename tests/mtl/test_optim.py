import pytest
import torch
from torch import nn

from mtl.errors import InputError
from mtl.optim import Optimization, course_of, parameter_groups


def test_only_matrices_decay_and_each_part_has_its_rate():
    encoder = nn.ModuleDict({"dense": nn.Linear(3, 2), "norm": nn.LayerNorm(2)})
    head = nn.Linear(2, 1)
    head.bias.requires_grad_(False)
    groups = parameter_groups(
        encoder.named_parameters(),
        head.named_parameters(),
        encoder_rate=1e-5,
        rest_rate=1e-3,
        weight_decay=0.1,
    )
    found = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert found == {
        id(encoder["dense"].weight): (1e-5, 0.1),
        id(encoder["dense"].bias): (1e-5, 0.0),
        id(encoder["norm"].weight): (1e-5, 0.0),
        id(encoder["norm"].bias): (1e-5, 0.0),
        id(head.weight): (1e-3, 0.1),
    }


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ("constant", [0.0, 0.5, 1.0, 1.0, 1.0]),
        ("linear", [0.0, 0.5, 1.0, 0.75, 0.5]),
        ("cosine", [0.0, 0.5, 1.0, 0.853553, 0.5]),
    ],
)
def test_rates_warm_up_and_follow_their_course(course, expected):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = course_of(optimizer, course, warmup_share=1 / 3, updates=6)
    rates = []
    for _ in range(5):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(expected, abs=1e-6)


def test_unknown_course_is_refused():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    with pytest.raises(InputError, match=r"multitask\.course: 'down' is unknown"):
        course_of(optimizer, "down", warmup_share=0.1, updates=10)


def test_moments_are_known_by_the_names_of_their_parameters():
    """By position, those of one parameter went to another where fewer are trained."""

    def optimization(*names):
        values = [(name, nn.Parameter(torch.ones(2, 2))) for name in names]
        groups = parameter_groups(values, (), encoder_rate=0.1, rest_rate=0.1, weight_decay=0.0)
        return Optimization(groups, course="constant", warmup_share=0.0, updates=9, clip=0.0)

    whole = optimization("layer.0", "layer.1")
    for number, parameter in enumerate(whole.parameters):
        parameter.grad = torch.full((2, 2), 1.0 + number)
    whole.apply({})
    turned = optimization("layer.1", "layer.0")
    turned.load_state(whole.state())
    for name, parameter in turned.named.items():
        expected = whole.optimizer.state[whole.named[name]]
        found = turned.optimizer.state[parameter]
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    with pytest.raises(KeyError, match=r"layer\.0"):
        optimization("layer.1").load_state(whole.state())
