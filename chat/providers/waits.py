"""How long a vendor asks to wait: from headers, from fields of an error's body, and from its words.

Pure. Called by `error_bodies` and `faults`. All results are seconds, None where nothing is said.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

LONGEST_S: Final = 366 * 86_400.0
"""Beyond it a figure is something else."""
_EPOCH_S, _EPOCH_MS = 1e9, 1e12
"""From here on a number is a moment, in seconds or milliseconds since 1970."""

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION: Final = (
    r"(\d{1,9}(?:\.\d{1,9})?)\s?(milliseconds?|msecs?|millis|ms|seconds?|secs?|s|minutes?|mins?|m"
    r"|hours?|hrs?|h|days?|d"
    r"|秒|分钟|分|小时|天)(?![a-z])"
)
_ONE: Final = re.compile(_DURATION, re.IGNORECASE)
_SPAN: Final = re.compile(rf"{_DURATION}(?:(?:\s|,|and){{0,6}}{_DURATION}){{0,3}}", re.IGNORECASE)
_A_UNIT: Final = re.compile(r"\b(?:an?|one|a few|few) (second|minute|hour|day)s?\b", re.IGNORECASE)
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?")
_PERIOD: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE)
_CLOCK: Final = re.compile(r"(\d{1,3}):(\d\d):(\d\d(?:\.\d+)?)")
_ASKS: Final = re.compile(
    r"try again|try .{0,30}again|retry|wait|available again|resets?\b|reset (?:in|at|after)|come back"
    r"|ask again|cool ?down"
    r"|back off|重试|稍后|等待",
    re.IGNORECASE,
)
_BEFORE: Final = re.compile(
    rf"(?:after|in|for|wait) {_DURATION}[^.]{{0,20}}|{_DURATION}\s?(?:后|before|later)", re.IGNORECASE
)
_NEAR: Final = 80
"""Characters behind a request to wait in which its length stands."""

_FIELDS: Final = re.compile(
    r"(?:x?ratelimit|rate_?limit)?_?(?:retry_?(?:after|delay|in)|wait(?:_?time)?|resets?_?(?:in|after"
    r"|at|time)?|estimated_?time|cool_?down"
    r"|try_?again_?(?:in|after)|backoff)(?:_?(ms|millis|milliseconds|s|secs?|seconds|requests|tokens))?",
)


def field(name: str, value: Any, now: datetime | None = None) -> float | None:
    """The wait that a field of a body tells: `retry_after: 3`, `retryDelay: "5s"`, `reset_at: …`."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[:60]).lower().replace("-", "_").replace(" ", "_")
    if plain.startswith("x_"):
        plain = plain[2:]
    if (found := _FIELDS.fullmatch(plain.replace("ratelimit_", "").replace("rate_limit_", ""))) is None:
        return None
    unit = "ms" if (found[1] and found[1].startswith("mi")) or found[1] == "ms" else "s"
    return _span(value, unit, now)


def words(text: str, now: datetime | None = None) -> float | None:
    """The wait that a sentence asks for: `Please try again in 1m26.4s.`"""
    for ask in _ASKS.finditer(text):
        near = text[ask.start() : ask.end() + _NEAR].split("\n", 1)[0]
        if found := _SPAN.search(near):
            return _bounded(_sum(found[0]))
        if found := _ISO.search(near):
            return _until(_moment(found[0]), now)
        if found := _A_UNIT.search(near):
            return _UNITS[found[1][0].lower()]
        if before := _BEFORE.search(text[max(0, ask.start() - 40) : ask.end()]):
            return _bounded(_sum(before[0]))
    return None


def headers(told: Mapping[str, str], now: datetime | None = None) -> float | None:
    """`Retry-After` (seconds or a date) or `retry-after-ms`.

    A date is measured against the answer's own `Date`, so that a wrong clock here does not matter.
    """
    lower = {name.lower(): str(value).strip()[:100] for name, value in told.items()}
    now = _http_date(lower.get("date", "")) or now
    for name, unit in (("retry-after", "s"), ("retry-after-ms", "ms")):
        if value := lower.get(name, ""):
            if (seconds := _span(value, unit, now)) is not None:
                return seconds
            if (moment := _http_date(value)) is not None:
                return _until(moment, now)
    return None


def resets(told: Mapping[str, str], now: datetime | None = None) -> float | None:
    """When a used-up limit is free again, of those that stand in `x-ratelimit-reset-*` and its like."""
    lower = {name.lower(): str(value).strip()[:100] for name, value in told.items()}
    now = _http_date(lower.get("date", "")) or now
    found: list[tuple[bool, float]] = []
    for name, value in lower.items():
        if "ratelimit" not in name or "reset" not in f"{name} {value}":
            continue
        if structured := re.search(r"\breset=(\d{1,12})", value):
            value = structured[1]
        if (seconds := _span(value, "s", now)) is None:
            continue
        left = lower.get(
            name.replace("reset", "remaining"), lower.get(name.replace("reset-after", "remaining"), "")
        )
        found.append((left in ("0", "0.0") or "remaining=0" in lower.get(name, "").replace(" ", ""), seconds))
    spent = [seconds for used_up, seconds in found if used_up]
    return max(spent) if spent else min((seconds for _, seconds in found if seconds > 0), default=None)


def _span(value: Any, unit: str, now: datetime | None) -> float | None:
    if isinstance(value, dict):  # a protobuf duration
        seconds, nanos = _number(value.get("seconds")), _number(value.get("nanos")) or 0.0
        return None if seconds is None else _bounded(seconds + nanos / 1e9)
    if (number := _number(value)) is not None:
        if number >= _EPOCH_S:
            return _until(_stamp(number), now)
        return _bounded(number * _UNITS[unit])
    if not isinstance(value, str) or len(value) > 100:
        return None
    text = value.strip()
    if (clock := _CLOCK.fullmatch(text)) is not None:
        return _bounded(float(clock[1]) * 3600 + float(clock[2]) * 60 + float(clock[3]))
    if len(text) > 1 and (period := _PERIOD.fullmatch(text)) is not None:
        each = zip(period.groups(), (86_400, 3600, 60, 1), strict=True)
        return _bounded(sum(float(n) * size for n, size in each if n))
    if _ISO.fullmatch(text):
        return _until(_moment(text), now)
    if (span := _SPAN.fullmatch(text)) is not None:
        return _bounded(_sum(span[0]))
    return _until(_http_date(text), now)


def _number(value: Any) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,20}(\.\d{1,20})?\s*", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e16 and math.isfinite(value) else None


def _sum(text: str) -> float:
    def unit(name: str) -> float:
        if name in "秒分钟小时天":
            return {"秒": 1.0, "分": 60.0, "小": 3600.0, "天": 86_400.0}[name[0]]
        name = name.lower()
        return _UNITS["ms" if name.startswith(("ms", "mil")) else name[0]]

    return sum(float(number) * unit(name) for number, name in _ONE.findall(text))


def _stamp(number: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(number / 1000 if number >= _EPOCH_MS else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _http_date(text: str) -> datetime | None:
    """RFC 9110 in its three forms: today's, RFC 850's and asctime's."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _until(moment: datetime | None, now: datetime | None) -> float | None:
    return None if moment is None else _bounded((moment - (now or datetime.now(UTC))).total_seconds())


def _bounded(seconds: float) -> float | None:
    return max(seconds, 0.0) if math.isfinite(seconds) and seconds <= LONGEST_S else None
