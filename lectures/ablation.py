"""The ablation of the paper on progressive growing: one row after the other gets one more of its ideas (slides 81-83).

    python -m minidl.lectures.ablation mnist                      # at 32x32, into the folder ablation-mnist
    python -m minidl.lectures.ablation cifar10 --rows a b g --images 100000 --out nights

Each row trains a generator on as many images, and is measured by the sliced Wasserstein distance of each scale and the
MS-SSIM of pairs of its samples. The first row of the table is what real images have: two halves of them against each
other. Where ours differ from the paper's: the networks are small, and rows learn at the rate 1e-3, for at the 1e-4 of
row a's paper little would be learned in so short a time; equalised weights, which are of size 1 and so ten times as
large as others, at 6e-3. The larger a size, the more of the images are seen at it.

Rows that are done are kept in the folder, with the networks; a run that was stopped goes on in the middle of a row, bit
for bit. Table, samples and numbers are there as `table.txt`, `samples.png` and `ablation.json`.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minidl import data, metrics, ops
from minidl.adversarial import ProgressiveGAN, Stage, Tricks, grow, stages
from minidl.backend import backend_of
from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.rows import check_choice, check_count
from minidl.tuning import one_core

SETS = ("mnist", "fashion-mnist", "cifar10", "digits")
JUDGED = 2000              # samples, and images of each half, at most
PATCHES = 32               # of each image and scale: more of one image say little more


class Row(NamedTuple):
    """A row of the paper's table 1: what it adds to the row before."""

    adds: str
    growing: bool = True
    batch_size: int = 16
    lr: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.99)
    tricks: Tricks = Tricks()


_WITHOUT = Tricks(equalized=False, pixel_norm=False, minibatch="none")
_BEFORE = Tricks(equalized=False, pixel_norm=False, minibatch="none", batch_norm=True)
ROWS = {
    "a": Row("WGAN-GP", growing=False, batch_size=64, betas=(0.0, 0.9), tricks=_BEFORE),
    "b": Row("+ growing", batch_size=64, betas=(0.0, 0.9), tricks=_BEFORE),
    "c": Row("+ small minibatch", betas=(0.0, 0.9), tricks=_BEFORE),
    "d": Row("+ revised setting", tricks=_WITHOUT),
    "e*": Row("+ discrimination", tricks=Tricks(False, False, "discrimination")),
    "e": Row("+ deviation", tricks=Tricks(False, False, "std")),
    "f": Row("+ equalised rate", lr=6e-3, tricks=Tricks(True, False, "std")),
    "g": Row("+ pixel norm", lr=6e-3),
}


class Experiment(NamedTuple):
    """What all rows have in common. `real` (N, S, S, C) in [-1, 1] is trained on; `others` are as many real ones."""

    real: np.ndarray
    others: np.ndarray
    widths: tuple[int, ...]
    images: int
    seed: int = 0
    device: str = "cpu"

    @property
    def settings(self) -> dict[str, Any]:
        """What makes two experiments the same."""
        return {"shape": list(self.real.shape), "widths": list(self.widths), "images": self.images, "seed": self.seed}


def of_set(name: str, *, images: int, widths: Sequence[int] = (64, 64, 32, 16), seed: int = 0,
           device: str = "cpu") -> Experiment:
    """A set's experiment at 32x32 (of the embedded digits at 16x16): smaller images get a margin, digits are enlarged.

    Raises InputError for a set that is not one of `SETS`.
    """
    check_choice("ablation", "the data set", name, SETS)
    loaded = data.load(name)
    return Experiment(square(loaded.x_train), square(loaded.x_test), tuple(widths)[:3 if name == "digits" else 4],
                      check_count("ablation", "images", images), seed, device)


def square(x: Any) -> np.ndarray:
    """Images (N, 28, 32 or 8 pixels a side, C) in [0, 1] at a size that growth from 4x4 meets, in [-1, 1]."""
    x = np.asarray(x, np.float32)
    if x.shape[1] == 8:
        x = np.asarray(ops.interpolate(x, 16))
    margin = (-x.shape[1] % 16) // 2
    return np.pad(2.0 * x - 1.0, [(0, 0), (margin, margin), (margin, margin), (0, 0)], constant_values=-1.0)


def played(row: Row, experiment: Experiment,
           shown: Callable[[ProgressiveGAN], Mapping[str, Any]] = lambda gan: {}) -> ProgressiveGAN:
    """The networks of a row after their training. `shown` gives keywords of `adversarial.grow` for them."""
    size = experiment.real.shape[1]
    gan = ProgressiveGAN(channels=experiment.real.shape[3], latent=64, widths=experiment.widths, tricks=row.tricks,
                         rng=experiment.seed).to(experiment.device)
    schedule = [Stage(size, experiment.images, batch_size=row.batch_size)]
    if row.growing:
        sizes = [stage.size for stage in stages(size, 1)]
        shares = np.arange(1, len(sizes) + 1) / sum(range(1, len(sizes) + 1))
        parts = [max(row.batch_size, round(experiment.images * share)) for share in shares]
        schedule = [Stage(at, part, part // 2 if i else 0, row.batch_size)
                    for i, (at, part) in enumerate(zip(sizes, parts, strict=True))]
    with one_core():
        grow(gan, experiment.real, schedule, lr=row.lr, betas=row.betas, rng=experiment.seed + 1, **shown(gan))
    return gan


def measured(images: Any, experiment: Experiment) -> dict[str, Any]:
    """SWD per scale to the real images, and MS-SSIM within: of images (N, S, S, C) that lie about in [-1, 1]."""
    x, real = ((np.clip(part[:JUDGED], -1.0, 1.0) + 1.0) / 2.0 for part in (images, experiment.real))
    found = metrics.swd(real, x, patches=PATCHES, rng=0)
    scales = 1 + (x.shape[1] >= 32)            # as its window fits in
    alike = metrics.ms_ssim_within(x, pairs=min(JUDGED, len(x) * (len(x) - 1) // 2), scales=scales, rng=0)
    return {"swd": {str(size): value for size, value in found.scales.items()}, "swd_mean": found.mean,
            "ms_ssim": float(alike.value), "ms_ssim_se": float(alike.error)}


def run(experiment: Experiment, folder: str | os.PathLike[str] | None = None, *, rows: Sequence[str] = tuple(ROWS),
        each: Callable[[str, Mapping[str, Any], np.ndarray], object] | None = None,
        shown: Callable[[str, ProgressiveGAN], Mapping[str, Any]] = lambda name, gan: {}) -> dict[str, dict[str, Any]]:
    """All rows' numbers, by their letters, "real" first. With a folder, what is done there is not done again.

    `each(name, numbers, samples)` is called with every row as it is there; `shown(name, gan)` gives keywords
    of `grow`.

    Raises InputError for an unknown row, and a folder that holds another experiment.
    """
    for name in rows:
        check_choice("ablation", "a row", name, tuple(ROWS))
    kept = _Kept(folder, experiment) if folder else None
    found: dict[str, dict[str, Any]] = {}
    for name in ["real", *rows]:
        done = kept.row(name) if kept else None
        if done is None:
            started = time.process_time()
            if name == "real":
                samples = experiment.others[:JUDGED]
            else:
                gan = played(ROWS[name], experiment, lambda gan: {
                    "checkpoint": kept and kept.folder / f"row-{_letters(name)}.npz", **shown(name, gan)})
                made = gan.sample(min(JUDGED, len(experiment.others)), experiment.seed)
                samples = backend_of(made).to_host(made)
            done = {**measured(samples, experiment), "seconds": time.process_time() - started}, samples[:100]
            if kept:
                kept.keep(name, *done)
        found[name] = done[0]
        if each:
            each(name, *done)
    return found


def cells(found: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The table's header and rows."""
    sizes = list(next(iter(found.values()))["swd"])
    header = ["row", "", *[f"SWD {size}" for size in sizes], "mean", "MS-SSIM", "CPU s"]
    return header, [[name, ROWS[name].adds if name in ROWS else "other real images",
                     *[f"{row['swd'][size]:.1f}" for size in sizes], f"{row['swd_mean']:.1f}",
                     f"{row['ms_ssim']:.3f} +- {row['ms_ssim_se']:.3f}", f"{row['seconds']:.0f}"]
                    for name, row in found.items()]


def label(name: str) -> str:
    """What stands beside a row of samples: its letter, and below it what it adds."""
    return f"{name}\n{ROWS[name].adds.removeprefix('+ ')}" if name in ROWS else name


class _Kept:
    """What is done, in a folder: numbers in one file, samples and networks beside it."""

    def __init__(self, folder: str | os.PathLike[str], experiment: Experiment) -> None:
        self.folder, self.file = Path(folder).expanduser(), Path(folder).expanduser() / "ablation.json"
        self.record: dict[str, Any] = {"settings": experiment.settings, "rows": {}}
        if self.file.exists():
            try:
                record = json.loads(self.file.read_text(encoding="utf-8"))
                settings = record["settings"]
            except (ValueError, KeyError, TypeError, OSError) as error:
                raise InputError(f"{self.file} is not what an ablation has written ({error}); choose another folder") \
                    from error
            if settings != experiment.settings:
                raise InputError(f"{self.file} is of another experiment, {settings}, and this is "
                                 f"{experiment.settings}; choose another folder")
            self.record = record

    def row(self, name: str) -> tuple[dict[str, Any], np.ndarray] | None:
        """The numbers and samples of a row that is done."""
        if name not in self.record["rows"]:
            return None
        with np.load(self._samples(name)) as file:
            return self.record["rows"][name], file["samples"]

    def keep(self, name: str, numbers: dict[str, Any], samples: np.ndarray) -> None:
        """Keep a row: its samples first, for the numbers say that it is done."""
        with atomic_write(self._samples(name)) as file:
            np.savez_compressed(file, samples=samples)
        self.record["rows"][name] = numbers
        with atomic_write(self.file, "w") as file:
            json.dump(self.record, file, indent=1)

    def _samples(self, name: str) -> Path:
        return self.folder / f"samples-{_letters(name)}.npz"


def _letters(name: str) -> str:
    return name.replace("*", "-star")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: 0, or 2 for wrong input."""
    parser = argparse.ArgumentParser(prog="python -m minidl.lectures.ablation", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=SETS)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), metavar="ROW",
                        help="; ".join(f"{name}: {row.adds}" for name, row in ROWS.items()))
    parser.add_argument("--images", type=int, default=60_000, metavar="N", help="that each row sees (default: 60000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu (the default) or cuda")
    parser.add_argument("--out", metavar="FOLDER", help="default: ablation-DATA")
    options = parser.parse_args(argv)
    try:
        _command(of_set(options.data, images=options.images, seed=options.seed, device=options.device),
                 options.rows, Path(options.out or f"ablation-{options.data}"))
    except InputError as error:
        print(f"minidl: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"minidl: {stop}; the same command goes on", file=sys.stderr)
        return 130
    return 0


def _command(experiment: Experiment, rows: Sequence[str], folder: Path) -> None:
    from minidl import plotting

    pictures: list[plotting.Row] = []

    def each(name: str, numbers: Mapping[str, Any], samples: np.ndarray) -> None:
        said = cells({name: numbers})[1][0]
        print("  ".join(said), flush=True)
        pictures.append(plotting.Row(label(name), (np.clip(samples[:12], -1.0, 1.0) + 1.0) / 2.0,
                                     f"SWD {numbers['swd_mean']:.1f}"))

    header, table = cells(run(experiment, folder, rows=rows, each=each,
                              shown=lambda name, gan: {"description": f"row {name}"}))
    with atomic_write(folder / "table.txt", "w") as file:
        file.writelines("\t".join(line) + "\n" for line in [header, *table])
    plotting.save(plotting.image_rows(pictures, title="One idea more in each row"), folder / "samples.png")
    print(f"{folder}/table.txt, samples.png and ablation.json hold all of it")


if __name__ == "__main__":
    sys.exit(main())
