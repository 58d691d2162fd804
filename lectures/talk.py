"""What a lecture file sees of the stage: its data, tables, pictures, words, trainings, metrics, and `talk.finish()`.

Files go to `out/lecture-017` below the current folder, named after the slide that was asked for
(`out/lecture-017-mnist` for another data set than the lecture's first, `out/lecture-017-fast` for a shortened run,
`out/lecture-017-only` for what slide 17 alone needs), or to the folder that `--out` names: the figures as PNG, films as
GIF, in order and with their slides (`01-slide-17-comparison.png`), and `metrics.json`. They are written together at the
end, so that a run that was stopped leaves nothing.
"""
from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from minidl import data, training
from minidl._version import __version__
from minidl.backend import Device, backend_of
from minidl.errors import BoundMissed, InputError
from minidl.files import atomic_write
from minidl.lectures import cells, kept, slides, surface, watching
from minidl.modes import no_grad
from minidl.nn import Module
from minidl.optim import AdamW, CosineAnnealingLR, Optimizer
from minidl.progress import bar
from minidl.tuning import one_core

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """How a lecture is to run; None leaves the choice to the lecture."""

    data: str | None = None
    device: str = "cpu"
    fast: bool = False
    seed: int = 0
    out: str | os.PathLike[str] | None = None
    show: bool | None = None            # None: where somebody is likely to see it
    replay: bool = False
    slide: int | None = None            # the one that was asked for, unless it was a name
    only: bool = False                  # just what this slide needs


class Talk:
    """A lecture while it runs.

    `data` (a name), `device`, `fast`, `seed` are what it was asked for, `rng` is a generator from the seed.
    """

    def __init__(self, found: slides.Lecture, data_sets: Sequence[str], options: Options,
                 shown: surface.Surface) -> None:
        self.lecture, self.fast, self.seed, self._options = found, options.fast, options.seed, options
        self._surface = shown
        self._pace = watching.Pace(self._surface.cost)
        self.data = options.data or data_sets[0]
        _check_data(self.data, data_sets, found)
        if options.seed < 0:
            raise InputError(f"a seed is a whole number of at least 0, not {options.seed}")
        self.device = Device(options.device)
        self.rng = np.random.default_rng(options.seed)
        self._slides = cells.slides_of_pictures(found.path.read_text(encoding="utf-8"))
        folder = (found.folder(options.slide) + f"-{self.data}" * (self.data != data_sets[0])
                  + "-fast" * self.fast + "-only" * options.only)
        self.out = Path(options.out).expanduser() if options.out else Path("out") / folder
        self._pictures: dict[str, bytes] = {}
        self._record: dict[str, Any] = {
            "lecture": found.name, "slides": found.numbers, "title": found.title, "data": self.data, "credit": "",
            "device": self.device.name, "seed": self.seed, "fast": self.fast, "version": __version__,
            "date": datetime.now().astimezone().isoformat(timespec="seconds"), "seconds": 0.0, "metrics": {},
            "bounds": {}, "missed": [], "figures": [], "figure_slides": {}, "tables": [],
            "said": []}
        self._started = time.perf_counter()

    # What a lecture file calls ----------------------------------------------------------------------------------------

    def load(self, *, flat: bool = True, margin: int = 0) -> data.Dataset:
        """The data set, each image a row of pixels, or without `flat` an image (H, W, C), in a black `margin`."""
        loaded = data.load(self.data)
        self._record["credit"] = loaded.credit
        if margin:
            around = [(0, 0), (margin, margin), (margin, margin), (0, 0)]
            loaded = replace(loaded, x_train=np.pad(loaded.x_train, around), x_test=np.pad(loaded.x_test, around))
        self._shape = loaded.x_test.shape[1:]
        return loaded.flat() if flat else loaded

    def text(self) -> str:
        """The text, for a lecture that works with one of `data.TEXTS`."""
        self._record["credit"] = data.TEXTS[self.data]
        return data.text(self.data)

    def images(self, rows: Any) -> np.ndarray:
        """Rows of pixels, from whatever device, as images to draw: (N, H*W*C) -> (N, H, W, C); images stay so."""
        rows = self.on_host(rows)
        return rows.reshape(-1, *self._shape) if rows.ndim == 2 else rows

    def on_host(self, array: Any) -> np.ndarray:
        """An array from whatever device as a NumPy array."""
        return backend_of(array).to_host(array)

    def look(self, network: Module, x: Any) -> list[np.ndarray]:
        """What each layer of a network, a `nn.Sequential`, makes of x (N, ...), on the host."""
        seen: list[np.ndarray] = []
        hooks = [layer.register_forward_hook(lambda layer, inputs, y: seen.append(y.numpy()))
                 for _, layer in network.children()]
        with no_grad():
            network(self.device.put(x))
        for hook in hooks:
            hook.remove()
        return seen

    def say(self, words: str) -> None:
        """Say what the last picture shows, in one to three sentences with this run's own numbers; they stand below."""
        words = " ".join(words.split())
        figure = next(iter(self._record["figures"][-1:]), "")
        self._record["said"].append({"slides": self._record["figure_slides"].get(figure, self.lecture.numbers),
                                     "words": words, "figure": figure})
        self._surface.say(words)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table; numbers are shown with three decimals."""
        text = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in [header, *rows]]
        widths = [max(len(row[i]) for row in text) for i in range(len(header))]
        lines = ["  ".join(f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}"
                           for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in text]
        lines.insert(1, "-" * max(map(len, lines)))
        self._record["tables"].append("\n".join(lines))
        self._print("\n" + "\n".join(lines) + "\n")

    def rows(self, name: str, title: str, rows: Mapping[str, Any], *, slides: Sequence[int] = ()) -> None:
        """Save rows of images under each other: label -> images, or (images, a note beside them). See `save`."""
        from minidl import plotting

        pairs = {label: row if isinstance(row, tuple) else (row, "") for label, row in rows.items()}
        self.save(plotting.image_rows([plotting.Row(label, self.images(images), note)
                                       for label, (images, note) in pairs.items()], title=title), name, slides=slides)

    def save(self, figure: Figure | Sequence[Figure], name: str, *, slides: Sequence[int] = ()) -> None:
        """Save a figure as PNG, or several as a film, a GIF: the third, of slide 6, is `03-slide-06-NAME.png`.

        It is for the slides that its cell says it shows (see `cells`), unless others are given; else for all.
        """
        from minidl import plotting

        kind, content = (".gif", plotting.film(figure)) if isinstance(figure, Sequence) else (
            ".png", plotting.png(figure))
        shown = list(slides or self._slides.get(name, ()) or self.lecture.numbers)
        file = f"{len(self._pictures) + 1:02d}-slide-{shown[0]:02d}-{name}{kind}"
        self._pictures[file] = content
        self._record["figures"].append(file)
        self._record["figure_slides"][file] = shown
        self._surface.picture(content, file, _in_words(shown))

    def short(self, full: T, fast: T) -> T:
        """`full`, or in a shortened run (`--fast`) `fast`."""
        return fast if self.fast else full

    def epochs(self, full: int, *, fast: int = 1) -> int:
        """So many epochs, or in a shortened run `fast`."""
        return self.short(full, fast)

    def train(self, model: Module, x: Any, y: Any = None, *, epochs: int, batch_size: int = 64, lr: float = 1e-3,
              weight_decay: float = 0.0, optimizer: Optimizer | None = None, schedule: Any = "cosine", name: str = "",
              about: str = "", device: str | Device | None = None, look: Callable[[Any], Any] | None = None,
              **options: Any) -> training.History:
        """Train the model on x (N, ...), and on y (N, ...) if there are targets; returns the history.

        The optimiser is AdamW unless one is given, and its learning rate falls along half a cosine to zero unless there
        is another `schedule`, or None. Model and data go to the `device`, the lecture's by default, and `rng` shuffles.
        In place of x a `data.Loader` may be given. With a `name`, unlike those of the lecture's other trainings, one
        that was stopped goes on (see `checkpoint`). The bar says what trains: what it is `about`, or the name. While it
        trains, a window or a notebook shows its curves and what `look(model)` gives: images, a Figure, or several of
        these by label; without it, what an autoencoder of images makes of the first ten. `options` are those of
        `training.fit`: loss, validate and others.
        """
        loader = x if isinstance(x, data.Loader) else data.Loader(
            self.on_host(x), y, batch_size=batch_size, rng=self.rng, device=device or self.device)
        model.to(loader.device)
        optimizer = optimizer or AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
        if schedule == "cosine":
            schedule = CosineAnnealingLR(optimizer, T_max=epochs * len(loader))
        with one_core():           # several would spend more time on waiting for each other than on these products
            look = look or watching.reconstructions(model, x, getattr(self, "_shape", ()), loader.device)
            return training.fit(model, loader, optimizer, epochs=epochs, schedule=schedule, **options,
                                **self.shown(model, about or name or type(model).__name__, name=name, look=look))

    def shown(self, model: Module, about: str, *, name: str = "",
              look: Callable[[Any], Any] | None = None) -> dict[str, Any]:
        """For a training other than `train`: the keywords by which `training.run` and its like show and keep it.

        `about`, `name` and `look` are those of `train`; without a look there are its curves alone.
        """
        return {"description": about, "checkpoint": self.checkpoint(name) if name else None,
                "watch": self._watch(model, look, about)}

    def of(self, name: str, names: Iterable[str]) -> str:
        """Which of several this is: "contractive, 3 of 7"."""
        every = list(names)
        return f"{' '.join(name.split())}, {every.index(name) + 1} of {len(every)}"

    def each(self, items: Iterable[T], about: str) -> Iterable[T]:
        """These items one after the other, with a bar that says what is done with them."""
        return bar(items, description=about, leave=False)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Say what takes a while without a bar of its own: "logistic PCA ... 3 s", once it is done."""
        started = time.perf_counter()
        print(f"{what} ...", end="", flush=True)
        try:
            yield
        finally:
            self._print(f" {time.perf_counter() - started:.0f} s")

    def right(self, classifier: Module, x: Any, labels: np.ndarray) -> int:
        """How many of x (N, ...) get their label (N,) from a classifier, which gives a logit for each class."""
        right = 0
        with no_grad(), one_core():
            for part, wanted in data.Loader(self.on_host(x), labels, batch_size=500, shuffle=False, device=self.device):
                right += int((classifier(part).data.argmax(-1) == wanted.data).sum())
        return right

    def seconds(self, *actions: Callable[[], object], repeat: int) -> list[float]:
        """The median time of each action, of `repeat` times; they take turns."""
        times = np.empty((repeat, len(actions)))
        for turn in times:
            for i, act in enumerate(actions):
                started = time.perf_counter()
                act()
                self.device.synchronize()
                turn[i] = time.perf_counter() - started
        return np.median(times, axis=0).tolist()

    def metric(self, name: str, value: float, *, at_most: float | None = None, at_least: float | None = None,
               always: bool = False) -> None:
        """Note a number for metrics.json, with the bounds that `finish` holds it to: in a shortened run if `always`."""
        value = float(value)
        if self.fast and not always:
            at_most = at_least = None
        at_most, at_least = (None if bound is None else float(bound) for bound in (at_most, at_least))
        self._record["metrics"][name] = value
        self._record["bounds"][name] = {"at_most": at_most, "at_least": at_least}
        if at_most is not None and not value <= at_most:
            self._record["missed"].append(f"{name} is {value:.4g}, it should be at most {at_most:g}")
        if at_least is not None and not value >= at_least:
            self._record["missed"].append(f"{name} is {value:.4g}, it should be at least {at_least:g}")

    def metrics(self, **values: float) -> None:
        """Note numbers without bounds."""
        for name, value in values.items():
            self.metric(name, value)

    def checkpoint(self, name: str) -> Path:
        """Where `training.fit(checkpoint=)` keeps a long training: after a Ctrl-C the same command goes on from there.

        The file is this run's own (the lecture's text, data, seed, device and version) and `finish` removes it. Let
        the loader draw from `talk.rng`: then a resumed run also draws the same afterwards.
        """
        return self._unfinished() / (re.sub(r"\W+", "-", name) + ".npz")

    def finish(self) -> None:
        """Write metrics.json, keep a long run for --replay, show the figures, and hold the metrics to their bounds."""
        self._record["seconds"] = round(time.perf_counter() - self._started, 2)
        self._write()
        shutil.rmtree(self._unfinished(), ignore_errors=True)
        missed = self._record["missed"]
        if not (self.fast or self._options.only or missed) and (why_not := kept.keep(self.out, self._record)):
            self._print(f"this run could not be kept for --replay: {why_not}")
        self._print(f"{len(self._record['figures'])} figures and metrics.json are in {self.out} "
                    f"({self._record['seconds']:.0f} s)" + (", from a run too short to learn much" * self.fast))
        self._print(f"its words are in {self.lecture.path},\n"
                    f"and become a notebook by minidl lecture {self.lecture.name} --notebook")
        self._show()
        if missed:
            raise BoundMissed(f"{self.lecture.name} on {self.data}, seed {self.seed}: " + "; ".join(missed))

    # What `lecture` calls ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Announce the lecture, and find out before the work whether its files can be written."""
        if self.data not in data.TEXTS and data.where(self.data) is None:
            data.load(self.data)             # says what is missing
        existing = next(folder for folder in (self.out, *self.out.absolute().parents) if folder.exists())
        try:
            with tempfile.TemporaryFile(dir=existing):
                pass
        except OSError as error:
            raise InputError(f"cannot write into {self.out}: {error.strerror or error}; name another folder with "
                             "--out") from None
        where = self.lecture.where
        self._print(f"{where[0].upper()}{where[1:]}: {self.lecture.title}\ndata: {self.data}, seed {self.seed}"
                    + (", shortened (--fast)" if self.fast else "")
                    + (f", only what slide {self._options.slide} needs (--only)" if self._options.only else ""))

    def replay(self) -> None:
        """Show the run that was kept, with its date, and copy its files to the output folder."""
        found = kept.find(self.lecture.name, self.data, self.seed, self.device.name)
        record = self._record = found.record
        self._pictures = found.pictures
        self._write()
        self._print(f"Replay of the full run of {found.when}: {self.lecture.where}, {self.lecture.title}. Data: "
                    f"{record['data']}, seed {record['seed']}, {record['device']}, {record['seconds']:.0f} s, minidl "
                    f"{record['version']}")
        for table in record["tables"]:
            self._print("\n" + table + "\n")
        for name, content in found.pictures.items():
            self._surface.picture(content, name, _in_words(record.get("figure_slides", {}).get(name, record["slides"])))
            for said in record.get("said", ()):                                # runs kept long ago do not have it
                if said["figure"] == name:
                    self._surface.say(said["words"])
        self._print(f"its figures and metrics.json are in {self.out}")
        self._show()

    # Its own business -------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        for name, content in self._pictures.items():
            with atomic_write(self.out / name) as file:
                file.write(content)
        for name in set(_figures_in(self.out)) - set(self._pictures):      # of a run before this one
            (self.out / name).unlink(missing_ok=True)
        with atomic_write(self.out / "metrics.json", "w") as file:
            json.dump(self._record, file, indent=1)
            file.write("\n")

    def _unfinished(self) -> Path:
        """The folder of this very run's checkpoints."""
        about = [__version__, self.device.name, str(self.fast), self.lecture.path.read_text(encoding="utf-8"),
                 *([f"slide {self._options.slide}"] if self._options.only else [])]
        digest = hashlib.sha256("\n".join(about).encode()).hexdigest()[:12]
        return data.cache_folder() / "unfinished" / f"{self.lecture.name}-{self.data}-{self.seed}-{digest}"

    def _show(self) -> None:
        """Say which pictures are those of the slide that was asked for, and let the window stay."""
        if self._options.slide is not None:
            about = {name: self._record["slides"] for name in self._record["figures"]}
            about |= self._record.get("figure_slides", {})                     # runs kept long ago do not have it
            its = [name for name, shown in about.items() if self._options.slide in shown]
            self._print(f"slide {self._options.slide}: {', '.join(its) or 'no picture of its own'}")
        self._surface.stay()

    def _watch(self, model: Module, look: Callable[[Any], Any] | None, name: str) -> Any:
        """What draws a training, if there is a place for that."""
        self._surface.ready()
        if not self._surface.draws:
            return None
        title = f"{self.lecture.where}: {name} while it trains"
        return watching.Watch(self._surface, title, model, look, self.images, self.rng, self._pace)

    def _print(self, text: str) -> None:
        print(text, flush=True)


class OtherData(InputError):
    """A lecture was asked to run on a data set that others work with, and it does not."""


def _figures_in(folder: Path) -> list[str]:
    """The pictures of the run that has left its files in this folder."""
    try:
        record = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        return [Path(name).name for name in record["figures"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _in_words(numbers: Sequence[int]) -> str:
    return ("slide " if len(numbers) == 1 else "slides ") + ", ".join(map(str, numbers))


def _check_data(name: str, fitting: Sequence[str], found: slides.Lecture) -> None:
    if name in fitting:
        return
    known = [*data.names(), *data.TEXTS]
    near = difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.5)
    works = f"This lecture works with {', '.join(fitting)}"
    if name in known:
        raise OtherData(f"{found.name} ({found.where}) does not work with {name!r}. {works}")
    guess = f"; did you mean {' or '.join(near)}?" if near else "."
    raise InputError(f"there is no data set {name!r}{guess} {works}")
