"""The public tests of assignment 3."""
import numpy as np

from minidl.grading.checks import check, check_array, check_kind, check_shape, check_values


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def layer(rng, d, h, scale=0.5):
    """W1, b1, W2, b2 of an autoencoder."""
    return [scale * rng.standard_normal(shape) for shape in ((d, h), (h,), (h, d), (d,))]


def quiet(rng, d, h):
    """The same, with activations of one half, whatever the data are."""
    return [np.zeros((d, h)), np.zeros(h), *layer(rng, d, h)[2:]]


def looks_like(answer, wrong):
    """Whether an answer is what a common mistake gives."""
    return isinstance(answer, float | np.ndarray) and np.shape(answer) == np.shape(wrong) and np.allclose(answer, wrong)


def slopes(f, x):
    """The gradient of f at x by complex steps: f(x + ih) = f(x) + ih f'(x) + ..., where no digits are lost."""
    steps = 1e-30j * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([f(x + step).imag for step in steps]).reshape(x.shape) / 1e-30


# An autoencoder, its data, and what is known of it: its cost without penalties, the gradients of that, and its encoder
# after one step and after three with the rate 2.
NAMES = ("W1", "b1", "W2", "b2")
START = [np.array([[1.0, -2.0], [0.5, 1.0], [-1.0, 0.5]]), np.array([0.5, -0.5]),
         np.array([[1.0, -1.0, 0.5], [0.5, 2.0, -1.0]]), np.array([0.0, 0.5, -0.5])]
X = np.array([[0.0, 1.0, 0.5], [1.0, 0.5, 0.0], [0.25, 0.75, 1.0], [1.0, 1.0, 0.0]])
COST = 0.2620989718
GRADIENTS = [
    np.array([[0.003753756619, -0.015542543003], [0.013886842996, -0.005543370978], [0.006063601659, 0.012949708280]]),
    np.array([0.014276973551, -0.004592454705]),
    np.array([[0.010513847428, -0.035385713499, 0.021468554440], [0.033578292599, -0.012653017823, -0.019696268114]]),
    np.array([0.031419284705, -0.043131812493, 0.007521978300])]
AFTER_1 = [np.array([[0.992492486763, -1.968914913994], [0.472226314008, 1.011086741956],
                     [-1.012127203318, 0.474100583441]]), np.array([0.471446052899, -0.490815090591])]
AFTER_3 = [np.array([[0.985709808520, -1.914446429052], [0.425286519638, 1.027327968488],
                     [-1.034846104634, 0.423463827873]]), np.array([0.425068716314, -0.479941143243])]


# 1: a sparse autoencoder ----------------------------------------------------------------------------------------------


def test_the_penalty_is_the_divergence(student):
    check_array(student.kl_penalty(0.1, np.array([0.1, 0.1])), 0.0, atol=1e-12, name="the penalty of the right shares")
    check_array(student.kl_penalty(0.1, np.array([0.4])), 0.2262891612, name="the penalty of a share of 0.4, not 0.1")
    two = student.kl_penalty(0.1, np.array([0.4, 0.4]))
    check(not looks_like(two, 0.2262891612), "your penalty is the mean over the units; their sum is wanted")
    check_array(two, 0.4525783224, name="the penalty of two units, the sum of both")


def test_the_penaltys_gradient(student):
    answer, expected = student.kl_gradient(0.1, np.array([0.1, 0.5, 0.05])), np.array([0.0, 1.6, -1.0526315789])
    check_array(answer, expected, name="the gradient at the shares 0.1, 0.5 and 0.05 for rho 0.1")


def cost_of(student, *arguments):
    cost = student.sparse_cost(*arguments)
    check_shape(cost, (), name="the cost")
    return float(cost)


def test_the_cost_without_penalties_is_half_the_squared_error(student):
    nothing = [np.zeros((4, 3)), np.zeros(3), np.zeros((3, 4)), np.zeros(4)]         # reconstructs 0.5 everywhere
    cost = cost_of(student, nothing, np.ones((6, 4)), 0.0, 0.1, 0.0)
    check(not looks_like(cost, 3.0), "your cost is the sum over the rows; their mean is wanted")
    check(not looks_like(cost, 0.125), "your cost is the mean over a row's columns; their sum is wanted")
    check(not looks_like(cost, 1.0), "your cost is the squared error; half of it is wanted")
    check_array(cost, 0.5, name="the cost of 6 rows of 4 errors of 0.5")
    check_array(student.sparse_cost(START, X, 0.0, 0.1, 0.0), COST, name="the cost of START and X in the tests")


def test_weight_decay_spares_the_biases(student, rng):
    parameters, x = layer(rng, 4, 3), rng.random((6, 4))
    added = cost_of(student, parameters, x, 0.5, 0.1, 0.0) - cost_of(student, parameters, x, 0.0, 0.1, 0.0)
    weights, biases = (sum((p ** 2).sum() for p in parameters[i::2]) for i in (0, 1))
    check(not looks_like(added, 0.25 * (weights + biases)), "your weight decay is for matrices and biases; the "
          "matrices alone are wanted")
    check_array(added, 0.25 * weights, name="what a weight decay of 0.5 adds")


def test_beta_times_the_penalty_is_added(student, rng):
    parameters, x = quiet(rng, 4, 2), rng.random((6, 4))
    without = cost_of(student, parameters, x, 0.0, 0.1, 0.0)
    for beta, expected in ((1.0, 0.7361284143), (3.0, 2.2083852430)):
        added = cost_of(student, parameters, x, 0.0, 0.1, beta) - without
        check(added != 0, f"beta {beta} adds nothing to the cost: where is the penalty?")
        check(not looks_like(added, expected / 2), "your cost has the mean of two units' penalty; its sum is wanted")
        check_array(added, expected, name=f"what two units of share 0.5 add to the cost, with rho 0.1 and beta {beta}")


def test_gradients_without_penalties(student):
    answer = check_values(student.sparse_gradients(START, X, 0.0, 0.1, 0.0), 4, "sparse_gradients", kind=list)
    for i in (3, 2, 1, 0):                                                           # as they are found, backwards
        check(not looks_like(answer[i], 4 * GRADIENTS[i]), f"your gradient in {NAMES[i]} is that of the sum over the "
              "4 rows; that of their mean is wanted")
        check_array(answer[i], GRADIENTS[i], name=f"the gradient in {NAMES[i]} for START and X in the tests")


def test_gradients_of_the_penalties(student, rng):
    parameters, x = quiet(rng, 4, 2), rng.random((6, 4))
    plain, decay, sparse = (check_values(student.sparse_gradients(parameters, x, *of), 4, "sparse_gradients", kind=list)
                            for of in ((0.0, 0.1, 0.0), (0.5, 0.1, 0.0), (0.0, 0.1, 2.0)))
    for i, name in enumerate(NAMES):
        check_array(decay[i] - plain[i], (0.5 if i % 2 == 0 else 0.0) * parameters[i],
                    name=f"what a weight decay of 0.5 adds to the gradient in {name}")
    # 2 times the penalty's slope of 1.6 times the logistic function's of 1/4, each at one half.
    check(not looks_like(sparse[1] - plain[1], np.full(2, 6 * 0.8)), "your beta adds 6 times too much for 6 rows: "
          "rho_hat is their mean")
    check_array(sparse[1] - plain[1], np.full(2, 0.8), name="what beta 2 adds to the gradient in b1")
    check_array(sparse[0] - plain[0], np.outer(x.mean(axis=0), [0.8, 0.8]), name="what beta 2 adds to that in W1")
    for i in (2, 3):
        check_array(sparse[i] - plain[i], 0 * plain[i], name=f"what beta adds to the gradient in {NAMES[i]}")


def test_a_maximising_input_has_length_one(student, rng):
    rows = student.maximising_inputs(rng.standard_normal((5, 3)) * [1, 10, 0.1])
    check_shape(rows, (3, 5), name="the array of inputs")                  # a row for each unit
    check_array((rows ** 2).sum(axis=1), np.ones(3), name="the squared length of the rows")


def test_a_maximising_input_beats_others(student, rng):
    W1, others = rng.standard_normal((2, 3)), rng.standard_normal((500, 2))
    W1 *= [3, 0.5, 1] / np.sqrt((W1 ** 2).sum(axis=0))
    rows = student.maximising_inputs(W1)
    check_shape(rows, (3, 2), name="the array of inputs")
    others /= np.sqrt((others ** 2).sum(axis=1))[:, None]
    for j in range(3):
        own, best = float(W1[:, j] @ rows[j]), float((others @ W1[:, j]).max())
        check(own >= 0, f"row {j} makes w . x = {own:.4g} for unit {j}, and minus that row would make it positive")
        check(own >= best, f"row {j} makes w . x = {own:.4g} for unit {j}, another input of length 1 makes it "
              f"{best:.4g}")


# 2: a stack -----------------------------------------------------------------------------------------------------------


def encoders(rng, *sizes):
    return [(rng.standard_normal((d, h)), rng.standard_normal(h)) for d, h in zip(sizes, sizes[1:], strict=False)]


def pairs(answer, count, name):
    """The pairs (W, b) of an answer."""
    return [check_values(pair, 2, f"{name}, for one layer,") for pair in check_values(answer, count, name, kind=list)]


def test_the_second_layer_is_trained_on_activations(student, rng):
    layers, x = encoders(rng, 5, 5, 3), rng.random((6, 5))
    inputs = check_values(student.layer_inputs(layers, x), 2, "layer_inputs, for two layers,", kind=list)
    check_array(inputs[0], x, name="the first layer's input")
    check(not looks_like(inputs[1], x), "your second layer's input is x; the first one's activation is wanted")
    check(not looks_like(inputs[1], x @ layers[0][0] + layers[0][1]), "your second layer's input is a W + b; "
          "s(a W + b) is wanted")
    check_array(inputs[1], sigmoid(x @ layers[0][0] + layers[0][1]), name="the second layer's input")


def test_pretraining_one_layer(student):
    for steps, expected in ((1, AFTER_1), (3, AFTER_3)):
        (answer,) = pairs(student.pretrain([START], X, 2.0, steps), 1, "pretrain")
        for value, right, name in zip(answer, expected, "Wb", strict=True):
            what = f"{name} of START in the tests after {steps} step{'s' * (steps > 1)} at the rate 2"
            check_array(value, right, name=what)


def test_a_stack_is_trained_layer_upon_layer(student, rng):
    starts, x = [layer(rng, 4, 4), layer(rng, 4, 4)], rng.random((6, 4))
    first, second = pairs(student.pretrain(starts, x, 1.0, 2), 2, "pretrain")

    def compare(answer, start, data, what):
        (alone,) = pairs(student.pretrain([start], data, 1.0, 2), 1, "pretrain")
        for value, right, name in zip(answer, alone, "Wb", strict=True):
            check_array(value, right, name=f"{name} of the {what}")

    compare(first, starts[0], x, "first layer beside the same layer trained alone on x")
    (on_x,) = pairs(student.pretrain([starts[1]], x, 1.0, 2), 1, "pretrain")
    check(not looks_like(on_x[0], starts[1][0]), "your W of a layer has not changed in two steps")
    check(not looks_like(second[0], on_x[0]), "your second layer is trained on x; the first one's activations are "
          "wanted")
    compare(second, starts[1], sigmoid(x @ first[0] + first[1]),
            "second layer beside the same layer trained alone on the first one's activations")


def test_the_starts_stay_as_they_are(student, rng):
    starts, x = [layer(rng, 4, 3)], rng.random((6, 4))
    answer, (after, *_) = student.call_and_look("pretrain", starts, x, 1.0, 2)
    encoder = check_values(check_values(answer, 1, "pretrain, for one layer,")[0], 2, "a layer's encoder")
    check_shape(encoder[0], (4, 3), name="the W of the encoder")
    check(not np.array_equal(encoder[0], starts[0][0]), "pretrain returns the W that it was given: nothing was trained")
    for now, before, name in zip(after[0], starts[0], NAMES, strict=True):
        check(np.array_equal(now, before), f"pretrain has changed the {name} in starts: p -= ... works on the caller's "
              "own array, p = p - ... on a new one")


def test_the_classifiers_loss(student):
    for a, labels, expected, what in (([[0.0], [0.0]], [0, 1], 0.6931471806, "equal logits, twice"),
                                      ([[2.0]], [0], 2.1269280110, "the logits 0 and 2 and the label 0"),
                                      ([[2.0]], [1], 0.1269280110, "the logits 0 and 2 and the label 1")):
        answer = student.softmax_gradients(np.array([[0.0, 1.0]]), np.zeros(2), np.array(a), np.array(labels))
        check_array(check_values(answer, 4, "softmax_gradients")[0], expected, name=f"the loss for {what}")


def test_the_classifiers_gradients_are_the_slopes_of_its_loss(student, rng):
    given, labels = [rng.standard_normal(shape) for shape in ((4, 3), (3,), (5, 4))], np.array([0, 2, 1, 1, 0])
    answer = check_values(student.softmax_gradients(*given, labels), 4, "softmax_gradients")
    for i, name in ((1, "b"), (0, "W"), (2, "a")):
        gradient = answer[i + 1]
        check_shape(gradient, given[i].shape, name=f"the gradient in {name}")
        for _ in range(3):
            step = np.zeros(given[i].shape)
            step[tuple(rng.integers(size) for size in step.shape)] = 1e-5
            more, less = (student.softmax_gradients(*given[:i], given[i] + h, *given[i + 1:], labels)[0]
                          for h in (step, -step))
            rise, said = (more - less) / 2e-5, float(gradient[step > 0][0])
            check(np.isfinite(rise), "your loss is no finite number here: mend it first")
            check(rise != 0, f"your loss stays the same where {name} changes: it has no slope to compare with")
            check(abs(rise) < 1e-6 or not looks_like(said, 5 * rise), f"your gradient in {name} is 5 times too large "
                  "for 5 rows: the loss is their mean")
            check_array(said, rise, rtol=1e-5, atol=1e-7, name=f"an entry of the gradient in {name} beside a finite "
                        "difference of your own loss")


def test_gradients_reach_the_first_layer(student, rng):
    layers, x, in_top = encoders(rng, 5, 4, 3), rng.random((6, 5)), rng.standard_normal((6, 3))
    (W1, b1), (W2, b2) = layers

    def loss(W1, b1, W2, b2):                                                        # whose gradient is in_top
        return (in_top * sigmoid(sigmoid(x @ W1 + b1) @ W2 + b2)).sum()

    first, second = pairs(student.fine_tuning_gradients(layers, x, in_top), 2, "fine_tuning_gradients")
    right = [slopes(lambda p: loss(W1, b1, W2, p), b2), slopes(lambda p: loss(W1, b1, p, b2), W2),
             slopes(lambda p: loss(W1, p, W2, b2), b1), slopes(lambda p: loss(p, b1, W2, b2), W1)]
    check(not looks_like(second[1], right[0] / 6), "your gradients are 6 times too small for 6 rows: in_top holds its "
          "1/n already")
    names = ("b of the second layer", "W of the second layer", "b of the first layer", "W of the first layer")
    for value, expected, name in zip((*second[::-1], *first[::-1]), right, names, strict=True):
        check_array(value, expected, name=f"the gradient in {name}")


# 3: binary codes ------------------------------------------------------------------------------------------------------


def test_a_code_is_zeros_and_ones(student):
    z = np.array([[-2.0, 0.3, 5.0, -0.1], [0.7, -30.0, -0.4, 0.01]])
    expected = np.array([[0, 1, 1, 0], [1, 0, 0, 1]], np.uint8)
    check_array(student.binarize(z), expected, dtype=np.uint8, name="the array of bits")


def test_the_gradient_goes_straight_through(student, rng):
    g, z = rng.standard_normal((2, 5, 8))
    answer = student.straight_through(g, z)
    check(not looks_like(answer, g), "your gradient in z is g itself; g times the slope of s(z) is wanted")
    check_array(answer, slopes(lambda z: (g * sigmoid(z)).sum(), z), name="the gradient in z")


def test_eight_bits_a_byte(student):
    bits = np.array([[1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1]], np.uint8)
    answer = student.pack(bits)
    check(not looks_like(answer, np.array([[129, 192]])), "your first of eight bits is the byte's lowest; the highest "
          "is wanted")
    check_array(answer, np.array([[129, 3]], np.uint8), dtype=np.uint8, name="the array of bytes")


def test_distances_count_the_bits_that_differ(student):
    queries, database = np.array([[0b1010, 0]], np.uint8), np.array([[0b1010, 0], [0b0101, 0], [0, 255]], np.uint8)
    answer = student.hamming(queries, database)
    check(not looks_like(answer, np.array([[0, 1, 2]])), "your distances are the bytes that differ; their bits are "
          "wanted")
    check_array(answer, np.array([[0, 4, 10]]), name="the distances")


def test_a_distance_can_be_larger_than_255(student):
    answer = student.hamming(np.zeros((1, 40), np.uint8), np.full((1, 40), 255, np.uint8))
    check(not looks_like(answer, np.array([[64]])), "320 bits differ, and 64 came: a sum in uint8 begins anew at 256")
    check_array(answer, np.array([[320]]), name="the distance of codes that differ in all of 320 bits")


def check_nearest(answer, distances, k):
    """Fail unless these are the k nearest, in order, with ties by index."""
    check_kind(answer, np.ndarray, "nearest")
    check_array(0 * answer, np.zeros((len(distances), k), np.int64), name="the array of indices")
    for row, found in zip(distances.tolist(), answer.tolist(), strict=True):
        check(set(found) <= set(range(len(row))) and len(set(found)) == k, f"{found} are not {k} different indices")
        for i, j in zip(found, found[1:], strict=False):
            check(row[i] <= row[j], f"{i}, at the distance {row[i]}, comes before {j}, at {row[j]}")
            check(row[i] < row[j] or i < j, f"{i} comes before {j}, both at the distance {row[i]}: the smaller index "
                  "comes first (does your sort keep the order of equals?)")
        last = found[-1]
        for i in set(range(len(row))) - set(found):
            check(row[i] >= row[last], f"{last}, at the distance {row[last]}, was found, and {i}, at {row[i]}, was not")
            check(row[i] > row[last] or i > last, f"{last} was found and {i} was not, both at the distance {row[i]}: "
                  "the smaller index comes first (does your sort keep the order of equals?)")


def test_the_nearest_codes_come_first(student, rng):
    distances = np.array([rng.permutation(12) for _ in range(4)])
    check_nearest(student.nearest(distances, 5), distances, 5)


def test_equally_near_codes_come_by_index(student, rng):
    distances = rng.integers(4, size=(3, 50))
    check_nearest(student.nearest(distances, 10), distances, 10)


def test_precision_counts_the_right_class(student):
    labels, query_labels = np.array([0, 0, 1, 1, 0, 2]), np.array([0, 1, 2])
    found = np.array([[0, 1, 2, 4], [5, 2, 3, 0], [0, 1, 2, 3]])                     # with 3, 2 and no hits
    answer = student.precision_at_k(found, labels, query_labels)
    for wrong, what in ((2 / 3, "your share is that of the queries with a hit; that of hits in all that was found"),
                        (5 / 4, "your hits are divided by k alone; their share in all that was found"),
                        (5 / 3, "your hits are divided by the queries alone; their share in all that was found"),
                        (1 / 3, "your share is that of the first ones found; that of all k")):
        check(not looks_like(answer, wrong), f"{what} is wanted")
    check_array(answer, 5 / 12, name="the precision of 3/4, 2/4 and 0/4")
