"""Whatever somebody sends, the work that it makes grows with its length and no faster.

Each text function that runs beside the streams of others is given the same hostile text in two lengths.
What is compared is CPU time of this thread, the least of a few tries, so that a busy machine changes
nothing; eight times the text may take three times as long as it should, where a quadratic function takes
eight times.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest

from chat.conversations import Conversation, Exchange
from chat.events import TextDelta, TurnFinished, TurnStarted
from chat.export import as_json, markdown
from chat.transcript import Transcript

SHORT, TIMES = 6_000, 8
SLACK = 3.0
FLOOR_S = 0.004
"""Below this a figure says more of the machine than of the function."""


def repeated(piece: str) -> Callable[[int], str]:
    return lambda length: (piece * (length // len(piece) + 1))[:length]


def runs(sign: str) -> Callable[[int], str]:
    """Runs of `sign`, each one longer than the one before."""

    def made(length: int) -> str:
        parts, left, n = list[str](), length, 1
        while left > 0:
            parts.append(sign * n + "a")
            left, n = left - n - 1, n + 1
        return "".join(parts)[:length]

    return made


HOSTILE: dict[str, Callable[[int], str]] = {
    "open fences": repeated("~~~a\n"),
    "open backtick fences": repeated("```a\n"),
    "closed fences": repeated("~~~\n"),
    "one line of fences": repeated("``` "),
    "backticks": repeated("`"),
    "ticks and words": repeated("`a "),
    "growing runs of ticks": runs("`"),
    "growing runs of tildes": runs("~"),
    "dollars": repeated("$"),
    "formulas": repeated("$$ a "),
    "prices": repeated("$1 "),
    "brackets": repeated("\\[ "),
    "opening brackets": repeated("["),
    "links": repeated("[a]("),
    "images": repeated("!["),
    "marks": repeated("!"),
    "angles": repeated("<"),
    "addresses": repeated("<a:"),
    "tags": repeated("<details>"),
    "half a tag": repeated("</"),
    "stars": repeated("*"),
    "underscores": repeated("_a"),
    "tables": repeated("|a|b|\n"),
    "rules": repeated("|-"),
    "quotes": repeated("> "),
    "lists": repeated("- "),
    "numbers": repeated("1. "),
    "digits": repeated("1"),
    "backslashes": repeated("\\"),
    "line breaks": repeated("\n"),
    "returns": repeated("\r\n"),
    "blanks": repeated(" "),
    "tabs": repeated("\t"),
    "zero width": repeated("\u200b"),
    "combining marks": lambda length: "a" + "\u0301" * (length - 1),
    "halves": repeated("\ud83d"),
    "the other halves": repeated("\ude00"),
    "deep lists": repeated("["),
    "deep objects": repeated('{"a":'),
    "broken objects": repeated('{"a" '),
    "quotation marks": repeated('"'),
    "lists in lists": repeated("[[],"),
    "data lines": repeated("data: a\n"),
    "colours": repeated("\x1b[31m"),
    "half a sequence": repeated("\x1b["),
    "titles of windows": repeated("\x1b]0;"),
    "one word": repeated("a"),
    "words": repeated("word "),
    "keys": repeated("sk-"),
    "masked keys": repeated("sk-aaaa*"),
    "entities": repeated("&#32;"),
    "ideographs": repeated("語"),
    "faces": repeated("👩‍👩‍👧"),
    "thinking": repeated("<think>"),
    "thought": repeated("</think>"),
    "nuls": repeated("\0"),
}


def exchange(question: str, *answers: str) -> Exchange:
    transcript = Transcript()
    events = [TurnStarted("demo:tour", {}), *map(TextDelta, answers), TurnFinished("end")]
    for seq, event in enumerate(events, 1):
        transcript.add(seq, seq / 10, event)
    return Exchange(question, "run1", transcript)


def chat(question: str, answer: str) -> Conversation:
    return Conversation("me", "chat1", "A title", exchanges=[exchange(question, answer)])


FUNCTIONS: dict[str, Callable[[str], Any]] = {
    "export as Markdown": lambda text: markdown(chat(text, text)),
    "export as JSON": lambda text: as_json(chat(text, text)),
}


def cost(function: Callable[[str], Any], text: str) -> float:
    """Seconds of this thread's CPU."""
    began = time.thread_time()
    function(text)
    return time.thread_time() - began


def is_linear(function: Callable[[str], Any], make: Callable[[int], str]) -> bool:
    short, long = make(SHORT), make(SHORT * TIMES)
    # The least of a few tries; mostly one is enough.
    tries = ((cost(function, short), cost(function, long)) for _ in range(5))
    least_short = least_long = float("inf")
    for took_short, took_long in tries:
        least_short, least_long = min(least_short, took_short), min(least_long, took_long)
        if least_long <= SLACK * max(TIMES * least_short, FLOOR_S):
            return True
    return False


@pytest.mark.parametrize("function", FUNCTIONS)
def test_work_grows_with_the_length(function: str) -> None:
    assert not [name for name, make in HOSTILE.items() if not is_linear(FUNCTIONS[function], make)]
