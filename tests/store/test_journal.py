"""On a disk where WAL is not safe, one connection keeps the database to itself; all else is as ever."""

import logging
from pathlib import Path
from typing import Any

import pytest

from chat.cli.doctor import machine
from chat.errors import Config, Unsaved
from chat.settings import Settings
from chat.store import Store, database, mounts, open_store

from .told import ask, texts

MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 27 0:50 / /data rw,nosuid shared:9 - fuse.hf-mount hf-mount rw,user_id=0
41 27 0:51 / /data/local rw - xfs /dev/sdb rw
42 27 0:52 / /mnt/my\040disk rw - nfs4 server:/x rw
43 27 0:53 / /mnt/share rw - cifs //server/x rw
44 27 0:54 / /mnt/host rw - virtiofs host rw
45 27 0:55 / /mnt/c rw - 9p drvfs rw
46 27 0:56 / /mnt/twice rw - ext4 /dev/sdc rw
47 46 0:57 / /mnt/twice rw - fuse.s3fs s3fs rw
48 27 0:58 / /mnt/new rw - somethingnew x rw
broken
"""


async def journal_of(store: Store) -> tuple[Any, ...]:
    assert store._disk
    async with store._disk.database.reading() as connection:
        names = ("journal_mode", "locking_mode", "mmap_size")
        found = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in names]
        return found[0], found[1], found[2] or 0


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/chat.db", "fuse.hf-mount"),
        ("/data/local/chat.db", ""),
        ("/database/chat.db", ""),
        ("/opt/runnel/data/chat.db", ""),
        ("/mnt/my disk/chat.db", "nfs4"),
        ("/mnt/share/chat.db", "cifs"),
        ("/mnt/host/chat.db", "virtiofs"),
        ("/mnt/c/chat.db", "9p"),
        ("/mnt/twice/chat.db", "fuse.s3fs"),
        ("/mnt/new/chat.db", "somethingnew"),
    ],
)
def test_which_disk_is_this_machine_s(tmp_path: Path, path: str, kind: str) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    assert mounts.foreign(Path(path), tmp_path / "mountinfo") == kind
    assert mounts.foreign(Path(path), tmp_path / "none") == ""


async def test_where_the_disk_is_here_there_is_a_write_ahead_log(path: Path) -> None:
    async with open_store(path) as store:
        assert (await journal_of(store))[:2] == ("wal", "normal")
        assert not store.alone
        assert not store.notice


@pytest.mark.parametrize("by", ["setting", "disk"])
async def test_elsewhere_one_connection_has_it_alone(
    path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "disk":
        monkeypatch.setattr(database, "foreign", lambda path: "fuse.hf-mount")
    async with open_store(path) as before:  # made in the other mode, and left as it is by a kill
        if by == "setting":
            ask(before, before.new("me"), "1?", "1")
    for journal in ("auto", "delete") if by == "disk" else ("delete",):
        async with open_store(path, journal=journal) as store:
            assert await journal_of(store) == ("delete", "exclusive", 0)
            assert store.alone
            ask(store, store.new("me"), "2?", "2")
            assert await store.saved(5)
            # This journal stays, emptied, for as long as the file is ours.
            assert not {each.name for each in path.parent.iterdir()} & {"chat.db-wal", "chat.db-shm"}
            assert len(await store.chats("me", "2?")) >= 1
        assert sorted(each.name for each in path.parent.iterdir()) == ["chat.db", "chat.secret"]
    async with open_store(path) as store:
        assert texts(await store.current("me"))[-1] == ("2?", "2")


async def test_a_second_process_is_told_in_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY", 1)
    async with open_store(path, journal="delete") as store:
        ask(store, store.new("me"), "1?", "1")
        assert await store.saved(5)
        async with open_store(path, journal="delete") as second:
            assert "another Runnel has the database" in second.trouble
            with pytest.raises(Unsaved, match="another Runnel has the database"):
                await second.chats("me")
            settings = Settings(database=path, journal="delete")
            found = await machine.store(settings, second)
            assert "another Runnel has the database" in found.said
        ask(store, store.new("me"), "2?", "2")
        assert await store.saved(5)
    async with open_store(path, journal="delete") as third:
        assert not third.trouble
        assert len(await third.chats("me")) == 2


async def test_wal_that_did_not_take_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def no(self: database.Database) -> bool:
        return False

    monkeypatch.setattr(database.Database, "_in_wal_mode", no)
    with caplog.at_level(logging.WARNING):
        async with open_store(path, journal="wal") as store:
            assert await journal_of(store) == ("delete", "exclusive", 0)
            assert "takes no write-ahead log" in store.notice
            assert "takes no write-ahead log" in caplog.text
            found = await machine.store(Settings(database=path), store)
            assert found.verdict == "warning"
            assert found.next


async def test_wal_s_answer_is_looked_at() -> None:
    """What cannot be in that mode says so by its answer alone."""
    memory = database.Database(Path(":memory:"))
    assert not await memory._in_wal_mode()
    await memory.aclose()


async def test_wal_that_was_asked_for_on_another_disk_is_warned_of(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "foreign", lambda path: "nfs4")
    async with open_store(path, journal="wal") as store:
        assert (await journal_of(store))[0] == "wal"
        found = await machine.store(Settings(database=path), store)
    assert found.verdict == "warning"
    assert "nfs4" in found.said


def test_the_setting() -> None:
    assert Settings.read({"CHAT_DATABASE_JOURNAL": "DELETE"}).journal == "delete"
    with pytest.raises(Config, match="CHAT_DATABASE_JOURNAL is auto, wal or delete"):
        Settings.read({"CHAT_DATABASE_JOURNAL": "truncate"})
