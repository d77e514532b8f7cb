"""Given these sessions that nobody reads, which are let go, and when."""

import asyncio
from dataclasses import dataclass, field

import pytest

from chat.ui.unread import ALL, EACH, NETWORK, Unread


@dataclass
class Nothing:
    """Boxes with a weight and no messages."""

    weights: dict[str, int] = field(default_factory=dict)
    dropped: list[tuple[str, bool]] = field(default_factory=list)
    more: set[str] = field(default_factory=set)

    def weight(self, session: str = "") -> int:
        return self.weights[session] if session else sum(self.weights.values())

    def waits(self, session: str) -> bool:
        return session in self.more

    def heaviest(self) -> str:
        return max(self.weights, key=self.weight)

    def drop(self, session: str, *, read: bool) -> None:
        self.dropped.append((session, read))
        self.weights.pop(session, None)


def names(boxes: Nothing) -> list[str]:
    return [name for name, _ in boxes.dropped]


async def test_what_nobody_fetches_is_let_go_after_a_while_and_what_is_fetched_is_not() -> None:
    boxes = Nothing()
    unread = Unread(boxes, patience=0.02)
    unread.joined("read", "me", "here")
    with unread.reading("read", "me", "here"):
        unread.joined("left", "me", "here")
        unread.joined("read", "me", "here")
        async with asyncio.timeout(5):
            while not boxes.dropped:
                await asyncio.sleep(0.001)
        assert boxes.dropped == [("left", False)]
    assert names(boxes) == ["left", "read"]  # nothing is to come: at once
    assert "left" not in unread


async def test_what_was_asked_for_while_the_reader_was_told_the_end_waits_for_the_next() -> None:
    boxes = Nothing(more={"tab"})
    unread = Unread(boxes)
    with unread.reading("tab", "me", "here"), unread.reading("tab", "me", "here"):
        pass
    assert "tab" in unread
    assert not boxes.dropped


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
