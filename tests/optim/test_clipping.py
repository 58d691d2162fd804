"""Clipping by norm and by value. tests/parity compares with PyTorch."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError, nn, optim
from minidl.tensor import Tensor
from tests.standin.device import counting, install


def with_gradients(*gradients, device="cpu"):
    params = [nn.Parameter(np.zeros(np.shape(g), np.float32), device=device) for g in gradients]
    for p, g in zip(params, gradients, strict=True):
        p.grad = Tensor(np.array(g, np.float32), device=device)
    return params


def test_the_norm_is_that_over_all_parameters_and_is_returned_as_it_was():
    params = with_gradients([3.0, 0.0], [[0.0], [4.0]])
    assert optim.clip_grad_norm_(params, 1.0).item() == 5.0
    np.testing.assert_allclose(params[0].grad.numpy(), [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(params[1].grad.numpy(), [[0.0], [0.8]], rtol=1e-6)


def test_a_smaller_norm_is_left_exactly_as_it_is():
    params = with_gradients([3.0, 4.0])
    optim.clip_grad_norm_(params, 5.1)
    assert params[0].grad.numpy().tolist() == [3.0, 4.0]


def test_gradients_of_zero_and_missing_gradients_are_no_error():
    params = [*with_gradients([0.0, 0.0]), nn.Parameter([1.0])]
    assert optim.clip_grad_norm_(params, 1.0).item() == 0.0
    assert params[0].grad.numpy().tolist() == [0.0, 0.0] and params[1].grad is None
    assert optim.clip_grad_norm_([nn.Parameter([1.0])], 1.0).item() == 0.0
    optim.clip_grad_value_(params, 1.0)


def test_by_value_limits_each_element_in_place():
    params = with_gradients([-3.0, 0.5, 2.0])
    array = params[0].grad.data
    optim.clip_grad_value_(iter(params), 1.0)
    assert params[0].grad.data is array and array.tolist() == [-1.0, 0.5, 1.0]


@pytest.mark.parametrize("clip", [optim.clip_grad_norm_, optim.clip_grad_value_])
def test_a_single_parameter_need_not_be_in_a_list(clip):
    alone, listed = with_gradients([3.0, 4.0]), with_gradients([3.0, 4.0])
    clip(alone[0], 1.0)
    clip(listed, 1.0)
    assert alone[0].grad.numpy().tolist() == listed[0].grad.numpy().tolist() != [3.0, 4.0]


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_a_bound_that_is_not_above_zero_is_refused_and_changes_nothing(bound):
    params = with_gradients([3.0, 4.0])
    for clip in (lambda: optim.clip_grad_norm_(params, bound), lambda: optim.clip_grad_value_(params, bound),
                 lambda: optim.ClipGradNorm(bound), lambda: optim.ClipGradValue(bound)):
        with pytest.raises(InputError, match=rf"(max_norm|value) is above 0, not {bound}"):
            clip()
    assert params[0].grad.numpy().tolist() == [3.0, 4.0]


def test_the_transforms_are_the_functions_and_say_what_they_do():
    for transform, function, shown in ((optim.ClipGradNorm(0.5), optim.clip_grad_norm_, "ClipGradNorm(0.5)"),
                                       (optim.ClipGradValue(2), optim.clip_grad_value_, "ClipGradValue(2)")):
        mine, peer = with_gradients([3.0, 0.0], [[-4.0]]), with_gradients([3.0, 0.0], [[-4.0]])
        limit = 0.5 if function is optim.clip_grad_norm_ else 2
        returned, expected = transform(iter(mine)), function(peer, limit)
        assert (returned if expected is None else returned.item() == expected.item()) in (None, True)
        assert [p.grad.numpy().tolist() for p in mine] == [p.grad.numpy().tolist() for p in peer]
        assert repr(transform) == shown


def test_on_the_device_it_waits_for_nothing_and_gives_numpys_values():
    gradients = [3.0, -1.0, 0.25], [[4.0], [2.0]]
    here, there = with_gradients(*gradients), with_gradients(*gradients, device=install())
    with counting() as c:
        norm = optim.clip_grad_norm_(there, 2.0)
        optim.clip_grad_value_(there, 0.5)
    assert c.synchronisations == 0, c.waited_for
    assert norm.item() == optim.clip_grad_norm_(here, 2.0).item()
    optim.clip_grad_value_(here, 0.5)
    for p, q in zip(here, there, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


def test_weights_are_clipped_in_place_and_a_graph_that_has_read_them_notices():
    net = nn.Linear(3, 2, rng=0)
    before, array = net.weight.numpy().copy(), net.weight.data
    y = net(md.Tensor(np.ones((1, 3), np.float32), requires_grad=True)).sum()
    optim.clip_weights_(net.parameters(), 0.1)
    assert net.weight.data is array and np.array_equal(array, before.clip(-0.1, 0.1)) and np.abs(before).max() > 0.1
    with pytest.raises(RuntimeError):
        y.backward()
    with pytest.raises(InputError, match="clip_weights_: value is above 0, not -1"):
        optim.clip_weights_(net.parameters(), -1)
