"""The mode benchmark of the papers on collapse: which modes of a mixture does each variant of the game find?

    python -m minidl.adversarial.mode_benchmark ring          # 8 Gaussians: about 4 s for each variant and seed
    python -m minidl.adversarial.mode_benchmark grid          # 25 Gaussians
    python -m minidl.adversarial.mode_benchmark digits        # stacked digits: 10 x 10 x 10 modes
    python -m minidl.adversarial.mode_benchmark ring --seeds 5 --steps 4000 --variants minimax wgan-gp

For each variant the same networks, optimisers and data: only what `VARIANTS` says is changed. The table has mean and
standard deviation over the seeds. Modes and good samples are counted as in Z. Lin et al., "PacGAN", 2018, section 4, on
2,500 samples; of stacked digits, of 10,000 samples, by a classifier of our own, so that published numbers, which are
Inception's or LeNet's of MNIST, are no measure of ours.
"""
from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minidl import data, metrics, nn, ops, optim, training
from minidl.adversarial.game import Extra, train
from minidl.adversarial.gan import GAN
from minidl.adversarial.hacks import FeatureMatching, HistoricalAveraging, Unrolled
from minidl.adversarial.layers import MinibatchDiscrimination
from minidl.adversarial.losses import Loss, hinge, least_squares, minimax, non_saturating, wasserstein
from minidl.adversarial.penalties import GradientPenalty, WeightClipping
from minidl.data.toy import grid_centres, ring_centres
from minidl.errors import InputError
from minidl.metrics import Modes
from minidl.modes import no_grad
from minidl.randomness import Seed, generator
from minidl.rows import check_choice, check_count
from minidl.tensor import Tensor


class Variant(NamedTuple):
    """What is changed: the losses, what is switched on beside them, the pack, minibatch discrimination."""

    loss: Loss
    extras: Callable[[np.random.Generator], Sequence[Extra]] = lambda rng: ()
    pack: int = 1
    discrimination: bool = False


VARIANTS = {
    "minimax": Variant(minimax()),
    "minimax, pack of 2": Variant(minimax(), pack=2),
    "minimax, pack of 4": Variant(minimax(), pack=4),
    "minimax, unrolled 1": Variant(minimax(), lambda rng: [Unrolled(1)]),
    "non-saturating": Variant(non_saturating()),
    "non-saturating, smoothed": Variant(non_saturating(0.1)),
    "non-saturating, pack of 4": Variant(non_saturating(), pack=4),
    "feature matching": Variant(non_saturating(), lambda rng: [FeatureMatching()]),
    "historical averaging": Variant(non_saturating(), lambda rng: [HistoricalAveraging(1e-3)]),
    "minibatch discrimination": Variant(non_saturating(), discrimination=True),
    "R1": Variant(non_saturating(), lambda rng: [GradientPenalty(0.05, target=0.0, at="real", rng=rng)]),
    "least-squares": Variant(least_squares()),
    "hinge": Variant(hinge()),
    "wgan": Variant(wasserstein(), lambda rng: [WeightClipping(0.1)]),
    "wgan-gp": Variant(wasserstein(), lambda rng: [GradientPenalty(0.1, rng=rng)]),
}


class Task(NamedTuple):
    """Data, networks' widths, and how samples are measured."""

    x: np.ndarray
    measure: Callable[[np.ndarray], Modes]
    samples: int
    latent: int
    hidden: tuple[int, ...]
    output: Callable[[], nn.Module] | None
    steps: int                                    # of the generator, in a quick run
    turns: int = 1                                # of the discriminator for one of the generator
    batch: int = 128
    rates: tuple[float, float] = (1e-3, 2e-3)     # of the two at the beginning


def ring(rng: Seed) -> Task:
    """Eight Gaussians of standard deviation 0.02 on a circle of radius 2, scaled to unit variance."""
    return _mixture(data.ring(12_800, sd=0.02, rng=generator(rng, "ring"))[0], ring_centres(), 0.02, steps=1000)


def grid(rng: Seed) -> Task:
    """Five by five Gaussians of standard deviation 0.05, 2 apart, scaled to unit variance.

    So many modes take a better critic than the ring: larger batches, and five of its steps for one of the generator.
    """
    task = _mixture(data.grid(12_800, sd=0.05, rng=generator(rng, "grid"))[0], grid_centres(), 0.05, steps=400)
    return task._replace(turns=5, batch=256, rates=(2e-3, 2e-3))


def digits(rng: Seed) -> Task:
    """Three of the embedded digits each as the channels of one image: 1000 modes, told by a dense classifier."""
    x = data.load("digits").flat().x_train
    stacked = x[generator(rng, "digits").integers(len(x), size=(12_800, 3))].reshape(-1, 192)

    def measure(x: np.ndarray) -> Modes:
        judge = _judge()
        with no_grad():
            said = ops.argmax(judge(Tensor((x.reshape(-1, 64) + 1.0) / 2.0)), 1).numpy()
        return metrics.labelled_modes(said.reshape(-1, 3) @ [100, 10, 1], 1000)

    return Task(2.0 * stacked - 1.0, measure, 10_000, 32, (256, 256), nn.Tanh, 1500)


@cache
def _judge() -> nn.Module:
    """The classifier of digits, the same for all runs."""
    found, judge = data.load("digits").flat(), nn.mlp([64, 128, 10], rng=0, activation=nn.ReLU)
    training.fit(judge, data.Loader(found.x_train, found.y_train, batch_size=64, rng=0, classes=10),
                 optim.Adam(judge.parameters(), lr=3e-3), loss=lambda net, x, y: nn.cross_entropy(net(x), y),
                 epochs=10, progress=False)
    return judge


TASKS: dict[str, Callable[[Seed], Task]] = {"ring": ring, "grid": grid, "digits": digits}


def _mixture(x: np.ndarray, centres: np.ndarray, sd: float, steps: int) -> Task:
    scale = float(x.std())
    return Task(x / np.float32(scale), lambda x: metrics.mixture_modes(x * scale, centres, sd=sd), 2500, 2,
                (128, 128, 128), None, steps)


def players(task: Task, variant: Variant, rng: Seed) -> GAN:
    """The two networks of a variant for a task."""
    rng = generator(rng, "players")
    shape: Any = dict(rng=rng, activation=nn.ReLU, weight_init=nn.init.he_normal)
    size, width = task.x.shape[1], task.hidden[-1]
    maker = nn.mlp([task.latent, *task.hidden, size], output_activation=task.output, **shape)
    judge = nn.mlp([variant.pack * size, *task.hidden, 1], **shape)
    if variant.discrimination:
        judge = nn.Sequential(*judge[:-1], MinibatchDiscrimination(width, 8, 4, rng=rng),
                              nn.Linear(width + 8, 1, rng=rng))
    return GAN(maker, judge, latent=task.latent, pack=variant.pack, rng=rng)


def play(gan: GAN, task: Task, variant: Variant, *, steps: int, rng: Seed, **more: Any) -> GAN:
    """A game of so many steps of the generator, rounded up to passes, with rates that fall to 0; returns the GAN.

    `more` are keywords of `adversarial.train`. Raises InputError for steps below 1.
    """
    rng, turns = generator(rng, "play"), task.turns * check_count("play", "steps", steps)
    optimizers = [optim.Adam(p, lr=lr, betas=(0.5, 0.9)) for p, lr in zip(
        (gan.generator_parameters(), gan.discriminator.parameters()), task.rates, strict=True)]
    batches = min(len(task.x) // task.batch, turns)
    loader = data.Loader(task.x[:task.batch * batches], batch_size=task.batch, rng=rng)
    epochs = -(-turns // batches)
    schedules = [optim.LinearLR(o, 1.0, 0.0, epochs * batches) for o in optimizers]
    train(gan, loader, *optimizers, epochs=epochs, loss=variant.loss, d_steps=task.turns, extras=variant.extras(rng),
          schedules=schedules, **{"progress": False} | more)
    return gan


def measured(task: Task, gan: GAN, rng: Seed = 0) -> Modes:
    """What new samples of the generator have found of the task's modes."""
    return task.measure(gan.sample(task.samples, generator(rng, "measured")))


def benchmark(name: str, *, variants: Sequence[str] = tuple(VARIANTS), seeds: int = 3,
              steps: int | None = None) -> dict[str, list[Modes]]:
    """Play each variant with each seed from 0 on; prints a row of the table as soon as it is there, and returns all.

    Raises InputError for another task or variant, and seeds or steps below 1.
    """
    check_choice("mode benchmark", "the task", name, tuple(TASKS))
    for variant in variants:
        check_choice("mode benchmark", "a variant", variant, tuple(VARIANTS))
    check_count("mode benchmark", "seeds", seeds)
    check_count("mode benchmark", "steps", 1 if steps is None else steps)
    found: dict[str, list[Modes]] = {}
    print(f"{'variant':<26}{'modes found':>16}{'good samples':>16}{'spread':>14}{'KL (nats)':>16}{'CPU s':>8}")
    for variant in variants:
        started, rows = time.process_time(), []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            task, changed = TASKS[name](rng), VARIANTS[variant]
            try:
                rows.append(measured(task, play(players(task, changed, rng), task, changed, steps=steps or task.steps,
                                                rng=rng)))
            except FloatingPointError:
                rows.append(Modes(0, 0.0, np.nan, np.nan))
        found[variant] = rows
        columns = [f"{np.mean(c):.{d}f} +- {np.std(c):.{d}f}" for c, d in zip(zip(*rows, strict=True), (1, 2, 2, 2),
                                                                          strict=True)]
        print(f"{variant:<26}{columns[0]:>16}{columns[1]:>16}{columns[2]:>14}{columns[3]:>16}"
              f"{(time.process_time() - started) / seeds:>8.1f}", flush=True)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: 0, or 2 for wrong input."""
    parser = argparse.ArgumentParser(prog="python -m minidl.adversarial.mode_benchmark", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), metavar="NAME",
                        help=", ".join(VARIANTS))
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="so many runs of each (default: 3)")
    parser.add_argument("--steps", type=int, metavar="N", help="of each run (default: enough for a quick look; the "
                                                              "recipes take 6000)")
    options = parser.parse_args(argv)
    try:
        benchmark(options.task, variants=options.variants, seeds=options.seeds, steps=options.steps)
    except InputError as error:
        print(f"minidl: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
