"""A run's events as rows and back: compact, and nothing that would store a chat again at each turn.

A body is a JSON list of items: `[seq, seconds, "x", text]` for deltas of answer text ("h": thinking,
"a": a call's arguments, with the call's id after the text), `[seq, seconds, {…}]` for any other event, as
`to_dict` has it. Deltas of one kind within `SPAN` are one item, with the first one's time and the last
one's number. Called by `saving` and `reading`; knows no database.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from chat.errors import Failure
from chat.events import (
    Entry,
    Event,
    KeepAlive,
    Opaque,
    RequestSent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    from_dict,
    to_dict,
)
from chat.messages import Options
from chat.transcript import Call, Prose, Thought, Transcript
from chat.unicode import whole

Value = TypeVar("Value", Options, Usage, Failure)

SPAN = 0.2
"""Seconds that deltas of one kind are put together over."""

_STRING, _LIST, _KEYS, _DEPTH = 400, 4, 40, 8
"""How much of a request's body is kept: characters of a string, items of a list, keys, levels."""


def dumped(value: Any) -> str:
    """As JSON that every database takes, whatever is in it."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate
        return json.dumps(value, separators=(",", ":"), default=str)
    except (RecursionError, TypeError, ValueError):  # nested without an end, keys or numbers beyond JSON
        return json.dumps(_pruned(value), separators=(",", ":"), default=str)
    return text


def _pruned(value: Any, depth: int = 100) -> Any:
    match value:
        case Mapping():
            return {str(key): _pruned(each, depth - 1) for key, each in value.items()} if depth else "…"
        case list() | tuple():
            return [_pruned(each, depth - 1) for each in value] if depth else "…"
        case None | str() | bool() | float():
            return value
        case int() if value.bit_length() < 1024:
            return value
        case _:
            return "…"


def plain(text: str) -> str:
    """`text` without halves of surrogates and NUL, which not every database takes."""
    return whole(text.replace("\0", "\ufffd"))


def encode(entries: Sequence[Entry]) -> str:
    """A body; "" when there is nothing in it to be kept."""
    items: list[list[Any]] = []
    pieces: list[str] = []
    last = ("", "")
    since = 0.0
    for entry in entries:
        match entry.event:
            case TextDelta(text):
                kind = ("x", "")
            case ThinkingDelta(text):
                kind = ("h", "")
            case ToolCallDelta(id, text):
                kind = ("a", id)
            case KeepAlive() | Opaque():
                continue
            case event:
                if pieces:
                    items[-1][3], pieces = "".join(pieces), []
                last = ("", "")
                items.append([entry.seq, round(entry.at, 3), _kept(event)])
                continue
        if kind == last and entry.at - since <= SPAN:
            items[-1][0] = entry.seq
            pieces.append(text)
            continue
        if pieces:
            items[-1][3] = "".join(pieces)
        pieces, last, since = [text], kind, entry.at
        items.append([entry.seq, round(entry.at, 3), kind[0], "", *filter(None, kind[1:])])
    if pieces:
        items[-1][3] = "".join(pieces)
    return dumped(items) if items else ""


def decode(body: str) -> Iterator[Entry]:
    """What `encode` made `body` of. An event that this program does not know is left out, and so is a
    body that something else wrote."""
    try:
        items = json.loads(body)
    except ValueError:
        return
    for seq, at, kind, *rest in items:
        event: Event
        match kind:
            case "x":
                event = TextDelta(rest[0])
            case "h":
                event = ThinkingDelta(rest[0])
            case "a":
                event = ToolCallDelta(rest[1] if len(rest) > 1 else "", rest[0])
            case _:
                try:
                    event = from_dict(kind)
                except (KeyError, TypeError):
                    continue
        yield Entry(seq, at, event)


def _kept(event: Event) -> dict[str, Any]:
    if isinstance(event, RequestSent):
        event = RequestSent(event.url, shortened(event.body))
    return to_dict(event)


def shortened(value: Any, depth: int = _DEPTH) -> Any:
    """`value`, which is JSON, with long strings and lists cut; how much is missing is told in its place."""
    match value:
        case str():
            rest = len(value) - _STRING
            return value if rest <= 0 else f"{value[:_STRING]}… ({rest} more characters)"
        case Mapping():
            if depth == 0:
                return "…"
            keys = list(value)[:_KEYS]
            return {str(key)[:_STRING]: shortened(value[key], depth - 1) for key in keys}
        case list() | tuple():
            if depth == 0:
                return "…"
            if len(value) <= _LIST:
                return [shortened(each, depth - 1) for each in value]
            # The last ones are what is new in a request.
            ends = [shortened(each, depth - 1) for each in (value[0], *value[1 - _LIST :])]
            return [ends[0], f"… ({len(value) - _LIST} more)", *ends[1:]]
        case _:
            return value


# -- a run that is over ------------------------------------------------------------------------


def summary(transcript: Transcript) -> dict[str, Any]:
    """What the row of a run tells of its end."""
    return {
        "state": transcript.state,
        "seconds": transcript.ended,
        "first_text": transcript.first_text,
        "model": plain(transcript.model),
        "settings": dumped(transcript.settings),
        "stop": transcript.stop,
        "failure": None if transcript.failure is None else dumped(asdict(transcript.failure)),
        "usage": None if transcript.usage == Usage() else dumped(asdict(transcript.usage)),
    }


def parts(transcript: Transcript) -> str | None:
    """What an answer is made of, in order; None when that is its text alone."""
    found: list[dict[str, Any]] = []
    for block in transcript.blocks:
        match block:
            case Prose():
                found.append({"type": "text", "text": block.text})
            case Thought(began, ended):
                seconds = None if ended is None else round(ended - began, 3)
                found.append({"type": "thinking", "text": block.text, "seconds": seconds})
            case Call():
                call = {name: getattr(block, name) for name in ("id", "name", "where", "error", "seconds")}
                found.append({"type": "call", **call, "arguments": block.text, "result": block.result})
    return None if all(part["type"] == "text" for part in found) else dumped(found)


def brief(run: Mapping[str, Any], text: str) -> Transcript:
    """A transcript of the row of a run that is over, with its answer's text and without how it came."""
    transcript, ended = Transcript(), run["seconds"] or 0.0
    transcript.add(1, 0.0, TurnStarted(run["model"] or "", json.loads(run["settings"] or "{}")))
    if text:
        transcript.add(2, ended if run["first_text"] is None else run["first_text"], TextDelta(text))
    usage = known(Usage, run["usage"])
    if usage is not None:
        transcript.add(3, ended, usage)
    failure = known(Failure, run["failure"])
    transcript.add(
        4, ended, TurnFinished(run["stop"] or "end", usage) if failure is None else TurnFailed(failure)
    )
    return transcript


def options(body: str) -> Options:
    """What a person chose, of `dumped(asdict(…))`."""
    found = known(Options, body) or Options()
    return replace(found, tools=tuple(found.tools))


def known(kind: type[Value], body: str | None) -> Value | None:
    """The dataclass that `body` is the JSON of, without fields that this program does not know."""
    if not body:
        return None
    data = json.loads(body)
    return kind(**{f.name: data[f.name] for f in fields(kind) if f.name in data})
