"""Values in few words, for the activity view: arguments, results, figures."""

import json
from itertools import islice
from typing import Any

from chat.events import Usage

LARGEST = 200_000
"""Characters of JSON that are still set out in lines."""


TOO_DEEP = "(nested too deeply to be shown)"


def line(value: Any, otherwise: str = TOO_DEEP) -> str:
    """A value in a few words; `otherwise` when it is nested too deeply."""
    try:
        return _line(value)
    except RecursionError:
        return one_line(otherwise)


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return one_line(", ".join(f"{name}: {_line(each)}" for name, each in islice(value.items(), 20)))
    if isinstance(value, list | tuple):
        return one_line(", ".join(map(_line, islice(value, 20))))
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def one_line(text: str) -> str:
    line = " ".join(text[:400].split())
    return line if len(line) <= 120 and len(text) <= 400 else line[:119] + "…"


def pretty(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return _set_out(value)
    except RecursionError:
        return TOO_DEEP


def _set_out(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def pretty_json(text: str) -> str:
    if len(text) > LARGEST:
        return text
    try:
        value = json.loads(text)
        return value if isinstance(value, str) else _set_out(value)
    except (ValueError, RecursionError):
        return text


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…\n({len(text):,} characters in all)"


def usage(usage: Usage) -> str:
    if usage.input is None and usage.output is None:
        return ""
    parts: list[str] = []
    if usage.input is not None:
        cached = f" ({usage.cached:,} cached)" if usage.cached else ""
        parts.append(f"{usage.input:,} tokens in{cached}")
    if usage.output is not None:
        thinking = f" ({usage.thinking:,} thinking)" if usage.thinking else ""
        parts.append(f"{usage.output:,} {'out' if parts else 'tokens out'}{thinking}")
    if usage.cost is not None:
        parts.append(f"${usage.cost:.6f}".rstrip("0").rstrip("."))
    return " · ".join(parts)
