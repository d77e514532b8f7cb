"""What Anthropic's model list tells of a model: how it thinks, how hard, and how much it reads and writes.

Called by `anthropic_messages`. The shape is that of `GET /v1/models` with `capabilities`
(https://platform.claude.com/docs/en/api/models/list); servers that only imitate it give ids alone.
"""

import re
from collections.abc import Mapping
from typing import Any

from chat.models import Model, Thinking

_FAMILY = re.compile(r"claude-(?:([a-z]+)-)?(\d+)(?:[-.](\d{1,2}))?(?=[-@]|$)")
_LAST_WITH_TEMPERATURE = {"opus": (4, 6), "sonnet": (4, 6), "haiku": (4, 5)}


def _temperature(id: str) -> bool | None:
    """Models up to Opus 4.6, Sonnet 4.6 and Haiku 4.5 take one, later ones none; the list does not say so."""
    if (found := _FAMILY.match(id)) is None:
        return None
    family, major, minor = found.groups()
    return (int(major), int(minor or 0)) <= _LAST_WITH_TEMPERATURE.get(family, (4, 0))


def capable(vendor: str, wire: Mapping[str, Any]) -> Model:
    """One entry of the list."""
    can = wire.get("capabilities")
    can = can if isinstance(can, dict) else {}
    return Model(
        vendor,
        wire["id"],
        title=wire.get("display_name") or "",
        context=wire.get("max_input_tokens"),
        max_output=wire.get("max_tokens"),
        temperature=_temperature(wire["id"]),
        thinking=_thinking(can),
        efforts=_efforts(can),
    )


def _supported(can: Mapping[str, Any], *path: str) -> bool:
    for name in path:
        inside = can.get(name)
        can = inside if isinstance(inside, dict) else {}
    return can.get("supported") is True


def _thinking(can: Mapping[str, Any]) -> Thinking | None:
    if not _supported(can, "thinking"):
        return None
    if _supported(can, "thinking", "types", "adaptive"):
        return "adaptive" if _supported(can, "thinking", "types", "disabled") else "always"
    return "enabled" if _supported(can, "thinking", "types", "enabled") else None


def _efforts(can: Mapping[str, Any]) -> tuple[str, ...]:
    thinking = _thinking(can)
    if thinking is None:
        return ()
    named = tuple(
        name for name in ("low", "medium", "high", "xhigh", "max") if _supported(can, "effort", name)
    )
    if thinking == "enabled":  # budgets are ours to choose
        named = ("low", "medium", "high")
    return named if thinking == "always" else ("none", *named)
