"""Whatever the disk does, memory goes on; what could not be saved is told, and saved when it can be."""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chat.conversations import Conversation
from chat.errors import Unsaved
from chat.store import Store, database, open_store, writer

from .told import ask, texts


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRIES", (0.02,))
    monkeypatch.setattr("chat.store.database.BUSY", 20)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def pragma(store: Store, name: str, value: int) -> None:
    assert store._disk
    async with store._disk.database._writer.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await (await raw.execute(f"PRAGMA {name} = {value}")).close()


async def recovered(store: Store) -> None:
    async with asyncio.timeout(10):
        while store.trouble:
            await asyncio.sleep(0.01)


async def test_a_locked_database(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_store(path) as store:
        with locked(path):
            run = ask(store, store.new("me"), "secret?", key="k")
            assert not await store.saved(1)
            assert store.trouble == "Not saved: another program has locked the database. Trying again."
            run.say("half ")
            assert await store.asked("me", "k") == run.id
            assert await store.open("me", run.conversation.id) is run.conversation
            assert [chat.title for chat in await store.chats("me")] == ["secret?"]
            run.say("secret ")
        await recovered(store)
        run.end("whole")
        assert await store.saved(1)
        assert store.trouble == ""
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 2
    assert warned[0] == "not saved: another program has locked the database"
    assert warned[1].startswith("saved again, after ")
    assert "secret" not in caplog.text
    await kept(path, [("secret?", "half secret whole")])


async def kept(path: Path, expected: list[tuple[str, str]]) -> None:
    async with open_store(path) as store:
        (chat,) = await store.chats("me")
        conversation = await store.open("me", chat.id)
        assert conversation is not None
        assert texts(conversation) == expected
        assert conversation.exchanges[-1].full


async def test_a_full_disk(path: Path) -> None:
    async with open_store(path) as store:
        await pragma(store, "max_page_count", 1)  # SQLite makes it what there is already
        conversation = store.new("me")
        for n in range(20):
            ask(store, conversation, f"{n}?", "word " * 5000)
        assert not await store.saved(2)
        assert store.trouble == "Not saved: the disk is full. Trying again."
        run = ask(store, conversation, "last?")
        run.say("half ")
        await pragma(store, "max_page_count", 1_000_000)
        await recovered(store)
        run.end("whole")
        assert await store.saved(5)
    expected = [*((f"{n}?", "word " * 5000) for n in range(20)), ("last?", "half whole")]
    await kept(path, expected)


async def test_a_database_that_takes_nothing(path: Path) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        ask(store, conversation, "1?", "1")
        assert await store.saved(5)
        await pragma(store, "query_only", 1)
        run = ask(store, conversation, "2?", "2")
        assert not await store.saved(5)
        assert store.trouble == "Not saved: the database cannot be written to. Trying again."
        for change in (
            store.rename("me", conversation.id, "New"),
            store.delete("me", conversation.id),
            store.rate("me", run.id, 1),
            store.stop_elsewhere("me", run.id),
        ):
            with pytest.raises(Unsaved, match="cannot be written to"):
                await change
        assert conversation.title == "1?"
        assert conversation.exchanges[1].thumb == 0
        assert await store.open("me", conversation.id) is conversation
        assert await store.version(conversation, "other") is False
        await pragma(store, "query_only", 0)
        assert await store.rename("me", conversation.id, "New")
        assert store.trouble == ""
    await kept(path, [("1?", "1"), ("2?", "2")])


async def test_a_disk_that_fails_for_one_moment_tells_nobody_twice(path: Path) -> None:
    async with open_store(path) as store:
        await pragma(store, "query_only", 1)
        answers = await asyncio.gather(*(store.saved(5) for _ in range(5)), asked(store))
        assert answers == [False] * 5 + [None]
        await pragma(store, "query_only", 0)
        assert await asyncio.gather(*(store.saved(5) for _ in range(5))) == [True] * 5


async def asked(store: Store) -> None:
    ask(store, store.new("me"), "1?", "1")


async def test_a_folder_that_takes_no_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    path = tmp_path / "data" / "chat.db"
    async with open_store(path) as store:
        assert store.trouble.startswith("Not saved: the database cannot be opened")
        conversation = await store.current("me")
        with pytest.raises(Unsaved, match="The chats cannot be read: the database cannot be opened"):
            await store.chats("me")
        ask(store, conversation, "1?", "1")
        assert not await store.saved(1)
        assert await store.current("me") is conversation
        assert await store.open("you", conversation.id) is None
        assert [chat.title for chat in await store.chats("me", "1")] == ["1?"]
        with pytest.raises(Unsaved):
            await store.rename("me", conversation.id, "New")
        (tmp_path / "data").unlink()
        await recovered(store)
        assert await store.rename("me", conversation.id, "New")
    await kept(path, [("1?", "1")])


async def test_locked_from_the_start(path: Path) -> None:
    async with open_store(path) as store:
        ask(store, store.new("me"), "0?", "0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        async with open_store(path) as store:
            assert "locked" in store.trouble
            assert texts(await store.current("me")) == []
            conversation = store.new("me")
            run = ask(store, conversation, "1?")
            run.say("half ")
            other.execute("ROLLBACK")
            other.close()
            await recovered(store)
            run.end("whole")
    async with open_store(path) as store:
        assert [chat.title for chat in await store.chats("me")] == ["1?", "0?"]
        assert texts(await store.current("me")) == [("1?", "half whole")]


async def test_it_turns_out_to_be_somebody_else_s(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("not a folder")
    async with open_store(data / "chat.db") as store:
        ask(store, store.new("me"), "1?", "1")
        data.unlink()
        data.mkdir()
        with closing(sqlite3.connect(data / "other.db")) as other:
            other.execute("CREATE TABLE bookmarks (url TEXT)")
        before = (data / "other.db").read_bytes()
        os.replace(data / "other.db", data / "chat.db")
        async with asyncio.timeout(10):
            while "another program" not in store.trouble:
                await asyncio.sleep(0.01)
        assert (data / "chat.db").read_bytes() == before
        (data / "chat.db").unlink()
        await recovered(store)
    await kept(data / "chat.db", [("1?", "1")])


async def test_a_bug_in_one_change_costs_nothing_else(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    assert store._disk

    async def broken(connection: object) -> None:
        raise ZeroDivisionError

    ask(store, store.new("me"), "1?", "1")
    with pytest.raises(Unsaved):
        await store._disk.do(broken)
    assert "ZeroDivisionError" in caplog.text
    assert await store.saved(5)
    assert store.trouble == ""


async def test_a_run_that_cannot_be_stored_costs_no_other(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(path) as store:
        good, bad = (ask(store, store.new("me"), question) for question in ("good?", "bad?"))
        bad.say("fine ")
        assert await store.saved(5)
        bad.entries.append(None)  # type: ignore[arg-type]
        good.end("good")
        assert await store.saved(5)
        assert await store.saved(5)
    assert "cannot be stored" in caplog.text
    async with open_store(path) as store:
        first, second = await store.chats("me")
        assert texts(await found(store, first.id)) == [("bad?", "fine ")]
        assert texts(await found(store, second.id)) == [("good?", "good")]


async def test_a_list_that_cannot_be_read_is_not_empty(path: Path) -> None:
    async with open_store(path) as store:
        ask(store, store.new("me"), "1?", "1")
        assert await store.saved(5)
        for broken in (True, False):
            old, new = ("runs", "away") if broken else ("away", "runs")
            with closing(sqlite3.connect(path)) as other:
                other.execute("PRAGMA legacy_alter_table = ON")
                other.execute(f"ALTER TABLE {old} RENAME TO {new}")
            if broken:
                with pytest.raises(Unsaved, match="cannot be read: the database reports an error"):
                    await store.chats("me")
        assert [chat.title for chat in await store.chats("me")] == ["1?"]


async def found(store: Store, id: str) -> Conversation:
    conversation = await store.open("me", id)
    assert conversation is not None
    return conversation


@pytest.mark.parametrize("how", ["taken away", "hidden for a moment"])
async def test_a_database_that_is_gone(path: Path, how: str) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        ask(store, conversation, "1?", "1")
        run = ask(store, conversation, "2?")
        run.say("half ", seconds=1)
        assert await store.saved(5)
        run.say("of ", seconds=1)
        assert await store.saved(5)
        hidden = path.parent.rename(path.parent.with_name("hidden"))
        if how != "taken away":
            path.parent.touch()  # nothing can be made there
            run.say("all ", seconds=1)
            assert not await store.saved(5)
            path.parent.unlink()
            hidden.rename(path.parent)
            await recovered(store)
        run.end("it")
        assert await store.saved(5)
        ask(store, store.new("me"), "3?", "3")
    async with open_store(path) as store:
        chats = await store.chats("me")
        assert [chat.title for chat in chats] == ["3?", "1?"]
        text = "half of it" if how == "taken away" else "half of all it"
        assert texts(await found(store, chats[1].id))[-1] == ("2?", text)


async def test_a_backup_that_is_put_in_its_place(path: Path) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        ask(store, conversation, "1?", "1")
        assert await store.saved(5)
        backup = path.with_name("backup.db")
        with (
            contextlib.closing(sqlite3.connect(path)) as now,
            contextlib.closing(sqlite3.connect(backup)) as then,
        ):
            now.backup(then)
        ask(store, conversation, "2?", "2")
        run = ask(store, conversation, "3?")
        run.say("half ", seconds=1)
        assert await store.saved(5)
        backup.replace(path)
        run.end("of it")
        assert await store.saved(5)
        assert store.trouble == ""
    async with open_store(path) as store:
        (chat,) = await store.chats("me")
        said = texts(await found(store, chat.id))
        assert said[0] == ("1?", "1")
        assert said[-1] == ("3?", "half of it")


async def test_another_program_s_file_in_its_place_is_left_alone(path: Path) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        ask(store, conversation, "1?", "1")
        assert await store.saved(5)
        other = path.with_name("other.db")
        with contextlib.closing(sqlite3.connect(other)) as theirs:
            theirs.execute("CREATE TABLE theirs (it)")
            theirs.commit()
        before = other.read_bytes()
        mine = path.rename(path.with_name("mine.db"))
        other.rename(path)
        ask(store, conversation, "2?", "2")
        assert not await store.saved(5)
        assert store.trouble
        assert path.read_bytes() == before
        mine.replace(path)
        await recovered(store)
    await kept(path, [("1?", "1"), ("2?", "2")])


async def test_no_text_of_any_kind_is_trouble(store: Store) -> None:
    bad = "\ud800\0' OR 1=1--"
    conversation = store.new(bad.replace("\ud800", ""))
    run = ask(store, conversation, bad, bad, key=bad)
    assert await store.saved(5)
    for owner in ("me", conversation.owner):
        assert await store.open(owner, bad) is None
        assert await store.rename(owner, bad, bad) is False
        assert await store.delete(owner, bad) is False
        assert await store.rate(owner, bad, 1) is False
        assert await store.stop_elsewhere(owner, bad) is False
        assert len(await store.chats(owner, bad)) == (owner != "me")
    assert await store.asked(conversation.owner, bad) == run.id
    assert await store.rename(conversation.owner, conversation.id, bad)
    assert store.trouble == ""


async def test_what_a_person_asked_for_is_not_tried_again(path: Path) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        ask(store, conversation, "1?", "1")
        assert await store.saved(5)
        with locked(path), pytest.raises(Unsaved, match="has locked the database"):
            await store.delete("me", conversation.id)
        assert store.trouble == "", "nothing is left to be saved"
        assert [chat.title for chat in await store.chats("me")] == ["1?"]


async def test_more_readers_than_the_disk_has_time_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "QUEUE", 0.01)
    async with open_store(path) as store, contextlib.AsyncExitStack() as stack:
        conversation = store.new("me")
        ask(store, conversation, "1?", "1", key="once")
        assert await store.saved(5)
        assert store._disk
        for _ in range(database.READERS):
            await stack.enter_async_context(store._disk.database.reading())
        assert await store.asked("me", "once") is None
        await stack.aclose()
        assert await store.asked("me", "once") is not None


async def test_what_was_said_not_to_be_done_is_not_done_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.05)
    async with open_store(path) as store:
        run = ask(store, store.new("me"), "1?", "1")
        assert await store.saved(5)
        assert store._disk
        async with store._disk.database.writing():
            with pytest.raises(Unsaved, match="too slow"):
                await store.delete("me", run.conversation.id)
        assert await store.saved(5)
        assert [chat.id for chat in await store.chats("me")] == [run.conversation.id]


async def test_what_has_begun_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.05)
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(_: object) -> str:
        begun.set()
        await go.wait()
        return "done"

    async with open_store(path) as store:
        assert store._disk
        doing = asyncio.create_task(store._disk.do(slow))
        await begun.wait()
        late, _ = await asyncio.wait({doing}, timeout=0.2)
        assert not late
        go.set()
        assert await doing == "done"
