"""Figures and labels from outside, checked where they come in: what is stored and drawn is made of these.

Pure. `events` and `models` call it when a value is made, and the protocols when they read lists. What is no
figure, or none that can be, is None, as if it had not been said: one odd value never costs an answer.
"""

import math
import re
import unicodedata
from typing import Any, Final

MOST_TOKENS: Final = 10**12
"""No context, answer or sum of them has more. Below what a database and a browser count exactly."""
MOST_DOLLARS: Final = 1e6
LONGEST_LABEL: Final = 200
"""Characters of a name or title."""

_NUMBER: Final = re.compile(r"(\d{1,3}(?:[,_' ]\d{3})+|\d{1,15})(\.\d{1,6})?\s?([kKmM]?)", re.ASCII)
_TIMES: Final = {"": 1, "k": 1000, "m": 1_000_000}
_SUMS: Final = ("total_cost", "total", "cost", "amount", "usd", "value")


def tokens(value: Any) -> int | None:
    """A number of tokens: 0 or more. Also from a string: `131072`, `131,072`, `128k`."""
    if isinstance(value, str) and len(value) <= 24 and (found := _NUMBER.fullmatch(value.strip())):
        whole = float(re.sub(r"\D", "", found[1]) + (found[2] or ""))
        value = whole * _TIMES[found[3].lower()]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        return None
    return int(value)


def size(value: Any) -> int | None:
    """A number of tokens that something has room for: 1 or more."""
    return tokens(value) or None


def dollars(value: Any) -> float | None:
    """US dollars: 0 or more. Also from a string, and from an object with a sum in it."""
    if isinstance(value, dict):
        value = next((value[name] for name in _SUMS if name in value), None)
    if isinstance(value, str) and len(value) <= 24:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_DOLLARS:
        return None
    return float(value) if math.isfinite(value) else None


def label(value: Any, most: int = LONGEST_LABEL) -> str:
    """One printable line; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    if len(value) <= most and value.isprintable():
        return value.strip()
    kept = "".join(c for c in value[: 4 * most] if unicodedata.category(c) not in ("Cf", "Cs"))
    kept = " ".join("".join(c if c.isprintable() else " " for c in kept).split())
    return kept if len(kept) <= most else kept[: most - 1].rstrip() + "…"
