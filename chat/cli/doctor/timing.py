"""How long the first word takes: ten questions to the demo model that never pauses.

So what is measured is Runnel's part: here the engine, the store and the queue, and behind an address the way
there too. A vendor's model takes its own time on top.
"""

import math
import statistics
import time
from collections.abc import Sequence
from contextlib import aclosing

from chat.build import App
from chat.cli.doctor.outcome import Outcome, failed, ok, warning
from chat.events import TextDelta
from chat.messages import Options, Turn

QUESTIONS = 10
TARGET = 0.3
"""Seconds to the first word."""
MODEL = "demo:fast"
QUESTION = "hello"


async def here(app: App) -> Outcome:
    """Of this very process, without a page or a network."""
    return judged([await _first(app) for _ in range(QUESTIONS)])


async def _first(app: App) -> float | None:
    asked = time.perf_counter()
    run = app.runs.start(Turn(QUESTION, Options(model=MODEL)))
    try:
        async with aclosing(run.follow()) as batches:
            async for entries in batches:
                if any(isinstance(entry.event, TextDelta) for entry in entries):
                    return time.perf_counter() - asked
    finally:
        run.stop()
    return None


def judged(times: Sequence[float | None]) -> Outcome:
    """`times` in seconds, None for an answer that had no word. A median above the target is a failure; the
    95th percentile, which of ten is the slowest, something to look at."""
    known = sorted(each for each in times if each is not None)
    if len(known) < len(times):
        return failed(
            "first word",
            f"{len(times) - len(known)} of {len(times)} questions to {MODEL} had no answer.",
            "Ask it yourself, and read the log.",
        )
    least, median = known[0], statistics.median(known)
    late = known[math.ceil(0.95 * len(known)) - 1]
    figures = {"min_ms": _ms(least), "median_ms": _ms(median), "p95_ms": _ms(late), "target_ms": _ms(TARGET)}
    said = f"{_ms(median)} ms from {MODEL} (least {_ms(least)}, p95 {_ms(late)}); the target is {_ms(TARGET)}"
    if median > TARGET:
        return failed(
            "first word", f"{said}.", "Look at what else this machine does, and at its disk.", **figures
        )
    if late > TARGET:
        return warning("first word", f"{said}.", "Measure again when less goes on.", **figures)
    return ok("first word", said, **figures)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
