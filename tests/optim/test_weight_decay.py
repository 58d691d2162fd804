"""Weight decay of chosen parameters."""
import numpy as np
import pytest

from minidl import nn, optim
from minidl.errors import InputError
from minidl.tensor import Tensor

every_optimizer = pytest.mark.parametrize("make", [
    lambda params, w: optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=w),
    lambda params, w: optim.Adagrad(params, weight_decay=w), lambda params, w: optim.RMSprop(params, weight_decay=w),
    lambda params, w: optim.Adam(params, weight_decay=w), lambda params, w: optim.AdamW(params, weight_decay=w),
], ids=["SGD", "Adagrad", "RMSprop", "Adam", "AdamW"])


def train(optimizer, params, steps=5):
    for seed in range(steps):
        rng = np.random.default_rng(seed)
        for p in params:
            p.grad = Tensor(rng.standard_normal(p.shape).astype(p.dtype))
        optimizer.step()
    return [p.numpy().tolist() for p in params]


@every_optimizer
def test_a_function_gives_each_parameter_its_own_weight_decay(make):
    """Each parameter goes as it would in an optimiser of its own."""
    def trained(group, w):
        model = nn.Linear(4, 3, rng=0)
        model.bias.data[...] = [1.0, -2.0, 0.5]
        together = train(make(model.named_parameters(), w), model.parameters())
        return together[group]

    spared = lambda name, p: 0.3 if p.ndim > 1 else 0.0
    named = lambda name, p: {"weight": 0.1, "bias": 0.2}[name]
    assert trained(0, spared) == trained(0, 0.3) != trained(0, 0.0)
    assert trained(1, spared) == trained(1, 0.0) != trained(1, 0.3)
    assert trained(0, named) == trained(0, 0.1) and trained(1, named) == trained(1, 0.2)


def test_decoupled_decay_shrinks_the_matrices_alone():
    model = nn.Linear(4, 3, rng=0)
    model.bias.data[...] = 1.0
    before = model.state_dict()
    optimizer = optim.AdamW(model.named_parameters(), lr=0.1, weight_decay=lambda name, p: 0.5 * (p.ndim > 1))
    for p in model.parameters():
        p.grad = Tensor(np.zeros(p.shape, np.float32))
    optimizer.step()
    np.testing.assert_allclose(model.weight.numpy(), before["weight"] * 0.95, rtol=1e-6)
    np.testing.assert_array_equal(model.bias.numpy(), before["bias"])


@pytest.mark.parametrize("wrong", [-0.1, float("nan")])
def test_a_function_that_gives_what_is_no_weight_decay_is_refused_with_the_parameters_name(wrong):
    params = nn.Linear(4, 3, rng=0).named_parameters()
    with pytest.raises(InputError, match="weight_decay of bias is 0 or more, not"):
        optim.SGD(params, weight_decay=lambda name, p: wrong if name == "bias" else 0.0)
