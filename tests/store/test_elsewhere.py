"""Several processes on one database: each sees what the others did, and none disturbs another."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import AsyncExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from chat.store import Store, open_store
from tests.waiting import until

from .told import ask, texts

ASKS = """
import asyncio, sys
from pathlib import Path
from chat.store import open_store
from tests.store.told import ask

async def main():
    sys.stdin.readline()
    async with open_store(Path(sys.argv[1])) as store:
        assert store.trouble == "", store.trouble
        conversation = await store.current("me")
        for n in range(20):
            ask(store, conversation, f"{sys.argv[2]}.{n}?", "yes")
            assert await store.saved(5), store.trouble
        print(store.secret.hex())

asyncio.run(main())
"""


async def test_those_who_begin_at_once_share_one_database(path: Path) -> None:
    code = [sys.executable, "-c", ASKS, str(path)]
    start = partial(asyncio.create_subprocess_exec, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    processes = [await start(*code, str(n)) for n in range(4)]
    said = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * 4
    assert len({out for out, _ in said}) == 1, "one secret"
    async with open_store(path) as store:
        chats = await store.chats("me")
        found = [await store.open("me", chat.id) for chat in chats]
        said_there = {each[0] for conversation in found if conversation for each in texts(conversation)}
        assert said_there == {f"{who}.{n}?" for who in range(4) for n in range(20)}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchall() == [(2 * 4 * 20,)]
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT * FROM leases").fetchall() == []


async def test_many_stores_open_and_close_beside_each_other(path: Path) -> None:
    async with AsyncExitStack() as stack:
        opening = (stack.enter_async_context(open_store(path)) for _ in range(5))
        stores = await asyncio.gather(*opening)
        for n, store in enumerate(stores):
            ask(store, store.new(f"owner{n}"), "1?", "1")
        assert await asyncio.gather(*(store.saved(5) for store in stores)) == [True] * 5
        for store in stores:
            assert [len(await store.chats(f"owner{n}")) for n in range(5)] == [1] * 5


async def test_what_another_process_did_is_seen(store: Store, path: Path) -> None:
    conversation = store.new("me")
    run = ask(store, conversation, "1?", "1")
    assert await store.saved(5)
    async with open_store(path) as other:
        theirs = await other.open("me", conversation.id)
        assert theirs is not None
        assert await other.rename("me", theirs.id, "Named elsewhere")
        assert await other.rate("me", run.id, -1)
        ask(other, theirs, "2?", "2")
        assert await other.saved(5)
        assert await store.open("me", conversation.id) is conversation
        assert (conversation.title, conversation.named) == ("Named elsewhere", True)
        assert texts(conversation) == [("1?", "1"), ("2?", "2")]
        assert conversation.exchanges[0].thumb == -1
        assert await other.delete("me", theirs.id)
        assert await store.open("me", conversation.id) is None
        assert await store.chats("me") == []
        assert await store.restore("me", conversation.id)
        assert await other.open("me", theirs.id) is theirs


async def test_what_both_changed_at_once_is_read_again(store: Store, path: Path) -> None:
    conversation = store.new("me")
    ask(store, conversation, "1?", "1")
    assert await store.saved(5)
    async with open_store(path) as other:
        run = ask(store, conversation, "2?")
        assert await other.rename("me", conversation.id, "Named elsewhere")
        run.end("2")
        assert await store.saved(5)
    assert await store.open("me", conversation.id) is conversation
    assert conversation.title == "Named elsewhere"
    assert texts(conversation) == [("1?", "1"), ("2?", "2")]


async def test_a_list_moves_when_another_process_adds_to_it(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.store.disk.LOOK", 0.0)
    ask(store, store.new("me"), "1?", "1")
    assert await store.saved(5)
    seen = store.version_of("me")
    await until(lambda: store._disk is not None and store._disk._seen is not None)
    assert store.version_of("me") == seen
    async with open_store(path) as other:
        ask(other, other.new("me"), "2?", "2")
        assert await other.saved(5)
    await until(lambda: store.version_of("me") > seen)
    assert store.version_of("you") == 0


async def test_two_who_look_at_once_at_what_another_process_writes_see_it_once(
    store: Store, path: Path
) -> None:
    async with open_store(path) as other:
        run = ask(other, other.new("me"), "1?")
        run.say("0 ")
        assert await other.saved(5)
        theirs = await store.open("me", run.conversation.id)
        assert theirs is not None
        for n in range(1, 5):
            run.say(f"{n} ")
            assert await other.saved(5)
            await asyncio.gather(*(store.peek("me", theirs.id) for _ in range(4)))
            assert texts(theirs) == texts(run.conversation)
        run.end()
        assert await other.saved(5)


async def test_who_looks_and_never_asks_leaves_no_trace(store: Store, path: Path) -> None:
    for n in range(10):
        await store.current(f"visitor{n}")
        assert await store.chats(f"visitor{n}") == []
    assert await store.saved(5)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT * FROM currents").fetchall() == []
