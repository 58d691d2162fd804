"""Recurrent layers: their equations, masks, states, errors; the fused LSTM against the plain one."""
import numpy as np
import pytest

import minidl as md
from minidl import nn, optim
from minidl.errors import InputError
from minidl.ops import recurrent
from minidl.tensor import Tensor
from tests.standin.device import counting, install

KINDS = [nn.RNN, nn.LSTM, nn.GRU]
LENGTHS = [5, 2, 7]


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def layer_of(kind, features=3, size=4, **options):
    return kind(features, size, rng=1, **options).astype(np.float64)


def values(state):
    return [s.numpy() for s in (state if isinstance(state, tuple) else (state,))]


def some_loss(y, state):
    """A scalar that weights every output and every state differently."""
    parts = [y, *(state if isinstance(state, tuple) else (state,))]
    return md.sum(md.stack([md.sum(p * draw(*p.shape, seed=9).astype(str(p.dtype))) for p in parts]))


# The equations --------------------------------------------------------------------------------------------------------


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def by_hand(layer, x):
    """One layer in one direction from zeros, written with NumPy for a single sequence: all h, and the last c."""
    cell = {name: p.numpy() for name, p in layer.cells[0].named_parameters()}
    H = layer.hidden_size
    h, c, hs = np.zeros(H), np.zeros(H), []
    for step in x:
        a, b = step @ cell["weight_x"] + cell["bias"], h @ cell["weight_h"]
        if isinstance(layer, nn.RNN):
            h = np.tanh(a + b) if layer.nonlinearity == "tanh" else np.maximum(a + b, 0)
        elif isinstance(layer, nn.GRU):
            r, z = sigmoid(a[:H] + b[:H]), sigmoid(a[H:2 * H] + b[H:2 * H])
            n = np.tanh(a[2 * H:] + r * (b[2 * H:] + cell["bias_h"]))
            h = (1 - z) * n + z * h
        else:
            i, f, g, o = np.split(a + b, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        hs.append(h)
    return np.array(hs), c


@pytest.mark.parametrize("layer", [layer_of(nn.RNN), layer_of(nn.RNN, nonlinearity="relu"), layer_of(nn.LSTM),
                                   layer_of(nn.GRU)], ids=["tanh", "relu", "lstm", "gru"])
def test_every_layer_follows_its_equations(layer):
    x = draw(2, 6, 3)
    y, state = layer(x)
    for b in range(2):
        hs, c = by_hand(layer, x[b])
        np.testing.assert_allclose(y.numpy()[b], hs, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose([s[0, b] for s in values(state)], [hs[-1], c][:len(values(state))], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_two_layers_in_both_directions_are_their_cells_one_after_the_other(kind):
    layer, x = layer_of(kind, num_layers=2, bidirectional=True), draw(1, 5, 3)
    y, state = layer(x)
    singles = [layer_of(kind, features) for features in (3, 3, 8, 8)]
    for single, cell in zip(singles, layer.cells, strict=True):
        single.cells[0].load_state_dict(cell.state_dict())
    h, ends = x[0], []
    for forward, backward in (singles[:2], singles[2:]):
        there, back = by_hand(forward, h)[0], by_hand(backward, h[::-1])[0][::-1]
        ends += [there[-1], back[0]]
        h = np.concatenate([there, back], 1)
    np.testing.assert_allclose(y.numpy()[0], h, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(values(state)[0][:, 0], ends, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_dtype_and_order_of_parameters(kind, only_float32):
    layer = kind(3, 4, num_layers=2, bidirectional=True, rng=0)
    y, state = layer(draw(2, 5, 3).astype(np.float32))
    assert y.shape == (2, 5, 8) and y.dtype == np.float32
    assert {s.shape for s in values(state)} == {(4, 2, 4)} and len(values(state)) == (2 if kind is nn.LSTM else 1)
    names = ["weight_x", "weight_h", "bias"] + ["bias_h"] * (kind is nn.GRU)
    assert [n for n, _ in layer.named_parameters()] == [f"cells.{k}.{n}" for k in range(4) for n in names]
    some_loss(y, state).backward()
    assert all(p.grad.dtype == np.float32 for p in layer.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_uniform_within_one_over_the_root_of_the_size(kind):
    layer = kind(50, 64, num_layers=2, rng=3)
    drawn = np.concatenate([p.numpy().ravel() for p in layer.parameters()])
    assert np.abs(drawn).max() <= 1 / 8 and abs(drawn).max() > 0.124 and abs(drawn.mean()) < 0.002
    assert abs(drawn.std() - 0.125 / 3**0.5) < 0.001
    again = kind(50, 64, num_layers=2, rng=3)
    np.testing.assert_array_equal(np.concatenate([p.numpy().ravel() for p in again.parameters()]), drawn)
    assert len({p.numpy().flat[0] for p in layer.parameters()}) == len(layer.parameters())


# The fused LSTM -------------------------------------------------------------------------------------------------------


def composed(x, h, c, *rest):
    steps = recurrent._lstm_composed(x, h, c, *rest)
    return md.swapaxes(steps[:-1], 0, 1), (steps[-2], steps[-1])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("batch, steps, features, size", [(3, 1, 2, 4), (1, 10, 1, 1), (4, 23, 5, 3)])
def test_the_fused_lstm_is_the_plain_one_with_its_gradients(batch, steps, features, size, masked):
    shapes = [(batch, steps, features), (batch, size), (batch, size), (features, 4 * size), (size, 4 * size),
              (4 * size,)]
    arrays = [draw(*shape, seed=i) for i, shape in enumerate(shapes)]
    mask = (draw(batch, steps) > -0.5).astype(float) if masked else None
    found = []
    for f in (recurrent.lstm, composed):
        leaves = [Tensor(a, requires_grad=True) for a in arrays]
        y, state = f(*leaves, mask)
        some_loss(y, state).backward()
        found.append([y.numpy(), *values(state), *(x.grad.numpy() for x in leaves)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("only", range(6))
def test_the_fused_lstm_gives_each_gradient_alone(only):
    arrays = [draw(*shape, seed=i) for i, shape in enumerate([(2, 12, 3), (2, 2), (2, 2), (3, 8), (2, 8), (8,)])]
    leaves = [Tensor(a, requires_grad=i == only) for i, a in enumerate(arrays)]
    every = [Tensor(a, requires_grad=True) for a in arrays]
    some_loss(*recurrent.lstm(*leaves)).backward()
    some_loss(*recurrent.lstm(*every)).backward()
    np.testing.assert_allclose(leaves[only].grad.numpy(), every[only].grad.numpy(), rtol=1e-12)


def test_one_tensor_for_both_states_gets_both_gradients_to_second_order():
    inputs = [draw(2, 4, 3), draw(2, 3, seed=1), draw(3, 12, seed=2), draw(3, 12, seed=3), draw(12, seed=4)]
    f = lambda x, s, *weights: recurrent.lstm(x, s, s, *weights)[0]
    md.gradcheck(f, *inputs)
    leaves = [Tensor(a, requires_grad=True) for a in inputs]
    weights = draw(2, 4, 3, seed=5)
    for a, b in zip(md.grad(f(*leaves), leaves, weights), md.grad(f(*leaves), leaves, weights, create_graph=True),
                    strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-14)


def test_gates_that_are_shut_for_good_make_no_warning_and_no_nan():
    x = Tensor(np.full((1, 3, 1), 1e3, np.float32), requires_grad=True)
    layer = nn.LSTM(1, 2, rng=0)
    for value in (-1.0, 1.0):
        layer.cells[0].weight_x.data[...] = value
        y, state = layer(x)
        some_loss(y, state).backward()
        expected = 0.0 if value < 0 else np.tanh([1.0, 2.0, 3.0])[None, :, None]
        np.testing.assert_allclose(y.numpy(), np.broadcast_to(expected, (1, 3, 2)), rtol=1e-6)
        assert np.isfinite(x.grad.numpy()).all()


# Masks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=["one", "two both ways"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_ragged_batch_is_each_sequence_alone_with_its_gradients(kind, options):
    layer, data = layer_of(kind, **options), draw(3, 7, 3)
    mask = nn.mask_from_lengths(LENGTHS)
    x = Tensor(data, requires_grad=True)
    y, state = layer(x, mask=mask)
    some_loss(y, state).backward()
    gradients = [p.grad.numpy() for p in layer.parameters()]
    layer.zero_grad()
    weights = draw(*y.shape, seed=9), draw(*values(state)[0].shape, seed=9)
    for b, n in enumerate(LENGTHS):
        alone = Tensor(data[b:b + 1, :n], requires_grad=True)
        y_alone, state_alone = layer(alone)
        loss = md.sum(y_alone * weights[0][b:b + 1, :n])
        for s in state_alone if isinstance(state_alone, tuple) else (state_alone,):
            loss = loss + md.sum(s * weights[1][:, b:b + 1])
        loss.backward()
        np.testing.assert_allclose(y.numpy()[b, :n], y_alone.numpy()[0], rtol=1e-11, atol=1e-14)
        assert not y.numpy()[b, n:].any() and not x.grad.numpy()[b, n:].any()
        for s, s_alone in zip(values(state), values(state_alone), strict=True):
            np.testing.assert_allclose(s[:, b], s_alone[:, 0], rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(x.grad.numpy()[b, :n], alone.grad.numpy()[0], rtol=1e-9, atol=1e-13)
    for p, g in zip(layer.parameters(), gradients, strict=True):
        np.testing.assert_allclose(g, p.grad.numpy(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_that_are_masked_within_a_sequence_are_left_out(kind):
    layer, x, mask = layer_of(kind, bidirectional=True), draw(1, 6, 3), np.array([[0, 1, 1, 0, 1, 0]])
    y, state = layer(x, mask=mask)
    y_short, state_short = layer(x[:, mask[0] > 0])
    np.testing.assert_allclose(y.numpy()[:, mask[0] > 0], y_short.numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(values(state), values(state_short), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_the_padding_does_not_matter_not_even_nan(kind):
    found = []
    for padding in (0.0, np.nan):
        layer, data = layer_of(kind, bidirectional=True), draw(3, 7, 3)
        for b, n in enumerate(LENGTHS):
            data[b, n:] = padding
        x = Tensor(data, requires_grad=True)
        y, state = layer(x, mask=nn.mask_from_lengths(LENGTHS))
        some_loss(y, state).backward()
        found.append([y.numpy(), *values(state), x.grad.numpy(), *(p.grad.numpy() for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_mask_may_be_truth_values_numbers_lists_or_a_tensor():
    layer, x = nn.GRU(3, 4, rng=0), draw(2, 3, 3).astype(np.float32)
    lists = [[1, 1, 0], [1, 1, 1]]
    expected = layer(x, mask=lists)[0].numpy()
    assert not np.array_equal(expected, layer(x)[0].numpy())
    for mask in (np.array(lists, bool), np.array(lists, np.float64), Tensor(lists), nn.mask_from_lengths([2, 3])):
        np.testing.assert_array_equal(layer(x, mask=mask)[0].numpy(), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_right_to_second_order_with_masks_and_both_directions(kind):
    layer = layer_of(kind, 2, 2, num_layers=2, bidirectional=True)
    arrays = [draw(2, 3, 2), *(draw(4, 2, 2, seed=i) for i in range(2 if kind is nn.LSTM else 1))]
    mask = [[1, 1, 0], [1, 1, 1]]

    def f(x, *state):
        y, end = layer(x, state if len(state) > 1 else state[0], mask)
        return md.concatenate([md.reshape(s, -1) for s in (y, *(end if isinstance(end, tuple) else (end,)))])
    md.gradcheck(f, *arrays, directions=1)


# States ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_in_two_chunks_is_the_whole_sequence(kind):
    layer, x = layer_of(kind, num_layers=2), draw(2, 9, 3)
    y, state = layer(x)
    first, middle = layer(x[:, :4])
    second, end = layer(x[:, 4:], middle)
    np.testing.assert_allclose(md.concatenate([first, second], 1).numpy(), y.numpy(), rtol=1e-12)
    np.testing.assert_allclose(values(end), values(state), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_backpropagation_stops_at_the_chunks_border(kind):
    layer, x = layer_of(kind), draw(2, 9, 3)
    total, state = 0.0, None
    for chunk in (x[:, :4], x[:, 4:]):
        y, state = layer(chunk, nn.detach_state(state))
        total = total + some_loss(y, state)
    total.backward()
    truncated = [p.grad.numpy() for p in layer.parameters()]
    # by hand: the second chunk starts from numbers
    layer.zero_grad()
    y, state = layer(x[:, :4])
    some_loss(y, state).backward()
    numbers = [Tensor(s.copy()) for s in values(state)]
    some_loss(*layer(x[:, 4:], tuple(numbers) if len(numbers) > 1 else numbers[0])).backward()
    for p, g in zip(layer.parameters(), truncated, strict=True):
        np.testing.assert_allclose(g, p.grad.numpy(), rtol=1e-12)
    # and it is another gradient than that through the border
    layer.zero_grad()
    y, state = layer(x[:, :4])
    (some_loss(y, state) + some_loss(*layer(x[:, 4:], state))).backward()
    assert not np.allclose(layer.cells[0].weight_h.grad.numpy(), truncated[1], rtol=1e-3)


def test_dropout_acts_between_layers_and_in_training_alone():
    layer, x = nn.GRU(3, 50, num_layers=2, dropout=0.5, rng=0), draw(2, 4, 3).astype(np.float32)
    (one, state), (two, _) = layer(x), layer(x)
    assert not np.array_equal(one.numpy(), two.numpy()) and (one.numpy() != 0).all()     # the output is not dropped
    assert len(layer.random_streams()) == 1
    layer.eval()
    np.testing.assert_array_equal(state.numpy()[0], layer(x)[1].numpy()[0])              # and neither is the input
    plain = nn.GRU(3, 50, num_layers=2, rng=0)
    plain.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(layer(x)[0].numpy(), plain(x)[0].numpy())
    assert not plain.random_streams()


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_to_remember_the_first_of_eight_steps(kind):
    rng = np.random.default_rng(0)
    layer, out = kind(1, 12, rng=rng), nn.Linear(12, 1, rng=rng)
    optimizer = optim.Adam([*layer.parameters(), *out.parameters()], lr=0.02)
    for _ in range(120):
        x = np.sign(rng.standard_normal((32, 8, 1))).astype(np.float32)
        y, _ = layer(x)
        loss = nn.binary_cross_entropy_with_logits(out(y[:, -1]), Tensor((x[:, 0] + 1) / 2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1                                                 # guessing costs 0.69


# On a device ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_on_the_stand_in_equals_numpy_and_waits_for_nothing(kind, masked):
    found = []
    for device in ("cpu", install()):
        layer = kind(3, 4, num_layers=2, bidirectional=True, dropout=0.5, rng=0).eval().to(device)
        x = Tensor(draw(3, 7, 3).astype(np.float32), requires_grad=True, device=device)
        mask = nn.mask_from_lengths(LENGTHS).to(device) if masked else None
        with counting() as c:
            y, state = layer(x, mask=mask)
            md.sum(y * y).backward()
        assert c.synchronisations == 0, c.waited_for
        assert c.transfers == 0
        found.append([y.numpy(), *values(state), x.grad.numpy(), *(p.grad.numpy() for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_mask_on_the_host_goes_to_the_device():
    device = install()
    layer, x = nn.LSTM(3, 4, rng=0), draw(3, 7, 3).astype(np.float32)
    expected = layer(x, mask=nn.mask_from_lengths(LENGTHS))[0].numpy()
    y, _ = layer.to(device)(Tensor(x, device=device), mask=nn.mask_from_lengths(LENGTHS))
    np.testing.assert_array_equal(y.numpy(), expected)


def test_the_fused_lstm_launches_few_kernels_a_step():
    device = install()
    layer = nn.LSTM(3, 4, rng=0).to(device)

    def launches(steps):
        x = Tensor(np.ones((2, steps, 3), np.float32), requires_grad=True, device=device)
        with counting() as c:
            layer(x)[0].backward(x.device.put(np.ones((2, steps, 4), np.float32)))
        return c.launches
    per_step = (launches(30) - launches(20)) / 10
    assert per_step <= 19                              # forward 10, backward 8, and a share of the block


# Embedding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 1, 3)])
def test_an_embedding_gives_each_token_its_row(shape):
    layer = nn.Embedding(5, 3, rng=0)
    ids = np.random.default_rng(0).integers(0, 5, shape)
    for given in (ids, Tensor(ids), ids.tolist()):
        y = layer(given)
        np.testing.assert_array_equal(y.numpy(), layer.weight.numpy()[ids])
    assert y.shape == (*shape, 3) and y.dtype == np.float32


def test_an_embeddings_gradient_adds_up_the_places_of_a_token():
    layer = nn.Embedding(4, 2, rng=0)
    layer([[0, 2], [2, 2]]).backward([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    np.testing.assert_array_equal(layer.weight.grad.numpy(), [[1, 2], [0, 0], [15, 18], [0, 0]])


def test_an_embeddings_vectors_start_standard_normal():
    drawn = nn.Embedding(200, 100, rng=5).weight.numpy()
    assert abs(drawn.mean()) < 0.03 and abs(drawn.std() - 1) < 0.02


@pytest.mark.parametrize("ids, sentence", [
    ([[0, 1], [2, 5]], r"ids are integers from 0 to 4; the one at \[1, 1\] is 5"),
    (np.array([3, -1, 9]), r"Embedding\(5, 3\): ids are integers from 0 to 4; the one at \[1\] is -1"),
    (np.array([1.0]), "ids are integers from 0 to 4, not float64; use .astype"),
])
def test_an_embedding_names_the_first_token_that_is_wrong(ids, sentence):
    with pytest.raises(InputError, match=sentence):
        nn.Embedding(5, 3, rng=0)(ids)


def test_an_embedding_on_a_device_takes_ids_from_either_side_and_checks_those_of_the_host():
    device = install()
    layer = nn.Embedding(5, 3, rng=0)
    ids = np.array([[1, 4], [1, 0]])
    expected = layer.weight.numpy()[ids]
    layer.to(device)
    there = Tensor(ids, device=device)
    with counting() as c:
        y = layer(there)
    assert (c.synchronisations, c.transfers) == (0, 0)
    for found in (y, layer(ids), layer(ids.tolist())):
        np.testing.assert_array_equal(found.numpy(), expected)
    y.backward(device.put(np.ones((2, 2, 3), np.float32)))
    np.testing.assert_array_equal(layer.weight.grad.numpy()[:, 0], [1, 2, 0, 0, 1])
    with pytest.raises(InputError, match="the one at"):
        layer(ids + 1)


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape, sentence", [
    ((2, 5, 4), r"LSTM\(3, 4, num_layers=2\): expected x of shape \(batch, time, 3\), got \(2, 5, 4\)"),
    ((5, 3), r"expected x of shape \(batch, time, 3\), got \(5, 3\)"),
    ((2, 0, 3), r"x of shape \(2, 0, 3\) is empty; there is at least one sequence, of at least one step"),
    ((0, 5, 3), r"x of shape \(0, 5, 3\) is empty"),
])
def test_an_input_that_does_not_fit_is_one_sentence(shape, sentence):
    with pytest.raises(InputError, match=sentence):
        nn.LSTM(3, 4, num_layers=2, rng=0)(np.zeros(shape, np.float32))


def test_token_ids_are_sent_to_an_embedding():
    with pytest.raises(InputError, match="x holds int64; tokens become features in an nn.Embedding"):
        nn.GRU(3, 4, rng=0)(np.zeros((2, 5, 3), np.int64))


@pytest.mark.parametrize("mask, sentence", [
    (np.ones((2, 4)), r"a mask of shape \(2, 4\) does not fit x of shape \(2, 5, 3\); it is \(batch, time\), \(2, 5\)"),
    (np.ones(5), r"a mask of shape \(5,\) does not fit x"),
    ([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], "sequence 1 of the mask has no step at all; leave it out of the batch"),
    (np.full((2, 5), 0.5), "a mask is 1 where there is a step and 0 where there is none, not 0.5"),
])
@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_that_does_not_fit_is_one_sentence(kind, mask, sentence):
    with pytest.raises(InputError, match=sentence):
        kind(3, 4, rng=0)(np.zeros((2, 5, 3), np.float32), mask=mask)


def test_a_state_that_does_not_fit_is_one_sentence():
    x, h = np.zeros((2, 5, 3), np.float32), np.zeros((1, 2, 4), np.float32)
    with pytest.raises(InputError, match=r"for x of shape \(2, 5, 3\) the state is a pair \(h, c\), each of shape .*, "
                                         r"\(1, 2, 4\); got \(1, 2, 4\)$"):
        nn.LSTM(3, 4, rng=0)(x, h)
    with pytest.raises(InputError, match=r"the state is h of shape .*, \(2, 2, 4\); got \(1, 2, 4\)"):
        nn.GRU(3, 4, bidirectional=True, rng=0)(x, h)


@pytest.mark.parametrize("make, sentence", [
    (lambda: nn.LSTM(0, 4, rng=0), "LSTM: sizes and num_layers are 1 or more, not 0, 4 and 1"),
    (lambda: nn.GRU(3, 4, dropout=0.5, rng=0), "GRU: dropout acts between layers, and num_layers=1 has no between"),
    (lambda: nn.RNN(3, 4, nonlinearity="sine", rng=0), "RNN: nonlinearity is one of tanh, relu, not 'sine'"),
    (lambda: nn.Embedding(0, 3, rng=0), "Embedding: sizes are 1 or more, not 0 and 3"),
])
def test_a_layer_that_cannot_be_is_one_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()


def test_a_mask_from_lengths_is_true_for_each_sequences_steps():
    mask = nn.mask_from_lengths([1, 3])
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask.numpy(), [[True, False, False], [True, True, True]])
    assert nn.mask_from_lengths(np.array([2, 1]), 4).shape == (2, 4)


@pytest.mark.parametrize("lengths, steps, sentence", [
    ([3, 0], None, "lengths lie between 1 and 3; that of sequence 1 is 0"),
    ([3, 5], 4, "lengths lie between 1 and 4; that of sequence 1 is 5"),
    ([1.5, 2.0], None, r"lengths are a list of integers, not float64 of shape \(2,\)"),
    ([], None, r"lengths are a list of integers, not float64 of shape \(0,\)"),
])
def test_lengths_that_cannot_be_are_one_sentence(lengths, steps, sentence):
    with pytest.raises(InputError, match=sentence):
        nn.mask_from_lengths(lengths, steps)
