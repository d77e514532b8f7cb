"""The line under an answer: what happens now, and at the end how it ended and what can be done with it.

HTML of our own, on one line, for Gradio's Markdown. Its sanitizer lets buttons through, and of their
attributes what we need: `class` and `title` (gradio_fixes, 10). So a button names its run by a class,
and static/actions.js listens to them all at once. `bubbles` puts the line below the answer's words.
"""

import html
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from chat import outcomes
from chat.conversations import Exchange
from chat.models import shown
from chat.transcript import Transcript
from chat.ui import words


def now(exchange: Exchange, chat: str = "") -> str:
    """What happens at this moment."""
    phase, names = exchange.transcript.phase.phase, _names(exchange, chat)
    return f'<div class="now {phase} {names}">{plain(words.doing(exchange.transcript))}</div>'


def fate(answer: Sequence[Exchange], chat: str = "", *, last: bool = True) -> str:
    """How it ended: remarks, sources, failure, footer, buttons. `last`: nothing follows this answer.

    Before it, where it was left off and went on: the run of the last line is the last one's.
    """
    exchange = answer[-1]
    transcript = exchange.transcript
    parts = [f'<p class="notice">{plain(text)}</p>' for text in _notices(answer)]
    sources = dict.fromkeys(source for each in answer for source in each.transcript.sources)
    if links := [link for source in sources if (link := _link(source.title, source.url))]:
        parts.append(f'<p class="sources">Sources: {", ".join(links)}</p>')
    if transcript.failure is not None and transcript.state != "stopped":
        parts.append(f'<p class="failure">{plain(transcript.failure.message)}</p>')
    parts.append(f'<p class="footer">{_in_a_row(footer(exchange))}</p>')
    parts.append(f'<p class="actions">{"".join(_actions(exchange, last))}</p>')
    seams = "".join(map(_seam, answer, answer[1:]))
    return seams + f'<div class="fate {transcript.state} {_names(exchange, chat)}">{"".join(parts)}</div>'


def _seam(left: Exchange, right: Exchange) -> str:
    """`demo:tour · stopped after 312 characters · continued with demo:fast`"""
    before, after = left.transcript, right.transcript
    ending = outcomes.ending(before)
    parts = [
        shown(before.model or left.options.model or ""),
        f"{ending[0].lower()}{ending[1:]} after {before.length:,} characters",
        f"continued with {shown(after.model or right.options.model or '')}",
    ]
    versions = _versions(left) if len(left.versions) > 1 and left.run in left.versions else ""
    return f'<div class="seam run-{left.run}">{_in_a_row(filter(None, parts))}{versions}</div>'


def _in_a_row(parts: Iterable[str]) -> str:
    # A dot ends a line, and begins none.
    return '<span class="dot">&nbsp;· </span>'.join(f"<span>{plain(part)}</span>" for part in parts)


def _notices(answer: Sequence[Exchange]) -> Iterable[str]:
    return dict.fromkeys(notice.text for each in answer for notice in each.transcript.notices)


def footer(exchange: Exchange) -> list[str]:
    """`demo:tour`, `temperature 0.7`, `0.3 s to first word`, `82 tok/s`, `done`, as far as they are known."""
    transcript, options = exchange.transcript, exchange.options
    parts = [shown(transcript.model)] if transcript.model else []
    if options.temperature is not None:
        parts.append(f"temperature {options.temperature:g}")
    if options.effort:
        parts.append(f"effort {options.effort}")
    if transcript.first_text is not None:
        parts.append(f"{seconds(transcript.first_text)} to first word")
    if (rate := _rate(transcript)) is not None:
        parts.append(f"{rate:.0f} tok/s")
    elif transcript.length:
        parts.append(f"{transcript.length:,} characters")
    ending = outcomes.ending(transcript)
    return [*parts, ending[0].lower() + ending[1:]]


def button(act: str, run: str, text: str, name: str = "", *, chosen: bool = False) -> str:
    """`name`: what it is called where `text` is but a sign."""
    titled = f' title="{name}"' if name else ""
    return f'<button class="act {act}{" chosen" if chosen else ""} of-{run}"{titled}>{text}</button>'


def continuable(transcript: Transcript) -> bool:
    """It was left off in the middle of its words."""
    left_off = transcript.stop in ("length", "other") or transcript.failure is not None
    return left_off and transcript.length > 0 and bool(transcript.text.strip())


def _actions(exchange: Exchange, last: bool) -> list[str]:
    run = exchange.run
    buttons = []
    if last:
        onward = button("continue", run, "Continue") if continuable(exchange.transcript) else ""
        buttons.append(f'<span class="onward">{onward}{button("again", run, "Try again")}</span>')
    if len(exchange.versions) > 1 and run in exchange.versions:
        buttons.append(_versions(exchange))
    if exchange.transcript.length:
        for thumb, act, name in ((1, "up", "Good answer"), (-1, "down", "Bad answer")):
            chosen = exchange.thumb == thumb
            buttons.append(button(act, run, "", f"{name}, marked" if chosen else name, chosen=chosen))
    buttons.append(button("look", run, "Activity"))
    return buttons


def _versions(exchange: Exchange) -> str:
    """‹ 2 / 3 ›"""
    versions = exchange.versions
    place = versions.index(exchange.run)
    before, after = versions[place - 1 : place], versions[place + 1 : place + 2]
    return (
        '<span class="versions">'
        + "".join(button("version", run, "‹", "Version before") for run in before)
        + f"<span>{place + 1} / {len(versions)}</span>"
        + "".join(button("version", run, "›", "Next version") for run in after)
        + "</span>"
    )


def seconds(value: float) -> str:
    if value < 0.095:
        return f"{max(1, 1000 * value):.0f} ms"
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


def _names(exchange: Exchange, chat: str) -> str:
    """Run and chat, as classes: so the page's scripts know what is shown."""
    return f"run-{exchange.run}" + (f" chat-{chat}" if chat else "")


def _link(title: str, url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme in ("http", "https") and parts.hostname:
        # The check above drops line breaks before it looks.
        address = _UNFIT.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), url)
        attributes = f'href="{html.escape(address)}" target="_blank" rel="noopener noreferrer"'
        return f"<a {attributes}>{plain(title or url)}</a>"
    return f"<span>{plain(title or url)}</span>"


_UNFIT = re.compile(r"""[\s\x00-\x20\x7f-\x9f<>"'`\\$]""")
"""In an address: what would end its attribute, its line, or the HTML around it."""

# Gradio looks for formulas before it reads HTML, and Markdown ends a block of HTML at a blank line.
_INERT = {ord("$"): "&#36;", ord("\\"): "&#92;", ord("`"): "&#96;", ord("\r"): None}


def plain(text: str, *, breaks: bool = False) -> str:
    """`text` as HTML that shows it as it is."""
    return html.escape(text).translate(_INERT).replace("\n", "<br>" if breaks else " ")
