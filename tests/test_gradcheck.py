"""gradcheck finds what is wrong, says where, and finds nothing where nothing is wrong."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 3))


def test_a_wrong_first_derivative_is_named_with_function_input_index_and_both_values():
    @md.custom(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a * np.array([1.0, 1.0, 1.01]))
    def product(xp, a, b):
        return a * b

    with pytest.raises(AssertionError) as caught:
        md.gradcheck(product, np.array([2.0, 3.0, 4.0]), np.array([5.0, 6.0, 7.0]))
    message = str(caught.value)
    assert message.startswith("product: ") and "input 1 at index (2,), value 7" in message
    rule, measured = (float(message.split(word)[-1].split()[0].strip(",;"))
                      for word in ("rule ", "finite difference "))
    np.testing.assert_allclose(rule / measured, 1.01, rtol=1e-6)           # the entry's own two values


@pytest.mark.parametrize("wrong", [
    lambda g, y, x: g * 2.0,                       # a constant factor
    lambda g, y, x: -g * md.cos(x),                # a sign
    lambda g, y, x: g * md.cos(x) + 1e-4,          # a small offset
    lambda g, y, x: g * y,                         # the wrong function
    lambda g, y, x: md.flip(g * md.cos(x)),        # the wrong place
    lambda g, y, x: md.sum(g * md.cos(x)) + 0.0 * x,
], ids=["factor", "sign", "offset", "function", "place", "sum"])
def test_wrong_first_derivatives_of_every_kind_are_caught(wrong):
    sine = md.custom(wrong)(lambda xp, x: xp.sin(x))
    with pytest.raises(AssertionError, match="finite difference"):
        md.gradcheck(sine, X, order=1)


def test_one_wrong_entry_among_many_is_caught_and_named():
    x = RNG.standard_normal((20, 20))
    mask = np.ones((20, 20))
    mask[7, 11] = 0.999
    scaled = md.custom(lambda g, y, x: g * 3.0 * mask)(lambda xp, x: x * 3.0)
    with pytest.raises(AssertionError, match=r"input 0 at index \(7, 11\)"):
        md.gradcheck(scaled, x)


def normalise(cached):
    """Batch normalisation; `cached` holds the inverse deviation as a raw array, as a well-known engine does."""
    def rule(g, y, x):
        centred = x - md.mean(x, axis=0)
        inverse = md.var(x, axis=0) ** -0.5
        if cached and isinstance(inverse, md.Tensor):
            inverse = inverse.detach()
        z = centred * inverse
        return inverse * (g - md.mean(g, axis=0) - z * md.mean(g * z, axis=0))

    def batch_norm(xp, x):
        return (x - x.mean(axis=0)) / xp.sqrt(x.var(axis=0))

    return md.custom(rule)(batch_norm)


def test_a_right_first_and_wrong_second_derivative_is_caught_by_order_2_alone():
    md.gradcheck(normalise(cached=True), X, order=1)
    with pytest.raises(AssertionError, match="the gradient of batch_norm: .*input 0 at index"):
        md.gradcheck(normalise(cached=True), X)
    md.gradcheck(normalise(cached=False), X)


def test_a_rule_that_leaves_the_graph_is_caught_by_order_2():
    def rule(g, y, x):
        values = x.data if isinstance(x, md.Tensor) else x
        return g * 3.0 * values * values

    cube = md.custom(rule)(lambda xp, x: x ** 3)
    md.gradcheck(cube, X, order=1)
    with pytest.raises(AssertionError):
        md.gradcheck(cube, X)


def test_mixed_second_derivatives_are_checked():
    @md.custom(lambda g, y, a, b: g * (b.detach() if isinstance(b, md.Tensor) else b), lambda g, y, a, b: g * a)
    def product(xp, a, b):
        return a * b

    md.gradcheck(product, X, X + 1, order=1)
    with pytest.raises(AssertionError, match="the gradient of product"):
        md.gradcheck(product, X, X + 1)


@pytest.mark.parametrize("f, x", [
    (md.relu, [1.0, 0.0]), (md.abs, [0.0]), (lambda x: md.max(x), [1.0, 2.0, 2.0]),
    (lambda x: md.maximum(x, 1.0), [1.0, 3.0]), (lambda x: md.clip(x, -1.0, 1.0), [0.5, 1.0]), (md.norm, [0.0, 0.0])])
def test_a_kink_is_refused(f, x):
    with pytest.raises(InputError, match="has a kink at these inputs"):
        md.gradcheck(f, np.array(x))


def test_a_jump_of_the_first_derivative_is_a_kink_of_the_gradient():
    squared_hinge = lambda x: md.square(md.relu(x))
    md.gradcheck(squared_hinge, np.array([0.0, 1.0]), order=1, tolerance=1e-4)
    with pytest.raises(InputError, match="kink"):
        md.gradcheck(squared_hinge, np.array([0.0, 1.0]), tolerance=1e-4)


@pytest.mark.parametrize("distance", [1e-3, -1e-3, 0.1])
def test_near_a_kink_it_passes(distance):
    md.gradcheck(md.relu, np.array([distance, 2.0, -1.0]))
    md.gradcheck(lambda x: md.max(x), np.array([1.0, 1.0 + distance]))


def test_strong_curvature_is_no_kink():
    md.gradcheck(lambda x: md.exp(x * 20.0), np.array([0.1, 0.2]), tolerance=1e-5)
    md.gradcheck(lambda x: md.sin(x * 100.0), np.array([0.3]), tolerance=1e-4)


def test_inputs_of_float32_tensors_and_lists_are_checked_in_float64():
    dtypes = []

    def f(x):
        dtypes.append(x.dtype)
        return md.exp(x)

    md.gradcheck(f, md.Tensor([1.0, 2.0]))
    md.gradcheck(f, np.array([1.0, 2.0], np.float32))
    assert set(dtypes) == {np.dtype("float64")}


def test_the_inputs_are_left_as_they_were():
    x = X.copy()
    md.gradcheck(md.tanh, x)
    np.testing.assert_array_equal(x, X)


def test_a_result_without_a_rule_is_refused():
    with pytest.raises(AssertionError, match="does not depend on its inputs through any rule"):
        md.gradcheck(lambda x: md.sign(x).detach(), X)


def test_inputs_that_do_not_matter_have_a_zero_gradient():
    md.gradcheck(lambda a, b: md.exp(a), X, X)
    ignored = md.custom(lambda g, y, a, b: g, lambda g, y, a, b: g)(lambda xp, a, b: a + 0.0)
    with pytest.raises(AssertionError, match="input 1"):
        md.gradcheck(ignored, X, X)


def test_a_rule_that_changes_the_dtype_is_caught():
    narrow = md.custom(lambda g, y, x: (g * 2.0).astype("float32"))(lambda xp, x: x * 2.0)
    with pytest.raises(AssertionError, match=r"the gradient is float32\(5, 3\), the input float64\(5, 3\)"):
        md.gradcheck(narrow, X, order=1)


def test_an_error_within_a_rule_is_not_taken_for_a_zero_gradient():
    """To second order the rule mixes dtypes: a constant of float32 beside a Tensor of float64."""
    scaled = md.custom(lambda g, y, x: g * np.full(3, 2.0, "float32") * x)(lambda xp, x: x * x)
    md.gradcheck(scaled, X, order=1)
    with pytest.raises(InputError, match="mixed"):
        md.gradcheck(scaled, X)


def test_joint_rules_are_asked_for_all_gradients_at_once():
    asked = []

    def joint(g, y, wanted, a, b):
        asked.append(wanted)
        return [g * b, g * (a if len(wanted) == 1 else -a)]

    product = md.custom(joint=joint)(lambda xp, a, b: a * b)
    with pytest.raises(AssertionError, match="input 1"):
        md.gradcheck(product, X, X + 1)
    assert [0, 1] in asked


def test_a_rule_that_gives_nan_is_caught():
    bad = md.custom(lambda g, y, x: g * np.nan)(lambda xp, x: x * 2.0)
    with pytest.raises(AssertionError):
        md.gradcheck(bad, X)


def test_functions_that_take_gradients_themselves_can_be_checked():
    def penalty(w):
        x = md.Tensor(X, requires_grad=True)
        (g,) = md.grad(md.sum(md.tanh(x @ w)), [x], create_graph=True)
        return md.sum(g * g)

    md.gradcheck(penalty, RNG.standard_normal((3, 2)))


def test_the_same_seed_checks_the_same_directions():
    rule = lambda g, y, x: g * 1.5
    messages = []
    for _ in range(2):
        with pytest.raises(AssertionError) as caught:
            md.gradcheck(md.custom(rule)(lambda xp, x: x * 2.0), X, rng=3)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_a_rule_that_gives_another_gradient_when_it_is_recorded_is_found():
    @md.custom(lambda g, y, x: g * 2.0 * x * (1.5 if isinstance(x, md.Tensor) else 1.0))
    def two_faced(xp, x):
        return x * x

    with pytest.raises(AssertionError, match="under create_graph the gradient by input 0 is another than without"):
        md.gradcheck(two_faced, np.array([1.0, 2.0]))


@pytest.mark.parametrize("size", [1.0, 1e-5, 1e-10])
def test_a_wrong_rule_is_found_however_small_the_values_are(size):
    @md.custom(lambda g, y, x: g * (2.2 * size) * x)
    def squares(xp, x):
        return size * x * x

    with pytest.raises(AssertionError, match="squares: the rule gives"):
        md.gradcheck(squares, X)
    md.gradcheck(lambda x: size * md.square(x), X)
