# SPDX-License-Identifier: GPL-2.0-or-later
"""Says what is being waited for: on a terminal with a count of seconds that moves.

Elsewhere it is a line for each thing. What is said on a terminal is gone before
anything else is written. No escape sequences, so any terminal will do that can
return to the beginning of a line.
"""
import contextlib
import os
import threading
import time

import relay


def _terminal():
    """The descriptor of a terminal to count on, or None."""
    if os.environ.get("TERM", "dumb") == "dumb":
        return None
    return next((number for number in (2, 1) if os.isatty(number)), None)


class Waiting:
    """Nothing is said unless it is wanted."""

    def __init__(self, wanted):
        self._wanted = wanted
        self._terminal = _terminal()
        self._since = time.monotonic()
        self._text, self._shown = None, 0       # what is counted, columns on the screen
        self._changed = threading.Condition()
        if wanted and self._terminal is not None:
            threading.Thread(target=self._count, daemon=True).start()

    def on(self, text):
        """From now on we wait for this."""
        if not self._wanted:
            return
        if self._terminal is None:
            relay.complain(text + " ...")
            return
        with self._changed:
            self._text = text
            self._draw()

    def over(self):
        """The line is free; may be called by any thread, and again."""
        with self._changed:
            self._text = None
            self._show("")
            self._changed.notify()

    def _count(self):
        with self._changed:
            while True:
                self._changed.wait(1)
                if self._text is not None:
                    self._draw()

    def _draw(self):
        self._show(f"{self._text} ... {time.monotonic() - self._since:.0f} s")

    def _show(self, line):
        if line or self._shown:
            end = "" if line else "\r"
            with contextlib.suppress(OSError):
                relay.write_all(self._terminal, f"\r{line.ljust(self._shown)}{end}".encode())
            self._shown = len(line)
