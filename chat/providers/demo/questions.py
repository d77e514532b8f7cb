"""What the demo model reads out of a question: sums, places, topics, and who the system prompt means.

Pure functions, no understanding: they look for words. `scripts` calls them.
"""

import re
from collections.abc import Mapping
from typing import Any

Wanted = tuple[str, Mapping[str, Any]]
"""A tool's name and its arguments."""


_PERSONAS = (
    (r"\bbike|bicycle|cycling", "a bike-shop assistant"),
    (r"documentation|\bdocs\b", "a documentation assistant"),
    (r"support|customer", "customer support"),
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

_SPELT = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "^": "**"})

LONGEST_READ = 2_000
"""Characters of a question, or of a system prompt, that are read. Patterns may take quadratic time."""

MOST_CALLS = 4
"""Side by side, so that a long list of cities stays a demonstration."""


def wanted(question: str, system: str = "") -> list[Wanted]:
    """The tool calls that answer `question`, in its order. Empty: it asks for none."""
    question = question[:LONGEST_READ]
    calls: list[Wanted] = []
    for clause in re.split(r"[?;]|,?(?<!\s)\s+and\s+(?=what|the\b|how|tell)", question):
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
    text = text[:LONGEST_READ]
    text = re.sub(r"(?<=\d)[,'’](?=\d{3}\b)", "", text)
    text = text.translate(_SPELT)
    text = re.sub(r"(?<=\d)\s*x\s*(?=\d)", " * ", text)
    text = re.sub(r"(?<!\d)(\d+(?:\.\d+)?)\s*(?:%|percent) of (\d)", r"\1 / 100 * \2", text)
    text = re.sub(r"(?:square )?root of (\d+(?:\.\d+)?)", r"\1 ** 0.5", text)
    for found in re.findall(r"[-(]*\d[\d\s.()+\-*/%]*[\d)]", text):
        if re.search(r"[\d)]\s*[+\-*/%]+\s*[-(]*\d", found):
            return re.sub(r"\s+", " ", found)
    return "23 * 19 + 4" if re.search(r"calculat|add up", text.lower()) else ""


def persona(system: str) -> str:
    """Which of the known personas the system prompt reads like, or ""."""
    read = system[:LONGEST_READ].lower()
    return next((who for pattern, who in _PERSONAS if re.search(pattern, read)), "")


def _places(clause: str) -> list[str]:
    """Names after “in”, written large; else the cities that are known, however written."""
    name = r"[^\W\d_a-z][\w/'’-]*(?: [^\W\d_a-z][\w'’-]*)*"
    found = re.search(rf"\b(?:in|for|at)\s+({name}(?:(?:,\s*|\s+(?:and|or)\s+){name})*)", clause)
    if found:
        return re.split(r",\s*|\s+(?:and|or)\s+", found[1])
    lower = clause.lower()
    known = sorted((lower.find(city), city) for city in _ZONES if re.search(rf"\b{city}\b", lower))
    return [city.title() for _, city in known]


def _zone(place: str) -> str:
    return _ZONES.get(place.lower(), place)


def _topic(clause: str) -> str:
    found = re.search(r"\b(?:for|about|on)\s+(.+)", clause, re.DOTALL)
    return (found[1] if found else clause).strip(" .!?\"'“”«»")[:200]
