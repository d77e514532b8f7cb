"""Answers that vendors really gave, recorded by other projects, and a judge of what we make of them.

The corpus is no part of the repository: `WIRE_CORPUS` names its folder, and without it the tests that
use it are skipped. `index.jsonl` there says for each body what plain accumulation finds in it, in the
vendor's words; `expected` puts that into ours. One harness for the three protocols.
"""

import json
import os
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx2

from chat.errors import Fault
from chat.events import (
    Citation,
    ReplyFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.messages import Request, ToolSpec, User
from chat.models import Model
from chat.providers import Provider
from chat.providers.clients import Clients
from chat.providers.vendors import Speaks, Vendor

FOLDER = Path(os.environ["WIRE_CORPUS"]) if os.environ.get("WIRE_CORPUS") else None

Make = Callable[[Vendor, str, Clients], Provider]

STOPS: dict[str, str] = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "completed", "eos", "STOP"), "end"),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), "tool_use"),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "model_context_window_exceeded", "incomplete"), "length"
    ),
    "content_filter": "filter",
    "refusal": "refusal",
    "pause_turn": "pause",
}


@dataclass
class Outcome:
    """What a reply came to. `calls` are those for us to run: (id, name, arguments)."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    stop: str = ""
    usage: Usage | None = None
    failed: bool = False
    citations: int = 0


@cache
def index(api: str) -> dict[str, dict[str, Any]]:
    """The recorded bodies of one protocol by file name; none without a corpus."""
    return {entry["file"]: entry for entry in lines("index.jsonl") if entry["api"] == api}


@cache
def lines(name: str) -> list[dict[str, Any]]:
    """A JSON Lines file of the corpus."""
    if FOLDER is None:
        return []
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def wire(file: str) -> bytes:
    assert FOLDER is not None
    return (FOLDER / file).read_bytes()


class Cut(httpx2.AsyncByteStream):
    """`body` in pieces of random sizes, the same for the same seed; whole when there is none."""

    def __init__(self, body: bytes, seed: object = None) -> None:
        self._body = body
        self._seed = seed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._seed is None:
            yield self._body
            return
        sizes = random.Random(str(self._seed))
        at = 0
        while at < len(self._body):
            size = sizes.choice((1, 2, 7, 60, 400, 4000))
            yield self._body[at : at + size]
            at += size


def vendor_of(entry: dict[str, Any], protocol: Speaks) -> Vendor:
    return Vendor(entry["vendor"], entry["vendor"], (protocol,), "https://corpus.test/v1", "CORPUS_API_KEY")


async def replay(
    make: Make, vendor: Vendor, body: bytes, seed: object = None, content_type: str = "text/event-stream"
) -> Outcome:
    """What the real client and our protocol make of `body`."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": content_type}, stream=Cut(body, seed))

    clients = Clients(transport=httpx2.MockTransport(answer))
    tool = ToolSpec("any", "Any tool.", {"type": "object", "properties": {}})
    request = Request(Model(vendor.name, "any"), (User("?"),), max_tokens=100, tools=(tool,))
    try:
        return await fold(make(vendor, "sk-corpus", clients), request)
    finally:
        await clients.aclose()


async def fold(provider: Provider, request: Request) -> Outcome:
    outcome = Outcome()
    names: dict[str, str] = {}
    arguments: dict[str, str] = {}
    try:
        async with aclosing(provider.stream(request)) as events:
            async for event in events:
                match event:
                    case TextDelta(text):
                        outcome.text += text
                    case ThinkingDelta(text):
                        outcome.thinking += text
                    case ToolCallStarted(id, name, "here"):
                        assert id not in names
                        names[id] = name
                    case ToolCallDelta(id, text):
                        arguments[id] = arguments.get(id, "") + text
                    case Citation():
                        outcome.citations += 1
                    case Usage():
                        outcome.usage = event
                    case ReplyFinished(stop, usage):
                        outcome.stop = stop
                        assert usage == outcome.usage
                    case _:
                        pass
    except Fault as fault:
        outcome.stop = fault.kind
        outcome.failed = True
    outcome.calls = [(id, name, arguments.get(id, "")) for id, name in names.items()]
    return outcome


def expected(entry: dict[str, Any]) -> Outcome:
    """What the index says of a body, in our words. A failure's kind is not said: `stop` is then ""."""
    said, facts = entry["expected"], entry["facts"]
    stop: str
    calls = [(call["id"] or "", call["name"], call["arguments"] or "") for call in said["tool_calls"]]
    reason = said["finish_reason"]
    if said["error"]:
        stop = ""
    elif reason:
        stop = STOPS.get(reason, str(reason))
    else:
        stop = "cut_off" if facts.get("no_DONE") or entry["api"] != "chat.completions" else "end"
    if stop == "end":
        stop = "refusal" if said["refusal"] else "tool_use" if calls else "end"
    thinking, text = said["thinking"], said["text"]
    if tagged := facts.get("think_tags_in_content") and re.match(
        r"\s*<think>\n*(.*?)</think>[\r\n]*", text, re.S
    ):
        thinking, text = thinking + tagged[1], text[tagged.end() :]  # the index leaves the tags in
    return Outcome(
        text=text + said["refusal"],
        thinking=thinking,
        calls=calls,
        stop=stop,
        usage=usage(entry),
        failed=bool(said["error"]) or stop == "cut_off",
        citations=said.get("citations") or 0,
    )


def usage(entry: dict[str, Any]) -> Usage | None:
    """The vendor's figures as ours, without the cost. None where it gave none."""
    given = entry["expected"]["usage"]
    if not given:
        return None

    def get(*path: str) -> int | None:
        value: Any = given
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def first(*values: int | None) -> int | None:
        return next((value for value in values if value is not None), None)

    if entry["api"] == "chat.completions":
        output, thinking = get("completion_tokens"), get("completion_tokens_details", "reasoning_tokens")
        if entry["vendor"] == "xai":
            output = given["total_tokens"] - given["prompt_tokens"]
        cached = first(
            get("prompt_tokens_details", "cached_tokens"),
            get("prompt_cache_hit_tokens"),
            get("cached_tokens"),
        )
        return Usage(get("prompt_tokens"), output, cached, first(thinking, get("reasoning_tokens")))
    if entry["api"] == "responses":
        return Usage(
            get("input_tokens"),
            get("output_tokens"),
            get("input_tokens_details", "cached_tokens"),
            get("output_tokens_details", "reasoning_tokens"),
        )
    parts = [get("input_tokens"), get("cache_creation_input_tokens"), get("cache_read_input_tokens")]
    total = sum(part or 0 for part in parts) if any(part is not None for part in parts) else None
    return Usage(
        total,
        get("output_tokens"),
        get("cache_read_input_tokens"),
        get("output_tokens_details", "thinking_tokens"),
    )


def differences(got: Outcome, want: Outcome) -> dict[str, tuple[Any, Any]]:
    """By field: (what we found, what the index says), where they differ."""
    pairs: dict[str, tuple[Any, Any]] = {
        "text": (got.text, want.text),
        # Where one part of the thinking ends and the next begins is a blank line in the index only.
        "thinking": (got.thinking.replace("\n\n", ""), want.thinking.replace("\n\n", "")),
        "calls": (
            # An id that the vendor left out is made up by us.
            [
                (id if ids[0] else "", name, text)
                for (id, name, text), ids in zip(got.calls, want.calls, strict=False)
            ]
            if len(got.calls) == len(want.calls)
            else got.calls,
            want.calls,
        ),
        "stop": (got.stop, want.stop or got.stop),
        "usage": (_counts(got.usage), _counts(want.usage)),
        "failed": (got.failed, want.failed),
        "citations": (got.citations, want.citations),
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _counts(usage: Usage | None) -> tuple[int | None, ...] | None:
    return (usage.input, usage.output, usage.cached, usage.thinking) if usage else None
