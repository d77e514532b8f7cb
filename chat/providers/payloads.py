"""What the text of one server-sent event says: JSON objects, errors, the end. Called by `wire` alone.

Servers write errors as words, leave out the blank line between two events, and wrap objects in a list.
"""

import json
import re
from typing import Any, Final

from chat.errors import TooLarge

MAX_VALUES: Final = 400_000
"""Values in one JSON text. Python takes them in one go, while nothing else goes on: some 70 ms."""

ESCAPED_BYTES: Final = 6
"""Bytes of a character that JSON tells by its number."""

KEEP_ALIVE: Final = ":"
"""Name of a payload that says nothing: a comment or an event without data."""
DONE: Final = "[DONE]"
"""Name of the payload that ends a stream of Chat Completions."""
WHOLE: Final = "{}"
"""Name of the only payload of an answer that is one JSON object instead of a stream."""

Payload = tuple[str, dict[str, Any]]
"""Its name and its JSON object."""
Sized = tuple[Payload, int]
"""A payload and the characters that it came in, each counted as one, however JSON writes it."""

_raw_decode = json.JSONDecoder().raw_decode
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BLANKS = re.compile(r"[ \t\r\n]*")


def parsed(text: str) -> Any:
    """JSON. Its escapes may hold half a character: `halves` sees to those in a stream."""
    _check_values(text)
    # Most events are an object and nothing around it, which needs no looking for blanks.
    value, end = _raw_decode(text) if text[:1] == "{" else (None, 0)
    return value if end and end == len(text) else json.loads(text)


def _listed(text: str) -> list[tuple[Any, int]]:
    """The values of a JSON list, each with its size, from the end of the one before to its comma."""
    _check_values(text)
    found: list[tuple[Any, int]] = []
    begun, at = 0, _after_blanks(text, text.index("[") + 1)
    more = text[at : at + 1] != "]"
    while more:
        value, at = _raw_decode(text, at)
        at = _after_blanks(text, at)
        more = text[at : at + 1] == ","
        found.append((value, _size(text, begun, at + 1)))
        begun = at + 1
        if more:
            at = _after_blanks(text, begun)
    if text[at : at + 1] != "]" or _after_blanks(text, at + 1) != len(text):
        raise json.JSONDecodeError("a list without its end", text, at)
    return found


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _check_values(text: str) -> None:
    if len(text) > MAX_VALUES and _values(text) > MAX_VALUES and _values(_STRING.sub("", text)) > MAX_VALUES:
        raise TooLarge(
            f"One piece of the answer has more than {MAX_VALUES:,} values, which no answer needs. "
            "The server may be faulty."
        )


def _size(text: str, start: int = 0, end: int | None = None) -> int:
    """Characters of a piece of JSON. Some servers write one as six (`ESCAPED_BYTES`), others as it is."""
    end = len(text) if end is None else end
    if text.find("\\", start, end) < 0:
        return end - start
    piece = text[start:end].replace("\\\\", ".")
    return len(piece) - piece.count("\\") - (ESCAPED_BYTES - 2) * piece.count("\\u")


def _values(text: str) -> int:
    """About how many values `text` has, or more."""
    return text.count(",") + text.count("[") + text.count("{")


def payloads(event: str, text: str) -> list[Sized]:
    """What the data of one event says. The sizes add up to that of `text`, so that a payload counts once,
    however many came together. Raises `ValueError` for what is no JSON, and `RecursionError`."""
    if event == "error":
        try:
            value = parsed(text)
        except (ValueError, RecursionError):
            value = text
        return [(("error", as_error(value)), len(text))]
    try:
        if text[:1] != "{" and text.lstrip()[:1] == "[":  # Gemini
            return _objects(event, _listed(text))
        value = parsed(text)
    except (ValueError, RecursionError):
        if text.strip().upper() == DONE:
            return [((DONE, {}), len(text))]
        if (words := error_words(text)) is not None:
            return [(("error", as_error(words)), len(text))]
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) < 2:
            raise
        # Events without blank lines between them.
        return [payload for line in lines for payload in payloads("", line)]
    if isinstance(value, dict):
        return [((event, value), _size(text))]
    return [((DONE if value == DONE else KEEP_ALIVE, {}), len(text))]


def _objects(event: str, values: list[tuple[Any, int]]) -> list[Sized]:
    """The objects among `values`. What stands between them counts with the next, or with the last."""
    found: list[Sized] = []
    size = 0
    for value, chars in values:
        size += chars
        if isinstance(value, dict):
            found.append(((event, value), size))
            size = 0
    if not found:
        return [((KEEP_ALIVE, {}), size)]
    payload, last = found[-1]
    found[-1] = payload, last + size
    return found


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
