"""The activity view: what happens while an answer arrives, live, beside the chat.

A gr.HTML whose template is empty and whose script (static/activity.js) builds the elements from a
JSON value, with `textContent` only: it keeps what the reader opened, and it never runs a model's
`${...}` as script, as a template with the value in it would. An update costs 6 to 10 ms in the
browser, at 1 kB of thinking and at 100 kB alike (nearly all of it Gradio's own; the Chatbot's
thoughts: 19 ms at 5 kB, 54 at 50). Of a text that only grows Gradio sends the new part alone, so
items keep their place in the list and their texts are only appended to.

`view` makes the value from a transcript; it knows nothing of runs or of the page.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from chat import outcomes
from chat.events import Citation
from chat.extract import NOTHING, find_json
from chat.models import shown
from chat.transcript import Call, Phase, Step, Thought, Transcript
from chat.ui import brief, words
from chat.ui.scripted import scripted
from chat.unicode import whole_all

EMPTY: dict[str, Any] = {}
"""The value before the first question."""

LONGEST = 4_000
"""Characters of a tool's arguments or result that are shown; the size is said of what is longer."""

LONGEST_THOUGHT = 100_000
"""Characters of one thought that are shown."""

LARGEST_JSON = 200_000
"""Characters of JSON that are sent to be unfolded."""

NOISE = 0.01
"""Seconds. A step that was over sooner is not worth a line."""

_RUNS: WeakKeyDictionary[Transcript, int] = WeakKeyDictionary()
_NUMBERS = count()
"""Tell one run from the next, so that the script begins anew."""


def component() -> gr.HTML:
    """The view, empty. Its value is what `view` returns, or `EMPTY`."""
    return scripted("activity", "elements.js", "tree.js", "activity.js", value=EMPTY)


@dataclass(frozen=True, slots=True)
class LeftOff:
    """What an answer goes on from, as `view` shows it before its own."""

    items: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    sources: list[Citation] = field(default_factory=list)
    text: str = ""


def left_off(before: Iterable[Transcript]) -> LeftOff:
    """Of the runs `before` the one that is shown, oldest first. Their ids differ from that one's."""
    found, texts = LeftOff(), list[str]()
    for n, transcript in enumerate(before):
        found.items.extend({**item, "id": f"{n}.{item['id']}"} for item in _items(transcript))
        seam = f"{outcomes.ending(transcript)}, then continued"
        found.items.append({"id": f"{n}.on", "kind": "progress", "text": seam})
        found.notices.extend(notice.text for notice in transcript.notices)
        found.sources.extend(transcript.sources)
        texts.append(transcript.text)
    return replace(found, text="".join(texts))


def view(
    transcript: Transcript, elapsed: float, *, earlier: bool = False, left_off: LeftOff | None = None
) -> dict[str, Any]:
    """The value for `component`, as plain JSON. `elapsed`: seconds since the run began, by its own clock.

    `earlier`: it is not the last answer's, and the view offers the way back to that one.
    """
    before = left_off or LeftOff()
    over = transcript.ended is not None
    value = {
        "elapsed": round(transcript.ended or 0.0 if over else elapsed, 2),
        "run": _RUNS.setdefault(transcript, next(_NUMBERS)),
        "state": transcript.state,
        "phase": transcript.phase.phase,
        "words": outcomes.ending(transcript) if over else words.doing(transcript),
        "detail": transcript.phase.detail if transcript.phase.phase == "retrying" else "",
        "began": round(transcript.phase.began, 2),
        "items": [*before.items, *_items(transcript)],
        "notices": list(dict.fromkeys([*before.notices, *(each.text for each in transcript.notices)])),
        "failure": transcript.failure.message if transcript.failure and transcript.state != "stopped" else "",
        "sources": [
            [source.title, source.url] for source in dict.fromkeys([*before.sources, *transcript.sources])
        ],
        "json": _json(before.text + transcript.text) if over else "",
        "usage": brief.usage(transcript.usage),
        "request": _request(transcript),
        "earlier": earlier,
    }
    return whole_all(value)


# -- what happened, in order ----------------------------------------------------------------

_PAST: dict[Phase, str] = {
    "queued": "Queued",
    "connecting": "Connected",
    "waiting": "Waited for the model",
    "writing": "Wrote",
    "retrying": "Waited to try again",
}
"""Steps that get a line of their own once they are over. Thoughts and calls have cards."""


def _items(transcript: Transcript) -> list[dict[str, Any]]:
    """Steps, thoughts, calls and progress by the time they began. An item never changes its place."""
    timed: list[tuple[float, dict[str, Any]]] = []
    ends = [step.began for step in transcript.steps[1:]]
    for n, (step, end) in enumerate(zip(transcript.steps, ends, strict=False)):
        if step.phase in _PAST and end - step.began >= NOISE:
            timed.append((step.began, _step(f"s{n}", step, end)))
    for n, block in enumerate(transcript.blocks):
        match block:
            case Thought():
                timed.append((block.began, _thought(f"t{n}", block, transcript)))
            case Call():
                timed.append((block.began, _call(f"c{n}", block, transcript)))
            case _:
                pass
    for n, (at, text) in enumerate(transcript.progress):
        timed.append((at, {"id": f"p{n}", "kind": "progress", "text": brief.cut(text, 500)}))
    timed.sort(key=lambda pair: pair[0])
    return [item for _, item in timed]


def _step(id: str, step: Step, end: float) -> dict[str, Any]:
    detail = brief.cut(step.detail, 500) if step.phase == "retrying" else ""
    seconds = round(end - step.began, 3)
    return {"id": id, "kind": "step", "words": _PAST[step.phase], "detail": detail, "seconds": seconds}


def _thought(id: str, thought: Thought, transcript: Transcript) -> dict[str, Any]:
    ended = thought.ended if thought.ended is not None else transcript.ended
    return {
        "id": id,
        "kind": "thought",
        "text": thought.text[:LONGEST_THOUGHT],
        "more": max(0, thought.body.length - LONGEST_THOUGHT),
        "began": round(thought.began, 2),
        "seconds": None if ended is None else round(ended - thought.began, 3),
    }


def _call(id: str, call: Call, transcript: Transcript) -> dict[str, Any]:
    state = _state(call, transcript)
    preparing = state == "preparing"
    over = call.seconds is not None
    result = "" if not over or call.error is not None else brief.pretty(call.result)
    return {
        "id": id,
        "kind": "call",
        "name": call.name,
        "where": call.where,
        "state": state,
        # While they stream in, as they are: a text that only grows.
        "arguments": call.text[:LONGEST] if preparing else brief.cut(brief.pretty_json(call.text), LONGEST),
        "short": "" if preparing else _short(call),
        "result": brief.cut(result, LONGEST),
        "line": brief.line(call.result) if over and call.error is None else "",
        "error": brief.cut(call.error or "", LONGEST),
        "began": round(call.began if call.running is None else call.running, 2),
        "seconds": None if call.seconds is None else round(call.seconds, 4),
    }


def _state(call: Call, transcript: Transcript) -> str:
    """`preparing`, `running`, `done`, `failed`, or `left`: the turn ended before the call did."""
    if call.seconds is not None:
        return "done" if call.error is None else "failed"
    if transcript.ended is not None:
        return "done" if call.where == "provider" and transcript.failure is None else "left"
    if call.running is not None:
        return "running"
    latest = transcript.phase.phase == "calling" and transcript.blocks[-1] is call
    if call.where == "provider":
        # Not every vendor says when its own tool is over; when something else goes on, it is.
        return "running" if latest else "done"
    return "preparing"


def _short(call: Call) -> str:
    """The arguments in a few words: `12*7`, or `city: Paris, days: 3`."""
    arguments = call.arguments
    if arguments is None:
        try:
            arguments = json.loads(call.text)
        except (ValueError, RecursionError):
            return brief.one_line(call.text)
    if isinstance(arguments, dict) and len(arguments) == 1:
        arguments = next(iter(arguments.values()))
    return brief.line(arguments, otherwise=call.text)


# -- the rest ------------------------------------------------------------------------------


def _json(answer: str) -> str:
    """JSON found in the answer, as text: the browser builds the tree when it is unfolded."""
    value = find_json(answer)
    if value is NOTHING or _trivial(value):
        return ""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""
    return (
        text if len(text) <= LARGEST_JSON else json.dumps(f"({len(text):,} characters, too many to unfold)")
    )


def _trivial(value: Any) -> bool:
    """A `[1]` in prose is a footnote."""
    return not value or (
        isinstance(value, list) and len(value) == 1 and not isinstance(value[0], dict | list)
    )


def _request(transcript: Transcript) -> list[list[str]]:
    """What was asked for: the model, then each setting that was sent."""
    if not transcript.model:
        return []
    settings = {"model": shown(transcript.model), **transcript.settings}
    return [
        [name.replace("_", " "), brief.cut(brief.line(value) if name != "system" else str(value), 2_000)]
        for name, value in settings.items()
        if value is not None and value not in ("", [], ())
    ]
