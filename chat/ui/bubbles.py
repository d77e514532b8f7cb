"""Turns a conversation into the chatbot's messages.

A question is shown as it was typed. An answer is a list of blocks: its texts, and below them one
line of our own, live while it is being written (what happens now), and at the end the footer (which
model, how long, how it ended), notices, sources and the failure. Texts only grow, so the page
sends no more than what is new. Everything is written as Gradio's own JSON, so that nothing is
converted again at each frame. `page` calls it.
"""

import html
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from chat.conversations import Exchange
from chat.transcript import Prose, Transcript
from chat.ui import words
from chat.ui.markup import Markup
from chat.ui.unicode import clean

Message = dict[str, Any]

RETRY = "retry"
"""Value of the button below a failed answer."""


def message(role: str, *blocks: str, options: list[dict[str, str]] | None = None) -> Message:
    """As gr.Chatbot sends it to the browser."""
    content = [{"type": "text", "text": clean(block)} for block in blocks]
    return {"role": role, "metadata": None, "content": content, "options": options}


def question(text: str) -> Message:
    return message("user", f'<div class="asked">{_plain(text, breaks=True)}</div>')


def remark(text: str) -> Message:
    """A line of the page's own below the conversation, about something that could not be done."""
    return message(
        "assistant", f'<div class="fate failed remark"><p class="failure">{_plain(text)}</p></div>'
    )


class Bubble:
    """The messages of one exchange. Reads its transcript anew at each call, and only what came since."""

    def __init__(self, exchange: Exchange) -> None:
        self._transcript, self._run = exchange.transcript, exchange.run
        self._question = question(exchange.question)
        self._markups: list[Markup] = []
        self._read: list[int] = []
        self._over: list[Message] | None = None

    def messages(self, shown: int | None = None) -> list[Message]:
        """Question and answer, of the answer the first `shown` characters (None: all there is)."""
        if self._over is not None:
            return self._over
        transcript = self._transcript
        over = transcript.ended is not None and (shown is None or shown >= transcript.length)
        blocks = [text for text in self._texts(shown, over) if text.strip()]
        if not over:
            return [self._question, message("assistant", *blocks, now(transcript, self._run))]
        options = [{"label": "Try again", "value": RETRY}] if _retryable(transcript) else None
        self._over = [
            self._question,
            message("assistant", *blocks, fate(transcript, self._run), options=options),
        ]
        return self._over

    def _texts(self, shown: int | None, over: bool) -> Iterable[str]:
        left = self._transcript.length if shown is None else shown
        proses = [block for block in self._transcript.blocks if isinstance(block, Prose)]
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


def now(transcript: Transcript, run: str) -> str:
    """What happens at this moment, as one line of HTML."""
    return f'<div class="now {transcript.phase.phase} run-{run}">{_plain(words.doing(transcript))}</div>'


def fate(transcript: Transcript, run: str) -> str:
    """How it ended, as one line of HTML: remarks, sources, failure, footer."""
    parts = [f'<p class="notice">{_plain(notice.text)}</p>' for notice in transcript.notices]
    if links := [link for source in transcript.sources if (link := _link(source.title, source.url))]:
        parts.append(f'<p class="sources">Sources: {", ".join(links)}</p>')
    if transcript.failure is not None and transcript.state != "stopped":
        parts.append(f'<p class="failure">{_plain(transcript.failure.message)}</p>')
    figures = '<span class="dot"> · </span>'.join(
        f"<span>{_plain(each)}</span>" for each in footer(transcript)
    )
    parts.append(f'<p class="footer">{figures}</p>')
    return f'<div class="fate {transcript.state} run-{run}">{"".join(parts)}</div>'


def footer(transcript: Transcript) -> list[str]:
    """`demo:tour`, `0.3 s to first word`, `82 tok/s`, `done`; what is not known is left out."""
    parts = [transcript.model] if transcript.model else []
    if transcript.first_text is not None:
        parts.append(f"{seconds(transcript.first_text)} to first word")
    if (rate := _rate(transcript)) is not None:
        parts.append(f"{rate:.0f} tok/s")
    elif transcript.length:
        parts.append(f"{transcript.length:,} characters")
    ending = words.ending(transcript)
    return [*parts, ending[0].lower() + ending[1:]]


def seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"


def _rate(transcript: Transcript) -> float | None:
    """Tokens a second while the model was at it: waiting and running tools are not its time."""
    tokens = transcript.usage.output
    if not tokens or transcript.failure is not None or transcript.settings.get("stream") is False:
        return None  # unknown, or it came all at once
    ends = [step.began for step in transcript.steps[1:]]
    spent = sum(
        end - step.began
        for step, end in zip(transcript.steps, ends, strict=False)
        if step.phase in ("thinking", "writing", "calling")
    )
    return tokens / spent if spent >= 0.1 else None


def _retryable(transcript: Transcript) -> bool:
    return transcript.state in ("failed", "interrupted")


def _link(title: str, url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme in ("http", "https") and parts.hostname:
        attributes = f'href="{html.escape(url)}" target="_blank" rel="noopener noreferrer"'
        return f"<a {attributes}>{_plain(title or url)}</a>"
    return f"<span>{_plain(title or url)}</span>"


# Gradio looks for formulas before it reads HTML, and Markdown ends a block of HTML at a blank line.
_INERT = {ord("$"): "&#36;", ord("\\"): "&#92;", ord("`"): "&#96;", ord("\r"): None}


def _plain(text: str, *, breaks: bool = False) -> str:
    return html.escape(text).translate(_INERT).replace("\n", "<br>" if breaks else " ")


def conversation(exchanges: Sequence[Exchange]) -> list[Message]:
    """All of it, as it is now."""
    return [each for exchange in exchanges for each in Bubble(exchange).messages()]
