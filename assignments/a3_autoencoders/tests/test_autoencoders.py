"""The public tests of assignment 3."""
import numpy as np

from minidl.grading.checks import check, check_array


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def layer(rng, d, h, scale=0.5):
    """W1, b1, W2, b2 of an autoencoder."""
    return [scale * rng.standard_normal(shape) for shape in ((d, h), (h,), (h, d), (d,))]


def several(answer, n, what):
    check(isinstance(answer, tuple | list) and len(answer) == n, f"{what} returns {n} values")
    return answer


def one_pass(W1, b1, W2, b2, x):
    """An autoencoder's activations, and the gradients of half the mean squared error in both layers' inputs."""
    hidden = sigmoid(x @ W1 + b1)
    out = sigmoid(hidden @ W2 + b2)
    up = (out - x) * out * (1 - out) / len(x)
    return hidden, np.einsum("nd,hd->nh", up, W2) * hidden * (1 - hidden), up


# 1: a sparse autoencoder ----------------------------------------------------------------------------------------------


def test_the_penalty_is_the_divergence(student):
    check_array(student.kl_penalty(0.1, np.array([0.1, 0.1])), 0.0, atol=1e-12, name="where the shares are right")
    expected = 0.1 * np.log(0.1 / 0.4) + 0.9 * np.log(0.9 / 0.6)
    check_array(student.kl_penalty(0.1, np.array([0.4])), expected, name="of 0.1 from 0.4")


def test_the_penaltys_gradient(student):
    check_array(student.kl_gradient(0.1, np.array([0.1, 0.5, 0.05])), np.array([0.0, 1.6, -2 + 0.9 / 0.95]), atol=1e-9,
                name="the gradient")


def test_the_cost_without_penalties_is_half_the_squared_error(student, rng):
    W1, b1, W2, b2 = layer(rng, 4, 3)
    x = rng.random((6, 4))
    y = sigmoid(sigmoid(x @ W1 + b1) @ W2 + b2)
    check_array(student.sparse_cost([W1, b1, W2, b2], x, 0.0, 0.1, 0.0), 0.5 * ((y - x) ** 2).sum(axis=1).mean())


def test_weight_decay_spares_the_biases(student, rng):
    parameters, x = layer(rng, 4, 3), rng.random((6, 4))
    without = student.sparse_cost(parameters, x, 0.0, 0.1, 0.0)
    with_decay = student.sparse_cost(parameters, x, 0.5, 0.1, 0.0)
    check_array(with_decay - without, 0.25 * ((parameters[0] ** 2).sum() + (parameters[2] ** 2).sum()),
                name="what weight decay adds")


def test_gradients_without_penalties(student, rng):
    W1, b1, W2, b2 = layer(rng, 4, 3)
    x = rng.random((6, 4))
    hidden, down, up = one_pass(W1, b1, W2, b2, x)
    expected = [np.einsum("nd,nh->dh", x, down), down.sum(0), np.einsum("nh,nd->hd", hidden, up), up.sum(0)]
    answer = several(student.sparse_gradients([W1, b1, W2, b2], x, 0.0, 0.1, 0.0), 4, "sparse_gradients")
    for gradient, right, name in zip(answer, expected, ("W1", "b1", "W2", "b2"), strict=True):
        check_array(gradient, right, name=f"the gradient in {name}")


def test_a_maximising_input_has_length_one(student, rng):
    W1 = rng.standard_normal((5, 3)) * [1, 10, 0.1]
    rows = student.maximising_inputs(W1)
    check(getattr(rows, "shape", None) == (3, 5), "a row of 5 numbers for each of the 3 units was expected")
    check_array((rows ** 2).sum(axis=1), np.ones(3), name="the squared lengths")


# 2: a stack -----------------------------------------------------------------------------------------------------------


def encoders(rng, *sizes):
    return [(rng.standard_normal((d, h)), rng.standard_normal(h)) for d, h in zip(sizes, sizes[1:], strict=False)]


def test_the_second_layer_is_trained_on_activations(student, rng):
    layers, x = encoders(rng, 5, 4, 3), rng.random((6, 5))
    inputs = several(student.layer_inputs(layers, x), 2, "layer_inputs for two layers")
    check_array(inputs[0], x, name="the first layer's input")
    check_array(inputs[1], sigmoid(x @ layers[0][0] + layers[0][1]), name="the second layer's input")


def test_pretraining_one_layer(student, rng):
    W1, b1, W2, b2 = start = layer(rng, 4, 3)
    x = rng.random((6, 4))
    (W, b), = several(student.pretrain([start], x, 0.5, 1), 1, "pretrain for one layer")
    _, down, _ = one_pass(W1, b1, W2, b2, x)
    check_array(W, W1 - 0.5 * np.einsum("nd,nh->dh", x, down), name="W after a step")
    check_array(b, b1 - 0.5 * down.sum(0), name="b after a step")


def test_the_classifiers_loss_and_gradients(student, rng):
    W, b, a = rng.standard_normal((4, 3)), rng.standard_normal(3), rng.standard_normal((5, 4))
    labels = np.array([0, 2, 1, 1, 0])
    p = np.exp(a @ W + b)
    p /= p.sum(axis=1, keepdims=True)
    in_logits = (p - np.eye(3)[labels]) / 5
    answer = several(student.softmax_gradients(W, b, a, labels), 4, "softmax_gradients")
    expected = [-np.log(p[np.arange(5), labels]).mean(), a.T @ in_logits, in_logits.sum(axis=0), in_logits @ W.T]
    names = ("the loss", "the gradient in W", "the gradient in b", "the gradient in a")
    for value, right, name in zip(answer, expected, names, strict=True):
        check_array(value, right, name=name)


def test_gradients_reach_the_first_layer(student, rng):
    (W1, b1), (W2, b2) = layers = encoders(rng, 5, 4, 3)
    x, in_top = rng.random((6, 5)), rng.standard_normal((6, 3))
    first = sigmoid(x @ W1 + b1)
    second = sigmoid(first @ W2 + b2)
    top = in_top * second * (1 - second)
    bottom = np.einsum("nk,hk->nh", top, W2) * first * (1 - first)
    answer = several(student.fine_tuning_gradients(layers, x, in_top), 2, "fine_tuning_gradients for two layers")
    for (in_W, in_b), below, slope, name in zip(answer, (x, first), (bottom, top), ("first", "second"), strict=True):
        check_array(in_W, np.einsum("nd,nh->dh", below, slope), name=f"the gradient in the {name} layer's W")
        check_array(in_b, slope.sum(0), name=f"the gradient in the {name} layer's b")


# 3: binary codes ------------------------------------------------------------------------------------------------------


def test_a_code_is_zeros_and_ones(student, rng):
    z = rng.standard_normal((5, 8))
    check_array(student.binarize(z), (z > 0).astype(np.uint8), dtype=np.uint8, name="the bits")


def test_the_gradient_goes_straight_through(student, rng):
    g, z = rng.standard_normal((2, 5, 8))
    check_array(student.straight_through(g, z), g * sigmoid(z) * sigmoid(-z), name="the gradient in z")


def test_eight_bits_a_byte(student):
    bits = np.array([[1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1]], np.uint8)
    check_array(student.pack(bits), np.array([[129, 3]], np.uint8), dtype=np.uint8, name="the bytes")


def test_distances_count_the_bits_that_differ(student):
    queries, database = np.array([[0b1010, 0]], np.uint8), np.array([[0b1010, 0], [0b0101, 0], [0, 255]], np.uint8)
    check_array(student.hamming(queries, database), np.array([[0, 4, 10]]), name="the distances")


def test_the_nearest_codes_come_first(student, rng):
    distances = np.array([rng.permutation(12) for _ in range(4)])
    check_array(student.nearest(distances, 5), np.argsort(distances, axis=1)[:, :5], name="the indices")


def test_precision_counts_the_right_class(student):
    labels = np.array([0, 0, 1, 1, 2])
    found = np.array([[0, 1, 2], [4, 3, 0]])
    check_array(student.precision_at_k(found, labels, np.array([0, 2])), 0.5, name="the precision")
