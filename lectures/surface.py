"""Where a lecture's pictures appear: in one window, in the notebook, or else as lines with their files' names.

`opened(show)` finds out which. A picture never stops a lecture: what fails here is one sentence.
"""
from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from minidl.errors import InputError
from minidl.progress import in_notebook

if TYPE_CHECKING:
    from minidl.plotting import View


COLUMNS = 78                   # of a projector's terminal


class Surface:
    """Neither a display nor a notebook: a line with the file's name for each picture."""

    draws = False                  # whether `live` shows anything
    cost = 0.0                     # in about how many seconds, before that has been measured

    def ready(self) -> None:
        """Wait until it is known whether pictures appear here; says why not, if that was hoped."""

    def picture(self, content: bytes, file: str, title: str) -> None:
        """Show a PNG or GIF file's content."""
        print(f"{title}: {file}", flush=True)

    def live(self, view: View) -> None:
        """Show how far a training is."""

    def say(self, text: str) -> None:
        """Write a text under the last picture."""
        print("\n" + textwrap.fill(text, COLUMNS, break_on_hyphens=False) + "\n", flush=True)

    def stay(self) -> None:
        """The lecture has ended: wait until its window is closed."""

    def close(self) -> None:
        """Leave nothing behind."""


class InWindow(Surface):
    """One window. Once it has been closed, the pictures are lines again."""

    draws = True

    def __init__(self) -> None:
        from minidl import plotting

        self._window = plotting.Window()
        self._asked = False

    def ready(self) -> None:
        if not self._asked:
            self._asked = True
            why_not = self._window.why_not()
            if why_not:
                print(why_not, flush=True)
        self.draws = self._window.is_open

    def picture(self, content: bytes, file: str, title: str) -> None:
        self.ready()
        if self.draws:
            self._window.picture(content, f"{title}: {file}")
        else:
            super().picture(content, file, title)

    def live(self, view: View) -> None:
        self.draws = self._window.is_open
        self._window.live(view)

    def say(self, text: str) -> None:
        super().say(text)
        self._window.say(text)

    def stay(self) -> None:
        self.ready()
        if self.draws:
            print("the window stays until it is closed" + ", or Enter is pressed" * _has_terminal(), flush=True)
            self._window.wait()

    def close(self) -> None:
        self._window.close()


class Inline(Surface):
    """Below the notebook's cell; a training has one picture there, which changes."""

    draws, cost = True, 0.2

    def __init__(self) -> None:
        self._handle: Any = None
        self._title = ""

    def picture(self, content: bytes, file: str, title: str) -> None:
        from IPython import display

        self._handle = None
        display.display(_image(content))

    def say(self, text: str) -> None:
        from IPython import display

        display.display(display.Markdown(text))

    def live(self, view: View) -> None:
        from IPython import display

        from minidl import plotting

        image = _image(plotting.png(plotting.view(view)))
        if self._handle is None or self._title != view.title:
            self._handle, self._title = display.display(image, display_id=True), view.title
        else:
            self._handle.update(image)


def _image(content: bytes) -> Any:
    from IPython import display

    return display.Image(data=content, format="gif" if content.startswith(b"GIF") else "png")


def opened(show: bool | None) -> Surface:
    """The surface for this process; `show` asks for a window, or for none, None where somebody is likely to see it.

    Raises InputError where matplotlib cannot draw at all.
    """
    _check_backend()
    if in_notebook() and show is not False:
        return Inline()
    if show or (show is None and has_display()):
        return InWindow()
    return Surface()


def _check_backend() -> None:
    """Raise InputError if matplotlib would not start: at the first picture, after a training, that would be late."""
    chosen = os.environ.get("MPLBACKEND")
    if chosen:
        try:
            import matplotlib  # noqa: F401
        except ValueError:
            raise InputError(f"MPLBACKEND is {chosen!r}, which this matplotlib does not know; unset it") from None


def has_display() -> bool:
    """Whether somebody is likely to see a window: a terminal with a screen, and not a test or a server."""
    if os.environ.get("CI") or os.environ.get("MPLBACKEND", "").lower() == "agg" or not sys.stdout.isatty():
        return False
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
