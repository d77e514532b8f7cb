"""Text fitted into the columns of a terminal, and times as a person says them. Pure functions."""

import time
import unicodedata
from datetime import date

_WORD = 20
"""Characters of a word that is dropped rather than cut."""


def width(text: str) -> int:
    """Columns that `text` takes: two for wide characters (UAX #11), none for what joins the one before."""
    return sum(map(_columns, text))


def fit(text: str, columns: int) -> str:
    """`text`, cut to so many columns, with a mark where it was cut."""
    if width(text) <= columns:
        return text
    taken, left = 0, columns - 1
    for character in text:
        left -= _columns(character)
        if left < 0:
            break
        taken += 1
    return text[:taken].rstrip() + "…"


def fit_end(text: str, columns: int) -> str:
    """The end of `text`, as `fit`; from the beginning of a word, where one is near."""
    if width(text) <= columns:
        return text
    end = fit(text[::-1], columns)[-2::-1]
    space = end.find(" ", 0, _WORD)
    return "…" + end[space + 1 :]


def pad(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def when(at: float, now: float) -> str:
    """`at` in local time, as short as it can be told apart; both in seconds since the epoch."""
    then, today = time.localtime(at), time.localtime(now)
    clock = time.strftime("%H:%M", then)
    days = _day(today) - _day(then)
    if days == 0:
        return f"today {clock}"
    if days == 1:
        return f"yesterday {clock}"
    if then.tm_year == today.tm_year:
        return f"{then.tm_mday} {time.strftime('%b', then)} {clock}"
    return f"{then.tm_mday} {time.strftime('%b %Y', then)}"


def _day(moment: time.struct_time) -> int:
    """Differences mean days of the calendar, whatever the clocks did."""
    return date(*moment[:3]).toordinal()


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
