"""What adds nothing to an answer is bounded, and nothing else is: each piece counts by its own size, however
many came together, and what was shown may be said again."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import errors
from chat.events import ReplyFinished, TextDelta
from chat.messages import Request, User
from chat.models import Model
from chat.providers import wire as wire_module
from chat.providers.openai_chat import OpenAIChat
from chat.providers.openai_responses import OpenAIResponses
from chat.providers.payloads import KEEP_ALIVE, payloads
from chat.providers.vendors import Speaks, Vendor
from tests.providers.play import Stage
from tests.providers.test_odd_values import SPEAKERS

KEY = "sk-chat-0123456789"
VENDOR = Vendor("any", "Any", ("openai_chat",), "https://api.any.test/v1", "ANY_API_KEY")
ASK = Request(Model("any", "m-1"), (User("?"),))
CHAT = Stage.of(lambda clients: OpenAIChat(VENDOR, KEY, clients))
RESPONSES = Stage.of(lambda clients: OpenAIResponses(VENDOR, KEY, clients))


def chunk(words: str, reason: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": words}, "finish_reason": reason}]})


def together(how: str, *objects: str) -> bytes:
    """A body that tells `objects` in one event, or line after line as no event at all."""
    match how:
        case "lines":
            data = "data: " + "\ndata: ".join(objects)
        case "list":
            data = f"data: [{', '.join(objects)}]"
        case _:
            data = "data: {}\n\n" + "\n".join(objects)
    return (data + "\n\ndata: [DONE]\n\n").encode()


@pytest.mark.parametrize("how", ["lines", "list", "stray lines"])
async def test_pieces_that_come_together_are_no_flood(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "MAX_SILENT_BYTES", 100_000)
    objects = [*[chunk("" if n % 2 else "word ") for n in range(1_000)], chunk("", "stop")]
    body = together(how, *objects)
    assert len(body) < 100_000
    events, fault = await CHAT.play(body, ASK)
    assert fault is None
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "word " * 500
    assert events[-1] == ReplyFinished("end")


@pytest.mark.parametrize("so_far", [True, False])
async def test_an_answer_that_arrives_at_once_is_no_flood(
    so_far: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text is held until all is read: a tag in it may tell that it was thinking."""
    monkeypatch.setattr(wire_module, "MAX_SILENT_BYTES", 10_000)
    words = [f"{n} " for n in range(1_000)]
    text = "".join(words)
    pieces = [text[:end] for end in range(20, len(text) + 1, 10)] if so_far else words
    body = "".join(f"data: {chunk(piece)}\n\n" for piece in [*pieces, ""]) + f"data: {chunk('', 'stop')}\n\n"
    events, fault = await CHAT.play(body.encode(), ASK)
    assert fault is None
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == text


async def test_blanks_before_an_answer_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "MAX_SILENT_BYTES", 10_000)
    body = f"data: {chunk(' ' * 100)}\n\n" * 1_000
    _, fault = await CHAT.play(body.encode(), ASK)
    assert isinstance(fault, errors.TooLarge)


@pytest.mark.parametrize("how", ["lines", "list"])
@pytest.mark.parametrize("first", [True, False])
async def test_a_flood_counts_among_many_small_pieces(
    how: str, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "MAX_SILENT_BYTES", 100_000)
    nothing = json.dumps({"nothing": "x" * 100_000})
    small = [chunk("a")] * 1_000
    objects = [nothing, *small] if first else [*small, nothing]
    _, fault = await CHAT.play(together(how, *objects), ASK)
    assert isinstance(fault, errors.TooLarge)


def test_each_piece_has_its_own_size() -> None:
    assert [size for _, size in payloads("", '{"a":1}\n{"b":22}')] == [7, 8]
    assert [size for _, size in payloads("", '[{"a":1}, {"b":22},"x"]')] == [9, 14]
    assert payloads("", "[]") == [((KEEP_ALIVE, {}), 0)]
    assert payloads("", '[1, "x"]') == [((KEEP_ALIVE, {}), 8)]


_VALUES = st.recursive(
    st.none() | st.integers() | st.text('[]{},"\\ ', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a,"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(_VALUES, max_size=6), st.sampled_from([None, 1]), st.sampled_from(["", " ", "\n"]))
def test_sizes_add_up_and_no_object_of_a_list_is_lost(
    values: list[Any], indent: int | None, blank: str
) -> None:
    text = blank + json.dumps(values, indent=indent) + blank
    found = payloads("", text)
    assert [data for (name, data), _ in found if name != KEEP_ALIVE] == [v for v in values if type(v) is dict]
    ((_, around),) = payloads("", '{"":' + text.rstrip() + "}")
    assert sum(size for _, size in found) == (around - len('{"":}') if values else 0)


@pytest.mark.parametrize("text", ["[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[{}]]", "[{}] x", '[{"a"}]'])
def test_half_a_list_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1"):
        payloads("", text)


async def test_a_line_ends_where_the_stream_ends_it() -> None:
    """JSON may hold other characters that end a line."""
    words = "one\u2028two\x85three"
    bare = json.dumps({"choices": [{"index": 0, "delta": {"content": words}}]}, ensure_ascii=False)
    events, fault = await CHAT.play(together("lines", bare, chunk("", "stop")), ASK)
    assert fault is None
    assert events[0] == TextDelta(words)


async def test_long_lines_of_no_event_are_not_kept() -> None:
    lines = [b"data: {}\n\n", *[b"{" + b"x" * 1_000_000 + b"\n\n"] * 100]
    tracemalloc.start()
    try:
        _, fault = await CHAT.play(lines, ASK)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(fault, errors.Fault)
    assert most < 24_000_000, f"{most / 1e6:.0f} MB"


# -- what says again what was shown --------------------------------------------------------------


def responses(text: str, piece: int, *, ascii: bool) -> list[bytes]:
    """Responses' events for `text`, in deltas of `piece` characters. Each end repeats all of it."""
    part = {"type": "output_text", "text": text}
    item = {"id": "m", "type": "message", "role": "assistant", "content": [part]}
    where = {"item_id": "m", "output_index": 0, "content_index": 0}
    told: list[tuple[str, dict[str, Any]]] = [
        ("output_item.added", {"output_index": 0, "item": {**item, "content": []}}),
        *(("output_text.delta", {**where, "delta": text[n : n + piece]}) for n in range(0, len(text), piece)),
        ("output_text.done", {**where, "text": text}),
        ("content_part.done", {**where, "part": part}),
        ("output_item.done", {"output_index": 0, "item": item}),
        ("completed", {"response": {"status": "completed", "output": [item]}}),
    ]
    return [
        f"data: {json.dumps({'type': f'response.{kind}', **data}, ensure_ascii=ascii)}\n\n".encode()
        for kind, data in told
    ]


@pytest.mark.parametrize(
    ("words", "count", "ascii"),
    [
        ("word and ", 320_000, False),  # 2.9 MB
        ("word and ", 600_000, False),  # 5.4 MB, more than one event may have otherwise
        ('x = "a\\n"\n', 200_000, False),  # many escapes
        ("слово и ", 250_000, True),  # 2 MB, each letter written as six bytes
    ],
)
async def test_an_answer_may_be_said_once_more_at_its_end(words: str, count: int, ascii: bool) -> None:
    text = words * count
    events, fault = await RESPONSES.play(responses(text, 2_000, ascii=ascii), ASK)
    assert fault is None
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == text
    assert events[-1] == ReplyFinished("end")


async def test_a_flood_behind_an_answer_has_an_end() -> None:
    shown = responses("word " * 200_000, 10_000, ascii=False)[:-4]
    where = {"item_id": "m", "output_index": 0, "content_index": 0}

    def piece(words: str) -> bytes:
        told = {"type": "response.output_text.delta", **where, "delta": words}
        return f"data: {json.dumps(told)}\n\n".encode()

    # Behind a piece without words, the others are kept: the whole text may still come.
    flood = [piece(""), *[piece("x" * 100_000)] * 1_000]
    tracemalloc.start()
    try:
        events, fault = await RESPONSES.play([*shown, *flood], ASK)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(fault, errors.TooLarge)
    told = "".join(e.text for e in events if isinstance(e, TextDelta))
    assert told.startswith("word " * 200_000 + "x")
    assert (
        len(told) < 1_000_000 + wire_module.MAX_SILENT_BYTES + wire_module.MAX_REPEATS * 1_000_000 + 200_000
    )
    assert most < 60_000_000, f"{most / 1e6:.0f} MB"


async def test_an_event_larger_than_all_that_was_shown_is_too_large() -> None:
    shown = [f"data: {chunk('word ' * 2_000)}\n\n".encode()] * 10
    _, fault = await CHAT.play([*shown, *[b'data: {"choices":"' + b"x" * 1_000_000] * 6], ASK)
    assert isinstance(fault, errors.TooLarge)
    assert "One piece" in fault.message


SO_FAR: dict[Speaks, Callable[[str], Any]] = {
    "openai_chat": lambda words: {"choices": [{"index": 0, "delta": {"content": words}}]},
    "openai_responses": lambda words: {
        "type": "response.output_text.delta",
        "item_id": "m",
        "output_index": 0,
        "content_index": 0,
        "delta": words,
    },
    "anthropic_messages": lambda words: {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": words},
    },
}


@pytest.mark.parametrize("protocol", SO_FAR)
async def test_text_that_comes_so_far_in_each_delta_may_come_twice(
    protocol: Speaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "MAX_SILENT_BYTES", 100_000)
    stage = Stage.of(lambda clients: SPEAKERS[protocol](VENDOR, KEY, clients))
    text = "".join(f"{n} " for n in range(1_000))
    told = [SO_FAR[protocol](text[:end]) for end in range(20, len(text) + 1, 10) for _ in range(2)]
    body = "".join(f"data: {json.dumps(each)}\n\n" for each in told) + "data: [DONE]\n\n"
    assert len(body) > 10 * 100_000
    events, fault = await stage.play(body.encode(), ASK)
    assert fault is None
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == text


@pytest.mark.parametrize(
    "text", ["a", "ü", "\n", "\\", '"', "\\n", "\\u00fc", "\\\\u", "a\\", "\x00\x1f", "…\\"]
)
def test_a_character_counts_as_one_however_it_is_written(text: str) -> None:
    plain = '{"": ""}'
    for ascii in (True, False):
        ((_, size),) = payloads("", json.dumps({"": text * 50}, ensure_ascii=ascii))
        assert size == len(plain) + 50 * len(text)
