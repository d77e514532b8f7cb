"""Given more than one answer may hold, this end: what came stays, the reason is said, the wire is free."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from chat.allowance import MAX_DELTAS, MAX_PARTS, SHOWN, SHOWN_OF
from chat.engine import MAX_CALLS_PER_TURN
from chat.entries import Entries
from chat.events import (
    Citation,
    Event,
    KeepAlive,
    Notice,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    Usage,
)
from chat.messages import Assistant, ToolCall, ToolResults
from chat.reply import MAX_ARGUMENTS, MAX_CALLS_PER_REPLY, MAX_NAME
from chat.tools import tool
from chat.transcript import Transcript
from tests.scripted import Scripted, answer, engine, says, text, turn

MOST = 10_000
BIG = 1_000_000_000


@tool
def double(number: int) -> int:
    """Doubles a number."""
    return number * 2


def without_end(*round: ReplyEvent) -> Any:
    """Says `round` again and again, and knows how often."""

    def play() -> Iterator[ReplyEvent]:
        for _ in range(BIG):
            yield from round

    return play()


def ended(events: list[Event]) -> TurnFailed:
    last = events[-1]
    assert isinstance(last, TurnFailed)
    assert last.failure.kind == "answer_too_long"
    return last


@pytest.mark.parametrize(
    "round",
    [
        [TextDelta("word ")],
        [ThinkingDelta("hm ")],
        [TextDelta("ä€😀")],
        [TextDelta("\ud83d")],
        [ToolCallStarted("c", "double"), ToolCallDelta("c", "[" * 50)],
        [ToolCallStarted("c", "x" * 1000)],
        [ToolCallStarted("c" * 1000, "x")],
        [Citation("a title", "https://example.org/")],
        [Opaque({"data": "x" * 100})],
        [TextDelta("a"), ThinkingDelta("b")],
        [TextDelta(""), ThinkingDelta("")],
    ],
    ids=lambda round: " ".join(type(event).__name__ for event in round),
)
async def test_what_has_no_end_is_ended(round: list[ReplyEvent]) -> None:
    vendor = Scripted([without_end(*round)])
    events = await answer(vendor, settings={"max_answer_bytes": MOST})
    said = ended(events).failure.message
    assert "10,000 bytes" in said
    assert "in parts" in said
    assert vendor.closed == 1
    assert len(text(events).encode("utf-8", "surrogatepass")) <= MOST
    assert len(events) <= MOST + 3


async def test_what_came_stays_to_the_last_byte() -> None:
    vendor = Scripted([[TextDelta("ä" * 4000), ThinkingDelta("b" * 1000), TextDelta("ä" * 9000)]])
    events = await answer(vendor, settings={"max_answer_bytes": MOST})
    assert text(events) == "ä" * 4500
    ended(events)


async def test_an_answer_of_just_that_length_is_whole() -> None:
    events = await answer(Scripted([says("x" * MOST)]), settings={"max_answer_bytes": MOST})
    assert events[-1] == TurnFinished("end")


async def test_all_rounds_of_a_turn_count_together() -> None:
    asks = [TextDelta("x" * 6000), ToolCallStarted("c", "double"), ToolCallDelta("c", '{"number": 1}')]
    vendor = Scripted([[*asks, ReplyFinished("tool_use")], says("y" * 6000)])
    events = await answer(vendor, double, settings={"max_answer_bytes": MOST}, tools=("double",))
    ended(events)
    assert 3000 < text(events).count("y") < 4000


@pytest.mark.parametrize("passing", [KeepAlive(), Usage(1, 1)])
async def test_signs_of_life_are_thinned_out(passing: ReplyEvent) -> None:
    count = 50 * SHOWN
    vendor = Scripted([[*[passing] * count, Usage(7, 9), *says("Hi.")]])
    events = await answer(vendor)
    assert sum(event == passing for event in events) <= SHOWN + count / SHOWN_OF
    assert events[-1] == TurnFinished("end", Usage(7, 9))


async def test_a_visitor_is_told_of_no_setting() -> None:
    asked = engine(Scripted([without_end(TextDelta("x" * 100))]), max_answer_bytes=MOST, public=True)
    events = [event async for event in asked.answer(turn())]
    assert "CHAT_" not in ended(events).failure.message


# -- tool calls ----------------------------------------------------------------------------------


def asks(count: int, name: str = "double", arguments: str = '{"number": 21}') -> list[ReplyEvent]:
    made: list[ReplyEvent] = []
    for n in range(count):
        made += [ToolCallStarted(f"c{n}", name), ToolCallDelta(f"c{n}", arguments)]
    return [*made, ReplyFinished("tool_use")]


async def test_of_five_thousand_calls_some_run_and_each_has_a_result() -> None:
    vendor = Scripted([asks(5000), says("Done.")])
    events = await answer(vendor, double, tools=("double",))
    assert events[-1] == TurnFinished("end")
    for kind in (ToolCallStarted, ToolStarted, ToolFinished):
        assert sum(isinstance(event, kind) for event in events) == MAX_CALLS_PER_REPLY
    asked, told = vendor.asked[1].messages[1:]
    assert isinstance(asked, Assistant)
    assert isinstance(told, ToolResults)
    ids = [f"c{n}" for n in range(5000)]
    assert [part.id for part in asked.parts if isinstance(part, ToolCall)] == ids
    assert [result.id for result in told.results] == ids
    assert [result.text for result in told.results[:MAX_CALLS_PER_REPLY]] == ["42"] * MAX_CALLS_PER_REPLY
    assert {result.error for result in told.results[MAX_CALLS_PER_REPLY:]} == {True}
    assert f"at most {MAX_CALLS_PER_REPLY} calls in one reply" in told.results[-1].text
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert "5,000 tools at once" in notice.text


async def test_the_calls_of_a_turn_are_counted_over_its_rounds() -> None:
    vendor = Scripted([*([asks(MAX_CALLS_PER_REPLY)] * 6), says("Done.")])
    events = await answer(vendor, double, tools=("double",))
    assert sum(isinstance(event, ToolFinished) for event in events) == MAX_CALLS_PER_TURN
    told = vendor.asked[6].messages[-1]
    assert isinstance(told, ToolResults)
    assert all("was not run" in result.text for result in told.results)


async def test_arguments_that_are_too_long_are_not_run_and_not_sent_back() -> None:
    long = f'{{"number": {"1" * MAX_ARGUMENTS}}}'
    vendor = Scripted([asks(1, arguments=long), says("Done.")])
    events = await answer(vendor, double, tools=("double",))
    assert not any(isinstance(event, ToolStarted) for event in events)
    asked, told = vendor.asked[1].messages[1:]
    assert isinstance(asked, Assistant)
    assert isinstance(told, ToolResults)
    assert asked.parts == (ToolCall("c0", "double", ""),)
    assert "at most 100,000 fit" in told.results[0].text


async def test_a_name_that_is_too_long_is_cut() -> None:
    vendor = Scripted([asks(1, name="x" * 100_000), says("Done.")])
    events = await answer(vendor, double, tools=("double",))
    names = [event.name for event in events if isinstance(event, ToolCallStarted | ToolStarted)]
    assert max(map(len, names)) <= MAX_NAME + 1
    assert events[-1] == TurnFinished("end")


# -- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda n: TextDelta(f"w{n % 90}x "),
        lambda n: ThinkingDelta(f"w{n % 90}x "),
        lambda n: ToolCallDelta("c", f"w{n % 90}x "),
        lambda n: KeepAlive(),
    ],
)
def test_a_piece_takes_little_more_than_its_text(make: Any) -> None:
    count = 12_000
    tracemalloc.start()
    try:
        entries, transcript = Entries(), Transcript()
        transcript.add(1, 0, ToolCallStarted("c", "double"))
        for n in range(count):
            event = make(n)
            transcript.add(entries.append(n / 1000, event), n / 1000, event)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    # The last few thousand are kept as they came. So the most that an answer may be takes some 15 MB.
    assert taken < 400_000 + 30 * count
    assert MAX_DELTAS * 30 + MAX_PARTS * 1000 < 20_000_000
    assert [entries[n].event for n in (0, 2000, count - 1)] == [make(n) for n in (0, 2000, count - 1)]
