"""The public tests of assignment 1."""
from collections import Counter

import numpy as np

from minidl.grading.checks import check, check_array, check_kind, check_shape, check_values


def slopes(f, x):
    """The gradient of f at x by complex steps: f(x + ih) = f(x) + ih f'(x) + ..., where no digits are lost."""
    steps = 1e-30j * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([f(x + step).imag for step in steps]).reshape(x.shape) / 1e-30


# 1: rules of single primitives ----------------------------------------------------------------------------------------


def test_sum_to_undoes_broadcasting(student, rng):
    g = rng.standard_normal((4, 2, 3))
    check_array(student.sum_to(g, (2, 3)), g.sum(axis=0), name="sum_to(g, (2, 3))")
    check_array(student.sum_to(g, (2, 1)), g.sum(axis=(0, 2))[:, None], name="sum_to(g, (2, 1))")
    check_array(student.sum_to(g, (4, 2, 3)), g, name="sum_to(g, g.shape)")


def pair(student, name, *arguments):
    """Two arrays that a rule returned."""
    return check_values(student.call(name, *arguments), 2, name)


def test_the_rule_of_multiply(student, rng):
    g, a, b = rng.standard_normal((3, 4, 5))
    in_a, in_b = pair(student, "vjp_multiply", g, a, b)
    check_array(in_a, slopes(lambda a: (g * (a * b)).sum(), a), name="the gradient in a")
    check_array(in_b, slopes(lambda b: (g * (a * b)).sum(), b), name="the gradient in b")


def test_the_rule_of_matmul(student, rng):
    g, a, b = rng.standard_normal((4, 5)), rng.standard_normal((4, 3)), rng.standard_normal((3, 5))
    in_a, in_b = pair(student, "vjp_matmul", g, a, b)
    check_array(in_a, slopes(lambda a: (g * (a @ b)).sum(), a), name="the gradient in a")
    check_array(in_b, slopes(lambda b: (g * (a @ b)).sum(), b), name="the gradient in b")


def test_the_rule_of_tanh(student, rng):
    g, x = rng.standard_normal((2, 3, 4))
    check_array(student.vjp_tanh(g, x), slopes(lambda x: (g * np.tanh(x)).sum(), x), name="the gradient in x")


def test_the_rule_of_logsumexp(student, rng):
    g, x = rng.standard_normal(3), rng.standard_normal((3, 4))
    right = slopes(lambda x: (g * np.log(np.exp(x).sum(axis=1))).sum(), x)
    check_array(student.vjp_logsumexp(g, x), right, name="the gradient in x")


# 2: the backward pass -------------------------------------------------------------------------------------------------


def random_graph(rng, nodes):
    """Parents of nodes, up to two each; some nodes are used often, some never."""
    return [[] if node < 3 else [int(i) for i in rng.integers(node, size=rng.integers(1, 3))] for node in range(nodes)]


def ancestors(parents, output):
    found = {output}
    for node in range(output, -1, -1):
        if node in found:
            found.update(parents[node])
    return found


def ordered(student, parents, output):
    order = student.backward_order(parents, output)
    order = order.tolist() if isinstance(order, np.ndarray) else order
    if not isinstance(order, tuple):
        check_kind(order, list, "backward_order")
    return [int(node) for node in order]


def test_a_node_comes_after_all_that_used_it(student, rng):
    ladder = [[], *[[node - 1, max(node - 2, 0)] for node in range(1, 20)]]       # each node is used by the next two
    for parents in (ladder, [sorted(used) for used in ladder], random_graph(rng, 40)):
        output = len(parents) - 1
        order = ordered(student, parents, output)
        check(order, "the order is empty; the output comes first")
        check(order[0] == output, f"the order begins with node {order[0]}, and not with the output, node {output}")
        place = {node: i for i, node in reversed([*enumerate(order)])}            # where each comes first
        for node in order:
            for parent in parents[node]:
                check(parent in place, f"node {parent} leads to the output and is missing")
                check(place[parent] > place[node],
                      f"node {parent} comes before node {node}, which was computed from it")


def test_nodes_that_do_not_lead_to_the_output_are_left_out(student, rng):
    diamonds = [[], [0], [0], [1, 2], [0], [3], [3], [5, 6], [7, 7]]              # node 4 is used by none
    for parents, output in ((diamonds, 8), (random_graph(rng, 40), 25)):
        order, right = ordered(student, parents, output), ancestors(parents, output)
        for node, times in Counter(order).items():
            check(times == 1, f"node {node} is in the order {times} times")
        check(set(order) <= right, f"the order holds {sorted(set(order) - right)}, which do not lead to the output")
        check(set(order) == right, f"the order lacks {sorted(right - set(order))}, which lead to the output")


def gradients(student, program, order, inputs, g):
    found, _, _ = student.drive("backward_through", program, order, inputs, g)
    check_kind(found, dict, "backward")
    check(set(found) == set(map(str, order)), f"gradients in the nodes {sorted(order)} are wanted; yours are in "
          f"{', '.join(sorted(found)) or 'none'}")
    return {node: found[str(node)] for node in order}


def test_gradients_of_a_chain(student, rng):
    x, y = rng.standard_normal((2, 4))
    program = [None, None, ["mul", [0, 1]], ["tanh", [2]], ["sum", [3]]]
    found = gradients(student, program, [4, 3, 2, 1, 0], [x, y], np.array(2.0))
    check_array(found[0], 2 * y / np.cosh(x * y) ** 2, name="the gradient in node 0")
    check_array(found[1], 2 * x / np.cosh(x * y) ** 2, name="the gradient in node 1")


def test_gradients_of_several_uses_add_up(student, rng):
    x = rng.standard_normal(4)
    program = [None, ["mul", [0, 0]], ["add", [1, 0]], ["add", [2, 1]], ["sum", [3]]]
    found = gradients(student, program, [4, 3, 2, 1, 0], [x], np.array(1.0))
    check_array(found[0], 4 * x + 1, name="the gradient of sum(2 x^2 + x)")


# 3: checking gradients ------------------------------------------------------------------------------------------------


def test_the_numerical_gradient_of_a_cubic(student, rng):
    x = rng.standard_normal((2, 3))
    gradient, after = student.drive("numerical", "cubic", x)
    check_array(gradient, 3 * x ** 2, rtol=1e-6, atol=1e-8, name="the gradient of sum(x^3)")
    check_array(after, x, rtol=0, atol=0, name="x after the call")
    gradient, _ = student.drive("numerical", "cubic", x, 0.1)
    check_array(gradient, 3 * x ** 2 + 0.01, name="the difference quotient of sum(x^3) for eps 0.1, 3 x^2 + eps^2")


def named(student, *arguments):
    """The place that `check_gradient` names, as a list, or None."""
    place = student.check_gradient(*arguments)
    if place is None:
        return None
    place = tuple(place) if np.ndim(place) == 1 else place
    check_kind(place, tuple, "check_gradient, where it found a wrong entry,")
    return [int(i) for i in place]


def test_a_right_gradient_passes_the_check(student, rng):
    g = rng.uniform(1, 100, (3, 4)) * [1, -1, 1, -1]
    for gradient, tolerance, what in ((g * (1 + 5e-7), 1e-6, "5e-7 of its size"), (g + 0.5, 0.6, "0.5")):
        place = named(student, g, gradient, tolerance)
        check(place is None, f"for the tolerance {tolerance} an error of {what} is right: None was expected, {place} "
              "came")
    check(named(student, g, -g) is not None, "a gradient with the wrong sign is not right, and None came")


def test_a_wrong_gradient_is_found_and_named(student, rng):
    numerical = np.array([[1.0, 1000.0], [2.0, 0.0]])
    for error, what in ((1e-3, "too large"), (-1e-3, "too small")):
        place = named(student, numerical, numerical + [[error, 500 * error], [0.0, 0.0]])
        check(place == [0, 0], f"of 1 and 1000, {what} by 0.001 and 0.5, the worst for its size is [0, 0]; yours is "
              f"{place}")


# 4: to second order ---------------------------------------------------------------------------------------------------


def test_the_second_rule_of_tanh(student, rng):
    gg, g, x = rng.standard_normal((3, 5))
    in_g, in_x = pair(student, "vjp_of_vjp_tanh", gg, g, x)
    check_array(in_g, slopes(lambda g: (gg * (g * (1 - np.tanh(x) ** 2))).sum(), g), name="the gradient in g")
    check_array(in_x, slopes(lambda x: (gg * (g * (1 - np.tanh(x) ** 2))).sum(), x), name="the gradient in x")


def test_second_gradients_of_a_product(student, rng):
    gg, g, a, b = (rng.standard_normal(shape) for shape in ((4, 3), (4, 5), (4, 3), (3, 5)))
    answer = check_values(student.vjp_of_vjp_matmul(gg, g, a, b), 3, "vjp_of_vjp_matmul")
    check_array(answer[0], slopes(lambda g: (gg * (g @ b.T)).sum(), g), name="the gradient in g")
    check_array(answer[1], np.zeros((4, 3)), name="the gradient in a, on which g @ b.T does not depend")
    check_array(answer[2], slopes(lambda b: (gg * (g @ b.T)).sum(), b), name="the gradient in b")


def test_the_value_of_the_penalty(student, rng):
    W, v, x = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal((5, 3))
    answer = check_values(student.gradient_penalty(W, v, x), 3, "gradient_penalty")
    gradients = [slopes(lambda row: v @ np.tanh(row @ W), row) for row in x]
    check_array(answer[0], np.mean([(np.linalg.norm(g) - 1) ** 2 for g in gradients]), name="the penalty")


def test_the_penaltys_gradients_are_its_slopes(student, rng):
    W, v, x = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal((5, 3))
    _, in_W, in_v = check_values(student.gradient_penalty(W, v, x), 3, "gradient_penalty")
    check_shape(in_W, (3, 4), name="the gradient in W")
    check_shape(in_v, (4,), name="the gradient in v")
    for _ in range(5):
        i, j, step = rng.integers(3), rng.integers(4), 1e-5
        along_W, along_v = np.zeros((3, 4)), np.zeros(4)
        along_W[i, j] = along_v[j] = step
        for said, above, below, name in ((in_v[j], (W, v + along_v), (W, v - along_v), f"v at [{j}]"),
                                         (in_W[i, j], (W + along_W, v), (W - along_W, v), f"W at [{i}, {j}]")):
            rise = student.gradient_penalty(*above, x)[0] - student.gradient_penalty(*below, x)[0]
            check(rise != 0, f"your penalty stays the same where {name} changes: it has no slope to compare with")
            check_array(float(said), rise / (2 * step), rtol=1e-4, atol=1e-6, name=f"the gradient in {name} beside a "
                        "finite difference of your own penalty")
