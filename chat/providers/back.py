"""What a vendor needs back: fields of a message and of its calls that are not known here.

Gemini signs its calls, Kimi and DeepSeek want their thinking, OpenRouter its `reasoning_details`: without
them the next round of tools is refused. So whatever came beside text and calls goes back as it came, to the
same vendor and to nobody else. `chat_reading` collects it, `openai_chat` sends it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from chat.messages import Assistant, Raw
from chat.providers.error_bodies import PROTECTED
from chat.providers.values import objects, text

FIELDS: Final = "message_fields"
"""The type of the item that carries them: `vendor`, `fields` of the message, and `calls` by id."""

LARGEST: Final = 256 * 1024
"""Characters of JSON that a message brings back."""

MAX_KEPT_CHARS: Final = 4 * LARGEST
"""Characters that are collected for one message. A message with more sends nothing back."""

KNOWN: Final = frozenset(
    (
        *("role", "content", "content_list", "text", "type", "name", "index", "refusal", "tool_calls"),
        *("function_call", "annotations", "executed_tools", "citations", "search_results", "logprobs"),
        *("images", "audio", "tool_call_id", "token_id", "reasoning_details", "error", "usage"),
        *("finish_reason", "finishReason", "native_finish_reason", "done_reason", "stop_reason"),
    )
)
"""Fields of an assistant's message that are made anew, or never go back. All others may be wanted."""

_PROSE: Final = re.compile("reason|think|thought|text")
"""In a field's name: its pieces are joined. Of any other field the last value counts."""


def brought(parts: Iterable[object], vendor: str) -> Iterator[Mapping[str, Any]]:
    """What `vendor` said in a message beside its text and its calls: `fields`, and `calls` by id."""
    for part in parts:
        if isinstance(part, Raw) and part.data.get("type") == FIELDS and part.data.get("vendor") == vendor:
            yield part.data


def extras(parts: Iterable[object], vendor: str) -> dict[str, dict[str, Any]]:
    """The unknown fields of calls alone, by the call's id."""
    return {id: extra for data in brought(parts, vendor) for id, extra in data["calls"].items()}


def names(messages: Iterable[object], vendor: str) -> frozenset[str]:
    """Names of all that goes back. A vendor that sends a field may still refuse it."""
    found = set[str]()
    for message in messages:
        for data in brought(message.parts, vendor) if isinstance(message, Assistant) else ():
            found.update(data["fields"], *data["calls"].values())
    return frozenset(found) - PROTECTED


def size(value: Any) -> int:
    """About how many characters `value` has as JSON."""
    return len(value) if isinstance(value, str) else len(json.dumps(value))


class _Pieces(list[str]):
    """A text that is not joined yet."""


class Back:
    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._details: dict[str, dict[str, Any]] = {}
        self._size = 0

    def take(self, delta: Mapping[str, Any]) -> str:
        """Keeps what is unknown of `delta`. The text of its `reasoning_details`, if any."""
        for name, value in delta.items():
            if name not in KNOWN and value and self._has_room(value):
                self._keep(name, value)
        details = delta.get("reasoning_details")
        return self._detailed(details) if details else ""

    def _has_room(self, value: Any) -> bool:
        self._size += size(value)
        if self._size > MAX_KEPT_CHARS:
            self._fields.clear()
            self._details.clear()
        return self._size <= MAX_KEPT_CHARS

    def fields(self, calls: Mapping[str, Any]) -> dict[str, Any]:
        """`fields` and `calls`, as much as may go back; {} when there is nothing."""
        found: dict[str, Any] = {
            name: "".join(value) if isinstance(value, _Pieces) else value
            for name, value in self._fields.items()
        }
        if self._details:
            found["reasoning_details"] = [
                {name: "".join(each) if isinstance(each, _Pieces) else each for name, each in detail.items()}
                for detail in self._details.values()
            ]
        kept: dict[str, dict[str, Any]] = {"fields": {}, "calls": {}}
        total = 0
        for place, values in (("calls", calls), ("fields", found)):
            for name, value in values.items():
                total += len(json.dumps(value))
                if total <= LARGEST:  # half of a signature would be none
                    kept[place][name] = value
        return kept if any(kept.values()) else {}

    def _keep(self, name: str, value: Any) -> None:
        before = self._fields.get(name)
        if isinstance(value, str) and _PROSE.search(name):
            if not isinstance(before, _Pieces):
                self._fields[name] = before = _Pieces()
            before.append(value)
        elif isinstance(value, dict) and isinstance(before, dict):
            self._fields[name] = before | value
        elif isinstance(value, list) and isinstance(before, list):
            before += value
        else:
            self._fields[name] = list(value) if isinstance(value, list) else value

    def _detailed(self, details: Any) -> str:
        """The pieces of each of OpenRouter's details are put together.

        Source: https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
        """
        told = list[str]()
        for detail in objects(details):
            key = f"{detail.get('type')} {detail.get('index')}"
            if detail.get("data") is not None:  # encrypted: always a whole one
                key = str(len(self._details))
            has_room = self._has_room(detail)
            kept = self._details.setdefault(key, {}) if has_room else {}
            for name, value in detail.items():
                if name in ("text", "summary") and (value := text(value)):
                    told.append(value)
                    if not isinstance(pieces := kept.get(name), _Pieces):
                        pieces = kept[name] = _Pieces()
                    pieces.append(value)
                elif value is not None:
                    kept[name] = value
        return "".join(told)
