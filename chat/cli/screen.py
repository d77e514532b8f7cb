"""What a terminal shows of a run: the answer on stdout and nothing else there, the rest on stderr.

`Screen` for people, `Lines` for programs (`--events`). Both take events one by one.
"""

import json
from typing import Any, TextIO, assert_never

from chat.cli.plain import Plain, one_line
from chat.events import (
    Citation,
    Event,
    KeepAlive,
    Notice,
    Opaque,
    Progress,
    Queued,
    RequestSent,
    ResponseOpened,
    Retrying,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    to_dict,
)
from chat.outcomes import ENDINGS

_SHOWN = 300
"""Characters of a tool's arguments or result: a few lines."""


class Screen:
    """`lead` stands before the answer. `colour`: what is not the answer is dim."""

    def __init__(self, out: TextIO, err: TextIO, *, colour: bool, lead: str = "") -> None:
        self._out, self._err, self._colour, self._lead = out, err, colour, lead
        self._text, self._thinking = Plain(), Plain()
        self._one_screen = out.isatty() and err.isatty()
        # Whether the last line of each is still open. On one screen a note ends the answer's line too.
        self._out_open = self._err_open = self._interrupted = False
        self._sources: set[Citation] = set()

    def show(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._answer(self._text.feed(text))
            case ThinkingDelta(text):
                self._think(self._thinking.feed(text))
            case ToolStarted(_, name, arguments):
                self.note(f"→ {name} {_short(arguments)}")
            case ToolFinished(_, name, result, error, seconds):
                told = f"error: {error}" if error is not None else _short(result)
                self.note(f"← {name} {told} ({seconds:.1f} s)")
            case Citation(title, url):
                if event not in self._sources:
                    self._sources.add(event)
                    self.note(f"Source: {title} ({url})")
            case Notice(_, text) | Progress(text):
                self.note(text)
            case Queued(place):
                self.note(f"Queued, {place} before you." if place else "Queued, you are next.")
            case Retrying(attempt, delay, _, text):
                self.note(f"{text} Trying again in {delay:.1f} s (attempt {attempt}).")
            case TurnFinished(stop, _):
                if stop in ENDINGS and stop != "other":  # of which a notice said more
                    self.note(f"{ENDINGS[stop]}.")
                self.end()
            case TurnFailed(failure):
                self.note(failure.message, dim=failure.kind == "stopped")
                self.end()
            case (
                TurnStarted()
                | RequestSent()
                | ResponseOpened()
                | ToolCallStarted()
                | ToolCallDelta()
                | Opaque()
                | Usage()
                | KeepAlive()
            ):
                pass
            case _:
                assert_never(event)

    def note(self, text: str, *, dim: bool = True) -> None:
        """A line on stderr, of its own, and one alone, whoever's words are in it."""
        self._start_aside()
        line = one_line(text)
        self._err.write((self._dim(line) if dim else line) + "\n")
        self._err.flush()

    def end(self) -> None:
        """Ends the last line."""
        self._end_aside()
        if self._out_open:
            self._out.write("\n")
            self._out.flush()
            self._out_open = False

    def _answer(self, text: str) -> None:
        if self._interrupted:  # the line has ended already, no need for the blank line of a new paragraph
            text = text.lstrip("\n")
        if not text:
            return
        self._end_aside()
        self._out.write(self._lead + text)
        self._out.flush()
        self._lead, self._interrupted = "", False
        self._out_open = not text.endswith("\n")

    def _think(self, text: str) -> None:
        if not text:
            return
        if not self._err_open:
            self._start_aside()
        self._err.write(self._dim(text))
        self._err.flush()
        self._err_open = not text.endswith("\n")

    def _start_aside(self) -> None:
        if self._out_open and self._one_screen:
            self._err.write("\n")
            self._out_open, self._interrupted = False, True
        self._end_aside()

    def _end_aside(self) -> None:
        if self._err_open:
            self._err.write("\n")
            self._err.flush()
            self._err_open = False

    def _dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colour else text


class Lines:
    """Every event as one JSON object a line, in ASCII: nothing in it can reach for the terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: Event) -> None:
        # JSON escapes all that is not ASCII, and the control characters but one.
        self._out.write(json.dumps(to_dict(event)).replace("\x7f", "\\u007f") + "\n")
        self._out.flush()


def _short(value: Any) -> str:
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _SHOWN)
