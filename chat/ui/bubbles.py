"""Turns a conversation into the chatbot's messages.

A question is shown as it was typed. An answer is a list of blocks: its texts, as the model wrote them,
and below them one line of our own (`fates`). What goes on from an answer that was left off is one with it.
Above it all stand what is not drawn and where the conversation began. Texts only grow, so the page sends no
more than what is new. Everything is written as Gradio's own JSON, so that nothing is converted again at each
frame. `screens` calls it.

Gradio's Markdown is off (gradio_fixes, 22): a text reaches the browser as words in an element that is not
shown, `SAID`, and static/answers.js draws it. So what is copied is what was written.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from chat.conversations import Conversation, Exchange, Link, answers, joined
from chat.transcript import Prose
from chat.ui.fates import button, fate, now, plain
from chat.unicode import whole

Message = dict[str, Any]

SAID = '<div class="said">'
"""Before a text. It has no end, so that the block only grows; the browser ends it with the block."""

_SIGNS = str.maketrans({"&": "&amp;", "<": "&lt;", "\r": "&#13;", "\0": "&#xfffd;"})


def message(role: str, *blocks: str) -> Message:
    """As gr.Chatbot sends it to the browser."""
    content = [{"type": "text", "text": whole(block)} for block in blocks]
    return {"role": role, "metadata": None, "content": content, "options": None}


def said(text: str) -> str:
    """What a model wrote, to be drawn."""
    return SAID + _escaped(text)


def _escaped(text: str) -> str:
    return text.translate(_SIGNS)


def own(line: str) -> str:
    """HTML of the page's own."""
    return f'<div class="prose">{line}</div>'


def question(text: str, *below: str) -> Message:
    return message(
        "user", own(f'<div class="asked">{plain(text, breaks=True)}</div>'), *(own(each) for each in below)
    )


def remark(text: str) -> Message:
    """A line of the page's own below the conversation, about something that could not be done."""
    line = f'<div class="fate failed remark"><p class="failure">{plain(text)}</p></div>'
    return message("assistant", own(line))


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
        self._before = [said(prose.text) for prose in proses]
        self._shown: list[str] = []
        self._read: list[int] = []
        self._over: list[Message] | None = None

    def messages(self, shown: int | None = None) -> list[Message]:
        """Question and answer, of what the last exchange says the first `shown` characters (None: all)."""
        if self._over is not None:
            return self._over
        transcript = self._answer[-1].transcript
        over = transcript.ended is not None and (shown is None or shown >= transcript.length)
        blocks = [text for text in self._texts(shown) if text.removeprefix(SAID).strip()]
        if not over:
            line = now(self._answer[-1], self._chat)
            return [self._question, message("assistant", *blocks, own(line))]
        line = fate(self._answer, self._chat, last=self._last)
        self._over = [self._question, message("assistant", *blocks, own(line))]
        return self._over

    def _texts(self, shown: int | None) -> Iterable[str]:
        transcript = self._answer[-1].transcript
        left = transcript.length if shown is None else shown
        proses = [block for block in transcript.blocks if isinstance(block, Prose)]
        yield from self._before
        if not left or not proses:
            yield said(self._left_off)
            return
        for i, prose in enumerate(proses):
            if i == len(self._shown):
                self._shown.append(said("" if i else self._left_off))
                self._read.append(0)
            length = min(prose.body.length, left)
            left -= length
            if length > self._read[i]:
                self._shown[i] += _escaped(prose.text[self._read[i] : length])
                self._read[i] = length
            yield self._shown[i]


def _asked(exchange: Exchange, chat: Conversation | None) -> Message:
    """The question, with what can be done with it."""
    branches = chat.branches if chat else []
    edited = [link(to) for to in branches if to.run in exchange.versions]
    where = f'<span class="edited">Edited in {", ".join(edited)}</span>' if edited else ""
    return question(
        exchange.question, f'<div class="asking">{where}{button("edit", exchange.run, "Edit")}</div>'
    )


def above(chat: Conversation, shown: int) -> list[Message]:
    """What stands above the last `shown` exchanges: how many are not drawn, and where it began."""
    parts = []
    if hidden := len(answers(chat.exchanges[: len(chat.exchanges) - shown])):
        parts.append(f"<p>{button('earlier', '', f'Show earlier messages ({2 * hidden:,})')}</p>")
    if chat.origin is not None:
        parts.append(f"<p>Began in {link(chat.origin)}</p>")
    return [message("assistant", own(f'<div class="above">{"".join(parts)}</div>'))] if parts else []


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
