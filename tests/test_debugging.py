"""Debug mode names what goes wrong first, where the user wrote it."""
import inspect
import re

import numpy as np
import pytest

import minidl as md
from minidl import debugging
from minidl.modes import thread


def leaf(*values):
    return md.Tensor(list(values), requires_grad=True)


def here(offset=0):
    """This file and the caller's line, as debug mode shows them."""
    return re.escape(f"{__file__}:{inspect.currentframe().f_back.f_lineno + offset}")


@pytest.fixture(autouse=True)
def silent():
    with np.errstate(all="ignore"):
        yield


def test_the_first_nan_is_named_with_its_operation_shapes_and_the_users_line():
    x = leaf(1.0, -1.0)
    with md.debug():
        y = x * 2.0
        with pytest.raises(FloatingPointError, match=rf"log made the first NaN here, from \(2,\): {here(1)}$"):
            md.log(y) + 1.0


def test_the_first_infinity_is_named():
    x, zero = leaf(1.0, 2.0), leaf(0.0)
    with md.debug():
        with pytest.raises(FloatingPointError, match=rf"divide made the first infinity .*\(2,\), \(1,\): {here(1)}"):
            x / zero


def test_the_users_line_is_named_also_for_what_an_operation_is_composed_of():
    x = leaf(3e38, 3e38)
    with md.debug(), pytest.raises(FloatingPointError, match=here(1)):
        md.mean(x)


def test_a_nan_that_was_given_is_named_with_its_argument():
    x = leaf(np.nan, 1.0)
    with md.debug(), pytest.raises(FloatingPointError, match=r"add was given a NaN in argument 0, of shape \(2,\)"):
        x + 1.0


def test_an_infinity_that_the_user_wrote_is_no_fault():
    with md.debug():
        y = md.where(leaf(1.0, -1.0) > 0, leaf(1.0, 2.0), -np.inf)
    assert np.isneginf(y.numpy()[1])


def test_numpys_own_warnings_are_silent_where_debug_mode_speaks():
    with md.debug(), pytest.raises(FloatingPointError, match="log made the first NaN"):
        md.log(leaf(-1.0))


def test_the_first_nan_of_a_backward_pass_names_the_line_of_its_forward_operation():
    x = leaf(0.0, 4.0)
    with md.debug():
        y = md.sqrt(x); where = here()      # noqa: E702
        z = md.sum(y * 3.0)
        with pytest.raises(FloatingPointError, match=rf"gradient rule of sqrt made the first infinity.*{where}"):
            z.backward()


def test_an_argument_changed_in_place_before_backward_raises():
    for change in (lambda x, y: x.data.__setitem__(0, 9.0), lambda x, y: y.data.__setitem__(0, 9.0)):
        x = leaf(1.0, 2.0)
        with md.debug():
            y = md.exp(x); where = here()   # noqa: E702
            z = md.sum(y * y)
            change(x, y)
            with pytest.raises(RuntimeError, match=r"changed in place between the forward and the backward pass"):
                z.backward()
    x = leaf(1.0, 2.0)
    with md.debug():
        y = md.exp(x); where = here()       # noqa: E702
        x.data[1] = 5.0
        with pytest.raises(RuntimeError, match=rf"exp: argument 0, shape \(2,\), .*{where}"):
            md.sum(y).backward()


def test_a_result_changed_in_place_before_backward_raises():
    """The rule of exp uses its result."""
    x = leaf(1.0, 2.0)
    with md.debug():
        y = md.exp(x)
        y.data[...] = 7.0
        with pytest.raises(RuntimeError, match="exp.*changed in place"):
            md.sum(y).backward()


def test_what_is_unchanged_passes():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    with md.debug():
        y = md.sum(md.exp(x) * w[::-1] + md.relu(x.reshape(2, 1)).T)
        md.sum(md.grad(y, x, create_graph=True)).backward()
        x.data[0] = 5.0                      # after backward nobody minds
    assert w.grad is not None


def test_a_rule_that_changes_the_dtype_raises():
    widened = md.custom(lambda g, y, x: g * np.ones(2))(lambda xp, x: x + 0.0)
    x = leaf(1.0, 2.0)
    with md.debug():
        y = md.sum(widened(x)); where = here()      # noqa: E702
        with pytest.raises(TypeError, match=rf"turned float32 into float64: {where}"):
            y.backward()


def test_tensors_from_before_debug_mode_are_walked_too():
    x = leaf(1.0, 2.0)
    y = md.sum(md.exp(x))
    with md.debug():
        y.backward()
    bad = md.sqrt(leaf(0.0))
    with md.debug(), pytest.raises(FloatingPointError, match="made outside debug mode"):
        bad.backward()


def test_off_by_default_it_leaves_no_trace_and_looks_at_nothing(monkeypatch):
    def look(*args):
        raise AssertionError("looked")

    for name in ("check_forward", "check_unchanged", "check_gradient"):
        monkeypatch.setattr(debugging, name, look)
    x = leaf(-1.0)
    y = md.log(x)
    y.backward()
    assert not thread.mode.debugging and not hasattr(y, "trace")


def test_it_ends_with_its_context_also_by_an_exception_and_can_be_switched_off_within():
    with pytest.raises(ZeroDivisionError), md.debug():
        raise ZeroDivisionError
    assert not thread.mode.debugging
    with md.debug():
        with md.debug(False):
            assert np.isnan(md.log(leaf(-1.0)).item())
        assert thread.mode.debugging


def test_it_works_on_a_device():
    from tests.standin.device import install

    x = leaf(1.0, 2.0).to(install()).detach()
    x.requires_grad = True
    with md.debug():
        y = md.sum(md.exp(x))
        y.backward(retain_graph=True)
        x.data[0] = 3.0
        with pytest.raises(RuntimeError, match="changed in place"):
            y.backward()
