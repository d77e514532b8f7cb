"""Silence is found out, whatever keeps the wire alive."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from chat.attempts import attempts
from chat.catalogue import Catalogue
from chat.deadlines import loaded, watched
from chat.errors import Stalled
from chat.events import KeepAlive, ReplyEvent, ReplyFinished, Retrying, TextDelta, Usage
from chat.messages import Request
from chat.models import Model
from chat.settings import Deadlines, Settings
from tests.scripted import HANG, Script, Scripted

QUICK = Deadlines(first=0.03, idle=0.02, turn=0.05)


async def watch(script: Script, limits: Deadlines, until: float = 60) -> list[ReplyEvent]:
    vendor = Scripted([script])
    end = asyncio.get_running_loop().time() + until
    try:
        return [e async for e in watched(vendor.stream(Request(Model("a", "b"), ())), limits, end, "Acme")]
    finally:
        assert vendor.closed == 1


async def test_what_comes_in_time_passes() -> None:
    script: Script = [KeepAlive(), TextDelta("A"), ReplyFinished("end")]
    assert await watch(script, QUICK) == script


@pytest.mark.parametrize(
    ("script", "limits", "variable"),
    [
        ([HANG], QUICK, "CHAT_FIRST_EVENT_TIMEOUT"),
        ([KeepAlive(), Usage(1), HANG], QUICK, "CHAT_FIRST_EVENT_TIMEOUT"),
        ([TextDelta("A"), HANG], QUICK, "CHAT_IDLE_TIMEOUT"),
        ([TextDelta("A"), KeepAlive(), HANG], QUICK, "CHAT_IDLE_TIMEOUT"),
    ],
)
async def test_silence_names_its_setting(script: Script, limits: Deadlines, variable: str) -> None:
    with pytest.raises(Stalled, match=r"^[^_]*\.$") as caught:
        await watch(script, limits)
    assert variable in caught.value.hint


async def test_the_whole_turn_has_an_end() -> None:
    with pytest.raises(Stalled, match=r"^[^_]*\.$") as caught:
        await watch([TextDelta("A"), HANG], Deadlines(), until=0.02)
    assert "CHAT_TURN_TIMEOUT" in caught.value.hint


async def test_pings_without_end_do_not_help() -> None:
    async def pings() -> AsyncGenerator[ReplyEvent, None]:
        while True:
            yield KeepAlive()
            await asyncio.sleep(0)

    end = asyncio.get_running_loop().time() + 60
    with pytest.raises(Stalled):
        async for _ in watched(pings(), QUICK, end, "Acme"):
            pass


async def test_a_timeout_of_the_provider_itself_is_not_ours() -> None:
    with pytest.raises(TimeoutError):
        await watch([TimeoutError("theirs")], QUICK)


async def test_the_pause_may_be_shorter_than_the_wait_for_the_first_word() -> None:
    async with asyncio.timeout(10):
        with pytest.raises(Stalled, match="middle of the answer"):
            await watch([TextDelta("A"), HANG], Deadlines(first=60, idle=0.02, turn=60))


async def test_a_slow_reader_is_no_silence_of_the_provider() -> None:
    vendor, end = Scripted([[TextDelta("A"), ReplyFinished("end")]]), asyncio.get_running_loop().time() + 60
    seen = []
    async for event in watched(vendor.stream(Request(Model("a", "b"), ())), QUICK, end, "Acme"):
        seen.append(event)
        await asyncio.sleep(2 * QUICK.first)
    assert seen == [TextDelta("A"), ReplyFinished("end")]


async def test_somebody_else_s_cancellation_is_theirs() -> None:
    vendor, end = Scripted([[HANG]]), asyncio.get_running_loop().time() + 60
    task = asyncio.create_task(
        anext(watched(vendor.stream(Request(Model("a", "b"), ())), Deadlines(), end, "Acme"))  # type: ignore[arg-type]
    )
    await vendor.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert vendor.closed == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await watch([HANG], Deadlines())


async def test_both_at_the_same_moment_are_the_other_s() -> None:
    async def hangs() -> AsyncGenerator[ReplyEvent, None]:
        task = asyncio.current_task()
        assert task is not None
        # After the deadline's own timer, in the same turn of the loop.
        asyncio.get_running_loop().call_at(end, task.cancel)
        await asyncio.Event().wait()
        yield KeepAlive()

    end = asyncio.get_running_loop().time() + 0.02
    task = asyncio.create_task(watch_of(hangs(), end))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def watch_of(events: AsyncGenerator[ReplyEvent, None], end: float) -> None:
    async for _ in watched(events, Deadlines(), end, "Acme"):
        pass


class Slow(Scripted):
    """Its SDK takes until `go`."""

    go: asyncio.Event

    async def ready(self) -> None:
        await self.go.wait()


async def test_what_has_to_be_loaded_first_is_not_the_models_silence() -> None:
    """The deadline of the first word would be over long before."""
    provider = Slow([[TextDelta("A"), ReplyFinished("end")]])
    provider.go = asyncio.Event()
    loop = asyncio.get_running_loop()
    asking = asyncio.create_task(_reply(provider, Deadlines(first=0.02, idle=60), loop.time() + 60))
    loop.call_later(0.1, provider.go.set)
    assert await asking == [TextDelta("A"), ReplyFinished("end")]


async def test_nobody_waits_for_it_longer_than_for_the_turn() -> None:
    provider = Slow([[]])
    provider.go = asyncio.Event()
    with pytest.raises(Stalled, match="took longer"):
        await loaded(provider, QUICK, asyncio.get_running_loop().time() + 0.05)
    await loaded(Scripted([]), QUICK, 0)  # nothing to load


async def _reply(provider: Scripted, limits: Deadlines, until: float) -> list[ReplyEvent | Retrying]:
    settings = Settings()
    known = Catalogue(settings, {"acme": provider}).known("")
    asked = Request(Model("acme", "b"), ())
    return [event async for event in attempts(provider, asked, limits, until, known)]
