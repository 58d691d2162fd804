"""Which isolation this machine has: each is found by running a worker in it, and where it fails the reason is kept."""
from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from minidl.errors import InputError
from minidl.grading.isolation import host
from minidl.grading.isolation.stage import Isolation, Stage

ORDER = ("bwrap", "landlock", "uid", "none")     # the strongest first
FIRST_UID = 60_800                     # of the users that workers run as, one a slot: numbers that no system gives out
_USERS = 1000
# Long enough for any machine: what is only slow has not failed.
_PROBE_LIMITS = host.Limits(wall=120.0, seconds=120)
_UNDECIDED = "nobody knows whether it works, since a worker in it gave "
# That says nothing of an isolation, and is no reason for a weaker one.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
_ADVICE = "; take that right from others (chmod -R o-rwx)"
_MOST_PATHS, _MOST_LEVELS = 2000, 8    # of those below a hidden one that are tried

_PROBE = '''
import os, socket


def add(x):
    import colorsys                    # the standard library can still be read
    import numpy as np
    return np.asarray(x) + 1


def escapes(closed, parent):
    """What works of all that must not."""
    def read(path):
        with os.scandir(path) if os.path.isdir(path) else open(path, "rb"):
            pass

    def write(folder):
        path = os.path.join(folder, "minidl-probe")
        with open(path, "w"):
            pass
        os.remove(path)

    def start():
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)

    tries = [("read " + path, lambda path=path: read(path)) for path in closed]
    tries += [("write in " + path, lambda path=path: write(path)) for path in (
        ".", "/", "/tmp", "/var/tmp", "/dev/shm", os.path.join(os.path.dirname(os.__file__), "site-packages"))]
    tries += [("open a socket", socket.socket), ("start a process", start), ("signal to the grader",
              lambda: os.kill(parent, 0))]
    done = []
    for what, attempt in tries:
        try:
            attempt()
        except OSError:
            continue
        done.append(what)
    return done
'''


def choose(wanted: str = "auto", *, slots: int = 1, required: bool = False, hidden: Sequence[Path] = (),
           say: Callable[[str], None] = lambda line: None) -> list[Isolation]:
    """The isolation that is wanted or, for "auto", the strongest that works here: one for each of `slots` workers.

    `hidden` are files and folders that no submission may read: an isolation in which a worker can is none. `say` is
    told why the stronger ones do not work. Raises InputError, with the reasons, if the one that is wanted does not work
    or, where isolation is `required` or this is root, none does; where only rights of files are to be changed for one
    that works; and where one is too slow to say.
    """
    if wanted not in ("auto", *ORDER):
        raise InputError(f"no isolation {wanted!r}; there are auto, {', '.join(ORDER)}")
    if required and wanted == "none":
        raise InputError("--require-isolation does not go with --isolation none")
    reasons: list[str] = []
    for name in ORDER if wanted == "auto" else [wanted]:
        if name == "none" and required:
            break
        for isolation in _candidates(name):
            reason = trouble(isolation, hidden)
            if reason.startswith(_UNDECIDED):    # to go on with a weaker one would be a submission's choice
                raise InputError(f"isolation {name}: {reason}; wait until this machine has more time, or choose one "
                                 "with --isolation")
            if name == "none" and wanted == "auto" and os.name == "posix" and os.geteuid() == 0:
                raise InputError("; ".join([*reasons, "without any isolation submissions would do what they like as "
                                            "root; grade as another user, or say --isolation none if that is meant"]))
            if not reason:
                if name == "uid":
                    say("isolation uid does not hide what every user of this machine may read: /proc, with the command "
                        "lines in it, and files whose rights let others read them")
                return [Isolation(name, user) for user in (
                    [None] * slots if isolation.uid is None else _users(slots))]
        reasons.append(f"isolation {name} does not work here: {reason}")
        say(reasons[-1])
        if name == "uid" and reason.endswith(_ADVICE):           # to go on without any would be worse
            break
    raise InputError("; ".join(reasons))


def usable(hidden: Sequence[Path] = ()) -> dict[str, str]:
    """Each isolation's name with "usable", or with the reason why it does not work."""
    found = {}
    for name in ORDER:
        reasons = [trouble(isolation, hidden) for isolation in _candidates(name)]
        found[name] = "usable" if "" in reasons else f"not usable: {reasons[-1]}"
    return found


def trouble(isolation: Isolation, hidden: Sequence[Path] = ()) -> str:
    """Why an isolation does not work, or nothing if it does: a worker starts in it, computes and cannot get out."""
    if os.name != "posix":
        return f"grading needs Linux or macOS, this is {sys.platform}"
    if isolation.name == "bwrap" and not shutil.which("bwrap"):
        return "bubblewrap is not installed (apt install bubblewrap)"
    if isolation.name in ("bwrap", "landlock", "uid") and sys.platform != "linux":
        return f"it needs Linux, this is {sys.platform}"
    if isolation.name == "uid" and (isolation.uid is None or os.geteuid() != 0):
        return "only root can give a worker another user"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        closed = folder / "closed"
        closed.mkdir(0o700)
        (folder / "submission").mkdir()
        (folder / "submission" / "probe.py").write_text(_PROBE, encoding="utf-8")
        try:
            with Stage(folder / "submission") as stage, host.Worker(stage, isolation, _PROBE_LIMITS) as worker:
                worker.load("probe")
                if worker.call("probe", "add", 1) != 2:
                    return "a worker does not compute"
                if isolation.name == "none":
                    return ""
                done = worker.call("probe", "escapes", [str(closed), *_all(hidden)], os.getpid())
        except host.TimeLimit as error:
            return f"{_UNDECIDED}{error}"
        except (host.Infrastructure, host.StudentError, host.WorkerDied, host.ProtocolError) as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_ROOM:
                raise error.__cause__ from None
            return str(error)
    if not done:
        return ""
    return f"a worker in it could {done[0]}{_ADVICE if done[0].startswith('read ') else ''}"


def _candidates(name: str) -> Iterator[Isolation]:
    """How an isolation can be had: as root with a user of its own if the interpreter lets it, else without."""
    if os.name == "posix" and os.geteuid() == 0 and name != "none":
        yield Isolation(name, _users(1)[0])
    if name != "uid" or os.name != "posix" or os.geteuid() != 0:
        yield Isolation(name)


_held: list[int] = []                            # the users that this process has taken


def _users(count: int) -> list[int]:
    """Numbers of users that no other grading on this machine has: each goes with a name that one process may hold."""
    if sys.platform != "linux":
        return list(range(FIRST_UID, FIRST_UID + count))
    for user in range(FIRST_UID, FIRST_UID + _USERS):
        if len(_held) >= count:
            break
        if user not in _held:
            name = socket.socket(socket.AF_UNIX)
            try:
                name.bind(f"\0minidl-user-{user}")       # free again when this process ends, however it ends
            except OSError:
                name.close()
            else:
                name.detach()                    # stays open
                _held.append(user)
    else:
        raise InputError(f"other gradings have nearly all of the {_USERS} users that workers run as; use fewer --jobs")
    return _held[:count]


def _all(paths: Sequence[Path]) -> Iterator[str]:
    """These, and the files and folders in them, level by level: no submission can hide the others behind its own."""
    for path in paths:
        yield str(path)
        folders, found = deque([(str(path), 1)]), 0
        while folders and found < _MOST_PATHS:
            folder, level = folders.popleft()
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in islice(entries, _MOST_PATHS - found):
                    # Nothing else: a link to what every worker reads, or a pipe, would make each isolation look broken.
                    if stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) in (stat.S_IFREG, stat.S_IFDIR):
                        found += 1
                        yield entry.path
                        if level < _MOST_LEVELS and entry.is_dir(follow_symlinks=False):
                            folders.append((entry.path, level + 1))
