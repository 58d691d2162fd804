"""Losses. Those for probabilities take logits, so that nothing overflows and no log meets a 0.

`reduction` is PyTorch's: "mean", "sum" or "none", over the elements (over the rows for the losses that sum each row).
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.kernels import fused
from minidl.ops.activation import log1p_of_fraction
from minidl.ops.operands import index_array, operand
from minidl.rows import array_of
from minidl.tensor import Tensor, primitive


def _reduce(values: Any, reduction: str) -> Any:
    if reduction == "mean":
        return ops.mean(values)
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "none":
        return values
    raise InputError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")


def _pair(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    """The prediction and its target, of one shape; whole numbers are floats, for uint8 has no difference below 0."""
    shapes = [getattr(a, "shape", type(a).__name__) for a in (x, y)]
    if shapes[0] != shapes[1]:
        raise InputError(f"{name}: the prediction has shape {shapes[0]}, the target {shapes[1]}; they must be equal")
    if x is None or y is None:
        raise InputError(f"{name}: it compares two arrays or Tensors, not {shapes[0]} and {shapes[1]}")
    x, y = operand(x), operand(y)
    return (x, y) if x.dtype.kind == "f" and y.dtype.kind == "f" else _as_floats(x, y)


def _as_floats(x: Any, y: Any) -> tuple[Any, Any]:
    """Both in the dtype of the one that holds floats; float32 if none does."""
    dtype = next((a.dtype for a in (x, y) if a.dtype.kind == "f"), np.float32)
    return ops.astype(x, dtype), ops.astype(y, dtype)


_ROUNDING = 1e-3         # what sums and interpolated pixels may lie beside [0, 1]


def check_fractions(name: str, targets: Any, wait: bool = False) -> None:
    """Raise InputError for targets (...) outside [0, 1], with which a cross-entropy has no bottom.

    Those on a device are looked at only with `wait`, for that waits until the device has made them.
    """
    raw = array_of(targets)
    if type(raw) is np.ndarray and raw.size:               # for few numbers this is 3 times faster than min() and max()
        low, high = raw.item(raw.argmin()), raw.item(raw.argmax())
    elif wait and raw.size:
        backend = backend_of(raw)
        low, high = (float(value) for value in backend.to_host(backend.xp.stack([raw.min(), raw.max()])))
    else:
        return
    if not (low >= -_ROUNDING and high <= 1.0 + _ROUNDING):
        raise InputError(f"{name}: targets are probabilities in [0, 1], these go from {low:g} to {high:g}; pixels of 0 "
                         "to 255 become fractions by / 255")


@fused("T g, T logits, T targets", "T t", "t = (1 / (1 + exp(-logits)) - targets) * g")
def _bce_rule(g: Any, y: Any, logits: Any, targets: Any) -> Any:
    t = ops.sigmoid(logits)
    t -= targets
    t *= g
    return t


@primitive(_bce_rule, lambda g, y, logits, targets: -g * logits, floats=True)
@fused("T logits, T targets", "T loss",
       "loss = (logits < 0 ? 0 : logits) - logits * targets + log1p(exp(-fabs(logits)))")
def _bce(xp: Any, logits: Any, targets: Any) -> Array:
    """softplus(z) - z t, added up so that a small loss keeps its digits: log(1 + exp(-|z|)) comes last."""
    loss = xp.maximum(logits, 0)
    loss -= logits * targets
    loss += log1p_of_fraction(xp, xp.exp(-xp.abs(logits)))
    return loss


@primitive(_bce_rule, lambda g, y, logits, targets: -g * logits, floats=True)
def _summed_bce(xp: Any, logits: Any, targets: Any) -> Array:
    """The sum in one pass: its gradient starts from a number, not from an array of ones."""
    return _bce.forward(xp, logits, targets).sum()


def binary_cross_entropy_with_logits(logits: Any, targets: Any, reduction: str = "mean") -> Tensor:
    """-t log p - (1 - t) log(1 - p) in nats, with p = sigmoid(logits), for targets t in [0, 1].

    logits and targets (...) -> (...), then reduced. Raises InputError for different shapes, an unknown reduction, and
    targets outside [0, 1] if they are on the host.
    """
    logits, targets = _pair("binary_cross_entropy_with_logits", logits, targets)
    check_fractions("binary_cross_entropy_with_logits", targets)
    if reduction == "none" or logits.dtype.itemsize == 2:        # float16 has no sum of many values
        return _reduce(_bce(logits, targets), reduction)
    if reduction == "mean":
        return _summed_bce(logits, targets) * (1.0 / ops.reduction.count(logits, None))
    return _reduce(_summed_bce(logits, targets), reduction)


def cross_entropy(logits: Any, targets: Any, reduction: str = "mean", *, label_smoothing: float = 0.0) -> Tensor:
    """-log softmax(logits) at the target, over the last axis: logits (..., classes).

    Targets are labels (...), integers in [0, classes), or distributions (..., classes). With `label_smoothing` e they
    are mixed with the uniform distribution, in the shares 1 - e and e (Szegedy et al. 2016). A loss (...) in nats comes
    out, then reduced.

    Raises InputError for targets of other shapes, distributions that are no floats, an e outside [0, 1], an unknown
    reduction, and, if they are on the host, distributions outside [0, 1] and labels out of range (on a GPU labels must
    be checked before they travel: `data.Loader(classes=)`).
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise InputError(f"cross_entropy: label_smoothing lies between 0 and 1, not {label_smoothing}")
    logits = operand(logits)
    targets = operand(index_array("cross_entropy", targets))
    if not logits.ndim:
        raise InputError("cross_entropy: logits have an axis of classes, the last one, and these have no axis")
    log_p = ops.log_softmax(logits, -1)
    loss = _at_distributions(log_p, targets) if targets.shape == logits.shape else _at_labels(log_p, targets)
    if e := float(label_smoothing):
        loss = loss * (1.0 - e) - ops.mean(log_p, -1) * e
    return _reduce(loss, reduction)


def _at_distributions(log_p: Any, targets: Any) -> Tensor:
    if targets.dtype.kind != "f":
        raise InputError(f"cross_entropy: targets of the logits' shape {log_p.shape} are distributions of floats, "
                         f"not {targets.dtype}; labels have the shape {log_p.shape[:-1]}")
    check_fractions("cross_entropy", targets)
    raw = array_of(log_p)
    if type(raw) is not np.ndarray or raw.size and raw.item(raw.argmin()) == -np.inf:
        log_p = ops.where(_masked(log_p, targets), 0.0, log_p)
    return -ops.sum(log_p * targets, -1)


@primitive()
def _masked(xp: Any, log_p: Any, targets: Any) -> Array:
    """Where a class that is impossible is not wanted either: 0 log 0 is 0."""
    return (targets == 0) & (log_p == -np.inf)


def _at_labels(log_p: Any, targets: Any) -> Tensor:
    if targets.shape != log_p.shape[:-1]:
        raise InputError(f"cross_entropy: logits {log_p.shape} fit labels {log_p.shape[:-1]} or distributions "
                         f"{log_p.shape}, not targets {targets.shape}")
    if not isinstance(targets, Tensor) or targets.device == "cpu":
        ops.check_labels(targets.numpy() if isinstance(targets, Tensor) else targets, log_p.shape[-1])
    labels = array_of(targets)
    return -ops.gather(log_p, labels[..., None], -1).reshape(labels.shape)


def mse_loss(prediction: Any, target: Any, reduction: str = "mean") -> Tensor:
    """(prediction - target)^2, elementwise: (...) and (...) -> (...), then reduced.

    Raises InputError for different shapes and an unknown reduction.
    """
    prediction, target = _pair("mse_loss", prediction, target)
    return _reduce(ops.square(prediction - target), reduction)


def l1_loss(prediction: Any, target: Any, reduction: str = "mean") -> Tensor:
    """|prediction - target|, elementwise: (...) and (...) -> (...), then reduced; the gradient at 0 is 0.

    Raises InputError for different shapes and an unknown reduction.
    """
    prediction, target = _pair("l1_loss", prediction, target)
    return _reduce(ops.abs(prediction - target), reduction)


def huber_loss(prediction: Any, target: Any, reduction: str = "mean", *, delta: float = 1.0) -> Tensor:
    """e^2 / 2 of an error e = prediction - target up to delta, and delta (|e| - delta / 2) beyond (Huber 1964).

    Elementwise, (...) and (...) -> (...), then reduced. Raises InputError for different shapes, an unknown reduction,
    and a delta that is not above 0.
    """
    prediction, target = _pair("huber_loss", prediction, target)
    if not delta > 0.0:
        raise InputError(f"huber_loss: delta is above 0, not {delta}")
    error = prediction - target
    inner = ops.clip(error, -delta, delta)
    return _reduce(inner * (error - inner * 0.5), reduction)


def hinge_loss(scores: Any, targets: Any, reduction: str = "mean") -> Tensor:
    """max(0, 1 - t s) for scores s and targets t of -1 or 1; the gradient at t s = 1 is 0.

    Elementwise, (...) and (...) -> (...), then reduced. Raises InputError for different shapes, an unknown reduction,
    and other targets if they are on the host.
    """
    scores, targets = _pair("hinge_loss", scores, targets)
    raw = array_of(targets)
    if type(raw) is np.ndarray and not (np.abs(raw) == 1).all():
        raise InputError("hinge_loss: targets are -1 or 1; 2 * y - 1 makes them of labels 0 and 1")
    return _reduce(ops.relu(1.0 - scores * targets), reduction)


def kl_unit_gaussian(mean: Any, log_variance: Any, reduction: str = "mean") -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, summed over the last axis (Kingma & Welling 2014, app. B).

    mean and log_variance: (..., d) -> (...), then reduced. Raises InputError for different shapes and an unknown
    reduction.
    """
    mean, log_variance = _pair("kl_unit_gaussian", mean, log_variance)
    terms = mean * mean + ops.exp(log_variance) - log_variance - 1.0
    return _reduce(ops.sum(terms, -1) * 0.5, reduction)


def kl_gaussians(mean: Any, log_variance: Any, other_mean: Any, other_log_variance: Any,
                 reduction: str = "mean") -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(other_mean, exp(other_log_variance))) in nats, summed over the last axis.

    mean and log_variance (..., d), the others of that shape or one that broadcasts to it -> (...), then reduced. Raises
    InputError if the first two differ in shape, and for an unknown reduction.
    """
    mean, log_variance = _pair("kl_gaussians", mean, log_variance)
    other_mean, other_log_variance = _pair("kl_gaussians", other_mean, other_log_variance)
    distance = mean - other_mean
    difference = log_variance - other_log_variance
    terms = distance * distance * ops.exp(-other_log_variance) + ops.exp(difference) - difference - 1.0
    return _reduce(ops.sum(terms, -1) * 0.5, reduction)
