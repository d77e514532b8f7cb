"""Costly work is shared out, so that neither an owner nor a network keeps others from it."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from chat.errors import RateLimited
from chat.shares import Shares

NEAR, FAR = "192.0.2.1", "198.51.100.7"


async def test_one_network_leaves_places_for_others() -> None:
    shares = Shares(4, 4, 40, "Too many.")
    async with AsyncExitStack() as held:
        for number in range(2):
            await held.enter_async_context(shares.of(f"near {number}", NEAR))
        waiting = AsyncExitStack()
        third = asyncio.create_task(waiting.enter_async_context(shares.of("near 2", NEAR)))
        for number in range(2):
            async with asyncio.timeout(1):
                await held.enter_async_context(shares.of(f"far {number}", FAR))
        assert not third.done()
    async with asyncio.timeout(1):
        await third
    await waiting.aclose()


async def test_one_network_cannot_fill_the_queue() -> None:
    shares = Shares(2, 4, 8, "Too many.")
    async with AsyncExitStack() as held:
        await held.enter_async_context(shares.of("near 0", NEAR))
        waiting = AsyncExitStack()
        second = asyncio.create_task(waiting.enter_async_context(shares.of("near 1", NEAR)))
        await asyncio.sleep(0)
        with pytest.raises(RateLimited, match="Too many"):
            await held.enter_async_context(shares.of("near 2", NEAR))
        await held.enter_async_context(shares.of("far", FAR))
        assert not second.done()
    await second
    await waiting.aclose()


async def test_who_is_known_is_not_counted_by_network() -> None:
    shares = Shares(4, 4, 4, "Too many.")
    async with AsyncExitStack() as held:
        for number in range(4):
            await held.enter_async_context(shares.of(f"person {number}"))
        with pytest.raises(RateLimited):
            await held.enter_async_context(shares.of("person 4"))


async def test_nothing_stays_of_who_has_left() -> None:
    shares = Shares(1, 1, 1, "Too many.")
    async with shares.of("one", NEAR):
        for owner, network in (("one", NEAR), ("two", FAR), ("three", "")):
            with pytest.raises(RateLimited):
                async with shares.of(owner, network):
                    pass
    assert [*shares._of, *shares._turns, *shares._from, *shares._near] == []
