"""What a student's process gives up before it sees the student's code: limits, files, system calls.

Runs inside that process, from a copy; standard library alone. Everything goes through ctypes, since Python has no
interface for Landlock (Linux 5.13), capabilities and seccomp. Sources: the kernel's documentation; its syscall tables.
"""
from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

TYPE_CHECKING = False          # mypy takes it for typing's, which this process need not load
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 8, 22, 38
_SIGKILL = 9


def confine(job: dict[str, Any]) -> list[str]:
    """Give up all that the job's isolation takes away; returns what was done. Raises OSError for what does not work.

    To be called while there is one thread: it holds for that one and for those that it starts.
    """
    kind, uid = job["isolation"], job["uid"]
    limit(job["limits"])
    if job["core"] is not None:
        try:
            os.sched_setaffinity(0, [job["core"]])
        except (AttributeError, OSError):        # no such call, or no longer this machine's: it may run anywhere
            pass
    if kind == "landlock" and uid is not None:
        become(uid, job["readable"])
    elif kind in ("landlock", "uid") and os.geteuid() == 0:
        keep_capabilities(0)
    die_with_parent(job["parent"])               # after the change of user, which forgets it
    if kind == "landlock":
        landlock(job["readable"])
    if kind != "none":
        seccomp(no_writing=kind == "uid")
    return {"bwrap": ["limits", "seccomp"], "landlock": ["limits", "landlock", "seccomp"],
            "uid": ["limits", "seccomp"], "none": ["limits"]}[kind]


def limit(limits: dict[str, int]) -> None:
    """Set resource limits: `memory` (bytes of address space), `seconds` of processor time, `file` (bytes of a file)."""
    try:
        import resource
    except ImportError:                # Windows
        return
    # A core of one byte is none; with 0 the kernel would still start the system's collector of cores.
    wanted = {"RLIMIT_CORE": 1, "RLIMIT_FSIZE": limits["file"], "RLIMIT_CPU": limits["seconds"], "RLIMIT_NOFILE": 64}
    if sys.platform == "linux":
        wanted |= {"RLIMIT_AS": limits["memory"], "RLIMIT_NPROC": limits["processes"]}
    for name, value in wanted.items():
        number = getattr(resource, name)
        hard = value + (name == "RLIMIT_CPU")    # SIGXCPU tells what it was; who ignores it is killed a second later
        if (highest := resource.getrlimit(number)[1]) != resource.RLIM_INFINITY:
            value, hard = min(value, highest), min(hard, highest)
        resource.setrlimit(number, (value, hard))


def limit_memory(size: int) -> None:
    """Let this process have so many bytes of address space, where the system knows such a limit."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def die_with_parent(parent: int | None = None) -> None:
    """End when the grader ends, however it ends; at once if it has ended, and `parent` is no longer this one's."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if parent not in (None, os.getppid()):
        os._exit(1)


def become(uid: int, readable: list[str]) -> None:
    """From root to another user, whose only capability is to read, if it could not read `readable` without it.

    Only Landlock makes that capability harmless. It is what lets a user of its own run an interpreter in /root.
    """
    read_everything, override = 1 << 2, 1 << 1                   # CAP_DAC_READ_SEARCH; containers have the other one
    there = [path for path in readable if os.path.exists(path)]
    if _libc().prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0:
        raise _error("PR_SET_KEEPCAPS")
    had = _capabilities()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if all(os.access(path, os.R_OK) for path in there):
        keep_capabilities(0)
    else:
        keep_capabilities(had & read_everything or had & override)


def keep_capabilities(kept: int) -> None:
    """Give up what root may do, but for the capabilities in the mask `kept`."""
    data = struct.pack("<6I", kept, kept, 0, 0, 0, 0)            # effective, permitted, inheritable; the higher ones
    if _libc().capset(ctypes.c_char_p(_THIS_PROCESS), ctypes.c_char_p(data)) != 0:
        raise _error("capset")


_THIS_PROCESS = struct.pack("<Ii", 0x20080522, 0)                # the header of version 3


def _capabilities() -> int:
    """The mask of those that are permitted, of the first 32."""
    data = ctypes.create_string_buffer(24)
    if _libc().capget(ctypes.c_char_p(_THIS_PROCESS), data) != 0:
        raise _error("capget")
    return struct.unpack("<6I", data.raw)[1]


def landlock(readable: list[str]) -> None:
    """Deny all use of files but reading those below the paths `readable`; network and foreign signals where known."""
    libc = _libc()
    version = libc.syscall(444, None, ctypes.c_size_t(0), 1)
    if version < 1:
        raise _error("Landlock")
    files = (1 << 13) - 1                                        # execute, read, write, make, remove ...
    files |= (1 << 13) * (version >= 2) | (1 << 14) * (version >= 3) | (1 << 15) * (version >= 5)
    network, scope = 3 * (version >= 4), 3 * (version >= 6)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = libc.syscall(444, ctypes.c_char_p(struct.pack("<QQQ", files, network, scope)), ctypes.c_size_t(size), 0)
    if rules < 0:
        raise _error("landlock_create_ruleset")
    execute, write, read, list_folder = 1, 2, 4, 8
    for path in readable:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:                                          # not there on this system
            continue
        allowed = execute | read | (list_folder if os.path.isdir(path) else 0) | (write if path == "/dev/null" else 0)
        rule = struct.pack("<Qi", allowed, place)
        if libc.syscall(445, rules, 1, ctypes.c_char_p(rule), 0) < 0:
            raise _error(f"landlock_add_rule {path}")
        os.close(place)
    _no_new_privileges(libc)
    if libc.syscall(446, rules, 0) < 0:
        raise _error("landlock_restrict_self")
    os.close(rules)


# The system calls that are denied, with their numbers on x86_64 and aarch64 (None: it has no such call).
_DENIED = {
    # every kind of socket
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    # other processes' memory, signals and scheduling; new programs
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "tkill": (200, 130), "perf_event_open": (298, 241),
    "bpf": (321, 280), "userfaultfd": (323, 282), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122), "migrate_pages": (256, 238), "move_pages": (279, 239),
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "personality": (135, 92),
    # shared memory, semaphores, queues: memory beyond the limits, and ways to leave a message for another test
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semtimedop": (220, 192), "semctl": (66, 191), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181), "memfd_create": (319, 279),
    # keyrings, namespaces, mounts
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "quotactl": (179, 60),
    # changing files otherwise than by opening them; watching them
    "creat": (85, None), "truncate": (76, 45), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None),
    "mknod": (133, None), "mknodat": (259, 33), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
    "link": (86, None), "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36), "unlink": (87, None),
    "unlinkat": (263, 35), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None),
    "fchown": (93, 55), "fchownat": (260, 54), "lchown": (94, None), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "inotify_init": (253, None),
    "inotify_init1": (294, 26), "fanotify_init": (300, 262),
    # what all processes share: disks to wait for, room for asynchronous reading, locks, the kernel's log
    "sync": (162, 81), "syncfs": (306, 267), "io_setup": (206, 0), "flock": (73, 32), "syslog": (103, 116),
}
# From here on the numbers are the same everywhere. Of these and of all that are still to come only some are known
# calls: io_uring, pidfd, openat2, clone3, new mounts, memfd_secret and the rest "do not exist", and libc falls back.
_NEW = 424
_NEW_ALLOWED = (436, 439, 441, 449)              # close_range, faccessat2, epoll_pwait2, futex_waitv
_KILL, _TGKILL, _CLONE, _FCNTL = (62, 129), (234, 131), (56, 220), (72, 25)
_PRCTL, _PRLIMIT, _OPEN, _OPENAT = (157, 167), (302, 261), (2, None), (257, 56)
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE_THREAD = 0x10000
# fcntl's commands that let an open file send signals to somebody, F_SETOWN ..., and those that lock it.
_OWN_OR_LOCK = (8, 10, 15, 6, 7, 37, 38, 1024, 1026)
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o20000000               # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE
_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06        # classic BPF's instructions
_ALLOW, _REFUSE, _NO_SUCH_CALL, _KILL_PROCESS = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000       # EPERM, ENOSYS
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, (16, 24, 32)           # offsets in what the filter sees


def seccomp(no_writing: bool = False) -> None:
    """Deny sockets, tracing, signals to others, shared memory, keyrings, io_uring, new processes and foreign ABIs.

    With `no_writing` no file can be opened for writing either, not even /dev/null.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise OSError(f"no table of system calls for {machine}")
    program = b"".join(_filter(list(_ARCHITECTURES).index(machine), _ARCHITECTURES[machine], no_writing))
    libc = _libc()
    code = ctypes.create_string_buffer(program)
    filter_ = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    _no_new_privileges(libc)
    if libc.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(filter_), 0, 0) != 0:
        raise _error("seccomp")


def _filter(which: int, architecture: int, no_writing: bool) -> Iterator[bytes]:
    """The filter's instructions: `which` column of the numbers holds."""
    def step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("<HBBI", code, if_true, if_false, value)

    allow, refuse = step(_RETURN, _ALLOW), step(_RETURN, _REFUSE)

    def call(numbers: tuple[int | None, int | None], *steps: bytes) -> list[bytes]:
        """These steps, which end in a return, for one system call."""
        number = numbers[which]
        return [] if number is None else [step(_EQUAL, number, 0, len(steps)), *steps]

    def by_argument(place: int, values: Sequence[int], if_one_of_them: bytes, otherwise: bytes) -> tuple[bytes, ...]:
        tests = [step(_EQUAL, value, len(values) - i, 0) for i, value in enumerate(values)]
        return step(_LOAD, _ARGUMENT[place]), *tests, otherwise, if_one_of_them

    def by_bits(place: int, mask: int, if_any: bytes, otherwise: bytes) -> tuple[bytes, ...]:
        return step(_LOAD, _ARGUMENT[place]), step(_ANY_BIT, mask, 1, 0), otherwise, if_any

    me = os.getpid()
    yield from (step(_LOAD, _ARCHITECTURE), step(_EQUAL, architecture, 1, 0), step(_RETURN, _KILL_PROCESS),
                step(_LOAD, _NUMBER), step(_ABOVE, 0x40000000, 0, 1), step(_RETURN, _KILL_PROCESS))     # x32's calls
    for number in _NEW_ALLOWED:
        yield from call((number, number), allow)
    yield from (step(_ABOVE, _NEW, 0, 1), step(_RETURN, _NO_SUCH_CALL))
    for numbers in _DENIED.values():
        yield from call(numbers, refuse)
    yield from call(_CLONE, *by_bits(0, _CLONE_THREAD, allow, refuse))           # threads, but no processes
    yield from call(_KILL, *by_argument(0, [me], allow, refuse))
    yield from call(_TGKILL, *by_argument(0, [me], allow, refuse))
    yield from call(_PRLIMIT, *by_argument(0, [0, me], allow, refuse))           # root's next process is the grader
    yield from call(_FCNTL, *by_argument(1, _OWN_OR_LOCK, refuse, allow))
    yield from call(_PRCTL, *by_argument(0, [_PR_SET_PDEATHSIG], refuse, allow))
    if no_writing:
        yield from call(_OPEN, *by_bits(1, _WRITING, refuse, allow))
        yield from call(_OPENAT, *by_bits(2, _WRITING, refuse, allow))
    yield allow


def _no_new_privileges(libc: ctypes.CDLL) -> None:
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise _error("PR_SET_NO_NEW_PRIVS")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
