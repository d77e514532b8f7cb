"""Given what a vendor says and what tools do, these are the events of the turn."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from chat.context import Window
from chat.engine import Engine
from chat.errors import CutOff, Overloaded, Refused, TooLong
from chat.events import (
    Citation,
    Event,
    Notice,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from chat.messages import Assistant, Options, Raw, Text, ToolCall, ToolResults, Turn, User
from chat.models import Model
from chat.owners import LOCAL
from chat.providers.vendors import Vendor
from chat.settings import Deadlines
from chat.tools import Context, tool
from tests.scripted import HANG, Scripted, answer, engine, says, text, turn, types


@tool
def double(number: int, context: Context) -> int:
    """Doubles a number."""
    context.cite("Doubling", "https://example.org/double")
    return number * 2


def calls(*names: str) -> list[ToolCallStarted | ToolCallDelta | ReplyFinished | TextDelta]:
    made: list[ToolCallStarted | ToolCallDelta | ReplyFinished | TextDelta] = [TextDelta("Let me see.")]
    for place, name in enumerate(names):
        made += [
            ToolCallStarted(f"c{place}", name),
            ToolCallDelta(f"c{place}", '{"number":'),
            ToolCallDelta(f"c{place}", "21}"),
        ]
    return [*made, ReplyFinished("tool_use")]


def last(events: list[Event]) -> Event:
    """The terminal event, after making sure that there is one."""
    assert [isinstance(event, TurnFinished | TurnFailed) for event in events] == [False] * (
        len(events) - 1
    ) + [True]
    return events[-1]


async def test_an_answer() -> None:
    vendor = Scripted([says("Hi.")])
    events = await answer(vendor, temperature=0.5)
    assert events == [
        TurnStarted("acme:one", {"temperature": 0.5}),
        TextDelta("Hi."),
        TurnFinished("end"),
    ]
    assert vendor.asked[0].temperature == 0.5
    assert vendor.closed == 1


async def test_what_is_unset_is_not_asked_for() -> None:
    vendor = Scripted([says("Hi.")])
    await answer(vendor)
    request = vendor.asked[0]
    assert (request.temperature, request.max_tokens, request.effort, request.system, request.tools) == (
        None,
    ) * 4 + ((),)


async def test_history_then_question_with_the_system_prompt_apart() -> None:
    vendor = Scripted([says("Hi.")])
    history = (User("Who?"), Assistant((Text("Me."),)))
    asked = engine(vendor, system="Be brief.")
    async for _ in asked.answer(Turn("And?", Options(model="acme:one"), history)):
        pass
    assert vendor.asked[0].messages == (*history, User("And?"))
    assert vendor.asked[0].system == "Be brief."


async def test_a_tool_round() -> None:
    vendor = Scripted([[Opaque({"signed": 1}), *calls("double")], says("It is 42.")])
    events = await answer(vendor, double, tools=("double",))
    started, finished = (
        next(e for e in events if isinstance(e, kind)) for kind in (ToolStarted, ToolFinished)
    )
    assert started == ToolStarted("c0", "double", {"number": 21})
    assert isinstance(finished, ToolFinished)
    assert (finished.result, finished.error) == (42, None)
    assert Citation("Doubling", "https://example.org/double") in events
    assert text(events) == "Let me see.\n\nIt is 42."
    assert last(events) == TurnFinished("end")
    said = vendor.asked[1].messages[1:]
    assert said[0] == Assistant(
        (Raw({"signed": 1}), Text("Let me see."), ToolCall("c0", "double", '{"number":21}'))
    )
    assert isinstance(said[1], ToolResults)
    assert [(r.id, r.text, r.error) for r in said[1].results] == [("c0", "42", False)]


async def test_the_tools_of_a_round_run_side_by_side_and_answer_in_order() -> None:
    both = asyncio.Barrier(2)

    @tool
    async def first(number: int) -> str:
        """Meets the second."""
        await both.wait()
        return "first"

    @tool
    async def second(number: int) -> str:
        """Meets the first."""
        await both.wait()
        return "second"

    vendor = Scripted([calls("first", "second"), says("Done.")])
    events = await answer(vendor, first, second, tools=("first", "second"))
    assert last(events) == TurnFinished("end")
    results = vendor.asked[1].messages[-1]
    assert isinstance(results, ToolResults)
    assert [result.text for result in results.results] == ["first", "second"]


async def test_a_tool_that_is_switched_off_does_not_run() -> None:
    vendor = Scripted([calls("double"), says("I could not.")])
    events = await answer(vendor, double)
    finished = next(e for e in events if isinstance(e, ToolFinished))
    assert finished.error is not None
    assert "switched off" in finished.error


async def test_usage_adds_up_over_the_replies() -> None:
    vendor = Scripted(
        [
            [Usage(5, 1), Usage(10, 2), *calls("double")],
            [TextDelta("42"), ReplyFinished("end", Usage(20, 4, cached=10))],
        ]
    )
    assert last(await answer(vendor, double, tools=("double",))) == TurnFinished(
        "end", Usage(30, 6, cached=10)
    )


async def test_a_pause_is_taken_up() -> None:
    vendor = Scripted([[TextDelta("One"), Opaque({"search": 1}), ReplyFinished("pause")], says("two.")])
    events = await answer(vendor)
    assert last(events) == TurnFinished("end")
    assert vendor.asked[1].messages[1:] == (Assistant((Text("One"), Raw({"search": 1}))),)


@pytest.mark.parametrize("stop", ["length", "filter", "refusal"])
async def test_stops_are_not_failures(stop: str) -> None:
    vendor = Scripted([[TextDelta("So"), ReplyFinished(stop)]])  # pyright: ignore[reportArgumentType]
    ended = last(await answer(vendor))
    assert isinstance(ended, TurnFinished)
    assert ended.stop == stop


async def test_an_answer_without_anything_is_empty() -> None:
    ended = last(await answer(Scripted([[ReplyFinished("end")]])))
    assert isinstance(ended, TurnFailed)
    assert ended.failure.kind == "empty"


async def test_no_words_after_a_tool_are_fine_when_there_were_some_before() -> None:
    vendor = Scripted([calls("double"), [ReplyFinished("end")]])
    assert last(await answer(vendor, double, tools=("double",))) == TurnFinished("end")


async def test_a_model_that_asks_for_tools_for_ever() -> None:
    vendor = Scripted([calls("double")] * 20)
    ended = last(await answer(vendor, double, tools=("double",)))
    assert isinstance(ended, TurnFailed)
    assert ended.failure.kind == "too_many_rounds"
    assert len(vendor.asked) == 8


async def test_a_fault_comes_last_after_the_wire_is_closed() -> None:
    vendor = Scripted([[TextDelta("Half an"), CutOff("It was cut off.")]])
    events = engine(vendor).answer(turn())
    seen: list[Event] = []
    async for event in events:
        if isinstance(event, TurnFailed):
            assert vendor.closed == 1
        seen.append(event)
    assert types(seen) == ["turn_started", "text_delta", "turn_failed"]


async def test_closing_the_turn_closes_the_wire() -> None:
    vendor = Scripted([[TextDelta("One"), HANG]])
    async with aclosing(engine(vendor).answer(turn())) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    assert vendor.closed == 1


async def test_arguments_too_deep_to_read_are_shown_as_they_came() -> None:
    deep = "[" * 100_000
    asked: list[ReplyEvent] = [
        ToolCallStarted("c0", "double"),
        ToolCallDelta("c0", deep),
        ReplyFinished("tool_use"),
    ]
    events = await answer(Scripted([asked, says("I could not.")]), double, tools=("double",))
    assert ToolStarted("c0", "double", deep) in events
    assert last(events) == TurnFinished("end")


async def test_a_bug_around_a_tool_ends_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("chat.tools.Tools.run", broken)
    with pytest.raises(ZeroDivisionError):
        await answer(Scripted([calls("double")]), double, tools=("double",))


async def test_cancelling_in_a_tool_cancels_the_tool() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    @tool
    async def wait(number: int) -> str:
        """Waits for ever."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ""

    async def consume() -> None:
        await answer(Scripted([calls("wait")]), wait, tools=("wait",))

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


@pytest.mark.parametrize(
    ("owner", "public", "named"), [(LOCAL, True, True), ("ann", True, False), ("ann", False, True)]
)
async def test_the_turn_has_a_deadline_that_tools_count_for(owner: str, public: bool, named: bool) -> None:
    @tool
    async def wait(number: int) -> str:
        """Waits for ever."""
        await asyncio.Event().wait()
        return ""

    vendor = Scripted([calls("wait")])
    asked = Turn("Hello?", Options("acme:one", tools=("wait",)), owner=owner)
    answering = engine(vendor, wait, deadlines=Deadlines(turn=0.05), public=public).answer(asked)
    ended = last([event async for event in answering])
    assert isinstance(ended, TurnFailed)
    assert ended.failure.kind == "stalled"
    assert ("CHAT_TURN_TIMEOUT" in ended.failure.message) is named
    assert ended.failure.message.endswith(".")


async def test_a_temperature_that_the_model_does_not_take_is_left_out_with_a_notice() -> None:
    vendor = Scripted([says("Hi.")])
    asked = engine(vendor)
    asked._catalogue.refuse(Model("acme", "one"), "temperature")
    events = [event async for event in asked.answer(turn(temperature=0.4))]
    notice = next(e for e in events if isinstance(e, Notice))
    assert "temperature" in notice.text
    assert vendor.asked[0].temperature is None


async def test_a_value_that_is_refused_is_left_out_of_the_turn_and_others_send_theirs_all_the_same() -> None:
    refused = Refused("one does not take this value of “reasoning_effort”.", parameter="reasoning_effort")
    refused.lasting = False
    vendor = Scripted([[refused], calls("double"), says("It is 42."), says("Hi.")])
    asked = engine(vendor, double)
    events = [event async for event in asked.answer(turn(effort="banana", tools=("double",)))]
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "one does not take this value of “reasoning_effort”. Sent without it."
    ]
    async for _ in asked.answer(turn(effort="high")):
        pass
    assert [request.omit for request in vendor.asked] == [
        set(),
        {"reasoning_effort"},
        {"reasoning_effort"},
        set(),
    ]


async def test_a_temperature_beyond_the_vendors_range_is_lowered_with_a_notice() -> None:
    vendor = Scripted([says("Hi.")], Vendor("acme", "Acme", (), "", max_temperature=1))
    events = await answer(vendor, temperature=1.8)
    assert "temperature_lowered" in [e.code for e in events if isinstance(e, Notice)]
    assert vendor.asked[0].temperature == 1


@pytest.mark.parametrize(
    ("owner", "asked", "sent", "lowered"),
    [
        ("ann", 5000, 100, True),
        ("ann", 101, 100, True),
        ("ann", 100, 100, False),
        ("ann", 7, 7, False),
        ("ann", None, 100, False),
        ("", None, 100, False),
        (LOCAL, 5000, 5000, False),
        (LOCAL, None, None, False),
    ],
)
async def test_an_answer_has_at_most_the_tokens_of_the_settings(
    owner: str, asked: int | None, sent: int | None, lowered: bool
) -> None:
    vendor = Scripted([says("Hi.")])
    options = Options(model="acme:one", max_tokens=asked)
    answering = engine(vendor, max_tokens=100).answer(Turn("Hello?", options, owner=owner))
    events = [event async for event in answering]
    assert isinstance(last(events), TurnFinished)
    assert vendor.asked[0].max_tokens == sent
    notices = [event for event in events if isinstance(event, Notice)]
    assert [notice.code for notice in notices] == ["max_tokens_lowered"] * lowered
    assert all("100 tokens" in notice.text for notice in notices)


async def test_who_brought_a_key_has_as_many_tokens_as_they_like() -> None:
    vendor = Scripted([says("Hi.")])
    vendor.vendor = replace(vendor.vendor, brought=True)
    own = engine(vendor, max_tokens=100)
    assert own.own_key("ann", "acme:one")
    assert not own.own_key("ann", "nobody:one")
    options = Options(model="acme:one", max_tokens=5000)
    async for _ in own.answer(Turn("Hello?", options, owner="ann")):
        pass
    assert vendor.asked[0].max_tokens == 5000
    assert not engine(Scripted([])).own_key("ann", None)


async def test_the_rounds_of_an_answer_share_its_tokens() -> None:
    rounds = [[Usage(output=n), *calls("double")] for n in (30, 50, 20)]
    vendor = Scripted([*rounds, says("Never asked.")])
    events = await answer(vendor, double, tools=("double",), settings={"max_tokens": 100})
    assert [request.max_tokens for request in vendor.asked] == [100, 70, 20]
    assert last(events) == TurnFinished("length", Usage(output=100))


async def test_without_a_cap_each_round_may_have_what_was_asked_for() -> None:
    rounds = [[Usage(output=90), *calls("double")] for _ in range(2)]
    vendor = Scripted([*rounds, says("42")])
    await answer(vendor, double, tools=("double",), max_tokens=100)
    assert [request.max_tokens for request in vendor.asked] == [100] * 3


@pytest.mark.parametrize(
    ("names", "asked"), [(["max_output_tokens"], 1), (["max_tokens", "max_completion_tokens"], 2)]
)
async def test_a_model_that_takes_no_limit_is_not_asked_without_one(names: list[str], asked: int) -> None:
    vendor = Scripted([*([Refused("No.", parameter=name)] for name in names), says("Endless.")])
    capped = engine(vendor, max_tokens=100)
    for _ in range(2):  # the second time it is known
        ended = last([event async for event in capped.answer(turn())])
        assert isinstance(ended, TurnFailed)
        assert ended.failure.kind == "bad_request"
        assert "Choose another model" in ended.failure.message
        assert len(vendor.asked) == asked


async def test_an_unknown_vendor_says_which_variable_is_missing() -> None:
    asked = engine(Scripted([]))
    events = [event async for event in asked.answer(Turn("Hi", Options(model="groq:llama")))]
    ended = last(events)
    assert isinstance(ended, TurnFailed)
    assert ended.failure.kind == "config"


async def test_retries_are_seen() -> None:
    vendor = Scripted([[Overloaded("Busy.", retry_after=0)], says("Hi.")])
    assert types(await answer(vendor)) == ["turn_started", "retrying", "text_delta", "turn_finished"]


# -- a conversation that is too long ---------------------------------------------------------------


def long(question: str = "And now?", turns: int = 10, **options: Any) -> Turn:
    """Of about 1,000 tokens a turn."""
    said = (User("What? " * 300), Assistant((Text("That. " * 300),)))
    return Turn(question, Options(model="acme:one", **options), said * turns)


async def told(asked: Engine, turn: Turn) -> tuple[list[str], Event]:
    """What the notices say of a turn, and how it ended."""
    events = [event async for event in asked.answer(turn)]
    return [e.text for e in events if isinstance(e, Notice)], last(events)


async def test_a_conversation_that_was_refused_is_asked_shorter_and_remembered() -> None:
    refusal = TooLong("Too long.", limit=8192, sent=9500)
    vendor = Scripted([[refusal], says("Yes."), says("Yes.")])
    asked = engine(vendor, system="Be brief.")
    notices, ended = await told(asked, long())
    assert ended == TurnFinished("end")
    left = 21 - len(vendor.asked[1].messages)
    assert notices == [
        f"{left} earlier messages left out: the whole conversation does not fit one, "
        "which takes about 8,192 tokens."
    ]
    assert vendor.asked[1].system == "Be brief."
    assert vendor.asked[1].messages[-1] == User("And now?")
    assert (await told(asked, long()))[0] == notices
    assert vendor.asked[2] == vendor.asked[1]


async def test_a_question_that_does_not_fit_alone_fails_in_the_vendors_words() -> None:
    vendor = Scripted([[TooLong("Too long, says the vendor.", limit=8192)]] * 9)
    notices, ended = await told(engine(vendor), long("Why? " * 9000, turns=2))
    assert isinstance(ended, TurnFailed)
    assert (ended.failure.kind, ended.failure.message) == ("too_large", "Too long, says the vendor.")
    assert notices == []
    assert len(vendor.asked[-1].messages) == 1


async def test_rounds_that_grow_leave_out_more_and_never_the_turn_itself() -> None:
    @tool
    def read(number: int) -> str:
        """Reads a long page."""
        return "Words and words. " * 600

    vendor = Scripted([calls("read"), calls("read"), calls("read"), says("Done.")])
    asked = engine(vendor, read)
    asked._catalogue.learn(Model("acme", "one"), Window(16_000))
    notices, ended = await told(asked, long(tools=("read",)))
    assert ended == TurnFinished("end")
    histories = [request.history for request in vendor.asked]
    assert histories[0] > histories[-1]
    assert histories == sorted(histories, reverse=True)
    for number, request in enumerate(vendor.asked):
        rest = request.messages[request.history :]
        assert rest[0] == User("And now?")
        assert len(rest) == 1 + 2 * number
    counts = [20 - history for history in dict.fromkeys(histories) if history < 20]
    assert [notice.partition(" ")[0] for notice in notices] == [str(count) for count in counts]


async def test_a_round_that_is_refused_is_made_shorter_too() -> None:
    vendor = Scripted([calls("double"), [TooLong("Too long.")], says("It is 42.")])
    asked = engine(vendor, double)
    notices, ended = await told(asked, long(tools=("double",)))
    assert ended == TurnFinished("end")
    first, refused, third = vendor.asked
    assert first.history == refused.history == 20 > third.history
    assert third.messages[third.history :] == refused.messages[20:]
    assert len(notices) == 1
