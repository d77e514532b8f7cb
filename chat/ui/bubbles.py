"""Turns a conversation into the chatbot's messages.

A question is shown as it was typed. An answer is a list of blocks: its texts, and below them one
line of our own (`fates`). Above it all stand what is not drawn and where the conversation began. Texts
only grow, so the page sends no more than what is new. Everything is written as Gradio's own JSON, so
that nothing is converted again at each frame. `screens` calls it.
"""

from collections.abc import Iterable
from typing import Any

from chat.conversations import Conversation, Exchange, Link
from chat.transcript import Prose
from chat.ui.fates import button, fate, now, plain
from chat.ui.markup import Markup
from chat.unicode import whole

Message = dict[str, Any]


def message(role: str, *blocks: str) -> Message:
    """As gr.Chatbot sends it to the browser."""
    content = [{"type": "text", "text": whole(block)} for block in blocks]
    return {"role": role, "metadata": None, "content": content, "options": None}


def question(text: str, *below: str) -> Message:
    return message("user", f'<div class="asked">{plain(text, breaks=True)}</div>', *below)


def remark(text: str, kind: str = "") -> Message:
    """A line of the page's own below the conversation, about something that could not be done."""
    name = " ".join(filter(None, ("fate failed remark", kind)))
    return message("assistant", f'<div class="{name}"><p class="failure">{plain(text)}</p></div>')


def link(to: Link) -> str:
    """Another conversation, by its title. static/place.js opens it here."""
    return (
        f'<a class="link chat-{to.id} of-{to.run}" href="?chat={to.id}">«{plain(to.title or "New chat")}»</a>'
    )


class Bubble:
    """The messages of one exchange. Reads its transcript anew at each call, and only what came since."""

    def __init__(self, exchange: Exchange, chat: Conversation | None = None, *, last: bool = True) -> None:
        self._exchange, self._last = exchange, last
        self._chat = chat.id if chat else ""
        self._question = _asked(exchange, chat)
        self._markups: list[Markup] = []
        self._read: list[int] = []
        self._over: list[Message] | None = None

    def messages(self, shown: int | None = None) -> list[Message]:
        """Question and answer, of the answer the first `shown` characters (None: all there is)."""
        if self._over is not None:
            return self._over
        transcript = self._exchange.transcript
        over = transcript.ended is not None and (shown is None or shown >= transcript.length)
        blocks = [text for text in self._texts(shown, over) if text.strip()]
        if not over:
            return [self._question, message("assistant", *blocks, now(self._exchange, self._chat))]
        end = fate(self._exchange, self._chat, last=self._last)
        self._over = [self._question, message("assistant", *blocks, end)]
        return self._over

    def _texts(self, shown: int | None, over: bool) -> Iterable[str]:
        transcript = self._exchange.transcript
        left = transcript.length if shown is None else shown
        proses = [block for block in transcript.blocks if isinstance(block, Prose)]
        for i, prose in enumerate(proses):
            if i == len(self._markups):
                self._markups.append(Markup())
                self._read.append(0)
            upto = min(prose.body.length, left)
            left -= upto
            finished = over or (i + 1 < len(proses) and upto == prose.body.length)
            if upto > self._read[i] or finished:
                self._markups[i].feed(prose.text[self._read[i] : upto], last=finished)
                self._read[i] = upto
            yield self._markups[i].text


def _asked(exchange: Exchange, chat: Conversation | None) -> Message:
    """The question, with what can be done with it; none is shown of an answer that goes on."""
    if exchange.continues:
        return message("user", '<div class="continued">Continued</div>')
    branches = chat.branches if chat else []
    edited = [link(to) for to in branches if to.run in exchange.versions]
    said = f'<span class="edited">Edited in {", ".join(edited)}</span>' if edited else ""
    return question(
        exchange.question, f'<div class="asking">{said}{button("edit", exchange.run, "Edit")}</div>'
    )


def above(chat: Conversation, shown: int) -> list[Message]:
    """What stands above the last `shown` exchanges: how many are not drawn, and where it began."""
    parts = []
    if (hidden := len(chat.exchanges) - shown) > 0:
        parts.append(f"<p>{button('earlier', '', f'Show earlier messages ({2 * hidden:,})')}</p>")
    if chat.origin is not None:
        parts.append(f"<p>Began in {link(chat.origin)}</p>")
    return [message("assistant", f'<div class="above">{"".join(parts)}</div>')] if parts else []


def conversation(chat: Conversation, shown: int | None = None) -> list[Message]:
    """All of it, as it is now; or the last `shown` exchanges."""
    shown = len(chat.exchanges) if shown is None else shown
    last = chat.exchanges[-1:]
    return before_last(chat, shown) + [
        each for exchange in last for each in Bubble(exchange, chat).messages()
    ]


def before_last(chat: Conversation, shown: int) -> list[Message]:
    """What stays as it is while the last exchange is answered."""
    earlier = chat.exchanges[max(0, len(chat.exchanges) - shown) : -1]
    return above(chat, shown) + [
        each for exchange in earlier for each in Bubble(exchange, chat, last=False).messages()
    ]
