"""The standard streams of the process: in UTF-8, read where something is piped in, left quietly."""

import contextlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from typing import TextIO

from chat.cli.plain import one_line, plain
from chat.settings import Settings


@contextlib.contextmanager
def utf8() -> Iterator[None]:
    """A context in which the standard streams speak UTF-8, whatever the locale says."""
    before = []
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            before.append((stream, stream.encoding, stream.errors))
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        yield
    finally:
        for stream, encoding, errors in before:
            with contextlib.suppress(ValueError, OSError):  # stdin keeps it once something was read
                stream.reconfigure(encoding=encoding, errors=errors)


def whole(argument: str) -> str:
    """An argument in UTF-8, where the locale made Python read it as something else (`LC_ALL=C`, PEP 383)."""
    if not any("\udc80" <= character <= "\udcff" for character in argument):
        return argument
    try:
        return os.fsencode(argument).decode(errors="replace")
    except UnicodeEncodeError:
        return argument.encode(errors="replace").decode()


def piped() -> str:
    """What is piped in, or "". A terminal is not waited for."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    try:
        return sys.stdin.read().strip("\r\n")
    except OSError:  # closed, or not for reading
        return ""


def colour(settings: Settings, stream: TextIO) -> bool:
    return stream.isatty() and not settings.no_color


def tell(text: str) -> None:
    sys.stdout.write(plain(text) + "\n")


def complain(text: str) -> None:
    sys.stderr.write(one_line(text) + "\n")


def leave_pipe() -> None:
    """Nobody reads stdout any more. Python would say so once more at its end, when it flushes."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


class _Complaints(logging.Handler):
    """The store is left out: a talk says itself what is not saved."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("chat.store"):
            return
        with contextlib.suppress(OSError, ValueError):
            complain(record.getMessage())
            if record.exc_info:
                for line in "".join(traceback.format_exception(*record.exc_info)).splitlines():
                    sys.stderr.write(f"  | {plain(line)}\n")


@contextlib.contextmanager
def warnings() -> Iterator[None]:
    """A context in which warnings reach stderr, safe for a terminal, unless somebody else takes the log."""
    log = logging.getLogger("chat")
    if log.hasHandlers():
        yield
        return
    handler = _Complaints(logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
