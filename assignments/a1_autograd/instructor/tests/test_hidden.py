"""The hidden tests of assignment 1."""
# CANARY 96c7b4b635c0b24333dd02d6723a219e
import numpy as np

from minidl.grading.checks import check, check_array, check_kind, check_shape


def test_sum_to_is_the_transpose_of_broadcasting(student, rng):
    for shape, wide in [((), (3, 2)), ((1, 1), (3, 2)), ((3, 1, 2), (4, 3, 5, 2)), ((1,), (1,)), ((2, 1), (0, 2, 3))]:
        g, x = rng.standard_normal(wide), rng.standard_normal(shape)
        back = student.call_twice("sum_to", g, shape)
        check_shape(back, shape, name="what sum_to returned")
        check_array(np.asarray((x * back).sum()), (np.broadcast_to(x, wide) * g).sum(), rtol=1e-9, atol=1e-12)


def difference(f, x, eps=1e-6):
    """The gradient of f at x by central differences."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = eps
        gradient[i] = (f(x + step) - f(x - step)) / (2 * eps)
    return gradient


def test_rules_agree_with_finite_differences_on_other_shapes(student, rng):
    a, b, g = rng.standard_normal((1, 4)), rng.standard_normal((4, 2)), rng.standard_normal((1, 2))
    in_a, in_b = student.call_twice("vjp_matmul", g, a, b)
    check_array(in_a, difference(lambda a: (g * (a @ b)).sum(), a), rtol=1e-5, atol=1e-7)
    check_array(in_b, difference(lambda b: (g * (a @ b)).sum(), b), rtol=1e-5, atol=1e-7)
    x, h = rng.standard_normal((2, 3, 1)), rng.standard_normal((2, 3, 1))
    in_x = student.call_twice("vjp_tanh", h, x)
    check_array(in_x, difference(lambda x: (h * np.tanh(x)).sum(), x), rtol=1e-5, atol=1e-7)
    first, second = student.call_twice("vjp_multiply", h, x, x)
    check_array(first + second, difference(lambda x: (h * x * x).sum(), x), rtol=1e-5, atol=1e-7)


def test_the_rule_of_logsumexp_does_not_overflow(student, reference):
    g, x = np.array([2.0, 1.0]), np.array([[1000.0, 1001.0, -5.0], [-1000.0, -1000.0, -2000.0]])
    check_array(student.call_twice("vjp_logsumexp", g, x), reference.vjp_logsumexp(g, x))


def test_a_chain_of_5000_is_no_problem(student):
    parents = [[]] + [[node] for node in range(5000)]
    student.call_twice("backward_order", parents[:50], 49)
    order = student.backward_order(parents, 5000)
    check(list(order) == list(range(5000, -1, -1)), "a chain of 5001 nodes is not walked from its end to its beginning")


def test_each_rule_is_called_once(student, rng):
    doubling = [None] + [["add", [node, node]] for node in range(12)] + [["sum", [12]]]
    found, calls, _ = student.drive("backward_through", doubling, list(range(13, -1, -1)), [rng.standard_normal(3)],
                                    np.array(1.0))
    check_kind(found, dict, "backward")
    check_array(found.get("0"), np.full(3, 2.0 ** 12))
    check(calls == [0] + [1] * 13, f"the rules of 13 nodes were called {calls[1:]} times, and not once each")


def test_what_is_given_is_not_changed(student, rng):
    program = [None, ["add", [0, 0]], ["add", [1, 0]], ["mul", [2, 0]]]
    x, g = rng.standard_normal((2, 4))
    found, _, arrays = student.drive("backward_through", program, [3, 2, 1, 0], [x], g)
    check_kind(found, dict, "backward")
    check_array(found.get("0"), 6 * g * x, name="the gradient of 3 x^2")
    check(len(arrays) >= 7 and all(np.array_equal(now, before) for now, before in arrays),
          "backward has changed g, or an array that a rule returned")


def test_the_difference_is_a_central_one(student):
    x = np.array([0.0, 0.3, -0.2])
    gradient, _ = student.drive("numerical", "step", x, 1e-3)
    check_array(gradient, np.array([0.5, 1.0, 0.0]), rtol=1e-6, atol=1e-9)
    gradient, _ = student.drive("numerical", "product", np.array([[2.0, 3.0], [4.0, 5.0]]), 1e-4)
    check_array(gradient, np.array([[60.0, 40.0], [30.0, 24.0]]), rtol=1e-6)
    gradient, _ = student.drive("numerical", "cubic", np.array([[[2.0], [1.0]]]), 1e-4)
    check_array(gradient, np.array([[[12.0], [3.0]]]), rtol=1e-6)


def test_the_check_looks_at_every_entry(student, rng):
    def check_named(expected, numerical, gradient, *options):
        place = student.call_twice("check_gradient", np.array(numerical), np.array(gradient), *options)
        if place is not None:
            check(np.ndim(place) == 1, "check_gradient returned neither None nor an index")
            place = [int(i) for i in place]
        check(place == expected, f"check_gradient named {place}, and not {expected}, for {gradient} beside {numerical}")

    numerical = rng.standard_normal((4, 5))
    for place, error in [((0, 0), 1e-4), ((3, 4), -1e-4), ((2, 1), 1e-4)]:
        wrong = numerical.copy()
        wrong[place] += error
        check_named(list(place), numerical, wrong)
    wrong[1, 3] = np.nan
    check_named([1, 3], numerical, wrong)                                    # NaN is the worst
    check_named([1], [1.0, 2.0], [1.0, np.nan])                              # and wrong alone
    check_named(None, [1e9], [1e9 + 100])                                    # the tolerance is relative above 1,
    check_named([0], [0.0], [1e-5])
    check_named(None, [1e-3], [1e-3 + 5e-7])                                 # absolute below,
    check_named([1], [1.0, 2.0], [1.0, 2.0 + 1e-7], 1e-9)                    # and not always the same
    check_named([0], [1.0], [3.0], 1.5)                                      # 2 / max(1, |numerical|), nothing larger
    check_named([1], [0.0, 0.0, 0.0], [0.0, -0.5, 0.5])                      # the first of two


def test_the_second_rule_of_matmul(student, rng, reference):
    gg, g = rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
    a, b = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    for name, answer, expected in zip("gab", student.call_twice("vjp_of_vjp_matmul", gg, g, a, b), [
            difference(lambda g: (gg * (g @ b.T)).sum(), g), np.zeros_like(a),
            difference(lambda b: (gg * (g @ b.T)).sum(), b)], strict=True):
        check_array(answer, expected, rtol=1e-5, atol=1e-7, name=f"the gradient in {name}")


def test_the_gradient_of_the_penalty(student, rng, reference):
    W, v, x = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal((5, 3))
    _, in_W, in_v = student.call_twice("gradient_penalty", W, v, x)
    check_array(in_W, difference(lambda W: reference.gradient_penalty(W, v, x)[0], W), rtol=1e-4, atol=1e-6)
    check_array(in_v, difference(lambda v: reference.gradient_penalty(W, v, x)[0], v), rtol=1e-4, atol=1e-6)
