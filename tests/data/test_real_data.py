"""The real files, where MINIDL_DATA has them: the numbers that are published for them, or known of them."""
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

import minidl.data as data
from minidl.data.places import find
from minidl.data.sets import SPECS


def real(*files):
    """The paths of files in MINIDL_DATA; skips the test, naming them, where they are absent."""
    folders = [Path(folder) for folder in os.environ.get("MINIDL_DATA", "").split(os.pathsep) if folder]
    paths = find(files, folders)
    if paths is None:
        pytest.skip(f"MINIDL_DATA has no {files[0]}")
    return paths


MNIST_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.mark.parametrize(("name", "counts", "mean", "sd"), [
    ("mnist", MNIST_COUNTS, 0.1307, 0.3081),
    ("fashion-mnist", [6000] * 10, 0.2860, 0.3530),
])
def test_mnist_and_fashion_mnist_are_what_is_published(name, counts, mean, sd):
    real(*SPECS[name].download)
    dataset = data.load(name)
    assert dataset.x_train.shape == (60_000, 28, 28, 1) and dataset.x_test.shape == (10_000, 28, 28, 1)
    assert dataset.x_train.dtype == np.float32 and dataset.x_train.max() == 1
    assert np.bincount(dataset.y_train).tolist() == counts and len(dataset.y_test) == 10_000
    # By blocks, since all pixels as float64 would take 376 MB.
    average = np.mean([block.mean(dtype=np.float64) for block in np.split(dataset.x_train, 60)])
    variance = np.mean([np.square(block - average, dtype=np.float64).mean() for block in np.split(dataset.x_train, 60)])
    assert (round(average, 4), round(np.sqrt(variance), 4)) == (mean, sd)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "olivetti"])
def test_the_catalogues_checksums_are_those_of_the_real_files(name):
    from minidl.data.download import holds
    from minidl.data.sets import _matrix_bytes
    spec = SPECS[name]
    for path, md5 in zip(real(*spec.download), spec.checksums, strict=True):
        if name != "olivetti" and path.suffix != ".gz":
            assert hashlib.md5(path.read_bytes()).hexdigest() == md5
        else:
            assert holds(path, md5=md5, content=_matrix_bytes(spec.matrix) if spec.matrix else None)


def test_olivetti_faces_stand_upright_ten_for_each_person():
    real("olivetti/olivettifaces.mat")
    faces = data.load("olivetti")
    assert faces.x_train.shape == (320, 64, 64, 1) and faces.x_test.shape == (80, 64, 64, 1)
    assert np.bincount(faces.y_train).tolist() == [8] * 40 and np.bincount(faces.y_test).tolist() == [2] * 40
    # Upright, the mean face is nearly its own mirror image; lying on its side it is not.
    mean = faces.x_train.mean(axis=0)[..., 0]
    asymmetry = np.abs(mean - mean[:, ::-1]).mean()
    assert asymmetry < 0.5 * np.abs(mean - mean[::-1]).mean()


@pytest.mark.parity
def test_olivetti_faces_are_read_as_scipy_reads_them():
    scipy_io = pytest.importorskip("scipy.io")
    path, = real("olivetti/olivettifaces.mat")
    from minidl.data.mat5 import read_mat5
    theirs = scipy_io.loadmat(path)["faces"]
    np.testing.assert_array_equal(read_mat5(path, "faces"), theirs)
    faces = data.load("olivetti")
    np.testing.assert_array_equal(np.rint(faces.x_train[0, :, :, 0] * 255), theirs[:, 0].reshape(64, 64, order="F"))


def test_frey_faces_are_a_film_whose_frames_resemble_their_neighbours():
    path, = real("freyfaces/freyfaces_1965x28x20_uint8.npz")
    frey = data.load("freyfaces")
    assert frey.x_train.shape == (1765, 28, 20, 1) and frey.x_test.shape == (200, 28, 20, 1)
    assert frey.y_train is None and frey.y_test is None
    x = frey.x_train
    assert np.abs(x[1:] - x[:-1]).mean() < 0.5 * np.abs(x[200:] - x[:-200]).mean()
    with np.load(path, allow_pickle=False) as file:
        assert hashlib.md5(file["x"].tobytes()).hexdigest() == SPECS["freyfaces"].checksums[0]


def test_frey_faces_from_the_original_layout_are_the_same(tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    path, = real("freyfaces/freyfaces_1965x28x20_uint8.npz")
    with np.load(path, allow_pickle=False) as file:
        columns = file["x"].reshape(1965, 560).T
    (tmp_path / "freyfaces").mkdir()
    scipy_io.savemat(tmp_path / "freyfaces/frey_rawface.mat", {"ff": columns})
    np.testing.assert_array_equal(data.load("freyfaces", root=tmp_path).x_train, data.load("freyfaces").x_train)


def test_horses_are_binary_and_stand_on_their_legs():
    real("weizmann_horses/horses_328_masks_bin32.npz")
    horses = data.load("horses")
    assert horses.x_train.shape == (300, 32, 32, 1) and horses.x_test.shape == (28, 32, 32, 1)
    assert horses.y_train is None and set(np.unique(horses.x_train)) == {0, 1}
    rows = horses.x_train.mean(axis=(0, 2, 3))
    assert rows[12:18].mean() > 1.5 * rows[24:30].mean()        # a body above, legs below


@pytest.mark.parametrize(("files", "shape", "note"), [
    (("cifar10_lossless_first164_of_each_batch.npz",), (820, 164), "exact"),
    (("cifar10_jpegdecoded_train4000.npz", "cifar10_jpegdecoded_test1000.npz"), (4000, 1000), "lossy"),
])
def test_cifar10_is_read_from_the_small_files_of_the_data_folder(tmp_path, files, shape, note):
    (tmp_path / "cifar10").mkdir()
    for path in real(*(f"cifar10/{file}" for file in files)):
        (tmp_path / "cifar10" / path.name).symlink_to(path)
    cifar = data.load("cifar10", root=tmp_path)
    assert (len(cifar.x_train), len(cifar.x_test)) == shape and cifar.x_train.shape[1:] == (32, 32, 3)
    assert note in cifar.credit and set(np.unique(cifar.y_train)) == set(range(10))
    # Colour order: over all pictures red, green and blue have about the published means 0.491, 0.482, 0.447.
    mean = cifar.x_train.mean(axis=(1, 2)).mean(axis=0)
    np.testing.assert_allclose(mean, [0.491, 0.482, 0.447], atol=0.02)


@pytest.mark.slow
def test_cifar10_as_jpeg_has_all_60000_images():
    real("cifar10/cifar10_jpeg_all60000.npz")
    pytest.importorskip("PIL")
    cifar = data.load("cifar10")
    assert cifar.x_train.shape == (50_000, 32, 32, 3) and np.bincount(cifar.y_train).tolist() == [5000] * 10
    mean = cifar.x_train.mean(axis=(1, 2)).mean(axis=0, dtype=np.float64)      # float32 cannot sum 51 million pixels
    np.testing.assert_allclose(mean, [0.491, 0.482, 0.447], atol=0.002)
