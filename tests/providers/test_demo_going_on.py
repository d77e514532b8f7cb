"""Given an answer of the demo that was cut off here, this is the rest of it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.build import open_app
from chat.conversations import Conversation
from chat.events import ToolCallDelta, ToolCallStarted
from chat.messages import (
    CONTINUE,
    Assistant,
    Message,
    Options,
    Request,
    Text,
    ToolCall,
    ToolResult,
    ToolResults,
)
from chat.settings import Settings
from tests.providers.test_demo import Clock, asked, broken, calls, demo, reply, stop, text, thinking

WHOLE = ("tour", "help", "show me Markdown", "write a long answer", "some JSON, please", "xyzzy", "hello")


def cut(question: str, said: str, *more: str, **options: object) -> Request:
    """Asked to go on with `said`, and with what was said since."""
    talk: list[str | Message] = [question, Assistant((Text(said),))]
    for text_ in more:
        talk += [CONTINUE, Assistant((Text(text_),))]
    return asked(*talk, CONTINUE, **options)  # pyright: ignore[reportArgumentType]


async def rest(question: str, said: str, *more: str, **options: object) -> str:
    return text(await reply(cut(question, said, *more, **options)))


@pytest.mark.parametrize("question", WHOLE)
@pytest.mark.parametrize("part", [0.01, 0.3, 0.97])
async def test_it_goes_on_from_where_it_stopped(question: str, part: float) -> None:
    whole = text(await reply(asked(question)))
    said = whole[: max(1, int(len(whole) * part))]
    assert said + await rest(question, said) == whole


@given(st.data())
async def test_in_several_pieces(data: st.DataObject) -> None:
    question = data.draw(st.sampled_from(WHOLE))
    whole = text(await reply(asked(question)))
    ends = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), min_size=2, max_size=4)))
    pieces = [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert "".join(pieces) + await rest(question, *pieces) == whole


@pytest.mark.parametrize("said", ["ti", "tick 1\n", "tick 1\ntick 2\nti"])
async def test_ticks_go_on(said: str) -> None:
    request = cut("3 timed ticks", said)
    assert said + text(await reply(request, demo(sleep=Clock().sleep))) == "tick 1\ntick 2\ntick 3\n"


async def test_what_was_said_before_is_not_mixed_up_with_it() -> None:
    before = ("hello", Assistant((Text("Hello!"),)))
    whole = text(await reply(asked(*before, "xyzzy")))
    talk = (*before, "xyzzy", Assistant((Text(whole[:50]),)))
    assert whole[:50] + text(await reply(asked(*talk, CONTINUE))) == whole


async def test_it_thinks_no_second_time() -> None:
    whole = await reply(asked("think aloud"))
    events = await reply(cut("think aloud", text(whole)[:20]))
    assert text(whole)[:20] + text(events) == text(whole)
    assert thinking(whole)
    assert not thinking(events)


async def test_the_answer_that_shows_the_limit_comes_to_an_end() -> None:
    first = await reply(asked("length limit"))
    assert stop(first) == "length"
    events = await reply(cut("length limit", text(first)))
    assert stop(events) == "end"
    assert "You asked me to go on" in text(events)
    assert "talk on until there is none. You asked" in text(first) + text(events)


@pytest.mark.parametrize("limit", [7, 20, 50, 90])
async def test_with_a_limit_that_was_set_it_takes_several(limit: int) -> None:
    said = [text(await reply(asked("length limit", max_tokens=limit)))]
    ended = ""
    while ended != "end" and len(said) < 30:
        events = await reply(cut("length limit", *said, max_tokens=limit))
        said.append(text(events))
        ended = stop(events)
    whole = "".join(said)
    assert ended == "end"
    assert whole.startswith(
        "A model stops in the middle of a sentence when it reaches the limit of tokens set"
    )
    assert whole.endswith("nothing was said twice.")
    assert whole.count("You asked me to go on") == 1


@pytest.mark.parametrize("question", ["fail in mid-stream", "cut off", "malformed"])
async def test_what_broke_off_is_brought_to_an_end(question: str) -> None:
    first, _ = await broken(asked(question))
    events = await reply(cut(question, text(first)))
    assert stop(events) == "end"
    assert text(events).startswith((" ", "."))
    assert "ou asked me to go on" in text(events)
    half = text(first)[:20]
    assert half + await rest(question, half) == text(first) + text(events)


async def test_what_fell_silent_is_brought_to_an_end() -> None:
    assert (await rest("stall", "I now fall")).startswith(" silent. Runnel waits")


async def test_a_first_try_that_is_turned_away_is_over() -> None:
    provider = demo()
    await broken(asked("rate limit"), provider)
    whole = text(await reply(asked("rate limit"), provider))
    assert text(await reply(cut("rate limit", whole[:9]), provider)) == whole[9:]


async def test_what_was_complete_is_said_to_be() -> None:
    whole = text(await reply(asked("tour")))
    assert "complete" in await rest("tour", whole)


@pytest.mark.parametrize(
    ("question", "said"),
    [("tour", "Another model wrote this"), ("tour", ""), ("2 + 2", "Four"), ("cut off", "Nothing of that")],
)
async def test_what_it_did_not_say_it_cannot_go_on_with(question: str, said: str) -> None:
    events = await reply(cut(question, said))
    assert "cannot know" in text(events)
    assert stop(events) == "end"
    assert not calls(events)


async def test_without_anything_to_go_on_from() -> None:
    assert "cannot know" in text(await reply(asked(CONTINUE)))
    assert "cannot know" in text(await reply(asked(CONTINUE, Assistant((Text("So"),)), CONTINUE)))


# -- answers that need a tool ----------------------------------------------------------------------

SUM = "What is 2 + 3?"


async def with_tools(question: str, said: str, *results: str) -> tuple[str, list[str]]:
    """What is said when it goes on, as the engine puts it together, and the tools that it asks for."""
    request = cut(question, said)
    written, named = "", list[str]()
    for result in (*results, None):
        events = await reply(request)
        more = text(events)
        written += f"\n\n{more}" if written and more else more
        started = [event for event in events if isinstance(event, ToolCallStarted)]
        named += [call.name for call in started]
        if not started or result is None:
            return written, named
        arguments = {
            call.id: "".join(e.text for e in events if isinstance(e, ToolCallDelta) and e.id == call.id)
            for call in started
        }
        parts = [Text(more)] if more else []
        round_ = (
            Assistant((*parts, *(ToolCall(call.id, call.name, arguments[call.id]) for call in started))),
            ToolResults(tuple(ToolResult(call.id, call.name, result) for call in started)),
        )
        request = asked(*request.messages, *round_)
    return written, named


async def whole(question: str, *results: str) -> str:
    """The same without a break."""
    request = asked(question)
    written = ""
    for result in (*results, None):
        events = await reply(request)
        written += f"\n\n{text(events)}" if written else text(events)
        started = [event for event in events if isinstance(event, ToolCallStarted)]
        made = [
            ToolCall(call.id, call.name, json.dumps(arguments))
            for call, (_, arguments) in zip(started, calls(events), strict=True)
        ]
        if result is None or not made:
            return written
        results_ = ToolResults(tuple(ToolResult(call.id, call.name, result) for call in made))
        request = asked(*request.messages, Assistant((Text(text(events)), *made)), results_)
    return written


@pytest.mark.parametrize("at", range(1, 38))
async def test_it_asks_its_tool_again_and_goes_on(at: int) -> None:
    full = await whole(SUM, "5")
    assert full == "I ask `calculate`.\n\n`2 + 3` makes **5**."
    written, named = await with_tools(SUM, full[:at], "5")
    # What was cut within the blank line between the two goes on with the next word.
    assert (full[:at] + written).replace("\n\n", "\n") == full.replace("\n\n", "\n")
    assert named == ["calculate"]


@pytest.mark.parametrize("at", [10, 60, 110, -5])
async def test_one_tool_after_another(at: int) -> None:
    full = await whole("step by step", "86400", "31536000")
    written, named = await with_tools("step by step", full[:at], "86400", "31536000")
    assert full[:at] + written == full
    assert named == ["calculate", "calculate"]


async def test_a_tool_that_says_something_else_now_is_no_continuation() -> None:
    full = await whole(SUM, "5")
    written, _ = await with_tools(SUM, full[:-3], "7")
    assert "cannot know" in written


async def test_what_was_asked_before_leaves_out_the_words_of_continue() -> None:
    said = Assistant((Text("So"),))
    told = text(await reply(asked("tour", said, CONTINUE, said, "what did I ask before?")))
    assert "one question before" in told
    assert "tour" in told


# -- as a person does it ---------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["length limit", "cut off", "write a long answer", "What is 2 + 3?"])
async def test_continue_can_be_tried_without_a_key(question: str) -> None:
    options = Options(model="demo:fast", tools=("calculate",), effort="none")
    limit = {"write a long answer": 30, "What is 2 + 3?": 4}.get(question)
    async with open_app(Settings.read({"CHAT_LOCAL": "0", "CHAT_DATABASE": ":memory:"})) as app:
        chat = Conversation("me")
        for continues in (False, True, True, True):
            cut_off = replace(options, max_tokens=None if continues else limit)
            await (await app.runs.ask(chat, question, cut_off, continues=continues)).finished()
        first, second, third, fourth = (exchange.transcript for exchange in chat.exchanges)
    assert "failed" in first.state or first.stop == "length"
    assert (second.state, second.stop) == ("complete", "end")
    assert second.text.strip()
    assert "cannot know" not in second.text
    assert "that answer was complete" in third.text
    assert "cannot know" in fourth.text  # after such words there is nothing to go on with
