"""The report on stdout: a line for each outcome as soon as it is known, or one JSON object at the end.

Nothing that looks like a key gets through, whoever quoted it, and nothing that gives a terminal orders.
"""

import json
import shutil
from dataclasses import asdict
from textwrap import wrap
from types import TracebackType
from typing import Any, Self, TextIO

from chat.cli import streams
from chat.cli.doctor.outcome import Outcome, Verdict
from chat.cli.plain import plain
from chat.errors import redact
from chat.settings import Settings

_MARKS: dict[Verdict, str] = {"ok": "✓", "warning": "!", "failed": "✗"}
_COLOURS: dict[Verdict, int] = {"ok": 32, "warning": 33, "failed": 31}
_NAME = 12
"""Columns of the names."""
_MARGIN = " " * (_NAME + 2)
_WIDTH = 80
"""Columns where nobody says how many: a pipe, a log."""
_WIDEST = 110


class Report:
    """A context: left, the end is written."""

    def __init__(self, out: TextIO, settings: Settings | None, *, json: bool) -> None:
        self._out, self._json = out, json
        self._colour = settings is not None and streams.colour(settings, out)
        self._secrets = _secrets(settings)
        width = shutil.get_terminal_size((_WIDTH, 24)).columns if out.isatty() else _WIDTH
        self._width = max(40, min(width, _WIDEST))
        self._outcomes: list[Outcome] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write(json.dumps(self._object, ensure_ascii=False) if self._json else f"\n{self._sum}")

    @property
    def failed(self) -> bool:
        return any(outcome.verdict == "failed" for outcome in self._outcomes)

    def add(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if self._json:
            return
        mark = _MARKS[outcome.verdict]
        if self._colour:
            mark = f"\x1b[{_COLOURS[outcome.verdict]}m{mark}\x1b[0m"
        first, *rest = self._lines(outcome.said)
        self._write(f"{mark} {outcome.name:<{_NAME}}{first}")
        for line in rest:
            self._write(_MARGIN + line)
        for line in self._lines(outcome.next, "→ ") if outcome.next else ():
            self._write(_MARGIN + line)

    def _lines(self, text: str, lead: str = "") -> list[str]:
        """Wrapped, but for a line that is indented: it is one of a file, and stays as it is."""
        lines: list[str] = []
        for line in plain(self._clean(text)).splitlines():
            room = self._width - len(_MARGIN) - len(lead)
            whole = line.startswith(" ")
            lines += [line] if whole else wrap(line, room, break_long_words=False, break_on_hyphens=False)
        margin = " " * len(lead)
        return [(margin if at else lead) + line for at, line in enumerate(lines)] or [""]

    @property
    def _object(self) -> dict[str, Any]:
        counts = {verdict: self._count(verdict) for verdict in _MARKS}
        checks = [
            {
                key: self._clean(value) if isinstance(value, str) else value
                for key, value in asdict(each).items()
            }
            for each in self._outcomes
        ]
        return {**counts, "checks": checks}

    @property
    def _sum(self) -> str:
        if not (self.failed or self._count("warning")):
            return f"All {len(self._outcomes)} are well."
        counts = ((self._count("failed"), "failed"), (self._count("warning"), "to look at"))
        told = " and ".join(f"{count} {what}" for count, what in counts if count)
        return f"{told[0].upper()}{told[1:]}, of {len(self._outcomes)}."

    def _count(self, verdict: Verdict) -> int:
        return sum(outcome.verdict == verdict for outcome in self._outcomes)

    def _clean(self, text: str) -> str:
        return redact(text, self._secrets)

    def _write(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()


def _secrets(settings: Settings | None) -> tuple[str, ...]:
    """All that must not be printed."""
    if settings is None:
        return ()
    more = (settings.token, settings.secret, *settings.users.values())
    return (*settings.secrets, *(secret.value for secret in more if secret is not None))
