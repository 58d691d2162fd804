"""From the files of each data set to its arrays: x_train, y_train, x_test, y_test as they are stored (0..255).

Each reader takes the paths in the order in which `sets.py` lists the files. All raise InputError for a file that is
not what its name says.
"""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from minidl.data.dataset import Arrays
from minidl.data.idx import read_idx
from minidl.data.mat5 import read_mat5
from minidl.data.pickles import read_pickle
from minidl.data.places import unreadable
from minidl.errors import InputError

CIFAR_RECORD = 1 + 3 * 32 * 32      # a label, then the red, the green and the blue plane, row by row
CIFAR_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")


def read_mnist(paths: Sequence[Path]) -> Arrays:
    """MNIST and Fashion-MNIST: train images, train labels, test images, test labels."""
    x_train, y_train, x_test, y_test = (read_idx(path) for path in paths)
    for x, y, path in ((x_train, y_train, paths[0]), (x_test, y_test, paths[2])):
        _check(path, "images", x, (len(y), 28, 28))
    for y, path in ((y_train, paths[1]), (y_test, paths[3])):
        _check_labels(path, y)
    return x_train, y_train, x_test, y_test


def read_cifar_folder(paths: Sequence[Path]) -> Arrays:
    """CIFAR-10's official binary version: data_batch_1.bin to data_batch_5.bin, test_batch.bin."""
    return _cifar_binary((str(path), _bytes(path)) for path in paths)


def read_cifar_archive(paths: Sequence[Path]) -> Arrays:
    """The same files within cifar-10-binary.tar.gz; nothing is unpacked to disk."""
    wanted = [f"cifar-10-batches-bin/{name}.bin" for name in (*CIFAR_BATCHES, "test_batch")]
    return _cifar_binary(_members(paths[0], wanted, CIFAR_RECORD * 10_000, "binary"))


def read_cifar_python_folder(paths: Sequence[Path]) -> Arrays:
    """CIFAR-10's Python version: data_batch_1 to data_batch_5, test_batch, pickled by Python 2."""
    return _cifar_python((str(path), _bytes(path)) for path in paths)


def read_cifar_python_archive(paths: Sequence[Path]) -> Arrays:
    """The same files within cifar-10-python.tar.gz; nothing is unpacked to disk."""
    wanted = [f"cifar-10-batches-py/{name}" for name in (*CIFAR_BATCHES, "test_batch")]
    return _cifar_python(_members(paths[0], wanted, 2 * CIFAR_RECORD * 10_000, "Python"))


def _members(path: Path, wanted: Sequence[str], largest: int, version: str) -> Iterator[tuple[str, bytes]]:
    """The wanted files of an archive, in that order, with the names that messages give them."""
    import tarfile
    import zlib
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.name.removeprefix("./") in wanted and member.isfile():
                    # One byte more than fits shows a file that is too long, without reading all of it.
                    file = archive.extractfile(member)
                    found[member.name.removeprefix("./")] = file.read(largest + 1) if file else b""
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged or truncated ({error}); fetch it again") from None
    except OSError as error:
        raise unreadable(path, error) from None
    if missing := [name for name in wanted if name not in found]:
        raise InputError(f"{path} does not hold {missing[0]}: it is not CIFAR-10's {version} version")
    for name in wanted:
        yield f"{path}: {name}", found[name]


def _cifar_binary(files: Iterable[tuple[str, bytes]]) -> Arrays:
    parts = []
    for name, data in files:
        if not data or len(data) % CIFAR_RECORD:
            raise InputError(f"{name} is truncated or no CIFAR-10 batch: its {len(data)} bytes are not a multiple of "
                             f"{CIFAR_RECORD}, the size of an image with its label")
        table = np.frombuffer(data, np.uint8).reshape(-1, CIFAR_RECORD)
        _check_labels(name, table[:, 0])
        parts.append((table[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), table[:, 0]))
    return _train_and_test(parts)


def _cifar_python(files: Iterable[tuple[str, bytes]]) -> Arrays:
    parts = []
    for name, data in files:
        batch = read_pickle(data, name)
        if not isinstance(batch, dict) or not {"data", "labels"} <= batch.keys():
            has = ", ".join(key for key in batch if isinstance(key, str)) if isinstance(batch, dict) else "no dict"
            raise InputError(f"{name} is no CIFAR-10 batch: it holds {has:.100}, not 'data' and 'labels'")
        x, y = batch["data"], batch["labels"]
        if not isinstance(y, list) or not all(type(label) is int and 0 <= label <= 9 for label in y):
            raise InputError(f"{name}: the labels must be a list of whole numbers from 0 to 9")
        if not isinstance(x, np.ndarray) or x.dtype != np.uint8 or x.shape != (len(y), CIFAR_RECORD - 1) or not y:
            raise InputError(f"{name}: the data must be bytes of shape ({len(y)}, {CIFAR_RECORD - 1}), a row for each "
                             f"label, they are {getattr(x, 'dtype', type(x).__name__)} of shape "
                             f"{getattr(x, 'shape', None)}")
        parts.append((x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(y, np.uint8)))
    return _train_and_test(parts)


def _train_and_test(parts: list[tuple[np.ndarray, np.ndarray]]) -> Arrays:
    """The last part is the test set, all others together are the training set."""
    *train, (x_test, y_test) = parts
    return np.concatenate([x for x, _ in train]), np.concatenate([y for _, y in train]), x_test, y_test


def read_cifar_lossless(paths: Sequence[Path]) -> Arrays:
    """The first 164 images of each official batch, exact: 820 to train, 164 to test."""
    keys = [f"{batch}_{part}" for batch in (*CIFAR_BATCHES, "test_batch") for part in "xy"]
    arrays = read_npz(paths[0], *keys)
    return _train_and_test([_cifar_pair(paths[0], x, y) for x, y in zip(arrays[::2], arrays[1::2], strict=True)])


def read_cifar_decoded(paths: Sequence[Path]) -> Arrays:
    """4000 images to train and 1000 to test, decoded from JPEG."""
    return _train_and_test([_cifar_pair(path, *read_npz(path, "x", "y")) for path in paths])


def read_cifar_jpeg(paths: Sequence[Path]) -> Arrays:
    """All 60,000 images as JPEG bytes, which Pillow decodes."""
    x_train, x_test = (_decoded(paths[0], *read_npz(paths[0], f"{part}_jpeg", f"{part}_offsets"))
                       for part in ("train", "test"))
    y_train, y_test = read_npz(paths[0], "train_labels", "test_labels")
    return _train_and_test([_cifar_pair(paths[0], x_train, y_train), _cifar_pair(paths[0], x_test, y_test)])


def _decoded(path: Path, data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    import io

    from PIL import Image
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) < 2 or data.dtype != np.uint8:
        raise InputError(f"{path} is damaged: its offsets or its JPEG bytes have another shape or type")
    x = np.empty((len(offsets) - 1, 32, 32, 3), dtype=np.uint8)
    try:
        for i, (start, end) in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
            with Image.open(io.BytesIO(data[start:end].tobytes())) as image:
                if image.size != (32, 32) or image.mode != "RGB":
                    raise ValueError(f"it is {image.size}, {image.mode}")
                x[i] = np.asarray(image)
    # What Pillow raises for bytes that are no image, or a suspiciously large one
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is damaged: image {i} cannot be decoded ({error})") from None
    return x


def _cifar_pair(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _check(path, "images", x, (len(y), 32, 32, 3))
    _check_labels(path, y)
    return x, y


def read_olivetti(paths: Sequence[Path]) -> Arrays:
    """40 persons with 10 faces each; the last two of each person are the test set (320, 80)."""
    x = read_olivetti_matrix(paths[0]).T.reshape(400, 64, 64).transpose(0, 2, 1)      # a column is column-major
    y, number = np.divmod(np.arange(400), 10)
    return x[number < 8], y[number < 8], x[number >= 8], y[number >= 8]


def read_olivetti_matrix(path: Path) -> np.ndarray:
    """The matrix `faces`: uint8 (4096, 400)."""
    return _byte_matrix(path, "faces", (4096, 400))


def read_frey(paths: Sequence[Path]) -> Arrays:
    """1965 frames of a video; neighbours are nearly alike, so the test set is the end of the film (1765, 200)."""
    x, = read_npz(paths[0], "x")
    _check(paths[0], "x", x, (1965, 28, 20))
    return x[:1765], None, x[1765:], None


def read_frey_original(paths: Sequence[Path]) -> Arrays:
    """The same from the original file, where a column is an image, row by row."""
    x = read_frey_matrix(paths[0]).T.reshape(1965, 28, 20)
    return x[:1765], None, x[1765:], None


def read_frey_matrix(path: Path) -> np.ndarray:
    """The matrix `ff`: uint8 (560, 1965)."""
    return _byte_matrix(path, "ff", (560, 1965))


def read_horses(paths: Sequence[Path]) -> Arrays:
    """328 silhouettes of horses, 0 or 1; every twelfth is a test image (300, 28)."""
    x, = read_npz(paths[0], "masks32")
    _check(paths[0], "masks32", x, (328, 32, 32))
    if x.max() > 1:
        raise InputError(f"{paths[0]}: the masks must be 0 or 1, there is a {x.max()}")
    test = np.arange(328) % 12 == 0
    return x[~test], None, x[test], None


def read_npz(path: Path, *keys: str) -> list[np.ndarray]:
    """The arrays of a `.npz` file, never unpickling. Raises InputError if one is missing or the file is damaged."""
    import zipfile
    import zlib
    try:
        # Not np.load: it takes other formats too, and leaves a damaged file open.
        with open(path, "rb") as raw, np.lib.npyio.NpzFile(raw, allow_pickle=False) as file:
            if missing := [key for key in keys if key not in file.files]:
                raise InputError(f"{path} has no array {missing[0]!r}, only {', '.join(file.files) or 'none at all'}")
            arrays = [file[key] for key in keys]
            if not all(isinstance(array, np.ndarray) for array in arrays):
                raise InputError(f"{path} holds files that are no arrays")
            return arrays
    except InputError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:
        if "pickle" in str(error):
            raise InputError(f"{path} holds Python objects; minidl reads arrays of numbers alone and unpickles "
                             "nothing") from None
        raise InputError(f"{path} is no .npz file, or it is damaged ({error})") from None
    except (EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError) as error:
        raise InputError(f"{path} is no .npz file, or it is damaged ({error or type(error).__name__})") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def _byte_matrix(path: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A matrix of bytes, whatever type MATLAB saved it in."""
    matrix = read_mat5(path, name)
    if matrix.shape != shape or matrix.min() < 0 or matrix.max() > 255 or (matrix != np.trunc(matrix)).any():
        raise InputError(f"{path}: {name!r} must be {shape} of whole numbers from 0 to 255, it is {matrix.shape} "
                         f"of {matrix.dtype}")
    return matrix.astype(np.uint8)


def _check(path: Path, what: str, x: np.ndarray, shape: tuple[int, ...]) -> None:
    if x.shape != shape or x.dtype != np.uint8:
        raise InputError(f"{path}: the {what} must be bytes of shape {shape}, they are {x.dtype} of shape {x.shape}")


def _check_labels(path: str | os.PathLike[str], y: np.ndarray) -> None:
    if y.ndim != 1 or y.dtype != np.uint8 or len(y) == 0:
        raise InputError(f"{path}: the labels must be a row of bytes, they are {y.dtype} of shape {y.shape}")
    if y.max() > 9:
        i = int(np.argmax(y > 9))
        raise InputError(f"{path}: label {i} is {y[i]}; there are ten classes, 0 to 9")
