"""Given events, the list of them that readers see."""

import pytest

from chat.entries import BLOCK, Entries
from chat.events import Entry, Event, KeepAlive, TextDelta, ThinkingDelta, ToolCallDelta, Usage

EVENTS = [TextDelta(letter) for letter in "abcd"]


def test_it_is_a_list_of_entries() -> None:
    entries = Entries()
    assert [entries.append(n / 10, event) for n, event in enumerate(EVENTS)] == [1, 2, 3, 4]
    whole = [Entry(n + 1, n / 10, event) for n, event in enumerate(EVENTS)]
    assert list(entries) == whole
    assert [entries[n] for n in (0, 3, -1, -4)] == [whole[n] for n in (0, 3, -1, -4)]
    for part in (slice(None), slice(2, None), slice(1, 3), slice(3, 9), slice(9, 12), slice(-2, None)):
        assert entries[part] == whole[part]
    assert list(entries.times) == [0.0, 0.1, 0.2, 0.3]


@pytest.mark.parametrize("place", [0, -1])
def test_an_empty_one_has_no_last_entry(place: int) -> None:
    with pytest.raises(IndexError):
        Entries()[place]


def test_what_was_packed_reads_as_it_was() -> None:
    kinds = (TextDelta, ThinkingDelta, lambda text: ToolCallDelta(f"call {len(text)}", text))
    events: list[Event] = []
    for n in range(3 * BLOCK):
        events.append(kinds[n % 3]("ä€😀\ud800"[: n % 5] * (n % 7)))
        if not n % 10:
            events.append(
                (KeepAlive(), Usage(n), ToolCallDelta(f"another {n}", "x"), TextDelta(""))[n // 10 % 4]
            )
    entries = Entries()
    for n, event in enumerate(events):
        assert entries.append(n / 10, event) == n + 1
    whole = [Entry(n + 1, n / 10, event) for n, event in enumerate(events)]
    assert list(entries) == whole
    for part in (slice(BLOCK - 2, BLOCK + 2), slice(-5, None), slice(2 * BLOCK, None), slice(None, 7)):
        assert entries[part] == whole[part]
    assert entries[-len(events)] == whole[0]
