"""Costly work is shared out, so that neither an owner nor a network keeps others from it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from chat.errors import RateLimited
from chat.shares import Shares

NEAR, FAR = "192.0.2.1", "198.51.100.7"


@asynccontextmanager
async def waiting(shares: Shares, owner: str, network: str = "") -> AsyncIterator[asyncio.Task[None]]:
    """Who has to wait for a place; it is given back at the end."""
    async with AsyncExitStack() as place:
        task = asyncio.create_task(place.enter_async_context(shares.of(owner, network)))
        await asyncio.sleep(0)
        assert not task.done()
        yield task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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


async def test_some_places_are_free_of_anonymous_visitors_however_many_networks_they_have() -> None:
    shares = Shares(8, 4, 40, "Too many.", reserved=2)
    async with AsyncExitStack() as held:
        for number in range(6):
            await held.enter_async_context(shares.of(f"stranger {number}", f"192.0.2.{number // 3}"))
        await held.enter_async_context(waiting(shares, "one more", FAR))
        async with asyncio.timeout(1):
            for number in range(2):
                await held.enter_async_context(shares.of(f"person {number}"))
        await held.enter_async_context(waiting(shares, "person 3"))


async def test_anonymous_visitors_use_what_is_not_reserved() -> None:
    shares = Shares(2, 4, 40, "Too many.")
    async with shares.of("one", NEAR), asyncio.timeout(1), shares.of("two", FAR):
        pass


@pytest.mark.parametrize("reserved", [0, 1])
async def test_who_is_known_does_not_wait_behind_anonymous_visitors(reserved: int) -> None:
    shares = Shares(2, 4, 40, "Too many.", reserved=reserved)
    async with AsyncExitStack() as held:
        served = AsyncExitStack()
        await served.enter_async_context(shares.of("first", NEAR))
        await held.enter_async_context(shares.of("person") if reserved else shares.of("second", FAR))
        stranger = await held.enter_async_context(waiting(shares, "third", "203.0.113.1"))
        operator = await held.enter_async_context(waiting(shares, "operator"))
        await served.aclose()
        async with asyncio.timeout(1):
            await operator
        assert not stranger.done()


async def test_anonymous_visitors_leave_a_quarter_of_the_queue() -> None:
    shares = Shares(1, 4, 8, "Too many.")
    async with AsyncExitStack() as held:
        await held.enter_async_context(shares.of("stranger", "192.0.2.0"))
        for number in range(1, 6):
            await held.enter_async_context(waiting(shares, f"stranger {number}", f"192.0.2.{number // 2}"))
        with pytest.raises(RateLimited):
            await held.enter_async_context(shares.of("one more", FAR))
        for number in range(2):
            await held.enter_async_context(waiting(shares, f"person {number}"))
        with pytest.raises(RateLimited):
            await held.enter_async_context(shares.of("person 3"))


@pytest.mark.parametrize("network", ["", NEAR])
@pytest.mark.parametrize("owner", ["holder", "another"])
async def test_who_does_not_wait_any_more_leaves_nothing_behind(owner: str, network: str) -> None:
    shares = Shares(1, 4, 4, "Too many.")
    async with shares.of("holder"):
        async with waiting(shares, owner, network):
            pass  # and gives up
        assert [*shares._of.items()] == [("holder", 1)]
    async with asyncio.timeout(1), shares.of("anybody", FAR):
        pass
    assert [*shares._of, *shares._turns, *shares._from, *shares._near] == []
