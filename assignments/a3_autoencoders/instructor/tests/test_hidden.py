"""The hidden tests of assignment 3."""
# CANARY df69ac7a1278ef5f1b83308e81983d44
import numpy as np

from minidl.grading.checks import check, check_array, check_values


def layer(rng, d, h, scale=0.5):
    return [scale * rng.standard_normal(shape) for shape in ((d, h), (h,), (h, d), (d,))]


def encoders(rng, *sizes):
    return [(rng.standard_normal((d, h)), rng.standard_normal(h)) for d, h in zip(sizes, sizes[1:], strict=False)]


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
    expected = reference.kl_penalty(0.05, rho_hat)
    check_array(student.call_twice("kl_penalty", 0.05, rho_hat), expected, name="the penalty")
    slope = difference(lambda r: reference.kl_penalty(0.05, r), rho_hat)
    check_array(student.call_twice("kl_gradient", 0.05, rho_hat), slope, rtol=1e-4, atol=1e-6, name="the gradient")


def test_the_whole_cost(student, rng, reference):
    parameters, x = layer(rng, 5, 3), rng.random((9, 5))
    expected = reference.sparse_cost(parameters, x, 1e-2, 0.05, 3.0)
    check_array(student.call_twice("sparse_cost", parameters, x, 1e-2, 0.05, 3.0), expected, name="the cost")


def test_gradients_agree_with_finite_differences(student, rng, reference):
    parameters, x = layer(rng, 5, 3), rng.random((9, 5))
    answer = check_values(student.sparse_gradients(parameters, x, 1e-2, 0.05, 3.0), 4, "sparse_gradients")
    for i, name in enumerate(("W1", "b1", "W2", "b2")):
        slope = difference(lambda p, i=i: reference.sparse_cost(
            [*parameters[:i], p, *parameters[i + 1:]], x, 1e-2, 0.05, 3.0), parameters[i])
        check_array(answer[i], slope, rtol=1e-5, atol=1e-7, name=f"the gradient in {name}")


def test_gradients_leave_the_parameters_as_they_are(student, rng, reference):
    parameters, x = layer(rng, 5, 3), rng.random((9, 5))
    answer = student.call_twice("sparse_gradients", parameters, x, 1e-2, 0.05, 0.0)
    check_array(answer[0], reference.sparse_gradients(parameters, x, 1e-2, 0.05, 0.0)[0], name="the gradient in W1")


def test_no_input_of_that_length_excites_a_unit_more(student, rng):
    for W1 in (rng.standard_normal((6, 4)) * [1e-3, 1, 1e3, 1], -np.abs(rng.standard_normal((1, 3)))):
        rows = student.call_twice("maximising_inputs", W1)
        check_array((np.asarray(rows) ** 2).sum(axis=1), np.ones(W1.shape[1]), name="the squared lengths")
        check_array((np.asarray(rows) @ W1).diagonal(), np.sqrt((W1 ** 2).sum(axis=0)), name="what the units get")


def test_pretraining_reconstructs_a_and_not_x(student, rng, reference):
    starts, x = [layer(rng, 5, 4), layer(rng, 4, 4), layer(rng, 4, 3)], rng.random((8, 5))
    answer, expected = student.pretrain(starts, x, 0.7, 5), reference.pretrain(starts, x, 0.7, 5)
    for i, (pair, right) in enumerate(zip(check_values(answer, 3, "pretrain"), expected, strict=True)):
        for value, wanted, name in zip(check_values(pair, 2, "pretrain, for a layer,"), right, "Wb", strict=True):
            check_array(value, wanted, rtol=1e-8, name=f"layer {i}'s {name}")


def test_pretraining_again_gives_the_same(student, rng, reference):
    layers = encoders(rng, 5, 4, 3)
    inputs = check_values(student.call_twice("layer_inputs", layers, rng.random((6, 5))), 2, "layer_inputs")
    check(inputs[1].shape == (6, 4), "the second layer's input has a column for each of 4 units")
    arguments = [layer(rng, 5, 4), layer(rng, 4, 3)], rng.random((8, 5)), 0.7, 5
    answer = check_values(student.call_twice("pretrain", *arguments), 2, "pretrain")
    check_array(check_values(answer[0], 2, "an encoder")[0], reference.pretrain(*arguments)[0][0], name="the first W")


def test_large_logits_do_not_overflow(student, rng, reference):
    W, b, a = 1e4 * rng.standard_normal((4, 3)), rng.standard_normal(3), rng.standard_normal((5, 4))
    labels = rng.integers(3, size=5)
    answer = check_values(student.call_twice("softmax_gradients", W, b, a, labels), 4, "softmax_gradients")
    names = ("the loss", "the gradient in W", "the gradient in b", "the gradient in a")
    for value, right, name in zip(answer, reference.softmax_gradients(W, b, a, labels), names, strict=True):
        check_array(value, right, rtol=1e-7, name=name)


def test_fine_tuning_gradients_of_three_layers(student, rng, reference):
    for sizes in ((5, 6, 4, 3), (4, 2)):
        layers, x, in_top = encoders(rng, *sizes), rng.random((6, sizes[0])), rng.standard_normal((6, sizes[-1]))
        answer = student.call_twice("fine_tuning_gradients", layers, x, in_top)
        for i, right in enumerate(reference.fine_tuning_gradients(layers, x, in_top)):
            pair = check_values(check_values(answer, len(layers), "fine_tuning_gradients")[i], 2, "a layer's gradients")
            for value, wanted, name in zip(pair, right, "Wb", strict=True):
                check_array(value, wanted, rtol=1e-8, name=f"the gradient in layer {i}'s {name}")


def test_the_threshold_itself(student, rng):
    z = np.array([[0.0, -0.0, 1e-12, -1e-12, 1e3, -1e3]])
    bits = student.call_twice("binarize", z)
    check_array(bits, np.array([[0, 0, 1, 0, 1, 0]], np.uint8), dtype=np.uint8, name="the bits")
    student.call_twice("straight_through", *rng.standard_normal((2, 3, 8)))


def test_distances_of_every_byte(student, rng):
    bits = rng.integers(2, size=(5, 64), dtype=np.uint8)
    packed = student.call_twice("pack", bits)
    value = sum(bits[:, i::8].astype(int) << 7 - i for i in range(8))
    check_array(packed, value.astype(np.uint8), dtype=np.uint8, name="the bytes")
    bytes_ = np.arange(256, dtype=np.uint8)[:, None]
    expected = np.array([[bin(a ^ b).count("1") for b in range(256)] for a in (0, 77, 255)])
    check_array(student.call_twice("hamming", bytes_[[0, 77, 255]], bytes_), expected, name="the distances of bytes")
    far = np.full((1, 70), 255, np.uint8)
    check_array(student.hamming(far, 0 * far), np.array([[560]]), name="a distance beyond 255")


def test_the_nearest_of_many_with_ties(student, rng):
    for dtype, n, k in ((np.int64, 40, 20), (np.uint8, 30, 7), (np.int32, 5, 5), (np.int64, 6, 1)):
        distances = rng.integers(3, size=(5, n), dtype=dtype)
        expected = [sorted(range(n), key=list(row).__getitem__)[:k] for row in distances]
        check_array(student.call_twice("nearest", distances, k), np.array(expected), name="the indices")


def test_precision_of_single_hits(student, rng):
    labels, found, query_labels = rng.integers(3, size=20), rng.integers(20, size=(6, 4)), rng.integers(3, size=6)
    for k in (4, 1):
        hits = [labels[i] == label for row, label in zip(found[:, :k], query_labels, strict=True) for i in row]
        answer = student.call_twice("precision_at_k", found[:, :k], labels, query_labels)
        check_array(answer, sum(hits) / len(hits), name="the precision")
