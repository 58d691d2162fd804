"""A training while it is under way, drawn now and then on the lecture's surface."""
from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from minidl import plotting
from minidl.backend import Device
from minidl.lectures import surface as surfaces
from minidl.modes import no_grad
from minidl.nn import Module
from minidl.training import Progress
from minidl.verbs import Verbs

_SHARE, _SECONDS = 0.05, 0.5       # of the training's time for drawings, and the least time between two
_POINTS = 2000                     # of a curve, which shows no more


class Pace:
    """When to draw again: at most twice a second, and so seldom that drawings take a twentieth of the other time.

    What a drawing costs is measured; `first` is the guess, in seconds, before there has been one.
    """

    def __init__(self, first: float = 0.0, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock, self.cost = clock, first
        self.started = self.last = clock()
        self.spent = 0.0

    def begin(self) -> None:
        """Something new is to be drawn. What the last drawing cost counts by half: it may have been disturbed."""
        self.cost, self.spent = self.cost / 2, 0.0
        self.started = self.last = self.clock()

    def __call__(self, draw: Callable[[], object], last: bool = False) -> None:
        """Draw, if it is time; and at the end, if that has been drawn before, for which time is kept back."""
        now = self.clock()
        early = now - self.last < _SECONDS or \
            _SHARE * (now - self.started - self.spent) < self.spent + 2 * self.cost
        if (self.last == self.started) if last else early:
            return
        try:
            draw()
        finally:
            self.last = self.clock()
            self.cost = self.last - now
            self.spent += self.cost


class Watch:
    """What `training.fit(watch=)` calls: it draws the training's curves and what `look(model)` gives at the moment.

    `look` gives images (N, H, W) or (N, H, W, C), rows of pixels which `images` makes such, a Figure, or several of
    these by label. It runs in evaluation mode, unrecorded, and what it draws from `rng` is drawn again afterwards, so
    that a training that is watched is the same as one that is not.
    """

    def __init__(self, surface: surfaces.Surface, title: str, model: Module, look: Callable[[Any], Any] | None,
                 images: Callable[[Any], np.ndarray], rng: np.random.Generator, pace: Pace) -> None:
        self.surface, self.title, self.model, self.look, self.images = surface, title, model, look, images
        self.rng, self.pace, self.curves = rng, pace, dict[str, tuple[list[float], list[float]]]()
        pace.begin()

    def __call__(self, progress: Progress) -> None:
        """Note the losses, and draw if it is time. What fails is said once, and the training goes on."""
        if not self.surface.draws:
            return
        for name, value in progress.losses.items():
            epochs, values = self.curves.setdefault(name, ([], []))
            epochs.append(progress.epoch)
            values.append(value)
            if len(epochs) > _POINTS:
                del epochs[::2], values[::2]
        try:
            self.pace(lambda: self._draw(progress), progress.epoch == progress.epochs and not progress.losses)
        except Exception as error:     # a training is not lost for a picture's sake
            self.surface = surfaces.Surface()
            print(f"this training cannot be drawn: {type(error).__name__}: {error}", flush=True)

    def _draw(self, progress: Progress) -> None:
        curves: dict[str, Any] = dict(self.curves)
        validation = progress.history.get("validation")
        if validation:
            curves["validation"] = np.arange(1, len(validation) + 1), validation
        self.surface.live(plotting.View(self.title, curves, progress.epochs, self._outputs()))

    def _outputs(self) -> dict[str, np.ndarray]:
        if self.look is None:
            return {}
        state, training = self.rng.bit_generator.state, self.model.training
        self.model.eval()
        try:
            with no_grad():
                seen = self.look(self.model)
        finally:
            self.model.train(training)
            self.rng.bit_generator.state = state
        named = seen if isinstance(seen, dict) else {"": seen}
        return plotting.outputs({label: part if hasattr(part, "savefig") else self.images(part)
                                 for label, part in named.items()})


def reconstructions(model: Module, x: Any, shape: tuple[int, ...], device: Device) -> Callable[[Any], Any] | None:
    """A look at what an autoencoder makes of the first ten of x (N, ...); None unless they are images of that shape."""
    if not (isinstance(model, Verbs) and hasattr(x, "shape") and len(shape) == 3 and x[0].size == math.prod(shape)):
        return None
    ten = device.put(x[:10])
    return lambda model: {"data": ten.reshape(-1, *shape), "reconstructed": model.reconstruct(ten).reshape(-1, *shape)}
