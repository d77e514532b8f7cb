"""A conversation to read. Answers stand as they were written, but for HTML, which is shown as it is; what
else a model or a tool said is fenced. So nothing in it can act, or swallow what follows.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, assert_never

from chat.conversations import Conversation, Exchange, Link, answers, joined
from chat.events import Usage
from chat.export.quoting import closed, shown
from chat.export.to_json import arguments, plain, settings
from chat.outcomes import ending
from chat.transcript import Call, Prose, Thought
from chat.unicode import whole


def markdown(conversation: Conversation) -> str:
    """Title and when; then question, answer and how it ended, one after another."""
    found = answers(conversation.exchanges)
    count = len(found)
    head = [f"{count} {'answer' if count == 1 else 'answers'}"]
    if conversation.exchanges:
        head.insert(0, _minute(conversation.exchanges[0].at))
    parts = [f"# {_inline(conversation.title) or 'Chat'}", f"*{' · '.join(head)}*"]
    if conversation.origin:
        parts.append(f"Began in another chat: {_named(conversation.origin)}.")
    if conversation.branches:
        parts.append(f"Went on in other chats: {', '.join(map(_named, conversation.branches))}.")
    for answer in found:
        parts += ["---", *_answer(answer)]
    return whole("\n\n".join(parts) + "\n")


def _answer(answer: list[Exchange]) -> Iterator[str]:
    # As a quotation: whatever a person pasted ends where the question ends.
    question = shown(answer[0].question.strip("\n"))
    yield "\n".join(f"> {line}".rstrip() for line in question.splitlines())
    for block in joined(answer)[0]:
        match block:
            case Prose():
                if block.text.strip():
                    yield shown(closed(block.text.strip("\n")))
            case Thought():
                yield _folded(_thought(block, answer), _fenced(block.text))
            case Call():
                yield _folded(f"Tool: {_html(block.name)}{_took(block.seconds)}", *_call(block))
            case _:
                assert_never(block)
    for n, exchange in enumerate(answer):
        yield from _end(exchange, continued=n + 1 < len(answer))


def _end(exchange: Exchange, *, continued: bool) -> Iterator[str]:
    transcript = exchange.transcript
    if transcript.sources:
        yield "Sources:"
        yield "\n".join(f"- {_link(source.title, source.url)}" for source in transcript.sources)
    for notice in transcript.notices:
        yield f"*Note: {_inline(notice.text)}*"
    if transcript.failure is not None and transcript.state != "stopped":
        yield f"*{_inline(transcript.failure.message)}*"
    yield f"*{' · '.join([*_footer(exchange), *(['continued'] if continued else [])])}*"


def _call(call: Call) -> Iterator[str]:
    yield "Arguments:"
    yield _fenced(_set_out(arguments(call)), "json")
    if call.error is not None:
        yield "Error:"
        yield _fenced(call.error)
    elif call.seconds is not None or call.result is not None:
        yield "Result:"
        text = isinstance(call.result, str)
        yield _fenced(call.result) if text else _fenced(_set_out(plain(call.result)), "json")
    else:
        yield "Not finished." if call.where == "here" else "Run by the provider."


def _footer(exchange: Exchange) -> Iterator[str]:
    transcript = exchange.transcript
    if model := transcript.model or exchange.options.model:
        yield _inline(model)
    for name, value in settings(exchange).items():
        yield _inline(
            f"{name.replace('_', ' ')}: {value if isinstance(value, str) else _set_out(value, None)}"
        )
    yield _minute(exchange.at)
    if transcript.ended is not None:
        yield f"{transcript.ended:.1f} s"
    yield from _tokens(transcript.usage)
    if transcript.ended is None:
        yield transcript.state
    else:
        how = ending(transcript)
        yield how[0].lower() + how[1:]
    if exchange.thumb:
        yield f"thumb {'up' if exchange.thumb > 0 else 'down'}"


def _tokens(usage: Usage) -> Iterator[str]:
    if usage.input is not None:
        yield f"{usage.input:,} tokens in"
    if usage.output is not None:
        yield f"{usage.output:,} tokens out"


def _thought(thought: Thought, answer: list[Exchange]) -> str:
    ended = thought.ended
    if ended is None:
        its = (each.transcript for each in answer if thought in each.transcript.blocks)
        ended = next(its).ended
    return "Thinking" + _took(None if ended is None else ended - thought.began)


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f", {seconds:.1f} s" if seconds >= 0.1 else f", {seconds * 1000:.0f} ms"


# -- text that stays where it is ------------------------------------------------------------------


def _fenced(text: str, language: str = "text") -> str:
    """`text` between fences longer than any in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"


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
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False, indent=indent)


def _minute(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
