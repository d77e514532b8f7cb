"""Chats that share a beginning, and answers that share a question."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from chat.conversations import Conversation, Link
from chat.store import Store, open_store, purging
from chat.store.purging import purge
from chat.store.reading import DELETED
from tests.waiting import until

from .told import Told, ask, texts


async def opened(store: Store, id: str) -> Conversation:
    found = await store.open("me", id)
    assert found is not None
    return found


@pytest.fixture
def runs() -> list[Told]:
    return []


async def branched(store: Store, runs: list[Told]) -> tuple[Conversation, Conversation]:
    """A chat of three questions, and one in which the third was another."""
    origin = store.new("me")
    runs += [ask(store, origin, f"{n}?", f"{n}") for n in (1, 2, 3)]
    branch = await store.branch(origin, runs[2].id)
    assert branch is not None
    runs.append(ask(store, branch, "4?", "4"))
    assert await store.saved(5)
    return origin, branch


async def test_a_branch_shares_what_came_before(path: Path, runs: list[Told]) -> None:
    async with open_store(path) as store:
        origin, branch = await branched(store, runs)
        assert await store.branch(origin, "no") is None
        assert origin.branches == [Link(branch.id, "4?", runs[2].id)]
    assert count(path, "messages") == 8
    async with open_store(path) as store:
        assert (await store.current("me")).id == branch.id
        old, new = await opened(store, origin.id), await opened(store, branch.id)
        assert texts(old) == [("1?", "1"), ("2?", "2"), ("3?", "3")]
        assert texts(new) == [("1?", "1"), ("2?", "2"), ("4?", "4")]
        assert new.origin == Link(origin.id, "1?", runs[2].id)
        assert old.branches == [Link(branch.id, "4?", runs[2].id)]
        assert (old.origin, new.branches) == (None, [])


async def test_links_follow_the_chats_they_lead_to(store: Store, runs: list[Told]) -> None:
    origin, branch = await branched(store, runs)
    await store.rename("me", origin.id, "Old")
    await store.rename("me", branch.id, "New")
    assert (await opened(store, branch.id)).origin == Link(origin.id, "Old", runs[2].id)
    assert (await opened(store, origin.id)).branches == [Link(branch.id, "New", runs[2].id)]
    await store.delete("me", origin.id)
    assert (await opened(store, branch.id)).origin == Link("", DELETED, runs[2].id)
    await store.restore("me", origin.id)
    assert (await opened(store, branch.id)).origin == Link(origin.id, "Old", runs[2].id)
    await store.delete("me", branch.id)
    assert (await opened(store, origin.id)).branches == []
    assert await store.open("me", branch.id) is None


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        ((found,),) = database.execute(f"SELECT count(*) FROM {table}").fetchall()
        return found


def rows(path: Path) -> dict[str, int]:
    tables = ("conversations", "messages", "runs", "events", "search", "currents", "owners")
    return {table: found for table in tables if (found := count(path, table))}


async def purged(store: Store) -> None:
    assert store._disk
    while (await store._disk.do(lambda connection: purge(connection, time.time() + 1))).more:
        pass


async def test_what_was_deleted_goes_for_good(path: Path) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        for n in range(3):
            ask(store, conversation, f"secret{n}?", f"secret{n}")
        await store.delete("me", conversation.id)
        assert rows(path)["messages"] == 6
        await purged(store)
        assert rows(path) == {}
        assert await store.restore("me", conversation.id) is False
    for each in path.parent.iterdir():
        assert b"secret" not in each.read_bytes()


@pytest.mark.parametrize("first", ["origin", "branch"])
async def test_what_is_shared_stays_as_long_as_somebody_shows_it(
    path: Path, runs: list[Told], first: str
) -> None:
    async with open_store(path) as store:
        origin, branch = await branched(store, runs)
        gone, left = (origin, branch) if first == "origin" else (branch, origin)
        await store.delete("me", gone.id)
        await purged(store)
        assert count(path, "messages") == 6
        assert count(path, "runs") == 3
        assert await store.open("me", gone.id) is None
        expected = texts(left)
    async with open_store(path) as store:
        again = await opened(store, left.id)
        assert texts(again) == expected
        assert all(exchange.full and exchange.transcript.settings for exchange in again.exchanges)
        assert [chat.id for chat in await store.chats("me", "2?")] == [left.id]
        if first == "origin":
            assert again.origin == Link("", DELETED, runs[2].id)
        await store.delete("me", left.id)
        await purged(store)
    assert rows(path) == {}


async def test_a_branch_of_a_branch_keeps_what_it_shows(path: Path, runs: list[Told]) -> None:
    async with open_store(path) as store:
        origin, branch = await branched(store, runs)
        twig = await store.branch(branch, runs[1].id)
        assert twig is not None
        ask(store, twig, "5?", "5")
        for each in (origin, branch):
            await store.delete("me", each.id)
        await purged(store)
    async with open_store(path) as store:
        assert texts(await opened(store, twig.id)) == [("1?", "1"), ("5?", "5")]
    assert count(path, "messages") == 4


async def test_the_time_to_undo_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_store(path) as store:
        ask(store, store.new("me"), "1?", "1")
        conversation = await store.current("me")
        await store.delete("me", conversation.id)
    async with open_store(path) as store:
        assert await store.restore("me", conversation.id)
        await store.delete("me", conversation.id)
    monkeypatch.setattr(purging, "UNDO", -1.0)
    async with open_store(path):
        assert rows(path) == {}


async def test_it_is_purged_when_the_time_is_over(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "UNDO", -1.0)
    monkeypatch.setattr("chat.store.disk.UNDO", -1.0)
    conversation = store.new("me")
    ask(store, conversation, "1?", "1")
    await store.delete("me", conversation.id)
    await until(lambda: rows(path) == {})


async def test_many_are_purged_a_few_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_store(path) as store:
        for n in range(2 * purging.AT_ONCE + 1):
            conversation = store.new("me")
            ask(store, conversation, f"{n}?", "yes")
            await store.delete("me", conversation.id)
    monkeypatch.setattr(purging, "UNDO", -1.0)
    async with open_store(path):
        assert count(path, "conversations") > purging.AT_ONCE
        await until(lambda: rows(path) == {}, within=20)


async def test_one_that_is_being_answered_is_not_purged(store: Store, path: Path) -> None:
    conversation = store.new("me")
    run = ask(store, conversation, "1?")
    await store.delete("me", conversation.id)
    assert await store.open("me", conversation.id) is None
    await purged(store)
    assert rows(path)["messages"] == 2
    run.end("1")
    await purged(store)
    assert rows(path) == {}


# -- versions --------------------------------------------------------------------------------


async def test_another_answer_comes_with_what_followed_it(path: Path) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        first = ask(store, conversation, "1?", "one")
        second = ask(store, conversation, "1?", "eins", again=True)
        assert conversation.exchanges[0].versions == [first.id, second.id]
        ask(store, conversation, "2?", "zwei")
        third = ask(store, conversation, "2?", "drei", again=True)
        assert await store.version(conversation, first.id)
        assert texts(conversation) == [("1?", "one")]
        ask(store, conversation, "3?", "three")
        assert await store.version(conversation, second.id)
        assert texts(conversation) == [("1?", "eins"), ("2?", "drei")]
        assert await store.version(conversation, second.id)
        assert not await store.version(conversation, "no")
        assert await store.version(conversation, first.id)
    async with open_store(path) as store:
        conversation = await store.current("me")
        assert texts(conversation) == [("1?", "one"), ("3?", "three")]
        assert conversation.exchanges[0].versions == [first.id, second.id]
        assert await store.version(conversation, second.id)
        assert conversation.exchanges[1].run == third.id
        ask(store, conversation, "1?", "uno")


async def test_not_while_an_answer_is_being_written(store: Store) -> None:
    conversation = store.new("me")
    first = ask(store, conversation, "1?", "one")
    run = ask(store, conversation, "1?", again=True)
    assert not await store.version(conversation, first.id)
    run.end("eins")
    assert await store.version(conversation, first.id)
    assert texts(conversation) == [("1?", "one")]


async def test_an_answer_that_came_to_nothing_is_no_version(path: Path) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        first = ask(store, conversation, "1?", "one")
        nothing = ask(store, conversation, "1?", again=True, key="k")
        assert await store.saved(5)
        nothing.end(" ")
        assert texts(conversation) == [("1?", "one")]
    async with open_store(path) as store:
        conversation = await store.current("me")
        assert texts(conversation) == [("1?", "one")]
        assert conversation.exchanges[0].versions == [first.id]
        assert await store.asked("me", "k") == nothing.id


async def test_a_version_in_a_branch_leads_to_what_was_asked_there(store: Store, runs: list[Told]) -> None:
    origin, branch = await branched(store, runs)
    del origin.exchanges[1:]  # the page asks again at the end alone; the store need not know
    again = ask(store, origin, "1?", "uno", again=True)
    assert await store.saved(5)
    branch = await opened(store, branch.id)
    assert texts(branch) == [("1?", "1"), ("2?", "2"), ("4?", "4")]
    assert branch.exchanges[0].versions == [runs[0].id, again.id]
    assert await store.version(branch, again.id)
    assert texts(branch) == [("1?", "uno")]
    assert await store.version(branch, runs[0].id)
    assert texts(branch) == [("1?", "1"), ("2?", "2"), ("4?", "4")]
    assert texts(await opened(store, origin.id)) == [("1?", "uno")]
