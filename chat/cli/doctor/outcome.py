"""What a check found, as a value. Made by every check, printed by `report`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`next`: what to do about it; "" when there is nothing to do. `figures`: what was measured, by name with
    its unit (`median_ms`), for programs."""

    name: str
    verdict: Verdict
    said: str
    next: str = ""
    figures: Mapping[str, float | int] = field(default_factory=dict)


def ok(name: str, said: str, **figures: float) -> Outcome:
    return Outcome(name, "ok", said, figures=figures)


def warning(name: str, said: str, next: str = "", **figures: float) -> Outcome:
    return Outcome(name, "warning", said, next, figures)


def failed(name: str, said: str, next: str = "", **figures: float) -> Outcome:
    return Outcome(name, "failed", said, next, figures)
