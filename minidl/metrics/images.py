"""Sets of images, as the measures take them: floats of shape (N, H, W, C), and two sets of one kind."""
from __future__ import annotations

from typing import Any

from minidl.arguments import plain_array
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.rows import array_of, rows_of_floats


def images_of_floats(name: str, images: Any) -> Array:
    """Images (N, H, W, C), or (N, H, W) for one channel, as float32 or float64 of shape (N, H, W, C).

    Raises InputError, in `name`'s name, for another shape, no images, and values that are not finite.
    """
    images = plain_array(name, array_of(images))
    if images.ndim not in (3, 4) or not images.size:
        raise InputError(f"{name}: images have the shape (N, H, W, C), or (N, H, W) if they are grey, not "
                         f"{images.shape!r:.60}; rows become images by x.reshape(-1, 28, 28)")
    shape = images.shape if images.ndim == 4 else (*images.shape, 1)
    images = rows_of_floats(name, images.reshape(len(images), -1)).reshape(shape)
    if not backend_of(images).xp.isfinite(images).all():
        raise InputError(f"{name}: the images hold values that are not finite; replace or drop them")
    return images


def check_alike(name: str, a: Array, b: Array) -> None:
    """Raise InputError unless both sets (N, H, W, C) have images of one size, on one device."""
    if a.shape[1:] != b.shape[1:]:
        raise InputError(f"{name}: both sets have images of one height, width and number of channels, not "
                         f"{a.shape[1:]} and {b.shape[1:]}; md.interpolate brings them to one size")
    if backend_of(a) is not backend_of(b):
        raise InputError(f"{name}: the images are on {backend_of(a).name!r} and {backend_of(b).name!r}; bring them "
                         "together with Device(...).put(images)")
