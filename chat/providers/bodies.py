"""What the protocols' pure body functions share. Nothing here knows a vendor's format."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from chat.messages import Assistant, Message, ToolCall, ToolResults


def without(body: dict[str, Any], omit: Iterable[str]) -> dict[str, Any]:
    """`body` without the parameters in `omit`; `reasoning.summary` leaves out that part of `reasoning`."""
    for path in omit:
        name, _, part = path.partition(".")
        if part and isinstance(inside := body.get(name), dict):
            body[name] = {key: value for key, value in inside.items() if key != part}
        if not part or body.get(name) == {}:
            body.pop(name, None)
    return body


def parsed(arguments: str) -> dict[str, Any]:
    """A call's arguments as an object. What the model wrote amiss is told to it by the call's result."""
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def paired(messages: Sequence[Message]) -> list[Message]:
    """`messages` without calls that have no result and results that have no call.

    A turn that was stopped between the two leaves such halves; every vendor answers them with 400.
    Results count when they follow their call at once.
    """
    kept: list[Message] = []
    for index, message in enumerate(messages):
        match message:
            case Assistant(parts) if any(isinstance(part, ToolCall) for part in parts):
                after = messages[index + 1] if index + 1 < len(messages) else None
                known = {r.id for r in after.results} if isinstance(after, ToolResults) else set()
                kept.append(
                    Assistant(tuple(p for p in parts if not isinstance(p, ToolCall) or p.id in known))
                )
            case ToolResults(results):
                before = messages[index - 1] if index else None
                asked = (
                    {part.id for part in before.parts if isinstance(part, ToolCall)}
                    if isinstance(before, Assistant)
                    else set()
                )
                if left := tuple(result for result in results if result.id in asked):
                    kept.append(ToolResults(left))
            case _:
                kept.append(message)
    return kept
