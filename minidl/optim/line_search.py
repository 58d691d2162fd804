"""The line search of quasi-Newton methods: how far to go along a direction.

Source: J. Nocedal and S. Wright, "Numerical optimization", 2006, section 3.5.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from minidl.backend import Array

_C1, _C2 = 1e-4, 0.9       # how much the loss, and how much its slope, must have fallen


class Point(NamedTuple):
    """A place x + t d on the line: the loss, its slope along d, and the gradient there."""

    t: float
    loss: float
    slope: float
    gradient: Array


def strong_wolfe(at: Callable[[float], Point], start: Point, t: float, *, evaluations: int,
                 narrowest: float) -> tuple[Point, int]:
    """A point whose loss has fallen enough and whose slope is flat enough, and how often the loss was evaluated.

    The strong Wolfe conditions: loss <= start.loss + c1 t start.slope, and |slope| <= c2 |start.slope|. First the step
    grows until such points lie between two others (algorithm 3.5), then that interval shrinks (3.6). The lowest point
    so far is returned when the evaluations are used up or the interval is narrower than `narrowest`; it may be `start`.
    """
    def too_high(point: Point) -> bool:
        return not point.loss <= start.loss + _C1 * point.t * start.slope          # a NaN is too high

    low, point, count = start, at(t), 1
    while not too_high(point) and point.loss < low.loss:
        if abs(point.slope) <= -_C2 * start.slope or count >= evaluations:
            return point, count
        if point.slope >= 0.0:
            low, point = point, low
            break
        t = _cubic_minimum(low, point, point.t + 0.01 * (point.t - low.t), 10.0 * point.t)
        low, point, count = point, at(t), count + 1
    return _zoom(at, start, low, point, too_high, count, evaluations, narrowest)


def _zoom(at: Callable[[float], Point], start: Point, low: Point, high: Point, too_high: Callable[[Point], bool],
          count: int, evaluations: int, narrowest: float) -> tuple[Point, int]:
    """Algorithm 3.6: points that satisfy the conditions lie between `low`, the lowest point so far, and `high`."""
    near_an_end = False
    while count < evaluations and abs(high.t - low.t) > narrowest:
        left, right = min(low.t, high.t), max(low.t, high.t)
        t, margin = _cubic_minimum(low, high, left, right), 0.1 * (right - left)
        # A minimum at an end of the interval, or twice in a row near one, would hardly shrink it.
        if min(t - left, right - t) < margin:
            if near_an_end or not left < t < right:
                t, near_an_end = (right - margin if right - t < t - left else left + margin), False
            else:
                near_an_end = True
        else:
            near_an_end = False
        point, count = at(t), count + 1
        if too_high(point) or point.loss >= low.loss:
            high = point
        else:
            if abs(point.slope) <= -_C2 * start.slope:
                return point, count
            if point.slope * (high.t - low.t) >= 0.0:
                high = low
            low = point
    return low, count


def _cubic_minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Where the cubic with both points' losses and slopes has its minimum, within limits (equation 3.59).

    The middle of the limits if it has none, or if one of the losses is not finite.
    """
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not 0.0 <= square < math.inf:
        return (least + most) / 2.0
    d2 = math.sqrt(square)
    bend = b.slope - a.slope + 2.0 * d2
    if not bend:
        return (least + most) / 2.0
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bend), least), most)
