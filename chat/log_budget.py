"""What may be written to the log: much at once, little for ever, so that no visitor fills a disk with lines.

It stands in the place of stderr, because not all that is written there goes through `logging`. Installed by
app.py.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO, cast

BURST_BYTES, BYTES_A_SECOND = 1_000_000, 2_000
"""At once, and for ever: 170 MB a day at most. An answer's line has some 300 bytes."""


class Bounded:
    """Passes on to `out` what there is room for, and says how much was left out. All else is `out`'s own."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._room, self._at, self._left_out = float(BURST_BYTES), clock(), 0
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            now = self._clock()
            self._room = min(float(BURST_BYTES), self._room + (now - self._at) * BYTES_A_SECOND)
            self._at = now
            size = len(text.encode(errors="replace"))
            # A tenth has to be there again before it goes on: else each line would be followed by a note.
            if size > self._room or (self._left_out and self._room < BURST_BYTES / 10):
                self._left_out += size
                return len(text)
            self._room -= size
            if self._left_out:
                self._out.write(f"\n({self._left_out:,} bytes of the log were left out: too many at once)\n")
                self._left_out = 0
            self._out.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


def install() -> None:
    """In the place of stderr, for `logging` too."""
    before, bounded = sys.stderr, Bounded(sys.stderr)
    sys.stderr = cast(TextIO, bounded)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(bounded)
