# Tries: to change its stage, its own file's rights or the assignment.
# Statuses: failed
# Without isolation: it can change what its user owns.
import os

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def centre(x):
    for path in (HERE, __file__, os.path.join(HERE, "worker.py"), os.environ["TMPDIR"], "{INSTRUCTOR}",
                 "{INSTRUCTOR}/attacked.py", "{INSTRUCTOR}/tests/test_attacked_hidden.py"):
        for attempt in (lambda: os.chmod(path, 0o777), lambda: os.utime(path, (0, 0)), lambda: os.truncate(path, 0),
                        lambda: os.rename(path, path + "-minidl-attack"), lambda: os.link(path, "minidl-attack"),
                        lambda: os.symlink(path, "/tmp/minidl-attack"), lambda: os.setxattr(path, "user.x", b"x"),
                        lambda: os.chown(path, os.getuid(), os.getgid()), lambda: os.mkfifo(path + "-minidl-attack"),
                        lambda: open(path, "a").close(), lambda: os.open(path, os.O_TMPFILE | os.O_RDWR),
                        lambda: os.open(path, os.O_RDONLY | os.O_CREAT | os.O_TRUNC), lambda: os.unlink(path),
                        lambda: os.mkdir(os.path.join(path, "minidl-attack")), lambda: os.rmdir(path)):
            try:
                attempt()
                print("LEAK: changed", path)
            except OSError:
                pass
    return x
