"""All measures of a generator beside each other, each with its error bar and its floor: real images against real ones.

    judge = metrics.load_judge("judge-mnist.npz")            # made by python -m minidl.metrics.judge mnist
    print(metrics.generator_report(mnist.x_train, mnist.x_test, generated, judge, rng=0))
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from minidl import ops
from minidl.arguments import is_number
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.metrics.classifier import Judge
from minidl.metrics.coverage import precision_recall
from minidl.metrics.frechet import frechet_distance
from minidl.metrics.images import check_alike, images_of_floats
from minidl.metrics.modes import classifier_score
from minidl.metrics.neighbours import nearest_neighbours
from minidl.metrics.resampling import Estimate, resampled
from minidl.metrics.similarity import WINDOW, ms_ssim_within
from minidl.metrics.wasserstein import swd
from minidl.randomness import Seed, generator
from minidl.rows import check_choice, check_count

FEWEST = 20                # images of a kind, below which nothing is said
ENOUGH = 1000              # from which two digits of most measures stand
PATCHES = 8192             # squares of a set that sliced distances compare


class Measure(NamedTuple):
    """A measure of images for a report.

    `call(real, images)` gives a number, or several by name. `of` says what it is given: "images", or of all of them the
    judge's "features" or "probabilities", or "pixels", as rows. `better` is "higher", "lower", or "real": as real
    images have it. With `all_real` the real ones are all that there are, not as many as the others.
    """

    call: Callable[[Any, Any], float | Mapping[str, float]]
    of: str
    better: str
    all_real: bool = False


class Line(NamedTuple):
    """What one measure says of the generated images, and of held-out real ones in their place."""

    name: str
    better: str
    generated: Estimate
    floor: Estimate


class Report(NamedTuple):
    """A report: who judges, how many images of a kind were compared, the lines, and what to know about them."""

    judge: str
    images: int
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        rows = [("", "better", "generated", "real against real")] + [
            (line.name, line.better, str(line.generated), str(line.floor)) for line in self.lines]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        table = [f"{name:<{widths[0]}}  {better:<{widths[1]}}  {made:>{widths[2]}}  {floor:>{widths[3]}}"
                 for name, better, made, floor in rows]
        return "\n".join([f"judge: {self.judge}", f"{self.images} images of each kind", *table, *self.notes])

    def as_dict(self) -> dict[str, Any]:
        """The same as plain numbers, texts, lists and dicts, as for JSON."""
        return {"judge": self.judge, "images": self.images, "notes": list(self.notes),
                "lines": {line.name: {"better": line.better, "generated": list(line.generated),
                                      "floor": list(line.floor)} for line in self.lines}}


def generator_report(real: Any, held_out: Any, generated: Any, judge: Judge, *,
                     measures: Mapping[str, Measure] | None = None, repeats: int = 10, rng: Seed) -> Report:
    """Measure generated images (M, H, W, C), and beside them held-out real ones (L, H, W, C) in their place.

    `real` (N, H, W, C) are those that were learned from. Most measures depend on how many images they see: so of each
    kind as many are drawn as there are of the fewest, and the second column says what a perfect generator would get.
    The errors are those of `resampled`. `measures` are `MEASURES`, or others by name.

    Raises InputError for images of different sizes or devices, fewer than 20 of a kind, and measures that are none
    or give no numbers.
    """
    rng, measures = generator(rng, "generator_report"), MEASURES if measures is None else measures
    repeats = check_count("generator_report", "repeats", repeats, 2)
    check_measures(measures)
    if not isinstance(judge, Judge):
        raise InputError(f"generator_report: the judge is a Judge, not {judge!r:.60}; train_judge makes one")
    kinds = {"real": real, "generated": generated, "held-out": held_out}
    kinds = {kind: images_of_floats("generator_report", images) for kind, images in kinds.items()}
    for images in kinds.values():
        check_alike("generator_report", kinds["real"], images)
    count = min(map(len, kinds.values()))
    if count < FEWEST:
        raise InputError("generator_report: there are " + ", ".join(f"{len(x)} {kind}" for kind, x in kinds.items())
                         + f" images; it takes {FEWEST} of a kind, and {ENOUGH} for two digits that stand")
    drawn = {kind: _rows(x, rng.permutation(len(x))[:count]) for kind, x in kinds.items()}
    seen: dict[tuple[str, str, bool], Array] = {}

    def look(kind: str, of: str, everything: bool) -> Array:
        if (kind, of, everything) not in seen:
            images = (kinds if everything else drawn)[kind]
            seen[kind, of, everything] = images if of == "images" else images.reshape(len(images), -1) \
                if of == "pixels" else getattr(judge, of)(images)
        return seen[kind, of, everything]

    lines = []
    for name, measure in measures.items():
        reference = look("real", measure.of, measure.all_real)
        found = [_estimates(name, measure, reference, look(kind, measure.of, False), repeats, rng)
                 for kind in ("generated", "held-out")]
        lines += [Line(part, measure.better, found[0][part], found[1][part]) for part in found[0]]
    return Report(str(judge), count, tuple(lines), tuple(_notes(count, {of for _, of, _ in seen}, seen)))


def check_measures(measures: Any) -> None:
    """Raise InputError unless they are Measures by name."""
    if not isinstance(measures, Mapping) or not all(isinstance(measure, Measure) and isinstance(name, str)
                                                    for name, measure in measures.items()):
        raise InputError(f"generator_report: measures are a mapping from names to Measures, not {measures!r:.60}")
    for measure in measures.values():
        check_choice("Measure", "of", measure.of, ("images", "pixels", "features", "probabilities"))
        check_choice("Measure", "better", measure.better, ("higher", "lower", "real"))


def _estimates(name: str, measure: Measure, real: Array, images: Array, repeats: int,
               rng: np.random.Generator) -> dict[str, Estimate]:
    parts: list[str] = []

    def call(*sets: Array) -> Sequence[float]:
        found = measure.call(real if measure.all_real else sets[0], sets[-1])
        if not isinstance(found, Mapping):
            found = {name: found}
        if not all(is_number(value) for value in found.values()):
            raise InputError(f"generator_report: the measure {name!r} gives a number, or several by name, not "
                             f"{found!r:.60}")
        parts[:] = found
        return list(found.values())

    found = resampled(call, *([] if measure.all_real else [real]), images, repeats=repeats, rng=rng)
    return {part: Estimate(float(value), float(error)) for part, value, error in zip(parts, *found, strict=True)}


def _notes(count: int, of: set[str], seen: Mapping[Any, Array]) -> list[str]:
    notes = []
    if count < ENOUGH:
        notes.append(f"note: {count} images are few; from {ENOUGH} of a kind two digits stand")
    if "features" in of:
        width = seen["generated", "features", False].shape[1]
        if count < 10 * width:
            notes.append(f"note: {width} features have a covariance that {10 * width} images or more would fix; the "
                         "Fréchet distance of fewer is too large, and so is its floor")
    return notes


def _rows(images: Array, which: np.ndarray) -> Array:
    return images[Device(backend_of(images)).put(which)]


def _pairs(real: Array, images: Array) -> dict[str, float]:
    """MS-SSIM within the images, in as many of five scales as fit; those that are too small for one are enlarged."""
    factor = -(-WINDOW // min(images.shape[1:3]))
    images = ops.upsample(images, factor) if factor > 1 else images
    scales = 1
    while scales < 5 and min(images.shape[1:3]) >> scales >= WINDOW:
        scales += 1
    pairs = min(500, len(images) * (len(images) - 1) // 2)
    found = ms_ssim_within(images, pairs=pairs, scales=scales, data_range=1.0, rng=0)
    return {f"MS-SSIM of pairs, {scales} scale{'s' * (scales > 1)}": found.value}


def _by_scale(real: Array, images: Array) -> dict[str, float]:
    patches = min(128, max(4, PATCHES // len(images)))
    scales = swd(real, images, patches=patches, directions=128, rng=0).scales
    return {f"SWD x 1000, {side} pixels": found for side, found in scales.items()}


def _to_the_nearest(real: Array, images: Array) -> float:
    distances = nearest_neighbours(real, images, 1)[0]
    return float(np.median(backend_of(distances).to_host(distances)))


MEASURES: Mapping[str, Measure] = MappingProxyType({
    "classifier's score": Measure(lambda real, images: classifier_score(images).mean, "probabilities", "higher"),
    "Fréchet distance": Measure(frechet_distance, "features", "lower"),
    "precision and recall": Measure(lambda real, images: precision_recall(real, images)._asdict(), "features",
                                    "higher"),
    "MS-SSIM": Measure(_pairs, "images", "real"),
    "SWD": Measure(_by_scale, "images", "lower"),
    "nearest learned, pixels": Measure(_to_the_nearest, "pixels", "real", all_real=True),
    "nearest learned, features": Measure(_to_the_nearest, "features", "real", all_real=True)})
