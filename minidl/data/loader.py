"""Batches of a data set, shuffled anew each epoch, resumable within an epoch."""
from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minidl.arguments import check_state, is_whole
from minidl.backend import Array, Device
from minidl.data import augmentation
from minidl.errors import InputError
from minidl.randomness import RandomStream, Seed, generator
from minidl.rows import check_amount, check_count
from minidl.tensor import Tensor


class Loader:
    """One pass over it is one epoch of batches: Tensors x (B, ...), or pairs (x, y), on the device.

    `x` (N, ...) becomes contiguous float32, or with `tokens=n`, the size of the vocabulary, int64 ids that are checked
    to be 0 .. n-1; `y` (N, ...), if given, int64 labels or float32 targets. Both are moved to the device once, so that
    a batch costs one `take` and no transfer. With `shuffle` each epoch's order is a permutation that is drawn, as the
    epoch begins, from `rng`, an int, a Generator or a RandomStream. The last batch is smaller if N is no multiple of
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
                 rng: Seed | None = None, drop_last: bool = False, device: str | Device = "cpu",
                 classes: int | None = None, tokens: int | None = None,
                 augment: Callable[[Array, np.random.Generator], Array] | None = None,
                 mixup: float | None = None) -> None:
        x = _numbers(x, "x")
        y = None if y is None else _numbers(y, "y")
        _check_sizes(x, y, batch_size, drop_last)
        if augment is not None and not callable(augment):
            raise InputError(f"Loader: augment is a function of a batch and a Generator, not {augment!r:.60}")
        if tokens is not None:
            tokens = check_count("Loader", "tokens", tokens)
            _check_ids("token x", x, tokens, "tokens")
        if classes is not None:
            classes = check_count("Loader", "classes", classes)
            _check_labels(y, classes, [x.shape[:1], x.shape] if tokens else [x.shape[:1]])
        if mixup is not None and tokens is not None:
            raise InputError("Loader: mixup mixes numbers; tokens are ids and cannot be mixed")
        if mixup is not None:
            y = _checked_for_mixup(y, classes, mixup)
        random = shuffle or augment is not None or mixup is not None
        self.batch_size, self.shuffle, self.drop_last = int(batch_size), shuffle, drop_last
        self.rng: Any = generator(rng, "Loader") if random else None     # if it draws nothing, it is not its to restore
        self.augment, self.mixup = augment, mixup
        self.device = Device(device)
        self.items = len(x)
        self._x = self.device.put(np.ascontiguousarray(x, dtype=np.int64 if tokens else np.float32))
        dtype = np.int64 if y is not None and y.dtype.kind in "iub" else np.float32
        if y is not None and y.dtype.kind == "u" and y.max() > np.iinfo(np.int64).max:
            raise InputError(f"Loader: y holds {y.max()}, and labels are int64; targets so large can be floats")
        self._y = None if y is None else self.device.put(np.ascontiguousarray(y, dtype=dtype))
        self._place = Batches(self)     # of the pass begun last
        self._resume = False            # the next pass continues it

    def __len__(self) -> int:
        """The number of batches of a whole epoch."""
        return self.items // self.batch_size if self.drop_last else -(-self.items // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        # Not itself a generator function: the order is drawn when the epoch begins, not at its first batch.
        if not self._resume:
            self._place = Batches(self)
            self._place.begin()
        self._resume = False
        return itertools.islice(self._place, len(self) - self._place.done)

    def batch(self, index: Array) -> Any:
        """The items at these places, an array of whole numbers on the device, as a pass hands them out."""
        x = self._x.take(index, axis=0)
        y = None if self._y is None else self._y.take(index, axis=0)
        if self.augment:
            x = _checked_batch(self.augment(x, self.rng), x)
        if self.mixup:
            x, y = augmentation.mixup(x, y, self.rng, alpha=self.mixup)
        return Tensor(x) if y is None else (Tensor(x), Tensor(y))

    def forever(self) -> Batches:
        """Batch after batch without end, each epoch in a new order; its place can be saved, whoever else reads here."""
        return Batches(self)

    def state_dict(self) -> dict[str, Any]:
        """Where the pass begun last stands: `Batches.state_dict`."""
        return self._place.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a saved place: the next pass hands out the rest of that epoch, the passes after it whole ones.

        Raises InputError if the state is of other data or of another batch size.
        """
        place = Batches(self)
        place.load_state_dict(state)
        self._place, self._resume = place, place.done < len(self)


class Batches(Iterator[Any]):
    """A loader's batches without end, and the place that has been reached: `loader.forever()`.

    `done` is the number of batches of the present epoch that were handed out; the next epoch begins with the batch
    after its last. `state_dict` and `load_state_dict` continue within an epoch bit for bit.
    """

    def __init__(self, loader: Loader) -> None:
        self.loader, self.done = loader, len(loader)     # at the end of an epoch before the first
        self._start: Any = None         # the generator's state from which this epoch's order was drawn
        self._order: Any = None

    def begin(self) -> None:
        """Begin an epoch: draw its order."""
        self._start, self.done = self._generator_state(), 0
        rng, items = self.loader.rng, self.loader.items
        self._order = self.loader.device.put(rng.permutation(items) if self.loader.shuffle else np.arange(items))

    def __next__(self) -> Any:
        if self.done >= len(self.loader):
            self.begin()
        size = self.loader.batch_size
        index = self._order[self.done * size:(self.done + 1) * size]
        batch = self.loader.batch(index)
        self.done += 1                  # counted before it is handed out: a checkpoint is written after its step
        return batch

    def state_dict(self) -> dict[str, Any]:
        """The place, as plain numbers and strings.

        `start` is the generator's state at the epoch's beginning and `batches` the number handed out since; `now` is
        its present state, which differs further if others draw from it too.
        """
        ended, now = self.done >= len(self.loader), self._generator_state()
        return {"start": now if ended else self._start, "now": now, "batches": 0 if ended else self.done,
                "items": self.loader.items, "batch_size": self.loader.batch_size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a saved place. Raises InputError for a state of other data or another batch size, or of none."""
        check_state(state)
        loader = self.loader
        if missing := {"start", "now", "batches", "items", "batch_size"} - state.keys():
            raise InputError(f"this is no saved place of a loader: it has no {', '.join(sorted(missing))}")
        if (state["items"], state["batch_size"]) != (loader.items, loader.batch_size):
            raise InputError(f"this loader has {loader.items} items in batches of {loader.batch_size}, the saved one "
                             f"had {state['items']} in batches of {state['batch_size']}: the same order cannot be "
                             "resumed")
        if (state["start"] is None) == (loader.rng is not None) or not (
                is_whole(state["batches"]) and state["batches"] < len(loader)):
            raise InputError("the saved state is of a loader that shuffles differently or has fewer batches to drop")
        if loader.rng:
            RandomStream(loader.rng).load_state_dict(state["start"])
        if state["batches"]:
            self.begin()
        self.done = state["batches"] or len(loader)
        if loader.rng and state["batches"]:
            RandomStream(loader.rng).load_state_dict(state["now"])

    def _generator_state(self) -> Any:
        return RandomStream(self.loader.rng).state_dict() if self.loader.rng else None


def _numbers(values: Any, name: str) -> np.ndarray:
    if isinstance(values, Tensor):
        raise InputError(f"Loader: {name} is a Tensor; give the array that it holds, {name}.data")
    if np.ma.is_masked(values):
        raise InputError(f"Loader: {name} has masked values, which are no data; leave their items out, or fill them by "
                         f"{name}.filled(...)")
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"Loader: the items of {name} are of different lengths; fill them up with a value of its own, "
                         "such as 0, and give a network mask=(ids != 0)") from None
    except (TypeError, RuntimeError) as error:
        raise InputError(f"Loader: {name}, a {type(values).__name__}, is no array of numbers ({error})") from None
    if array.dtype.kind not in "fiub":
        given = f"one of {array.dtype}" if array.ndim else type(values).__name__
        raise InputError(f"Loader: {name} is an array of numbers, not {given}")
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
    check_amount("Loader", "mixup, an alpha,", alpha, positive=True)
    if y is None:
        raise InputError("Loader: mixup mixes targets too; there are none, y is not given")
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
