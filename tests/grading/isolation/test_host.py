"""A worker computes, keeps its limits, ends when it must and leaves nothing, under every isolation."""
import itertools
import os
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minidl.grading.isolation import confine, host, stage
from tests.grading import isolations
from tests.processes import mentioned, running, wait_until

pytestmark = [pytest.mark.processes,
              pytest.mark.skipif(sys.platform != "linux", reason="most of what isolates is Linux's")]
every_isolation = pytest.mark.parametrize("isolation", ["bwrap", "landlock", "uid", "none"])
LIMITS = host.Limits(wall=60.0, memory=512 << 20)


@pytest.fixture
def start(tmp_path):
    """Starts workers on the source of one file, `student.py`; they are closed at the end."""
    workers, stages = [], []

    def start(source, isolation="none", limits=LIMITS):
        folder = tmp_path / f"submission{len(stages)}"
        folder.mkdir()
        (folder / "student.py").write_text(textwrap.dedent(source), encoding="utf-8")
        stages.append(host.Stage(folder))
        workers.append(host.Worker(stages[-1], isolations.named(isolation), limits))
        workers[-1].load("student")
        return workers[-1]

    yield start
    for thing in workers:
        thing.close()
    for thing in stages:
        thing.__exit__()


@pytest.mark.parametrize("isolation", ["bwrap", "landlock", "none"])
def test_the_next_workers_start_before_their_turn_and_each_is_used_once(tmp_path, monkeypatch, isolation):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    found = isolations.named(isolation)
    (tmp_path / "student.py").write_text("seen = []\n\ndef count():\n    seen.append(1)\n    return len(seen)\n")
    before = host._children()
    with host.Stage(tmp_path) as place, host.Workers(place, found, LIMITS, 4) as workers:
        alive, processes = [], set()
        for _ in range(4):
            with workers.take() as worker:
                worker.load("student")
                assert worker.call("student", "count") == 1
                alive.append(len(host._children()) - len(before))
                processes.add(worker.process.pid)
        assert alive == [3, 3, 2, 1] and len(processes) == 4
        workers.tests = 4
        workers.take().close()
        workers._waiting[0].process.kill()
        workers._waiting[0].process.wait()                     # as a worker before it may, without isolation
        with workers.take() as worker:
            worker.load("student")
            assert worker.call("student", "count") == 1
    assert host._children() == before


# Calls ----------------------------------------------------------------------------------------------------------------

@every_isolation
def test_calls_give_back_values_and_the_arguments_after_them(start, isolation):
    worker = start("""
        import colorsys, decimal, fractions, numpy.linalg

        class Box:
            def double(x):
                x += x
                return {"doubled": x, "rows": [len(x), None]}
        """, isolation)
    x = np.arange(3.0)
    answer, (after,) = worker.call_and_look("student", "Box.double", x)
    assert answer["doubled"].tolist() == after.tolist() == [0, 2, 4] and answer["rows"] == [3, None]
    assert x.tolist() == [0, 1, 2]
    assert worker.drive("student", "def f(module, x):\n    return module.Box.double(x)['rows']", "f", x) == [3, None]


def test_a_function_is_found_by_its_name_behind_any_number_of_others(start):
    worker = start("""
        globals().update({f"a{number}": number for number in range(3000)})

        def zoom(x):
            return x
        """)
    assert worker.find("student", "zoom") == "zoom" and worker.call("student", "zoom", 1) == 1
    assert worker.find("student", "zom") == "zoom" and worker.find("student", "!") is None


def test_an_exception_arrives_as_data_with_the_students_own_lines(start):
    worker = start("""
        def f(x):
            return g(x)

        def g(x):
            raise NotImplementedError("task 3")
        """)
    with pytest.raises(host.StudentError) as caught:
        worker.call("student", "f", 1)
    assert (caught.value.kind, caught.value.message) == ("NotImplementedError", "task 3")
    assert caught.value.kinds == ["NotImplementedError"]
    assert caught.value.where == ["student.py:3 in f: return g(x)",
                                  'student.py:6 in g: raise NotImplementedError("task 3")']


def test_what_is_printed_is_kept_up_to_a_bound_and_never_meets_the_answers(start):
    worker = start("""
        import os

        def f():
            print("told")
            os.write(1, b"MDL1" + bytes(100))
            os.write(2, b"x" * (1 << 20))
            return 7
        """)
    assert worker.call("student", "f") == 7
    text = worker.output()
    assert text.startswith("told\nMDL1") and len(text) < 66_000
    assert text.endswith(f"... and {len('told') + 1 + 104 + (1 << 20) - (64 << 10):,} more bytes")


def test_a_worker_that_cannot_start_is_the_machines_fault_and_says_why(tmp_path):
    with host.Stage(tmp_path) as place:
        (place.folder / "confine.py").write_text("raise OSError('the disk burns')")
        with pytest.raises(host.Infrastructure, match="the disk burns"):
            host.Worker(place, stage.Isolation("none"), LIMITS)
        (place.folder / "worker.py").unlink()
        with pytest.raises(host.Infrastructure, match="No such file"):
            host.Worker(place, stage.Isolation("none"), LIMITS)


# Limits ---------------------------------------------------------------------------------------------------------------

@every_isolation
def test_a_call_that_never_returns_is_given_up_in_time(start, isolation):
    worker = start("def f():\n    while True:\n        pass", isolation)
    worker.limits = host.Limits(wall=0.3)        # from here on: to load it may take longer
    with pytest.raises(host.TimeLimit, match="no answer within 0.3 s"):
        worker.call("student", "f")


def test_many_calls_together_are_given_up_in_time(start, monkeypatch):
    worker, answers = start("def f():\n    return 1", limits=host.Limits(wall=100.0)), []
    clock = SimpleNamespace(monotonic=itertools.count().__next__)         # a second passes whenever it is asked for
    monkeypatch.setattr(host, "time", clock)
    with pytest.raises(host.TimeLimit, match="200 s for all calls"):
        for _ in range(100):
            answers.append(worker.call("student", "f"))
    assert len(answers) > 1                      # so that none alone took as long as one may


@pytest.mark.slow
@every_isolation
def test_processor_time_that_is_used_up_is_a_time_limit(start, isolation):
    worker = start("def f():\n    while True:\n        pass", isolation, host.Limits(wall=20.0, seconds=2))
    with pytest.raises(host.TimeLimit, match="2 s of processor time"):
        worker.call("student", "f")


@every_isolation
def test_memory_files_and_threads_are_limited(start, isolation):
    worker = start("""
        import threading, time

        def memory():
            return bytearray(1 << 30)

        def files():
            return [open("/dev/null") for _ in range(100)]

        def threads(count):
            threading.stack_size(65536)
            for _ in range(count):
                threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        """, isolation)
    with pytest.raises(host.StudentError, match="MemoryError"):
        worker.call("student", "memory")
    with pytest.raises(host.StudentError, match="Too many open files"):
        worker.call("student", "files")
    if worker.isolation.uid is not None:         # else all that the user runs counts, and thousands may run
        with pytest.raises(host.StudentError, match="can't start new thread"):
            worker.call("student", "threads", 100)


@pytest.mark.parametrize("isolation", ["bwrap", "landlock", "uid"])
def test_no_limit_can_be_lifted_and_no_capability_but_to_read_is_left(start, isolation):
    worker = start("""
        import ctypes, os, resource, struct

        def lift():
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        def capabilities():
            data = ctypes.create_string_buffer(24)
            assert ctypes.CDLL(None).capget(struct.pack("<Ii", 0x20080522, 0), data) == 0
            return list(struct.unpack("<6I", data.raw))

        def become_root():
            os.setuid(0)
        """, isolation)
    with pytest.raises(host.StudentError, match="not allowed to raise maximum limit"):
        worker.call("student", "lift")
    effective, permitted, inheritable, *higher = worker.call("student", "capabilities")
    # To read all files is harmless under Landlock, and needed where the interpreter lies in root's own folder.
    assert effective == permitted and effective in ((0, 1 << 1, 1 << 2) if isolation == "landlock" else (0,))
    assert [inheritable, *higher] == [0, 0, 0, 0]
    if worker.isolation.uid is not None:
        with pytest.raises(host.StudentError, match="not permitted|Invalid argument"):
            worker.call("student", "become_root")


# Ends -----------------------------------------------------------------------------------------------------------------

def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_close_ends_daemons_and_removes_files(start):
    worker = start("""
        import os, time

        def daemon():
            ends = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.write(ends[1], str(os.getpid()).encode())
                    os.closerange(0, 64)
                    time.sleep(1000)
                os._exit(0)
            open("left", "w").close()
            return int(os.read(ends[0], 20)), os.getcwd()
        """)
    pid, folder = worker.call("student", "daemon")
    assert _alive(pid) and Path(folder, "left").exists()
    worker.close()
    assert not _alive(pid) and not _alive(worker.process.pid) and not Path(folder).exists()


def test_close_spares_other_workers_and_other_children(start):
    with running(["sleep", "1000"]) as other:
        first, second = start("def f():\n    return 1"), start("def f():\n    return 2")
        first.close()
        assert second.call("student", "f") == 2
        assert other.poll() is None


@pytest.fixture
def open_folder():
    """A folder for temporary files that other users can pass through, as pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="minidl-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@every_isolation
def test_a_worker_ends_with_the_grader_however_that_ends(isolation, tmp_path, open_folder):
    found = isolations.named(isolation)
    (tmp_path / "student.py").write_text("import time\n\ndef f():\n    print('called', flush=True)\n"
                                         "    time.sleep(1000)\n")
    program = textwrap.dedent(f"""
        from pathlib import Path
        from minidl.grading.isolation import host

        class Telling(bytearray):
            def __iadd__(self, printed):         # by the worker, in its call
                print(worker.process.pid, stage.folder, flush=True)
                return self

        with host.Stage(Path({str(tmp_path)!r})) as stage:
            worker = host.Worker(stage, host.Isolation({found.name!r}, {found.uid}), host.Limits(wall=1000))
            worker.load("student")
            worker.printed = Telling()
            worker.call("student", "f")
        """)
    with running([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
                 env={**os.environ, "TMPDIR": str(open_folder)}) as grader:
        pid, folder = grader.stdout.readline().split()
        assert _alive(pid)
        grader.kill()
        grader.wait()
        assert wait_until(lambda: not _alive(pid))
        assert wait_until(lambda: not mentioned(folder))


def test_a_worker_whose_grader_has_ended_before_it_could_know_ends_at_once():
    ended = subprocess.run([sys.executable, "-c", "from minidl.grading.isolation import confine\n"
                                                  "confine.die_with_parent(1)\nprint('goes on')"], capture_output=True)
    assert (ended.returncode, ended.stdout) == (1, b"")


# The stage ------------------------------------------------------------------------------------------------------------

def test_only_plain_files_of_a_submission_are_staged(tmp_path):
    submission = tmp_path / "submission"
    (submission / "folder").mkdir(parents=True)
    (submission / "student.py").write_text("x = 1\n")
    (submission / "folder" / "inner.py").write_text("x = 1\n")
    (submission / "link.py").symlink_to("/etc/passwd")
    (submission / "folder-link").symlink_to("/etc")
    os.mkfifo(submission / "pipe.py")
    with host.Stage(submission) as place:
        assert [path.name for path in place.submission.rglob("*")] == ["student.py"]
    assert not place.folder.exists()


def test_a_stage_lets_its_own_user_in_and_nobody_else(tmp_path):
    with host.Stage(tmp_path) as place:
        assert place.folder.stat().st_mode & 0o777 == 0o700
        if os.geteuid() == 0:
            place.open_to(stage.Isolation("uid", 60_801))
            assert place.folder.stat().st_mode & 0o777 == 0o750 and place.folder.stat().st_gid == 60_801


def test_of_the_libraries_only_the_systems_folders_are_opened_whole():
    def libraries(*paths, library):
        maps = "".join(f"7f00-7f01 r-xp 00000000 08:01 42      {path}\n" for path in paths) + "0-1 rw-p 0 00:00 0\n"
        return list(dict.fromkeys(stage.libraries(maps, [Path(library)])))

    debian = libraries("/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/python3.11",
                       "/usr/lib/x86_64-linux-gnu/libz.so.1",
                       "/home/a/.venv/lib/python3.11/site-packages/numpy.libs/libopenblas.so",
                       library="/usr/lib/python3.11")
    assert debian == ["/usr/lib/x86_64-linux-gnu"]
    conda = libraries("/opt/conda/lib/libz.so.1.2", "/lib64/libc.so.6",
                      "/opt/conda/lib/python3.11/lib-dynload/_json.so", library="/opt/conda/lib/python3.11")
    assert conda == ["/opt/conda/lib/libz.so.1.2", "/lib64"]
    fedora = libraries("/usr/lib64/libc.so.6", library="/usr/lib64/python3.11")
    assert fedora == ["/usr/lib64/libc.so.6"]
    assert libraries("/home/a/work/own.so", library="/usr/lib/python3.11") == ["/home/a/work/own.so"]


# The filter of system calls -------------------------------------------------------------------------------------------

def _verdict(machine, number, *arguments, no_writing=False, architecture=None):
    """What the filter says of a system call: classic BPF, as the kernel runs it."""
    which, own = list(confine._ARCHITECTURES).index(machine), confine._ARCHITECTURES[machine]
    program = [struct.unpack("<HBBI", step) for step in confine._filter(which, own, no_writing)]
    assert len(program) <= 4096
    call = struct.pack("<iIQ6Q", number, architecture or own, 0, *arguments, *[0] * (6 - len(arguments)))
    place = loaded = 0
    while True:
        code, if_true, if_false, value = program[place]
        place += 1
        if code == 0x20:
            loaded, = struct.unpack_from("<I", call, value)
        elif code == 0x06:
            return {0x7FFF0000: "allowed", 0x00050001: "refused", 0x00050026: "unknown", 0x80000000: "killed"}[value]
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            place += if_true if holds else if_false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_denies_what_it_names_and_nothing_that_python_needs(machine):
    arm = machine == "aarch64"
    me, other = os.getpid(), os.getppid()
    for number in [numbers[arm] for numbers in confine._DENIED.values() if numbers[arm] is not None]:
        assert _verdict(machine, number) == "refused"
    # read, write, close, mmap, munmap, brk, rt_sigaction, clock_gettime
    for number in (0, 1, 3, 9, 11, 12, 13, 228) if not arm else (63, 64, 57, 222, 215, 214, 134, 113):
        assert _verdict(machine, number, 5, 5) == "allowed"
    clone, kill, tgkill, prlimit, prctl, fcntl, openat = [numbers[arm] for numbers in (
        confine._CLONE, confine._KILL, confine._TGKILL, confine._PRLIMIT, confine._PRCTL, confine._FCNTL,
        confine._OPENAT)]
    assert _verdict(machine, clone, 0x3D0F00) == "allowed"                      # pthread_create's flags
    assert _verdict(machine, clone, signal.SIGCHLD) == _verdict(machine, clone, 0x4111) == "refused"
    for call in (kill, tgkill):
        assert _verdict(machine, call, me) == "allowed"
        assert {_verdict(machine, call, pid % 2**64) for pid in (other, 0, -1, -other, 1)} == {"refused"}
    assert _verdict(machine, prlimit, 0) == _verdict(machine, prlimit, me) == "allowed"
    assert _verdict(machine, prlimit, other) == "refused"
    assert _verdict(machine, prctl, 1) == "refused" and _verdict(machine, prctl, 15) == "allowed"
    assert {_verdict(machine, fcntl, 3, command) for command in (6, 7, 8, 10, 15, 37, 38, 1024, 1026)} == {"refused"}
    assert {_verdict(machine, fcntl, 3, command) for command in (0, 1, 2, 3, 4, 5, 1030, 1031)} == {"allowed"}
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_CREAT, os.O_TRUNC, os.O_TMPFILE):
        assert _verdict(machine, openat, 0, 0, flags, no_writing=True) == "refused"
        assert _verdict(machine, openat, 0, 0, flags) == "allowed"
    assert _verdict(machine, openat, 0, 0, os.O_CLOEXEC | os.O_DIRECTORY, no_writing=True) == "allowed"
    assert {_verdict(machine, number) for number in (425, 434, 435, 437, 447, 450, 1000)} == {"unknown"}
    assert {_verdict(machine, number) for number in (436, 439, 441, 449)} == {"allowed"}
    assert _verdict(machine, 0x40000000 + 41) == _verdict(machine, 1, architecture=0x40000003) == "killed"
