"""A conversation as JSON, and what both files say alike of an answer.

The JSON holds `format` "runnel", `version` 1, `conversation` (id, title, named, created, updated, origin,
branches) and `messages`, in order. A message has an `id`, the `parent` it follows (null for the first),
a `role`, a time `at` (ISO 8601, UTC) and `parts`, each a `text`, `thinking` or `tool_call`. A user's has
besides `continues` (it asks for the rest of the answer before). An assistant's has `model`, `settings`,
`state` (as of a transcript), `stop`, `failure`, `usage`, `seconds`, `first_text` (seconds), `sources`,
`notices`, `thumb` (-1, 0, 1) and `versions` (ids of all its answers).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, assert_never

from chat.conversations import Conversation, Exchange
from chat.transcript import Block, Call, Prose, Thought
from chat.unicode import whole

FORMAT, VERSION = "runnel", 1


def as_json(conversation: Conversation) -> str:
    """The conversation as the JSON text described above."""
    exchanges = conversation.exchanges
    data = {
        "format": FORMAT,
        "version": VERSION,
        "conversation": {
            "id": conversation.id,
            "title": conversation.title,
            "named": conversation.named,
            "created": _iso(exchanges[0].at) if exchanges else None,
            "updated": _iso(exchanges[-1].at) if exchanges else None,
            "origin": asdict(conversation.origin) if conversation.origin else None,
            "branches": [asdict(link) for link in conversation.branches],
        },
        "messages": list(_messages(exchanges)),
    }
    return whole(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def _messages(exchanges: Iterable[Exchange]) -> Iterator[dict[str, Any]]:
    parent = None
    for exchange in exchanges:
        transcript = exchange.transcript
        yield {
            "id": exchange.asked,
            "parent": parent,
            "role": "user",
            "at": _iso(exchange.at),
            "parts": [{"type": "text", "text": exchange.question}],
            "continues": exchange.continues,
        }
        yield {
            "id": exchange.run,
            "parent": exchange.asked,
            "role": "assistant",
            "at": _iso(exchange.at),
            "model": transcript.model or exchange.options.model,
            "settings": plain(settings(exchange)),
            "parts": [_part(block) for block in transcript.blocks],
            "sources": [asdict(source) for source in transcript.sources],
            "notices": [asdict(notice) for notice in transcript.notices],
            "state": transcript.state,
            "stop": transcript.stop,
            "failure": asdict(transcript.failure) if transcript.failure else None,
            "usage": asdict(transcript.usage),
            "seconds": transcript.ended,
            "first_text": transcript.first_text,
            "thumb": exchange.thumb,
            "versions": list(exchange.versions),
        }
        parent = exchange.run


def _part(block: Block) -> dict[str, Any]:
    match block:
        case Prose():
            return {"type": "text", "text": block.text}
        case Thought():
            return {"type": "thinking", "text": block.text, "began": block.began, "ended": block.ended}
        case Call():
            return {
                "type": "tool_call",
                "id": block.id,
                "name": block.name,
                "where": block.where,
                "arguments": arguments(block),
                "result": plain(block.result),
                "error": block.error,
                "seconds": block.seconds,
            }
        case _:
            assert_never(block)


def arguments(call: Call) -> Any:
    """As a value; as the raw text where that is no JSON."""
    if call.arguments is not None:
        return plain(call.arguments)
    try:
        return plain(json.loads(call.text))
    except (ValueError, RecursionError):
        return call.text


def plain(value: Any) -> Any:
    """`value` as JSON can say it: no endless numbers, nothing too deep."""
    try:
        return json.loads(json.dumps(value, default=str), parse_constant=str)
    except (ValueError, RecursionError):
        return "(too large, or nested too deeply, to be written)"


def settings(exchange: Exchange) -> dict[str, Any]:
    """What was set; what was left to the provider is left out."""
    given = exchange.transcript.settings or {
        name: value for name, value in asdict(exchange.options).items() if name != "model"
    }
    return {
        name: value
        for name, value in given.items()
        if value not in (None, "", (), []) and not (name == "stream" and value)
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
