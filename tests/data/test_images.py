"""Images in folders: every kind of PNG and JPEG against values known by hand, a sentence for what is no image."""
import io
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import minidl.data as data
from minidl.errors import InputError

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
RNG = np.random.default_rng(0)


def png(levels: np.ndarray, *, depth: int = 8, kind: int = GREY, chunks: bytes = b"") -> bytes:
    """A PNG file by the letter of its format: levels (H, W) or (H, W, C), whole numbers of `depth` bits."""
    h, w = levels.shape[:2]
    bits = (levels.reshape(h, -1, 1) >> np.arange(depth)[::-1]) & 1
    rows = np.packbits(bits.reshape(h, -1).astype(np.uint8), axis=1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, 0)) + chunks
            + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(side: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(side).integers(0, 256, (side, side), dtype=np.uint8))


@pytest.fixture
def put(tmp_path):
    """Writes a file below the folder `images`, and gives that folder."""
    def write(name, body):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return tmp_path / "images"
    return write


def one(put, body, name="a.png", **options):
    """The values of a single image, (H, W, C)."""
    image, = data.folder(put(name, body), **options).x_train
    assert image.dtype == np.float32
    return image


# Values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_grey_of_every_depth_runs_from_0_to_1(put, depth):
    levels = RNG.integers(0, 2**depth, (5, 7))
    levels[0, :2] = 0, 2**depth - 1
    np.testing.assert_array_equal(one(put, png(levels, depth=depth))[..., 0],
                                  (levels / (2**depth - 1)).astype(np.float32))


@pytest.mark.parametrize("depth", [8, 16])
def test_colours_of_8_and_16_bits_keep_all_their_bits(put, depth):
    levels = RNG.integers(0, 2**depth, (5, 7, 3))
    np.testing.assert_array_equal(one(put, png(levels, depth=depth, kind=RGB)),
                                  np.divide(levels, 2**depth - 1, dtype=np.float32))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("kind", "channels"), [(GREY_ALPHA, 1), (RGB_ALPHA, 3)])
def test_a_transparent_image_lies_on_white(put, depth, kind, channels):
    levels = RNG.integers(0, 2**depth, (5, 7, channels + 1))
    colour, alpha = np.split(levels / (2**depth - 1), [channels], axis=2)
    image = one(put, png(levels, depth=depth, kind=kind))
    assert image.shape == (5, 7, channels)
    np.testing.assert_allclose(image, colour * alpha + 1 - alpha, rtol=0, atol=2e-7)


def test_a_palette_gives_its_colours_and_its_transparency(put):
    palette = np.array([[255, 0, 0], [10, 20, 30], [0, 0, 0]])
    places = np.array([[0, 1], [2, 1]])
    colours = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    np.testing.assert_array_equal(one(put, png(places, depth=2, kind=PALETTE, chunks=colours)),
                                  np.divide(palette[places], 255, dtype=np.float32))
    seen = one(put, png(places, kind=PALETTE, chunks=colours + chunk(b"tRNS", b"\xff\xff\x00")))
    np.testing.assert_array_equal(seen, np.divide(np.where(places[..., None] == 2, 255, palette[places]), 255,
                                                  dtype=np.float32))


def test_a_colour_that_counts_as_transparent_is_white(put):
    levels = np.array([[5, 9]])
    assert one(put, png(levels, chunks=chunk(b"tRNS", b"\0\5")))[0, :, 0].tolist() == [1, np.float32(9 / 255)]


def test_cmyk_is_ink_on_white(put):
    ink = np.array([0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255], np.uint8).reshape(4, 4)
    blocks = np.ascontiguousarray(np.broadcast_to(ink[:, None, None], (4, 16, 16, 4)).reshape(64, 16, 4))
    image = one(put, saved(Image.frombytes("CMYK", (16, 64), blocks.tobytes()), "JPEG", quality=100), "a.jpg")
    np.testing.assert_allclose(image[8::16, 8], [[1, 1, 1], [0, 1, 1], [1, 0, 0], [0, 0, 0]], atol=0.02)


def test_jpeg_in_grey_and_in_colour(put):
    colour = np.full((16, 16, 3), [200, 30, 40], np.uint8)
    np.testing.assert_allclose(one(put, saved(Image.fromarray(colour), "JPEG", quality=95), "a.JPG"), colour / 255,
                               atol=0.02)
    grey = one(put, saved(Image.fromarray(colour[..., 0]), "JPEG"), "a.JPG")
    assert grey.shape == (16, 16, 1) and np.abs(grey - 200 / 255).max() < 0.01


def test_the_name_may_be_wrong_about_png_and_jpeg(put):
    assert one(put, saved(Image.new("RGB", (8, 8), "blue"), "JPEG"), "a.png").shape == (8, 8, 3)
    assert one(put, png(np.array([[255]])), "a.png").tolist() == [[[1]]]


def test_a_camera_file_of_several_pictures_gives_the_first(put):
    first, second = Image.new("L", (8, 8), 255), Image.new("L", (8, 8), 0)
    body = saved(first, "MPO", save_all=True, append_images=[second])
    assert one(put, body, "a.jpg").min() == 1


# The stored image of "upright" for each orientation, as the EXIF standard describes it: where row 0 and column 0 are.
STORED = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
          5: lambda a: a.T, 6: lambda a: np.rot90(a), 7: lambda a: a.T[::-1, ::-1], 8: lambda a: np.rot90(a, -1)}


@pytest.mark.parametrize("orientation", STORED)
def test_images_stand_upright_as_the_camera_noted(put, orientation):
    upright = RNG.integers(0, 256, (3, 5)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    np.testing.assert_array_equal(one(put, saved(stored, "PNG", exif=exif))[..., 0],
                                  np.divide(upright, 255, dtype=np.float32))


def test_orientation_is_told_by_jpeg_files_too(put):
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.new("L", (32, 16), 0)
    wide.paste(255, (0, 0, 16, 16))                       # its left half is white; upright, that is the upper half
    image = one(put, saved(wide, "JPEG", exif=exif), "a.jpeg")
    assert image.shape == (32, 16, 1) and image[:16].min() > 0.9 and image[16:].max() < 0.1


# Grey or colour, one size --------------------------------------------------------------------------------------------


def test_colours_are_kept_unless_all_files_are_grey_or_grey_is_asked_for(put):
    levels = np.array([[[10, 20, 30]]])
    put("a.png", png(np.array([[77]])))
    place = put("b.png", png(levels, kind=RGB))
    assert data.folder(place).x_train.tolist() == np.divide([[[[77, 77, 77]]], [levels[0].tolist()]], 255,
                                                            dtype=np.float32).tolist()
    grey = data.folder(place, grey=True).x_train
    np.testing.assert_array_equal(grey.ravel(), np.float32([77 / 255, (0.299 * 10 + 0.587 * 20 + 0.114 * 30) / 255]))
    (place / "b.png").unlink()
    assert data.folder(place).x_train.shape == (1, 1, 1, 1)
    assert data.folder(place, grey=False).x_train.shape == (1, 1, 1, 3)


def test_a_grey_that_is_stored_in_three_colours_stays_the_same_number(put):
    levels = np.arange(256).reshape(16, 16, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(one(put, png(levels, kind=RGB), grey=True)[..., 0],
                                  np.divide(levels[..., 0], 255, dtype=np.float32))


def areas(x, rows, columns):
    """The mean over each cell of a grid that divides x evenly, by making each pixel so many times as large."""
    h, w = x.shape
    fine = np.kron(x, np.ones((rows, columns)))
    return fine.reshape(rows, h, columns, w).mean(axis=(1, 3))


@pytest.mark.parametrize("size", [(2, 3), (4, 6), (3, 2), (1, 1), (6, 9), (8, 12), (5, 5)])
def test_size_averages_by_area_the_middle_part_of_the_same_proportions(put, size):
    levels = RNG.integers(0, 256, (4, 6))
    h, w = min(4, 6 * size[0] / size[1]), min(6, 4 * size[1] / size[0])
    grid = 60                                             # in sixtieths of a pixel every cut here is a whole number
    fine = np.kron(levels / 255, np.ones((grid, grid)))
    top, left = round((4 - h) / 2 * grid), round((6 - w) / 2 * grid)
    part = fine[top:top + round(h * grid), left:left + round(w * grid)]
    image = one(put, png(levels), size=size)
    assert image.shape == (*size, 1)
    np.testing.assert_allclose(image[..., 0], areas(part, *size), atol=1e-6)


def test_size_keeps_white_white_and_colours_apart(put):
    image = one(put, png(np.full((7, 11, 3), [255, 0, 51]), kind=RGB), size=3)
    np.testing.assert_allclose(image, np.broadcast_to([1, 0, 0.2], (3, 3, 3)), atol=1e-6)
    assert image.max() <= 1


def test_an_image_that_has_the_size_already_is_left_as_it_is(put):
    levels = RNG.integers(0, 256, (3, 5))
    body = png(levels)
    np.testing.assert_array_equal(one(put, body, size=(3, 5)), one(put, body))


# Classes, labels, the test part --------------------------------------------------------------------------------------


def test_a_folder_is_a_class_and_files_come_in_the_order_of_their_names(put):
    for name, level in (("dog/2.png", 4), ("cat/b.PNG", 2), ("dog/1.png", 3), ("cat/a.png", 1), ("eel/x.png", 5)):
        place = put(name, png(np.array([[level]])))
    pets = data.folder(place)
    assert (pets.x_train * 255).ravel().tolist() == [1, 2, 3, 4, 5]
    assert pets.y_train.tolist() == [0, 0, 1, 1, 2] and pets.y_train.dtype == np.int64
    assert pets.classes == ("cat", "dog", "eel") and pets.name == "images"
    assert pets.x_test.shape == (0, 1, 1, 1) and pets.y_test.tolist() == []
    assert "5 images" in pets.credit and str(place) in pets.credit


def test_images_without_classes_have_no_labels(put):
    put("b.png", png(np.array([[2]])))
    pictures = data.folder(put("a.png", png(np.array([[1]]))))
    assert pictures.y_train is None and pictures.y_test is None and pictures.classes == ()
    assert (pictures.x_train * 255).ravel().tolist() == [1, 2]


def test_what_is_hidden_or_no_image_is_passed_over(put):
    put("a/1.png", png(np.array([[9]])))
    for name in (".DS_Store", ".git/x.png", "__MACOSX/a/._1.png", "Thumbs.db", "labels.csv", "a/._1.png", "a/notes.txt",
                 "a/Thumbs.db", "a/.ipynb_checkpoints/1-checkpoint.png"):
        place = put(name, b"?")
    assert data.folder(place).classes == ("a",) and len(data.folder(place).x_train) == 1


def test_the_test_part_is_a_share_of_each_class_drawn_from_rng(put):
    for i in range(20):
        place = put(f"{'few' if i < 5 else 'many'}/{i:02}.png", png(np.array([[i]])))
    a, same, other = (data.folder(place, test=0.2, rng=seed) for seed in (1, 1, 2))
    assert np.bincount(a.y_test).tolist() == [1, 3] and np.bincount(a.y_train).tolist() == [4, 12]
    seen = (np.concatenate([a.x_train, a.x_test]) * 255).ravel()
    assert sorted(np.rint(seen).tolist()) == list(range(20))
    assert a.y_test.tolist() == [int(level >= 5) for level in np.rint(a.x_test * 255).ravel()]
    np.testing.assert_array_equal(a.x_test, same.x_test)
    assert a.x_test.tolist() != other.x_test.tolist()
    assert (np.diff(a.x_test.ravel()) > 0).all()          # in the order of their names


def test_every_image_is_equally_likely_to_be_a_test_image(put):
    for i in range(6):
        place = put(f"{i:02}.png", png(np.array([[i]])))
    rng, counts = np.random.default_rng(0), np.zeros(6)
    for _ in range(300):
        counts[np.rint(data.folder(place, test=1 / 3, rng=rng).x_test * 255).astype(int).ravel()] += 1
    assert counts.sum() == 600 and np.abs(counts - 100).max() < 5 * np.sqrt(100 * 2 / 3)


def test_a_home_folder_may_be_written_as_a_tilde(put, monkeypatch):
    place = put("a.png", png(np.array([[9]])))
    monkeypatch.setenv("HOME", str(place.parent))
    monkeypatch.setenv("USERPROFILE", str(place.parent))
    assert len(data.folder("~/images").x_train) == 1


# Sentences -----------------------------------------------------------------------------------------------------------


PIXEL = png(np.array([[7]]))


@pytest.mark.parametrize(("files", "sentence"), [
    ({}, "cannot read .*images: No such file"),
    ({"notes.txt": b""}, "images holds no PNG or JPEG images and no folders"),
    ({"a/notes.txt": b""}, "a holds no PNG or JPEG images: a class without examples"),
    ({"a/1.png": PIXEL, "b.png": PIXEL}, r"holds images \(b.png\) beside folders \(a\)"),
    ({"train/cat/1.png": PIXEL, "test/cat/1.png": PIXEL}, r"test holds a folder \(cat\).*give that path: data.folder"),
    ({"a.png": PIXEL, "b.gif": b"GIF89a"}, "b.gif is an image of a format that is not read"),
    ({"a.png": PIXEL, "b.png": png(np.array([[7, 8]]))}, "b.png has 1 x 2 pixels, .*a.png has 1 x 1; size="),
    ({"a.png": saved(Image.new("L", (2, 2)), "GIF")}, "a.png is no PNG or JPEG image, whatever its name says"),
    ({"a.png": b""}, "a.png is no PNG or JPEG image"),
    ({"a.png": PIXEL[:50]}, "a.png is damaged"),
    ({"a.png": PIXEL[:-20] + b"?" + PIXEL[-19:]}, "a.png is damaged"),
    ({"a.png": PIXEL.replace(b"IDAT", b"IDAX")}, "a.png is no PNG or JPEG image, .*its first bytes are damaged"),
    ({"a.jpg": saved(noise(64), "JPEG")[:-300]}, "a.jpg is damaged or truncated"),
])
def test_what_cannot_be_read_is_named_in_one_sentence(put, tmp_path, files, sentence):
    for name, body in files.items():
        put(name, body)
    with pytest.raises(InputError, match=sentence) as caught:
        data.folder(tmp_path / "images")
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(("options", "sentence"), [
    ({"size": 0}, "size is a whole number of at least 1, or two"), ({"size": 2.5}, "not 2.5"),
    ({"size": (2, 2, 3)}, "not (2, 2, 3)"), ({"size": True}, "not True"), ({"size": "28"}, "not '28'"),
    ({"test": 1.0, "rng": 0}, "from 0 to below 1, not 1.0"), ({"test": float("nan"), "rng": 0}, "not nan"),
    ({"test": 0.5}, "rng is an int of 0 or more"), ({"test": 0.01, "rng": 0}, "test=0.01 of 4 items are 0"),
    ({"grey": "no"}, "grey is False or True, not 'no'"),
])
def test_an_option_that_does_not_fit_is_named(put, options, sentence):
    for name in "abcd":
        place = put(f"{name}.png", PIXEL)
    with pytest.raises(InputError, match=re.escape(sentence)):
        data.folder(place, **options)


@pytest.mark.parametrize("path", [None, 3, b"images", ["images"]])
@pytest.mark.parametrize("read", [data.folder, data.csv, data.read_idx, lambda path: data.load("horses", root=path)])
def test_what_is_no_path_is_named(read, path):
    if path is None and read not in (data.folder, data.csv, data.read_idx):
        return                                            # there None means the usual folders
    with pytest.raises(InputError, match="a path is a string or a pathlib.Path"):
        read(path)


WHOLE = {"png": png(RNG.integers(0, 256, (4, 4))), "rgb": png(RNG.integers(0, 2**16, (4, 4, 3)), depth=16, kind=RGB),
         "jpeg": saved(noise(16), "JPEG", exif=Image.Exif())}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(WHOLE)), st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=3),
       st.integers(0, 700))
def test_whatever_happens_to_the_bytes_only_a_sentence_escapes(tmp_path, kind, changes, length):
    body = bytearray(WHOLE[kind])
    for place, value in changes:
        body[place % len(body)] = value
    (tmp_path / "mutated.png").write_bytes(body[:length])
    try:
        x = data.folder(tmp_path, size=2).x_train
    except InputError as error:
        assert "mutated.png" in str(error)
    else:
        assert x.shape[1:3] == (2, 2) and x.min() >= 0 and x.max() <= 1
