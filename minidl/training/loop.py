"""The one loop for everything that learns: it counts, shows, saves and resumes. What a step does is handed in."""
from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol

from minidl.arguments import is_number
from minidl.errors import InputError
from minidl.progress import bar
from minidl.rows import array_of, check_count
from minidl.training.checkpoint import checkpoint_path, load, save
from minidl.training.history import History
from minidl.training.stateful import Stateful, Streams, as_parts

_LOOK_EVERY = 10       # steps between looks at the losses: each one waits for the GPU
_OWN_SERIES = "lr", "seconds", "validation"          # of a history, beside a rate for each of several optimisers


class Progress(NamedTuple):
    """How far a run is: epochs done, with the fraction of the present one, of how many, and the losses' means in it."""

    epoch: float
    epochs: int
    losses: Mapping[str, float]
    history: History


class Batched(Protocol):
    """What the loop asks of a loader: `data.Loader` answers it."""

    items: int                               # in an epoch
    batch_size: int

    def __len__(self) -> int: ...            # batches in an epoch
    def forever(self) -> Any:
        """An endless iterator over them, which is Stateful."""


def run(step: Callable[[Any], Mapping[str, Any]], loader: Batched, parts: Mapping[str, Any], *, epochs: int,
        after_epoch: Callable[[History], object] | None = None, stopped: Callable[[], str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None, checkpoint_every: int | None = None, progress: bool = True,
        description: str = "", watch: Callable[[Progress], object] | None = None) -> History:
    """Call `step(batch)` for every batch of so many epochs of the loader, and return the history.

    A step changes what it trains and returns its losses by name, each a Tensor of one number, a device's array or a
    float: their means over an epoch's steps are the history's series; a step need not return all of them. What a run
    consists of are its `parts`, by name: all whose state a step changes, be it models, optimisers, schedules, averages,
    persistent chains or numpy Generators (see `Stateful`). The loader's place and the parts' random streams are kept
    without being named.

    `after_epoch(history)` measures, and may add series of its own; `stopped()`, asked before each epoch, ends the run
    by a sentence that says why. `watch(progress)` looks on, every ten steps and after each epoch: it draws, say, and
    changes nothing. Two players:

        def step(x):
            loss = train_critic(x)
            return {"critic": loss} if next(turns) % 5 else {"critic": loss, "generator": train_generator()}

        training.run(step, loader, {"G": G, "D": D, "adam_G": adam_G, "adam_D": adam_D, "turns": turns}, epochs=20)

    A network that grows is a run for each of its stages, each with its loader and checkpoint.

    With `checkpoint`, a path, the run is saved after each epoch (and every `checkpoint_every` steps), and resumes from
    that file if it is there: on the CPU the result is that of an unbroken run, bit for bit; on a GPU from an epoch's
    start. Ctrl-C finishes the step, saves, and raises KeyboardInterrupt with a sentence that says where it stopped. A
    refused file leaves every part as it was.

    Raises FloatingPointError when a loss is no longer finite, and InputError for a checkpoint of another run, parts
    without a state, losses that are no numbers by name, and numbers out of their range.
    """
    check_count("training", "epochs", epochs)
    if checkpoint_every is not None:
        check_count("training", "checkpoint_every", checkpoint_every)
    if checkpoint_every is not None and not checkpoint:
        raise InputError("training: checkpoint_every needs `checkpoint`, the path of the file that is written")
    if not callable(step):
        raise InputError(f"training: step is a function, step(batch) -> {{'loss': loss}}, not {step!r:.60}")
    if not all(hasattr(loader, name) for name in ("forever", "items", "batch_size")):
        raise InputError(f"the loader is a {type(loader).__name__}; data.Loader(x, batch_size=64, rng=0) makes one of "
                         "an array")
    loop = _Run(loader, as_parts(parts), checkpoint_path(checkpoint) if checkpoint else None)
    found = loop.resume()
    with _bar(loop, epochs, progress) as shown, _interruptible() as interrupted:
        if found is not None and progress:
            reason = stopped() if stopped else ""
            left = reason or "the rest follows" if loop.epoch < epochs else \
                "nothing is left to train; delete it to start afresh"
            shown.write(f"{loop.path} holds {loop.epoch} of {epochs} epochs: {left}{found}", file=sys.stderr)
        while loop.epoch < epochs and not (stopped and stopped()):
            about = f"{description}, epoch" if description else "epoch"
            shown.set_description(f"{about} {loop.epoch + 1}/{epochs}", refresh=False)
            started = time.perf_counter()
            for batch in loop.batches():
                loop.count(step(batch))
                if loop.step % _LOOK_EVERY == 0 or loop.step == len(loader):
                    means = loop.means()
                    shown.set_postfix({name: f"{mean:.4g}" for name, mean in means.items()}, refresh=False)
                    if watch:
                        watch(Progress(loop.epoch + loop.step / len(loader), epochs, means, loop.history))
                shown.update(len(batch[0] if isinstance(batch, tuple) else batch))
                if checkpoint_every and loop.step % checkpoint_every == 0 and loop.step < len(loader):
                    loop.save()
                if interrupted.is_set():
                    _leave(loop, f"epoch {loop.epoch + 1}, step {loop.step} of {len(loader)}")
            loop.end_epoch(time.perf_counter() - started)
            if after_epoch:
                after_epoch(loop.history)
            loop.save()
            if watch:
                watch(Progress(loop.epoch, epochs, {}, loop.history))
            if interrupted.is_set():
                _leave(loop, f"epoch {loop.epoch} of {epochs}")
    return loop.history


class _Run:
    """A run's state: its parts, among them the batches' place, the random streams, and what this class counts."""

    def __init__(self, loader: Batched, parts: dict[str, Stateful], path: Path | None) -> None:
        self.loader, self.path, self.own = loader, path, parts
        self.place, self.streams = loader.forever(), Streams(parts.values())
        self.parts = {"run": self, "loader": self.place, **parts, "streams": self.streams}
        if len(self.parts) < len(parts) + 3:
            raise InputError("a run has a 'run', a 'loader' and 'streams' of its own; name your parts otherwise")
        self.history = History()
        self.epoch = self.step = 0               # whole epochs done, and steps of the present one
        self.sums: dict[str, Any] = {}           # of its losses, on their device: adding waits for nothing
        self.counts: dict[str, int] = {}

    def batches(self) -> Iterator[Any]:
        """The (rest of the) epoch's batches."""
        if self.step == 0:
            self.streams.new_epoch()
        while self.step < len(self.loader):      # none, if interrupted after the epoch's last step
            yield next(self.place)

    def count(self, losses: Mapping[str, Any]) -> None:
        """A step has been made."""
        if not isinstance(losses, Mapping):
            raise InputError(f"a step returns its losses by name, {{'loss': loss}}, not {type(losses).__name__}")
        for name, loss in losses.items():
            if name not in self.sums:
                _check_name(name)
            value = array_of(loss)
            if getattr(value, "shape", None) != () and not is_number(value):
                shape = getattr(value, "shape", None)
                raise InputError(f"the loss {name!r} is one number, not " + (
                    f"of shape {shape}; add .mean() or .sum()" if shape is not None else f"{value!r:.60}"))
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1
        self.step += 1

    def means(self) -> dict[str, float]:
        """The means of the present epoch's losses; raises FloatingPointError if one is not finite."""
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        for name, mean in means.items():
            if not math.isfinite(mean):
                which = "the loss" if name == "loss" else f"the loss {name!r}"
                raise FloatingPointError(
                    f"{which} became {mean} in epoch {self.epoch + 1} before step {self.step + 1}{self._at()}; try a "
                    "smaller rate or clip the gradients, gradients=[optim.ClipGradNorm(1.0)], or look for the cause "
                    "within md.debug()")
        return means

    def rates(self) -> dict[str, float]:
        """The parts' learning rates."""
        return {name: float(part.lr) for name, part in self.own.items() if hasattr(part, "lr")}

    def _asked(self) -> dict[str, float]:
        """The rates that the optimisers were made with; without a schedule, those that they have."""
        moved = [getattr(part, "optimizer", None) for part in self.own.values()]
        return {name: getattr(part, "first_lr", part.lr) if any(part is m for m in moved) else part.lr
                for name, part in self.own.items() if hasattr(part, "lr")}

    def _at(self) -> str:
        rates = self.rates()
        if len(rates) == 1:
            return f", at learning rate {next(iter(rates.values())):g}"
        return f", at learning rates {', '.join(f'{lr:g} ({part})' for part, lr in rates.items())}" if rates else ""

    def end_epoch(self, seconds: float) -> None:
        """Write down what the epoch's steps have measured."""
        rates = self.rates()
        measured = self.means() | ({"lr": next(iter(rates.values()))} if len(rates) == 1 else
                                   {f"{part}.lr": lr for part, lr in rates.items()}) | {"seconds": seconds}
        for name, value in measured.items():
            self.history.setdefault(name, []).append(value)
        self.epoch, self.step, self.sums, self.counts = self.epoch + 1, 0, {}, {}

    def save(self) -> Path | None:
        """Write the checkpoint, if there is a path for it, and return that."""
        if self.path is None:
            return None
        self.means()                   # a run that has diverged shall not overwrite its last good state
        return save(self.path, self.parts)

    def resume(self) -> str | None:
        """Go back to the checkpoint, if there is one; then what is to be said of its learning rates."""
        if self.path is None or not self.path.exists():
            return None
        asked = self._asked()
        load(self.path, self.parts)
        other = [f"{lr:g}, not {asked[name]:g}" + (f" ({name})" if len(asked) > 1 else "")
                 for name, lr in self._asked().items() if lr != asked[name]]
        return f", with its own learning rate {', '.join(other)}" if other else ""

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "step": self.step, "history": dict(self.history), "counts": self.counts,
                "sums": {name: float(total) for name, total in self.sums.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        # A sum is a plain number again: it meets the losses of any device, and takes their dtype.
        self.epoch, self.step = state["epoch"], state["step"]
        self.history, self.counts, self.sums = History(state["history"]), dict(state["counts"]), dict(state["sums"])


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise InputError(f"a loss is named by a string, not {name!r:.60}")
    if name in _OWN_SERIES or name.endswith(".lr"):
        raise InputError(f"the history has a series {name!r} of its own; name this loss otherwise")


def _leave(loop: _Run, where: str) -> NoReturn:
    """Save, and say where training stopped."""
    saved = loop.save()
    raise KeyboardInterrupt(f"stopped after {where}; " +
                            (f"saved in {saved}: run the same command to go on" if saved else "nothing saved"))


def _bar(loop: _Run, epochs: int, progress: bool) -> Any:
    done = loop.epoch * loop.loader.items + loop.step * loop.loader.batch_size
    return bar(total=epochs * loop.loader.items, initial=done, unit=" examples", unit_scale=True, leave=False,
               progress=progress)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """The first Ctrl-C only sets the event, so that a step is never torn; a second one interrupts at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handle(number: int, frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
