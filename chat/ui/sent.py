"""What the page's scripts send with a click or an Enter, read: the browser's word, so of any shape.

`static/place.js` packs it, `handlers` act on it. What the sidebar's values mean is `controls`' business.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

Act = Literal["", "ask", "again", "continue", "edit", "version", "earlier", "look", "open", "arrive"]
"""`""`: draw again what the tab shows. `look`: at an answer's activity. `arrive`: the page was loaded."""

LONGEST_ID = 64

_ACTS: dict[str, Act] = {act: act for act in get_args(Act)}

_ID = re.compile(rf"[\w.-]{{1,{LONGEST_ID}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sent:
    question: str = ""
    values: list[Any] = field(default_factory=list)
    chat: str = ""
    """Id of the chat that the tab shows, or wants to; "" for an empty one (`arrive`: the owner's last)."""
    key: str = ""
    """Of this sending: the same again is the same run."""
    act: Act = ""
    run: str = ""
    """The answer that it is about."""

    @classmethod
    def read(cls, raw: Any) -> Self:
        """What does not fit is left out."""
        if not isinstance(raw, dict):
            return cls()
        question, values, act = raw.get("question"), raw.get("values"), raw.get("act")
        return cls(
            question if isinstance(question, str) else "",
            list(values) if isinstance(values, list) else [],
            _id(raw.get("chat")),
            "" if (key := _id(raw.get("key"))) == "?" else key,
            _ACTS.get(act, "") if isinstance(act, str) else "",
            _id(raw.get("run")),
        )


def _id(value: Any) -> str:
    """A malformed id becomes "?", which matches nothing; "" would mean that none was sent."""
    if not isinstance(value, str) or not value:
        return ""
    return value if _ID.fullmatch(value) else "?"
