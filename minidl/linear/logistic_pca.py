"""Logistic PCA (slide 17's rival): principal components of log-odds, for numbers in [0, 1] such as pixels."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.linear.pca import PCA
from minidl.randomness import Seed, generator
from minidl.rows import check_amount, check_count, check_fitted, rows_of_floats, rows_that_meet, slices

_NUMBERS = 2**21       # logits that are looked at together: some arrays of this size are small beside the data
_HALVINGS = 20         # of a Newton step that makes things worse
_STEPS = 100           # of a code towards its optimum; about ten are enough


class LogisticPCA:
    """What PCA is to squared errors, for probabilities: p = sigmoid(z V + b), with k numbers z for each row.

    `fit(x)` learns from rows x (N, d) of numbers in [0, 1], arrays or Tensors on any device:

    | attribute | shape | what it is |
    |---|---|---|
    | components_ | (k, d) | the rows of V, by falling length; each one's largest entry is positive |
    | intercept_ | (d,) | b, the log-odds of a code of zeros |
    | objective_ | list | cross-entropy and ridge in nats per row, after each round; it falls |
    | n_iter_ | number | rounds |
    | code_mean_, code_covariance_ | (k,), (k, k) | of the training rows' codes: `sample` draws from their Gaussian |

    A round improves all codes with V and b held, then V and b with the codes held: a logistic regression for each row,
    then one for each column, and all of these convex problems take a Newton step together (halved where it would make
    one worse). `ridge` / 2 times the squares of codes, components and intercepts is added to the cross-entropy: without
    it, a pixel that is always 0 wants log-odds of minus infinity. The rounds end when one gains less than the share
    `tol`, or after `max_iter`. `rng`, an int, a Generator or a RandomStream, is what PCA starts from, and
    that is where `fit` starts.

    The four verbs: `encode` (N, d) -> (N, k), each row's own optimum; `decode` (N, k) -> probabilities (N, d), of
    Tensors Tensors that can be differentiated; `reconstruct`; `sample`.

    Raises InputError for k outside 1..min(N, d), fewer than two rows, values outside [0, 1], another number of
    features than at the fit, data on another device, and a verb before `fit`.

    Source: A. Schein, L. Saul and L. Ungar, "A generalized linear model for principal component analysis of binary
    data", 2003; M. Collins, S. Dasgupta and R. Schapire, "A generalization of principal components analysis to the
    exponential family", 2001.
    """

    components_: Array
    intercept_: Array
    objective_: list[float]
    n_iter_: int
    code_mean_: Array
    code_covariance_: Array

    def __init__(self, n_components: int, *, ridge: float = 0.1, max_iter: int = 50, tol: float = 1e-3,
                 rng: Seed = 0) -> None:
        self.n_components = check_count("LogisticPCA", "n_components", n_components)
        self.max_iter = check_count("LogisticPCA", "max_iter", max_iter)
        generator(rng, "LogisticPCA")            # refuses here what fit would
        self.ridge = check_amount("LogisticPCA", "ridge", ridge, positive=True)
        self.tol, self.rng = check_amount("LogisticPCA", "tol", tol), rng

    def fit(self, x: Any) -> LogisticPCA:
        """Learn components and intercepts from rows x (N, d) in [0, 1]; returns the estimator."""
        x = _probabilities("fit", rows_of_floats("LogisticPCA", x))
        n, k, xp = len(x), self.n_components, backend_of(x).xp
        if n < 2 or k > min(x.shape):
            raise InputError(f"LogisticPCA: {k} components need at least {max(k, 2)} rows and {k} features; x has "
                             f"shape {x.shape}: give more data or n_components up to {min(x.shape)}")
        code, V, b = self._start(x)
        self.objective_ = []
        for _ in range(self.max_iter):
            code, _, _ = _newton_step(x, V, code, b, self.ridge)
            features = xp.concatenate([code.T, xp.ones((1, n), x.dtype)])          # the intercept's is always 1
            columns, values, _ = _newton_step(x.T, features, xp.concatenate([V, b[None]]).T, xp.zeros_like(code[:, 0]),
                                              self.ridge)
            V, b = columns[:, :k].T, columns[:, k]
            ridge = 0.5 * self.ridge * float((code**2).sum())
            self.objective_.append((float(values.sum(dtype=np.float64)) + ridge) / n)
            if len(self.objective_) > 1 and self.objective_[-2] - self.objective_[-1] <= self.tol * self.objective_[-1]:
                break
        self.n_iter_ = len(self.objective_)
        # Codes and components turned alike fit as well: the turn to orthogonal components, by falling length.
        turn = xp.linalg.eigh(V @ V.T)[1][:, ::-1]
        components = turn.T @ V
        signs = xp.sign(components[xp.arange(k), xp.abs(components).argmax(1)])
        self.components_, self.intercept_ = components * signs[:, None], xp.ascontiguousarray(b)
        code = code @ turn * signs
        self.code_mean_ = code.mean(0)
        self.code_covariance_ = (code - self.code_mean_).T @ (code - self.code_mean_) / (n - 1)
        return self

    def _start(self, x: Array) -> tuple[Array, Array, Array]:
        """Codes (N, k), V (k, d) and b (d,) from PCA: near 1/2, the log-odds of p are 4 (p - 1/2)."""
        xp = backend_of(x).xp
        pca = PCA(self.n_components, rng=self.rng).fit(x)
        mean = xp.clip(pca.mean_, 0.5 / len(x), 1 - 0.5 / len(x))
        scale = xp.maximum(4.0 * pca.singular_values_, 1e-3)**0.5       # codes and components of the same length
        return 4.0 * pca.encode(x) / scale, pca.components_ * scale[:, None], xp.log(mean / (1 - mean))

    # The four verbs ---------------------------------------------------------------------------------------------------

    def encode(self, x: Any) -> Array:
        """The codes under which the rows are most probable, less the ridge: (N, d) -> (N, k), by Newton's method."""
        check_fitted(self, "components_")
        V, b = self.components_, self.intercept_
        x = _probabilities("encode", rows_that_meet("LogisticPCA", "encode", x, len(b), b, keep_tensor=False))
        xp = backend_of(x).xp
        code = xp.zeros((len(x), len(V)), V.dtype)
        rows = xp.arange(len(x))
        for _ in range(_STEPS):
            if not len(rows):
                break
            code[rows], _, moved = _newton_step(x[rows], V, code[rows], b, self.ridge)
            rows = rows[moved]
        return code

    def decode(self, code: Any) -> Any:
        """The probabilities of codes: (N, k) -> (N, d)."""
        check_fitted(self, "components_")
        code = rows_that_meet("LogisticPCA", "decode", code, len(self.components_), self.intercept_)
        return ops.sigmoid(code @ self.components_ + self.intercept_)

    def reconstruct(self, x: Any) -> Array:
        """Through the code and back: (N, d) -> probabilities (N, d)."""
        return self.decode(self.encode(x))

    def sample(self, n: int, rng: Seed) -> Array:
        """n rows of probabilities (n, d), of codes drawn from the Gaussian of the training codes (slide 7)."""
        check_fitted(self, "components_")
        backend, n = backend_of(self.code_mean_), check_count("LogisticPCA", "n", n, least=0)
        variances, axes = np.linalg.eigh(backend.to_host(self.code_covariance_))
        noise = generator(rng, "LogisticPCA.sample").standard_normal((n, len(axes))) * np.sqrt(np.maximum(variances, 0))
        code = Device(backend).put((noise @ axes.T).astype(self.code_mean_.dtype))
        return self.decode(code + self.code_mean_)

    def __repr__(self) -> str:
        return f"LogisticPCA(n_components={self.n_components}, ridge={self.ridge:g})"


def _newton_step(x: Array, features: Array, coefficients: Array, offset: Array, ridge: float) -> tuple[Array, ...]:
    """A Newton step of logistic regressions, one for each row of x, all of them on the same features.

    x (m, n), features (q, n), coefficients (m, q), offset (n): a row's log-odds are its coefficients @ features +
    offset. Returns the new coefficients, the objectives (m) there, and which rows have moved, (m): those at their
    optimum, as far as rounding lets one see, have not.

    The Hessians, sums of p (1 - p) f f', are all rows of one product: weights (m, n) by products of two features.
    """
    xp = backend_of(x).xp
    first, second = xp.triu_indices(len(features))
    place = xp.zeros((len(features),) * 2, int)
    place[first, second] = place[second, first] = xp.arange(len(first))
    pairs = (features[first] * features[second]).T                                         # (n, q (q + 1) / 2)
    damping = ridge * xp.eye(len(features), dtype=x.dtype)
    parts = []
    for part in slices(len(x), max(1, _NUMBERS // x.shape[1])):
        target, c = xp.ascontiguousarray(x[part]), coefficients[part]
        p = ops.sigmoid(c @ features + offset)
        gradient = (p - target) @ features.T + ridge * c
        p *= 1.0 - p
        step = xp.linalg.solve((p @ pairs)[:, place] + damping, gradient[:, :, None])[:, :, 0]
        parts.append(_halved(target, features, c, offset, ridge, step, (gradient * step).sum(1)))
    return tuple(xp.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _halved(x: Array, features: Array, coefficients: Array, offset: Array, ridge: float, step: Array,
            slope: Array) -> tuple[Array, Array, Array]:
    """Go the step, or in those rows that it makes worse the half of it, the quarter, ..."""
    xp = backend_of(x).xp

    def objective(rows: Any, c: Array) -> Array:
        return _cross_entropy(x[rows], c @ features + offset) + 0.5 * ridge * (c**2).sum(1)

    values = objective(slice(None), coefficients)
    moved = slope > 10.0 * float(xp.finfo(x.dtype).eps) * values
    new, size = coefficients.copy(), 1.0
    rows = xp.flatnonzero(moved)
    for _ in range(_HALVINGS):
        if not len(rows):
            break
        trial = coefficients[rows] - size * step[rows]
        tried = objective(rows, trial)
        better = tried <= values[rows]
        new[rows[better]], values[rows[better]] = trial[better], tried[better]
        rows, size = rows[~better], 0.5 * size
    moved[rows] = False
    return new, values, moved


def _cross_entropy(x: Array, logits: Array) -> Array:
    """Of each row: softplus(logits) - x logits, summed. The logits are used up."""
    xp = backend_of(x).xp
    total = (xp.maximum(logits, 0.0) - logits * x).sum(1)
    xp.exp(-xp.abs(logits), out=logits)
    return total + xp.log1p(logits, out=logits).sum(1)


def _probabilities(verb: str, x: Array) -> Array:
    """x, if it lies in [0, 1]."""
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    if not 0.0 <= low <= high <= 1.0:
        raise InputError(f"LogisticPCA.{verb}: x holds values from {low:g} to {high:g}, they should lie in [0, 1]; "
                         "scale pixels by 1/255, and replace or drop what is not finite")
    return x
