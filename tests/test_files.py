"""Writing files: whole or not at all, with one sentence when it cannot be done."""
import errno
import os
import signal
import subprocess
import sys

import pytest

from minidl.errors import InputError
from minidl.files import atomic_write


def full(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_appears_whole_with_its_folder(tmp_path):
    path = tmp_path / "new" / "folder" / "figure.png"
    with atomic_write(path) as file:
        file.write(b"first, ")
        assert not path.exists()
        file.write(b"second")
    assert path.read_bytes() == b"first, second" and os.listdir(path.parent) == ["figure.png"]


def test_text_is_written_as_utf_8(tmp_path):
    with atomic_write(str(tmp_path / "notes.txt"), "w") as file:
        file.write("α ≤ β")
    assert (tmp_path / "notes.txt").read_bytes() == "α ≤ β".encode()


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), InputError("bad")], ids=repr)
def test_an_error_while_writing_passes_on_and_leaves_the_old_file_alone(error, tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(b"old")
    with pytest.raises(type(error)) as caught, atomic_write(path) as file:
        file.write(b"half")
        raise error
    assert caught.value is error
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["run.npz"]


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing_half_written(call, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(InputError, match=r"cannot write .*run\.npz: No space left on device; choose another folder or "
                                         "make room"), atomic_write(path) as file:
        file.write(b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["run.npz"]


def test_a_disk_that_fills_up_while_writing_leaves_nothing_half_written(tmp_path):
    resource = pytest.importorskip("resource")
    path, limits = tmp_path / "big.bin", resource.getrlimit(resource.RLIMIT_FSIZE)
    path.write_bytes(b"old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**22, limits[1]))       # a file may have 4 MiB
    try:
        with pytest.raises(InputError, match=r"cannot write .*big\.bin: File too large"), atomic_write(path) as file:
            file.write(bytes(2**23))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["big.bin"]


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_process_that_is_killed_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(b"old")
    program = ("import os, signal, sys; from minidl.files import atomic_write\n"
               "with atomic_write(sys.argv[1]) as file:\n"
               "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)")
    assert subprocess.run([sys.executable, "-c", program, str(path)]).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old" and len(os.listdir(tmp_path)) == 2
    with atomic_write(path) as file:
        assert len(os.listdir(tmp_path)) == 2       # what the killed one left is gone, this one's half file is here
        file.write(b"new")
    assert os.listdir(tmp_path) == ["run.npz"] and path.read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="only where it can be asked whether a process lives")
def test_half_files_of_living_processes_and_of_other_files_stay(tmp_path):
    path = tmp_path / "run.npz"
    with atomic_write(path):
        part, = os.listdir(tmp_path)
    others = [part.replace(f".{os.getpid()}.", f".{os.getppid()}."), ".run.npz.999999999.part", "run.npz.part"]
    for name in others:
        (tmp_path / name).write_bytes(b"half")
    with atomic_write(path):
        pass
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "run.npz"])


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("n" * 255)
    with atomic_write(path) as file:
        file.write(b"new")
    assert os.listdir(tmp_path) == [path.name]


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "below", tmp_path / "folder"):
        with pytest.raises(InputError, match=rf"cannot write {path}: .+; choose another folder or make room"), \
                atomic_write(path) as file:
            file.write(b"new")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"] and not os.listdir(tmp_path / "folder")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything is writable for root")
def test_a_read_only_folder_is_told_in_a_sentence(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="cannot write .*: Permission denied"), atomic_write(tmp_path / "x"):
            pass
    finally:
        tmp_path.chmod(0o700)
