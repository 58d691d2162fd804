"""Images in folders: PNG and JPEG files, a folder for each class, or all in one folder without labels."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minidl.data.dataset import Dataset, divided
from minidl.data.places import expanded, unreadable
from minidl.errors import InputError
from minidl.randomness import Seed
from minidl.rows import check_choice

READ = (".png", ".jpg", ".jpeg", ".jfif")
NOT_READ = (".bmp", ".gif", ".heic", ".pgm", ".ppm", ".svg", ".tif", ".tiff", ".webp")
LUMA = np.array([0.299, 0.587, 0.114])          # of red, green and blue in grey: ITU-R BT.601, as JPEG has it
ORIENTATION = 0x0112                            # the EXIF tag that says which side of the stored image is up


def folder(path: str | os.PathLike[str], *, size: int | tuple[int, int] | None = None, grey: bool | None = None,
           test: float = 0.0, rng: Seed | None = None) -> Dataset:
    """The PNG and JPEG images in a folder, as a Dataset: float32 in [0, 1], (N, H, W, C).

    Where `path` holds folders, each of them is a class: `classes` are their names, sorted, and the labels the places
    among them. Where it holds images there are no labels. Images come in the order of their names; hidden files and
    files that are no images are passed over.

    `size`, H = W or (H, W), brings images to one size: the largest part from the middle that has its proportions is
    cut out and averaged by area, or enlarged. `grey=True` makes grey images, C = 1, `grey=False` colour, C = 3; by
    default they are grey if all files are. Images stand upright as cameras noted it (EXIF), transparent ones are laid
    on white, and 16 bits a number are kept. `test` is the share of images that become the test part, as evenly from
    all classes as it goes, drawn from `rng`, an int, a Generator or a RandomStream; without it there are none.

    Raises InputError for a folder that cannot be read, holds no images, or images beside folders or folders in the
    folder of a class; for a class without images; for images of other formats; for a damaged image; for images of
    different sizes without `size`.
    """
    place = expanded(path)
    wanted = _checked_size(size)
    if grey is not None:
        check_choice("folder", "grey", grey, (False, True))
    files, labels, classes = _classes(place)
    train, held = divided("folder", len(files), labels, test, rng)
    if grey is None:
        grey = all(map(_is_grey, files))
    x = _read([files[i] for i in (*train, *held)], wanted, 1 if grey else 3)
    y_train, y_test = (None, None) if labels is None else (labels[train], labels[held])
    return Dataset(place.resolve().name, x[:len(train)], y_train, x[len(train):], y_test,
                   f"{len(files)} images in {place}", classes)


def _checked_size(size: Any) -> tuple[int, int] | None:
    pair = (size, size) if isinstance(size, int | np.integer) else size
    if pair is None:
        return None
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(
            isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in pair):
        raise InputError(f"folder: size is a whole number of at least 1, or two, (height, width), not {size!r}")
    return int(pair[0]), int(pair[1])


def _classes(place: Path) -> tuple[list[Path], np.ndarray | None, tuple[str, ...]]:
    """The files, their labels and the names of the classes."""
    files, folders = _listed(place)
    if files and folders:
        raise InputError(f"{place} holds images ({files[0].name}) beside folders ({folders[0].name}); it takes images "
                         "alone, or a folder for each class")
    if not folders:
        if not files:
            raise InputError(f"{place} holds no PNG or JPEG images and no folders of them")
        return files, None, ()
    labels = []
    for label, of_class in enumerate(folders):
        inside, deeper = _listed(of_class)
        if deeper:
            raise InputError(f"{of_class} holds a folder ({deeper[0].name}), where a class has images alone; if the "
                             f"classes are in {of_class.name}, give that path: data.folder({str(of_class)!r})")
        if not inside:
            raise InputError(f"{of_class} holds no PNG or JPEG images: a class without examples; remove the folder")
        files += inside
        labels += [label] * len(inside)
    return files, np.array(labels, np.int64), tuple(folder.name for folder in folders)


def _listed(place: Path) -> tuple[list[Path], list[Path]]:
    """The images and the folders in a folder, by name."""
    try:
        names = sorted(name for name in os.listdir(place) if not name.startswith((".", "__MACOSX")))
    except OSError as error:
        raise unreadable(place, error) from None
    folders = [place / name for name in names if os.path.isdir(place / name)]
    files = [place / name for name in names if not os.path.isdir(place / name)]
    if other := next((file for file in files if file.suffix.lower() in NOT_READ), None):
        raise InputError(f"{other} is an image of a format that is not read; save it as PNG or JPEG, or remove it")
    return [file for file in files if file.suffix.lower() in READ], folders


def _read(files: Sequence[Path], size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """The images in one array, (N, H, W, C)."""
    first = _image(files[0], size, channels)
    x = np.empty((len(files), *first.shape), np.float32)
    x[0] = first
    for i, file in enumerate(files[1:], 1):
        image = _image(file, size, channels)
        if image.shape != first.shape:
            (h, w, _), (h_first, w_first, _) = image.shape, first.shape
            raise InputError(f"{file} has {h} x {w} pixels, {files[0]} has {h_first} x {w_first}; "
                             "size=(height, width) brings all to one size")
        x[i] = image
    return x


def _image(file: Path, size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """One image, upright: (H, W, channels)."""
    x, orientation = _levels(file)
    if x.shape[2] in (2, 4):
        x, alpha = x[..., :-1], x[..., -1:]
        x = x * alpha + (1 - alpha)
    if x.shape[2] != channels:          # in float64 a grey that is stored as three equal colours stays the same number
        x = (x.astype(np.float64) @ LUMA).astype(np.float32)[..., None] if channels == 1 else np.repeat(x, 3, axis=2)
    # The eight orientations: exchange of rows and columns first, then mirroring.
    if orientation in (5, 6, 7, 8):
        x = x.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        x = x[::-1]
    if orientation in (2, 3, 6, 7):
        x = x[:, ::-1]
    return x if size is None or x.shape[:2] == size else _resized(x, size)


def _resized(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle part of x with the proportions of `size`, averaged by area."""
    h, w, c = x.shape
    scale = min(h / size[0], w / size[1])                                        # pixels of x to one of the result
    down, right = _areas(h, size[0], scale), _areas(w, size[1], scale)           # (H', H), (W', W)
    rows = (down @ x.reshape(h, w * c)).reshape(size[0], w, c)
    return np.clip(right @ rows, 0.0, 1.0)                                       # rounding may have left [0, 1]


def _areas(n: int, m: int, scale: float) -> np.ndarray:
    """What share of each of m cells, `scale` long and in the middle of n pixels, lies on each pixel: (m, n)."""
    start = (n - m * scale) / 2 + scale * np.arange(m)[:, None]
    pixel = np.arange(n)
    overlap = np.minimum(start + scale, pixel + 1) - np.maximum(start, pixel)
    return (np.clip(overlap, 0.0, None) / scale).astype(np.float32)


def _levels(file: Path) -> tuple[np.ndarray, int]:
    """The numbers of an image in [0, 1], (H, W, C): grey, grey and alpha, colour, or colour and alpha; its orientation.

    Of a PNG's colours of 16 bits Pillow keeps the high bytes; told that the file's byte order is the other one, it
    keeps the low ones.
    """
    with _opened(file) as image:
        image.verify()                                      # a PNG's checksums, at which decoding does not look
    with _opened(file) as image:
        stored = _stored(image)
        if stored in ("RGB;16B", "RGBA;16B"):
            low = _other_bytes(file, stored.replace("16B", "16L"))
            levels = np.asarray(image).astype(np.uint16) * 256 + low
        elif stored == "LA;16B":                            # four bytes a pixel, as RGBA has them
            levels = _other_bytes(file, "RGBA").view(">u2")
        elif image.mode.startswith("I"):                    # grey of 16 bits
            levels = np.asarray(image).astype(np.uint16)[..., None]
        else:
            mode = {"1": "L", "P": "RGB", "CMYK": "RGB"}.get(image.mode, image.mode)
            alpha = "A" if "transparency" in image.info and mode in ("L", "RGB") else ""
            levels = np.asarray(image.convert(mode + alpha))
        orientation = image.getexif().get(ORIENTATION, 1)
    levels = levels if levels.ndim == 3 else levels[..., None]
    return np.divide(levels, np.float32(np.iinfo(levels.dtype).max), dtype=np.float32), orientation


def _other_bytes(file: Path, stored: str) -> np.ndarray:
    """The bytes that Pillow hands out if it is told that the numbers are stored in another way."""
    with _opened(file) as image:
        image.tile = [(*image.tile[0][:3], stored)]
        return np.asarray(image)


def _is_grey(file: Path) -> bool:
    with _opened(file) as image:
        return image.mode in ("1", "L", "LA") or image.mode.startswith("I") or _stored(image) == "LA;16B"


def _stored(image: Any) -> str:
    """How a PNG's numbers are stored, in Pillow's words."""
    return image.tile[0][3] if image.format == "PNG" else ""


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """An image file; what goes wrong within the block is the file's fault."""
    from PIL import Image
    try:
        with open(file, "rb") as raw, Image.open(raw, formats=("PNG", "JPEG")) as image:
            yield image
    except InputError:
        raise
    except Image.UnidentifiedImageError:
        raise InputError(f"{file} is no PNG or JPEG image, whatever its name says, or its first bytes are "
                         "damaged") from None
    except OSError as error:
        if error.errno is not None:
            raise unreadable(file, error) from None
        raise InputError(f"{file} is damaged or truncated ({error})") from None
    except Exception as error:          # damaged bytes make Pillow's decoders raise of everything
        raise InputError(f"{file} is damaged ({type(error).__name__}: {error})") from None
