"""The hidden tests of assignment 3."""
# CANARY df69ac7a1278ef5f1b83308e81983d44
import numpy as np

from minidl.grading.checks import check, check_array


def layer(rng, d, h, scale=0.5):
    return [scale * rng.standard_normal(shape) for shape in ((d, h), (h,), (h, d), (d,))]


def difference(f, x, eps=1e-5):
    """The gradient of f at x by central differences."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = eps
        gradient[i] = (f(x + step) - f(x - step)) / (2 * eps)
    return gradient


def test_the_penalty_of_single_units_adds_up(student, rng, reference):
    rho_hat = rng.uniform(0.01, 0.99, 7)
    check_array(student.kl_penalty(0.05, rho_hat), reference.kl_penalty(0.05, rho_hat), name="the penalty")
    slope = difference(lambda r: reference.kl_penalty(0.05, r), rho_hat)
    check_array(student.kl_gradient(0.05, rho_hat), slope, rtol=1e-4, atol=1e-6, name="the gradient")


def test_the_whole_cost(student, rng, reference):
    parameters, x = layer(rng, 5, 3), rng.random((9, 5))
    expected = reference.sparse_cost(parameters, x, 1e-2, 0.05, 3.0)
    check_array(student.sparse_cost(parameters, x, 1e-2, 0.05, 3.0), expected, name="the cost")


def test_gradients_agree_with_finite_differences(student, rng, reference):
    parameters, x = layer(rng, 5, 3), rng.random((9, 5))
    answer = student.sparse_gradients(parameters, x, 1e-2, 0.05, 3.0)
    for i, name in enumerate(("W1", "b1", "W2", "b2")):
        slope = difference(lambda p, i=i: reference.sparse_cost(
            [*parameters[:i], p, *parameters[i + 1:]], x, 1e-2, 0.05, 3.0), parameters[i])
        check_array(answer[i], slope, rtol=1e-5, atol=1e-7, name=f"the gradient in {name}")


def test_gradients_leave_the_parameters_as_they_are(student, rng):
    parameters, x = layer(rng, 5, 3), rng.random((9, 5))
    _, after = student.call_and_look("sparse_gradients", parameters, x, 1e-2, 0.05, 3.0)
    for before, now in zip([*parameters, x], [*after[0], after[1]], strict=True):
        check_array(now, before, rtol=0, atol=0, name="what was given, after the call")


def test_no_input_of_that_length_excites_a_unit_more(student, rng):
    W1 = rng.standard_normal((6, 4))
    rows = student.maximising_inputs(W1)
    check_array((np.asarray(rows) @ W1).diagonal(), np.sqrt((W1 ** 2).sum(axis=0)), name="what the units get")


def test_pretraining_reconstructs_a_and_not_x(student, rng, reference):
    starts, x = [layer(rng, 5, 4), layer(rng, 4, 4), layer(rng, 4, 3)], rng.random((8, 5))
    kept = [[p.copy() for p in start] for start in starts]
    answer, after = student.call_and_look("pretrain", starts, x, 0.7, 5)
    expected = reference.pretrain(starts, x, 0.7, 5)
    check(len(answer) == 3, "an encoder for each of three layers is wanted")
    for i, ((W, b), (right_W, right_b)) in enumerate(zip(answer, expected, strict=True)):
        check_array(W, right_W, rtol=1e-8, name=f"layer {i}'s W")
        check_array(b, right_b, rtol=1e-8, name=f"layer {i}'s b")
    for start, before in zip(after[0], kept, strict=True):
        for now, p in zip(start, before, strict=True):
            check_array(now, p, rtol=0, atol=0, name="a start, after the call")


def test_large_logits_do_not_overflow(student, rng, reference):
    W, b, a = 300 * rng.standard_normal((4, 3)), rng.standard_normal(3), rng.standard_normal((5, 4))
    labels = rng.integers(3, size=5)
    for value, right in zip(student.softmax_gradients(W, b, a, labels),
                            reference.softmax_gradients(W, b, a, labels), strict=True):
        check_array(value, right, rtol=1e-7)


def test_fine_tuning_gradients_of_three_layers(student, rng, reference):
    sizes = (5, 6, 4, 3)
    layers = [(rng.standard_normal((d, h)), rng.standard_normal(h)) for d, h in zip(sizes, sizes[1:], strict=False)]
    x, in_top = rng.random((6, 5)), rng.standard_normal((6, 3))
    expected = reference.fine_tuning_gradients(layers, x, in_top)
    for answer, right in zip(student.fine_tuning_gradients(layers, x, in_top), expected, strict=True):
        for value, wanted in zip(answer, right, strict=True):
            check_array(value, wanted, rtol=1e-8)


def test_the_threshold_itself(student):
    z = np.array([[0.0, -0.0, 1e-12, -1e-12, 1e3, -1e3]])
    check_array(student.binarize(z), np.array([[0, 0, 1, 0, 1, 0]], np.uint8), dtype=np.uint8)


def test_distances_of_every_byte(student):
    bytes_ = np.arange(256, dtype=np.uint8)[:, None]
    expected = np.array([[bin(a ^ b).count("1") for b in range(256)] for a in (0, 77, 255)])
    check_array(student.hamming(bytes_[[0, 77, 255]], bytes_), expected, name="the distances of bytes")
    long_ = np.full((1, 40), 255, np.uint8)
    check_array(student.hamming(long_, 0 * long_), np.array([[320]]), name="a distance beyond 255")


def test_ties_go_to_the_smaller_index(student, rng):
    distances = rng.integers(3, size=(5, 40))
    expected = np.argsort(distances, axis=1, kind="stable")[:, :20]
    check_array(student.nearest(distances, 20), expected, name="the indices")
