"""How much of a distribution a model of it has found: modes and how evenly, and a classifier's score of its samples."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import backend_of
from minidl.errors import InputError
from minidl.rows import array_of, check_amount, check_count, rows_of_floats


class Modes(NamedTuple):
    """What samples have found of a mixture.

    `found`: modes with a good sample; `good`: the share of samples that are good; `spread`: how far good samples lie
    around the mean of those of their mode, as a multiple of the true standard deviation; `kl`: the Kullback-Leibler
    divergence of the good samples' modes from the uniform distribution, in nats: 0 for all alike, log K for one of K.
    Without good samples the last two are NaN; the spread too, if no mode has two. What labels tell has no `spread`.
    """

    found: int
    good: float
    spread: float
    kl: float


class Score(NamedTuple):
    """A classifier's score: its mean over the splits, and its standard deviation over them."""

    mean: float
    sd: float


def mixture_modes(x: Any, centres: Any, *, sd: float) -> Modes:
    """The modes that x (N, d) has found of a mixture of K equal round Gaussians with these centres (K, d).

    A sample is good within 3 standard deviations of the nearest centre. Even perfect samples miss a little: in the
    plane 1.1 % of them lie further away, and the others spread by .974. Raises InputError for rows of different
    lengths, none at all, and an sd that is not above 0.

    Source: Z. Lin et al., "PacGAN: the power of two samples in generative adversarial networks", 2018, section 4.1.
    """
    sd = check_amount("mixture_modes", "sd", sd, positive=True)
    x, centres = (_on_host(rows_of_floats("mixture_modes", rows)).astype(np.float64) for rows in (x, centres))
    if not len(x) or not len(centres) or x.shape[1] != centres.shape[1] or not x.shape[1]:
        raise InputError(f"mixture_modes: samples (N, d) and centres (K, d) have rows of one length, not {x.shape} and "
                         f"{centres.shape}")
    distances = np.stack([np.sqrt(((x - centre)**2).sum(1)) for centre in centres], 1)               # (N, K)
    nearest, good = distances.argmin(1), distances.min(1) < 3.0 * sd
    counts = np.bincount(nearest[good], minlength=len(centres))
    found = int((counts > 0).sum())
    sums = np.stack([np.bincount(nearest[good], column[good], len(centres)) for column in x.T], 1)
    means = sums / np.maximum(counts, 1)[:, None]
    squares, freedom = ((x[good] - means[nearest[good]])**2).sum(), (good.sum() - found) * x.shape[1]
    spread = float(np.sqrt(squares / freedom)) / sd if freedom else np.nan
    return Modes(found, float(good.mean()), spread, _from_uniform(counts))


def labelled_modes(labels: Any, modes: int) -> Modes:
    """The modes that samples have found, of which a classifier has told each sample's: labels (N,) from 0 to modes - 1.

    All samples count as good. Raises InputError for labels that are none of the modes, and none at all.
    """
    modes = check_count("labelled_modes", "modes", modes)
    labels = _on_host(plain_array("labelled_modes", array_of(labels)))
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size or not 0 <= labels.min() <= labels.max() < \
            modes:
        raise InputError(f"labelled_modes: labels are whole numbers (N,) from 0 to {modes - 1}, not of {labels.dtype} "
                         f"and shape {labels.shape}" + (f" from {labels.min()} to {labels.max()}" if labels.size and
                                                        labels.dtype.kind in "iuf" else ""))
    counts = np.bincount(labels.astype(np.int64), minlength=modes)
    return Modes(int((counts > 0).sum()), 1.0, np.nan, _from_uniform(counts))


def classifier_score(probabilities: Any, *, splits: int = 1) -> Score:
    """exp of the mean Kullback-Leibler divergence of p(y|x) from p(y), for a classifier's probabilities (N, classes).

    1 if it says the same of all samples, and at most the number of classes: then it is sure of each sample, and names
    all classes equally often. Of Inception's classes it is the Inception score; of another classifier it bears that
    one's name, and numbers of different classifiers cannot be compared. It sees neither whether samples are copies of
    the data, nor whether those of a class are all the same. p(y) is the mean over each of `splits` equal parts.

    Raises InputError for rows that are no probabilities, and fewer rows than splits.

    Source: T. Salimans et al., "Improved techniques for training GANs", 2016, section 4.
    """
    splits = check_count("classifier_score", "splits", splits)
    p = _on_host(rows_of_floats("classifier_score", probabilities)).astype(np.float64)
    if len(p) < splits or not p.shape[1]:
        raise InputError(f"classifier_score: {splits} splits take as many rows of probabilities, not {p.shape}")
    if not ((p >= 0.0).all() and np.allclose(p.sum(1), 1.0, atol=1e-3)):
        raise InputError("classifier_score: probabilities are at least 0, and each row adds up to 1; md.softmax makes "
                         "them of logits")
    scores = []
    for part in np.array_split(p, splits):
        overall = part.mean(0)
        logs = np.log(np.where(part > 0.0, part, 1.0)) - np.log(np.where(overall > 0.0, overall, 1.0))
        scores.append(np.exp((part * logs).sum(1).mean()))
    return Score(float(np.mean(scores)), float(np.std(scores)))


def _from_uniform(counts: np.ndarray) -> float:
    if not counts.any():
        return float("nan")
    p = counts[counts > 0] / counts.sum()
    return float(np.log(len(counts)) + (p * np.log(p)).sum())


def _on_host(array: Any) -> np.ndarray:
    return backend_of(array).to_host(array)
