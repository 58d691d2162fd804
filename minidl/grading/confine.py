"""What a student's process gives up before it sees the student's code: limits, files, system calls.

Runs inside that process, from a copy; standard library alone. Everything goes through ctypes, since Python has no
interface for Landlock (Linux 5.13) and seccomp. Sources: the kernel's documentation of both; the syscall tables.
"""
import ctypes
import os
import platform
import struct
import sys

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 38, 22, 24
_SIGKILL = 9


def limit(limits):
    """Set resource limits: `memory` (bytes of address space), `seconds` of processor time, `file` (bytes of a file)."""
    try:
        import resource
    except ImportError:                # Windows
        return
    wanted = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": limits["file"], "RLIMIT_CPU": limits["seconds"], "RLIMIT_NOFILE": 64}
    if sys.platform == "linux":
        wanted |= {"RLIMIT_AS": limits["memory"], "RLIMIT_NPROC": limits["processes"]}
    for name, value in wanted.items():
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def die_with_parent():
    """End when the grader ends, however it ends."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def drop_capabilities():
    """Give up what root may do beyond owning its files; without effect for others."""
    libc = _libc()
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("<Ii", 0x20080522, 0)                   # version 3, this process
    if libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24))) != 0:
        raise _error("capset")


def landlock(readable):
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
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.syscall(446, rules, 0) < 0:
        raise _error("landlock_restrict_self")
    os.close(rules)


# The system calls that are denied, with their numbers on x86_64 and aarch64 (None: it has no such call).
_DENIED = {
    # every kind of socket
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    # tracing and other processes' memory and files
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "kcmp": (312, 272), "process_madvise": (440, 440),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "perf_event_open": (298, 241), "bpf": (321, 280),
    "userfaultfd": (323, 282), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # shared memory, semaphores, queues
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    # keyrings, io_uring, namespaces, mounts, new programs
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "fsopen": (430, 430),
    "fsmount": (432, 432), "move_mount": (429, 429), "open_tree": (428, 428), "mount_setattr": (442, 442),
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "personality": (135, 92),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setscheduler": (144, 119), "quotactl": (179, 60),
    # files, however they may be opened
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None), "fchown": (93, 55),
    "fchownat": (260, 54), "lchown": (94, None), "setxattr": (188, 5), "utimensat": (280, 88),
    "inotify_init1": (294, 26),
}
_KILL, _TKILL, _TGKILL, _CLONE, _CLONE3, _FCNTL = (62, 129), (200, 130), (234, 131), (56, 220), (435, 435), (72, 25)
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE_THREAD = 0x10000
_SET_OWNER = (8, 10, 15)               # fcntl's commands that let an open file send signals to somebody: F_SETOWN ...
_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06        # classic BPF's instructions
_ALLOW, _REFUSE, _NO_SUCH_CALL, _KILL_PROCESS = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000       # EPERM, ENOSYS
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, (16, 24, 32)           # offsets in what the filter sees


def seccomp():
    """Deny sockets, tracing, signals to others, shared memory, keyrings, io_uring, new processes and foreign ABIs."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise OSError(f"no table of system calls for {machine}")
    which = list(_ARCHITECTURES).index(machine)
    me = os.getpid()

    def step(code, value, if_true=0, if_false=0):
        return struct.pack("<HBBI", code, if_true, if_false, value)

    program = [step(_LOAD, _ARCHITECTURE), step(_EQUAL, _ARCHITECTURES[machine], 1, 0), step(_RETURN, _KILL_PROCESS),
               step(_LOAD, _NUMBER), step(_ABOVE, 0x40000000, 0, 1), step(_RETURN, _KILL_PROCESS)]      # x32's calls
    for numbers in _DENIED.values():
        if numbers[which] is not None:
            program += [step(_EQUAL, numbers[which], 0, 1), step(_RETURN, _REFUSE)]
    program += [step(_EQUAL, _CLONE3[which], 0, 1), step(_RETURN, _NO_SUCH_CALL)]     # its flags cannot be seen
    program += [step(_EQUAL, _CLONE[which], 0, 4), step(_LOAD, _ARGUMENT[0]), step(_ANY_BIT, _CLONE_THREAD, 1, 0),
                step(_RETURN, _REFUSE), step(_RETURN, _ALLOW)]                        # threads, but no processes
    for numbers in (_KILL, _TGKILL):
        program += [step(_EQUAL, numbers[which], 0, 4), step(_LOAD, _ARGUMENT[0]), step(_EQUAL, me, 1, 0),
                    step(_RETURN, _REFUSE), step(_RETURN, _ALLOW)]
    program += [step(_EQUAL, _TKILL[which], 0, 1), step(_RETURN, _REFUSE)]
    program += [step(_EQUAL, _FCNTL[which], 0, 6), step(_LOAD, _ARGUMENT[1]), step(_EQUAL, _SET_OWNER[0], 2, 0),
                step(_EQUAL, _SET_OWNER[1], 1, 0), step(_EQUAL, _SET_OWNER[2], 0, 1), step(_RETURN, _REFUSE),
                step(_RETURN, _ALLOW)]
    program += [step(_RETURN, _ALLOW)]
    libc = _libc()
    code = ctypes.create_string_buffer(b"".join(program))
    filter_ = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(filter_), 0, 0) != 0:
        raise _error("seccomp")


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def _error(what):
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
