"""Pictures of the lecture on experiments with growing nets."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.plotting.style import colours, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def steps(found: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The rows of an ablation as steps: how far from real images, and how alike; dashed, what real images have."""
    from matplotlib.figure import Figure

    names = [name for name in found if name != "real"]
    figure = Figure(figsize=(10.0, 3.8), layout="constrained")
    panels = {"SWD to real images": ("swd_mean", None), "MS-SSIM of pairs": ("ms_ssim", "ms_ssim_se")}
    for axis, (title, (key, error)), colour in zip(figure.subplots(1, 2), panels.items(), colours(), strict=False):
        axis.bar(names, [found[name][key] for name in names], color=colour, width=0.6,
                 yerr=None if error is None else [found[name][error] for name in names])
        axis.axhline(found["real"][key], color="0.3", linestyle="--", linewidth=1.2, label="real images")
        axis.set_ylim(top=1.3 * max(row[key] for row in found.values()))           # room for the legend
        axis.legend(loc="upper right")
        axis.set(title=title, xlabel="row")
        axis.grid(axis="x", visible=False)
    return figure


@styled
def beside_real(judged: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Each measure of generated images as a multiple of what real ones get, which is the dashed line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.4), layout="constrained")
    axis, names = figure.subplots(), list(judged)[::-1]
    for row, (name, colour) in enumerate(zip(names, colours(), strict=False)):
        made, real = judged[name]["made"], judged[name]["others"]
        axis.errorbar(made.value / real.value, row, xerr=made.error / real.value, fmt="o", color=colour, capsize=4)
    axis.axvline(1.0, color="0.3", linestyle="--", linewidth=1.2)
    axis.set(title="Beside real images", xlabel="as a multiple of what real images get", xscale="symlog",
             xlim=(-0.05, None), yticks=range(len(names)), yticklabels=names)
    axis.set_xticks([0, 1, 10], ["0", "1", "10"])
    return figure


def along_the_sphere(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """Codes on the way from a (N, latent) to b, without b: (steps, N, latent). Lengths and angles change evenly."""
    lengths = [np.linalg.norm(end, axis=1, keepdims=True) for end in (a, b)]
    angle = np.arccos(np.clip(np.sum(a * b, 1, keepdims=True) / (lengths[0] * lengths[1]), -1.0, 1.0))
    shares = np.arange(steps, dtype=np.float32)[:, None, None] / steps
    way = (np.sin((1.0 - shares) * angle) * a / lengths[0] + np.sin(shares * angle) * b / lengths[1]) / np.sin(angle)
    return ((1.0 - shares) * lengths[0] + shares * lengths[1]).astype(np.float32) * way.astype(np.float32)
