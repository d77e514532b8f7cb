"""Who is dead is known, and what they were writing ends; who is alive is left alone."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chat.events import ThinkingDelta
from chat.store import Store, leases, open_store

from .told import Told, ask, texts

WRITES = """
import asyncio, sys
from pathlib import Path
from chat.store import open_store
from tests.store.told import ask

async def main():
    async with open_store(Path(sys.argv[1])) as store:
        conversation = store.new("me")
        ask(store, conversation, "First?", "first")
        run = ask(store, conversation, "elephant?")
        for n in range(100_000):
            run.say(f"trunk{n} ")
            await asyncio.sleep(0.01)
            if n == 30:
                assert await store.saved(5)
                print("written", flush=True)

asyncio.run(main())
"""


async def killed(path: Path) -> None:
    """A process that writes into the database, and is killed in the middle of it."""
    code = [sys.executable, "-c", WRITES, str(path)]
    process = await asyncio.create_subprocess_exec(*code, stdout=subprocess.PIPE)
    assert process.stdout
    assert await process.stdout.readline() == b"written\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_what_was_being_written_by_who_was_killed_ends_at_the_next_start(path: Path) -> None:
    await killed(path)
    async with open_store(path) as store:
        conversation = await store.current("me")
        assert conversation.exchanges[0].transcript.state == "complete"
        last = conversation.exchanges[1]
        assert last.transcript.state == "interrupted"
        assert last.transcript.failure is not None
        assert "Runnel stopped while this was being written" in last.transcript.failure.message
        words = last.transcript.text.split()
        assert words == [f"trunk{n}" for n in range(len(words))]
        assert len(words) > 30
        assert [chat.running for chat in await store.chats("me", "trunk3 elephant")] == [False]
        ask(store, conversation, "And now?", "on")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT text FROM messages WHERE id = ?", (last.run,)).fetchall() == [
            (last.transcript.text,)
        ]
        assert database.execute("SELECT * FROM leases").fetchall() == []
    assert list(path.parent.glob("*.lease")) == []
    async with open_store(path) as store:
        assert len((await store.current("me")).exchanges) == 3


@pytest.mark.skipif(os.name != "posix", reason="links need rights there")
async def test_who_comes_by_a_link_takes_nobody_for_dead(store: Store, path: Path, tmp_path: Path) -> None:
    run = ask(store, store.new("me"), "1?")
    run.say("one ")
    assert await store.saved(5)
    (tmp_path / "link.db").symlink_to(path)
    async with open_store(tmp_path / "link.db") as other:
        assert [chat.running for chat in await other.chats("me")] == [True]
        seen = await other.open("me", run.conversation.id)
        assert seen is not None
        assert seen.exchanges[0].transcript.state == "running"


async def test_what_a_living_one_writes_goes_on(store: Store, path: Path) -> None:
    run = ask(store, store.new("me"), "1?")
    run.say("one ")
    assert await store.saved(5)
    async with open_store(path) as other:
        seen = await other.open("me", run.conversation.id)
        assert seen is not None
        assert texts(seen) == [("1?", "one ")]
        assert seen.exchanges[0].transcript.state == "running"
        assert [chat.running for chat in await other.chats("me")] == [True]
        run.say(ThinkingDelta("hm"), "two ")
        assert await store.saved(5)
        assert await other.open("me", seen.id) is seen
        assert texts(seen) == [("1?", "one two ")]
        run.end("three")
        assert await store.saved(5)
        assert await other.open("me", seen.id) is seen
        assert texts(seen) == [("1?", "one two three")]
        assert seen.exchanges[0].transcript.state == "complete"
        assert seen.exchanges[0].transcript.thinking == "hm"
        ask(other, seen, "2?", "2")
        assert await other.saved(5)
        mine = await store.open("me", seen.id)
        assert mine is run.conversation
        assert texts(run.conversation) == [("1?", "one two three"), ("2?", "2")]


async def test_who_dies_while_somebody_looks(path: Path) -> None:
    async with open_store(path) as store:
        ask(store, store.new("me"), "0?", "0")
        assert await store.saved(5)
        await killed(path)
        (first, _) = await store.chats("me")
        assert first.running
        conversation = await store.open("me", first.id)
        assert conversation is not None
        assert conversation.exchanges[1].transcript.state == "interrupted"
        assert not (await store.chats("me"))[0].running


async def dead(store: Store) -> None:
    """Kills `store` as a signal would: no last save, no farewell, and the lock is let go."""
    disk = store._disk
    assert disk
    assert disk.writer._task
    assert await store.saved(5)
    disk.writer._task.cancel()
    await asyncio.wait([disk.writer._task])
    disk.writer._task = None
    for run in list(disk.pending.records):
        disk.pending.drop(run)
    disk._lease.release(ended=False)


@pytest.fixture
async def left(path: Path) -> Told:
    """A run whose process is gone."""
    async with open_store(path) as store:
        conversation = store.new("me")
        ask(store, conversation, "1?", "1")
        run = ask(store, conversation, "2?")
        run.say("half ")
        await dead(store)
    assert len(list(path.parent.glob("*.lease"))) == 1
    return run


async def state(path: Path) -> str:
    async with open_store(path) as store:
        conversation = await store.current("me")
        assert conversation.last
        return conversation.last.transcript.state


@pytest.mark.usefixtures("left")
async def test_a_lock_that_is_free_is_death(path: Path) -> None:
    assert await state(path) == "interrupted"


@pytest.mark.usefixtures("left")
async def test_from_another_machine_the_heart_tells(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_machine", lambda: "elsewhere")
    assert await state(path) == "running"
    monkeypatch.setattr(time, "time", later(leases.PATIENCE - 3))
    assert await state(path) == "running"
    monkeypatch.setattr(time, "time", later(leases.PATIENCE + 1))
    assert await state(path) == "interrupted"


@pytest.mark.usefixtures("left")
async def test_without_locks_the_heart_tells(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE leases SET locked = 0")
        database.commit()
    assert await state(path) == "running"
    monkeypatch.setattr(time, "time", later(leases.PATIENCE + 1))
    assert await state(path) == "interrupted"


@pytest.mark.usefixtures("left")
async def test_a_copy_of_a_database_has_no_living_writer(path: Path) -> None:
    for each in path.parent.glob("*.lease"):
        each.unlink()
    assert await state(path) == "interrupted"


def later(seconds: float) -> Callable[[], float]:
    now = time.time
    return lambda: now() + seconds


async def test_a_new_answer_that_has_no_word_yet_gives_its_place_back(path: Path) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        first = ask(store, conversation, "1?", "one")
        run = ask(store, conversation, "1?", again=True)
        run.say(ThinkingDelta("hm"))
        await dead(store)
    async with open_store(path) as store:
        conversation = await store.current("me")
        assert texts(conversation) == [("1?", "one")]
        assert conversation.exchanges[0].versions == [first.id]


async def test_a_heart_beats_while_an_answer_is_written(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.store.writer.BEAT", 0.0)
    ask(store, store.new("me"), "1?")
    assert await store.saved(5)
    first = heartbeat(path)
    async with asyncio.timeout(5):
        while heartbeat(path) == first:
            await asyncio.sleep(0.01)


def heartbeat(path: Path) -> float:
    with closing(sqlite3.connect(path)) as database:
        ((found,),) = database.execute("SELECT heartbeat FROM leases").fetchall()
        return found


async def test_another_process_asks_for_a_stop(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.store.writer.BEAT", 0.0)
    stopped = asyncio.get_running_loop().create_future()
    store.when_stop_asked(lambda run: stopped.done() or stopped.set_result(run))
    run = ask(store, store.new("me"), "1?")
    assert await store.saved(5)
    async with open_store(path) as other:
        assert await other.stop_elsewhere("you", run.id) is False
        assert not stopped.done()
        assert await other.stop_elsewhere("me", run.id) is True
        async with asyncio.timeout(5):
            assert await stopped == run.id
        run.end("done")
        assert await store.saved(5)
        assert await other.stop_elsewhere("me", run.id) is False


async def test_files_of_the_dead_are_tidied_up(path: Path) -> None:
    path.parent.mkdir()
    (path.parent / f"{path.name}-0123.lease").touch()
    (path.parent / "other.db-0123.lease").touch()
    async with open_store(path) as store:
        ask(store, store.new("me"), "1?")
        assert await store.saved(5)
        async with open_store(path):
            pass
        names = {each.name for each in path.parent.glob("*.lease")}
        assert len(names) == 2
        assert "other.db-0123.lease" in names
