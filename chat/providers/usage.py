"""What an answer took, as each protocol tells it: the tokens of a `usage` object, and what it cost.

Called by the readings of the protocols. A part that has another form than it should is not looked into; the
figures themselves are checked by `Usage`.
"""

from collections.abc import Mapping
from typing import Any

from chat.events import Usage
from chat.figures import dollars, tokens


def of_chat(wire: Any) -> Usage | None:
    """Of Chat Completions. None where there is nothing."""
    if not isinstance(wire, dict) or not wire:
        return None
    prompt, output, total = (_count(wire, n) for n in ("prompt_tokens", "completion_tokens", "total_tokens"))
    thinking = _first(
        _count(wire, "completion_tokens_details", "reasoning_tokens"), _count(wire, "reasoning_tokens")
    )
    if thinking and (prompt or 0) + (output or 0) + thinking == total:  # xAI leaves the thinking out
        output = (output or 0) + thinking
    cached = _first(
        _count(wire, "prompt_tokens_details", "cached_tokens"),
        _count(wire, "prompt_cache_hit_tokens"),  # DeepSeek
        _count(wire, "cached_tokens"),  # Moonshot
    )
    return Usage(prompt, output, cached, thinking, _cost(wire))


def of_responses(wire: Any) -> Usage | None:
    """Of Responses. None where there is nothing."""
    if not isinstance(wire, dict) or not wire:
        return None
    return Usage(
        _count(wire, "input_tokens"),
        _count(wire, "output_tokens"),
        _count(wire, "input_tokens_details", "cached_tokens"),
        _count(wire, "output_tokens_details", "reasoning_tokens"),
        _cost(wire),
    )


def of_messages(wire: Any) -> Usage | None:
    """Of Messages: input is three figures together, what was read anew, from the cache, and into the cache.
    None where there is nothing."""
    if not isinstance(wire, dict):
        return None
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    parts = [count for name in names if (count := _count(wire, name)) is not None]
    output = _count(wire, "output_tokens")
    if not parts and output is None:
        return None
    return Usage(
        sum(parts) if parts else None,
        output,
        _count(wire, "cache_read_input_tokens"),
        _count(wire, "output_tokens_details", "thinking_tokens"),
        _cost(wire),
    )


def _count(wire: Mapping[str, Any], *path: str) -> int | None:
    value: Any = wire
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return tokens(value)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _cost(wire: Mapping[str, Any]) -> float | None:
    """OpenRouter and Vercel: `cost`; Perplexity: inside it; xAI: ticks of 1e-10 dollars. With a key of one's
    own at OpenRouter `cost` is 0, and what was paid stands beside it."""
    cost = dollars(wire.get("cost"))
    if not cost and isinstance(details := wire.get("cost_details"), dict):
        cost = dollars(details.get("upstream_inference_cost")) or cost
    ticks = wire.get("cost_in_usd_ticks")
    if cost is None and isinstance(ticks, int | float) and not isinstance(ticks, bool):
        try:
            cost = dollars(ticks / 1e10)
        except OverflowError:
            return None
    return cost
