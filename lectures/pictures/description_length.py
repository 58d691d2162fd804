"""Description lengths as bars, manifolds in space and rolled out, and walks along them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CYCLIC, _PLAIN = "hsv", "viridis"


@styled
def bit_bars(panels: Mapping[str, Mapping[int, Sequence[float]]], *, parts: Sequence[str], x: str, level: float,
             level_name: str, title: str = "") -> Figure:
    """Stacked bars of bits, panel -> k -> one number for each of `parts`, with the totals above; the least is bold.

    The dashed line is the level to beat. Raises InputError where a bar has another number of parts.
    """
    from matplotlib.figure import Figure

    if any(len(bar) != len(parts) for bars in panels.values() for bar in bars.values()):
        raise InputError(f"bit_bars: each bar has the parts {', '.join(parts)}, not "
                         f"{[len(bar) for bars in panels.values() for bar in bars.values()]} of them")
    figure = Figure(layout="constrained", figsize=(19, 8.5))
    figure.get_layout_engine().set(wspace=0.03, h_pad=0.1)                # type: ignore[call-arg, union-attr]
    widths = [len(bars) for bars in panels.values()]
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False, width_ratios=widths)[0]
    for axis, (panel, bars) in zip(axes, panels.items(), strict=True):
        heights = np.array(list(bars.values()))                            # (bars, parts)
        bottoms, totals = np.cumsum(heights, axis=1) - heights, heights.sum(1)
        for i, (part, colour) in enumerate(zip(parts, (COLOURS[5], COLOURS[0], COLOURS[1]), strict=False)):
            axis.bar(range(len(bars)), heights[:, i], 0.82, bottom=bottoms[:, i], color=colour, label=part)
        axis.axhline(level, color=COLOURS[6], linestyle="--")
        for i, total in enumerate(totals):
            axis.text(i, max(total, level) + level * 0.025, f"{total:.0f}", ha="center", fontsize=19,
                      fontweight="bold" if i == totals.argmin() else "normal",
                      color=COLOURS[2] if i == totals.argmin() else "#333333")
        axis.set_xticks(range(len(bars)), [str(k) for k in bars])
        axis.set(xlabel=x)
        axis.set_title(panel)
    axes[0].set_ylabel("bits per image")
    axes[0].set_ylim(0, max([level, *(sum(bar) for bars in panels.values() for bar in bars.values())]) * 1.1)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend([*handles, axes[0].lines[0]], [*labels, level_name], loc="outside lower center", ncols=len(parts) + 1,
                  fontsize=22)
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def embeddings(panels: Mapping[str, Any], places: Any, *, cyclic: bool = False, ways: Mapping[str, Any] | None = None,
               images: Mapping[int, Any] | None = None, place: str = "", title: str = "") -> Figure:
    """The same points in several spaces, panel -> (N, 2) or (N, 3), coloured by their places (N,) on the manifold.

    `ways`, name -> points (T, 3), are lines in the panels in space. `images`, index -> picture, are drawn beside these
    points in the flat panels. `place` names the colours; `cyclic` ones are for angles in degrees. Raises InputError for
    points of other dimensions.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    points = {name: on_host(p) for name, p in panels.items()}
    places = on_host(places)
    if any(p.ndim != 2 or p.shape[1] not in (2, 3) or len(p) != len(places) for p in points.values()):
        raise InputError(f"embeddings: each panel has a point for each of {len(places)} places, (N, 2) or (N, 3), not "
                         f"{[p.shape for p in points.values()]}")
    columns = len(points) if len(points) < 4 else 2
    rows = -(-len(points) // columns)
    figure = Figure(layout="constrained", figsize=(7.2 * columns + 1.4, 6.6 * rows + 1.0))
    palette = _CYCLIC if cyclic else _PLAIN
    shades = Normalize(0, 360) if cyclic else Normalize(places.min(), places.max())
    axes = []
    for i, (name, p) in enumerate(points.items()):
        if p.shape[1] == 3:
            axis: Any = figure.add_subplot(rows, columns, i + 1, projection="3d", computed_zorder=False)
            axis.view_init(elev=12, azim=-72)
            axis.set(xticks=[], yticks=[], zticks=[])
            axis.set_box_aspect(np.ptp(p, axis=0), zoom=1.15)
            for j, (way, line) in enumerate((ways or {}).items()):
                line = on_host(line)
                axis.plot(*line.T, color=COLOURS[1 - j % 2], linewidth=6, zorder=5)
                axis.text2D(0.5, 0.0 - 0.07 * j, way, transform=axis.transAxes, color=COLOURS[1 - j % 2], ha="center",
                            fontsize=22)
        else:
            axis = figure.add_subplot(rows, columns, i + 1)
            axis.set(xticks=[], yticks=[])
            axis.margins(0.16 if images else 0.05)
            _pictures_beside(axis, p, images or {})
        axis.scatter(*p.T, c=places, cmap=palette, norm=shades, s=45, linewidths=0, zorder=3,
                     alpha=0.7 if ways and p.shape[1] == 3 else 1.0)
        axis.set_title(name)
        axes.append(axis)
    bar = figure.colorbar(ScalarMappable(shades, palette), ax=axes, label=place, pad=0.01, aspect=28)
    bar.outline.set_visible(False)
    if cyclic:
        bar.set_ticks([0, 90, 180, 270, 360])
    else:
        bar.set_ticks([])
    figure.suptitle(title, fontsize=28)
    return figure


def _pictures_beside(axis: Any, points: np.ndarray, images: Mapping[int, Any]) -> None:
    """Small pictures, each tied to its point: the first half outside of it, the others towards the points' middle."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    middle, spread = (points.max(0) + points.min(0)) / 2, np.ptp(points, axis=0)
    for i, (index, image) in enumerate(images.items()):
        away = (points[index] - middle) / spread
        away = away / (np.linalg.norm(away) or 1.0) * (42 if 2 * i < len(images) else -42)
        image = np.squeeze(on_host(image))
        box = AnnotationBbox(OffsetImage(image, zoom=46 / len(image), cmap="gray", clim=(0, 1)), points[index],
                             xybox=tuple(away), boxcoords="offset points", frameon=False, pad=0,
                             arrowprops={"arrowstyle": "-", "color": "#999999"})
        axis.add_artist(box)


@styled
def walk(images: Mapping[str, Any], codes: Any, places: Any, here: Any, *, title: str = "") -> Figure:
    """A step of a walk: large pictures, name -> (H, W), and where it is, `here` (2,), among the codes (N, 2).

    `places` (N,), angles in degrees, colour the codes. The pictures of all steps make a film.
    """
    from matplotlib.figure import Figure

    codes = on_host(codes)
    if codes.shape != (len(on_host(places)), 2):
        raise InputError(f"walk: the codes are points (N, 2) with a place each, not {codes.shape} and "
                         f"{np.shape(places)}")
    figure = Figure(layout="constrained", figsize=(18, 7))
    axes = figure.subplots(1, len(images) + 1)
    for axis, (name, image) in zip(axes, images.items(), strict=False):
        axis.imshow(np.squeeze(on_host(image)), cmap="gray", vmin=0, vmax=1)
        axis.axis("off")
        axis.set_title(name)
    axes[-1].scatter(*codes.T, c=places, cmap=_CYCLIC, vmin=0, vmax=360, s=60, linewidths=0)
    axes[-1].plot(*on_host(here), "o", color="black", markersize=26, markeredgecolor="white", markeredgewidth=3)
    axes[-1].set(xticks=[], yticks=[], box_aspect=1)
    axes[-1].set_title("the code")
    figure.suptitle(title, fontsize=28)
    return figure
