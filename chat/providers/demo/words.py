"""How the demo model words things: its short texts, and what tools found, told in a sentence.

Pure functions; `scripts` puts them in order. The longer texts are Markdown files in `texts/`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from chat.messages import ToolResult
from chat.providers.demo.questions import Wanted


class Example(NamedTuple):
    """A prompt that shows something: a short label, and what is sent."""

    label: str
    text: str


EXAMPLES = (
    Example("Markdown, as it streams", "Show me Markdown: a table, code and maths"),
    Example(
        "Thinking aloud",
        "Think aloud: a bicycle and a bell cost 110 together, and the bicycle costs 100 more than the bell. "
        "What does the bell cost?",
    ),
    Example("Two tools at work", "What is 23 × 19 + 4, and what time is it in Tokyo?"),
    Example("A failure in mid-stream", "Fail in mid-stream, please"),
)

OPENINGS = (
    "I have no script for {question}, and a script is all that I am.",
    "A real model would have something to say to {question}. I am only the demo, and pass.",
    "{question} is beyond me: I know a handful of tricks, and that is not one of them.",
    "I read {question} and found no word in it that I know. I am a script, so I will not guess.",
)

IDEAS = (
    ("show me Markdown", "headings, lists, a table, code and maths"),
    ("think aloud", "the thinking before the answer"),
    ("what time is it in Tokyo?", "a tool, really run"),
    ("weather in Lisbon", "a tool that asks the network"),
    ("search the docs for deadlines", "an answer from documents, with its sources"),
    ("step by step", "one tool after another"),
    ("write a long answer", "two thousand words, as they come"),
    ("some JSON, please", "structured data as a tree"),
    ("fail in mid-stream", "what a failure looks like, and that the chat goes on"),
    ("rate limit", "a first try turned away, a second that works"),
    ("what did I ask before?", "what a conversation remembers"),
)

GREETINGS = (
    "Hello! I am the demo model, a script that shows what Runnel can do. Say `tour` for a short tour.",
    "Good to see you. I am a script with a few tricks; `tour` shows the best of them.",
    "Hello, and welcome. I am a script: ask me to `think aloud` or to `show me Markdown`, or say `help`.",
)

PERSONA_TEXTS = {"a bike-shop assistant": "bike_shop", "customer support": "support"}
"""The text of a persona that has one."""

_THOUGHTS = (
    "A bicycle and a bell cost 110 together. The bicycle costs 100 more than the bell. "
    "The quick answer is 10 for the bell. Let me check that before I say it.\n\n",
    "If the bell costs 10, the bicycle costs 10 + 100 = 110, and both cost 120. That is 10 too much, "
    "so the quick answer is wrong.\n\n",
    "Call the bell b. Then b + (b + 100) = 110, so 2b = 10 and b = 5. The bicycle costs 105. "
    "Check: 105 + 5 = 110, and 105 - 5 = 100. Both hold.\n\n",
    "Is there a second solution? The equation is linear in b with one unknown, so there is exactly one. "
    "I should also say why 10 is tempting: 110 falls into 100 and 10 so nicely that one forgets to check.",
)


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def quoted(text: str, most: int = 80) -> str:
    """`text` on one line, in quotation marks, shortened, with nothing that Markdown would read."""
    line = " ".join(text.split())
    line = line if len(line) <= most else line[: most - 1].rstrip() + "…"
    return f"“{escaped(line)}”"


def escaped(text: str) -> str:
    # Not `\[`: to a page that shows maths it begins a formula.
    text = re.sub(r"([\\`*_{}<>#$|~!])", r"\\\1", text)
    return text.replace("[", "&#91;").replace("]", "&#93;")


def thoughts(effort: str | None) -> tuple[str, ...]:
    """The thinking aloud, longer with more effort."""
    chosen = {"low": _THOUGHTS[2:3], "high": _THOUGHTS}.get(effort or "", _THOUGHTS[:3])
    return (*chosen[:-1], chosen[-1].rstrip())


def musing(question: str) -> str:
    """What a model that always thinks thinks first."""
    asked = quoted(question) if question.strip() else "nothing at all"
    return (
        f"The question is {asked}. I look for a word in it that I know, choose the script that goes with it, "
        "and then say it a few letters at a time. That is all the thinking there is in me."
    )


def plan(calls: Sequence[Wanted]) -> str:
    names = listed([f"{name}({', '.join(map(str, arguments.values()))})" for name, arguments in calls])
    if len(calls) == 1:
        return f"I cannot know this by heart, so I ask a tool: {names}."
    return f"These questions do not wait for each other, so I ask them side by side: {names}."


def before_calls(calls: Sequence[Wanted]) -> str:
    names = listed(list(dict.fromkeys(f"`{name}`" for name, _ in calls)))
    if len(calls) == 1:
        return f"I ask {names}."
    return f"I ask {names}, side by side."


def answer(result: ToolResult, arguments: Mapping[str, Any]) -> str:
    """What a tool found, in words. Never more than it said."""
    asked = str(next(iter(arguments.values()), ""))
    if result.error:
        about = f" for {quoted(asked)}" if asked else ""
        return f"`{result.name}`{about} did not work. It says: {quoted(result.text, 300)}"
    data = _data(result)
    match result.name, data:
        case "calculate", _:
            return f"`{asked}` makes **{value(result)}**."
        case "current_time", {"time": str(time), "timezone": str(zone)} if at := _clock(time):
            place = zone.rpartition("/")[2].replace("_", " ")
            return f"{place}: it is **{at:%H:%M}** on {at:%A}, {at.day} {at:%B %Y} ({zone})."
        case "get_weather", {"place": str(place), "conditions": str(sky), "temperature": str(warm)}:
            feels, wind = data.get("feels_like"), data.get("wind")
            return (
                f"{_inline(place)}: **{_inline(warm)}**, {_inline(sky)}"
                + (f", feels like {_inline(feels)}" if feels else "")
                + (f", wind {_inline(wind)}" if wind else "")
                + "."
            )
        case "search_docs", {"results": []}:
            return f"The documents say nothing about {quoted(asked)}. Other words may find more."
        case "search_docs", {"results": [dict(), *_] as found}:
            hits = "\n".join(
                f"{n}. **{_inline(hit.get('title'))}** (`{hit.get('source')}`): "
                + quoted(_bare(str(hit.get("text"))), 200)
                for n, hit in enumerate(found[:3], 1)
            )
            return f"This is what the documents say about {quoted(asked)}:\n\n{hits}"
        case _:
            return f"`{result.name}` says:\n\n> {_inline(data)}"


def value(result: ToolResult) -> str:
    """The result as one short text, 100.0 as 100."""
    data = _data(result)
    return _inline(int(data) if isinstance(data, float) and data.is_integer() else data)


def _data(result: ToolResult) -> Any:
    try:
        return json.loads(result.text)
    except (ValueError, RecursionError):
        return result.text


def _bare(text: str) -> str:
    """A piece of Markdown as a sentence: links by their words, no marks, no rules of tables."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[`*|#]|-{3,}", "", text)


def _clock(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _inline(data: Any) -> str:
    """`data` on one line, with nothing that Markdown would read."""
    if isinstance(data, dict):
        return ", ".join(f"{k.replace('_', ' ')} {_inline(v)}" for k, v in data.items())
    if isinstance(data, list):
        return "; ".join(_inline(v) for v in data)
    return escaped(" ".join(str(data).split()))
