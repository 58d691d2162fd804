"""Ctrl-C in the first tenths of a second: while the command line is being loaded, the process ends without a word.

`minidl` imports this first. Where it is the command line that starts, SIGINT does what it does to any program; from
`over` on it raises KeyboardInterrupt, which the command line turns into a sentence.
"""
from __future__ import annotations

import signal
import sys
from pathlib import Path

_is_command = Path(sys.argv[0]).stem == "minidl" or (sys.argv[0] == "-m" and "minidl" in sys.orig_argv)

if _is_command and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def over() -> None:
    """The command line has been loaded."""
    if _is_command and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
