"""The demo model's ear and tongue: what it reads out of a question, and how it words an answer.

Pure functions and short texts; `scripts` puts them in order. The longer texts are Markdown
files in `texts/`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chat.messages import ToolResult

Wanted = tuple[str, Mapping[str, Any]]
"""A tool's name and its arguments."""


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
    "Hello, and welcome. Ask me to `think aloud` or to `show me Markdown`, or say `help` for the whole list.",
)

_PERSONAS = (
    (r"\bbike|bicycle|cycling", "a bike-shop assistant"),
    (r"documentation|\bdocs\b", "a documentation assistant"),
    (r"support|customer", "customer support"),
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

_ZONES = {
    "amsterdam": "Europe/Amsterdam",
    "athens": "Europe/Athens",
    "auckland": "Pacific/Auckland",
    "bangkok": "Asia/Bangkok",
    "beijing": "Asia/Shanghai",
    "berlin": "Europe/Berlin",
    "bern": "Europe/Zurich",
    "cairo": "Africa/Cairo",
    "chicago": "America/Chicago",
    "delhi": "Asia/Kolkata",
    "dublin": "Europe/Dublin",
    "geneva": "Europe/Zurich",
    "hong kong": "Asia/Hong_Kong",
    "istanbul": "Europe/Istanbul",
    "lagos": "Africa/Lagos",
    "lima": "America/Lima",
    "lisbon": "Europe/Lisbon",
    "london": "Europe/London",
    "los angeles": "America/Los_Angeles",
    "madrid": "Europe/Madrid",
    "mexico city": "America/Mexico_City",
    "mumbai": "Asia/Kolkata",
    "nairobi": "Africa/Nairobi",
    "new york": "America/New_York",
    "oslo": "Europe/Oslo",
    "paris": "Europe/Paris",
    "prague": "Europe/Prague",
    "rome": "Europe/Rome",
    "san francisco": "America/Los_Angeles",
    "seoul": "Asia/Seoul",
    "shanghai": "Asia/Shanghai",
    "singapore": "Asia/Singapore",
    "stockholm": "Europe/Stockholm",
    "sydney": "Australia/Sydney",
    "são paulo": "America/Sao_Paulo",
    "tokyo": "Asia/Tokyo",
    "toronto": "America/Toronto",
    "utc": "UTC",
    "vienna": "Europe/Vienna",
    "warsaw": "Europe/Warsaw",
    "zurich": "Europe/Zurich",
    "zürich": "Europe/Zurich",
}

MOST_CALLS = 4


# -- the ear ---------------------------------------------------------------------------------


def wanted(question: str, system: str = "") -> list[Wanted]:
    """The tool calls that answer `question`, in its order. Empty: it asks for none."""
    calls: list[Wanted] = []
    for clause in re.split(r"[?;]|,?\s+and\s+(?=what|the\b|how|tell)", question):
        lower = clause.lower()
        if re.search(r"\bsearch|look up|\bdocs\b|documentation", lower):
            calls.append(("search_docs", {"query": _topic(clause)}))
        elif re.search(r"weather|forecast|temperature in\b|how (warm|cold|hot) is it", lower):
            calls += [("get_weather", {"location": place}) for place in _places(clause) or ["Zurich"]]
        elif re.search(
            r"what time|\btime is it|\btime in\b|current time|o'clock|what day is|date in\b", lower
        ):
            calls += [("current_time", {"timezone": _zone(p)}) for p in _places(clause) or ["UTC"]]
        elif sum_ := expression(clause):
            calls.append(("calculate", {"expression": sum_}))
    if not calls and question.strip() and persona(system) == "a documentation assistant":
        calls.append(("search_docs", {"query": _topic(question)}))
    return calls[:MOST_CALLS]


def expression(text: str) -> str:
    """The sum in `text` in the calculator's spelling, or ""."""
    text = re.sub(r"(?<=\d)[,'’](?=\d{3}\b)", "", text)
    text = text.translate(str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})).replace(
        "^", "**"
    )
    text = re.sub(r"(?<=\d)\s*x\s*(?=\d)", " * ", text)
    text = re.sub(r"(\d+(?:\.\d+)?)\s*(?:%|percent) of (\d)", r"\1 / 100 * \2", text)
    text = re.sub(r"(?:square )?root of (\d+(?:\.\d+)?)", r"\1 ** 0.5", text)
    for found in re.findall(r"[-(]*\d[\d\s.()+\-*/%]*[\d)]", text):
        if re.search(r"[\d)]\s*[+\-*/%]+\s*[-(]*\d", found):
            return re.sub(r"\s+", " ", found)
    return "23 * 19 + 4" if re.search(r"calculat|add up", text.lower()) else ""


def persona(system: str) -> str:
    """Which of the known personas the system prompt reads like, or ""."""
    return next((who for pattern, who in _PERSONAS if re.search(pattern, system.lower())), "")


def _places(clause: str) -> list[str]:
    known = sorted(
        (clause.lower().find(city), city) for city in _ZONES if re.search(rf"\b{city}\b", clause.lower())
    )
    if known:
        return [clause[at : at + len(city)].title() for at, city in known]
    name = r"[^\W\d_a-z][\w/'’-]*(?: [^\W\d_a-z][\w'’-]*)*"
    found = re.search(rf"\b(?:in|for|at)\s+({name}(?:(?:,\s*|\s+(?:and|or)\s+){name})*)", clause)
    return re.split(r",\s*|\s+(?:and|or)\s+", found[1]) if found else []


def _zone(place: str) -> str:
    return _ZONES.get(place.lower(), place)


def _topic(clause: str) -> str:
    found = re.search(r"\b(?:for|about|on)\s+(.+)", clause, re.DOTALL)
    return (found[1] if found else clause).strip(" .!?\"'“”«»")[:200]


# -- the tongue --------------------------------------------------------------------------------


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def quoted(text: str, most: int = 80) -> str:
    """`text` on one line, in quotation marks, shortened, with nothing that Markdown would read."""
    line = " ".join(text.split())
    line = line if len(line) <= most else line[: most - 1].rstrip() + "…"
    return "“" + re.sub(r"([\\`*_{}\[\]<>#$|~!])", r"\\\1", line) + "”"


def thoughts(effort: str | None) -> tuple[str, ...]:
    """The thinking aloud, longer with more effort."""
    return _THOUGHTS[2:3] if effort == "low" else _THOUGHTS if effort == "high" else _THOUGHTS[:3]


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
    return (
        f"These questions do not wait for each other, so I ask them side by side: {names}."
    )


def before_calls(calls: Sequence[Wanted]) -> str:
    names = listed(list(dict.fromkeys(f"`{name}`" for name, _ in calls)))
    if len(calls) == 1:
        return f"I ask {names}.\n\n"
    return f"I ask {names}, side by side.\n\n"


def answer(result: ToolResult, arguments: Mapping[str, Any]) -> str:
    """What a tool found, in words. Never more than it said."""
    asked = str(next(iter(arguments.values()), ""))
    about = f" for {quoted(asked)}" if asked else ""
    if result.error:
        return f"`{result.name}`{about} did not work. It says: {quoted(result.text, 300)}"
    match result.name:
        case "calculate":
            return f"`{asked}` makes **{value(result)}**."
        case "current_time":
            return f"The clock{about} says: **{value(result)}**."
        case "get_weather":
            return f"The weather{about}:\n\n{_lines(result)}"
        case "search_docs":
            return f"The documents{about}:\n\n{_lines(result)}"
        case _:
            return f"`{result.name}`{about} says:\n\n{_lines(result)}"


def value(result: ToolResult) -> str:
    """The result as one short text."""
    data = _data(result)
    if isinstance(data, dict):
        named = [data[key] for key in ("result", "value", "time", "local_time", "datetime") if key in data]
        data = named[0] if named else ", ".join(f"{k} {v}" for k, v in data.items())
    return str(data)


def _data(result: ToolResult) -> Any:
    try:
        return json.loads(result.text)
    except ValueError:
        return result.text


def _lines(result: ToolResult) -> str:
    data = _data(result)
    if isinstance(data, dict):
        return "\n".join(f"- {k.replace('_', ' ')}: {_inline(v)}" for k, v in data.items())
    if isinstance(data, list):
        return "\n".join(f"- {_inline(v)}" for v in data[:5]) or "nothing found."
    return "\n".join("> " + line for line in str(data)[:1200].splitlines())


def _inline(data: Any) -> str:
    if isinstance(data, dict):
        return ", ".join(f"{k.replace('_', ' ')} {_inline(v)}" for k, v in data.items())
    if isinstance(data, list):
        return "; ".join(_inline(v) for v in data)
    return " ".join(str(data).split())
