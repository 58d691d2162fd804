"""What tests of other processes need: an end for whatever they start, and waiting for what no event tells of."""
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(command, **options):
    """The process of a command, which the block does not outlive."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition):
    """Whether the condition comes to hold within a minute, which only a test that fails takes."""
    end = time.monotonic() + 60
    while not (holds := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return holds


def mentioned(text):
    """Whether the command line of a process, on Linux, holds the text."""
    return any(text.encode() in _command_line(entry) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _command_line(entry):
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""
