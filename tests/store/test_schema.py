"""A file that is not ours is left as it is; one of ours comes forward by itself."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from chat.errors import Config
from chat.store import MEMORY, migrations, open_store, schema
from chat.store.tables import META

from .told import ask, texts


def make(path: Path, *statements: str, wal: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        if wal:
            database.execute("PRAGMA journal_mode = WAL")
        for statement in statements:
            database.execute(statement)
        database.commit()


async def refused(path: Path, *words: str) -> None:
    before = content(path)
    with pytest.raises(Config) as error:
        async with open_store(path):
            pass
    assert all(word in error.value.message for word in (str(path), *words))
    assert content(path) == before


def content(path: Path) -> dict[Path, bytes | None]:
    return {each: each.read_bytes() if each.is_file() else None for each in path.parent.iterdir()}


@pytest.mark.parametrize("wal", [False, True])
async def test_another_program_s_database_is_left_alone(path: Path, wal: bool) -> None:
    make(path, "CREATE TABLE bookmarks (url TEXT)", "INSERT INTO bookmarks VALUES ('x')", wal=wal)
    await refused(path, "another program")


async def test_another_program_s_database_in_use_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("PRAGMA journal_mode = WAL")
        theirs.execute("CREATE TABLE bookmarks (url TEXT)")
        theirs.commit()
        before, log = path.read_bytes(), path.with_name("chat.db-wal").read_bytes()
        with pytest.raises(Config, match="another program"):
            async with open_store(path):
                pass
        assert (path.read_bytes(), path.with_name("chat.db-wal").read_bytes()) == (before, log)


async def test_a_newer_one_is_left_alone(path: Path) -> None:
    async with open_store(path) as store:
        ask(store, store.new("me"), "1?", "1")
    path.with_suffix(".secret").unlink()
    make(path, f"UPDATE runnel SET version = {len(migrations.STEPS) + 1}")
    await refused(path, "newer Runnel", "Update")


@pytest.mark.skipif(os.name != "posix", reason="links need rights there")
async def test_another_program_s_database_behind_a_link_is_left_alone(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    killed = tmp_path / "killed" / "chat.db"
    killed.parent.mkdir()
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("PRAGMA journal_mode = WAL")
        theirs.execute("CREATE TABLE bookmarks (url TEXT)")
        theirs.commit()
        for end in ("", "-wal", "-shm"):  # as a killed program leaves it
            killed.with_name(f"chat.db{end}").write_bytes(path.with_name(f"chat.db{end}").read_bytes())
    (tmp_path / "link.db").symlink_to(killed)
    log = killed.with_name("chat.db-wal")
    before = killed.read_bytes(), log.read_bytes()
    with pytest.raises(Config, match="another program"):
        async with open_store(tmp_path / "link.db"):
            pass
    assert (killed.read_bytes(), log.read_bytes()) == before


@pytest.mark.parametrize("content", [b"Dear diary", b"SQLite format 3\0" + b"x" * 5000, b"\0"])
async def test_what_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    await refused(path, "left alone")


async def test_a_folder_is_no_database(path: Path) -> None:
    path.mkdir(parents=True)
    await refused(path, "folder")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are none there")
async def test_a_pipe_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(Config, match="no ordinary file"):
        async with asyncio.timeout(5), open_store(path):
            pass
    assert [each.name for each in path.parent.iterdir()] == ["chat.db"]


async def test_an_empty_file_is_a_beginning(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    async with open_store(path) as store:
        ask(store, store.new("me"), "1?", "1")
    async with open_store(path) as store:
        assert texts(await store.current("me")) == [("1?", "1")]


@pytest.mark.skipif(os.name != "posix", reason="rights are another matter there")
async def test_nobody_else_reads_it(path: Path) -> None:
    async with open_store(path) as store:
        ask(store, store.new("me"), "1?")
        assert await store.saved(5)
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
        assert len(list(path.parent.iterdir())) == 5


async def test_at_rest_there_are_two_files(path: Path) -> None:
    async with open_store(path) as store:
        ask(store, store.new("me"), "1?", "1")
    assert sorted(each.name for each in path.parent.iterdir()) == ["chat.db", "chat.secret"]


async def test_steps_forward_run_once_and_keep_what_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(path) as store:
        ask(store, store.new("me"), "1?", "1")
    later(monkeypatch, "CREATE TABLE later (id TEXT)", "INSERT INTO later VALUES ('x')")
    for _ in range(2):
        async with open_store(path) as store:
            assert texts(await store.current("me")) == [("1?", "1")]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT id FROM later").fetchall() == [("x",)]
        assert database.execute("SELECT version FROM runnel").fetchall() == [(len(migrations.STEPS) + 1,)]


async def test_a_step_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_store(path) as store:
        ask(store, store.new("me"), "1?", "1")
    with monkeypatch.context() as patch:
        later(patch, "CREATE TABLE later (id TEXT)", "INSERT INTO nowhere VALUES ('x')")
        async with open_store(path) as store:
            assert store.trouble
    async with open_store(path) as store:
        assert store.trouble == ""
        assert texts(await store.current("me")) == [("1?", "1")]


def later(patch: pytest.MonkeyPatch, *step: str) -> None:
    patch.setattr(schema, "STEPS", (*migrations.STEPS, step))


async def test_the_tables_are_what_the_steps_make(path: Path) -> None:
    async with open_store(path):
        pass
    engine = create_engine(f"sqlite:///{path}")
    found = inspect(engine)
    for table in META.sorted_tables:
        columns = {each["name"]: each for each in found.get_columns(table.name)}
        assert list(columns) == [column.name for column in table.columns]
        for column in table.columns:
            there = columns[column.name]
            assert str(there["type"]) == str(column.type), column
            assert there["nullable"] == column.nullable, column
            assert bool(there.get("primary_key")) == column.primary_key, column
    engine.dispose()


async def test_in_memory_nothing_is_left(tmp_path: Path) -> None:
    async with open_store(MEMORY) as store:
        conversation = store.new("me")
        ask(store, conversation, "elephant?", "1")
        assert await store.saved(5)
        assert [chat.id for chat in await store.chats("me", "elephant")] == [conversation.id]
    assert list(tmp_path.iterdir()) == []
