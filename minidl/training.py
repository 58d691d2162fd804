"""The training loop: progress, history, early stopping, checkpoints that resume bit for bit, and a clean Ctrl-C."""
from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from minidl._version import __version__
from minidl.data.loader import Loader
from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.nn.module import Module
from minidl.optim import Optimizer, ReduceLROnPlateau, Schedule, clip_grad_norm_
from minidl.tensor import Tensor, no_grad

_LOOK_EVERY = 10       # steps between looks at the loss: each one waits for the GPU


@dataclass
class History:
    """What training measured, one entry an epoch."""

    loss: list[float] = field(default_factory=list)            # mean over the epoch's batches
    validation: list[float] = field(default_factory=list)      # what `validate` returned
    lr: list[float] = field(default_factory=list)              # at the epoch's end
    seconds: list[float] = field(default_factory=list)


def fit(model: Module, loss: Callable[..., Tensor], loader: Loader, optimizer: Optimizer, *, epochs: int,
        schedule: Schedule | ReduceLROnPlateau | None = None, validate: Callable[[Module], float] | None = None,
        patience: int | None = None, max_grad_norm: float | None = None,
        checkpoint: str | os.PathLike[str] | None = None, checkpoint_every: int | None = None,
        progress: bool = True) -> History:
    """Minimise `loss(model, *batch)` over the loader's batches and return the history.

    A Schedule is stepped after each batch, ReduceLROnPlateau after each epoch with the validation (or training) loss.
    `validate(model)` measures the model after each epoch, in evaluation mode and unrecorded; the lower the better.
    With `patience`, training stops after so many epochs without a new best and goes back to the best parameters.

    With `checkpoint`, a path, the run is saved after each epoch (and every `checkpoint_every` steps), and resumes from
    that file, its learning rate included, if it is there: on the CPU the result is that of an unbroken run, bit for
    bit; on a GPU from an epoch's start. Ctrl-C finishes the step, saves, and raises KeyboardInterrupt with a sentence
    that says where it stopped.

    Raises FloatingPointError when the loss is no longer finite, and InputError for a checkpoint of another model.
    """
    if epochs < 1:
        raise InputError(f"fit: epochs is 1 or more, not {epochs}")
    if patience is not None and validate is None:
        raise InputError("fit: patience needs `validate`, which tells whether an epoch was better")
    run = _Run(model, loader, optimizer, schedule, Path(checkpoint) if checkpoint else None)
    run.resume()
    with _bar(run, epochs, progress) as bar, _interruptible() as interrupted:
        if (run.epoch or run.step) and not bar.disable:
            left = "the rest follows" if run.epoch < epochs else "nothing is left to train; delete it to start afresh"
            bar.write(f"{run.path} holds {run.epoch} of {epochs} epochs: {left}", file=sys.stderr)
        while run.epoch < epochs and not run.stopped:
            _train_epoch(run, loss, epochs, max_grad_norm, checkpoint_every, bar, interrupted)
            _end_epoch(run, validate, patience)
            run.save()
            if interrupted.is_set():
                _leave(run, f"epoch {run.epoch} of {epochs}")
    if run.best and patience is not None:
        model.load_state_dict(run.best)
    model.eval()
    return run.history


def _train_epoch(run: _Run, loss: Callable[..., Tensor], epochs: int, max_grad_norm: float | None,
                 checkpoint_every: int | None, bar: Any, interrupted: threading.Event) -> None:
    run.model.train()
    bar.set_description(f"epoch {run.epoch + 1}/{epochs}", refresh=False)
    started = time.perf_counter()
    for batch in run.batches():
        batch = batch if isinstance(batch, tuple) else (batch,)
        run.optimizer.zero_grad()
        value = loss(run.model, *batch)
        value.backward()
        if max_grad_norm is not None:
            clip_grad_norm_(run.optimizer.params.values(), max_grad_norm)
        run.optimizer.step()
        if isinstance(run.schedule, Schedule):
            run.schedule.step()
        run.total = run.total + value.detach().data          # stays on the device: adding waits for nothing
        run.step += 1
        if run.step % _LOOK_EVERY == 0 or run.step == len(run.loader):
            bar.set_postfix(loss=f"{run.mean_loss():.4g}", refresh=False)
        bar.update(len(batch[0]))
        if checkpoint_every and run.step % checkpoint_every == 0 and run.step < len(run.loader):
            run.save()
        if interrupted.is_set():
            _leave(run, f"epoch {run.epoch + 1}, step {run.step} of {len(run.loader)}")
    run.history.loss.append(run.mean_loss())
    run.history.lr.append(run.optimizer.lr)
    run.history.seconds.append(time.perf_counter() - started)


def _leave(run: _Run, where: str) -> NoReturn:
    """Save, and say where training stopped."""
    saved = run.save()
    raise KeyboardInterrupt(f"stopped after {where}; " +
                            (f"saved in {saved}: run the same command to go on" if saved else "nothing saved"))


def _end_epoch(run: _Run, validate: Callable[[Module], float] | None, patience: int | None) -> None:
    value = run.history.loss[-1]
    if validate is not None:
        run.model.eval()
        with no_grad():
            value = float(validate(run.model))
        run.history.validation.append(value)
    if isinstance(run.schedule, ReduceLROnPlateau):
        run.schedule.step(value)
    if patience is not None:
        if value < run.best_value:
            run.best_value, run.best, run.waited = value, run.model.state_dict(), 0
        else:
            run.waited += 1
            run.stopped = run.waited >= patience
    run.epoch, run.step, run.total = run.epoch + 1, 0, 0.0


class _Run:
    """A training run's whole state: what a checkpoint holds."""

    def __init__(self, model: Module, loader: Loader, optimizer: Optimizer,
                 schedule: Schedule | ReduceLROnPlateau | None, path: Path | None) -> None:
        self.model, self.loader, self.optimizer, self.schedule, self.path = model, loader, optimizer, schedule, path
        self.history = History()
        self.epoch = self.step = 0             # whole epochs done, and steps of the present one
        self.total: Any = 0.0                  # the sum of the present epoch's losses
        self.best: dict[str, np.ndarray] = {}
        self.best_value, self.waited, self.stopped = math.inf, 0, False

    def mean_loss(self) -> float:
        """The mean of the present epoch's losses; raises FloatingPointError if it is not finite."""
        mean = float(self.total) / self.step
        if not math.isfinite(mean):
            raise FloatingPointError(
                f"the loss became {mean} in epoch {self.epoch + 1} before step {self.step + 1}, at learning rate "
                f"{self.optimizer.lr:g}; try a smaller rate or max_grad_norm, or look for the cause within md.debug()")
        return mean

    def batches(self) -> Iterator[Any]:
        """The (rest of the) epoch's batches."""
        if self.step == len(self.loader):              # interrupted after the epoch's last step: nothing is left of it
            return iter(())
        if self.step == 0:
            for stream in self.model.random_streams():
                stream.new_epoch()
        return iter(self.loader)

    def save(self) -> Path | None:
        """Write the checkpoint, if there is a path for it, and return that."""
        if self.path is None:
            return None
        if self.step:
            self.mean_loss()                   # a run that has diverged shall not overwrite its last good state
        arrays = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        arrays |= {f"optimizer/{k}": v for k, v in self.optimizer.state_dict().items()}
        arrays |= {f"best/{k}": v for k, v in self.best.items()}
        meta = {"version": __version__, "epoch": self.epoch, "step": self.step, "history": asdict(self.history),
                "best_value": self.best_value, "waited": self.waited, "stopped": self.stopped,
                "loader": self.loader.state_dict(),
                "streams": [s.state_dict() for s in self.model.random_streams()],
                "schedule": self.schedule.state_dict() if self.schedule else None}
        arrays["total"] = np.asarray(float(self.total))
        with atomic_write(self.path) as file:
            np.savez(file, meta=np.array(json.dumps(meta, default=np.ndarray.tolist)), **arrays)  # type: ignore[arg-type]
        return self.path

    def resume(self) -> None:
        """Go back to the checkpoint, if there is one."""
        if self.path is None or not self.path.exists():
            return
        arrays, meta = read_checkpoint(self.path)
        try:
            self._take_over(arrays, meta)
        except InputError as error:
            raise InputError(f"checkpoint {self.path}: {error}; choose another file, or delete it to start afresh") \
                from error
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"checkpoint {self.path} is of another kind of run ({type(error).__name__}: {error}); "
                             "choose another file, or delete it to start afresh") from error

    def _take_over(self, arrays: Mapping[str, np.ndarray], meta: dict[str, Any]) -> None:
        streams = self.model.random_streams()
        self.model.load_state_dict(_under("model/", arrays))
        self.optimizer.load_state_dict(_under("optimizer/", arrays))
        if len(streams) != len(meta["streams"]):
            raise InputError(f"it holds {len(meta['streams'])} random streams, this model has {len(streams)}")
        if self.schedule and meta["schedule"]:
            self.schedule.load_state_dict(meta["schedule"])
        self.loader.load_state_dict(meta["loader"])
        self.history = History(**meta["history"])
        self.epoch, self.step, self.best = meta["epoch"], meta["step"], _under("best/", arrays)
        self.best_value, self.waited, self.stopped = meta["best_value"], meta["waited"], meta["stopped"]
        self.total = float(arrays["total"])    # a plain number meets the losses of any device, and takes their dtype
        for stream, state in zip(streams, meta["streams"], strict=True):
            stream.load_state_dict(state)


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A checkpoint's arrays by name, and the rest of its state. Raises InputError if the file is none, or broken."""
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:     # np.load may leave it open
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop("meta")))
        return arrays, meta
    except FileNotFoundError as error:
        raise InputError(f"there is no checkpoint {path}") from error
    except Exception as error:               # zip, zlib, numpy and json each have their own
        raise InputError(f"{path} is no minidl checkpoint, or it is damaged ({type(error).__name__}: {error}); "
                         "choose another file, or delete it to start afresh") from error


def load_model(path: str | os.PathLike[str], model: Module) -> Module:
    """Load a checkpoint's parameters and buffers (with early stopping, the best) into a model; returns the model."""
    try:
        arrays = read_checkpoint(path)[0]
        model.load_state_dict(_under("best/", arrays) or _under("model/", arrays))
    except InputError as error:
        raise InputError(f"checkpoint {path}: {error}") from error
    return model


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _bar(run: _Run, epochs: int, progress: bool) -> Any:
    from tqdm import tqdm

    done = run.epoch * run.loader.items + run.step * run.loader.batch_size
    return tqdm(total=epochs * run.loader.items, initial=done, unit=" examples", unit_scale=True, leave=False,
                disable=None if progress else True)


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
