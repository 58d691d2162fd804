"""The catalogue of data sets: where each one's files lie, who made it, which mirrors have it."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minidl.data import embedded, readers
from minidl.data.dataset import Arrays, Dataset, from_arrays
from minidl.data.idx import checksum
from minidl.data.places import data_folders, expanded, find
from minidl.errors import InputError


@dataclass(frozen=True)
class Source:
    """One form in which a set may lie in a data folder."""

    files: tuple[str, ...]                              # relative to the data folder
    read: Callable[[Sequence[Path]], Arrays]
    images: int
    note: str = ""                                      # for the credit, where a set has several forms
    needs: str = ""                                     # a package without which the form cannot be read


@dataclass(frozen=True)
class Spec:
    """A data set: its forms, best first, and how to download the first one that can be."""

    shape: tuple[int, ...]
    size: int                                           # bytes, embedded or to download
    credit: str
    sources: tuple[Source, ...]
    classes: tuple[str, ...] = ()                       # their names, in the order of the labels
    scale: float = 255.0
    mirrors: tuple[str, ...] = ()
    checksums: tuple[str, ...] = ()                     # MD5 for each file of `download`
    download: tuple[str, ...] = ()
    matrix: Callable[[Path], object] | None = None      # where the checksum is that of a matrix within the file


class Entry(NamedTuple):
    """A row of `minidl data list`: `size` in bytes, `shape` of an image, `where` a path or how to get the set."""

    name: str
    size: int
    images: int
    shape: tuple[int, ...]
    where: str
    credit: str


def _idx(folder: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{part}-ubyte.gz" for part in
                 ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"))


_CIFAR_BATCHES = (*readers.CIFAR_BATCHES, "test_batch")
_CIFAR_FOLDER = tuple(f"cifar10/cifar-10-batches-bin/{batch}.bin" for batch in _CIFAR_BATCHES)
_NUMERALS = tuple("0123456789")
_NYU = ("https://cs.nyu.edu/~roweis/data/",)

SPECS: dict[str, Spec] = {
    "digits": Spec(
        shape=(8, 8, 1), size=57_523, scale=16.0, classes=_NUMERALS,
        credit="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI; CC BY 4.0",
        sources=(Source((), lambda _: embedded.read_digits(), 1797),)),
    "patches": Spec(
        shape=(8, 8, 1), size=167_953, scale=1.0,
        credit="patches of three photographs in the public domain or CC0 (raccoon; S. van der Walt's cat; gravel)",
        sources=(Source((), lambda _: embedded.read_patches(), 11_000),)),
    "mnist": Spec(
        shape=(28, 28, 1), size=11_594_722, classes=_NUMERALS,
        credit="Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits",
        sources=(Source(_idx("mnist"), readers.read_mnist, 70_000),),
        mirrors=("https://storage.googleapis.com/cvdf-datasets/mnist/",
                 "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        download=_idx("mnist"),
        checksums=("6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
                   "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637")),
    "fashion-mnist": Spec(
        shape=(28, 28, 1), size=30_878_645,
        classes=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
        credit="H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, Zalando SE; MIT",
        sources=(Source(_idx("fashion-mnist"), readers.read_mnist, 70_000),),
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        download=_idx("fashion-mnist"),
        checksums=("f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
                   "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965")),
    "cifar10": Spec(
        shape=(32, 32, 3), size=170_052_171,
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        credit="A. Krizhevsky, Learning multiple layers of features from tiny images, 2009; states no licence",
        sources=(
            Source(_CIFAR_FOLDER, readers.read_cifar_folder, 60_000, "the official binary files, exact"),
            *(Source(tuple(f"{folder}cifar-10-batches-py/{batch}" for batch in _CIFAR_BATCHES),
                     readers.read_cifar_python_folder, 60_000, "the official Python files, exact")
              for folder in ("cifar10/", "")),              # in our place, or where torchvision unpacks them
            *(Source((f"{folder}cifar-10-python.tar.gz",), readers.read_cifar_python_archive, 60_000,
                     "the official Python archive, exact") for folder in ("cifar10/", "")),
            Source(("cifar10/cifar-10-binary.tar.gz",), readers.read_cifar_archive, 60_000,
                   "the official binary archive, exact"),
            Source(("cifar10/cifar10_jpeg_all60000.npz",), readers.read_cifar_jpeg, 60_000,
                   "all images, but as JPEG: lossy", needs="PIL"),
            Source(("cifar10/cifar10_jpegdecoded_train4000.npz", "cifar10/cifar10_jpegdecoded_test1000.npz"),
                   readers.read_cifar_decoded, 5000, "5000 images, decoded from JPEG: lossy"),
            Source(("cifar10/cifar10_lossless_first164_of_each_batch.npz",), readers.read_cifar_lossless, 984,
                   "the first 164 images of each batch, exact")),
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        download=("cifar10/cifar-10-binary.tar.gz",),
        checksums=("c32a1d4ab5d03f1284b67883e8d87530",)),       # as published: of the archive as it is
    "olivetti": Spec(
        shape=(64, 64, 1), size=4_261_047, classes=tuple(f"person {i}" for i in range(40)),
        credit="AT&T Laboratories Cambridge, The ORL database of faces; by way of S. Roweis",
        sources=(Source(("olivetti/olivettifaces.mat",), readers.read_olivetti, 400),),
        mirrors=_NYU, download=("olivetti/olivettifaces.mat",),
        checksums=("c789a708157faad538517a418579ad21",), matrix=readers.read_olivetti_matrix),
    "freyfaces": Spec(
        shape=(28, 20, 1), size=1_100_000,
        credit="B. Frey, frames of a video of his face; by way of S. Roweis; states no licence",
        sources=(
            Source(("freyfaces/freyfaces_1965x28x20_uint8.npz",), readers.read_frey, 1965),
            Source(("freyfaces/frey_rawface.mat",), readers.read_frey_original, 1965)),
        mirrors=_NYU, download=("freyfaces/frey_rawface.mat",),
        checksums=("687b39ec28b56c183474c235686975cf",), matrix=readers.read_frey_matrix),
    "horses": Spec(
        shape=(32, 32, 1), size=37_657, scale=1.0,
        credit="E. Borenstein and S. Ullman, the Weizmann horses: silhouettes, cropped to squares; states no licence",
        sources=(Source(("weizmann_horses/horses_328_masks_bin32.npz",), readers.read_horses, 328),)),
}


def names() -> list[str]:
    """The names of all data sets, those that travel with minidl first."""
    return list(SPECS)


def fetchable() -> list[str]:
    """The names of the sets that can be downloaded: what `minidl data fetch --all` fetches."""
    return [name for name, spec in SPECS.items() if spec.mirrors]


def load(name: str, *, root: str | os.PathLike[str] | None = None) -> Dataset:
    """A data set, from the package or from files in the data folders (or in `root` alone, if it is given).

    | name | to train + to test | division |
    |---|---|---|
    | digits | 1437 + 360, 8x8 | ours: every fifth row after sorting by label |
    | patches | 10000 + 1000, 8x8 | ours: drawn with a fixed seed, from the same pictures |
    | mnist, fashion-mnist | 60000 + 10000, 28x28 | theirs |
    | cifar10 | 50000 + 10000, 32x32x3 | theirs; see below |
    | olivetti | 320 + 80, 64x64 | ours: the last two of each person's ten faces |
    | freyfaces | 1765 + 200, 28x20 | ours: the end of the film |
    | horses | 300 + 28, 32x32 | ours: every twelfth, beginning with the first |

    CIFAR-10 is read from the best that is there: the official binary or Python files (`cifar10/cifar-10-batches-py/`,
    or that folder itself), their archives, all images as JPEG (if Pillow is there to decode them), 4000 + 1000 images
    decoded from JPEG, 820 + 164 exact images. `credit` says which it was; nothing is unpickled but arrays, strings and
    numbers. As float32 its 60,000 images take 737 MB.

    Raises InputError for an unknown name (with the nearest ones), for a set that is not here (with the folders that
    were searched and the command that fetches it), for files that are damaged, and for one that is another set's.
    """
    spec = _spec(name)
    folders = [expanded(root)] if root is not None else data_folders()
    found = _find(spec, folders)
    if found is None:
        raise InputError(_not_here(name, spec, folders))
    source, paths = found
    credit = f"{spec.credit} [{source.note}]" if source.note else spec.credit
    arrays = source.read(paths)
    if source.read is readers.read_mnist:
        _check_whose(spec, paths, arrays)
    return from_arrays(name, arrays, spec.scale, credit, spec.classes)


def where(name: str) -> Path | None:
    """The folder with the set's files (within the package for an embedded set); None if it is not here.

    Raises InputError for an unknown name.
    """
    found = _find(_spec(name), data_folders())
    return found and _place(found[1])


def catalogue() -> list[Entry]:
    """One row for each data set. Nothing is read: only the files' presence is looked at."""
    rows = []
    folders = data_folders()
    for name, spec in SPECS.items():
        found = _find(spec, folders)
        source = found[0] if found else spec.sources[0]
        if found:
            place = str(_place(found[1])) if found[1] else "in minidl"
        else:
            place = f"not here: {_remedy(name, spec)}"
        credit = f"{spec.credit} [{source.note}]" if found and source.note else spec.credit
        rows.append(Entry(name, spec.size, source.images, spec.shape, place, credit))
    return rows


def fetch(name: str, *, progress: bool = True) -> Path:
    """Download a set into the user's cache, unless it is here in a form as good already; returns its folder.

    What an earlier attempt left is resumed, and files in the cache with a wrong checksum are replaced. Raises
    InputError as `download` does, and for a set that has no mirror.
    """
    from minidl.data.download import download, holds
    spec = _spec(name)
    folders = data_folders()
    *elsewhere, cache = folders
    for source in spec.sources:         # best first: those up to the download itself make it needless
        original = source.files == spec.download
        if (paths := find(source.files, elsewhere if original else folders)) is not None:
            return _place(paths)
        if original:
            break
    if not spec.sources[0].files:
        return embedded.FILES           # it comes with the package
    if not spec.mirrors:
        raise InputError(f"{name} cannot be downloaded: {_remedy(name, spec)}")
    content = _matrix_bytes(spec.matrix) if spec.matrix else None
    for file, md5 in zip(spec.download, spec.checksums, strict=True):
        target = cache / file
        if not holds(target, md5=md5, content=content):
            urls = [mirror + target.name for mirror in spec.mirrors]
            download(urls, target, md5=md5, progress=progress, content=content)
    return (cache / spec.download[0]).parent


def _matrix_bytes(read: Callable[[Path], object]) -> Callable[[Path], Iterator[bytes]]:
    """The bytes of a file's matrix, column by column: they are the same however MATLAB wrapped or compressed it."""
    def content(path: Path) -> Iterator[bytes]:
        yield read(path).tobytes(order="F")     # type: ignore[attr-defined]
    return content


def _spec(name: str) -> Spec:
    import difflib
    if not isinstance(name, str) or name not in SPECS:
        near = difflib.get_close_matches(str(name).lower(), SPECS, n=2, cutoff=0.5)
        guess = f"; did you mean {' or '.join(near)}?" if near else ";"
        raise InputError(f"there is no data set {name!r}{guess} the sets are {', '.join(SPECS)}")
    return SPECS[name]


def _find(spec: Spec, folders: list[Path]) -> tuple[Source, list[Path]] | None:
    """The best form of the set that can be read here; a better form in a later folder wins."""
    from importlib.util import find_spec
    for source in spec.sources:
        if source.needs and find_spec(source.needs) is None:
            continue
        paths = find(source.files, folders)
        if paths is not None:
            return source, paths
    return None


def _check_whose(spec: Spec, paths: list[Path], arrays: Arrays) -> None:
    """MNIST and Fashion-MNIST have the same names and shapes: refuse a file that is known to be another one."""
    known = {md5: (name, file) for name, other in SPECS.items() for md5, file in
             zip(other.checksums, other.download, strict=True)}
    for path, file, array in zip(paths, spec.download, arrays, strict=True):
        name, found = known.get(checksum(np.asarray(array)), (None, file))
        if found != file:
            raise InputError(f"{path} is a file of {name}, the one that belongs at {found}; put it there, and {file} "
                             "here")


def _place(paths: list[Path]) -> Path:
    return paths[0].parent if paths else embedded.FILES


def _not_here(name: str, spec: Spec, folders: list[Path]) -> str:
    searched = ", ".join(str(folder) if os.path.isdir(folder) else f"{folder} (no such folder)" for folder in folders)
    files = spec.sources[0].files
    missing = next((file for file in files if not find((file,), folders)), files[0])
    return f"{name} is not here: looked for {missing} in {searched}; to get it: {_remedy(name, spec)}"


def _remedy(name: str, spec: Spec) -> str:
    if spec.mirrors:
        return f"minidl data fetch {name}"
    return f"no download is known, put {spec.sources[0].files[0]} into a folder that MINIDL_DATA names"
