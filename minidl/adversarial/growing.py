"""Training that grows: a curriculum of images, from 4x4 on, counted in images seen (slides 66-69)."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from minidl import ops
from minidl.adversarial.game import train
from minidl.adversarial.penalties import Drift, GradientPenalty
from minidl.adversarial.progressive import SMALLEST, ProgressiveGAN
from minidl.backend import backend_of
from minidl.data.loader import Loader
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.optim import EMA, Adam, LinearLR
from minidl.randomness import Seed, generator
from minidl.rows import array_of, blocks, check_count
from minidl.tensor import Tensor
from minidl.training.checkpoint import checkpoint_path
from minidl.training.history import History


class Stage(NamedTuple):
    """How long images of one size are trained: `images` that are seen, of them the first `fade` while the layer comes.

    `batch_size` may fall as the images grow, for the memory's sake.
    """

    size: int
    images: int
    fade: int = 0
    batch_size: int = 16


def stages(largest: int, images: int, *, batch_size: int = 16) -> list[Stage]:
    """The paper's schedule: at 4x4, 8x8, ... up to `largest` so many images, half of them while the layer fades in.

    Raises InputError for a size that is no power of 2 from 4 on, and counts below 1.
    """
    check_size("stages", largest)
    check_count("stages", "images", images)
    sizes = [SMALLEST << i for i in range((largest // SMALLEST).bit_length())]
    return [Stage(size, images, images // 2 if size > SMALLEST else 0, batch_size) for size in sizes]


def shrunk(images: Any, size: int) -> Any:
    """Images (N, S, S, C) at a smaller size, each pixel the mean of those it covers: an array (N, size, size, C).

    Raises InputError unless the images are square and S is a multiple of the size.
    """
    x = array_of(images)
    size = check_count("shrunk", "size", size)
    if getattr(x, "ndim", 0) != 4 or x.shape[1] != x.shape[2] or x.shape[1] % size or not len(x):
        raise InputError(f"shrunk: images are square, (N, S, S, C), and S is a multiple of {size}; these have shape "
                         f"{getattr(x, 'shape', type(x).__name__)}")
    with no_grad():
        parts = [ops.avg_pool2d(Tensor(part), x.shape[1] // size).data for part in blocks(x, 1024)]
    return backend_of(x).xp.concatenate(parts)


def grow(gan: ProgressiveGAN, images: Any, schedule: Sequence[Stage], *, lr: float = 1e-3,
         betas: tuple[float, float] = (0.0, 0.99), penalty: float = 10.0, drift: float = 1e-3, decay: bool = True,
         average: float = 0.999, every: int = 1000, rng: Seed, checkpoint: Any = None,
         after_stage: Callable[[Stage, History], object] | None = None, **more: Any) -> dict[int, History]:
    """Train a GAN that grows through the stages of a schedule; returns the history of each size.

    `images` (N, S, S, C) are of the last stage's size, or a multiple; each stage sees them `shrunk`. The first stage
    may be of any size: the GAN grows to it at once, which is training without a curriculum. At each stage both players
    begin with new optimisers, Adam with `lr` and `betas`; with `decay` the rates fall to 0 over the last. The loss is
    Wasserstein's, with a gradient penalty and drift of these weights. After the last stage the generator holds an
    average of its weights, of decay `average`. An "epoch" of a history are about `every` images. `after_stage` looks on
    when a size is done: its samples are those of slide 67.

    With `checkpoint`, a path, each stage has a file of its own beside it, and a run that was stopped, at whatever size
    and alpha, goes on from them bit for bit, on the CPU. `more` are keywords of `training.run`.

    Raises InputError for stages that do not grow or are no sizes of the GAN, a batch larger than the data, and what
    `adversarial.train` refuses; FloatingPointError when a loss is no longer finite.

    Source: T. Karras et al. 2018, sections 2 and A.1.
    """
    schedule = _checked(gan, images, schedule)
    check_count("grow", "every", every)
    path, about, rng = checkpoint_path(checkpoint) if checkpoint else None, more.pop("description", ""), generator(
        rng, "grow")
    histories = {}
    for stage in schedule:
        while gan.size < stage.size:
            gan.grow()
        last, steps = stage is schedule[-1], max(1, stage.images // stage.batch_size)
        fade = FadeIn(gan, stage.fade // stage.batch_size)
        adams = [Adam(p, lr=lr, betas=betas) for p in (gan.generator_parameters(), gan.discriminator.parameters())]
        rounds = _Rounds(Loader(shrunk(images, stage.size), batch_size=stage.batch_size, rng=rng, drop_last=True,
                                device=gan.device), min(steps, max(1, every // stage.batch_size)))
        epochs = round(steps / len(rounds))
        falls = [LinearLR(adam, 1.0, 0.0, epochs * len(rounds)) for adam in adams] if decay and last else []
        histories[stage.size] = train(
            gan, rounds, *adams, epochs=epochs, loss="wasserstein",
            extras=[GradientPenalty(penalty, rng=rng), Drift(drift)], schedules=[fade, *falls],
            average=EMA(gan.generator, average) if last else None, checkpoint=path and _of_stage(path, stage),
            description=f"{about} {stage.size}x{stage.size}".lstrip(), **more)
        gan.fade(1.0)
        if after_stage:
            after_stage(stage, histories[stage.size])
    return histories


class FadeIn:
    """A schedule of alpha: after each step of the game it is nearer to 1, where it is after so many steps.

    Raises InputError for steps below 0.
    """

    def __init__(self, gan: ProgressiveGAN, steps: int) -> None:
        self.gan, self.steps, self.t = gan, check_count("FadeIn", "steps", steps, least=0), 0
        self._follow()

    def step(self) -> None:
        """Go on."""
        self.t += 1
        self._follow()

    def state_dict(self) -> dict[str, int]:
        """The steps that were made."""
        return {"t": self.t}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a saved place."""
        self.t = int(state["t"])
        self._follow()

    def _follow(self) -> None:
        self.gan.fade(min(1.0, self.t / self.steps) if self.steps else 1.0)


class _Rounds:
    """A loader whose epochs have so many batches, however many items there are: schedules count in images."""

    def __init__(self, loader: Loader, batches: int) -> None:
        self.loader, self.batches, self.batch_size = loader, batches, loader.batch_size
        self.items = batches * loader.batch_size

    def __len__(self) -> int:
        return self.batches

    def forever(self) -> Any:
        """The loader's batches without end."""
        return self.loader.forever()


def check_size(who: str, size: Any) -> None:
    """Raise InputError, in `who`'s name, for a size that growth from 4x4 does not meet."""
    size = check_count(who, "a size", size)
    if size < SMALLEST or size & (size - 1):
        raise InputError(f"{who}: images grow from 4x4 to 8x8, 16x16 and so on, and never are {size}x{size}; pad or "
                         "enlarge them")


def _of_stage(path: Path, stage: Stage) -> Path:
    return path.with_name(f"{path.stem}-{stage.size}{path.suffix}")


def _checked(gan: Any, images: Any, schedule: Any) -> list[Stage]:
    if not isinstance(gan, ProgressiveGAN):
        raise InputError(f"grow: trains a ProgressiveGAN, not a {type(gan).__name__}")
    if not isinstance(schedule, list | tuple) or not schedule or not all(isinstance(one, Stage) for one in schedule):
        raise InputError("grow: a schedule is a list of stages, such as [Stage(4, 20_000), Stage(8, 20_000, "
                         f"fade=10_000)], not {schedule!r:.60}")
    for stage in schedule:
        check_size("grow", stage.size)
        for name, least in (("images", 1), ("fade", 0), ("batch_size", 2)):
            check_count("grow", f"{name} of a stage", getattr(stage, name), least=least)
    sizes = [stage.size for stage in schedule]
    if any(b <= a for a, b in pairwise(sizes)) or sizes[0] < gan.size or sizes[-1] > gan.largest:
        raise InputError(f"grow: sizes grow from stage to stage, from at least {gan.size} to at most the GAN's "
                         f"largest, {gan.largest}; these are {sizes}")
    shrunk(array_of(images)[:1] if getattr(images, "ndim", 0) else images, sizes[-1])
    return list(schedule)
