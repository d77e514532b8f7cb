"""The demo model: given these words, these events. No delay is ever waited for here."""

import asyncio
import json
import random
import re
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import errors
from chat.events import (
    KeepAlive,
    ReplyEvent,
    ReplyFinished,
    RequestSent,
    ResponseOpened,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.messages import Assistant, Message, Request, Text, ToolCall, ToolResult, ToolResults, ToolSpec, User
from chat.models import Model
from chat.providers.demo import EXAMPLES, Demo, scripts, words
from chat.providers.demo.player import pieces
from chat.providers.demo.questions import expression, wanted
from chat.providers.demo.steps import Talk
from chat.providers.vendors import VENDORS

ALL = ("calculate", "current_time", "get_weather", "search_docs")


def demo(**options: Any) -> Demo:
    return Demo(VENDORS[0], **{"pace": 0, **options})


def asked(*said: str | Message, model: str = "tour", tools: tuple[str, ...] = ALL, **options: Any) -> Request:
    """A request; plain strings are questions."""
    return Request(
        Model("demo", model),  # as the catalogue knows it before it has the list
        tuple(User(s) if isinstance(s, str) else s for s in said),
        tools=tuple(ToolSpec(name, "", {}) for name in tools),
        **options,
    )


async def reply(request: Request, provider: Demo | None = None) -> list[ReplyEvent]:
    async with aclosing((provider or demo()).stream(request)) as events:
        return [event async for event in events]


async def broken(request: Request, provider: Demo | None = None) -> tuple[list[ReplyEvent], errors.Fault]:
    """The events before the reply fails, and how it fails."""
    got: list[ReplyEvent] = []
    try:
        async for event in (provider or demo()).stream(request):
            got += [event]
    except errors.Fault as fault:
        return got, fault
    pytest.fail("the reply did not fail")


def text(events: list[ReplyEvent]) -> str:
    return "".join(e.text for e in events if isinstance(e, TextDelta))


def thinking(events: list[ReplyEvent]) -> str:
    return "".join(e.text for e in events if isinstance(e, ThinkingDelta))


def calls(events: list[ReplyEvent]) -> list[tuple[str, Any]]:
    """Name and decoded arguments of each call, put together as the engine does it."""
    found = {e.id: (e.name, "") for e in events if isinstance(e, ToolCallStarted)}
    for event in events:
        if isinstance(event, ToolCallDelta):
            name, so_far = found[event.id]
            found[event.id] = name, so_far + event.text
    return [(name, json.loads(arguments)) for name, arguments in found.values()]


def stop(events: list[ReplyEvent]) -> str:
    last = events[-1]
    assert isinstance(last, ReplyFinished)
    return last.stop


def usage(events: list[ReplyEvent]) -> Usage:
    last = events[-1]
    assert isinstance(last, ReplyFinished)
    assert last.usage
    return last.usage


async def test_begins_and_ends_like_a_vendor():
    events = await reply(asked("hello"))
    assert isinstance(events[0], RequestSent)
    assert events[1] == ResponseOpened(200)
    assert isinstance(events[-2], Usage)
    assert events[-1] == ReplyFinished("end", events[-2])


@pytest.mark.parametrize("example", EXAMPLES[:3], ids=lambda e: e.label)
async def test_examples_answer(example):
    assert len(text(await reply(asked(example.text)))) > 20


async def test_the_last_example_fails_in_mid_stream():
    events, fault = await broken(asked(EXAMPLES[3].text))
    assert len(text(events)) > 20
    assert fault.kind == "overloaded"


# -- the scripts


def promised() -> list[str]:
    """Everything that the help and the ideas tell a person to say."""
    listed = re.findall(r"`([^`]+)`", scripts.text("help"))
    return [*listed, *(say for say, _ in words.IDEAS)]


@pytest.mark.parametrize("say", promised())
def test_everything_that_is_promised_has_a_script(say):
    talk = Talk.of(asked(say), random.Random(0))
    assert scripts._script(talk) is not scripts.small_talk


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("cut off", "cut_off"),
        ("malformed", "malformed"),
        ("overload", "overloaded"),
        ("server error", "server"),
        ("wrong key", "auth"),
        ("no connection", "unreachable"),
        ("too long", "too_large"),
        ("rate limit for an hour", "rate_limited"),
    ],
)
async def test_fails_on_request_with_a_sentence(question, kind):
    _, fault = await broken(asked(question))
    assert fault.kind == kind
    assert re.fullmatch(r"[A-Z].{30,}\.", fault.message)


@pytest.mark.parametrize("question", ["cut off", "malformed", "overload"])
async def test_text_before_a_failure_in_mid_stream(question):
    events, _ = await broken(asked(question))
    assert text(events)


@pytest.mark.parametrize("question", ["wrong key", "no connection", "server error", "too long"])
async def test_no_word_before_the_others(question):
    """So that what may be tried again is tried again."""
    events, _ = await broken(asked(question))
    assert [type(event) for event in events] == [RequestSent]


async def test_a_rate_limit_passes_at_the_second_try():
    provider = demo()
    for _ in range(2):  # and the same again when the question comes again later
        _, fault = await broken(asked("rate limit"), provider)
        assert fault.retry_after == 2
        assert "429" in text(await reply(asked("rate limit"), provider))


async def test_a_rate_limit_of_an_hour_does_not_pass():
    provider = demo()
    for _ in range(2):
        _, fault = await broken(asked("rate limit for an hour"), provider)
        assert fault.retry_after == 3600


async def test_a_fault_is_fresh_each_time():
    assert (await broken(asked("cut off")))[1] is not (await broken(asked("cut off")))[1]


@pytest.mark.parametrize(
    ("question", "expected"),
    [("refuse", "refusal"), ("content filter", "filter"), ("length limit", "length")],
)
async def test_other_endings(question, expected):
    events = await reply(asked(question))
    assert stop(events) == expected
    assert text(events)


async def test_an_answer_without_anything():
    events = await reply(asked("say nothing"))
    assert not text(events)
    assert stop(events) == "end"


async def test_stalls_after_some_text_until_it_is_given_up():
    said = asyncio.Event()

    async def listen() -> None:
        async for event in demo().stream(asked("stall")):
            if isinstance(event, TextDelta) and "Stop" in event.text:
                said.set()

    task = asyncio.create_task(listen())
    await said.wait()
    await asyncio.wait([task], timeout=0.05)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_stalls_with_signs_of_life():
    async with aclosing(demo().stream(asked("stall with pings"))) as events:
        alive = 0
        async for event in events:
            alive += isinstance(event, KeepAlive)
            if alive == 3:
                break
    assert alive == 3


async def test_stalls_before_the_first_word():
    events = demo().stream(asked("stall before the first word"))
    assert isinstance(await anext(events), RequestSent)
    assert isinstance(await anext(events), ResponseOpened)
    task = asyncio.ensure_future(anext(events))
    await asyncio.wait([task], timeout=0.05)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await events.aclose()


async def test_a_long_answer_has_about_two_thousand_words():
    assert 1800 < len(text(await reply(asked("a long answer"))).split()) < 2200


async def test_markdown_has_a_table_code_and_maths():
    page = text(await reply(asked("show me markdown")))
    assert all(mark in page for mark in ("## ", "| ", "```python", "```javascript", "$$", "\n> ", "- [x]"))
    assert page.count("```") % 2 == 0


async def test_the_json_in_an_answer_parses():
    page = text(await reply(asked("some json")))
    assert json.loads(page.split("```json")[1].split("```")[0])["total"] == 32.3


# -- thinking


async def test_thinks_before_it_speaks():
    events = await reply(asked("think aloud"))
    kinds = [type(event) for event in events if isinstance(event, TextDelta | ThinkingDelta)]
    assert kinds == sorted(kinds, key=lambda kind: kind is TextDelta)
    assert "110" in thinking(events)
    assert "**5**" in text(events)


async def test_effort_none_means_no_thinking():
    events = await reply(asked("think aloud", effort="none"))
    assert not thinking(events)
    assert "none" in text(events)


async def test_more_effort_means_more_thinking():
    low, medium, high = [
        len(thinking(await reply(asked("think aloud", effort=effort))))
        for effort in ("low", "medium", "high")
    ]
    assert low < medium < high


async def test_the_thinker_always_thinks():
    assert thinking(await reply(asked("hello", model="thinker")))
    assert not thinking(await reply(asked("hello")))


# -- tools


def after(question: str, first: list[ReplyEvent], *results: str, error: bool = False) -> list[str | Message]:
    """The conversation as the engine sends it again, with the results of the calls of `first`."""
    named = [(e.id, e.name) for e in first if isinstance(e, ToolCallStarted)]
    arguments = {id: "" for id, _ in named}
    for event in first:
        if isinstance(event, ToolCallDelta):
            arguments[event.id] += event.text
    return [
        question,
        Assistant((Text(text(first)), *(ToolCall(id, name, arguments[id]) for id, name in named))),
        ToolResults(
            tuple(ToolResult(id, name, said, error) for (id, name), said in zip(named, results, strict=True))
        ),
    ]


async def test_two_tools_side_by_side():
    question = EXAMPLES[2].text
    first = await reply(asked(question))
    assert calls(first) == [
        ("calculate", {"expression": "23 * 19 + 4"}),
        ("current_time", {"timezone": "Asia/Tokyo"}),
    ]
    assert stop(first) == "tool_use"
    ids = [event.id for event in first if isinstance(event, ToolCallDelta)]
    assert ids != sorted(ids), "the arguments of parallel calls arrive interleaved"

    time = '{"time": "2026-11-21T15:05:18+09:00", "weekday": "Saturday", "timezone": "Asia/Tokyo"}'
    second = await reply(asked(*after(question, first, "441", time)))
    assert "**441**" in text(second)
    assert "**15:05** on Saturday, 21 November 2026" in text(second)
    assert stop(second) == "end"


async def test_a_whole_number_is_told_as_one():
    first = await reply(asked("calculate 12.5 * 8"))
    assert "makes **100**" in text(await reply(asked(*after("calculate 12.5 * 8", first, "100.0"))))


async def test_a_tool_that_is_switched_off_is_named():
    events = await reply(asked("calculate 2 + 2", tools=("current_time",)))
    assert calls(events) == []
    assert "`calculate`, and it is switched off" in text(events)


async def test_one_of_two_tools_switched_off():
    question = EXAMPLES[2].text
    first = await reply(asked(question, tools=("calculate",)))
    assert [name for name, _ in calls(first)] == ["calculate"]
    second = await reply(asked(*after(question, first, "441"), tools=("calculate",)))
    assert "**441**" in text(second)
    assert "`current_time`, and it is switched off" in text(second)


async def test_an_error_of_a_tool_is_told():
    first = await reply(asked("weather in Lisbon"))
    sentence = "The weather service cannot be reached: there may be no network here."
    second = await reply(asked(*after("weather in Lisbon", first, sentence, error=True)))
    assert sentence in text(second)


async def test_the_weather_is_told_as_it_came():
    first = await reply(asked("weather in Lisbon"))
    result = json.dumps(
        {"place": "Lisbon, Portugal", "conditions": "fog", "temperature": "9.5 °C", "wind": None}
    )
    second = await reply(asked(*after("weather in Lisbon", first, result)))
    assert "Lisbon, Portugal: **9.5 °C**, fog." in text(second)


async def test_documents_are_quoted_with_their_source():
    question = "search the docs for deadlines"
    first = await reply(asked(question))
    assert calls(first) == [("search_docs", {"query": "deadlines"})]
    hit = {
        "title": "Settings",
        "source": "README.md#settings",
        "text": "| a |\n|---|\n*All* in [seconds](x.md), <b>.",
    }
    second = await reply(asked(*after(question, first, json.dumps({"results": [hit]}))))
    assert "`README.md#settings`" in text(second)
    assert r"“a All in seconds, \<b\>.”" in text(second)


async def test_documents_that_say_nothing():
    question = "search the docs for zebras"
    first = await reply(asked(question))
    second = await reply(asked(*after(question, first, '{"results": [], "note": "Nothing was found."}')))
    assert "nothing about “zebras”" in text(second)


async def test_the_second_round_uses_the_first():
    question = "step by step"
    first = await reply(asked(question))
    said = after(question, first, "86400")
    second = await reply(asked(*said))
    assert calls(second) == [("calculate", {"expression": "86400 * 365"})]
    ids = {e.id for e in [*first, *second] if isinstance(e, ToolCallStarted)}
    assert len(ids) == 2
    third = await reply(asked(*said, *after(question, second, "31536000")[1:]))
    assert "**31536000**" in text(third)
    assert stop(third) == "end"


async def test_tools_without_end():
    said: list[str | Message] = ["endless tools"]
    for _ in range(4):
        events = await reply(asked(*said))
        assert stop(events) == "tool_use"
        said += after("", events, "2")[1:]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what is 12.5 * 8?", "12.5 * 8"),
        ("1,000 × 3 − (4 ÷ 2)", "1000 * 3 - (4 / 2)"),
        ("15% of 80", "15 / 100 * 80"),
        ("2^10 please", "2**10"),
        ("the square root of 2", "2 ** 0.5"),
        ("3 x 4", "3 * 4"),
        ("calculate something", "23 * 19 + 4"),
        ("I have 3 apples", ""),
        ("room 404", ""),
    ],
)
def test_reads_a_sum(question, expected):
    assert expression(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What time is it in New York and Zürich?", ["America/New_York", "Europe/Zurich"]),
        ("what time is it?", ["UTC"]),
        ("What time is it in Narnia?", ["Narnia"]),
        ("Weather in Lisbon, Oslo and Porto Alegre", ["Lisbon", "Oslo", "Porto Alegre"]),
        ("how warm is it in São Paulo", ["São Paulo"]),
        ("the weather", ["Zurich"]),
        ("weather in Lisbon and the time in Tokyo", ["Lisbon", "Asia/Tokyo"]),
    ],
)
def test_reads_places(question, expected):
    assert [value for _, arguments in wanted(question) for value in arguments.values()] == expected


# -- what came with the question


async def test_remembers_what_was_asked():
    said = ("first *one*", Assistant((Text("yes"),)), "second one", Assistant((Text("no"),)))
    answer = text(await reply(asked(*said, "What did I ask before?")))
    assert answer.index(r"first \*one\*") < answer.index("second one")
    assert "2 questions" in answer


async def test_remembers_nothing_at_first():
    assert "first question" in text(await reply(asked("What did I ask before?")))


async def test_names_what_came_along():
    answer = text(await reply(asked("tour", system="You sell bicycles.", temperature=0.4, max_tokens=900)))
    assert "18 characters (it reads like a bike-shop assistant)" in answer
    assert "a temperature of 0.4 and a limit of 900 tokens" in answer


async def test_says_nothing_of_what_did_not_come():
    assert "came" not in text(await reply(asked("tour")))


async def test_a_persona_is_played():
    assert "chain" in text(await reply(asked("Which tyres?", system="You are a bike-shop assistant.")))


async def test_the_documentation_assistant_searches():
    events = await reply(asked("How do I install it?", system="Answer from the documentation."))
    assert calls(events) == [("search_docs", {"query": "How do I install it"})]


async def test_echoes_the_temperature():
    assert "**0.3**" in text(await reply(asked("What is the temperature?", temperature=0.3)))
    assert "No temperature" in text(await reply(asked("What is the temperature?")))


async def test_a_question_cannot_write_markdown_of_its_own():
    answer = text(await reply(asked("<b>![x](http://example.com/x.png)")))
    assert "![x]" not in answer
    assert "<b>" not in answer


async def test_nothing_was_asked():
    assert text(await reply(asked("")))
    assert text(await reply(Request(Model("demo", "tour"), ())))


# -- a vendor's manners


async def test_stops_at_the_limit_of_tokens():
    events = await reply(asked("tour", max_tokens=7))
    assert sum(isinstance(event, TextDelta) for event in events) == 7
    assert stop(events) == "length"
    assert usage(events).output == 7


async def test_thinking_counts_as_tokens():
    events = await reply(asked("think aloud", max_tokens=5))
    assert stop(events) == "length"
    assert usage(events).thinking == 5
    assert not text(events)


async def test_the_limit_may_cut_a_call():
    events = await reply(asked("calculate 2 + 2", effort="none", max_tokens=8))
    assert stop(events) == "length"


async def test_the_body_holds_what_was_set_and_no_more():
    [sent, *_] = await reply(asked("hi", tools=(), temperature=0.0, system="S"))
    assert sent == RequestSent(
        "demo:",
        {
            "model": "tour",
            "messages": [{"role": "user", "content": "hi"}],
            "system": "S",
            "temperature": 0.0,
            "stream": True,
        },
    )


async def test_the_body_is_json():
    first = await reply(asked("calculate 1 + 1"))
    [sent, *_] = await reply(asked(*after("calculate 1 + 1", first, "2")))
    assert isinstance(sent, RequestSent)
    assert [m["role"] for m in json.loads(json.dumps(sent.body))["messages"]] == ["user", "assistant", "tool"]


async def test_without_streaming_the_text_comes_in_one_piece():
    whole = await reply(asked("think aloud", stream=False))
    streamed = await reply(asked("think aloud"))
    assert [e for e in whole if isinstance(e, TextDelta)] == [TextDelta(text(streamed))]
    assert [e for e in whole if isinstance(e, ThinkingDelta)] == [ThinkingDelta(thinking(streamed))]
    assert stop(whole) == "end"


async def test_the_strict_model_refuses_a_temperature():
    _, fault = await broken(asked("hello", model="strict", tools=(), temperature=0.5))
    assert isinstance(fault, errors.Refused)
    assert fault.parameter == "temperature"
    healed = asked("hello", model="strict", tools=(), temperature=0.5, omit=frozenset({"temperature"}))
    events = await reply(healed)
    assert text(events)
    assert isinstance(events[0], RequestSent)
    assert "temperature" not in events[0].body


async def test_a_model_that_it_does_not_have():
    _, fault = await broken(asked("hello", model="gpt"))
    assert fault.kind == "not_found"
    assert "tour, fast" in fault.message


async def test_offers_its_models_the_tour_first():
    models = await demo().models()
    assert [m.name for m in models] == ["demo:tour", "demo:fast", "demo:thinker", "demo:strict"]
    assert {m.temperature for m in models} == {True, False}


async def test_the_same_talk_gives_the_same_events():
    assert await reply(asked("what is love?")) == await reply(asked("what is love?"))


async def test_other_questions_get_other_answers():
    answers = {text(await reply(asked(f"riddle {n}"))) for n in range(8)}
    assert len({answer.split("\n")[0].replace("“", "") for answer in answers}) > 3


@given(st.text())
def test_pieces_are_the_text(any_text):
    assert "".join(pieces(any_text)) == any_text


# -- the pace


class Clock:
    """Sleeps by noting how long. `at` tells when each event came."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def timed(request: Request, pace: float = 1.0) -> list[tuple[float, ReplyEvent]]:
    clock = Clock()
    return [(clock.now, event) async for event in demo(pace=pace, sleep=clock.sleep).stream(request)]


async def test_the_first_word_comes_within_a_third_of_a_second():
    first = next(at for at, event in await timed(asked("tour")) if isinstance(event, TextDelta))
    assert 0.05 < first < 0.4


async def test_about_eighty_tokens_a_second():
    times = [at for at, event in await timed(asked("tour")) if isinstance(event, TextDelta)]
    assert 70 < len(times) / (times[-1] - times[0]) < 90
    assert len({round(b - a, 6) for a, b in pairwise(times)}) > 50, "the gaps vary"


async def test_the_pace_stretches_everything():
    normal, slow = await timed(asked("tour")), await timed(asked("tour"), pace=3)
    assert slow[-1][0] == pytest.approx(3 * normal[-1][0])


async def test_the_fast_model_never_waits():
    assert (await timed(asked("tour", model="fast")))[-1][0] == 0


@pytest.mark.parametrize("pace", [0, 1])
async def test_ticks_come_evenly_whatever_the_pace(pace: float):
    said = [(at, e.text) for at, e in await timed(asked("20 timed ticks"), pace) if isinstance(e, TextDelta)]
    assert [text for _, text in said] == [f"tick {n}\n" for n in range(1, 21)]
    assert [b - a for (a, _), (b, _) in pairwise(said)] == pytest.approx([scripts.TICK] * 19)


async def test_ticks_have_an_end():
    most = [event for _, event in await timed(asked("999 timed ticks"))]
    assert text(most).count("tick") == scripts.MOST_TICKS
    few = [event for _, event in await timed(asked("20 timed ticks", max_tokens=3))]
    assert (text(few), stop(few)) == ("tick 1\ntick 2\ntick 3\n", "length")


async def test_a_long_answer_lets_others_run():
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(tick())
    await reply(asked("long answer"))
    task.cancel()
    assert ticks > 1000
