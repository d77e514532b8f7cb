"""Conversations belong to owners, and looking alone pushes nobody out."""

from chat.store import OWNERS, Exchange, Store
from chat.transcript import Transcript


def test_an_owner_stays_in_a_conversation() -> None:
    store = Store()
    conversation = store.current("me")
    assert store.current("me") is conversation
    assert store.current("you") is not conversation
    assert store.new("me") is not conversation


def test_who_never_asked_makes_room_first() -> None:
    store = Store()
    mine = store.current("me")
    mine.exchanges.append(Exchange("?", "run", Transcript()))
    for number in range(OWNERS + 100):
        store.current(f"stranger {number}")
    assert store.current("me") is mine


def test_then_who_was_away_longest() -> None:
    store = Store()
    for number in range(OWNERS + 1):
        store.current(str(number)).exchanges.append(Exchange("?", "run", Transcript()))
    assert len(store.current("0").exchanges) == 0
    assert len(store.current(str(OWNERS)).exchanges) == 1
