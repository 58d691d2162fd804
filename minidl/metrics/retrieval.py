"""How well a search finds what belongs together: precision by class.

Labels only count here, nothing learns from them.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import BACKENDS, backend_of
from minidl.errors import InputError
from minidl.rows import array_of


def hits(found: Any, labels: Any, query_labels: Any) -> np.ndarray:
    """Which of the images found have the query's class: indices (Q, k), labels (N,), of the queries (Q,) -> (Q, k).

    Raises InputError for indices that are no whole numbers or lie beyond the labels, for another number of queries than
    they have labels, and for labels that are masked or no array.
    """
    found = plain_array("hits", array_of(found))
    found, labels, query_labels = backend_of(found).to_host(found), _on_host(labels), _on_host(query_labels)
    if found.dtype.kind not in "iu" or found.ndim != 2 or not found.size or query_labels.shape != found.shape[:1]:
        raise InputError(f"hits: indices are whole numbers (Q, k), with a label for each query, (Q,); these of "
                         f"{found.dtype} are {found.shape}, the queries' labels {query_labels.shape}")
    if labels.ndim != 1 or found.max() >= len(labels) or found.min() < 0:
        raise InputError(f"hits: indices from {found.min()} to {found.max()} do not fit labels of shape "
                         f"{labels.shape}; give those of the database that was searched")
    return labels[found] == query_labels[:, None]


def precision_at_k(found: Any, labels: Any, query_labels: Any) -> float:
    """The share of the images found, (Q, k), that have their query's class; arguments and errors as for `hits`."""
    return float(hits(found, labels, query_labels).mean())


def precision_by_class(found: Any, labels: Any, query_labels: Any) -> dict[Any, float]:
    """`precision_at_k` for the queries of each class: class -> share.

    Arguments and errors are those of `hits`.
    """
    right, query_labels = hits(found, labels, query_labels).mean(1), _on_host(query_labels)
    return {c.item(): float(right[query_labels == c].mean()) for c in np.unique(query_labels)}


def _on_host(labels: Any) -> np.ndarray:
    """Labels of any kind, names too, (N,), as an array on the host."""
    labels = array_of(labels)
    if type(labels) in BACKENDS:
        return backend_of(labels).to_host(labels)
    if np.ma.is_masked(labels):
        raise InputError("hits: some labels are masked, which no class stands for; leave their items out")
    try:
        return np.asarray(labels)
    except (TypeError, ValueError) as error:
        raise InputError(f"hits: labels are a class for each item, not {labels!r:.60} ({error})") from None
