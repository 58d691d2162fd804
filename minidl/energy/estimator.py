"""The restricted Boltzmann machine with scikit-learn's habits: `fit`, `partial_fit`, `transform`, `score_samples`."""
from __future__ import annotations

import os
from typing import Any

import numpy as np

from minidl.arguments import is_number
from minidl.backend import Array, Device, backend_of
from minidl.data.loader import Loader
from minidl.energy.likelihood import pseudo_likelihood
from minidl.energy.rbm import RBM
from minidl.energy.samplers import gibbs
from minidl.energy.trainers import ContrastiveDivergence, checked_sparsity, train
from minidl.errors import InputError
from minidl.nn.losses import check_fractions
from minidl.optim import SGD, LinearLR
from minidl.randomness import RandomStream, Seed, generator
from minidl.rows import array_of, check_amount, check_choice, check_count, check_fitted, rows_of_floats
from minidl.training.history import History


class BernoulliRBM:
    """A restricted machine of binary units that learns by one call; names and shapes are scikit-learn's.

    `fit(x)` learns from rows x (N, D) in [0, 1], arrays or Tensors of floats on any device:

    | attribute | shape | what it is |
    |---|---|---|
    | components_ | (H, D) | the weights, W transposed |
    | intercept_hidden_, intercept_visible_ | (H,), (D,) | the biases c and b |
    | h_samples_ | (chains, H) | the hidden states of the persistent chains |
    | n_features_in_ | number | D |
    | machine_ | | the RBM itself |
    | history_ | | what `training.run` measured |

    It learns by contrastive divergence with `chains` that persist (or, with `chains=None`, that start at the data) and
    take `k` steps, by gradients that are centred, from the data's biases on, with a learning rate that falls to 0.
    These are the settings that reached the best likelihoods of handwritten digits. `partial_fit(x)` takes one step
    from the rows x as one batch, at the full rate, and can be called without `fit`. `fit(..., checkpoint=path)` goes on
    where an interrupted fit was.

    The four verbs are those of `machine_`; `transform` is `encode`. An `rng` that is a Generator over SFC64 draws
    fastest. Raises InputError for settings out of range, data outside [0, 1], and whatever is asked before `fit`.
    """

    machine_: RBM
    history_: History

    def __init__(self, n_components: int = 256, *, learning_rate: float = 0.05, batch_size: int = 100, n_iter: int = 10,
                 k: int = 1, chains: int | None = 100, centred: bool = True, momentum: float = 0.0,
                 weight_cost: float = 0.0, sparsity: tuple[float, float] | None = None, rng: Seed = 0) -> None:
        name = type(self).__name__
        self.n_components = check_count(name, "n_components", n_components)
        self.batch_size, self.k = check_count(name, "batch_size", batch_size), check_count(name, "k", k)
        self.learning_rate = check_amount(name, "learning_rate", learning_rate)
        self.weight_cost = check_amount(name, "weight_cost", weight_cost)
        self.n_iter = check_count(name, "n_iter", n_iter)
        self.chains = None if chains is None else check_count(name, "chains", chains)
        check_choice(name, "centred", centred, (True, False))
        if not (is_number(momentum) and 0.0 <= momentum < 1.0):
            raise InputError(f"{name}: momentum is a number of at least 0 and below 1, not {momentum!r:.60}")
        self.centred, self.momentum = centred, momentum
        self.sparsity = None if sparsity is None else checked_sparsity(name, sparsity)
        generator(rng, name)                     # refuses here what fit would
        self.rng = rng

    def fit(self, x: Any, y: Any = None, *, checkpoint: str | os.PathLike[str] | None = None,
            progress: bool = False) -> BernoulliRBM:
        """Learn from rows x (N, D); y is not looked at; returns the estimator."""
        x = self._begin(x)
        host = backend_of(x).to_host(x)
        loader = Loader(host, batch_size=min(self.batch_size, len(x)), rng=self._rng, device=Device(backend_of(x)))
        schedule = LinearLR(self._optimizer, 1.0, 0.0, total_iters=self.n_iter * len(loader))
        self.history_ = train(self.machine_, loader, self._optimizer, self._trainer, epochs=self.n_iter,
                              schedule=schedule, checkpoint=checkpoint, progress=progress, description="RBM")
        return self

    def partial_fit(self, x: Any, y: Any = None) -> BernoulliRBM:
        """Take one step from rows x (n, D), at the full learning rate; y is not looked at; returns the estimator."""
        if not hasattr(self, "_trainer"):
            x = self._begin(x)
        self._optimizer.lr = self.learning_rate
        self._trainer(self.machine_, rows_of_floats(type(self).__name__, x))
        self._optimizer.step()
        return self

    def _begin(self, x: Any) -> Array:
        """A new machine with the biases of x, its trainer and its optimiser; x as an array of rows."""
        x = rows_of_floats(type(self).__name__, x)
        check_fractions(type(self).__name__, x, wait=True)
        if not len(x):
            raise InputError(f"{type(self).__name__}: there are no rows to learn from")
        self._rng = generator(self.rng, type(self).__name__)
        machine = RBM(x.shape[1], self.n_components, rng=self._rng).to(Device(backend_of(x))).astype(x.dtype)
        self._use(machine.set_biases(x))
        return x

    def _use(self, machine: RBM) -> None:
        self.machine_ = machine
        self._trainer = ContrastiveDivergence(machine, k=self.k, chains=self.chains, centred=self.centred,
                                              sparsity=self.sparsity, rng=self._rng)
        self._optimizer = SGD(machine.named_parameters(), lr=self.learning_rate, momentum=self.momentum,
                              weight_decay=lambda name, p: self.weight_cost if name == "W" else 0.0)

    # scikit-learn's attributes and methods ----------------------------------------------------------------------------

    @property
    def components_(self) -> Array:
        """The weights (H, D)."""
        return self._fitted().W.data.T

    @property
    def intercept_hidden_(self) -> Array:
        """The hidden units' biases (H,)."""
        return self._fitted().c.data

    @property
    def intercept_visible_(self) -> Array:
        """The visible units' biases (D,)."""
        return self._fitted().b.data

    @property
    def h_samples_(self) -> Array:
        """The hidden states of the persistent chains (chains, H). Raises InputError where there are none."""
        self._fitted()
        if self._trainer.chains is None:
            raise InputError(f"{type(self).__name__}: with chains=None no chains persist")
        return self._trainer.chains.h.data                                       # type: ignore[attr-defined]

    @property
    def n_features_in_(self) -> int:
        """How many features the rows have."""
        return self._fitted().visible.size

    def transform(self, x: Any) -> Any:
        """The hidden units' probabilities: x (N, D) -> (N, H)."""
        return self.encode(x)

    def gibbs(self, v: Any, rng: Seed) -> Array:
        """The visible states after one step of Gibbs sampling from v (N, D): (N, D) of zeros and ones."""
        machine, stream = self._fitted(), RandomStream.of(rng, "BernoulliRBM.gibbs")
        h = machine.hidden.draw(machine.propup(machine.checked("gibbs", array_of(v))), stream)
        return gibbs(machine, h, 1, stream)[0]

    def score_samples(self, x: Any) -> Array:
        """The pseudo-likelihood of rows x (N, D) -> (N,), exact: scikit-learn's is that of one bit, drawn, times D."""
        return pseudo_likelihood(self._fitted(), x)

    @classmethod
    def like(cls, other: Any, **settings: Any) -> BernoulliRBM:
        """An estimator with the weights of another, scikit-learn's BernoulliRBM for one, that has been fitted.

        `settings` are those of the class. Raises InputError for what has no such weights, or weights of shapes that do
        not fit together.
        """
        names = "components_", "intercept_hidden_", "intercept_visible_"
        if not all(hasattr(other, name) for name in names):
            raise InputError(f"BernoulliRBM.like: a fitted BernoulliRBM has {', '.join(names)}; this "
                             f"{type(other).__name__} has not")
        W, c, b = (rows_of_floats("BernoulliRBM.like", np.atleast_2d(getattr(other, name))) for name in names)
        if (c.shape, b.shape) != ((1, len(W)), (1, W.shape[1])):
            raise InputError(f"BernoulliRBM.like: weights of shape {W.shape} do not go with biases of shapes "
                             f"{c.shape[1:]} and {b.shape[1:]}")
        made = cls(len(W), **settings)
        made._rng = generator(made.rng, "BernoulliRBM")
        machine = RBM(W.shape[1], len(W), rng=0).astype(W.dtype)
        for p, value in (machine.W, W.T), (machine.b, b[0]), (machine.c, c[0]):
            p.data[...] = value
        made._use(machine)
        return made

    def give(self, other: Any) -> Any:
        """Set another estimator's weights, scikit-learn's BernoulliRBM for one, to copies of these; returns it."""
        for name in ("components_", "intercept_hidden_", "intercept_visible_"):
            array = getattr(self, name)
            setattr(other, name, np.array(backend_of(array).to_host(array), order="C"))
        return other

    # The four verbs ---------------------------------------------------------------------------------------------------

    def encode(self, x: Any) -> Any:
        """The hidden units' probabilities: (N, D) -> (N, H)."""
        return self._fitted().encode(x)

    def decode(self, code: Any) -> Any:
        """The visible units' probabilities: (N, H) -> (N, D)."""
        return self._fitted().decode(code)

    def reconstruct(self, x: Any) -> Any:
        """`decode(encode(x))`: (N, D) -> (N, D)."""
        return self._fitted().reconstruct(x)

    def sample(self, n: int, rng: Seed, *, steps: int = 1000) -> Array:
        """n rows (n, D): `RBM.sample`."""
        return self._fitted().sample(n, rng, steps=steps)

    def _fitted(self) -> RBM:
        check_fitted(self, "machine_")
        return self.machine_

    def __repr__(self) -> str:
        return f"BernoulliRBM(n_components={self.n_components}, learning_rate={self.learning_rate:g})"
