"""Reading Chat Completions: the chunks of a stream, or a whole completion, become events.

The quirks are those of servers, not of models; each is named where it is met and stands as a raw wire
file in tests/wire. `openai_chat` holds the wire and calls this. Its two helpers serve it alone: `tool_slots`
sorts tool deltas, `think_tags` finds thinking in tags.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from chat.errors import CutOff, Fault, Overloaded, Server
from chat.events import (
    Citation,
    Opaque,
    ReplyEvent,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.providers import faults
from chat.providers.faults import Call
from chat.providers.think_tags import ThinkTags
from chat.providers.tool_slots import ToolSlots
from chat.providers.usage import of_chat
from chat.providers.vendors import Vendor

_STOPS: Final[Mapping[str, Stop]] = {
    "stop": "end",
    "eos": "end",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "filter",
    "refusal": "refusal",
}


def wants_thinking(vendor: Vendor) -> bool:
    """DeepSeek answers 400 when a message with tool calls comes back without its `reasoning_content`.

    Source: https://api-docs.deepseek.com/guides/thinking_mode#tool-calls
    """
    return (urlsplit(vendor.url).hostname or "").endswith("deepseek.com")


class _Pieces(list[str]):
    """Of a text that is not whole yet."""


class Chunks:
    """The state of one reply while its chunks are read. Keeps nothing that was already given away."""

    def __init__(self, call: Call) -> None:
        self.finish = ""
        """The finish reason, once it came. What comes later is usage, or nothing."""
        self.usage: Usage | None = None
        self.fault: Fault | None = None
        """The error that the last chunk reported, to be raised when its events have been given."""
        self._call = call
        self._tags = ThinkTags()
        self._slots = ToolSlots()
        self._refused = False
        self._cited: set[str] = set()
        self._executed: set[str] = set()
        self._details: dict[str, dict[str, Any]] = {}
        self._thinking: list[str] | None = [] if wants_thinking(call.vendor) else None

    def read(self, chunk: Mapping[str, Any]) -> list[ReplyEvent]:
        """The events of one chunk, or of a whole completion."""
        if "error" in chunk or "error" in (chunk.get("type"), chunk.get("object")):
            self.fault = faults.said(chunk, self._call)
        events: list[ReplyEvent] = []
        choices = chunk.get("choices")
        if isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict) and not choice.get(
                    "index"
                ):  # we ask for one; others are not ours
                    self._choice(choice, events)
        if "citations" in chunk or "search_results" in chunk:  # Perplexity, in every chunk anew
            self._cite(chunk.get("search_results"), events)
            self._cite(chunk.get("citations"), events)
        usage = chunk.get("usage")
        if not usage and isinstance(groq := chunk.get("x_groq"), dict):
            usage = groq.get("usage")
        if (counted := of_chat(usage)) is not None and counted != self.usage:
            self.usage = counted
            events.append(counted)
        return events

    def end(self) -> list[ReplyEvent]:
        """What was held back, when nothing more will come; without the `ReplyFinished`."""
        thinking, text = self._tags.end()
        events: list[ReplyEvent] = []
        if thinking:
            events.append(ThinkingDelta(thinking))
        if text:
            events.append(TextDelta(text))
        events += self._slots.end()
        details = [
            {name: "".join(each) if isinstance(each, _Pieces) else each for name, each in detail.items()}
            for detail in self._details.values()
        ]
        if any("signature" in d or "data" in d for d in details):
            events.append(self._opaque("reasoning_details", details))
        if self._thinking and self._slots:
            events.append(self._opaque("reasoning_content", "".join(self._thinking)))
        return events

    @property
    def stop(self) -> Stop:
        stop = _STOPS.get(self.finish.lower(), "end")
        if stop in ("end", "tool_use"):
            return "tool_use" if self._slots else "refusal" if self._refused else "end"
        return stop

    def _choice(self, choice: Mapping[str, Any], events: list[ReplyEvent]) -> None:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = choice.get("message")
        if isinstance(delta, dict):
            self._delta(delta, events)
        elif isinstance(text := choice.get("text"), str):
            self._say(text, events)
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish and not self.finish:
            self._finished(finish, choice)

    def _finished(self, finish: str, choice: Mapping[str, Any]) -> None:
        title = self._call.title
        match finish.lower():
            case "error":  # OpenRouter, Mistral
                fault = faults.said(choice, self._call)
                self.fault = self.fault or fault or Server(f"{title} broke off with an error. Ask again.")
            case "insufficient_system_resource":  # DeepSeek
                self.fault = Overloaded(f"{title} broke off because it is too busy. Ask again in a moment.")
            case "abort":  # vLLM, SGLang
                self.fault = CutOff(f"{title} gave up in the middle of the answer. Ask again.")
            case _:
                self.finish = finish

    def _delta(self, delta: Mapping[str, Any], events: list[ReplyEvent]) -> None:
        # One thought under two names is one thought; the details repeat it a third time.
        thinking = delta.get("reasoning_content") or delta.get("reasoning")
        if details := delta.get("reasoning_details"):
            told = self._detailed(details)
            thinking = thinking or told
        if thinking and isinstance(thinking, str):
            self._think(thinking, events)
        content = delta.get("content")
        if content:
            if isinstance(content, str):
                self._say(content, events)
            elif isinstance(content, list):  # Mistral
                for part in content:
                    self._part(part, events)
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            self._refused = True
            events.append(TextDelta(refusal))
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            for call in calls:
                events += self._slots.add(call)
        elif isinstance(call := delta.get("function_call"), dict):
            events += self._slots.add({"index": 0, "function": call})
        if annotations := delta.get("annotations"):
            self._cite(annotations, events)
        if executed := delta.get("executed_tools"):
            self._ran(executed, events)

    def _say(self, text: str, events: list[ReplyEvent]) -> None:
        if self._tags.passed:
            events.append(TextDelta(text))
            return
        thinking, text = self._tags.feed(text)
        if thinking:
            self._think(thinking, events)
        if text:
            events.append(TextDelta(text))

    def _think(self, text: str, events: list[ReplyEvent]) -> None:
        events.append(ThinkingDelta(text))
        if self._thinking is not None:
            self._thinking.append(text)

    def _part(self, part: Any, events: list[ReplyEvent]) -> None:
        """`{"type": "text", "text": …}`, `{"type": "thinking", "thinking": [{"text": …}]}`, or a text."""
        if isinstance(part, str):
            self._say(part, events)
        elif isinstance(part, dict):
            inner = part.get("thinking")
            for piece in inner if isinstance(inner, list) else [inner]:
                text = piece.get("text") if isinstance(piece, dict) else piece
                if text and isinstance(text, str):
                    self._think(text, events)
            if isinstance(text := part.get("text"), str) and text:
                self._say(text, events)

    def _detailed(self, details: Any) -> str:
        """The text of OpenRouter's `reasoning_details`. They are kept whole: where they are signed or
        encrypted, the next round must bring them back, the pieces of each put together.

        Source: https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
        """
        told = list[str]()
        for detail in details if isinstance(details, list) else []:
            if not isinstance(detail, dict):
                continue
            key = f"{detail.get('type')} {detail.get('index')}"
            if detail.get("data") is not None:  # encrypted: always a whole one
                key = str(len(self._details))
            kept = self._details.setdefault(key, {})
            for name, value in detail.items():
                if name in ("text", "summary") and isinstance(value, str):
                    told.append(value)
                    if not isinstance(pieces := kept.get(name), _Pieces):
                        pieces = kept[name] = _Pieces()
                    pieces.append(value)
                elif value is not None:
                    kept[name] = value
        return "".join(told)

    def _opaque(self, name: str, value: Any) -> Opaque:
        return Opaque({"type": name, "vendor": self._call.vendor.name, name: value})

    def _cite(self, sources: Any, events: list[ReplyEvent]) -> None:
        """Addresses, or objects with `url` and `title`, perhaps inside `url_citation`. Each address once."""
        for source in sources if isinstance(sources, list) else []:
            if isinstance(source, dict):
                source = source.get("url_citation") or source
            url, title = (
                (source.get("url"), source.get("title")) if isinstance(source, dict) else (source, "")
            )
            if isinstance(url, str) and url and url not in self._cited:
                self._cited.add(url)
                events.append(Citation(title if isinstance(title, str) and title else url, url))

    def _ran(self, executed: Any, events: list[ReplyEvent]) -> None:
        """Groq's own tools: told when they begin and again when they are done."""
        for tool in executed if isinstance(executed, list) else []:
            if not isinstance(tool, dict):
                continue
            id = f"executed_{tool.get('index', 0)}"
            if id not in self._executed:
                self._executed.add(id)
                events.append(ToolCallStarted(id, str(tool.get("type") or "tool"), "provider"))
                if isinstance(arguments := tool.get("arguments"), str) and arguments:
                    events.append(ToolCallDelta(id, arguments))
            if isinstance(found := tool.get("search_results"), dict):
                self._cite(found.get("results"), events)
