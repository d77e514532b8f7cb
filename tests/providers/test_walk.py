"""Walks through every field of every event of our wires: without it, or with it in another form, nothing
is shown twice, and nothing is lost but what stood in it.

With `WIRE_CORPUS` set, the same walk goes over the small recorded answers.
"""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pytest

from chat.errors import Fault
from chat.events import (
    ReplyEvent,
    ReplyFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from chat.providers import messages_reading, responses_reading
from chat.providers.chat_reading import Chunks
from chat.providers.faults import Call
from chat.providers.values import UNNAMED
from chat.providers.vendors import Vendor
from chat.sse import Decoder, ServerSentEvent
from tests.providers import corpus
from tests.providers.play import WIRE

CALL = Call(Vendor("any", "Any", ("openai_chat",), "https://api.any.test/v1", "ANY_API_KEY"))

Payload = dict[str, Any]
Shown = dict[str, str]
Path = tuple[str | int, ...]


class Reads(Protocol):
    def __call__(self, payloads: Sequence[Payload], done: bool) -> list[ReplyEvent]: ...


def chat(payloads: Sequence[Payload], done: bool) -> list[ReplyEvent]:
    chunks, events = Chunks(CALL), list[ReplyEvent]()
    for payload in payloads:
        events += [*chunks.read(payload), *chunks.release()]
        if chunks.fault:
            return [*events, *chunks.rest()]
    return [*events, *(chunks.end() if done or chunks.ending else chunks.rest())]


def other(module: Any) -> Reads:
    def read(payloads: Sequence[Payload], done: bool) -> list[ReplyEvent]:
        reading, events = module.Reading(CALL), list[ReplyEvent]()
        try:
            for payload in payloads:
                events += reading.read(payload)
                if reading.finished:
                    return events
            events += reading.end(done) or reading.rest()
        except Fault:
            events += reading.rest()
        return events

    return read


READS: dict[str, Reads] = {
    "chat": chat,
    "responses": other(responses_reading),
    "messages": other(messages_reading),
}


def shown(events: Sequence[ReplyEvent]) -> Shown:
    """What a person sees of them: text, thinking, calls in their order."""
    text, thinking, calls, stop = "", "", dict[str, list[str]](), ""
    for event in events:
        match event:
            case TextDelta(words):
                text += words
            case ThinkingDelta(words):
                thinking += words
            case ToolCallStarted(id, name):
                calls[id] = [name if name != UNNAMED else ""]
            case ToolCallDelta(id, words):
                calls[id].append(words)
            case ReplyFinished(stop):
                pass
            case _:
                pass
    told = "".join("".join(call) for call in calls.values())
    return {"text": text, "thinking": thinking.replace("\n\n", ""), "calls": told, "stop": stop}


def payloads(wire: bytes) -> tuple[list[tuple[str, Payload]], bool]:
    """The objects of a wire, and whether it said `[DONE]`."""
    found, done = list[tuple[str, Payload]](), False
    for event in Decoder().feed(wire):
        if isinstance(event, ServerSentEvent) and event.data:
            try:
                value = json.loads(event.data)
            except ValueError:
                done = done or event.data == "[DONE]"
                continue
            if isinstance(value, dict):
                found.append((event.event, value))
    return found, done


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Where each field of `value` is, the outer ones first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if isinstance(value, dict):
            yield (*at, key)
        yield from paths(inner, (*at, key))


def found(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def without(value: Payload, path: Path) -> Payload:
    copied = copy.deepcopy(value)
    del found(copied, path[:-1])[path[-1]]
    return copied


def placed(value: Payload, path: Path, new: Any) -> Payload:
    copied = copy.deepcopy(value)
    found(copied, path[:-1])[path[-1]] = new
    return copied


NAMES = frozenset(
    (
        *("type", "id", "item_id", "call_id", "index", "output_index", "content_index", "summary_index"),
        *("object", "role", "model", "status", "sequence_number", "logprobs", "obfuscation"),
        *("signature", "encrypted_content"),
    )
)
"""Fields that say nothing to a person."""


AS_GIVEN = frozenset(("input", "arguments", "action", "executed_tools"))
"""What is shown with the names of its fields."""


def weight(path: Path, value: Any) -> int:
    """Characters that may be gone with a field: none with a name or a place, all with what holds others."""
    if path[-1] in NAMES and not AS_GIVEN & set(path):
        return 0
    return len(json.dumps({path[-1]: value}, ensure_ascii=False))


def compare(before: Shown, after: Shown) -> tuple[int, int]:
    """Characters that are shown more, and that are shown less."""
    sizes = [len(after[name]) - len(before[name]) for name in ("text", "thinking", "calls")]
    return max(0, sum(sizes), *sizes), max(0, -sum(sizes))


class Walk:
    """A wire of `api`, and what is shown when one of its events is changed."""

    def __init__(self, api: str, wire: bytes) -> None:
        self._read = READS[api]
        self.payloads, self._done = payloads(wire)
        self.before = self.see()

    def see(self, at: int | None = None, new: Sequence[Payload] = ()) -> Shown:
        """`new` in the place of event `at`."""
        changed = [
            {**value, "type": name} if name and not isinstance(value.get("type"), str) else value
            for place, (name, payload) in enumerate(self.payloads)
            for value in (new if place == at else (payload,))
        ]
        return shown(self._read(changed, self._done))

    def fields(self) -> Iterator[tuple[int, Payload, Path]]:
        for at, (_, payload) in enumerate(self.payloads):
            for path in paths(payload):
                yield at, payload, path


def missing(walk: Walk) -> list[str]:
    """Where something is shown twice or lost when a field is missing."""
    faults = []
    for at, payload, path in walk.fields():
        more, less = compare(walk.before, after := walk.see(at, [without(payload, path)]))
        if more or less > weight(path, found(payload, path)):
            faults.append(f"event {at} without {path}: {walk.before} became {after}")
    return faults


def swapped(walk: Walk) -> list[str]:
    """Where something is shown twice or lost when a field has another type."""
    faults = []
    for at, payload, path in walk.fields():
        value = found(payload, path)
        if AS_GIVEN & set(path[:-1]) or path[-1] == "code":
            continue
        forms: list[Any] = [None]
        if isinstance(value, int) and not isinstance(value, bool):
            forms += [str(value), float(value)]
        elif isinstance(value, str) and path[-1] not in NAMES:
            forms += [[value], {"text": value}]
        for form in forms:
            more, less = compare(walk.before, after := walk.see(at, [placed(payload, path, form)]))
            if more or less > (weight(path, value) if form is None else 0):
                faults.append(f"event {at} with {path} = {form!r}: {walk.before} became {after}")
    return faults


def repeated(walk: Walk) -> list[str]:
    """Where something is shown twice when an event comes twice, that is no delta."""
    faults = []
    for at, (name, payload) in enumerate(walk.payloads):
        kind = str(payload.get("type") or name)
        more, _ = compare(walk.before, after := walk.see(at, [payload, payload]))
        delta = "choices" in payload or kind.endswith("delta")
        if more and not delta:
            faults.append(f"event {at} twice: {walk.before} became {after}")
    return faults


LEFT_OUT = {
    "chat_thinking_in_tags_cut": "without a piece of it a tag is none",
    "chat_thinking_in_tags_never_closed": "without its tag it is text",
    "chat_arguments_once_more": "what comes once more is known by what came before",
    "chat_text_once_more_at_the_end": "what comes once more is known by what came before",
    "chat_message_beside_the_delta": "a message in the place of all deltas may be one of them",
    "chat_thinking_closed_only": "without a piece of it a tag is none",
    "chat_call_name_in_pieces": "without an index two pieces of a name are two names",
}
WIRES = sorted(path.stem for path in WIRE.glob("*.sse") if path.stem not in LEFT_OUT)


def walk(name: str) -> Walk:
    return Walk(name.partition("_")[0], (WIRE / f"{name}.sse").read_bytes())


@pytest.mark.parametrize("name", WIRES)
def test_a_field_is_missing(name: str) -> None:
    assert missing(walk(name)) == []


@pytest.mark.parametrize("name", WIRES)
def test_a_field_has_another_type(name: str) -> None:
    assert swapped(walk(name)) == []


@pytest.mark.parametrize("name", WIRES)
def test_an_event_comes_twice(name: str) -> None:
    assert repeated(walk(name)) == []


LARGEST = 12_000
"""Bytes of a recorded answer that is walked through."""
APIS = {"chat.completions": "chat", "responses": "responses", "messages": "messages"}
RECORDED = [
    (api, file)
    for api in APIS
    for file, entry in corpus.index(api).items()
    if entry["bytes"] <= LARGEST and entry.get("tier") == "core"
]


# What of a recorded answer says more when a field is gone: by a part of its name, and the field.
MORE = {
    "shell-call+shell-call-output": ("delta",),  # its pieces and its whole text differ: the whole is shown
    "mcp-approval-request": ("item", "name"),  # the call is then named by its type, which is longer
}


@pytest.mark.slow
@pytest.mark.skipif(corpus.FOLDER is None, reason="WIRE_CORPUS is not set")
@pytest.mark.parametrize(("api", "file"), RECORDED)
def test_a_field_of_a_recorded_answer_is_missing(api: str, file: str) -> None:
    longer = [f"without {path}:" for part, path in MORE.items() if part in file]
    faults = missing(Walk(APIS[api], corpus.wire(file)))
    assert [fault for fault in faults if not any(way in fault for way in longer)] == []


def test_a_call_without_type_and_name_is_shown_where_its_whole_item_never_comes() -> None:
    """It is told at the end, with the arguments that came."""
    begun = {"id": "fc_1", "call_id": "call_1", "arguments": ""}
    reading = responses_reading.Reading(CALL)
    for payload in (
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a": 1}'},
    ):
        assert list(reading.read(payload)) == []
    assert list(reading.end(True) or ()) == [
        ToolCallStarted("call_1", UNNAMED, "here"),
        ToolCallDelta("call_1", '{"a": 1}'),
        ReplyFinished("tool_use"),
    ]
