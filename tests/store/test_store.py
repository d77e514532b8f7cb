"""Conversations belong to owners."""

from chat.store import Store


async def test_an_owner_stays_in_a_conversation() -> None:
    store = Store()
    conversation = await store.current("me")
    assert await store.current("me") is conversation
    assert await store.current("you") is not conversation
    assert store.new("me") is not conversation
