"""JSON that somebody sent, read where it does not hold up everybody else.

A megabyte of brackets takes Python a third of a second to read and to refuse. So the values of a body are
counted first. Used by whatever reads a body of its own.
"""

import json
import re
from typing import Any

MAX_VALUES = 20_000
"""In one body. A conversation of some thousand messages has as many."""

TOO_MANY = f"The body has more than {MAX_VALUES:,} values."

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def too_many_values(body: bytes) -> bool:
    """Whether `body` has more than `MAX_VALUES`, whatever stands in its texts."""
    return _marks(body) > MAX_VALUES and _marks(_STRING.sub(b"", body)) > MAX_VALUES


def parsed(body: bytes | str) -> Any:
    """The value; raises `ValueError` for what is no JSON, or has too many values or levels."""
    if too_many_values(body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body):
        raise ValueError(TOO_MANY)
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _marks(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")
