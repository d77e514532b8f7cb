"""What the text of one server-sent event says: JSON objects, errors, the end. Called by `wire` alone.

Servers write errors as words, leave out the blank line between two events, and wrap objects in a list.
"""

import json
import re
from typing import Any, Final

from chat.errors import TooLarge

MAX_VALUES: Final = 400_000
"""Values in one JSON text. Python takes them in one go, while nothing else goes on: some 70 ms."""

KEEP_ALIVE: Final = ":"
"""Name of a payload that says nothing: a comment or an event without data."""
DONE: Final = "[DONE]"
"""Name of the payload that ends a stream of Chat Completions."""
WHOLE: Final = "{}"
"""Name of the only payload of an answer that is one JSON object instead of a stream."""

Payload = tuple[str, dict[str, Any]]
"""Its name and its JSON object."""

_raw_decode = json.JSONDecoder().raw_decode
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def parsed(text: str) -> Any:
    """JSON. Its escapes may hold half a character: `halves` sees to those in a stream."""
    if len(text) > MAX_VALUES and _values(text) > MAX_VALUES and _values(_STRING.sub("", text)) > MAX_VALUES:
        raise TooLarge(
            f"One piece of the answer has more than {MAX_VALUES:,} values, which no answer needs. "
            "The server may be faulty."
        )
    # Most events are an object and nothing around it, which needs no looking for blanks.
    value, end = _raw_decode(text) if text[:1] == "{" else (None, 0)
    return value if end and end == len(text) else json.loads(text)


def _values(text: str) -> int:
    """About how many values `text` has, or more."""
    return text.count(",") + text.count("[") + text.count("{")


def payloads(event: str, text: str) -> list[Payload]:
    """What the data of one event says. Raises `ValueError` for what is no JSON, and `RecursionError`."""
    if event == "error":
        try:
            value = parsed(text)
        except (ValueError, RecursionError):
            value = text
        return [("error", as_error(value))]
    try:
        value = parsed(text)
    except (ValueError, RecursionError):
        if text.strip().upper() == DONE:
            return [(DONE, {})]
        if (words := error_words(text)) is not None:
            return [("error", as_error(words))]
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        # Events without blank lines between them.
        return [payload for line in lines for payload in payloads("", line)]
    if isinstance(value, dict):
        return [(event, value)]
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):  # Gemini
        return [(event, each) for each in value if isinstance(each, dict)]
    return [(DONE if value == DONE else KEEP_ALIVE, {})]


_ERROR = re.compile(r"\s*(?:error|exception)\s*[:=]\s*(.*)", re.IGNORECASE | re.DOTALL)


def error_words(line: str) -> Any:
    """What a line like `error: …` tells, as JSON where it is; None for any other line."""
    if (found := _ERROR.match(line)) is None:
        return None
    try:
        return parsed(found[1])
    except (ValueError, RecursionError):
        return found[1]


def as_error(value: Any) -> dict[str, Any]:
    """`value` in the form that `faults.said` reads: in a field `error`, under the type of that name."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict) and (value.get("error") or value.get("type") == "error"):
        return {**value, "type": "error"}
    if not isinstance(value, dict):
        value = {"message": value if isinstance(value, str) else ""}
    return {"type": "error", "error": value}
