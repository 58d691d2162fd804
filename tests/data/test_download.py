"""Downloads against a local server that behaves, breaks off, sends wrong bytes, and lies about the length."""
import errno
import gzip
import hashlib
import os
import random
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import minidl.data as data
from minidl.data import download as module
from minidl.data import sets
from minidl.data.download import download, holds
from minidl.errors import InputError

RAW = random.Random(0).randbytes(300_000)
FILE = gzip.compress(RAW, mtime=0)
MD5 = hashlib.md5(RAW).hexdigest()
HALF = len(FILE) // 2
pytestmark = pytest.mark.processes


class Handler(BaseHTTPRequestHandler):
    """Answers /NAME with the server's behaviour NAME and notes what was asked."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range"), self.headers.get("User-Agent")))
        self.server.behaviours[self.path.split("/")[1]](self)

    def send(self, body, *, status=200, length=None, **headers):
        self.send_response(status)
        if length is not False:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def good(handler, body=FILE):
    """A server that knows Range."""
    wish = handler.headers.get("Range")
    start = int(wish.removeprefix("bytes=").rstrip("-")) if wish else 0
    if start >= len(body):
        handler.send(b"", status=416)
    elif start:
        handler.send(body[start:], status=206, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
    else:
        handler.send(body)


def deaf(handler):
    """A server that ignores Range."""
    handler.send(FILE)


def breaks_once(handler):
    """Half of the file at the first request, the rest when asked for it."""
    if handler.headers.get("Range"):
        good(handler)
    else:
        handler.send(FILE[:HALF], length=len(FILE))


def breaks_off(handler):
    """Never more than half of the file."""
    if handler.headers.get("Range"):
        handler.send(b"", status=206, length=len(FILE) - HALF, Content_Range=f"bytes {HALF}-/{len(FILE)}")
    else:
        handler.send(FILE[:HALF], length=len(FILE))


def breaks_within_a_chunk(handler):
    """The same without announcing a length: only the end mark of the chunks is missing."""
    if handler.headers.get("Range"):
        good(handler)
    else:
        handler.send(b"%x\r\n" % len(FILE) + FILE[:HALF], length=False, Transfer_Encoding="chunked")


BEHAVIOURS = {
    "good": good,
    "deaf": deaf,
    "breaks_once": breaks_once,
    "breaks_off": breaks_off,
    "breaks_within_a_chunk": breaks_within_a_chunk,
    "wrong": lambda handler: good(handler, gzip.compress(RAW[::-1])),
    "page": lambda handler: handler.send(b"<html>Please log in to this wireless network</html>"),
    "other_gzip": lambda handler: good(handler, gzip.compress(RAW, 1, mtime=7)),
    "claims_more": lambda handler: handler.send(FILE, length=len(FILE) + 1000),
    "claims_less": lambda handler: handler.send(FILE, length=HALF),
    "claims_nonsense": lambda handler: handler.send(FILE, length="many"),
    "no_length": lambda handler: handler.send(FILE, length=False),
    "wrong_range": lambda handler: handler.send(FILE[7:], status=206, Content_Range=f"bytes 7-/{len(FILE)}")
    if handler.headers.get("Range") else handler.send(FILE),
    "missing": lambda handler: handler.send_error(404),
    "broken": lambda handler: handler.send_error(503),
    "silent": lambda handler: handler.connection.close(),
}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(module, "TIMEOUT", 60.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.behaviours, server.asked = BEHAVIOURS, []
    server.handle_error = lambda *args: None        # a client that hangs up is part of these tests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def get(server, tmp_path):
    """get("good", ...) downloads from mirrors with these behaviours and returns the target."""
    target = tmp_path / "cache" / "mnist" / "train-images-idx3-ubyte.gz"

    def get(*behaviours, progress=False, **checksum):
        urls = [f"http://127.0.0.1:{server.server_port}/{name}/{target.name}" for name in behaviours]
        download(urls, target, progress=progress, **(checksum or {"md5": MD5}))
        return target

    get.target, get.part = target, target.with_name(target.name + ".part")
    return get


def left(get):
    return sorted(path.name for path in get.target.parent.iterdir())


@pytest.mark.parametrize("behaviour", ["good", "deaf", "breaks_once", "other_gzip", "claims_more", "claims_nonsense",
                                       "no_length"])
def test_the_right_bytes_arrive_under_the_final_name_alone(get, behaviour):
    target = get(behaviour)
    assert gzip.decompress(target.read_bytes()) == RAW
    assert left(get) == [target.name]


def test_a_download_that_broke_off_asks_for_the_rest_only(get, server):
    get("breaks_once")
    assert [wish for _, wish, _ in server.asked] == [None, f"bytes={HALF}-"]
    assert all("minidl" in agent for _, _, agent in server.asked)
    get.target.unlink()
    server.asked.clear()
    get("breaks_within_a_chunk")
    first, second = (wish for _, wish, _ in server.asked)
    assert first is None and second.startswith("bytes=") and gzip.decompress(get.target.read_bytes()) == RAW


def test_an_interrupted_download_keeps_its_part_and_the_next_call_resumes_it(get, server):
    with pytest.raises(InputError, match=r"broke off 3 times.* is kept in .*\.part; the same command") as caught:
        get("breaks_off")
    assert "\n" not in str(caught.value)
    assert left(get) == [get.part.name] and get.part.read_bytes() == FILE[:HALF]
    server.asked.clear()
    get("good")
    assert [wish for _, wish, _ in server.asked] == [f"bytes={HALF}-"]
    assert get.target.read_bytes() == FILE and left(get) == [get.target.name]


def test_a_keyboard_interrupt_keeps_the_part_for_resuming(get, monkeypatch):
    blocks = module._blocks

    def interrupted(response):
        yield next(blocks(response))
        raise KeyboardInterrupt
    monkeypatch.setattr(module, "_blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        get("good")
    assert left(get) == [get.part.name]
    monkeypatch.undo()
    assert get("good").read_bytes() == FILE


@pytest.mark.parametrize(("behaviour", "requests"), [("deaf", 1), ("wrong_range", 2), ("other_gzip", 2)])
def test_a_part_that_cannot_be_continued_is_started_over(get, server, behaviour, requests):
    """The server ignores Range, answers with another range, or has other bytes there by now."""
    get.part.parent.mkdir(parents=True)
    get.part.write_bytes(FILE[:HALF])
    assert gzip.decompress(get(behaviour).read_bytes()) == RAW
    assert left(get) == [get.target.name] and len(server.asked) == requests


@pytest.mark.parametrize("extra", [b"", b"too long"], ids=["complete", "too long"])
def test_a_part_with_all_its_bytes_is_finished_and_one_with_more_started_over(get, extra):
    get.part.parent.mkdir(parents=True)
    get.part.write_bytes(FILE + extra)
    assert get("good").read_bytes() == FILE


@pytest.mark.parametrize("behaviour", ["wrong", "page", "claims_less"])
def test_wrong_bytes_leave_nothing(get, behaviour):
    with pytest.raises(InputError, match="checksum of its bytes is wrong") as caught:
        get(behaviour)
    assert left(get) == [] and behaviour in str(caught.value) and "kept" not in str(caught.value)


def test_wrong_bytes_do_not_touch_the_file_that_is_there(get):
    get.target.parent.mkdir(parents=True)
    get.target.write_bytes(b"of an older version")
    with pytest.raises(InputError):
        get("wrong")
    assert get.target.read_bytes() == b"of an older version"


def test_of_several_that_want_a_file_at_once_one_fetches_it_for_all(get, server):
    """As in a classroom whose accounts share a cache: each comes with the others, none finds the file there."""
    together, errors = threading.Barrier(5), []

    def fetch():
        together.wait()
        try:
            get("good")
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=fetch) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and len(server.asked) == 1
    assert get.target.read_bytes() == FILE and left(get) == [get.target.name]


def test_the_next_one_tries_if_the_one_before_has_failed(get, server):
    together, ends = threading.Barrier(3), []

    def fetch():
        together.wait()
        try:
            ends.append(get("missing"))
        except InputError as error:
            ends.append("404" in str(error))
    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [True] * 3 and len(server.asked) == 3 and left(get) == []


@pytest.mark.parametrize("first", ["missing", "broken", "silent", "wrong", "page", "breaks_off", "claims_less"])
def test_the_next_mirror_is_tried_when_one_fails(get, server, first):
    assert gzip.decompress(get(first, "other_gzip").read_bytes()) == RAW
    assert server.asked[-1][0].startswith("/other_gzip")


def test_when_all_mirrors_fail_each_ones_reason_is_told(get):
    with pytest.raises(InputError, match=r"cannot download train-images.*/missing/.*404.*/broken/.*503") as caught:
        get("missing", "broken")
    assert left(get) == [] and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no connection"):
        download(["http://127.0.0.1:1/x.gz"], get.target, md5=MD5, progress=False)
    with pytest.raises(InputError, match="no connection"):
        download(["no url at all"], get.target, md5=MD5, progress=False)
    with pytest.raises(InputError, match="no mirror"):
        download([], get.target, md5=MD5, progress=False)


def test_checksums_are_of_the_uncompressed_bytes_except_for_archives(get, server, tmp_path):
    get(*["good"], sha256=hashlib.sha256(RAW).hexdigest().upper())
    url = f"http://127.0.0.1:{server.server_port}/good/x"
    for name in ("cifar-10-binary.tar.gz", "faces.mat"):
        download([url], tmp_path / name, md5=hashlib.md5(FILE).hexdigest(), progress=False)
        with pytest.raises(InputError, match="checksum"):
            download([url], tmp_path / name, md5=MD5, progress=False)
    with pytest.raises(InputError, match="either md5 or sha256"):
        download([url], get.target)
    assert holds(get.target, md5=MD5) and not holds(tmp_path / "faces.mat", md5=MD5)
    assert not holds(tmp_path / "absent", md5=MD5)


def test_progress_is_shown_only_when_wanted(get, capfd):
    get("good")
    assert capfd.readouterr() == ("", "")
    get.target.unlink()
    get("breaks_once", progress=True)
    out, err = capfd.readouterr()
    assert out == "" and "train-images-idx3-ubyte.gz" in err and "B/s" in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full, a disk that is always full, is absent")
def test_a_full_disk_gets_a_sentence_and_leaves_nothing(get):
    get.part.parent.mkdir(parents=True)
    get.part.symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"cannot write .*train-images.*: No space left on device; free some space"):
        get("good")
    assert left(get) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("step", ["open", "fsync", "replace", "mkdir"])
def test_whichever_step_the_disk_refuses_one_sentence_names_the_path(get, monkeypatch, step, code):
    def refuse(path, *args, **kwargs):
        raise OSError(code, os.strerror(code), str(path))
    if step == "mkdir":
        monkeypatch.setattr(Path, "mkdir", refuse)
    elif step == "open":
        monkeypatch.setattr(module, "open", refuse, raising=False)
    else:
        monkeypatch.setattr(module.os, step, refuse)
    with pytest.raises(InputError, match="cannot write") as caught:
        get("good")
    assert os.strerror(code) in str(caught.value) and str(get.target.parent) in str(caught.value)
    monkeypatch.undo()
    assert not get.target.parent.exists() or left(get) == []


# fetch: the catalogue's files by way of download --------------------------------------------------------------------


@pytest.fixture
def toy_mnist(server, monkeypatch, tmp_path):
    """A set with mnist's name whose two files the local server has, and an empty cache."""
    monkeypatch.delenv("MINIDL_DATA", raising=False)
    monkeypatch.setenv("MINIDL_CACHE", str(tmp_path / "cache"))
    files = ("mnist/a.gz", "mnist/b.gz")
    source = sets.Source(files, lambda paths: None, 1)
    spec = sets.Spec(shape=(1,), size=1, credit="", sources=(source,), download=files,
                     mirrors=tuple(f"http://127.0.0.1:{server.server_port}/{name}/" for name in ("missing", "good")),
                     checksums=(MD5, MD5))
    monkeypatch.setitem(sets.SPECS, "mnist", spec)
    return tmp_path / "cache" / "mnist"


def test_fetch_brings_what_is_missing_or_damaged_and_only_that(toy_mnist, server):
    assert data.where("mnist") is None
    assert data.fetch("mnist", progress=False) == toy_mnist == data.where("mnist")
    assert sorted(path.name for path in toy_mnist.iterdir()) == ["a.gz", "b.gz"]
    server.asked.clear()
    data.fetch("mnist", progress=False)
    assert server.asked == []
    (toy_mnist / "b.gz").write_bytes(b"damaged")
    data.fetch("mnist", progress=False)
    assert [path for path, _, _ in server.asked] == ["/missing/b.gz", "/good/b.gz"]
    assert (toy_mnist / "b.gz").read_bytes() == FILE


def test_fetch_leaves_alone_what_a_data_folder_has(toy_mnist, server, monkeypatch, tmp_path):
    folder = tmp_path / "lecture" / "mnist"
    folder.mkdir(parents=True)
    for name in ("a", "b.gz"):
        (folder / name).touch()
    monkeypatch.setenv("MINIDL_DATA", str(tmp_path / "lecture"))
    assert data.fetch("mnist", progress=False) == folder and server.asked == []


def test_a_matrix_is_checked_by_its_numbers_however_the_file_wraps_it(server, monkeypatch, tmp_path):
    import struct
    import zlib

    import numpy as np
    faces = np.random.default_rng(0).integers(0, 256, (4096, 400), dtype=np.uint8)
    element = lambda kind, body: struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)
    matrix = element(14, element(6, struct.pack("<II", 9, 0)) + element(5, struct.pack("<2i", 4096, 400))
                     + element(1, b"faces") + element(2, faces.tobytes(order="F")))
    packed = zlib.compress(matrix, 1)
    head = b"MATLAB".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    file = head + struct.pack("<II", 15, len(packed)) + packed
    monkeypatch.setitem(BEHAVIOURS, "nyu", lambda handler: good(handler, file))
    monkeypatch.delenv("MINIDL_DATA", raising=False)
    monkeypatch.setenv("MINIDL_CACHE", str(tmp_path))
    spec = sets.SPECS["olivetti"]
    change = {"mirrors": (f"http://127.0.0.1:{server.server_port}/nyu/",)}
    monkeypatch.setitem(sets.SPECS, "olivetti", replace(spec, **change))
    with pytest.raises(InputError, match="checksum"):
        data.fetch("olivetti", progress=False)
    change["checksums"] = (hashlib.md5(faces.tobytes(order="F")).hexdigest(),)
    monkeypatch.setitem(sets.SPECS, "olivetti", replace(spec, **change))
    data.fetch("olivetti", progress=False)
    assert data.load("olivetti").x_train.shape == (320, 64, 64, 1)
