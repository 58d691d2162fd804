"""One window for all pictures, in a process of its own.

There it answers while something trains, and whatever ends it (a click, a display that vanishes, a fault of the window
system, which may end its process without asking) ends nothing else.
"""
from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

_PATIENCE = 30.0        # seconds that a window system has for its answer


class Window:
    """A window that pages through the pictures that it is sent: arrow keys, Space holds a film, Escape closes it.

    It opens with the first picture. Nothing here waits for it but `why_not`, and `wait`, nor raises an error.
    """

    def __init__(self) -> None:
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answered, self._closed, self._why_not = threading.Event(), threading.Event(), ""
        here = str(Path(__file__).parents[2])                     # wherever this process has found minidl
        path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
        try:                           # A session of its own: a terminal's Ctrl-C is not for it.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "minidl.plotting.viewer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "PYTHONPATH": path})
        except OSError as error:
            self._why_not = f"no window can be opened: {error.strerror or error}"
            self._answered.set()
            self._closed.set()
            return
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._write)]
        for thread in self._threads:
            thread.start()

    def why_not(self) -> str:
        """Why there is no window, once that is known, or nothing."""
        self._answered.wait(_PATIENCE)
        return self._why_not

    @property
    def is_open(self) -> bool:
        """Whether pictures still arrive."""
        return not self._closed.is_set()

    def picture(self, content: bytes, title: str) -> None:
        """Add a page with a PNG or GIF file's content."""
        self._outbox.put(("picture", content, title))

    def live(self, view: Any) -> None:
        """Draw a `View` of a training on the last page, unless the one before is not drawn yet."""
        if self._outbox.empty():
            self._outbox.put(("live", view, view.title))

    def say(self, text: str) -> None:
        """Write a text under the last picture, after those that are there."""
        self._outbox.put(("say", text, ""))

    def wait(self) -> None:
        """Wait until the window is closed, or Enter is pressed on the terminal; then it is closed."""
        while not self._closed.wait(0.1) and not _enter_pressed():
            pass
        self.close()

    def close(self) -> None:
        """Close the window, if it is open."""
        if not hasattr(self, "_threads"):
            return
        self._outbox.put(None)
        if not self._closed.wait(2):
            self._process.kill()
        for thread in self._threads:
            thread.join()
        self._process.wait()

    def _listen(self) -> None:
        """The viewer says in one line why it cannot open a window, and ends its output when it is closed."""
        with self._process.stdout as answers:                        # type: ignore[union-attr]
            line = answers.readline()
            self._why_not = line.decode(errors="replace").strip() if line else "no window can be opened"
            self._answered.set()
            answers.read()
        self._closed.set()
        self._outbox.put(None)

    def _write(self) -> None:
        with suppress(OSError), self._process.stdin as pipe:         # type: ignore[union-attr]
            while (message := self._outbox.get()) is not None:
                pickle.dump(message, pipe)
                pipe.flush()


def _enter_pressed() -> bool:
    """Whether a line has been typed on the terminal, if there is one."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    if sys.platform == "win32":
        import msvcrt
        return msvcrt.kbhit() and msvcrt.getwch() in "\r\n"
    import select
    return bool(select.select([sys.stdin], [], [], 0)[0]) and bool(sys.stdin.readline() or True)
