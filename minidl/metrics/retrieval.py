"""How well a search finds what belongs together: precision by class.

Labels only count here, nothing learns from them.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import backend_of
from minidl.errors import InputError
from minidl.rows import array_of


def hits(found: Any, labels: Any, query_labels: Any) -> np.ndarray:
    """Which of the images found have the query's class: indices (Q, k), labels (N,), of the queries (Q,) -> (Q, k).

    Raises InputError for indices beyond the labels, or of another number of queries than they have labels.
    """
    found = plain_array("hits", array_of(found))
    found, labels, query_labels = backend_of(found).to_host(found), np.asarray(labels), np.asarray(query_labels)
    if found.ndim != 2 or not found.size or query_labels.shape != found.shape[:1]:
        raise InputError(f"hits: indices (Q, k) need a label for each query, (Q,); they are {found.shape}, the "
                         f"queries' labels {query_labels.shape}")
    if labels.ndim != 1 or found.max() >= len(labels) or found.min() < 0:
        raise InputError(f"hits: indices from {found.min()} to {found.max()} do not fit labels of shape "
                         f"{labels.shape}; give those of the database that was searched")
    return labels[found] == query_labels[:, None]


def precision_at_k(found: Any, labels: Any, query_labels: Any) -> float:
    """The share of the images found, (Q, k), that have their query's class; arguments and errors as for `hits`."""
    return float(hits(found, labels, query_labels).mean())


def precision_by_class(found: Any, labels: Any, query_labels: Any) -> dict[Any, float]:
    """`precision_at_k` for the queries of each class: class -> share; arguments and errors as for `hits`."""
    right = hits(found, labels, query_labels).mean(1)
    return {c.item(): float(right[np.asarray(query_labels) == c].mean()) for c in np.unique(query_labels)}
