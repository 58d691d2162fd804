"""The slide map: which lecture shows which of the deck's 115 slides.

Every slide belongs to one lecture, but for the last one: its topics have a lecture each. A lecture without a file is
still to come.
"""
from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from minidl.errors import InputError

SLIDES = 115


class Lecture(NamedTuple):
    """A run of slides. `slides`: its first and last slide, several such pairs where others come between."""

    name: str
    title: str
    slides: tuple[tuple[int, int], ...]
    file: str = ""                 # below lectures/, named after its first slide; empty for a lecture still to come
    data: Mapping[str, float | None] = {}      # the sets it works with, its usual one first: minutes of one core

    @property
    def numbers(self) -> list[int]:
        """All of its slides."""
        return [slide for first, last in self.slides for slide in range(first, last + 1)]

    @property
    def where(self) -> str:
        """Its slides in words: "slides 8-9, 17"."""
        spans = [str(first) if first == last else f"{first}-{last}" for first, last in self.slides]
        return ("slide " if len(self.numbers) == 1 else "slides ") + ", ".join(spans)

    @property
    def main_slide(self) -> int:
        """The slide that its folders are named after if none was asked for: the last one, where the result stands."""
        return self.slides[-1][-1]

    def folder(self, slide: int | None = None) -> str:
        """What its output folder is called, if this slide was asked for, or its name."""
        slide = self.main_slide if slide is None else slide
        alone = sum(slide in lecture.numbers for lecture in LECTURES) == 1
        return f"lecture-{slide:03d}" + ("" if alone else f"-{self.name}")

    @property
    def path(self) -> Path:
        return Path(__file__).parent / self.file


LECTURES = (
    Lecture("description-length", "Short descriptions and the manifold hypothesis", ((1, 4),),
            "s001_description_length.py", {"digits": 0.2, "mnist": None}),
    Lecture("pca-kmeans", "PCA and k-means: encode, decode, reconstruct, sample", ((5, 7),), "s005_pca_kmeans.py",
            {"digits": 0.1, "mnist": None, "fashion-mnist": None}),
    Lecture("deep-autoencoder", "Deep autoencoders against PCA", ((8, 9), (17, 17)), "s008_deep_autoencoder.py",
            {"digits": 0.1, "mnist": None, "fashion-mnist": None}),
    Lecture("sparse-autoencoder", "Sparse and stacked autoencoders", ((10, 16),), "s010_sparse_autoencoder.py",
            {"digits": 0.4, "mnist": None}),
    Lecture("binary-codes", "Krizhevsky's binary codes, and retrieval with them", ((18, 21),),
            "s018_binary_codes.py", {"digits": 0.1, "fashion-mnist": None, "cifar10": None, "mnist": None}),
    Lecture("convolutional-autoencoder", "Convolutional autoencoders", ((22, 22),),
            "s022_convolutional_autoencoder.py", {"digits": 0.2, "mnist": None, "fashion-mnist": None}),
    Lecture("variational-autoencoder", "Variational autoencoders", ((23, 27),), "s023_variational_autoencoder.py",
            {"digits": 0.5, "mnist": None, "fashion-mnist": None}),
    Lecture("gan", "Generative adversarial nets", ((28, 43),), "s028_gan.py", {"digits": 1, "mnist": None}),
    Lecture("improved-gan", "Hacks that matter, and the Inception score", ((44, 48),), "s044_improved_gan.py",
            {"digits": 1.0, "mnist": None}),
    Lecture("intermission", "Intermission: cat videos", ((49, 52),), "s049_intermission.py", {"digits": 0.4}),
    Lecture("wasserstein-gan", "From unstable training to the Wasserstein GAN", ((53, 59),), "s053_wasserstein_gan.py",
            {"digits": 0.5, "mnist": None}),
    Lecture("improved-wasserstein-gan", "Improved Wasserstein GAN: the gradient penalty", ((60, 63),),
            "s060_improved_wasserstein_gan.py", {"digits": 0.5, "mnist": None}),
    Lecture("progressive-gan", "Progressive growing of GANs", ((64, 74),),
            "s064_progressive_gan.py", {"digits": 4, "mnist": None}),
    Lecture("gan-metrics", "Metrics: multiscale structural similarity, sliced Wasserstein distance", ((75, 80),),
            "s075_gan_metrics.py", {"digits": 0.2, "mnist": None}),
    Lecture("gan-experiments", "Experiments, nearest neighbours and results", ((81, 94),),
            "s081_gan_experiments.py", {"digits": 3, "mnist": None, "fashion-mnist": None, "cifar10": None}),
    Lecture("boltzmann-machines", "Boltzmann machines, magnets and memories", ((95, 95),),
            "s095_boltzmann_machines.py", {"digits": 0.3, "mnist": None}),
    Lecture("restricted-boltzmann-machines", "What the restriction of a Boltzmann machine gains", ((96, 97),),
            "s096_restricted_boltzmann_machines.py", {"digits": 0.5, "mnist": None}),
    Lecture("shape-bm", "ShapeBM: generating shapes of horses", ((98, 98),), "s098_shape_bm.py",
            {"digits": 0.6, "horses": None}),
    Lecture("contrastive-divergence", "Training by contrastive divergence", ((99, 99),),
            "s099_contrastive_divergence.py", {"digits": 0.5, "mnist": None}),
    Lecture("layerwise-pretraining", "Layerwise pretraining of a deep autoencoder", ((100, 100),),
            "s100_layerwise_pretraining.py", {"digits": 0.6, "mnist": None}),
    Lecture("deep-belief-nets", "Deep belief nets", ((101, 109),), "s101_deep_belief_nets.py",
            {"digits": 0.9, "mnist": None}),
    Lecture("effect-of-pretraining", "The effect of pretraining and of depth", ((110, 112),),
            "s110_effect_of_pretraining.py", {"digits": 1, "mnist": None}),
    Lecture("wake-sleep", "Beyond layerwise pretraining: wake-sleep", ((113, 114),), "s113_wake_sleep.py",
            {"digits": 0.5, "mnist": None}),
    Lecture("basic-networks", "Basic neural networks: a neuron, a boundary, digits", ((115, 115),),
            "s115_basic_networks.py", {"digits": 0.1, "mnist": None, "fashion-mnist": None}),
    Lecture("convolutional-networks", "Convolutional networks: filters, and what they see", ((115, 115),),
            "s115_convolutional_networks.py", {"digits": 0.1, "mnist": None, "fashion-mnist": None}),
    Lecture("recurrent-networks", "Recurrent networks and long short-term memory", ((115, 115),),
            "s115_recurrent_networks.py", {"alice": 0.3}),
    Lecture("training-tricks", "Optimization and regularization tricks, side by side", ((115, 115),),
            "s115_training_tricks.py", {"digits": 0.3}),
)


def find(wanted: str | int) -> list[Lecture]:
    """The lectures of this slide number, or the one of this name; its beginning does if no other name begins so.

    Raises InputError for a slide that the deck does not have, a name that is unknown (with the nearest names) or fits
    several, and a lecture that is still to come.
    """
    slide = number(wanted)
    text = str(wanted).strip().lower().replace("_", "-").removesuffix(".py")
    text = re.sub(r"^s\d{3}-", "", text)                       # a file's name says its first slide, too
    found = [_by_name(text)] if slide is None else _by_slide(slide)
    if missing := [lecture for lecture in found if not lecture.file]:
        about = missing[0].where if slide is None else f"slide {slide}"
        raise InputError(f"the lecture on {about}, {missing[0].title!r} ({missing[0].where}), is still to come; there "
                         f"are: {_available()}")
    return found


def number(wanted: str | int) -> int | None:
    """The slide that is asked for, if it is not a name."""
    text = str(wanted).strip()
    return int(text) if text.removeprefix("-").isdecimal() else None


def _by_slide(slide: int) -> list[Lecture]:
    if not 1 <= slide <= SLIDES:
        raise InputError(f"there is no slide {slide}: the deck has slides 1 to {SLIDES}; "
                         "minidl lecture list shows what each is about")
    return [lecture for lecture in LECTURES if slide in lecture.numbers]


def _by_name(name: str) -> Lecture:
    names = [lecture.name for lecture in LECTURES]
    fitting = [name] if name in names else [n for n in names if name and n.startswith(name)]
    if len(fitting) > 1:
        raise InputError(f"{name!r} fits several lectures: {', '.join(fitting)}; write more of the name")
    if not fitting:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or [n for n in names if name and name in n]
        guess = f"the nearest names are {', '.join(near)}" if near else f"there are: {_available()}"
        raise InputError(f"there is no lecture {name!r}; {guess}; minidl lecture list shows all")
    return next(lecture for lecture in LECTURES if lecture.name == fitting[0])


def _available() -> str:
    return ", ".join(f"{lecture.name} ({lecture.where})" for lecture in LECTURES if lecture.file)


def listing() -> str:
    """All lectures as a table, in the order of the deck, with data sets and minutes; those still to come are marked."""
    lines = [("slides", "name", "about (data, and minutes that they take one core, where measured)")]
    for lecture in sorted(LECTURES, key=lambda lecture: lecture.slides):
        slides = lecture.where.split(" ", 1)[1]
        sets = ", ".join(name if minutes is None else f"{name} {minutes:g}" for name, minutes in lecture.data.items())
        lines.append((slides, lecture.name, lecture.title + (f" ({sets})" if lecture.file else "  [still to come]")))
    widths = [max(len(line[i]) for line in lines) for i in range(2)]
    return "\n".join(f"{slides:<{widths[0]}}  {name:<{widths[1]}}  {about}" for slides, name, about in lines)
