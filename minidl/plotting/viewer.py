"""The program behind `Window`: `python -m minidl.plotting.viewer` shows what its standard input brings.

It reads pickled (kind, content, title) until the input ends, which closes the window. First it writes a line, which is
empty, or says why no window can be opened.
"""
from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_TICK = 50                   # milliseconds between looks at the input
_HELD = 5.0                  # seconds for which a new picture is not replaced by a training's
_LINE, _LETTER = 42, 16      # dots for a line of text under a picture, and for a letter
_GRACE = 2.0                 # seconds in which a window closes


@dataclass
class Page:
    """A picture's frames (H, W, 3), one unless it is a film, with the seconds of each, and the text under it."""

    title: str
    frames: list[np.ndarray]
    seconds: list[float] = field(default_factory=lambda: [0.0])
    texts: list[str] = field(default_factory=list)
    live: bool = False


class Viewer:
    """The window: pages, the one that is shown, and what is done at each tick and key."""

    def __init__(self, figure: Any, inbox: queue.SimpleQueue[Any], first: Sequence[Any] = ()) -> None:
        self.figure, self.inbox, self.manager = figure, inbox, figure.canvas.manager
        self.messages = list(first)                  # shown when the window is: before, it does not know its scale
        self.pages: list[Page] = []
        self.at = self.frame = 0
        self.paused, self.follows = False, True
        self.held = self.next_frame = 0.0            # times
        self.size = 0, 0                             # the last that we have set
        figure.canvas.mpl_connect("key_press_event", self.press)
        self.timer = figure.canvas.new_timer(interval=_TICK)
        self.timer.add_callback(self.tick)
        self.timer.start()

    def tick(self) -> None:
        """Take what has come, and go on with a film; what cannot be drawn is left out."""
        with suppress(Exception):                    # after an error matplotlib's timer would not tick again
            self.go_on()

    def go_on(self) -> None:
        """Take what has come, and go on with a film."""
        while not self.inbox.empty():
            self.messages.append(self.inbox.get())
        live = None                                  # of several views only the last is drawn
        while self.messages:
            message = self.messages.pop(0)
            if message is None:
                from matplotlib import pyplot

                pyplot.close(self.figure)
                return
            if message[0] == "live":
                live = message
            else:
                self.take(*message)
        if live:
            self.take(*live)
        page = self.pages[self.at] if self.pages else None
        if page and len(page.frames) > 1 and not self.paused and time.monotonic() >= self.next_frame:
            self.frame = (self.frame + 1) % len(page.frames)
            self.next_frame = time.monotonic() + page.seconds[self.frame]
            self.image.set_data(page.frames[self.frame])
            self.figure.canvas.draw_idle()

    def take(self, kind: str, content: Any, title: str) -> None:
        """Add a page, or a text to the last picture. Unless the user has paged back, the new page is shown."""
        saved = [page for page in self.pages if not page.live]
        if kind == "say":
            if saved:
                saved[-1].texts.append(content)
                self.turn(self.at)
            return
        if kind == "live":
            turn = self.follows and (self.at == len(saved) or time.monotonic() >= self.held)
            self.pages = [*saved, _live_page(content)]
        else:
            turn = self.follows
            self.pages = [*saved, _page(content, title)]
            self.held = time.monotonic() + _HELD
        if turn or len(self.pages) == 1:
            self.turn(len(self.pages) - 1)
        else:
            self.entitle()

    def press(self, event: Any) -> None:
        """Page, hold a film, or close."""
        last = len(self.pages) - 1
        turns = {"right": self.at + 1, "pagedown": self.at + 1, "left": self.at - 1, "pageup": self.at - 1,
                 "home": 0, "end": last}
        if event.key in turns:
            self.turn(min(max(turns[event.key], 0), last))
            self.follows = self.at == last
        elif event.key == " ":
            self.paused = not self.paused
        elif event.key in ("escape", "enter"):
            from matplotlib import pyplot

            pyplot.close(self.figure)

    def turn(self, to: int) -> None:
        """Show a page, in a window of its size, or of the screen's if that is smaller."""
        self.at, self.frame, self.paused = to, 0, False
        page = self.pages[to]
        height, width = (size * (1 + (len(page.frames) > 1)) for size in page.frames[0].shape[:2])     # see `film`
        lines = [line for text in page.texts for line in textwrap.wrap(text, max(20, width // _LETTER))]
        strip = len(lines) * _LINE + 20 if lines else 0
        self.figure.clear()
        share = strip / (height + strip)
        axis = self.figure.add_axes((0, share, 1, 1 - share))
        axis.axis("off")
        self.image = axis.imshow(page.frames[0])
        self.figure.text(0.5, share / 2, "\n".join(lines), fontsize=20, ha="center", va="center", linespacing=1.3)
        self.next_frame = time.monotonic() + page.seconds[0]
        self.entitle()
        room = _screen(self.manager.window)
        shrink = min(1.0, room[0] / width, room[1] / (height + strip))
        size = round(width * shrink), round((height + strip) * shrink)
        if size != self.size:
            self.size = size
            self.manager.resize(*size)
        self.figure.canvas.draw_idle()

    def entitle(self) -> None:
        """Say in the title which page it is, and of how many."""
        many = f"  ({self.at + 1} of {len(self.pages)}: arrow keys)" if len(self.pages) > 1 else ""
        self.manager.set_window_title(self.pages[self.at].title + many)


def _page(content: bytes, title: str) -> Page:
    from minidl.plotting.output import read_film

    frames, seconds = read_film(content)
    return Page(title, frames, seconds)


def _live_page(seen: Any) -> Page:
    from minidl.plotting.live import view
    from minidl.plotting.output import pixels

    return Page(seen.title, [pixels(view(seen), dpi=80)], live=True)


def _screen(window: Any) -> tuple[float, float]:
    """The dots that a window may take, in width and height."""
    if hasattr(window, "winfo_screenwidth"):                              # Tk
        return 0.98 * window.winfo_screenwidth(), 0.9 * window.winfo_screenheight()
    if hasattr(window, "screen"):                                         # Qt
        room = window.screen().availableGeometry()
        return 0.98 * room.width(), 0.95 * room.height()
    return 1800, 950


def _receive(inbox: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            inbox.put(pickle.load(sys.stdin.buffer))
    except (EOFError, OSError, pickle.UnpicklingError):                   # the other side has ended, maybe half-way
        inbox.put(None)
        time.sleep(_GRACE)
        os._exit(0)                                  # the window has not closed


def main() -> None:
    """Show what the standard input brings, until it ends or the window is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)     # Ctrl-C is for the program whose pictures these are
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(inbox,), daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(15)                                  # on one core what trains has 30 times its time
    chosen, why_not = os.environ.get("MPLBACKEND"), ""
    try:
        from matplotlib import pyplot

        pyplot.rcParams.update({"toolbar": "None", "figure.raise_window": False})
        figure = pyplot.figure()
        if figure.canvas.required_interactive_framework is None:
            why_not = f"MPLBACKEND is {chosen!r}, which opens none; unset it" if chosen else \
                "matplotlib has no window system here (on Debian: apt install python3-tk)"
    except Exception as error:                       # each window system fails in its own way
        why_not = str(error)
    if why_not:
        print("no window can be opened:", " ".join(why_not.split()), flush=True)
        return
    print(flush=True)
    first = inbox.get()
    if first is not None:
        viewer = Viewer(figure, inbox, [first])      # matplotlib holds its methods by weak references
        pyplot.show()
        del viewer


if __name__ == "__main__":
    main()
    os._exit(0)                                      # the thread may still wait for input, and holds its lock
