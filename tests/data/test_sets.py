"""The catalogue: names, places, readers on small made-up files, and the sentences for what is not there."""
import dataclasses
import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minidl.data as data
from minidl.data import readers, sets
from minidl.data.dataset import from_arrays
from minidl.data.places import cache_folder
from minidl.errors import InputError
from tests.data.pickled import python2

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder, and a cache that does not exist."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("MINIDL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MINIDL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data"


def save(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def images(n, *shape):
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


def labels(n):
    return RNG.integers(0, 10, n, dtype=np.uint8)


def test_names_are_those_of_the_promise():
    assert data.names() == ["digits", "patches", "mnist", "fashion-mnist", "cifar10", "olivetti", "freyfaces", "horses"]
    assert set(data.fetchable()) == {"mnist", "fashion-mnist", "cifar10", "olivetti", "freyfaces"}


@pytest.mark.parametrize(("name", "near"), [("minst", "mnist"), ("MNIST", "mnist"), ("cifar", "cifar10"),
                                            ("fashion", "fashion-mnist"), ("digit", "digits")])
@pytest.mark.parametrize("call", [data.load, data.where, data.fetch])
def test_an_unknown_set_gets_the_nearest_names(call, name, near):
    with pytest.raises(InputError, match=f"there is no data set '{name}'; did you mean .*{near}") as caught:
        call(name)
    assert "\n" not in str(caught.value)


def test_an_unknown_set_unlike_any_gets_all_names():
    with pytest.raises(InputError, match=r"'zzz'; the sets are digits, patches, mnist"):
        data.load("zzz")


def test_a_set_that_is_not_here_names_the_folders_and_the_command(folder):
    with pytest.raises(InputError) as caught:
        data.load("mnist")
    sentence = str(caught.value)
    for part in (f"{folder},", f"{folder.parent / 'cache'} (no such folder)", "mnist/train-images-idx3-ubyte.gz",
                 "minidl data fetch mnist"):
        assert part in sentence
    with pytest.raises(InputError, match="no download is known, put weizmann_horses/.* into a folder that MINIDL_DATA"):
        data.load("horses")
    with pytest.raises(InputError, match="horses cannot be downloaded"):
        data.fetch("horses")


def test_a_set_that_is_here_in_part_names_the_missing_file(folder):
    (folder / "mnist").mkdir()
    (folder / "mnist" / "train-images-idx3-ubyte").touch()
    with pytest.raises(InputError, match="looked for mnist/train-labels-idx1-ubyte.gz"):
        data.load("mnist")


def test_root_is_searched_alone(folder, tmp_path):
    save(folder / "weizmann_horses/horses_328_masks_bin32.npz", masks32=images(328, 32, 32) % 2)
    data.load("horses")
    with pytest.raises(InputError, match="horses is not here"):
        data.load("horses", root=tmp_path)
    assert data.load("horses", root=str(folder)).x_test.shape == (28, 32, 32, 1)


def test_data_folders_come_before_the_cache(folder, monkeypatch, tmp_path):
    for place, value in ((folder, 0), (tmp_path / "cache", 1), (tmp_path / "second", 1)):
        save(place / "weizmann_horses/horses_328_masks_bin32.npz", masks32=np.full((328, 32, 32), value, np.uint8))
    assert data.load("horses").x_train.max() == 0
    monkeypatch.setenv("MINIDL_DATA", f"{tmp_path / 'absent'}:{tmp_path / 'second'}")
    monkeypatch.setattr("os.pathsep", ":")
    assert data.where("horses") == tmp_path / "second" / "weizmann_horses"
    monkeypatch.setenv("MINIDL_DATA", "")
    assert data.where("horses") == tmp_path / "cache" / "weizmann_horses"


def test_a_folder_that_cannot_be_looked_into_counts_as_without_the_set(folder, monkeypatch):
    def refuse(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))
    monkeypatch.setattr("os.stat", refuse)
    with pytest.raises(InputError, match="mnist is not here"):
        data.load("mnist")


def test_the_cache_is_where_each_system_keeps_caches():
    home = Path.home()
    assert cache_folder("linux", {}) == home / ".cache" / "minidl"
    assert cache_folder("linux", {"XDG_CACHE_HOME": "/x"}) == Path("/x/minidl")
    assert cache_folder("linux", {"XDG_CACHE_HOME": "relative"}) == home / ".cache" / "minidl"
    assert cache_folder("darwin", {"XDG_CACHE_HOME": "/x"}) == home / "Library" / "Caches" / "minidl"
    assert cache_folder("win32", {"LOCALAPPDATA": "/local"}) == Path("/local/minidl")
    assert cache_folder("linux", {"MINIDL_CACHE": "~/here", "XDG_CACHE_HOME": "/x"}) == home / "here"


def test_the_catalogue_has_a_row_for_each_set_with_its_place_or_its_remedy(folder):
    save(folder / "freyfaces/freyfaces_1965x28x20_uint8.npz", x=images(1965, 28, 20))
    rows = {row.name: row for row in data.catalogue()}
    assert list(rows) == data.names()
    assert rows["digits"].where == "in minidl" and data.where("digits").is_dir()
    assert rows["freyfaces"].where == str(folder / "freyfaces")
    assert rows["mnist"].where == "not here: minidl data fetch mnist" and rows["mnist"].images == 70_000
    assert rows["mnist"].shape == (28, 28, 1) and rows["mnist"].size > 10**7
    assert all(row.credit for row in rows.values())


def test_flat_keeps_all_but_the_shape_and_repr_stays_short():
    digits = data.load("digits")
    flat = digits.flat()
    assert flat.x_train.shape == (1437, 64) and flat.y_train is digits.y_train
    np.testing.assert_array_equal(flat.x_train[0].reshape(8, 8, 1), digits.x_train[0])
    assert repr(digits) == "Dataset('digits': 1437 to train and 360 to test, each (8, 8, 1))"
    with pytest.raises(AttributeError):
        digits.name = "x"


def test_classes_have_names_in_the_order_of_the_labels_wherever_there_are_labels(folder):
    assert data.load("digits").classes == data.load("digits").flat().classes == tuple("0123456789")
    assert data.load("patches").classes == ()
    named = {name: spec.classes for name, spec in sets.SPECS.items() if spec.classes}
    assert {name: len(classes) for name, classes in named.items()} == {
        "digits": 10, "mnist": 10, "fashion-mnist": 10, "cifar10": 10, "olivetti": 40}
    assert all(len(set(classes)) == len(classes) for classes in named.values())
    assert (named["fashion-mnist"][9], named["cifar10"][5]) == ("boot", "dog")
    made = batches()
    save(folder / "cifar10/cifar10_lossless_first164_of_each_batch.npz",
         **{f"{name}_{part}": value for name, pair in made.items() for part, value in zip("xy", pair, strict=True)})
    assert data.load("cifar10").classes == named["cifar10"]


def test_one_of_each_is_the_first_test_image_of_each_class():
    digits = data.load("digits")
    firsts = digits.one_of_each()
    assert firsts.tolist() == [digits.y_test.tolist().index(label) for label in range(10)]
    toy = from_arrays("toy", (np.zeros((1, 2, 2)), np.zeros(1), np.zeros((4, 2, 2)), np.array([2, 0, 2, 1])), 1.0, "",
                      ["a", "b", "c"])
    assert toy.one_of_each().tolist() == [1, 3, 0]
    with pytest.raises(InputError, match="toy has no test image of b, d$"):
        dataclasses.replace(toy, classes=("a", "b", "c", "d"), y_test=np.array([2, 0, 2, 2])).one_of_each()
    with pytest.raises(InputError, match="patches has no classes"):
        data.load("patches").one_of_each()


def batches(n=20):
    """Six made-up CIFAR-10 batches: images, labels."""
    return {name: (images(n, 32, 32, 3), labels(n)) for name in (*readers.CIFAR_BATCHES, "test_batch")}


def record(x, y):
    """The official layout: a label, then the three planes."""
    return b"".join(bytes([label]) + image.transpose(2, 0, 1).tobytes() for image, label in zip(x, y, strict=True))


def write_archive(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))


def check_cifar(dataset, made, note):
    expected = np.concatenate([made[name][0] for name in readers.CIFAR_BATCHES])
    np.testing.assert_array_equal(np.rint(dataset.x_train * 255), expected)
    np.testing.assert_array_equal(dataset.y_train, np.concatenate([made[name][1] for name in readers.CIFAR_BATCHES]))
    np.testing.assert_array_equal(np.rint(dataset.x_test * 255), made["test_batch"][0])
    np.testing.assert_array_equal(dataset.y_test, made["test_batch"][1])
    assert note in dataset.credit


def test_cifar10_is_read_from_the_best_form_that_is_there(folder):
    made = batches()
    arrays = {f"{name}_{part}": value for name, pair in made.items() for part, value in zip("xy", pair, strict=True)}
    save(folder / "cifar10/cifar10_lossless_first164_of_each_batch.npz", **arrays)
    check_cifar(data.load("cifar10"), made, "the first 164 images")

    for part, n in (("train4000", 7), ("test1000", 3)):
        save(folder / f"cifar10/cifar10_jpegdecoded_{part}.npz", x=images(n, 32, 32, 3), y=labels(n))
    assert data.load("cifar10").x_train.shape == (7, 32, 32, 3) and "5000 images" in data.load("cifar10").credit

    cache = folder.parent / "cache"
    write_archive(cache / "cifar10/cifar-10-binary.tar.gz",
                  {f"cifar-10-batches-bin/{name}.bin": record(*pair) for name, pair in made.items()})
    check_cifar(data.load("cifar10"), made, "official binary archive")

    (folder / "cifar10/cifar-10-batches-bin").mkdir()
    for name, pair in made.items():
        (folder / f"cifar10/cifar-10-batches-bin/{name}.bin").write_bytes(record(*pair))
    check_cifar(data.load("cifar10"), made, "official binary files")
    assert data.fetch("cifar10") == folder / "cifar10/cifar-10-batches-bin"


def pickled(x, y):
    """A batch of the Python version: a row has the three planes of an image."""
    return python2({"batch_label": "a batch", "labels": y.tolist(), "data": x.transpose(0, 3, 1, 2).reshape(len(x), -1),
                    "filenames": ["a.png"] * len(x)})


@pytest.mark.parametrize("place", ["", "cifar10/"])
def test_cifar10_is_read_from_its_python_files_and_their_archive(folder, place):
    made = batches()
    files = {f"cifar-10-batches-py/{name}": pickled(*pair) for name, pair in made.items()}
    archive = folder / f"{place}cifar-10-python.tar.gz"
    write_archive(archive, {"cifar-10-batches-py/readme.html": b"<html>", **files})
    check_cifar(data.load("cifar10"), made, "official Python archive")
    archive.rename(folder / "elsewhere.tar.gz")
    for name, body in files.items():
        (folder / place / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / place / name).write_bytes(body)
    check_cifar(data.load("cifar10"), made, "official Python files")
    assert data.fetch("cifar10") == folder / place / "cifar-10-batches-py"        # as good as what could be downloaded


def test_a_damaged_python_batch_of_cifar10_gets_a_sentence(folder):
    x, y = images(2, 32, 32, 3), np.array([3, 4])
    whole = {f"cifar-10-batches-py/{name}": pickled(*pair) for name, pair in batches(2).items()}
    path, last = folder / "cifar10/cifar-10-python.tar.gz", "cifar-10-batches-py/test_batch"
    for body, sentence in ((pickled(x, y)[:-900], "is no pickled file of arrays, or it is damaged"),
                           (pickled(x, y + 6), "labels must be a list of whole numbers from 0 to 9"),
                           (pickled(x, y[:1]), r"of shape \(1, 3072\), .* they are uint8 of shape \(2, 3072\)"),
                           (pickled(x[:, :16], y), "of shape"), (python2({"fine_labels": [1]}), "it holds fine_labels"),
                           (python2([1]), "not 'data' and 'labels'"),
                           (b"cos\ngetcwd\n(tR.", "asks Python for os.getcwd"),
                           (python2({"data": "x", "labels": [1]}), "they are str of shape None")):
        write_archive(path, whole | {last: body})
        with pytest.raises(InputError, match=f"cifar-10-python.tar.gz: {last}.*{sentence}"):
            data.load("cifar10")
    write_archive(path, {name: body for name, body in whole.items() if name != last})
    with pytest.raises(InputError, match=f"does not hold {last}: it is not CIFAR-10's Python version"):
        data.load("cifar10")


MNIST_FILES = [file.removeprefix("mnist/").removesuffix(".gz") for file in sets.SPECS["mnist"].download]


def write_mnist(place, x, y, names=MNIST_FILES):
    place.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, (x, y, x[:2], y[:2]), strict=True):
        (place / name).write_bytes(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
                                   + array.tobytes())


@pytest.mark.parametrize("pack", [None, gzip.compress], ids=["plain", "gzipped"])
def test_mnist_is_found_under_its_names_with_a_dot(folder, pack):
    x, y = images(5, 28, 28), labels(5)
    names = [name.replace("-idx", ".idx") for name in MNIST_FILES]
    assert names[0] == "train-images.idx3-ubyte"
    write_mnist(folder / "mnist", x, y, names)
    for path in (folder / "mnist").iterdir() if pack else ():
        path.with_name(path.name + ".gz").write_bytes(pack(path.read_bytes()))
        path.unlink()
    mnist = data.load("mnist")
    np.testing.assert_array_equal(np.rint(mnist.x_train * 255)[..., 0], x)
    assert mnist.y_test.tolist() == y[:2].tolist() and data.where("mnist") == folder / "mnist"


def test_a_file_of_another_set_or_under_another_name_gets_a_sentence(folder, monkeypatch):
    x, y = images(5, 28, 28), labels(5)
    write_mnist(folder / "mnist", x, y)
    data.load("mnist")
    body = (folder / "mnist" / "train-labels-idx1-ubyte").read_bytes()
    fashion = sets.SPECS["fashion-mnist"]
    checksums = (fashion.checksums[0], hashlib.md5(body).hexdigest(), *fashion.checksums[2:])
    monkeypatch.setitem(sets.SPECS, "fashion-mnist", dataclasses.replace(fashion, checksums=checksums))
    with pytest.raises(InputError, match="mnist/train-labels-idx1-ubyte is a file of fashion-mnist, the one that "
                                         "belongs at fashion-mnist/train-labels-idx1-ubyte.gz"):
        data.load("mnist")
    (folder / "mnist").rename(folder / "fashion-mnist")
    assert data.load("fashion-mnist").y_train.tolist() == y.tolist()
    write_mnist(folder / "mnist", x, y, [MNIST_FILES[i] for i in (1, 0, 2, 3)])
    with pytest.raises(InputError, match="train-images-idx3-ubyte: the images must be bytes of shape"):
        data.load("mnist")


def test_root_may_be_written_with_a_tilde(folder, monkeypatch):
    save(folder / "weizmann_horses/horses_328_masks_bin32.npz", masks32=images(328, 32, 32) % 2)
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert len(data.load("horses", root=f"~/{folder.name}").x_test) == 28
    write_mnist(folder / "mnist", images(5, 28, 28), labels(5))
    assert data.read_idx(f"~/{folder.name}/mnist/{MNIST_FILES[1]}").shape == (5,)


def test_cifar10_as_jpeg_is_decoded_with_pillow(folder, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    colours = np.array([[200, 30, 40], [10, 220, 90], [0, 0, 255]], dtype=np.uint8)

    def jpegs():
        for colour in colours:
            file = io.BytesIO()
            image.fromarray(np.broadcast_to(colour, (32, 32, 3)).copy()).save(file, "JPEG", quality=95)
            yield file.getvalue()
    parts = list(jpegs())
    data_bytes, offsets = np.frombuffer(b"".join(parts), np.uint8), np.cumsum([0, *map(len, parts)])
    arrays = {f"{part}_{key}": value for part in ("train", "test") for key, value in
              {"jpeg": data_bytes, "offsets": offsets, "labels": np.array([0, 1, 9], np.uint8)}.items()}
    path = folder / "cifar10/cifar10_jpeg_all60000.npz"
    save(path, **arrays)
    cifar = data.load("cifar10")
    assert np.abs(cifar.x_train * 255 - colours[:, None, None]).max() < 4 and "JPEG" in cifar.credit

    for damage in ({"train_offsets": offsets - 3}, {"train_jpeg": data_bytes[::-1]}, {"train_offsets": offsets[:1]},
                   {"test_labels": np.array([0, 1, 10], np.uint8)}):
        save(path, **{**arrays, **damage})
        with pytest.raises(InputError, match=str(path)):
            data.load("cifar10")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="cifar10 is not here"):
        data.load("cifar10")


def test_a_damaged_cifar10_file_gets_a_sentence(folder):
    made = {f"cifar-10-batches-bin/{name}.bin": record(*pair) for name, pair in batches(2).items()}
    path = folder / "cifar10/cifar-10-binary.tar.gz"
    first, *_ = made
    for files, sentence in ((made | {first: made[first][:-1]}, "not a multiple of 3073"),
                            (made | {first: b"\x0a" + made[first][1:]}, "label 0 is 10"),
                            ({first: made[first]}, "does not hold"), ({}, "does not hold")):
        write_archive(path, files)
        with pytest.raises(InputError, match=sentence):
            data.load("cifar10")
    write_archive(path, made)
    path.rename(path.with_suffix(""))
    assert data.where("cifar10") is None        # an IDX file may lie there uncompressed, an archive may not
    path.with_suffix("").rename(path)
    whole = path.read_bytes()
    for body in (whole[:len(whole) // 2], b"not an archive", b""):
        path.write_bytes(body)
        with pytest.raises(InputError, match="damaged|cannot read"):
            data.load("cifar10")


@pytest.mark.parametrize(("name", "file", "arrays"), [
    ("horses", "weizmann_horses/horses_328_masks_bin32.npz", {"other": images(2, 2)}),
    ("horses", "weizmann_horses/horses_328_masks_bin32.npz", {"masks32": images(3, 32, 32)}),
    ("horses", "weizmann_horses/horses_328_masks_bin32.npz", {"masks32": images(328, 32, 32)}),
    ("freyfaces", "freyfaces/freyfaces_1965x28x20_uint8.npz", {"x": np.zeros((1965, 28, 20))}),
    ("freyfaces", "freyfaces/freyfaces_1965x28x20_uint8.npz", {"x": np.array([{"a": "pickle"}])}),
])
def test_an_npz_with_other_content_gets_a_sentence(folder, name, file, arrays):
    save(folder / file, **arrays)
    with pytest.raises(InputError, match=file) as caught:
        data.load(name)
    assert "allow_pickle" not in str(caught.value)        # NumPy's advice for a file that nobody should trust


def test_a_file_that_is_no_npz_gets_a_sentence(folder):
    path = folder / "weizmann_horses/horses_328_masks_bin32.npz"
    save(path, masks32=images(328, 32, 32) % 2)
    whole = path.read_bytes()
    np.save(folder / "array.npy", [1, 2])
    for body in (b"", b"abc", whole[:1000], whole[:-30], whole[:200] + b"xxxx" + whole[204:],
                 (folder / "array.npy").read_bytes()):
        path.write_bytes(body)
        with pytest.raises(InputError, match=r"horses_328_masks_bin32\.npz"):
            data.load("horses")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4), st.integers(0, 600), st.booleans())
def test_whatever_happens_to_an_npz_only_a_sentence_escapes(tmp_path, changes, length, compressed):
    path = tmp_path / "mutated.npz"
    (np.savez_compressed if compressed else np.savez)(path, x=np.arange(20, dtype=np.uint8))
    whole = bytearray(path.read_bytes())
    for place, value in changes:
        whole[place % len(whole)] = value
    path.write_bytes(whole[:length] if length > 300 else whole)
    try:
        x, = readers.read_npz(path, "x")
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(x, np.ndarray)


def test_import_stays_light():
    import subprocess
    import sys
    heavy = "urllib.request", "gzip", "zipfile", "tarfile", "tqdm", "PIL", "http.client"
    code = (f"import sys, numpy; before = set(sys.modules); import minidl.data; "
            f"print([m for m in {heavy!r} if m in sys.modules and m not in before])")
    root = Path(data.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"
