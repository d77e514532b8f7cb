"""A conversation as a file: Markdown for people, JSON for programs, and a name for either.

Pure functions over a `Conversation` whose exchanges are there in full (`Store.earlier`). No owner, no
sending key and nothing of a request's headers gets in. Used by the routes; asks no store.

The JSON holds `format` "runnel", `version` 1, `conversation` (id, title, named, created, updated, origin,
branches) and `messages`, in order. A message has an `id`, the `parent` it follows (null for the first),
a `role`, a time `at` (ISO 8601, UTC) and `parts`, each a `text`, `thinking` or `tool_call`. An assistant's
has besides `model`, `settings`, `state` (as of a transcript), `stop`, `failure`, `usage`, `seconds`,
`first_text` (seconds), `sources`, `notices`, `thumb` (-1, 0, 1) and `versions` (ids of all its answers).
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, assert_never

from chat.conversations import Conversation, Exchange, Link
from chat.events import Stop, Usage
from chat.transcript import Block, Call, Prose, Thought, Transcript

FORMAT, VERSION = "runnel", 1

LONGEST_NAME = 80
"""Characters of a file's name before its suffix: at most 4 bytes each, where 255 bytes are the limit."""

# -- the name ----------------------------------------------------------------------------------

_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\'`;%]')
_DEVICES = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)")
"""Names that Windows gives to devices."""


def filename(title: str, suffix: str) -> str:
    """A name that any file system and any header takes; `chat.md` when nothing of the title is left."""
    title = unicodedata.normalize("NFC", title)
    # Control and direction characters, halves of surrogates, and what no Unicode knows.
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in _NOT_IN_NAMES.sub(" ", title))
    name = " ".join(kept.split())[:LONGEST_NAME].strip(" .…-")
    return f"{'chat' if not name or _DEVICES.match(name) else name}.{suffix}"


# -- JSON -----------------------------------------------------------------------------------------


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
    return _clean(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


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
            "settings": _value(_settings(exchange)),
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
                "arguments": _arguments(block),
                "result": _value(block.result),
                "error": block.error,
                "seconds": block.seconds,
            }
        case _:
            assert_never(block)


def _arguments(call: Call) -> Any:
    """As a value; as the raw text where that is no JSON."""
    if call.arguments is not None:
        return _value(call.arguments)
    try:
        return _value(json.loads(call.text))
    except (ValueError, RecursionError):
        return call.text


def _value(value: Any) -> Any:
    """`value` as JSON can say it: no endless numbers, nothing too deep."""
    try:
        return json.loads(json.dumps(value, default=str), parse_constant=str)
    except (ValueError, RecursionError):
        return "(nested too deeply to be written)"


# -- Markdown --------------------------------------------------------------------------------------

_STOPS: dict[Stop, str] = {
    "length": "ended at the length limit",
    "filter": "ended by the provider’s filter",
    "refusal": "refused by the model",
    "pause": "paused by the provider",
}


def markdown(conversation: Conversation) -> str:
    """The conversation to read. Answers stand as they were written; what else a model or a tool said is
    fenced, so that nothing in it can act or swallow what follows."""
    count = len(conversation.exchanges)
    head = [f"{count} {'answer' if count == 1 else 'answers'}"]
    if conversation.exchanges:
        head.insert(0, _minute(conversation.exchanges[0].at))
    parts = [f"# {_inline(conversation.title) or 'Chat'}", f"*{' · '.join(head)}*"]
    if conversation.origin:
        parts.append(f"Began in another chat: {_named(conversation.origin)}.")
    if conversation.branches:
        parts.append(f"Went on in other chats: {', '.join(map(_named, conversation.branches))}.")
    for exchange in conversation.exchanges:
        parts += ["---", *_exchange(exchange)]
    return _clean("\n\n".join(parts) + "\n")


def _exchange(exchange: Exchange) -> Iterator[str]:
    if exchange.continues:
        yield "*Continue*"
    else:
        # As a quotation: whatever a person pasted ends where the question ends.
        yield "\n".join(f"> {line}".rstrip() for line in exchange.question.strip("\n").splitlines())
    transcript = exchange.transcript
    for block in transcript.blocks:
        match block:
            case Prose():
                if block.text.strip():
                    yield _closed(block.text.strip("\n"))
            case Thought():
                yield _folded(_thought(block, transcript), _fenced(block.text))
            case Call():
                yield _folded(f"Tool: {_html(block.name)}{_took(block.seconds)}", *_call(block))
            case _:
                assert_never(block)
    if transcript.sources:
        yield "Sources:"
        yield "\n".join(f"- {_link(source.title, source.url)}" for source in transcript.sources)
    for notice in transcript.notices:
        yield f"*Note: {_inline(notice.text)}*"
    if transcript.failure is not None and transcript.state != "stopped":
        yield f"*{_inline(transcript.failure.message)}*"
    yield f"*{' · '.join(_footer(exchange))}*"


def _call(call: Call) -> Iterator[str]:
    yield "Arguments:"
    yield _fenced(_set_out(_arguments(call)), "json")
    if call.error is not None:
        yield "Error:"
        yield _fenced(call.error)
    elif call.seconds is not None or call.result is not None:
        yield "Result:"
        text = isinstance(call.result, str)
        yield _fenced(call.result) if text else _fenced(_set_out(_value(call.result)), "json")
    else:
        yield "Not finished." if call.where == "here" else "Run by the provider."


def _footer(exchange: Exchange) -> Iterator[str]:
    transcript = exchange.transcript
    if model := transcript.model or exchange.options.model:
        yield _inline(model)
    for name, value in _settings(exchange).items():
        yield _inline(
            f"{name.replace('_', ' ')}: {value if isinstance(value, str) else _set_out(value, None)}"
        )
    yield _minute(exchange.at)
    if transcript.ended is not None:
        yield f"{transcript.ended:.1f} s"
    yield from _tokens(transcript.usage)
    yield _STOPS.get(transcript.stop or "end", transcript.state)
    if exchange.thumb:
        yield f"thumb {'up' if exchange.thumb > 0 else 'down'}"


def _tokens(usage: Usage) -> Iterator[str]:
    if usage.input is not None:
        yield f"{usage.input:,} tokens in"
    if usage.output is not None:
        yield f"{usage.output:,} tokens out"


def _settings(exchange: Exchange) -> dict[str, Any]:
    """What was set; what was left to the provider is left out."""
    settings = exchange.transcript.settings or {
        name: value for name, value in asdict(exchange.options).items() if name != "model"
    }
    return {
        name: value
        for name, value in settings.items()
        if value not in (None, "", (), []) and not (name == "stream" and value)
    }


def _thought(thought: Thought, transcript: Transcript) -> str:
    ended = thought.ended if thought.ended is not None else transcript.ended
    return "Thinking" + _took(None if ended is None else ended - thought.began)


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f", {seconds:.1f} s" if seconds >= 0.1 else f", {seconds * 1000:.0f} ms"


# -- text that stays where it is ------------------------------------------------------------------

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$", re.MULTILINE)


def _fenced(text: str, language: str = "text") -> str:
    """`text` between fences longer than any in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"


def _closed(text: str) -> str:
    """`text` as it is; a fence that it leaves open (an answer cut off in its code) is closed below it."""
    fence = ""
    for mark, rest in _FENCE.findall(text):
        if not fence:
            if mark[0] == "~" or "`" not in rest:
                fence = mark
        elif mark[0] == fence[0] and len(mark) >= len(fence) and not rest.strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text


def _folded(summary: str, *parts: str) -> str:
    return "\n\n".join([f"<details>\n<summary>{summary}</summary>", *parts, "</details>"])


def _inline(text: str) -> str:
    """`text` in one line, as text: no mark-up of Markdown or HTML in it counts."""
    return re.sub(r"([\\`*_\[\]<>&~$|#])", r"\\\1", " ".join(text.split()))


def _html(text: str) -> str:
    """Within a line of HTML, where no backslash helps."""
    return re.sub(r"[<>&]", "", " ".join(text.split()))


def _named(link: Link) -> str:
    return f"“{_inline(link.title)}” ({_inline(link.id)})"


def _link(title: str, url: str) -> str:
    if not re.match(r"https?://", url, re.IGNORECASE):
        return _inline(title or url)
    # Between angle brackets only these would end the address.
    address = re.sub(r"[<>\\\s\x00-\x1f]", lambda found: f"%{ord(found[0]):02X}", url)
    return f"[{_inline(title or url)}](<{address}>)"


def _set_out(value: Any, indent: int | None = 2) -> str:
    return value if isinstance(value, str) else json.dumps(_value(value), ensure_ascii=False, indent=indent)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _minute(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _clean(text: str) -> str:
    """Half a surrogate, which a model's JSON may hold, cannot be written to a file."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
