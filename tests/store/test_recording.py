"""Events go into rows and come back; what is put together on the way changes nothing that is seen."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.events import (
    Entry,
    Event,
    KeepAlive,
    Notice,
    Opaque,
    RequestSent,
    ResponseOpened,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    TurnStarted,
)
from chat.store.recording import SPAN, decode, dumped, encode, plain, shortened
from chat.transcript import Transcript

text = st.text(max_size=5)
events: st.SearchStrategy[Event] = st.one_of(
    text.map(TextDelta),
    text.map(TextDelta),
    text.map(ThinkingDelta),
    st.builds(ToolCallDelta, st.sampled_from(["", "1", "2"]), text),
    st.builds(ToolCallStarted, st.sampled_from(["1", "2"]), text),
    st.builds(Notice, text, text),
    st.just(KeepAlive()),
    st.just(Opaque({"secret": 1})),
    st.just(ResponseOpened(200)),
)
steps = st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.1, 0.5]), events), max_size=40)


def entries(said: list[tuple[float, Event]]) -> list[Entry]:
    at, found = 0.0, []
    for seq, (gap, event) in enumerate(said, 1):
        at += gap
        found.append(Entry(seq, round(at, 3), event))
    return found


def folded(entries: list[Entry]) -> list[object]:
    transcript = Transcript()
    for entry in entries:
        transcript.add(entry.seq, entry.at, entry.event)
    blocks = [(type(b), b.text, getattr(b, "began", 0), getattr(b, "ended", 0)) for b in transcript.blocks]
    return [blocks, transcript.steps, transcript.first_text, transcript.notices, transcript.length]


@given(steps, st.integers(1, 10))
def test_what_comes_back_adds_up_to_the_same(said: list[tuple[float, Event]], size: int) -> None:
    all_of_it = entries(said)
    bodies = [encode(all_of_it[place : place + size]) for place in range(0, len(all_of_it), size)]
    back = [entry for body in bodies if body for entry in decode(body)]
    assert folded(back) == folded(all_of_it)
    assert [entry.seq for entry in back] == sorted(entry.seq for entry in back)


def test_deltas_of_one_kind_are_put_together_for_a_while() -> None:
    one_kind = [*[TextDelta("a")] * 10, ThinkingDelta("b"), TextDelta("c"), TextDelta("c")]
    said = entries([(0.05, event) for event in one_kind])
    back = list(decode(encode(said)))
    assert [entry.event for entry in back] == [
        TextDelta("aaaaa"),
        TextDelta("aaaaa"),
        ThinkingDelta("b"),
        TextDelta("cc"),
    ]
    assert [(entry.seq, entry.at) for entry in back] == [(5, 0.05), (10, 0.3), (11, 0.55), (13, 0.6)]
    assert SPAN == 0.2


def test_what_only_the_vendor_needs_is_not_kept() -> None:
    assert encode(entries([(0, KeepAlive()), (0, Opaque({"signature": "x"}))])) == ""


def test_a_request_is_kept_in_brief_however_long_the_chat_is() -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "x" * 10_000}]} for _ in range(500)]
    body = {"model": "one", "messages": messages, "tools": [{"name": "t", "schema": {"a": "b" * 5000}}] * 50}
    kept = encode(entries([(0, RequestSent("http://x", body))]))
    assert len(kept) < 10_000
    (entry,) = decode(kept)
    assert isinstance(entry.event, RequestSent)
    assert entry.event.body["model"] == "one"
    assert entry.event.body["messages"][1] == "… (496 more)"
    assert entry.event.body["messages"][-1]["content"][0]["text"].endswith("… (9600 more characters)")


def test_a_short_request_is_kept_as_it_is() -> None:
    body = {"a": [1, 2.5, None, True], "b": {"c": "d" * 400}}
    assert shortened(body) == body


def test_an_event_of_a_newer_program_is_left_out() -> None:
    body = json.dumps([[1, 0.1, {"type": "dream"}], [2, 0.2, "x", "a"], [3, 0.3, {"type": "notice"}]])
    assert list(decode(body)) == [Entry(2, 0.2, TextDelta("a"))]


def test_every_value_becomes_text_that_a_database_takes() -> None:
    for value in ("\ud800", "a\0b", float("nan"), "日本語 😀", {1: {2}}, {(1,): 2}, 10**5000):
        assert json.loads(dumped({"v": value}).encode().decode()).keys() == {"v"}


def test_what_is_nested_too_deeply_costs_no_more_than_itself() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    said = entries([(0, TextDelta("a")), (0, TurnStarted("m", {"deep": deep})), (0, TextDelta("b"))])
    back = list(decode(encode(said)))
    assert [type(entry.event) for entry in back] == [TextDelta, TurnStarted, TextDelta]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a", "a"), ("😀", "😀"), ("\ud83d\ude00", "😀"), ("\ud83d.", "\ufffd."), ("\0", "\ufffd")],
)
def test_plain_text(given: str, kept: str) -> None:
    assert plain(given) == kept
