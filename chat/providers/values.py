"""Fields of a wire's objects, whatever they are written as: servers differ in types, too.

A number comes as text, a text as a number, a list of parts or an object around it. Called by the readings.
"""

from collections.abc import Mapping
from typing import Any, Final

_TEXTS: Final = ("text", "content", "value", "thinking", "reasoning", "summary", "refusal", "delta")
_DEPTH: Final = 5

UNNAMED: Final = "unknown"
"""Name of a call whose own is lost: its result tells the model so, and vendors take no empty name back."""

NOTHING: Final[Mapping[str, Any]] = {}


def text(value: Any, depth: int = _DEPTH) -> str:
    """The text that `value` is or holds; "" when it holds none."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not depth:
        return ""
    if isinstance(value, list):
        return "".join(text(each, depth - 1) for each in value)
    if isinstance(value, dict):
        return next((found for name in _TEXTS if (found := text(value.get(name), depth - 1))), "")
    return ""


def number(value: Any) -> int | None:
    """A place in a list, or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else None


def name(value: Any) -> str:
    """An id or a name: text or a number, perhaps with something around it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("name") or value.get("text") or value.get("id")
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else NOTHING


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list; an object alone is a list of one."""
    if isinstance(value, dict):
        return [value]
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
