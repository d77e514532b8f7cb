"""Turns a conversation into the chatbot's messages.

A question is shown as it was typed. An answer is a list of blocks: its texts, and below them one
line of our own (`fates`). What goes on from an answer that was left off is one with it. Above it all
stand what is not drawn and where the conversation began. Texts only grow, so the page sends no more than
what is new. Everything is written as Gradio's own JSON, so that nothing is converted again at each frame.
`screens` calls it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from chat.conversations import Conversation, Exchange, Link, answers, joined
from chat.transcript import Prose
from chat.ui.fates import button, fate, now, plain
from chat.ui.markup import Markup, safe
from chat.unicode import whole

Message = dict[str, Any]


def message(role: str, *blocks: str) -> Message:
    """As gr.Chatbot sends it to the browser."""
    content = [{"type": "text", "text": whole(block)} for block in blocks]
    return {"role": role, "metadata": None, "content": content, "options": None}


def question(text: str, *below: str) -> Message:
    return message("user", f'<div class="asked">{plain(text, breaks=True)}</div>', *below)


def remark(text: str) -> Message:
    """A line of the page's own below the conversation, about something that could not be done."""
    return message("assistant", f'<div class="fate failed remark"><p class="failure">{plain(text)}</p></div>')


def link(to: Link) -> str:
    """Another conversation, by its title. static/place.js opens it here."""
    return (
        f'<a class="link chat-{to.id} of-{to.run}" href="?chat={to.id}">“{plain(to.title or "New chat")}”</a>'
    )


class Bubble:
    """The messages of one answer: its exchange, and those that go on from it.

    Reads the last one's transcript anew at each call, and only what came since.
    """

    def __init__(
        self, answer: Sequence[Exchange], chat: Conversation | None = None, *, last: bool = True
    ) -> None:
        self._answer, self._last = answer, last
        self._chat = chat.id if chat else ""
        self._question = _asked(answer[0], chat)
        blocks, cut = joined(answer[:-1])
        self._left_off = cut.text if cut is not None else ""
        """The text that goes on with the first words of the last exchange."""
        proses = [block for block in blocks if isinstance(block, Prose) and block is not cut]
        self._before = [safe(prose.text) for prose in proses]
        self._alone = safe(self._left_off)
        self._markups: list[Markup] = []
        self._read: list[int] = []
        self._over: list[Message] | None = None

    def messages(self, shown: int | None = None) -> list[Message]:
        """Question and answer, of what the last exchange says the first `shown` characters (None: all)."""
        if self._over is not None:
            return self._over
        transcript = self._answer[-1].transcript
        over = transcript.ended is not None and (shown is None or shown >= transcript.length)
        blocks = [text for text in self._texts(shown, over) if text.strip()]
        if not over:
            return [self._question, message("assistant", *blocks, now(self._answer[-1], self._chat))]
        end = fate(self._answer, self._chat, last=self._last)
        self._over = [self._question, message("assistant", *blocks, end)]
        return self._over

    def _texts(self, shown: int | None, over: bool) -> Iterable[str]:
        transcript = self._answer[-1].transcript
        left = transcript.length if shown is None else shown
        proses = [block for block in transcript.blocks if isinstance(block, Prose)]
        yield from self._before
        if not left or not proses:
            yield self._alone
            return
        for i, prose in enumerate(proses):
            if i == len(self._markups):
                self._markups.append(Markup())
                self._read.append(0)
                if not i:
                    self._markups[0].feed(self._left_off)
            said = min(prose.body.length, left)
            left -= said
            finished = over or (i + 1 < len(proses) and said == prose.body.length)
            if said > self._read[i] or finished:
                self._markups[i].feed(prose.text[self._read[i] : said], last=finished)
                self._read[i] = said
            yield self._markups[i].text


def _asked(exchange: Exchange, chat: Conversation | None) -> Message:
    """The question, with what can be done with it."""
    branches = chat.branches if chat else []
    edited = [link(to) for to in branches if to.run in exchange.versions]
    said = f'<span class="edited">Edited in {", ".join(edited)}</span>' if edited else ""
    return question(
        exchange.question, f'<div class="asking">{said}{button("edit", exchange.run, "Edit")}</div>'
    )


def above(chat: Conversation, shown: int) -> list[Message]:
    """What stands above the last `shown` exchanges: how many are not drawn, and where it began."""
    parts = []
    if hidden := len(answers(chat.exchanges[: len(chat.exchanges) - shown])):
        parts.append(f"<p>{button('earlier', '', f'Show earlier messages ({2 * hidden:,})')}</p>")
    if chat.origin is not None:
        parts.append(f"<p>Began in {link(chat.origin)}</p>")
    return [message("assistant", f'<div class="above">{"".join(parts)}</div>')] if parts else []


def conversation(chat: Conversation, shown: int | None = None) -> list[Message]:
    """All of it, as it is now; or the last `shown` exchanges, and what these go on from."""
    shown = len(chat.exchanges) if shown is None else shown
    last = answers(chat.exchanges)[-1:]
    return before_last(chat, shown) + [each for answer in last for each in Bubble(answer, chat).messages()]


def before_last(chat: Conversation, shown: int) -> list[Message]:
    """What stays as it is while the last answer is written."""
    shown = chat.window(shown)
    earlier = answers(chat.exchanges[len(chat.exchanges) - shown :])[:-1]
    return above(chat, shown) + [
        each for answer in earlier for each in Bubble(answer, chat, last=False).messages()
    ]
