"""The dialects: wire formats that a run can be read in, each a row of pure functions over its events.

A `Dialect` says which frames an event becomes and how a frame is written. It knows no HTTP, no clock and no
reader; it keeps nothing, so that a stream can begin at any event: what the end needs of what came before
(the whole text, the figures) is in the transcript. `streams` sends frames; the rows that need a run's name
(`chat.api.chunks`) are made for it.

The end becomes one or more frames, everything else one or none. Each frame has a number of its own: the
event's, counted on past the last event, since nothing follows it. Two rows, TEXT and WHOLE, have no numbers.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from json.encoder import encode_basestring_ascii
from typing import Any

from chat.errors import Failure
from chat.events import (
    Event,
    Notice,
    Opaque,
    Terminal,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    TurnFailed,
    TurnFinished,
    name,
    to_dict,
)
from chat.extract import NOTHING, find_json
from chat.outcomes import note
from chat.sse import comment, encode
from chat.transcript import Transcript
from chat.unicode import whole

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Frame:
    data: str
    event: str = ""


Frames = Iterable[Frame]


@dataclass(frozen=True, slots=True)
class Dialect:
    frames: Callable[[Event], Frames]
    """The frame of an event that is not the last; empty when this format does not show it."""
    end: Callable[[Terminal, Transcript], Frames]
    opening: bytes = comment("ok")
    """Sent at once, so that proxies and browsers let the stream through before there is anything to say."""
    heartbeat: bytes = comment("heartbeat")
    """Sent in a silence; nothing where the format has nothing that is ignored."""
    media: str = "text/event-stream"
    named: bool = True
    """Whether an id without data may stand before the first frame."""
    numbered: bool = True
    """Server-sent events with ids. Otherwise the frames' data and nothing around it."""

    def of(self, seq: int, event: Event, transcript: Transcript) -> Iterator[tuple[int, Frame]]:
        """The frames of event number `seq`, with their numbers."""
        if isinstance(event, Terminal):
            yield from enumerate(self.end(event, transcript), seq)
        else:
            for frame in self.frames(event):
                yield seq, frame

    def write(self, frame: Frame, id: str) -> bytes:
        if not self.numbered:
            return whole(frame.data).encode()
        return encode(frame.data, event=frame.event, id=id)


def stopped(event: Terminal) -> bool:
    """Whether somebody said stop: an end like another, not a failure."""
    return isinstance(event, TurnFailed) and event.failure.kind == "stopped"


def failure(event: Terminal) -> Failure | None:
    """What went wrong, if anything did."""
    return event.failure if isinstance(event, TurnFailed) and not stopped(event) else None


def _how(event: Terminal) -> dict[str, str]:
    """Fields of the last frame that tell why an answer may be incomplete; {} when it is complete."""
    if stopped(event):
        return {"state": "stopped"}
    return {"stop": event.stop} if isinstance(event, TurnFinished) and event.stop != "end" else {}


_encode = json.JSONEncoder(allow_nan=False).encode
quoted: Callable[[str], str] = encode_basestring_ascii
"""A text as JSON has it, for the frames that each piece of an answer is: `dumps` costs ten times as much."""


def dumps(value: Any) -> str:
    """JSON as the standard has it, on one line, in ASCII: a value may hold half a surrogate."""
    try:
        return _encode(value)
    except ValueError:  # a number without end or sense, which Python reads and no other program does
        return json.dumps(json.loads(json.dumps(value), parse_constant=str))


# -- /chat/stream: typed objects, then [DONE] ------------------------------------------------------


def _contents(event: Event) -> Frames:
    match event:
        case TextDelta(text) if text:
            yield Frame(f'{{"content": {quoted(text)}}}')
        case ThinkingDelta(text) if text:
            yield Frame(f'{{"thinking": {quoted(text)}}}')
        case ToolFinished(id, tool, result, error):
            # Not beside the others: an `error` of the frame's own would be that of the stream.
            value = result if error is None else {"error": error}
            yield Frame(dumps({"function_result": value, "name": tool, "id": id}))
        case Notice(code, text):
            yield Frame(dumps({"notice": text, "kind": code}))


def _contents_end(event: Terminal, transcript: Transcript) -> Frames:
    if (failed := failure(event)) is not None:
        yield Frame(dumps({"error": failed.message, "kind": failed.kind}))
    yield Frame(dumps({"done": True, **_how(event)}))
    yield Frame(DONE)


CONTENTS = Dialect(_contents, _contents_end)


# -- /api/message: chunks, the data in the answer, and the whole at its end ------------------------


def _chunks(event: Event) -> Frames:
    if isinstance(event, TextDelta) and event.text:
        yield Frame(f'{{"chunk": {quoted(event.text)}}}')
    elif isinstance(event, Notice):
        yield Frame(dumps({"notice": event.text}))


def _chunks_end(event: Terminal, transcript: Transcript) -> Frames:
    text = transcript.text
    if (failed := failure(event)) is not None:
        yield Frame(dumps({"error": failed.message}))
    elif (data := _data(event, text)) is not NOTHING:
        yield Frame(dumps({"json_data": data}))
    yield Frame(dumps({"end": True, "full_response": text, **_how(event)}))


def _data(event: Terminal, text: str) -> Any:
    """The JSON in an answer that is whole. Of one that was cut, a part would pass for it."""
    return find_json(text) if isinstance(event, TurnFinished) and event.stop == "end" else NOTHING


CHUNKS = Dialect(_chunks, _chunks_end)


# -- /stream-chat and GET /chat: the text as it is -------------------------------------------------


def _lines(event: Event) -> Frames:
    if isinstance(event, TextDelta) and event.text:
        yield Frame(whole(event.text))


def _lines_end(event: Terminal, transcript: Transcript) -> Frames:
    if (failed := failure(event)) is not None:
        yield Frame(f"Error: {failed.message}")
    elif told := note(transcript.stop):
        yield Frame(told)


def _marked_lines(event: Event) -> Frames:
    for frame in _lines(event):
        # A model may say the very mark of the end. With a blank it is text to every client.
        yield Frame(f"{DONE} ") if frame.data == DONE else frame


def _marked_lines_end(event: Terminal, transcript: Transcript) -> Frames:
    yield from _lines_end(event, transcript)
    yield Frame(DONE)


LINES = Dialect(_lines, _lines_end)
MARKED_LINES = Dialect(_marked_lines, _marked_lines_end)


# -- bare text, and one JSON value -----------------------------------------------------------------


def _text_end(event: Terminal, transcript: Transcript) -> Frames:
    for frame in _lines_end(event, transcript):
        yield Frame(f"\n\n{frame.data}")


def _whole_end(event: Terminal, transcript: Transcript) -> Frames:
    """The answer in one piece. It was under way when its status was sent, so a failure stands in it."""
    text, failed = transcript.text, failure(event)
    answer = {"text": text, "state": transcript.state, "stop": transcript.stop, "model": transcript.model}
    if transcript.thinking:
        answer["thinking"] = transcript.thinking
    if transcript.notices:
        answer["notices"] = [notice.text for notice in transcript.notices]
    if (data := _data(event, text)) is not NOTHING:
        answer["json_data"] = data
    if failed is not None:
        answer |= {"error": failed.message, "kind": failed.kind}
    yield Frame(dumps({**answer, "usage": asdict(transcript.usage)}))


TEXT = Dialect(_lines, _text_end, b"", b"", "text/plain", numbered=False)
WHOLE = Dialect(lambda event: (), _whole_end, b"", b"\n", "application/json", numbered=False)


# -- our own: the events ---------------------------------------------------------------------------


def _events(event: Event) -> Frames:
    if not isinstance(event, Opaque):  # a vendor's signed or encrypted item; it is never shown
        yield Frame(dumps(to_dict(event)), name(event))


EVENTS = Dialect(_events, lambda event, transcript: _events(event))
