"""The numbers of the limits: what is forgotten, and when."""

import tracemalloc

import pytest
from limits import RateLimitItemPerDay, RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from chat.counts import Counts
from chat.limits import Limits
from chat.settings import Settings


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_window_that_is_over_is_gone() -> None:
    clock = Clock()
    counts = Counts(clock)
    moving, fixed = MovingWindowRateLimiter(counts), FixedWindowRateLimiter(counts)
    minute, day = RateLimitItemPerMinute(1), RateLimitItemPerDay(1)
    assert moving.hit(minute, "a")
    assert fixed.hit(day, "a")
    assert not moving.hit(minute, "a")
    assert moving.get_window_stats(minute, "a") == (60, 0)
    assert fixed.get_window_stats(day, "a") == (24 * 3600, 0)
    clock.now = 60
    assert moving.test(minute, "a")
    assert len(counts) == 1
    clock.now = 24 * 3600
    assert fixed.test(day, "a")
    assert len(counts) == 0


def test_asking_keeps_nothing() -> None:
    counts = Counts(Clock())
    assert MovingWindowRateLimiter(counts).test(RateLimitItemPerMinute(1), "a")
    assert FixedWindowRateLimiter(counts).test(RateLimitItemPerDay(1), "a")
    assert len(counts) == 0


def test_more_than_a_window_holds_is_refused_and_kept_nowhere() -> None:
    counts = Counts(Clock())
    assert not MovingWindowRateLimiter(counts).hit(RateLimitItemPerMinute(2), "a", cost=3)
    assert len(counts) == 0


def test_what_is_cleared_is_forgotten() -> None:
    counts = Counts(Clock())
    limiter, item = FixedWindowRateLimiter(counts), RateLimitItemPerMinute(1)
    for name in "abc":
        limiter.hit(item, name)
    limiter.clear(item, "a")
    assert limiter.test(item, "a")
    assert not limiter.test(item, "b")
    assert (counts.check(), counts.reset(), len(counts)) == (True, 2, 0)


def test_when_full_what_has_run_out_goes_first_and_then_what_was_longest_unused() -> None:
    clock = Clock()
    counts = Counts(clock, most=10)
    limiter, minute, day = FixedWindowRateLimiter(counts), RateLimitItemPerMinute(1), RateLimitItemPerDay(1)
    for name in "abcde":
        limiter.hit(day, name)
    for name in "fghij":
        limiter.hit(minute, name)
    clock.now = 60
    limiter.hit(day, "k")  # full: what held for a minute goes
    assert len(counts) == 6
    assert not limiter.test(day, "a")  # used now
    for name in "lmnop":
        limiter.hit(day, name)
    assert len(counts) == 10
    assert not limiter.test(day, "a")
    assert limiter.test(day, "b")


def test_endless_strangers_cost_a_bounded_memory_and_free_nobody_from_the_days_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings.read({"CHAT_RATE": "60/minute", "CHAT_MESSAGES_EACH": "9", "CHAT_MESSAGES": "100000"})
    limits = Limits(settings, Clock())
    limits.counts._most = most = 2000
    tracemalloc.start()
    try:
        sizes: list[int] = []
        for place in range(3000):
            network = limits.network("", f"2001:db8:{place >> 8:x}:{place & 255:x}::1")
            limits.check(f"owner{place}", network)
            limits.count(f"owner{place}", network)
            if place % 1000 == 999:
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(limits.counts) <= most
    assert sizes[2] < sizes[0] * 1.5
    assert limits.counts.get("LIMITER/all//100000/1/day") == 3000
