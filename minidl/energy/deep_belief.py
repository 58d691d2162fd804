"""Deep belief nets (slides 102-108): restricted machines on top of each other, of which the lower ones look down."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import nn, ops
from minidl.autoencoders.deep import DeepAutoencoder
from minidl.backend import Array, Device, backend_of
from minidl.energy.enumeration import check_enumerable, log_table, states
from minidl.energy.likelihood import log_z_of
from minidl.energy.rbm import RBM
from minidl.energy.units import Bernoulli, Gaussian, Softmax, Units, units_of
from minidl.errors import InputError
from minidl.nn.module import Module
from minidl.randomness import HostStream, RandomStream, Seed, generator
from minidl.rows import array_of, blocks, check_choice, check_count, rows_that_meet
from minidl.tensor import Parameter, Tensor

_MOST = 16                 # hidden units whose states are summed over


class DeepBeliefNet(Module):
    """P(v, h1, ..., hl) = p(v|h1) p(h1|h2) ... p(h(l-2)|h(l-1)) p(h(l-1), hl), slide 102.

    `sizes` are the units of each layer, v first: [784, 500, 500, 2000]. The first and the last may be Units of another
    kind, the others are binary. With `labels`, a number of classes, a softmax unit stands beside h(l-1), so that the
    top machine learns the two together. `layers` are the restricted machines, the lowest first. `pretrain` trains them.

    The top machine stays as it is, undirected. From those below, only p(below | above) is used to generate: their W
    with the biases b. The way up, Q(above | below), takes their W with the biases c, unless `untie` has given the net
    `recognition` weights of its own (slide 113). Inference goes up in one pass, each unit on its own; that it is exact
    for the machine alone, and approximate as soon as there is one above it, is slide 105's problem and slide 108's
    bound.

    The four verbs: `encode` gives the means of hl, with labels those of h(l-1); `decode` goes down by means;
    `reconstruct`; `sample` runs Gibbs sampling in the top machine, then draws downwards once.

    Raises InputError for fewer than two sizes, hidden units between the first and the last that are not binary, and
    rows of another width or on another device.

    Source: G. Hinton, S. Osindero and Y. Teh, "A fast learning algorithm for deep belief nets", 2006.
    """

    def __init__(self, sizes: Sequence[int | Units], *, labels: int | None = None, rng: Seed, sd: float = 0.01) -> None:
        if not isinstance(sizes, list | tuple) or len(sizes) < 2:
            raise InputError("DeepBeliefNet: sizes are the visible units, then each layer's, such as [784, 500, 2000], "
                             f"not {sizes!r:.60}")
        units = [units_of("DeepBeliefNet", size) for size in sizes]
        if others := [unit for unit in units[1:-1] if not isinstance(unit, Bernoulli)]:
            raise InputError(f"DeepBeliefNet: units between the first and the last layer are binary, not {others[0]}")
        if labels is not None and len(units) < 3:
            raise InputError("DeepBeliefNet: labels stand beside a hidden layer, so there are three or more sizes; "
                             "of two, RBM([784, Softmax(10)], 500, rng=0) has them beside the data")
        rng = generator(rng, "DeepBeliefNet")
        self.labels = 0 if labels is None else check_count("DeepBeliefNet", "labels", labels, least=2)
        below: list[Any] = [*units[:-2], [units[-2], Softmax(labels)] if labels else units[-2]]
        self.layers = [RBM(v, h, rng=rng, sd=sd) for v, h in zip(below, units[1:], strict=True)]
        self.recognition: list[Recognition] = []

    @property
    def top(self) -> RBM:
        """The undirected machine of the last two layers."""
        return self.layers[-1]

    @property
    def device(self) -> Device:
        """Where the net's parameters are."""
        return self.top.device

    def add(self, hidden: int | Units, *, rng: Seed, mirrored: bool = False, sd: float = 0.01) -> RBM:
        """Put one more machine on top, whose visible units are the present hidden ones; returns it.

        `mirrored`, it begins as the present top machine turned over, with as many hidden units as that has visible
        ones: then the net is the same distribution as before, and slide 108's bound is exact (the complementary prior
        of slide 106). Raises InputError for a net with labels or a hidden layer that is not binary, and other sizes.
        """
        top = self.top
        if self.labels or not isinstance(top.hidden, Bernoulli):
            raise InputError(f"DeepBeliefNet.add: a machine goes on top of binary hidden units without labels, not of "
                             f"{'labels' if self.labels else top.hidden}")
        check_choice("DeepBeliefNet.add", "mirrored", mirrored, (True, False))
        rbm = RBM(top.hidden, hidden, rng=generator(rng, "DeepBeliefNet.add"), sd=sd)
        rbm.to(self.device).astype(top.b.dtype)
        if mirrored:
            if rbm.hidden.size != top.visible.size:
                raise InputError(f"DeepBeliefNet.add: the mirrored machine of {top.visible.size} visible units has as "
                                 f"many hidden ones, not {rbm.hidden.size}")
            for to, value in ((rbm.W, top.W.data.T), (rbm.b, top.c.data), (rbm.c, top.b.data)):
                to.data[...] = value
        self.layers = [*self.layers, rbm]
        return rbm

    def untie(self) -> None:
        """Give the way up weights of its own below the top machine, copies of the present ones (slide 113)."""
        self.recognition = [Recognition(rbm) for rbm in self.layers[:-1]]

    # Up and down ------------------------------------------------------------------------------------------------------

    def upward(self, depth: int) -> RBM | Recognition:
        """What goes up from layer `depth`, 0 the visible one: its `up` gives the fields of the layer above."""
        return self.recognition[depth] if depth < len(self.recognition) else self.layers[depth]

    def features(self, x: Any, depth: int | None = None) -> Any:
        """The means of the `depth`-th hidden layer, by default that of `encode`: (N, D) -> (N, units).

        Arrays go up some rows at a time. Raises InputError for a depth that the net does not have.
        """
        x = rows_that_meet("DeepBeliefNet", "features", x, self.layers[0].visible.size, self.layers[0].b.data)
        depth = self._code_depth if depth is None else check_count("DeepBeliefNet.features", "depth", depth, least=0)
        if depth > self._code_depth:
            raise InputError(f"DeepBeliefNet.features: this net's code is its layer {self._code_depth}, not {depth}")
        if isinstance(x, Tensor) or len(x) == 0:
            return self._up(x, depth)
        return backend_of(x).xp.concatenate([self._up(rows, depth) for rows in blocks(x)])

    def _up(self, x: Any, depth: int) -> Any:
        for i in range(depth):
            x = self.layers[i].hidden.mean(self.upward(i).up(x))
        return x

    def draw_up(self, x: Array, stream: RandomStream, depth: int | None = None) -> list[Array]:
        """States of each layer given x (N, D), unchecked: [x, h1, ..., h(depth)], each drawn given the one below.

        `depth` is by default that of the top machine's visible units.
        """
        states = [x]
        for i, rbm in enumerate(self.layers[:len(self.layers) - 1 if depth is None else depth]):
            states.append(rbm.hidden.draw(rbm.hidden.mean(self.upward(i).up(states[-1])), stream))
        return states

    def draw_down(self, h: Array, stream: RandomStream) -> list[Array]:
        """States of each layer given h(l-1) (N, units), unchecked: [v, h1, ..., h(l-1)]; v are means."""
        states = [h]
        for i in range(len(self.layers) - 2, -1, -1):
            visible = self.layers[i].visible
            mean = visible.mean(self.layers[i].down(states[0]))
            states.insert(0, visible.draw(mean, stream) if i else mean)
        return states

    # The four verbs ---------------------------------------------------------------------------------------------------

    @property
    def _code_depth(self) -> int:
        return len(self.layers) - bool(self.labels)

    def encode(self, x: Any) -> Any:
        """The means of the last hidden layer, with labels of the last but one: (N, D) -> (N, H)."""
        return self.features(x)

    def decode(self, code: Any) -> Any:
        """The visible units' means, layer by layer down from a code: (N, H) -> (N, D)."""
        layers = self.layers[:self._code_depth]
        x = rows_that_meet("DeepBeliefNet", "decode", code, layers[-1].hidden.size, layers[-1].b.data)
        for rbm in reversed(layers):
            x = rbm.visible.mean(rbm.down(x))
        return x

    def reconstruct(self, x: Any) -> Any:
        """`decode(encode(x))`, by means, without a draw: (N, D) -> (N, D)."""
        return self.decode(self.encode(x))

    def sample(self, n: int, rng: Seed, *, steps: int = 1000, label: int | None = None) -> Array:
        """n rows (n, D), visible means: so many steps of Gibbs sampling in the top machine, then down by draws.

        With `label` its unit is held at that class, so that the machine shows what it believes of it. The numbers are
        drawn on the host, so that every device has the same samples. Raises InputError for a label that is none.
        """
        stream, top = HostStream(generator(rng, "DeepBeliefNet.sample")), self.top
        n, steps = check_count("DeepBeliefNet", "n", n, least=0), check_count("DeepBeliefNet", "steps", steps)
        held = top.visible.size - self.labels
        if label is not None and not 0 <= check_count("DeepBeliefNet", "label", label, least=0) < self.labels:
            raise InputError(f"DeepBeliefNet.sample: label is one of the net's {self.labels} classes, not {label}")
        v = top.start(n, stream)
        for step in range(steps):
            if label is not None:
                v[:, held:] = 0.0
                v[:, held + label] = 1.0
            h = top.hidden.draw(top.hidden.mean(top.up(v)), stream)
            v = top.visible.mean(top.down(h))
            if step < steps - 1 or len(self.layers) > 1:
                v = top.visible.draw(v, stream)
        return self.draw_down(v[:, :held], stream)[0]

    # Labels and likelihood --------------------------------------------------------------------------------------------

    def predict_proba(self, x: Any) -> Array:
        """P(label | h(l-1)) by the top machine's free energy: x (N, D) -> (N, K). Raises InputError without labels."""
        if not self.labels:
            raise InputError("DeepBeliefNet.predict_proba: this net has no labels; DeepBeliefNet([784, 500, 2000], "
                             "labels=10, rng=0) has, and `classifier` makes a network of any")
        return self.top.predict_proba(self.features(array_of(x)))

    def predict(self, x: Any) -> Array:
        """The likeliest label of each row, by `predict_proba`: x (N, D) -> (N,) whole numbers."""
        return self.predict_proba(x).argmax(1)

    def lower_bound(self, x: Any, log_z: Any, *, draws: int = 10, rng: Seed) -> Array:
        """Slide 108's bound on log P(x), with states drawn from Q: rows x (N, D) -> (N,) of float64.

        The mean over the draws of log P(x, h) - log Q(h | x), where the top machine's hidden units are summed over. Its
        log_z is a number, as `log_partition(net.top)`, or what `ais` has estimated. Of one machine it is log P(x).

        Raises InputError for a net with labels, data that the visible units cannot have, and an estimate that is not to
        be believed.
        """
        if self.labels:
            raise InputError("DeepBeliefNet.lower_bound: is of nets without labels")
        x = self.layers[0].checked("lower_bound", array_of(x))
        z = log_z_of("DeepBeliefNet.lower_bound", log_z)
        stream = RandomStream.of(rng, "DeepBeliefNet.lower_bound")
        draws = check_count("DeepBeliefNet.lower_bound", "draws", draws)
        total = sum(self._log_ratio(self.draw_up(x, stream)) for _ in range(draws if len(self.layers) > 1 else 1))
        return total / (draws if len(self.layers) > 1 else 1) - z

    def exact_bound(self, x: Any, log_z: Any) -> Array:
        """Slide 108's bound, the mean of `lower_bound` over all draws of Q: rows x (N, D) -> (N,) of float64.

        Sums over all states of the hidden layers below the last. Raises InputError for more than 16 units in one of
        them, or in two neighbours, and for what `lower_bound` refuses.
        """
        return self._over_states("exact_bound", x, log_z)

    def log_likelihood(self, x: Any, log_z: Any) -> Array:
        """log P(x), exact, by the sums of `exact_bound`: rows x (N, D) -> (N,) of float64."""
        return self._over_states("log_likelihood", x, log_z)

    def _over_states(self, verb: str, x: Any, log_z: Any) -> Array:
        """Layer by layer down from log P(h(l-1)) of all states: what `_below` makes of it, at last for rows x."""
        name = f"DeepBeliefNet.{verb}"
        if self.labels:
            raise InputError(f"{name}: is of nets without labels")
        x = self.layers[0].checked(verb, array_of(x))
        for i, rbm in enumerate(self.layers[:-1]):
            check_enumerable(name, rbm.hidden.size + (rbm.visible.size if i else 0), rbm.visible.size, _MOST)
        z = log_z_of(name, log_z)
        rows = [x, *(states(rbm.hidden.size, self.top.b.data) for rbm in self.layers[:-1])]
        value = -self.top.free_energy(rows[-1]).astype(np.float64) - z
        for i in range(len(self.layers) - 2, -1, -1):
            value = backend_of(x).xp.concatenate([self._below(verb, i, some, rows[i + 1], value)
                                                  for some in blocks(rows[i], 64)])
        return value

    def _below(self, verb: str, i: int, below: Array, above: Array, value: Array) -> Array:
        """Of states below (N, D) of layer i, given the value (M,) of each state above (M, H): (N,).

        log P(below) = log sum_h P(below | h) exp(value), or the bound, sum_h Q(h | below) log of the same over Q.
        """
        rbm = self.layers[i]
        score = log_table(rbm.visible, rbm.down(above), below).astype(np.float64) + value
        if verb == "log_likelihood":
            return ops.logsumexp(score, 1)
        log_q = log_table(rbm.hidden, self.upward(i).up(below), above).T.astype(np.float64)
        return (backend_of(score).xp.exp(log_q) * (score - log_q)).sum(1)

    def _log_ratio(self, states: list[Array]) -> Array:
        """log P*(states) - log Q(states above the first | the first), of the top machine without log Z: (N,)."""
        total = -self.top.free_energy(states[-1]).astype(np.float64)
        for i, rbm in enumerate(self.layers[:-1]):
            below, above = states[i], states[i + 1]
            total += rbm.visible.log_prob(rbm.down(above), below).astype(np.float64)
            total -= rbm.hidden.log_prob(self.upward(i).up(below), above).astype(np.float64)
        return total

    # Unrolled ---------------------------------------------------------------------------------------------------------

    def autoencoder(self) -> DeepAutoencoder:
        """The net unrolled (slide 100): an autoencoder that begins with these weights up, and transposed down.

        The weights are copies. Logistic units, with a linear code if the last units are Gaussian. Raises InputError for
        a net with labels, or with units that are neither binary nor Gaussian.
        """
        ends = self.layers[0].visible, self.top.hidden
        if self.labels or not all(isinstance(units, Bernoulli | Gaussian) for units in ends):
            raise InputError("DeepBeliefNet.autoencoder: is of nets without labels, of binary and Gaussian units, not "
                             f"of {self.describe()}")
        code = nn.Sigmoid if isinstance(self.top.hidden, Bernoulli) else None
        output = "linear" if isinstance(self.layers[0].visible, Gaussian) else "logits"
        sizes = [self.layers[0].visible.size, *(rbm.hidden.size for rbm in self.layers)]
        model = DeepAutoencoder(sizes, rng=0, output=output, activation=nn.Sigmoid, code_activation=code)
        up = [(self.upward(i).W, self.upward(i).c) for i in range(len(self.layers))]
        _copy(model.encoder, [(W.data, c.data) for W, c in up])
        _copy(model.decoder, [(rbm.W.data.T, rbm.b.data) for rbm in reversed(self.layers)])
        return model.to(self.device)

    def classifier(self, classes: int, *, rng: Seed) -> nn.Sequential:
        """A network of logistic units that begins with these weights, and a linear layer that gives each class a logit.

        (N, D) -> (N, classes). The weights are copies; the last layer's are Glorot's. With labels, the top machine's
        weights are those without the label unit's.
        """
        sizes = [self.layers[0].visible.size, *(rbm.hidden.size for rbm in self.layers), classes]
        network = nn.mlp(sizes, rng=generator(rng, "DeepBeliefNet.classifier"), activation=nn.Sigmoid)
        ends = [rbm.visible.size for rbm in self.layers]
        ends[-1] -= self.labels
        _copy(network, [(self.upward(i).W.data[:end], self.upward(i).c.data) for i, end in enumerate(ends)])
        return network.to(self.device).astype(self.top.b.dtype)

    def describe(self) -> str:
        units = [self.layers[0].visible, *(rbm.hidden for rbm in self.layers)]
        text = "-".join(str(unit.size) if isinstance(unit, Bernoulli) else str(unit) for unit in units)
        return f"DeepBeliefNet({text}{f', labels={self.labels}' if self.labels else ''})"


class Recognition(Module):
    """A way up with weights of its own: W (D, H) and c (H,), at first those of the machine."""

    def __init__(self, rbm: RBM) -> None:
        self.W, self.c = Parameter(rbm.W.data.copy()), Parameter(rbm.c.data.copy())

    def up(self, v: Any) -> Any:
        """The fields of the units above: v (..., D) -> (..., H)."""
        return v @ self.W + self.c if isinstance(v, Tensor) else v @ self.W.data + self.c.data


def _copy(network: nn.Module, weights: list[tuple[Array, Array]]) -> None:
    linear = [layer for _, layer in network.children() if isinstance(layer, nn.Linear)]
    for layer, (W, c) in zip(linear, weights, strict=False):
        assert layer.bias is not None
        layer.weight.data, layer.bias.data = W.copy(), c.copy()
