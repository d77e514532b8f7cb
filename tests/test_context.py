"""Given a conversation and what is known of a model's context, this is what is left of it."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.context import ROOM, Window, fitted, size
from chat.errors import TooLong
from chat.messages import (
    CONTINUE,
    Assistant,
    Message,
    Raw,
    Request,
    Text,
    ToolCall,
    ToolResult,
    ToolResults,
    ToolSpec,
    User,
)
from chat.models import Model

MODEL = Model("acme", "one")
WORDS = "Some words, as people write them. "


def request(turns: int = 10, words: int = 20, question: str = "And now?", **fields: object) -> Request:
    """`turns` of history with `words` of text in each message, then `question`."""
    history: list[Message] = []
    for number in range(1, turns + 1):
        history += [
            User(f"Question {number}. {WORDS * words}"),
            Assistant((Text(f"Answer {number}. {WORDS * words}"),)),
        ]
    whole = Request(MODEL, (*history, User(question)), history=len(history))
    return replace(whole, **fields)


def first(request: Request) -> str:
    message = request.messages[0]
    return message.text.partition(".")[0] if isinstance(message, User | Assistant) else ""


# -- how long it is --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 10),
        (WORDS * 100, 700, 1100),  # seven words and two marks each
        ("def double(n):\n    return n * 2\n" * 50, 400, 750),
        ("今天天气很好。" * 100, 600, 900),
        ("오늘은 날씨가 좋네요. " * 100, 900, 1300),
        ("Сегодня хорошая погода. " * 100, 700, 1600),
        ("🦊" * 100, 100, 300),
        ("\ud800" * 30, 1, 40),
    ],
)
def test_what_a_text_counts(text: str, least: int, most: int) -> None:
    assert least <= size(Request(MODEL, (User(text),))) <= most


@given(st.text(), st.text())
def test_more_counts_more(one: str, other: str) -> None:
    apart = size(Request(MODEL, (User(one),))) + size(Request(MODEL, (User(other),)))
    assert size(Request(MODEL, (User(one), User(other)))) == apart
    assert size(Request(MODEL, (User(one + other),))) <= apart


def test_all_that_is_sent_counts() -> None:
    plain = request()
    tool = ToolSpec("clock", "Tells the time.", {"type": "object"})
    call = Assistant((ToolCall("c", "clock", '{"zone": "Europe/Rome"}'), Raw({"sealed": "x" * 100})))
    for more in (
        replace(plain, system=WORDS),
        replace(plain, tools=(tool,)),
        replace(plain, messages=(*plain.messages, call)),
        replace(plain, messages=(*plain.messages, ToolResults((ToolResult("c", "clock", WORDS),)))),
    ):
        assert size(more) > size(plain) + 7


# -- what is left out ------------------------------------------------------------------------------


def test_nothing_is_left_out_of_what_fits_or_of_what_nothing_is_known() -> None:
    asked = request()
    assert fitted(asked, Window()) is asked
    assert fitted(asked, Window(1_000_000)) is asked


def test_the_oldest_turns_are_left_out_whole() -> None:
    asked = request()
    fits = fitted(asked, Window(2000))
    assert size(fits) <= 1500
    assert fits.messages == asked.messages[-len(fits.messages) :]
    assert 0 < fits.history == len(fits.messages) - 1 < asked.history
    assert first(fits).startswith("Question")


def test_the_system_prompt_the_tools_and_the_question_stay() -> None:
    tool = ToolSpec("clock", "Tells the time.", {})
    asked = request(system=WORDS * 100, tools=(tool,), question="And now? " * 500)
    fits = fitted(asked, Window(500))
    assert (fits.messages, fits.history) == (asked.messages[-1:], 0)
    assert (fits.system, fits.tools) == (asked.system, asked.tools)


def test_the_round_that_goes_on_stays_and_counts() -> None:
    asked = request()
    rounds = (
        Assistant((ToolCall("c", "read", "{}"),)),
        ToolResults((ToolResult("c", "read", WORDS * 120),)),
    )
    window = Window(size(asked) * 4 // 3 + 10)
    assert fitted(asked, window) is asked
    fits = fitted(replace(asked, messages=(*asked.messages, *rounds)), window)
    assert fits.messages[fits.history :] == (asked.messages[-1], *rounds)
    assert fits.history < asked.history


def test_room_is_kept_for_the_answer() -> None:
    asked = request()
    total = size(asked)
    assert fitted(asked, Window(total + 3000)) is asked
    assert fitted(replace(asked, max_tokens=3001), Window(total + 3000)).history < asked.history
    large = Window(100_000 + ROOM)
    long = request(10, 580)
    assert 100_000 < size(long) < 100_000 + ROOM
    assert fitted(long, large).history < long.history


def test_where_the_answer_alone_is_too_large_leaving_out_is_no_help() -> None:
    asked = request(max_tokens=9000)
    assert fitted(asked, Window(8192)) is asked


def test_a_question_to_continue_keeps_the_answer_that_it_continues() -> None:
    asked = request(question=CONTINUE)
    fits = fitted(asked, Window(100))
    assert fits.messages == asked.messages[-3:]


def test_an_answer_in_several_pieces_is_left_out_or_kept_whole() -> None:
    pieces = (User(CONTINUE), Assistant((Text(WORDS * 20),)))
    asked = request(2)
    messages = (*asked.messages[:2], *pieces, *pieces, *asked.messages[2:])
    asked = replace(asked, messages=messages, history=len(messages) - 1)
    assert first(fitted(asked, Window(size(asked) * 4 // 3 - 20))) == "Question 2"
    again = replace(asked, messages=(*messages[:6], User(CONTINUE)), history=6)
    assert fitted(again, Window(100)) == again


def test_the_beginning_moves_seldom() -> None:
    """So that a vendor's cache of it holds for several questions."""
    begins = [first(fitted(request(turns), Window(20_000))) for turns in range(40, 80)]
    moved = sum(one != other for one, other in pairwise(begins))
    assert 2 <= moved <= 10


def test_fewer_than_before() -> None:
    asked = request()
    before = asked.history
    while before:
        fits = fitted(asked, Window(1_000_000), fewer_than=before)
        assert fits.history < before
        before = fits.history


@given(
    st.integers(0, 8),
    st.integers(0, 60),
    st.integers(100, 20_000),
    st.floats(0.3, 3),
    st.integers(1, 5000) | st.none(),
)
def test_what_is_left_fits_or_is_the_least(
    turns: int, words: int, limit: int, ratio: float, max_tokens: int | None
) -> None:
    asked = request(turns, words, max_tokens=max_tokens)
    fits = fitted(asked, Window(limit, ratio))
    room = max_tokens or min(ROOM, limit // 4)
    assert fits.messages == asked.messages[len(asked.messages) - len(fits.messages) :]
    assert fits.messages[fits.history :] == asked.messages[asked.history :]
    assert fits.history % 2 == 0
    assert size(fits) * ratio <= limit - room + 1 or not fits.history or room >= limit
    assert fitted(fits, Window(limit, ratio)).history <= fits.history


# -- what is learned -------------------------------------------------------------------------------


def of(tokens: int, max_tokens: int | None = None) -> Request:
    """A request of that size."""
    around = size(Request(MODEL, (User(""),)))
    made = Request(MODEL, (User("x" * 4 * (tokens - around)),), max_tokens=max_tokens)
    assert size(made) == tokens
    return made


def test_a_vendors_count_is_learned_from() -> None:
    assert Window(8000).counted(of(1000), 1300) == Window(8000, 1.3)
    assert Window(8000).counted(of(50), 65) == Window(8000)


@pytest.mark.parametrize("tokens", [7, 99_000])
def test_a_count_that_cannot_be_of_this_is_not_believed(tokens: int) -> None:
    assert Window(8000, 1.2).counted(of(1000), tokens) == Window(8000, 1.2)


@pytest.mark.parametrize(
    ("known", "limit", "sent", "learned"),
    [
        (Window(), 8192, 9000, Window(8192, 0.9)),
        (Window(128_000), 8192, 9000, Window(8192, 0.9)),
        (Window(), 8192, None, Window(8192)),
        (Window(), 15_000, None, Window(15_000, 2)),
        (Window(), None, 12_000, Window(9000, 1.2)),
        (Window(), None, None, Window(7500)),
        (Window(ratio=2), None, None, Window(15_000, 2)),
        (Window(7000), None, None, Window(7000)),
        (Window(), 8192, 900_000, Window(8192, 2.5)),
    ],
)
def test_a_refusal_is_learned_from(
    known: Window, limit: int | None, sent: int | None, learned: Window
) -> None:
    assert known.refused(of(10_000), TooLong("No.", limit=limit, sent=sent)) == learned


def test_what_was_asked_for_the_answer_may_be_what_was_too_much() -> None:
    asked = of(1000, max_tokens=99_000)
    assert Window().refused(asked, TooLong("No.")) == Window(75_000)
    assert Window().refused(asked, TooLong("No.", limit=8192)) == Window(8192)
    assert fitted(asked, Window(75_000)) is asked
