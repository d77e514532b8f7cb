"""Given a tab that is closed, whoever draws for it stops, and its silent answer is nobody's any more."""

import asyncio

from chat.ui.tabs import Tab, Tabs
from chat.ui.unread import Unread
from tests.ui.test_unread import Nothing


def counted(tab: Tab, woken: list[int]) -> None:
    tab.wake = lambda: woken.append(tab.turn)


def test_whoever_draws_for_a_session_that_is_left_looks_again() -> None:
    tabs, woken = Tabs(), list[int]()
    mine, other = tabs.of("me", "closed"), tabs.of("me", "open")
    for tab in (mine, other):
        counted(tab, woken)
    with tabs.call("closed") as call, tabs.call("open") as another:
        counted(call, woken)
        turns = [each.turn for each in (mine, call, other, another)]
        tabs.leave("closed")
        assert [each.turn - turn for each, turn in zip((mine, call, other, another), turns, strict=True)] == [
            *(1, 1, 0, 0)
        ]
    assert len(woken) == 2
    tabs.leave("closed")
    tabs.leave("unknown")
    assert len(woken) == 2


async def test_a_session_is_left_when_its_last_reader_goes() -> None:
    left: list[str] = []
    boxes = Nothing()
    unread = Unread(boxes, left=left.append, comeback=0)
    with unread.reading("tab", "me", "here"):
        with unread.reading("tab", "me", "here"):
            pass
        unread.relieve()
        assert left == []
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert left == ["tab"]


async def test_and_when_nobody_ever_reads_it() -> None:
    left: list[str] = []
    unread = Unread(Nothing(), left=left.append, patience=0.01)
    unread.joined("tab", "me", "here")
    async with asyncio.timeout(5):
        while not left:
            await asyncio.sleep(0.001)
    assert left == ["tab"]
