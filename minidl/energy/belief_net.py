"""Sigmoid belief nets (slides 101-109): causes and effects, of which the effects alone are seen."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import plain_array
from minidl.backend import Array, Device, backend_of
from minidl.energy.enumeration import check_enumerable, log_table, states
from minidl.energy.rbm import RBM
from minidl.energy.samplers import check_rbm
from minidl.energy.units import Bernoulli
from minidl.errors import InputError
from minidl.nn.losses import check_fractions
from minidl.nn.module import Module
from minidl.randomness import HostStream, Seed, generator
from minidl.rows import array_of, blocks, check_amount, check_count, rows_that_meet
from minidl.tensor import Parameter, Tensor

_MOST = 16                 # units, of one layer or of two neighbours, whose states are summed over


class SigmoidBeliefNet(Module):
    """Binary units in layers, each caused by the layer above: P(v, h1, ..., hl) = p(v|h1) p(h1|h2) ... p(hl).

    `sizes` are the units of each layer, v first, as of a DeepBeliefNet: [1, 2] is one effect of two causes. A unit is 1
    with the probability sigmoid(its field), its bias and the weights of those above that are 1. `W[i]` (sizes[i],
    sizes[i + 1]) leads from layer i + 1 down to layer i, `b[i]` (sizes[i],) are the biases, of which those of the last
    layer are all that its units have. W begins as normal numbers of standard deviation `sd`, b as zeros.

    To draw is easy, one layer after the other from the top down (slide 101). To infer is hard, for causes that are
    independent before the effect is seen are not so after (slide 105). What is called exact sums over all states, of up
    to 16 units in two neighbouring layers: `log_marginal`, `log_likelihood`, `loss`, by which `training.fit` learns,
    and, over all hidden units at once, `posterior`.

    The four verbs: `encode` gives the posterior means of the last layer, exact; `decode` goes down by means;
    `reconstruct`; `sample` draws from the top down.

    Raises InputError for fewer than two sizes, an `sd` that is none, rows of another width or on another device, data
    outside [0, 1], and sums over too many states.

    Source: R. Neal, "Connectionist learning of belief networks", 1992.
    """

    def __init__(self, sizes: Sequence[int], *, rng: Seed, sd: float = 0.01) -> None:
        if not isinstance(sizes, list | tuple) or len(sizes) < 2:
            raise InputError("SigmoidBeliefNet: sizes are the visible units, then each layer's above them, such as "
                             f"[1, 2], not {sizes!r:.60}")
        self.layers = [Bernoulli(check_count("SigmoidBeliefNet", "a number of units", size)) for size in sizes]
        draws, sd = generator(rng, "SigmoidBeliefNet"), check_amount("SigmoidBeliefNet", "sd", sd)
        self.W = [Parameter(draws.standard_normal((below, above), dtype=np.float32) * np.float32(sd))
                  for below, above in zip(self.sizes, self.sizes[1:], strict=False)]
        self.b = [Parameter(np.zeros(size, np.float32)) for size in self.sizes]

    @property
    def sizes(self) -> list[int]:
        """The units of each layer, v first."""
        return [units.size for units in self.layers]

    @property
    def device(self) -> Device:
        """Where the net's parameters are."""
        return self.b[0].device

    def down(self, depth: int, above: Any) -> Any:
        """The fields of layer `depth` given the one above it, unchecked: (N, sizes[depth + 1]) -> (N, sizes[depth])."""
        if isinstance(above, Tensor):
            return above @ self.W[depth].T + self.b[depth]
        return above @ self.W[depth].data.T + self.b[depth].data

    # From causes to effects -------------------------------------------------------------------------------------------

    def draw(self, n: int, rng: Seed) -> list[Array]:
        """n states of each layer, [v, h1, ..., hl] of shapes (n, size): ancestral sampling, the causes first.

        The numbers are drawn on the host, so that every device has the same states.
        """
        stream, n = HostStream(generator(rng, "SigmoidBeliefNet.draw")), check_count("SigmoidBeliefNet", "n", n, 0)
        field, drawn = backend_of(self.b[-1].data).xp.tile(self.b[-1].data, (n, 1)), list[Array]()
        for depth in range(len(self.layers) - 1, -1, -1):
            drawn.insert(0, self.layers[depth].draw(self.layers[depth].mean(field), stream))
            field = self.down(depth - 1, drawn[0]) if depth else field
        return drawn

    def log_joint(self, *layers: Any) -> Any:
        """log P(v, h1, ..., hl) of states of each layer, v first: (N, size) each -> (N,); of Tensors recorded ones.

        Raises InputError for another number of layers, or of rows.
        """
        if len(layers) != len(self.layers):
            raise InputError(f"SigmoidBeliefNet.log_joint: this net has {len(self.layers)} layers, not {len(layers)}")
        s = [self._rows("log_joint", layer, depth) for depth, layer in enumerate(layers)]
        if len({len(rows) for rows in s}) > 1:
            raise InputError("SigmoidBeliefNet.log_joint: the layers are states together, as many of each, not "
                             f"{[len(rows) for rows in s]}")
        recorded = any(isinstance(rows, Tensor) for rows in s)
        s = [Tensor(array_of(rows)) if recorded and not isinstance(rows, Tensor) else rows for rows in s]
        fields = [*(self.down(depth, above) for depth, above in enumerate(s[1:])), self._own(recorded)]
        return sum(units.log_prob(field, rows) for units, field, rows in zip(self.layers, fields, s, strict=True))

    # Sums over all states ---------------------------------------------------------------------------------------------

    def log_marginal(self, depth: int = 0) -> Array:
        """log P of every state of a layer, exact, in the order of `enumeration.states`: an array (2^size,)."""
        if check_count("SigmoidBeliefNet.log_marginal", "depth", depth, least=0) >= len(self.layers):
            raise InputError(f"SigmoidBeliefNet.log_marginal: depth is below {len(self.layers)}, not {depth}")
        return self._marginal("log_marginal", depth, recorded=False)

    def log_likelihood(self, v: Any) -> Any:
        """log P(v), exact: (N, sizes[0]) -> (N,); of a Tensor a recorded Tensor."""
        v = self._rows("log_likelihood", v, 0)
        recorded = isinstance(v, Tensor)
        value = self._marginal("log_likelihood", 1, recorded)
        if recorded:
            return self._below(0, v, value)
        return backend_of(v).xp.concatenate([self._below(0, some, value) for some in blocks(v, 64)])

    def loss(self, v: Any) -> Tensor:
        """The mean of -log P(v), exact and recorded: v (N, sizes[0]) -> scalar."""
        return -ops.mean(self.log_likelihood(v if isinstance(v, Tensor) else Tensor(v)))

    def posterior(self, v: Any) -> Array:
        """P(h1, ..., hl | v), exact: v (N, sizes[0]) -> (N, 2^hidden) of float64.

        The states are those of all hidden units in a row, h1 first, in the order of `enumeration.states`.
        """
        v, sizes = self._rows("posterior", array_of(v), 0), self.sizes
        check_enumerable("SigmoidBeliefNet.posterior", sum(sizes[1:]), sum(sizes), _MOST)
        xp, ends = backend_of(v).xp, np.cumsum(sizes[1:-1]).tolist()
        h = xp.split(states(sum(sizes[1:]), v), ends, axis=1)
        above = self.log_joint(xp.zeros((len(h[0]), sizes[0]), v.dtype), *h).astype(np.float64)
        field = self.down(0, h[0])
        score = log_table(self.layers[0], field, v) + (above + self.layers[0].log_partition(field))
        return ops.softmax(score.astype(np.float64), 1)

    def _marginal(self, verb: str, depth: int, recorded: bool) -> Any:
        for i in range(depth, len(self.sizes)):
            units = self.sizes[i] + (self.sizes[i + 1] if i + 1 < len(self.sizes) else 0)
            check_enumerable(f"SigmoidBeliefNet.{verb}", units, self.sizes[i], _MOST)
        like, value = self.b[0].data, None
        for i in range(len(self.sizes) - 1, depth - 1, -1):
            s = states(self.sizes[i], like)
            value = self._below(i, Tensor(s) if recorded else s, value)
        return value

    def _below(self, depth: int, s: Any, value: Any) -> Any:
        """log P of states s (N, size) of a layer, given that of all states of the layer above (M,): (N,)."""
        if value is None:
            return self.layers[depth].log_prob(self._own(isinstance(s, Tensor)), s)
        above = states(self.sizes[depth + 1], self.b[0].data)
        field = self.down(depth, Tensor(above) if isinstance(s, Tensor) else above)
        return ops.logsumexp(log_table(self.layers[depth], field, s) + value, 1)

    # The four verbs ---------------------------------------------------------------------------------------------------

    def encode(self, x: Any) -> Array:
        """The posterior means of the last layer, exact: (N, sizes[0]) -> (N, sizes[-1])."""
        p = self.posterior(x)
        h = states(sum(self.sizes[1:]), self.b[0].data)[:, -self.sizes[-1]:]
        return p.astype(h.dtype) @ h

    def decode(self, code: Any) -> Any:
        """The visible units' means, layer by layer down from a code: (N, sizes[-1]) -> (N, sizes[0])."""
        x = rows_that_meet("SigmoidBeliefNet", "decode", code, self.sizes[-1], self.b[0].data)
        for depth in range(len(self.sizes) - 2, -1, -1):
            x = self.layers[depth].mean(self.down(depth, x))
        return x

    def reconstruct(self, x: Any) -> Any:
        """`decode(encode(x))`, by means, without a draw: (N, sizes[0]) -> (N, sizes[0])."""
        return self.decode(self.encode(x))

    def sample(self, n: int, rng: Seed) -> Array:
        """n rows (n, sizes[0]), the visible units' means given what `draw` has drawn above them."""
        return self.layers[0].mean(self.down(0, self.draw(n, generator(rng, "SigmoidBeliefNet.sample"))[1]))

    def describe(self) -> str:
        return f"SigmoidBeliefNet({'-'.join(map(str, self.sizes))})"

    def _own(self, recorded: bool) -> Any:
        """The biases of the last layer, which are its fields: (size,)."""
        return self.b[-1] if recorded else self.b[-1].data

    def _rows(self, verb: str, x: Any, depth: int) -> Any:
        x = rows_that_meet("SigmoidBeliefNet", verb, x, self.sizes[depth], self.b[0].data)
        check_fractions(f"SigmoidBeliefNet.{verb}", array_of(x))
        return x


def tied_net(rbm: RBM, depth: int) -> SigmoidBeliefNet:
    """The restricted machine unfolded into a belief net of `depth` hidden layers, all with its weights (slide 106).

    Layers 0, 2, 4, ... have its visible units, those between its hidden ones. To draw from the net is to run the
    machine's Gibbs chain for `depth` half-steps from independent units, so that an infinite one has the machine's
    distribution. Raises InputError for units that are not binary.

    Source: G. Hinton, S. Osindero and Y. Teh, "A fast learning algorithm for deep belief nets", 2006, section 4.
    """
    check_rbm("tied_net", rbm)
    if not all(isinstance(units, Bernoulli) for units in (rbm.visible, rbm.hidden)):
        raise InputError(f"tied_net: of binary units, not of {rbm.visible} and {rbm.hidden}")
    depth = check_count("tied_net", "depth", depth)
    pair = [rbm.visible.size, rbm.hidden.size]
    net = SigmoidBeliefNet([pair[i % 2] for i in range(depth + 1)], rng=0).to(rbm.device).astype(rbm.b.dtype)
    for i in range(depth + 1):
        net.b[i].data[...] = (rbm.c if i % 2 else rbm.b).data
        if i < depth:
            net.W[i].data[...] = rbm.W.data.T if i % 2 else rbm.W.data
    return net


def narrow_net(p: Any, *, strength: float = 30.0) -> SigmoidBeliefNet:
    """A deep, narrow net whose visible units have the distribution p (2^n,), built, not learned (slide 109).

    All begins in the first state, in the order of p; a layer leaves there what that state is to have, and moves the
    rest on to the next one. It has n units that hold a state, and one more that says "go on": this is 1 only where the
    state has just been reached, and then with the probability that those behind it are to have. Given that, a weight
    decides each bit of the next state. So 2^n - 1 hidden layers of n + 1 units do. Weights are multiples of `strength`:
    a unit errs with the probability exp(-strength).

    Raises InputError unless p are 2^n numbers of at least 0 that sum to 1, n from 1 to 12, and for a strength that is
    not above 0.

    Source: I. Sutskever and G. Hinton, "Deep, narrow sigmoid belief networks are universal approximators", 2008; theirs
    takes three layers for such a step.
    """
    p, strength = plain_array("narrow_net", array_of(p)), check_amount("narrow_net", "strength", strength, True)
    p = backend_of(p).to_host(p)
    n = int(p.size).bit_length() - 1
    if p.ndim != 1 or p.dtype.kind not in "iufb" or not 1 <= n <= 12 or p.size != 2**n or not (
            (p >= 0).all() and abs(float(p.sum()) - 1) < 1e-6):
        raise InputError("narrow_net: p are the probabilities of 2, 4, 8, ... up to 4096 states, which sum to 1, not "
                         f"{p!r:.60}")
    net = SigmoidBeliefNet([n, *[n + 1] * (2**n - 1)], rng=0, sd=0.0).astype("float64")
    rest = np.cumsum(p[::-1].astype(np.float64))[::-1]                       # of a state and all behind it
    with np.errstate(divide="ignore", invalid="ignore"):                     # log odds to go on from a state
        leave = np.log(rest[1:]) - np.log(p[:-1])
    leave = np.clip(np.nan_to_num(leave, nan=0.0), -strength, strength)
    signs = 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1)) & 1) - 1.0
    top = net.b[-1].data
    top[:n], top[n] = strength * signs[0], leave[0]
    for step in range(1, 2**n):                                              # from the top down
        W, b = net.W[-step].data, net.b[-step - 1].data
        np.fill_diagonal(W[:n, :n], 2 * strength)
        b[:n], W[:n, n] = -strength, 2 * strength * signs[step]
        if step < 2**n - 1:                                                  # the visible units have no step after them
            b[n], W[n, n] = leave[step] - 2 * strength, 2 * strength
    return net
