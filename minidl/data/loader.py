"""Batches of a data set, shuffled anew each epoch, resumable within an epoch."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minidl.backend import Array, Device
from minidl.data import augmentation
from minidl.errors import InputError
from minidl.tensor import Tensor


class Loader:
    """One pass over it is one epoch of batches: Tensors x (B, ...), or pairs (x, y), on the device.

    `x` (N, ...) becomes contiguous float32, or with `tokens=n`, the size of the vocabulary, int64 ids that are checked
    to be 0 .. n-1; `y` (N, ...), if given, int64 labels or float32 targets. Both are moved to the device once, so that
    a batch costs one `take` and no transfer. With `shuffle` each epoch's order is a permutation that is drawn, as the
    epoch begins, from `rng`, a `numpy.random.Generator` of the host. The last batch is smaller if N is no multiple of
    `batch_size`, unless `drop_last` leaves it out. With `classes` the labels, (N,) or of tokens' shape, are checked to
    be 0 .. classes-1.

    `augment(x, rng)`, for training data, changes the array x of each batch as it is handed out, on the device (see
    `data.augmentation`). With `mixup`, that function's alpha, x and y are then mixed; labels first become rows
    (B, classes), which `cross_entropy` takes as they are. Both draw from `rng`.

    `state_dict` and `load_state_dict` continue an interrupted epoch bit for bit.

    Raises InputError for empty data, x and y of different lengths, a batch size below 1 (or, with `drop_last`, above
    N), labels and tokens out of range, mixup of labels without `classes`, and shuffling or augmenting without a
    generator.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray | None = None, *, batch_size: int, shuffle: bool = True,
                 rng: np.random.Generator | None = None, drop_last: bool = False, device: str | Device = "cpu",
                 classes: int | None = None, tokens: int | None = None,
                 augment: Callable[[Array, np.random.Generator], Array] | None = None,
                 mixup: float | None = None) -> None:
        x = _numbers(x, "x")
        y = None if y is None else _numbers(y, "y")
        _check_sizes(x, y, batch_size, drop_last)
        if tokens is not None:
            _check_ids("token x", x, tokens, "tokens")
        if classes is not None:
            _check_labels(y, classes, [x.shape[:1], x.shape] if tokens else [x.shape[:1]])
        if mixup is not None and tokens is not None:
            raise InputError("Loader: mixup mixes numbers; tokens are ids and cannot be mixed")
        if mixup is not None:
            y = _checked_for_mixup(y, classes, mixup)
        random = shuffle or augment is not None or mixup is not None
        if random and not isinstance(rng, np.random.Generator):
            raise InputError(f"shuffling and augmenting need an explicit generator, not {rng!r}: "
                             "Loader(..., rng=numpy.random.default_rng(0))")
        self.batch_size, self.shuffle, self.drop_last = int(batch_size), shuffle, drop_last
        self.rng: Any = rng if random else None      # if it draws nothing, the generator is not its to restore
        self.augment, self.mixup = augment, mixup
        self.device = Device(device)
        self.items = len(x)
        self._x = self.device.put(np.ascontiguousarray(x, dtype=np.int64 if tokens else np.float32))
        dtype = np.int64 if y is not None and y.dtype.kind in "iub" else np.float32
        self._y = None if y is None else self.device.put(np.ascontiguousarray(y, dtype=dtype))
        self._start: Any = None         # the generator's state from which this epoch's order was drawn
        self._done = 0                  # batches of this epoch that were handed out
        self._resume = False            # the next pass continues the epoch

    def __len__(self) -> int:
        """The number of batches of a whole epoch."""
        return self.items // self.batch_size if self.drop_last else -(-self.items // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        # Not itself a generator function: the order is drawn when the epoch begins, not at its first batch.
        if not self._resume:
            self._start, self._done = self._state(), 0
            order = self.rng.permutation(self.items) if self.shuffle else np.arange(self.items)
        else:
            self._resume = False
            order = self._order_from(self._start)
        return self._batches(self.device.put(order))

    def _batches(self, order: Any) -> Iterator[Any]:
        for i in range(self._done, len(self)):
            index = order[i * self.batch_size:(i + 1) * self.batch_size]
            x = self._x.take(index, axis=0)
            y = None if self._y is None else self._y.take(index, axis=0)
            if self.augment:
                x = _checked_batch(self.augment(x, self.rng), x)
            if self.mixup:
                x, y = augmentation.mixup(x, y, self.rng, alpha=self.mixup)
            self._done = i + 1          # counted before it is handed out: a checkpoint is written after its step
            yield Tensor(x) if y is None else (Tensor(x), Tensor(y))

    def state_dict(self) -> dict[str, Any]:
        """Where this epoch stands, as plain numbers and strings.

        `start` is the generator's state at the epoch's beginning and `batches` the number handed out since; `now` is
        its present state, which differs further if others draw from it too.
        """
        ended = self._done >= len(self)
        return {"start": self._state() if ended or self._start is None else self._start, "now": self._state(),
                "batches": 0 if ended else self._done, "items": self.items, "batch_size": self.batch_size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved place: the next pass hands out the rest of that epoch, the passes after it whole ones.

        Raises InputError if the state is of other data or of another batch size.
        """
        if (state["items"], state["batch_size"]) != (self.items, self.batch_size):
            raise InputError(f"this loader has {self.items} items in batches of {self.batch_size}, the saved one had "
                             f"{state['items']} in batches of {state['batch_size']}: the same order cannot be resumed")
        if (state["start"] is None) == (self.rng is not None) or not 0 <= state["batches"] < len(self):
            raise InputError("the saved state is of a loader that shuffles differently or has fewer batches to drop")
        self._start, self._done = state["start"], state["batches"]
        self._resume = self._done > 0
        if self.rng and state["now"] is not None:
            self.rng.bit_generator.state = state["now"] if self._resume else state["start"]

    def _state(self) -> Any:
        return self.rng.bit_generator.state if self.rng else None

    def _order_from(self, state: Any) -> np.ndarray:
        """The order of the epoch that began with this state; drawn from a copy, so that `rng` itself stays put."""
        if not self.shuffle:
            return np.arange(self.items)
        copy = type(self.rng.bit_generator)()
        copy.state = state
        return np.random.Generator(copy).permutation(self.items)


def _numbers(values: Any, name: str) -> np.ndarray:
    if isinstance(values, Tensor):
        raise InputError(f"Loader: {name} is a Tensor; give the array that it holds, {name}.data")
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"Loader: the items of {name} are of different lengths; fill them up with a value of its own, "
                         "such as 0, and give a network mask=(ids != 0)") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"Loader: {name} holds {array.dtype}, not numbers")
    return array


def _check_sizes(x: np.ndarray, y: np.ndarray | None, batch_size: int, drop_last: bool) -> None:
    if x.ndim == 0 or x.size == 0:
        raise InputError(f"Loader: x has shape {x.shape}: there is nothing to load")
    if y is not None and (y.ndim == 0 or len(x) != len(y)):
        raise InputError(f"Loader: x has {len(x)} items, y has {len(y) if y.ndim else 'none'}; they must match")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InputError(f"Loader: the batch size must be a whole number of at least 1, not {batch_size!r}")
    if drop_last and batch_size > len(x):
        raise InputError(f"Loader: {len(x)} items do not fill one batch of {batch_size}, and drop_last leaves it out")


def _checked_batch(new: Any, x: Array) -> Array:
    """What `augment` made of the batch x, in its dtype."""
    if type(new) is not type(x) or len(new) != len(x):
        raise InputError(f"Loader: augment(x, rng) was given a batch of shape {x.shape} and returned "
                         f"{type(new).__name__}{getattr(new, 'shape', '')}; it returns an array of as many items on "
                         "the same device")
    return new.astype(x.dtype, copy=False)


def _checked_for_mixup(y: np.ndarray | None, classes: int | None, alpha: float) -> np.ndarray:
    """Targets that can be mixed."""
    if y is None or not alpha > 0.0:
        raise InputError("Loader: mixup is an alpha above 0 and mixes targets too; "
                         + ("there are none, y is not given" if y is None else f"it is {alpha}"))
    if y.dtype.kind == "f":
        return y
    if classes is None:
        raise InputError("Loader: mixup turns labels into rows of probabilities: say how many classes there are, "
                         "Loader(..., classes=10)")
    return (y[:, None] == np.arange(classes)).astype(np.float32)


def _check_labels(y: np.ndarray | None, classes: int, shapes: Sequence[tuple[int, ...]]) -> None:
    if y is None:
        raise InputError(f"Loader: classes={classes} is given, but no labels y")
    if y.shape not in shapes:
        raise InputError(f"Loader: labels are whole numbers of shape {' or '.join(map(str, shapes))}, y is {y.dtype} "
                         f"of shape {y.shape}")
    _check_ids("label y", y, classes, "classes")


def _check_ids(what: str, ids: np.ndarray, n: int, of: str) -> None:
    """On the host, once: a GPU would silently wrap an index that is out of range."""
    if ids.dtype.kind not in "iub":
        raise InputError(f"Loader: with {n} {of} each {what} is a whole number from 0 to {n - 1}, not {ids.dtype}")
    wrong = np.argwhere((ids < 0) | (ids >= n))
    if len(wrong):
        place = tuple(map(int, wrong[0]))
        raise InputError(f"Loader: {what}{list(place)} is {ids[place]}; with {n} {of} they are 0 to {n - 1}")
