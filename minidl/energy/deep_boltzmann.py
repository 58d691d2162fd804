"""The deep Boltzmann machine: two layers of hidden units, of which the second sees the data through the first."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import plain_array
from minidl.backend import Array, Device, backend_of
from minidl.energy.enumeration import check_enumerable, states
from minidl.energy.rbm import RBM
from minidl.energy.samplers import complete
from minidl.energy.units import Bernoulli
from minidl.errors import InputError
from minidl.nn.losses import check_fractions
from minidl.nn.module import Module
from minidl.randomness import Seed, generator
from minidl.rows import array_of, check_amount, check_count, mean_row, rows_that_meet
from minidl.tensor import Parameter, Tensor

_MOST = 14                 # units of the first hidden layer that are enumerated: all their states are in one graph


class DeepBoltzmannMachine(Module):
    """Binary layers v, h1 and h2 with energy E = -v W1 h1 - h1 W2 h2 - b v - c1 h1 - c2 h2, P = exp(-E) / Z.

    `visible`, `hidden1` and `hidden2` are their sizes D, H1 and H2. W1 (D, H1) and W2 (H1, H2) begin as normal numbers
    of standard deviation `sd`, the biases b (D,), c1 (H1,) and c2 (H2,) as zeros; `set_biases(x)` gives v the data's.

    Given h1, the units of v and h2 are all independent, and given v and h2 those of h1: `as_rbm()` is that restricted
    machine, with the same parameters, for all that samples or estimates: `GibbsChains(machine.as_rbm(), ...)`,
    `ais(machine.as_rbm(), ...)`. But given v alone, h1 and h2 are not independent: `mean_field` is the best of the
    distributions in which they are, and `lower_bound` what it says of log P(v). `MeanFieldPCD` learns.

    What is exact sums over all states of h1, up to 14 units: `free_energy` and `loss`.

    The four verbs: `encode` gives the means of h1 by mean field, `decode` the visible units' means given h1;
    `reconstruct`; `sample` runs a Markov chain. `complete` fills in what is hidden of an item. Raises InputError for
    sizes and an `sd` that are none, rows of another width or on another device, and data outside [0, 1].

    Source: R. Salakhutdinov and G. Hinton, "Deep Boltzmann machines", 2009.
    """

    def __init__(self, visible: int, hidden1: int, hidden2: int, *, rng: Seed, sd: float = 0.01) -> None:
        D, H1, H2 = (check_count(self._name, what, size) for what, size in (
            ("visible", visible), ("hidden1", hidden1), ("hidden2", hidden2)))
        self._begin(D, H1, H2, (D, H1), rng, sd)

    def _begin(self, D: int, H1: int, H2: int, first: tuple[int, int], rng: Seed, sd: float) -> None:
        """Make the parameters, W1 with the shape `first`."""
        rng, sd = generator(rng, self._name), check_amount(self._name, "sd", sd)
        self.W1, self.W2 = (Parameter(rng.standard_normal(shape, dtype=np.float32) * np.float32(sd))
                            for shape in (first, (H1, H2)))
        self.b, self.c1, self.c2 = (Parameter(np.zeros(size, np.float32)) for size in (D, H1, H2))

    @property
    def _name(self) -> str:
        return type(self).__name__

    # The first layer: all that a machine with another one answers otherwise -------------------------------------------

    def rise(self, v: Any, W: Any) -> Any:
        """What h1 gets from v through weights W of W1's shape: (N, D) -> (N, H1)."""
        return v @ W

    def fall(self, h1: Any, W: Any) -> Any:
        """What v gets from h1 through weights W of W1's shape: (N, H1) -> (N, D)."""
        return h1 @ W.T

    def pairs(self, v: Any, h1: Any) -> Any:
        """What W1 is multiplied with in -E, summed over rows v (N, D) and h1 (N, H1): an array of W1's shape."""
        return v.T @ h1

    # Energies and fields ----------------------------------------------------------------------------------------------

    def energy(self, v: Any, h1: Any, h2: Any) -> Any:
        """E of states v (N, D), h1 (N, H1) and h2 (N, H2) -> (N,). Raises InputError for different N."""
        v, h1, h2 = (rows_that_meet(self._name, "energy", s, len(p), self.b.data)
                     for s, p in ((v, self.b), (h1, self.c1), (h2, self.c2)))
        if not len(v) == len(h1) == len(h2):
            raise InputError(f"{self._name}.energy: v, h1 and h2 are as many states each, not {len(v)}, {len(h1)} and "
                             f"{len(h2)}")
        W2, b, c2 = self._for(h1 if isinstance(h1, Tensor) else v, self.W2, self.b, self.c2)
        return -ops.sum(self.up(v) * h1, 1) - ops.sum((h1 @ W2) * h2, 1) - v @ b - h2 @ c2

    def up(self, v: Any, h2: Any = None) -> Any:
        """The fields of h1 given v (N, D), and h2 (N, H2) unless it is None, unchecked -> (N, H1)."""
        W1, W2, c1 = self._for(v, self.W1, self.W2, self.c1)
        field = self.rise(v, W1) + c1
        return field if h2 is None else field + h2 @ W2.T

    def down(self, h1: Any) -> Any:
        """The fields of v given h1, unchecked: (N, H1) -> (N, D)."""
        W1, b = self._for(h1, self.W1, self.b)
        return self.fall(h1, W1) + b

    def over(self, h1: Any) -> Any:
        """The fields of h2 given h1, unchecked: (N, H1) -> (N, H2)."""
        W2, c2 = self._for(h1, self.W2, self.c2)
        return h1 @ W2 + c2

    def as_rbm(self) -> RBM:
        """The restricted machine that this one is: (v, h2) are its D + H2 visible units, h1 its hidden ones.

        It has no parameters of its own: when this machine learns, it has learned.
        """
        return Folded(self)

    def set_biases(self, x: Any) -> DeepBoltzmannMachine:
        """Give v the biases with which it alone has the means of rows x (N, D); returns the machine."""
        x = self.checked("set_biases", array_of(x))
        self.b.data[...] = Bernoulli(len(self.b)).biases(mean_row(backend_of(x).xp, x), len(x))
        return self

    # Inference --------------------------------------------------------------------------------------------------------

    def mean_field(self, v: Any, *, rounds: int = 10) -> tuple[Any, Any]:
        """The means of h1 (N, H1) and h2 (N, H2) given v (N, D), as if all were independent.

        Each round sets h2's means to those given h1's, and h1's to those given v and h2's: no step lowers
        `lower_bound`. The first means of h1 are those without h2. Raises InputError for less than one round.
        """
        v, rounds = self.checked("mean_field", v), check_count(self._name, "rounds", rounds)
        fixed, (W2,) = self.up(v), self._for(v, self.W2)
        p1 = ops.sigmoid(fixed)
        for _ in range(rounds):
            p2 = ops.sigmoid(self.over(p1))
            p1 = ops.sigmoid(fixed + p2 @ W2.T)
        return p1, p2

    def free_energy(self, v: Any) -> Any:
        """-log sum_{h1, h2} exp(-E), exact: v (N, D) -> (N,); P(v) = exp(-free_energy(v)) / Z."""
        v = self.checked("free_energy", v)
        s = self._states("free_energy", v)
        b, c2 = self._for(v, self.b, self.c2)
        scores = self.up(v) @ s.T + Bernoulli(len(c2)).log_partition(self.over(s))                    # (N, 2^H1)
        return -v @ b - ops.logsumexp(scores, 1)

    def loss(self, v: Any) -> Tensor:
        """The mean of -log P(v), exact and recorded: v (N, D) -> scalar; `training.fit` learns by it."""
        v = v if isinstance(v, Tensor) else Tensor(v)
        s = self._states("loss", v)
        everything = Bernoulli(len(self.b) + len(self.c2)).log_partition(self.as_rbm().down(s)) + s @ self.c1
        return ops.mean(self.free_energy(v)) + ops.logsumexp(everything, 0)

    def _states(self, verb: str, like: Any) -> Any:
        H1 = len(self.c1)
        check_enumerable(f"{self._name}.{verb}", H1, len(self.b) + len(self.c2), _MOST)
        s = states(H1, self.b.data)
        return Tensor(s) if isinstance(like, Tensor) else s

    # The four verbs ---------------------------------------------------------------------------------------------------

    def encode(self, x: Any) -> Any:
        """The means of h1 by mean field: (N, D) -> (N, H1)."""
        return self.mean_field(x)[0]

    def decode(self, code: Any) -> Any:
        """The visible units' means given h1, which does not need h2: (N, H1) -> (N, D)."""
        return ops.sigmoid(self.down(rows_that_meet(self._name, "decode", code, len(self.c1), self.b.data)))

    def reconstruct(self, x: Any) -> Any:
        """`decode(encode(x))`, by means, without a draw: (N, D) -> (N, D)."""
        return self.decode(self.encode(x))

    def sample(self, n: int, rng: Seed, *, steps: int = 1000) -> Array:
        """n rows (n, D), the visible means of chains that start at W1 = W2 = 0 and take so many steps."""
        return self.as_rbm().sample(n, rng, steps=steps)[:, :len(self.b)]

    def complete(self, x: Any, known: Any, *, steps: int = 100, rng: Seed) -> Array:
        """Fill in what is not known of rows x (N, D) by Gibbs sampling with the rest held; (N, D).

        `known`, (D,) or (N, D), is true where x holds. Answers and errors are those of `energy.complete`.
        """
        x = rows_that_meet(self._name, "complete", array_of(x), len(self.b), self.b.data)
        known = self.b.device.put(plain_array(f"{self._name}.complete", array_of(known)))
        if known.dtype != bool or known.shape not in (x.shape, x.shape[1:]):
            raise InputError(f"{self._name}.complete: known is true or false for each of {x.shape[1]} numbers, shape "
                             f"{x.shape[1:]} or {x.shape}, not {known.dtype} of shape {known.shape}")
        xp, H2 = backend_of(x).xp, len(self.c2)
        x = xp.concatenate([x, xp.zeros((len(x), H2), x.dtype)], 1)
        known = xp.concatenate([known, xp.zeros((*known.shape[:-1], H2), bool)], -1)
        return complete(self.as_rbm(), x, known, steps=steps, rng=rng)[:, :len(self.b)]

    def checked(self, verb: str, v: Any) -> Any:
        """v as rows (N, D) in the machine's dtype. Raises InputError for other rows, and numbers outside [0, 1]."""
        v = rows_that_meet(self._name, verb, v, len(self.b), self.b.data)
        check_fractions(f"{self._name}.{verb}", v, wait=True)
        return v

    def _for(self, like: Any, *parameters: Tensor) -> tuple[Any, ...]:
        """The parameters for arithmetic with a Tensor, which is recorded, or their arrays for that with an array."""
        return parameters if isinstance(like, Tensor) else tuple(p.data for p in parameters)

    def describe(self) -> str:
        return f"{self._name}({len(self.b)}, {len(self.c1)}, {len(self.c2)})"


class Folded(RBM):
    """A machine of two hidden layers, folded: (v, h2) are the visible units, h1 the hidden ones.

    W, b and c are made of the other machine's parameters whenever they are asked for. Raises InputError where an RBM
    would write into them.
    """

    def __init__(self, machine: DeepBoltzmannMachine) -> None:
        self.deep = machine
        self.visible = Bernoulli(len(machine.b) + len(machine.c2))
        self.hidden = Bernoulli(len(machine.c1))

    @property
    def b(self) -> Any:                                                            # type: ignore[override]
        """The biases of (v, h2): (D + H2,)."""
        return ops.concatenate([self.deep.b, self.deep.c2])

    @property
    def c(self) -> Any:                                                            # type: ignore[override]
        """The biases of h1: (H1,)."""
        return self.deep.c1

    @property
    def W(self) -> Any:                                                            # type: ignore[override]
        """The weights (D + H2, H1), those of the first layer written out."""
        like, W2 = self.deep.b.data, self.deep.W2
        unit = backend_of(like).xp.eye(len(like), dtype=like.dtype)
        return ops.concatenate([self.deep.rise(Tensor(unit), self.deep.W1), W2.T])

    def set_biases(self, x: Any) -> RBM:
        """Raise InputError: the parameters are another machine's."""
        raise InputError("RBM.set_biases: this is a DeepBoltzmannMachine, folded; set the biases of that")

    def up(self, v: Any) -> Any:
        D = len(self.deep.b)
        return self.deep.up(v[:, :D], v[:, D:])

    def down(self, h: Any) -> Any:
        return ops.concatenate([self.deep.down(h), self.deep.over(h)], -1)

    @property
    def device(self) -> Device:
        return self.deep.b.device


class ShapeBM(DeepBoltzmannMachine):
    """A deep Boltzmann machine of images whose first layer sees four overlapping patches with the same weights.

    Images have `side` x `side` pixels, each a row. The patches, of `patch` x `patch` pixels, lie in the corners; each
    has `hidden1` units of its own, H1 = 4 hidden1 in all, and W1 (patch^2, hidden1) serves all four: a convolution with
    stride side - patch. So W1 has 13 times fewer numbers than that of a machine in which every unit sees all of an
    image of 32 x 32, and learns each from four places. The `hidden2` units of the second layer, with weights to all of
    h1, keep the patches in agreement; so do the pixels in which these overlap. Biases are not shared. All else is as in
    a DeepBoltzmannMachine. Raises InputError, beside that, for patches that leave a pixel out or fill the image.

    Source: S. M. A. Eslami, N. Heess and J. Winn, "The shape Boltzmann machine: a strong model of object shape", 2012.
    """

    def __init__(self, side: int, hidden1: int, hidden2: int, *, patch: int, rng: Seed, sd: float = 0.01) -> None:
        self.side, self.patch, hidden1, hidden2 = (check_count(self._name, what, size) for what, size in (
            ("side", side), ("patch", patch), ("hidden1", hidden1), ("hidden2", hidden2)))
        if not self.side <= 2 * self.patch < 2 * self.side:
            raise InputError(f"{self._name}: four patches cover an image of {side} x {side} and overlap if patch is at "
                             f"least {-(-self.side // 2)} and below {side}, not {patch}")
        self._begin(self.side**2, 4 * hidden1, hidden2, (self.patch**2, hidden1), rng, sd)

    def rise(self, v: Any, W: Any) -> Any:
        return (self._patches(v) @ W).reshape(len(v), 4 * W.shape[1])

    def fall(self, h1: Any, W: Any) -> Any:
        k, gap = self.patch, self.side - self.patch
        pieces = (h1.reshape(-1, W.shape[1]) @ W.T).reshape(len(h1), 4, k, k)
        images: Any = sum(ops.pad(pieces[:, i], ((0, 0), (top, gap - top), (left, gap - left)))
                          for i, (top, left) in enumerate(self._corners()))
        return images.reshape(len(h1), self.side**2)

    def pairs(self, v: Any, h1: Any) -> Any:
        return self._patches(v).T @ h1.reshape(-1, self.W1.shape[1])

    def _patches(self, v: Any) -> Any:
        """Those of each image, one after the other: (N, D) -> (4 N, patch^2)."""
        k, images = self.patch, v.reshape(-1, self.side, self.side)
        return ops.stack([images[:, top:top + k, left:left + k] for top, left in self._corners()], 1).reshape(-1, k * k)

    def _corners(self) -> list[tuple[int, int]]:
        gap = self.side - self.patch
        return [(top, left) for top in (0, gap) for left in (0, gap)]

    def describe(self) -> str:
        return f"{self._name}({self.side}, {self.W1.shape[1]}, {len(self.c2)}, patch={self.patch})"
