"""The training loop: progress, history, early stopping, checkpoints that resume bit for bit, and a clean Ctrl-C.

`lr_range_test` finds a learning rate for it.
"""
from __future__ import annotations

import copy
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from minidl._version import __version__
from minidl.backend import RandomStream
from minidl.data.loader import Loader
from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.nn.module import Module
from minidl.optim import EMA, Optimizer, ReduceLROnPlateau, Schedule, clip_grad_norm_
from minidl.tensor import Tensor, no_grad

_LOOK_EVERY = 10       # steps between looks at the loss: each one waits for the GPU
_SMOOTHING = 0.9       # of the range test's losses: about the last ten count


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
        before_step: Callable[[Iterable[Tensor]], object] | None = None, average: EMA | None = None,
        checkpoint: str | os.PathLike[str] | None = None, checkpoint_every: int | None = None,
        progress: bool = True) -> History:
    """Minimise `loss(model, *batch)` over the loader's batches and return the history.

    A Schedule is stepped after each batch, ReduceLROnPlateau after each epoch with the validation (or training) loss.
    `validate(model)` measures the model after each epoch, in evaluation mode and unrecorded; the lower the better.
    With `patience`, training stops after so many epochs without a new best and goes back to the best parameters.
    `before_step(parameters)` is called after `backward` and the clipping to `max_grad_norm`, before the optimiser's
    step: `optim.GradientNoise(rng=rng)`, or a look at the gradients. With `average`, an `optim.EMA` of the model, its
    averages are what is validated and what the model holds at the end.

    The model is left in evaluation mode: in a loop of your own call `model.train()` and `model.eval()` yourself.

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
    if average is not None and getattr(average, "model", None) is not model:
        raise InputError("fit: average is an EMA of the model that is trained, optim.EMA(model)")
    run = _Run(model, loader, optimizer, schedule, before_step, average, Path(checkpoint) if checkpoint else None)
    asked = optimizer.lr
    run.resume()
    with _bar(run, epochs, progress) as bar, _interruptible() as interrupted:
        if (run.epoch or run.step) and progress:
            left = "the rest follows" if run.epoch < epochs else "nothing is left to train; delete it to start afresh"
            other = "" if schedule or optimizer.lr == asked else f", with its learning rate {optimizer.lr:g}"
            bar.write(f"{run.path} holds {run.epoch} of {epochs} epochs: {left}{other}", file=sys.stderr)
        while run.epoch < epochs and not run.stopped:
            _train_epoch(run, loss, epochs, max_grad_norm, checkpoint_every, bar, interrupted)
            _end_epoch(run, validate, patience)
            run.save()
            if interrupted.is_set():
                _leave(run, f"epoch {run.epoch} of {epochs}")
    if run.best and patience is not None:
        model.load_state_dict(run.best)
    elif average:
        average.apply()
    model.eval()
    return run.history


def _train_epoch(run: _Run, loss: Callable[..., Tensor], epochs: int, max_grad_norm: float | None,
                 checkpoint_every: int | None, bar: Any, interrupted: threading.Event) -> None:
    run.model.train()
    bar.set_description(f"epoch {run.epoch + 1}/{epochs}", refresh=False)
    started = time.perf_counter()
    for batch in run.batches():
        batch = batch if isinstance(batch, tuple) else (batch,)

        def closure() -> Tensor:
            value = _gradients(run.model, loss, batch, run.optimizer)
            if max_grad_norm is not None:
                clip_grad_norm_(run.optimizer.params.values(), max_grad_norm)
            if run.before_step:
                run.before_step(run.optimizer.params.values())
            return value

        value = run.optimizer.step(closure)                  # L-BFGS calls it more than once
        if run.average:
            run.average.update()
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


def _gradients(model: Module, loss: Callable[..., Tensor], batch: tuple[Tensor, ...], optimizer: Optimizer) -> Tensor:
    """The loss of a batch, with its gradients in the parameters."""
    optimizer.zero_grad()
    value = loss(model, *batch)
    value.backward()
    return value


def _leave(run: _Run, where: str) -> NoReturn:
    """Save, and say where training stopped."""
    saved = run.save()
    raise KeyboardInterrupt(f"stopped after {where}; " +
                            (f"saved in {saved}: run the same command to go on" if saved else "nothing saved"))


def _end_epoch(run: _Run, validate: Callable[[Module], float] | None, patience: int | None) -> None:
    value = run.history.loss[-1]
    with run.average.applied() if run.average else nullcontext():
        if validate is not None:
            run.model.eval()
            with no_grad():
                value = float(validate(run.model))
            run.history.validation.append(value)
        if patience is not None:
            if value < run.best_value:
                run.best_value, run.best, run.waited = value, run.model.state_dict(), 0
            else:
                run.waited += 1
                run.stopped = run.waited >= patience
    if isinstance(run.schedule, ReduceLROnPlateau):
        run.schedule.step(value)
    run.epoch, run.step, run.total = run.epoch + 1, 0, 0.0


class _Run:
    """A training run's whole state: what a checkpoint holds."""

    def __init__(self, model: Module, loader: Loader, optimizer: Optimizer,
                 schedule: Schedule | ReduceLROnPlateau | None, before_step: Any, average: EMA | None,
                 path: Path | None) -> None:
        self.model, self.loader, self.optimizer, self.schedule, self.path = model, loader, optimizer, schedule, path
        self.before_step, self.average = before_step, average
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
            for stream in self.random_streams():
                stream.new_epoch()
        return iter(self.loader)

    def random_streams(self) -> list[RandomStream]:
        """Those of the model, and of what is done before a step, if it has any."""
        return [*self.model.random_streams(), *getattr(self.before_step, "random_streams", list)()]

    def save(self) -> Path | None:
        """Write the checkpoint, if there is a path for it, and return that."""
        if self.path is None:
            return None
        if self.step:
            self.mean_loss()                   # a run that has diverged shall not overwrite its last good state
        arrays = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        arrays |= {f"optimizer/{k}": v for k, v in self.optimizer.state_dict().items()}
        arrays |= {f"best/{k}": v for k, v in self.best.items()}
        arrays |= {f"ema/{k}": v for k, v in self.average.state_dict().items()} if self.average else {}
        meta = {"version": __version__, "epoch": self.epoch, "step": self.step, "history": asdict(self.history),
                "best_value": self.best_value, "waited": self.waited, "stopped": self.stopped,
                "loader": self.loader.state_dict(),
                "streams": [s.state_dict() for s in self.random_streams()],
                "schedule": self.schedule.state_dict() if self.schedule else None,
                "before_step": getattr(self.before_step, "state_dict", dict)()}
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
        streams = self.random_streams()
        self.loader.load_state_dict(meta["loader"])          # first: if it is another, the model stays as it is
        self.model.load_state_dict(_under("model/", arrays))
        self.optimizer.load_state_dict(_under("optimizer/", arrays))
        if len(streams) != len(meta["streams"]):
            raise InputError(f"it holds {len(meta['streams'])} random streams, this model has {len(streams)}")
        if self.schedule and meta["schedule"]:
            self.schedule.load_state_dict(meta["schedule"])
        if self.average:
            self.average.load_state_dict(_under("ema/", arrays))
        if hasattr(self.before_step, "load_state_dict"):
            self.before_step.load_state_dict(meta["before_step"])
        self.history = History(**meta["history"])
        self.epoch, self.step, self.best = meta["epoch"], meta["step"], _under("best/", arrays)
        self.best_value, self.waited, self.stopped = meta["best_value"], meta["waited"], meta["stopped"]
        self.total = float(arrays["total"])    # a plain number meets the losses of any device, and takes their dtype
        for stream, state in zip(streams, meta["streams"], strict=True):
            stream.load_state_dict(state)


class RangeTest(NamedTuple):
    """The learning rates that were tried, the smoothed loss at each, and the rate that they suggest."""

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float


def lr_range_test(model: Module, loss: Callable[..., Tensor], loader: Loader, optimizer: Optimizer, *,
                  low: float = 1e-5, high: float = 10.0, steps: int = 100) -> RangeTest:
    """Try learning rates: train for up to `steps` batches while the rate rises from `low` to `high` (Smith 2017).

    The rate is multiplied by the same factor each step. A rate is too small where the loss does not fall yet and too
    large where it rises: the test ends when the smoothed loss is four times its lowest or no longer finite, and
    suggests a tenth of the rate at the lowest; with few steps that is too much. Then model, optimiser, loader and
    random streams are as they were.

    Raises InputError unless 0 < low < high and steps is 2 or more, FloatingPointError if the first loss is not finite.
    """
    if not 0.0 < low < high or steps < 2:
        raise InputError(f"lr_range_test: the rate rises from low to high, 0 < {low} < {high}, in {steps} steps: "
                         "two or more")
    low, high = float(low), float(high)
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    batches = copy.copy(loader)
    batches.rng = copy.deepcopy(loader.rng)
    with _left_as_it_was(model, optimizer), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        model.train()
        for i, batch in zip(range(steps), _endless(batches), strict=False):
            optimizer.lr = low * (high / low) ** (i / (steps - 1))
            value = _gradients(model, loss, batch, optimizer).item()
            optimizer.step()
            mean += (1.0 - _SMOOTHING) * (value - mean)
            smoothed = mean / (1.0 - _SMOOTHING ** (i + 1))        # as Adam corrects its start from zero
            if not math.isfinite(value) or losses and smoothed - min(losses) > 3.0 * abs(min(losses)):
                break
            rates.append(optimizer.lr)
            losses.append(smoothed)
    if not losses:
        raise FloatingPointError(f"lr_range_test: the loss is {value} before any step was made")
    return RangeTest(np.array(rates), np.array(losses), max(low, rates[int(np.argmin(losses))] / 10.0))


def _endless(loader: Loader) -> Iterator[tuple[Tensor, ...]]:
    while True:
        for batch in loader:
            yield batch if isinstance(batch, tuple) else (batch,)


@contextmanager
def _left_as_it_was(model: Module, optimizer: Optimizer) -> Iterator[None]:
    parts: list[Any] = [model, optimizer, *model.random_streams()]
    states = [part.state_dict() for part in parts]
    modes = [(module, module.training) for _, module in model.named_modules()]
    parameters = [(p, p.data.copy(), p.grad) for p in optimizer.params.values()]       # not all need be the model's
    try:
        yield
    finally:
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
        for module, training in modes:
            module.training = training
        for p, values, g in parameters:
            p.data[...], p.grad = values, g


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
    """Load a checkpoint's parameters and buffers into a model; returns the model.

    With early stopping they are the best, with an average the averages.
    """
    try:
        arrays = read_checkpoint(path)[0]
        model.load_state_dict(_under("best/", arrays) or _under("model/", arrays) | _under("ema/average/", arrays))
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
