"""Reading Chat Completions: the chunks of a stream, or a whole completion, become events.

The quirks are those of servers, not of models; each is named where it is met and stands as a raw wire
file in tests/wire. `openai_chat` holds the wire and calls this. `tool_slots` and
`think_tags` serve it alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from chat.errors import Fault
from chat.events import (
    Citation,
    Notice,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.providers import faults
from chat.providers.back import FIELDS, Back
from chat.providers.cumulative import Cumulative
from chat.providers.faults import Call
from chat.providers.payloads import DONE, WHOLE
from chat.providers.stops import Ending, ending, unsaid
from chat.providers.think_tags import ThinkTags
from chat.providers.tool_slots import ToolSlots
from chat.providers.usage import of_chat
from chat.providers.values import mapping, number, objects, text
from chat.providers.vendors import Vendor

_THINKING: Final = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
"""Under what names a thought comes. Under two of them it is one thought."""
_REASONS: Final = ("finish_reason", "finishReason", "done_reason", "native_finish_reason", "stop_reason")
_IF_KNOWN: Final = ("native_finish_reason", "stop_reason")
"""Of a gateway, what it was told itself; of vLLM, the very word that ended it."""

_BESIDE: Final = frozenset(("usage", "x_groq", "citations", "search_results"))
"""What a chunk tells beside its choices, and after their words."""

_OF_CHUNK: Final = frozenset(
    ("id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier", "provider")
)
_OF_CHOICE: Final = frozenset(("index", "delta", "finish_reason", "logprobs"))
_OF_DELTA: Final = frozenset(("role", "content"))
"""Fields of a chunk that is a piece of text and nothing else."""

_AFTER_TEXT: Final = frozenset(("refusal", "tool_calls", "function_call", "annotations", "executed_tools"))

USAGE_WAIT: Final = 1.0
"""Seconds to wait for usage after the finish reason: it has a chunk of its own, and some servers then
neither say `[DONE]` nor close."""
EARLY_WAIT: Final = 10.0
"""The same where the reason is unknown: more words may come."""


def wants_thinking(vendor: Vendor) -> bool:
    """DeepSeek answers 400 when a message with tool calls comes back without its `reasoning_content`.

    Source: https://api-docs.deepseek.com/guides/thinking_mode#tool-calls
    """
    return (urlsplit(vendor.url).hostname or "").endswith("deepseek.com")


class Chunks:
    """The state of one reply while its chunks are read."""

    def __init__(self, call: Call) -> None:
        self.ending: Ending | None = None
        """Why it ended, once that was said: what comes later is usage or nothing, or it was said too soon."""
        self._early = False
        """Whether the finish reason came too early to be trusted: before or with the first words, or words
        came after it. Some servers send “stop” in every chunk; then only the end of the stream counts, or
        what confirms it."""
        self.confirmed = False
        """Whether the end was told a second time: by usage in a chunk of its own, or by whole calls together
        with the reason that calls have. Words that come all the same take it back, for good."""
        self._misled = False
        self.usage: Usage | None = None
        self.fault: Fault | None = None
        """The error that the last chunk reported, to be raised when its events have been given."""
        self._call = call
        self._index: int | None = None
        """Of the choice that is ours: we ask for one."""
        self._deltas = False
        self._text, self._thought = Cumulative(), Cumulative()
        self._tags = ThinkTags()
        self._slots = ToolSlots()
        self.heard = 0
        """Pieces of content so far, shown or held back."""
        self._refused = self._filtered = False
        self._cited: set[str] = set()
        self._executed: set[str] = set()
        self._back = Back()

    def read(self, chunk: Mapping[str, Any], whole: bool = False) -> list[ReplyEvent]:
        """The events of one chunk, or of a `whole` completion."""
        if (words := self._plain(chunk)) is not None:  # the hot path: nearly all chunks are this one
            events = list[ReplyEvent]()
            self._deltas = True
            self._say(words, events)
            return events
        events: list[ReplyEvent] = []
        choices = objects(chunk.get("choices"))
        self.fault = self._error(chunk, bool(choices) or whole)
        for index, choice in self._indexed(choices):
            if index in (None, self._index):
                self._choice(choice, chunk, events)
        if self.ending or chunk.keys() & _BESIDE:
            events += self.release()
        if "citations" in chunk or "search_results" in chunk:  # Perplexity, in every chunk anew
            self._cite(chunk.get("search_results"), events)
            self._cite(chunk.get("citations"), events)
        blocked = mapping(chunk.get("promptFeedback") or chunk.get("prompt_feedback")).get("blockReason")
        if blocked or True in (
            chunk.get("input_sensitive"),
            chunk.get("output_sensitive"),
        ):  # Gemini, MiniMax
            self._filtered = True
        usage = chunk.get("usage")
        if not usage and isinstance(groq := chunk.get("x_groq"), dict):
            usage = groq.get("usage")
        counted = of_chat(usage)
        if counted is not None and counted != self.usage:
            self.usage = counted
            events.append(counted)
        if counted is not None and not choices and self.ending and self.heard:
            self.confirmed = not self._misled
        return events

    def _plain(self, chunk: Mapping[str, Any]) -> str | None:
        """The text of a chunk that holds nothing but a piece of it, and is not the first; else None."""
        choices = chunk.get("choices")
        if not self.heard or self.ending or type(choices) is not list or len(choices) != 1:
            return None
        choice = choices[0]
        if type(choice) is not dict or not choice.keys() <= _OF_CHOICE or choice.get("finish_reason"):
            return None
        delta, index = choice.get("delta"), choice.get("index")
        if type(delta) is not dict or not delta.keys() <= _OF_DELTA or index not in (None, self._index):
            return None
        words = delta.get("content")
        plain = type(words) is str and words and chunk.keys() <= _OF_CHUNK and not chunk.get("usage")
        return words if plain and chunk.get("object") != "error" else None

    def release(self) -> list[ReplyEvent]:
        """Text that was held as long as more of it had arrived."""
        return [TextDelta(text) for text in self._tags.release()]

    def rest(self) -> list[ReplyEvent]:
        """What was held back, when nothing more will come."""
        events: list[ReplyEvent] = []
        self._end_thought(events)
        if text := self._text.end():
            self._split(text, events)
        events += self.release()
        thinking, text = self._tags.end()
        if thinking:
            events.append(ThinkingDelta(thinking))
        if text:
            events.append(TextDelta(text))
        return events

    def end(self, said: str = "") -> list[ReplyEvent]:
        """The last events. `said`: how the end was announced: `DONE`, `WHOLE`, "reason", or "" if it was
        not."""
        events = self.rest()
        events += self._slots.end()
        if self._slots and (back := self._back.fields(self._slots.extras)):
            events.append(Opaque({"type": FIELDS, "vendor": self._call.vendor.name, **back}))
        stop = self.stop
        if self._tags.misplaced:
            events.append(
                Notice(
                    "thinking_not_marked",
                    "Above the line stands the model’s thinking: its server did not mark where it begins.",
                )
            )
        sure = said == WHOLE or self.sure or (self.ending is not None and said == DONE)
        if not sure and self.heard and stop == "end":
            events.append(unsaid(self._call))
        elif self.ending is not None and stop == "other":
            events += self.ending.notices(self._call)
        events.append(ReplyFinished(stop, self.usage))
        return events

    @property
    def held(self) -> int:
        """Pieces of text that are shown as soon as nothing more has arrived."""
        return self._tags.held

    @property
    def repeated(self) -> int:
        """Characters that were said before, where each chunk holds all the text so far."""
        return self._text.repeated + self._thought.repeated

    @property
    def sure(self) -> bool:
        """Whether the answer is complete, though its stream has not ended."""
        return self.ending is not None and (self.confirmed or not self._early)

    @property
    def wait(self) -> float:
        """Seconds to wait for what may follow the finish reason, or what confirmed it."""
        known = self.ending is not None and self.ending.stop != "other"
        return USAGE_WAIT if known or self.confirmed else EARLY_WAIT

    @property
    def stop(self) -> Stop:
        stop = self.ending.stop if self.ending else "end"
        if self._filtered and stop in ("end", "tool_use", "other"):
            return "filter"
        if stop in ("end", "tool_use", "other") and self._slots:
            return "tool_use"
        if stop in ("end", "tool_use"):
            return "refusal" if self._refused else "end"
        return stop

    def _error(self, chunk: Mapping[str, Any], choices: bool) -> Fault | None:
        if "error" in chunk or "base_resp" in chunk or "error" in (chunk.get("type"), chunk.get("object")):
            return faults.said(chunk, self._call)
        if choices or "usage" in chunk or "choices" in chunk:
            return None
        words = any(chunk.get(name) for name in ("message", "detail", "msg", "reason"))
        told = words and not chunk.get("id") and chunk.get("object") is None
        return faults.said(chunk, self._call) or (
            faults.said({"error": dict(chunk)}, self._call) if told else None
        )

    def _indexed(self, choices: list[Mapping[str, Any]]) -> list[tuple[int | None, Mapping[str, Any]]]:
        """`choices` with their indices. Where there are several, one without has the index that is left."""
        told = [number(choice.get("index")) for choice in choices]
        if len(choices) > 1:
            free = (n for n in range(len(choices)) if n not in told)
            told = [next(free) if index is None else index for index in told]
        if self._index is None:
            self._index = min((index for index in told if index is not None), default=None)
        return list(zip(told, choices, strict=True))

    def _choice(self, choice: Mapping[str, Any], chunk: Mapping[str, Any], events: list[ReplyEvent]) -> None:
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, list) and len(delta) == 1:
            delta = delta[0]
        if isinstance(delta, str):
            delta = {"content": delta}
        inner = mapping(delta) or mapping(message)
        found = [end for place in (choice, inner, chunk) for end in self._endings(place)]
        before = self.heard
        if isinstance(delta, dict):
            self._deltas = True
            self._delta(delta, events, closing=bool(found))
        if isinstance(message, dict):
            if self._deltas:
                self._whole(message, events)
            else:
                self._delta(message, events, closing=bool(found))
        elif not mapping(delta).get("content") and (words := text(choice.get("text"))):
            self._say(words, events, closing=bool(found))
        more = self.heard > before
        if not self.heard:
            early = any(end.stop in ("end", "tool_use") for end in found)
        else:
            early = more and bool((found and not before) or self.ending)
        self._early = self._early or early
        if more and self.confirmed:
            self.confirmed, self._misled = False, True
        elif not self._misled and any(end.stop == "tool_use" for end in found):
            self.confirmed = self.confirmed or self._slots.whole
        for error in (choice, mapping(delta)):
            if error.get("error"):
                self.fault = self.fault or faults.said(error, self._call)
        results = mapping(choice.get("content_filter_results"))  # Azure
        if any(mapping(result).get("filtered") is True for result in results.values()):
            self._filtered = True
        for end in found:
            if end.fault:
                self.fault = self.fault or end.fault
            elif self.ending is None or end.rank > self.ending.rank:
                self.ending = end

    def _endings(self, place: Mapping[str, Any]) -> Iterator[Ending]:
        """Why it ended, as far as `place` says. What a gateway was told counts where it is known here."""
        for name in _REASONS:
            if (reason := place.get(name)) and (end := ending(reason, self._call)):
                if name in _IF_KNOWN and end.stop == "other" and not end.fault:
                    continue
                yield end

    def _delta(self, delta: Mapping[str, Any], events: list[ReplyEvent], *, closing: bool = False) -> None:
        told = self._back.take(delta)
        thoughts = [words for name in _THINKING if (words := text(delta.get(name)))]
        # One thought under two names is one thought; the details repeat it a third time.
        if thinking := thoughts[0] if thoughts else told:
            self._think(thinking, events, closing=closing)
        content = delta.get("content") or delta.get("text") or delta.get("content_list")
        if isinstance(content, list):  # Mistral
            for part in content:
                self._part(part, events)
        elif words := text(content):
            self._say(words, events, closing=closing)
        if delta.keys() & _AFTER_TEXT:
            self._end_text(events)
        if (refusal := delta.get("refusal")) and (words := text(refusal)):
            self._refused = True
            self.heard += 1
            events.append(TextDelta(words))
        calls = delta.get("tool_calls")
        if calls:
            self.heard += 1
            for call in objects(calls):
                events += self._slots.add(call)
        elif isinstance(call := delta.get("function_call"), dict):
            self.heard += 1
            events += self._slots.add({"index": 0, "function": call})
        if annotations := delta.get("annotations"):
            self._cite(annotations, events)
        if executed := delta.get("executed_tools"):
            self._ran(executed, events)

    def _whole(self, message: Mapping[str, Any], events: list[ReplyEvent]) -> None:
        """What of a message, all of it so far, no delta has said (Perplexity sends both)."""
        thinking = next((words for name in _THINKING if (words := text(message.get(name)))), "")
        if thinking and not self._text.text and (new := _beyond(self._thought, thinking)):
            self._think(new, events)
        content = message.get("content")
        if isinstance(content, str) and (new := _beyond(self._text, content)):
            self._say(new, events)
        calls = objects(message.get("tool_calls"))
        for call in calls[len(self._slots) :]:
            self.heard += 1
            events += self._slots.add(call)

    def _say(self, words: str, events: list[ReplyEvent], *, closing: bool = False) -> None:
        self.heard += 1
        self._end_thought(events)
        if words := self._text.feed(words, closing=closing):
            self._split(words, events)

    def _split(self, words: str, events: list[ReplyEvent]) -> None:
        thinking, words = self._tags.feed(words)
        if thinking:
            events.append(ThinkingDelta(thinking))
        if words:
            events.append(TextDelta(words))

    def _think(self, words: str, events: list[ReplyEvent], *, closing: bool = False) -> None:
        self.heard += 1
        self._end_text(events)
        if words := self._thought.feed(words, closing=closing):
            events.append(ThinkingDelta(words))

    def _end_thought(self, events: list[ReplyEvent]) -> None:
        if self._thought.holds and (words := self._thought.end()):
            events.append(ThinkingDelta(words))

    def _end_text(self, events: list[ReplyEvent]) -> None:
        if self._text.holds and (words := self._text.end()):
            self._split(words, events)
        events += self.release()

    def _part(self, part: Any, events: list[ReplyEvent]) -> None:
        """`{"type": "text", "text": …}`, `{"type": "thinking", "thinking": [{"text": …}]}`, or a text."""
        if isinstance(part, str):
            self._say(part, events)
        elif isinstance(part, dict):
            inner = part.get("thinking")
            for piece in inner if isinstance(inner, list) else [inner]:
                if words := text(piece):
                    self._think(words, events)
            if words := text(part.get("text")):
                self._say(words, events)

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
        for tool in objects(executed):
            id = f"executed_{number(tool.get('index')) or 0}"
            if id not in self._executed:
                self._executed.add(id)
                events.append(ToolCallStarted(id, str(tool.get("type") or "tool"), "provider"))
                if isinstance(arguments := tool.get("arguments"), str) and arguments:
                    events.append(ToolCallDelta(id, arguments))
            if isinstance(found := tool.get("search_results"), dict):
                self._cite(found.get("results"), events)


def _beyond(said: Cumulative, whole: str) -> str:
    """What of `whole` comes after all that was said."""
    return "" if said.holds or not whole.startswith(so_far := said.text) else whole[len(so_far) :]
