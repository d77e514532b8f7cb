"""Whatever somebody sends, the work that it makes grows with its length and no faster.

Each text function that runs beside the streams of others is given the same hostile text in two lengths.
What is compared is CPU time of this thread, the least of a few tries, so that a busy machine changes
nothing; eight times the text may take three times as long as it should, where a quadratic function takes
eight times.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from chat.api.dialects import CHUNKS, CONTENTS, EVENTS, LINES, MARKED_LINES, TEXT, WHOLE
from chat.cli.plain import Plain, one_line, plain
from chat.context import Window, fitted
from chat.conversations import Conversation, Exchange
from chat.entries import Entries
from chat.errors import Failure, redact
from chat.events import (
    Citation,
    Notice,
    ReplyFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from chat.export import as_json, filename, markdown
from chat.extract import find_json
from chat.messages import Assistant, Request, Text, User
from chat.models import Model
from chat.providers.chat_reading import Chunks
from chat.providers.demo.player import pieces
from chat.providers.demo.questions import persona, wanted
from chat.providers.demo.words import musing
from chat.providers.faults import Call, said
from chat.providers.tool_slots import ToolSlots
from chat.providers.vendors import Vendor
from chat.reply import Reply
from chat.sse import Decoder
from chat.store.recording import encode as encode_entries
from chat.store.recording import parts, summary
from chat.store.search import around, words
from chat.titles import clean, made
from chat.transcript import Transcript
from chat.ui import activity, bubbles, fates
from chat.unicode import whole

VENDOR = Vendor("acme", "Acme", ("openai_chat",), "http://acme/v1")
ERRING = Call(VENDOR, "sk-0123456789abcdef", frozenset())
DIALECTS = (CONTENTS, CHUNKS, LINES, MARKED_LINES, TEXT, WHOLE, EVENTS)

SHORT, TIMES = 4_000, 8
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


def grown(
    piece: int, frame: Callable[[Any, str, bool], Any], make: Callable[[], Any]
) -> Callable[[str], Any]:
    """`frame` with a new object of `make`, for a text that comes in pieces of so many characters."""

    def run(text: str) -> None:
        it = make()
        for at in range(0, len(text), piece):
            frame(it, text[at : at + piece], at + piece >= len(text))

    return run


def read_sse(text: str) -> None:
    decoder = Decoder()
    body = text.encode("utf-8", "replace")
    for at in range(0, len(body), 16):
        if decoder.fault is None:
            decoder.feed(body[at : at + 16])


def fold(text: str) -> None:
    """A run's events, one for every three characters, of all kinds."""
    transcript, entries = Transcript(), Entries()
    kinds = (TextDelta, ThinkingDelta, lambda piece: ToolCallDelta("c", piece))
    transcript.add(1, 0, ToolCallStarted("c", text[:200]))
    for seq in range(len(text) // 3):
        event = kinds[seq // 100 % 3](text[3 * seq : 3 * seq + 3])
        transcript.add(entries.append(seq, event), seq, event)
    encode_entries(entries[:])


def calls_of(text: str) -> None:
    """Tool calls in deltas that lack what they can lack."""
    slots, reply = ToolSlots(), Reply(False)
    for at in range(0, len(text), 8):
        deltas = {"function": {"name": text[at : at + 2], "arguments": text[at + 2 : at + 8]}}
        for known in ({"id": f"{at}"}, {"index": 0}, {"id": "same"}, {}):
            for event in slots.add(deltas | known):
                reply.take(event)
    for event in slots.end():
        reply.take(event)
    reply.finish(ReplyFinished("tool_use"))
    assert len(reply.calls) + len(reply.refusals("")) == len(reply.asked)


def read_chat(make: Callable[[str], dict[str, Any]], size: int = 8) -> Callable[[str], Any]:
    def run(text: str) -> None:
        chunks = Chunks(Call(VENDOR, "sk-0123456789abcdef", frozenset()))
        for at in range(0, len(text), size):
            chunks.read({"choices": [{"delta": make(text[at : at + size])}]})
        chunks.end()

    return run


def draw(text: str) -> None:
    bubbles.conversation(chat(text, text))


def request_of(text: str) -> Request:
    history = (User(text), Assistant((Text(text),)))
    return Request(Model("acme:one", "one"), (*history, User(text)), history=2)


def view(text: str) -> None:
    transcript = Transcript()
    arguments = json.dumps({"a": text})
    events = [
        TurnStarted(text, {"system": text}),
        ThinkingDelta(text),
        ToolCallStarted("c", text),
        ToolCallDelta("c", arguments),
        ToolStarted("c", text, {"a": text}),
        ToolFinished("c", text, {text: text}, None, 0.1),
        ToolFinished("c", text, None, text, 0.1),
        Citation(text, text),
        Notice("x", text),
        TextDelta(text),
        TurnFailed(Failure("server", text)),
    ]
    for seq, event in enumerate(events, 1):
        transcript.add(seq, seq, event)
        activity.view(transcript, 1.0)
    fates.fate([Exchange(text, "run1", transcript)])
    summary(transcript)
    parts(transcript)


KEYS = ("sk-0123456789abcdef0123456789abcdef", "aaaaaaaaaaaaaaaaaaaaaaaa")
FUNCTIONS: dict[str, Callable[[str], Any]] = {
    "export as Markdown": lambda text: markdown(chat(text, text)),
    "export as JSON": lambda text: as_json(chat(text, text)),
    "file name": lambda text: filename(text, "md"),
    "bubbles": draw,
    "activity and fate": view,
    "title": made,
    "name of a chat": clean,
    "JSON in an answer": find_json,
    "redacted": lambda text: redact(text, KEYS),
    "whole": whole,
    "transcript": fold,
    "tool calls": calls_of,
    "server-sent events": read_sse,
    "text of a chunk": read_chat(lambda text: {"content": text}),
    "thinking of a chunk": read_chat(lambda text: {"reasoning_details": [{"type": "t", "text": text}]}),
    "encrypted thinking": read_chat(lambda text: {"reasoning_details": [{"type": "t", "data": text}]}),
    "names of calls": read_chat(lambda text: {"tool_calls": [{"index": 0, "function": {"name": text}}]}),
    "sources": read_chat(lambda text: {"annotations": [{"url": text, "title": text}]}),
    "context": lambda text: fitted(request_of(text), Window(1000)),
    "words of a search": words,
    "around a hit": lambda text: around(text, ["a", "word", "zz"]),
    "terminal": plain,
    "terminal, by threes": grown(3, lambda it, piece, last: it.feed(piece), Plain),
    "terminal, one line": one_line,
    "frames": lambda text: [list(each.of(2, TextDelta(text), Transcript())) for each in DIALECTS],
    "frames of the end": lambda text: [
        list(each.of(9, TurnFinished("end"), exchange("?", text).transcript)) for each in DIALECTS
    ],
    "demo's question": lambda text: [wanted(text), wanted("", text), persona(text), musing(text)],
    "demo's pieces": pieces,
    "error of a vendor": lambda text: said({"error": {"message": text, "code": text}}, ERRING),
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
    few = ("open fences", "growing runs of ticks", "opening brackets", "blanks", "digits")
    assert not [name for name in few if not is_linear(FUNCTIONS[function], HOSTILE[name])]


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_work_grows_with_the_length_of_anything(function: str) -> None:
    assert not [name for name, make in HOSTILE.items() if not is_linear(FUNCTIONS[function], make)]
