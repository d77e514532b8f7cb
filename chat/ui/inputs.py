"""What is sent to a listener: read, and no more of it given to Gradio than a page of ours would send.

Gradio walks each value with a coroutine, fetches the file that an object with a `path` names wherever it
stands, and keeps what it was sent. So a body has to be of the one shape that the page sends: the fields of
`_FIELDS`, a listener of ours, values of which each object has the keys of `_KEYS`. That there are too many of
them is seen before they are read. `sessions` asks; which listeners there are says `gradio_fixes.listeners`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from chat.ui.sent import Sent

MOST_VALUES = 500
"""Of a body, with the lists and objects that hold them. The page sends some dozens: one for each tool."""

DEEPEST = 8
"""Lists and objects in one another. The page has three."""

LONGEST_SESSION = 100
"""Characters of a session's name."""

LARGEST_INTEGER = 2**53
"""What a script can tell from the next one."""

_FIELDS = {"data", "fn_index", "session_hash", "event_data", "trigger_id"}
_KEYS = {
    *(field.name for field in fields(Sent)),
    *("model", "keys", "empty"),  # static/keys.js and `interface`: what becomes of the chosen model
    *("index", "value", "text"),  # of an example that was clicked
}
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Also one that does not end: no other beginning is tried for it."""

_NO_JSON = "That is no JSON."
_NOT_OURS = "That is nothing that the page would send."


class RefusedError(Exception):
    """With the sentence that says why."""


@dataclass(frozen=True, slots=True)
class Listener:
    inputs: int
    """How many values it takes."""
    selects: bool
    """Whether it is told what was clicked at."""
    queued: bool


def read(body: bytes, listeners: Mapping[int, Listener], *, queued: bool) -> dict[str, Any]:
    """The body for Gradio. Raises `RefusedError`."""
    try:
        text = body.decode()  # what is read is what was counted: `json` would take UTF-16 too
        if _crowded(text):
            raise RefusedError(_NOT_OURS)
        sent = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise RefusedError(_NO_JSON) from None
    if not isinstance(sent, dict) or not sent.keys() <= _FIELDS:
        raise RefusedError(_NOT_OURS)
    number, data, session = sent.get("fn_index"), sent.get("data"), sent.get("session_hash")
    listener = listeners.get(number) if type(number) is int else None
    if listener is None or listener.queued is not queued:
        raise RefusedError(_NOT_OURS)
    if not isinstance(data, list) or len(data) != listener.inputs or not _plain(data):
        raise RefusedError(_NOT_OURS)
    if not isinstance(session, str) or not 0 < len(session) <= LONGEST_SESSION:
        raise RefusedError(_NOT_OURS)
    told: dict[str, Any] = {"data": data, "fn_index": number, "session_hash": session}
    if listener.selects:
        selected = sent.get("event_data")
        if not isinstance(selected, dict) or selected.keys() != {"index", "value"} or not _plain(selected):
            raise RefusedError(_NOT_OURS)
        told["event_data"] = selected
    return told


def _crowded(text: str) -> bool:
    """Whether it holds too many values: each but the first stands behind one of these."""
    if _marks(text) <= MOST_VALUES:
        return False
    return _marks(_STRING.sub("", text, count=2 * MOST_VALUES)) > MOST_VALUES  # a key and a value each


def _marks(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _plain(value: Any) -> bool:
    """Whether all in it is of the page's shapes."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                if not each.keys() <= _KEYS:
                    return False
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, float):
                if not isfinite(each):
                    return False
            elif isinstance(each, int) and abs(each) > LARGEST_INTEGER:
                return False
        if not below:
            return True
        level = below
    return False


def _no_number(name: str) -> Any:
    raise ValueError(name)
