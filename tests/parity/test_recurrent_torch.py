"""Recurrent layers against PyTorch: values, first and second gradients, packed sequences, in float64."""
import numpy as np
import pytest

import minidl as md
from minidl import nn
from minidl.tensor import Tensor

pytestmark = pytest.mark.parity
KINDS = ["RNN", "LSTM", "GRU"]
LENGTHS = [4, 2, 6]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")           # here, so that the default run does not import it to collect


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def pair(torch, kind, *, num_layers=1, bidirectional=False, **options):
    """A layer of ours and PyTorch's with the same weights, and theirs in the order of ours.

    Ours has one bias, PyTorch's two: the second stays 0, but for the GRU's n, where it is bias_h.
    """
    ours = getattr(nn, kind)(3, 4, num_layers=num_layers, bidirectional=bidirectional, rng=0, **options)
    theirs = getattr(torch.nn, kind)(3, 4, num_layers=num_layers, bidirectional=bidirectional, batch_first=True,
                                     **options).double()
    ours.astype(np.float64)
    weights = []
    for k, cell in enumerate(ours.cells):
        directions = 2 if bidirectional else 1
        suffix = f"l{k // directions}" + "_reverse" * (k % directions)
        w_x, w_h, b_x, b_h = (getattr(theirs, f"{name}_{suffix}")
                              for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        with torch.no_grad():
            w_x.copy_(torch.tensor(cell.weight_x.numpy().T))
            w_h.copy_(torch.tensor(cell.weight_h.numpy().T))
            b_x.copy_(torch.tensor(cell.bias.numpy()))
            b_h.zero_()
            if kind == "GRU":
                b_h[8:] = torch.tensor(cell.bias_h.numpy())
        weights += [(w_x, lambda g: g.T), (w_h, lambda g: g.T), (b_x, lambda g: g)]
        weights += [(b_h, lambda g: g[8:])] * (kind == "GRU")
    return ours, theirs, weights


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def inputs_of(kind, cells):
    return [draw(3, 6, 3), *(draw(cells, 3, 4, seed=i + 1) for i in range(2 if kind == "LSTM" else 1))]


def weighted(tensors, constant):
    """A scalar that weights every element differently."""
    return sum((t * constant(np.random.default_rng(i).uniform(0.5, 1.5, tuple(t.shape)))).sum()
               for i, t in enumerate(tensors))


OPTIONS = [pytest.param({}, id="plain"), pytest.param({"num_layers": 2}, id="two layers"),
           pytest.param({"num_layers": 2, "bidirectional": True}, id="two both ways")]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_values_states_first_and_second_gradients_match(torch, kind, options):
    ours, theirs, weights = pair(torch, kind, **options)
    arrays = inputs_of(kind, len(ours.cells))
    x, *state = (Tensor(a, requires_grad=True) for a in arrays)
    y, end = ours(x, tuple(state) if len(state) > 1 else state[0])
    leaves = [x, *state, *ours.parameters()]
    first = md.grad(weighted([y, *as_tuple(end)], Tensor), leaves, create_graph=True)
    second = md.grad(weighted(first, Tensor), leaves)

    x, *state = (torch.tensor(a, requires_grad=True) for a in arrays)
    z, z_end = theirs(x, tuple(state) if len(state) > 1 else state[0])
    theirs_leaves = [x, *state, *(w for w, _ in weights)]
    turned = [lambda g: g] * (1 + len(state)) + [turn for _, turn in weights]
    z_first = torch.autograd.grad(weighted([z, *as_tuple(z_end)], torch.tensor), theirs_leaves, create_graph=True)
    in_our_shape = [turn(g) for turn, g in zip(turned, z_first, strict=True)]
    z_second = torch.autograd.grad(weighted(in_our_shape, torch.tensor), theirs_leaves)
    z_second = [turn(g) for turn, g in zip(turned, z_second, strict=True)]

    for a, b in zip([y, *as_tuple(end), *first, *second], [z, *as_tuple(z_end), *in_our_shape, *z_second],
                    strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_gives_what_packed_sequences_give(torch, kind, options):
    ours, theirs, weights = pair(torch, kind, **options)
    arrays = inputs_of(kind, len(ours.cells))
    x, *state = (Tensor(a, requires_grad=True) for a in arrays)
    y, end = ours(x, tuple(state) if len(state) > 1 else state[0], nn.mask_from_lengths(LENGTHS))
    gradients = md.grad(weighted([y, *as_tuple(end)], Tensor), [x, *state, *ours.parameters()])

    x, *state = (torch.tensor(a, requires_grad=True) for a in arrays)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    z, z_end = theirs(packed, tuple(state) if len(state) > 1 else state[0])
    z, _ = torch.nn.utils.rnn.pad_packed_sequence(z, batch_first=True)
    expected = torch.autograd.grad(weighted([z, *as_tuple(z_end)], torch.tensor),
                                   [x, *state, *(w for w, _ in weights)])
    expected = [*expected[:1 + len(state)],
                *(turn(g) for (_, turn), g in zip(weights, expected[1 + len(state):], strict=True))]

    for a, b in zip([y, *as_tuple(end), *gradients], [z, *as_tuple(z_end), *expected], strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-13)


def test_the_relu_network_matches_to_first_order(torch):
    ours, theirs, weights = pair(torch, "RNN", nonlinearity="relu", num_layers=2)
    y, _ = ours(draw(3, 6, 3))
    z, _ = theirs(torch.tensor(draw(3, 6, 3)))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-12)
    gradients = md.grad(weighted([y], Tensor), ours.parameters())
    expected = torch.autograd.grad(weighted([z], torch.tensor), [w for w, _ in weights])
    for g, (_, turn), expected_g in zip(gradients, weights, expected, strict=True):
        np.testing.assert_allclose(g.numpy(), turn(expected_g).numpy(), rtol=1e-10, atol=1e-13)


def test_a_float32_lstm_is_pytorchs_over_a_long_sequence(torch):
    ours, theirs, weights = pair(torch, "LSTM")
    ours.astype(np.float32)
    theirs.float()
    x = draw(8, 200, 3).astype(np.float32)
    y, _ = ours(x)
    z, _ = theirs(torch.tensor(x))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), atol=2e-6)
    (y * y).mean().backward()
    (z * z).mean().backward()
    for p, (q, turn) in zip(ours.parameters(), weights, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), turn(q.grad).numpy(), rtol=1e-4, atol=1e-7)


def test_an_embedding_and_its_gradient_match(torch):
    ours, theirs = nn.Embedding(7, 3, rng=0), torch.nn.Embedding(7, 3)
    ids = np.random.default_rng(0).integers(0, 7, (4, 5))
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(ours.weight.numpy()))
    y, z = ours(ids), theirs(torch.tensor(ids))
    np.testing.assert_array_equal(y.numpy(), z.detach().numpy())
    md.sum(y * y * y).backward()
    (z * z * z).sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-5)
