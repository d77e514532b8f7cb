"""Given these sessions that nobody reads, which are let go, and when."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from chat.ui.unread import ALL, EACH, NETWORK, Unread


@dataclass
class Nothing:
    """Boxes with a weight and no messages."""

    weights: dict[str, int] = field(default_factory=dict)
    dropped: list[tuple[str, bool]] = field(default_factory=list)

    def weight(self, session: str = "") -> int:
        return self.weights[session] if session else sum(self.weights.values())

    def heaviest(self) -> str:
        return max(self.weights, key=self.weight)

    def drop(self, session: str, *, read: bool) -> None:
        self.dropped.append((session, read))
        self.weights.pop(session, None)


def names(boxes: Nothing) -> list[str]:
    return [name for name, _ in boxes.dropped]


async def test_what_nobody_fetches_is_let_go_after_a_while_and_what_is_fetched_is_not() -> None:
    boxes = Nothing()
    unread = Unread(boxes, patience=0.02, comeback=0.02)
    unread.joined("read", "me", "here")
    with unread.reading("read", "me", "here"):
        unread.joined("left", "me", "here")
        unread.joined("read", "me", "here")
        await until(lambda: boxes.dropped)
        assert boxes.dropped == [("left", False)]
    assert "read" in unread  # the page may come back
    await until(lambda: len(boxes.dropped) > 1)
    assert names(boxes) == ["left", "read"]
    assert "left" not in unread


async def until(told: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not told():
            await asyncio.sleep(0.001)


async def test_of_a_closed_tab_what_is_to_come_is_let_go_soon_and_of_an_open_one_it_is_not() -> None:
    boxes, left = Nothing(), list[str]()
    unread = Unread(boxes, left=left.append, comeback=0.01)
    for tab in ("closed", "open"):
        with unread.reading(tab, "me", "here"):
            pass
    unread.joined("open", "me", "here")  # the page asks for more, before it reads again
    await until(lambda: left)
    assert left == names(boxes) == ["closed"]
    with unread.reading("open", "me", "here"):
        pass
    with unread.reading("open", "me", "here"):
        await asyncio.sleep(0.02)  # the time that there was to come back has passed
        assert names(boxes) == ["closed"]


@pytest.mark.parametrize("whose", ["owner", "network", "all"])
async def test_of_too_many_the_oldest_is_let_go(whose: str) -> None:
    most = {"owner": EACH, "network": NETWORK, "all": ALL}[whose]
    boxes = Nothing()
    unread = Unread(boxes)
    unread.joined("other", "somebody", "elsewhere")
    for number in range(most + 1):
        owner = "me" if whose == "owner" else f"owner {number}"
        unread.joined(f"{number}", owner, f"there {number}" if whose == "all" else "there")
    assert names(boxes) == (["other", "0"] if whose == "all" else ["0"])


async def test_when_all_weighs_too_much_the_heaviest_goes() -> None:
    boxes = Nothing({"light": 10, "heavy": 60, "read": 70})
    unread = Unread(boxes, heaviest=100)
    with unread.reading("read", "me", "here"):
        unread.relieve()
    assert boxes.dropped[:1] == [("read", True)]
    boxes.weights["heavier"] = 70
    unread.relieve()
    assert names(boxes)[-1] == "heavier"
    assert set(boxes.weights) == {"light", "heavy"}
