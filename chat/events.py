"""The vocabulary: everything that happens between a question and its final answer.

Frozen values only. Every consumer uses `match` and ends with `assert_never`, so that the type
checker names each place that must think about a new event. `to_dict` is the one way an event
becomes JSON, for every face, log and store, and `from_dict` the way back; its wire name is the
class name in snake case.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, cast

from chat.errors import Failure
from chat.figures import dollars, label, tokens

LONGEST_TITLE, LONGEST_URL = 300, 2000
"""Characters of a source's."""

Stop = Literal["end", "length", "tool_use", "refusal", "filter", "pause", "other"]
"""`other`: ended for a reason that is not known here, so that the answer may not be complete. A notice
names the reason."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a reply so far. Cumulative: the last one of a reply wins; replies of a turn add up.

    `input` and `output` include `cached` and `thinking`. None: the vendor did not say.
    """

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    thinking: int | None = None
    cost: float | None = None
    """US dollars, only where the vendor states it."""

    def __post_init__(self) -> None:
        """What a vendor or an older database says in another form is read, or as if it had not been said."""
        for f in fields(self):
            value = getattr(self, f.name)
            checked = dollars(value) if f.name == "cost" else tokens(value)
            if checked is not value:
                object.__setattr__(self, f.name, checked)

    def __add__(self, other: "Usage") -> "Usage":
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Usage(*(b if a is None else a if b is None else a + b for a, b in pairs))


# -- of a reply: what a provider yields ------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestSent:
    """The body as it goes out, without keys. Begins a reply."""

    url: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResponseOpened:
    status: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """`where` says who runs it. Unique `id` within a reply."""

    id: str
    name: str
    where: Literal["here", "provider"] = "here"


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the arguments' JSON text of the call `id`."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Citation:
    title: str
    url: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", label(self.title, LONGEST_TITLE))
        object.__setattr__(self, "url", label(self.url, LONGEST_URL))


@dataclass(frozen=True, slots=True)
class Opaque:
    """A vendor's item that goes back verbatim within the turn and is never shown."""

    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """A remark that stays with the answer."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The wire is alive, nothing was said."""


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """Always a reply's last event. The engine consumes it."""

    stop: Stop
    usage: Usage | None = None


# -- of a turn: what the engine adds -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class TurnStarted:
    model: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Queued:
    """`place` others are before this one."""

    place: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """Attempt number `attempt` (2 is the first retry) begins after `delay` seconds."""

    attempt: int
    delay: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolStarted:
    id: str
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """`result` is a JSON value; `error` a sentence that the model reads instead."""

    id: str
    name: str
    result: Any
    error: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What happens now, in words. Passes."""

    text: str


@dataclass(frozen=True, slots=True)
class TurnFinished:
    stop: Stop
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class TurnFailed:
    failure: Failure


_OfBoth = (
    RequestSent
    | ResponseOpened
    | TextDelta
    | ThinkingDelta
    | ToolCallStarted
    | ToolCallDelta
    | Citation
    | Opaque
    | Usage
    | Notice
    | KeepAlive
)
ReplyEvent = _OfBoth | ReplyFinished
Event = (
    _OfBoth
    | TurnStarted
    | Queued
    | Retrying
    | ToolStarted
    | ToolFinished
    | Progress
    | TurnFinished
    | TurnFailed
)
Delta = TextDelta | ThinkingDelta | ToolCallDelta
Terminal = TurnFinished | TurnFailed
Content = Delta | ToolCallStarted | Citation | Opaque | ReplyFinished
"""The events of a reply that carry a part of the answer or end it. All others report progress."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of a run with its number, from 1, and its time, in seconds since the run began."""

    seq: int
    at: float
    event: Event


def name(event: Event | ReplyEvent) -> str:
    """The wire name: `TextDelta` → `text_delta`."""
    return _NAMES[type(event)]


def to_dict(event: Event | ReplyEvent) -> dict[str, Any]:
    """`{"type": name, **fields}`, nested values as plain dicts, ready for JSON."""
    return {"type": _NAMES[type(event)], **_fields(event)}


def from_dict(data: Mapping[str, Any]) -> Event:
    """The event that `to_dict` made `data` of. Fields unknown here are left out, so that an older
    program reads what a newer one wrote; raises `KeyError` or `TypeError` for what is no event."""
    kind = _KINDS[data["type"]]
    given = {f.name: data[f.name] for f in fields(kind) if f.name in data}
    if kind is TurnFinished and given.get("usage") is not None:
        given["usage"] = Usage(**given["usage"])
    elif kind is TurnFailed:
        given["failure"] = Failure(**given["failure"])
    return cast(Event, kind(**given))


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}


def _plain(value: Any) -> Any:
    return _fields(value) if is_dataclass(value) else value


_NAMES = {
    kind: re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    for kind in (*_OfBoth.__args__, ReplyFinished, *Event.__args__)
}
_KINDS = {_NAMES[kind]: kind for kind in Event.__args__}
