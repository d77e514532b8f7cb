"""How much room chats take is counted by the database, and given back; what strangers leave expires."""

import asyncio
import random
import secrets
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import pytest

from chat.owners import LOCAL, person
from chat.store import Store, expiring, migrations, open_store, purging
from chat.store import memory as store_memory
from chat.store.purging import NOBODY, purge
from tests.waiting import until

from .told import DONE, ask, texts

DAY = 86_400.0
OWNERS = (LOCAL, person("ann"), *(secrets.token_urlsafe(24) for _ in range(3)))
STRANGER = OWNERS[2]


def query(path: Path, statement: str, *values: object) -> list[tuple]:
    with closing(sqlite3.connect(path)) as database, database:
        return database.execute(statement, values).fetchall()


def size(*values: str | None) -> int:
    return sum(len(value.encode()) for value in values if value is not None)


def recounted(path: Path, *, titles: bool = True) -> dict[str, tuple[int, int]]:
    """Chats and bytes by owner, from what is there."""
    found: dict[str, tuple[int, int]] = {}
    where = dict(query(path, "SELECT id, conversation FROM runs"))
    called = query(path, "SELECT id, title FROM conversations")
    each = {id: 1000 + (8 * size(title) if titles else 0) for id, title in called}
    for id, text, parts in query(path, "SELECT conversation, text, parts FROM messages"):
        each[id] += 200 + 8 * size(text) + size(parts)
    columns = "key, options, settings, failure, usage, model"
    for id, *values in query(path, f"SELECT conversation, {columns} FROM runs"):
        each[id] += 500 + size(*values)
    for run, body in query(path, "SELECT run, body FROM events"):
        each[where[run]] += 50 + size(body)
    for id, owner in query(path, "SELECT id, owner FROM conversations"):
        chats, count = found.get(owner, (0, 0))
        found[owner] = chats + 1, count + each[id]
    return found


def counted(path: Path) -> dict[str, tuple[int, int]]:
    return {owner: (chats, count) for owner, chats, count in query(path, "SELECT * FROM owners")}


async def purged(store: Store, before: float = float("inf")) -> None:
    assert store._disk
    while (await store._disk.do(partial(purge, before=before))).more:
        pass


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_done_each_owner_s_bytes_are_right(path: Path, seed: int) -> None:
    dice = random.Random(seed)
    async with open_store(path) as store:
        chats: list[tuple[str, str]] = []
        for _ in range(40):
            owner = dice.choice(OWNERS)
            mine = [id for whose, id in chats if whose == owner]
            conversation = await store.open(owner, dice.choice(mine)) if mine else None
            match dice.choice(
                ["ask", "ask", "again", "branch", "delete", "restore", "rename", "adopt", "purge"]
            ):
                case "again" if conversation is not None and conversation.exchanges:
                    ask(store, conversation, "again", dice.choice(["", "é" * 50]) or DONE, again=True)
                case "branch" if conversation is not None and conversation.exchanges:
                    last = dice.choice(conversation.exchanges).run
                    if (branch := await store.branch(conversation, last)) is not None:
                        ask(store, branch, "other?", "日本語", key=secrets.token_hex(4))
                        chats.append((owner, branch.id))
                case "delete" if mine:
                    await store.delete(owner, dice.choice(mine))
                case "restore" if mine:
                    await store.restore(owner, dice.choice(mine))
                case "rename" if mine:
                    await store.rename(
                        owner, dice.choice(mine), dice.choice("xé日\N{CAT FACE}") * dice.randrange(200)
                    )
                case "adopt":
                    other = dice.choice(OWNERS)
                    if other != owner:
                        await store.adopt(other, owner)
                        chats = [(owner if whose == other else whose, id) for whose, id in chats]
                case "purge":
                    await purged(store)
                case _:
                    conversation = conversation or store.new(owner)
                    ask(store, conversation, "q" * dice.randrange(3000), "a" * dice.randrange(3000), DONE)
                    chats.append((owner, conversation.id))
            if dice.random() < 0.5:
                assert await store.saved(5)
        assert await store.saved(5)
        assert not store.trouble
        assert counted(path) == recounted(path)
        for owner in OWNERS:
            assert await store.bytes_of(owner) == recounted(path).get(owner, (0, 0))[1]
        for owner, id in chats:
            await store.delete(owner, id)
        await purged(store)
        assert counted(path) == recounted(path)
        assert query(path, "SELECT count(*) FROM messages") == [(0,)]


OLD = """INSERT INTO conversations (id, owner, title, named, created, updated, deleted, leaf, revision)
        VALUES ('c1', '{owner}', 'T', 0, 1, {updated}, NULL, 'a1', 1),
            ('c2', 'local', 'U', 0, 1, 1, NULL, 'a2', 2);
    INSERT INTO messages (id, conversation, parent, role, created, text)
        VALUES ('q1', 'c1', NULL, 'user', 1, 'What is é?'), ('a1', 'c1', 'q1', 'assistant', 1, 'A letter.'),
            ('q2', 'c2', NULL, 'user', 1, 'Mine?'), ('a2', 'c2', 'q2', 'assistant', 1, 'Yes.');
    INSERT INTO runs (id, conversation, owner, lease, state, continues, started, options, thumb, stop_asked)
        VALUES ('a1', 'c1', '{owner}', 'l', 'done', 0, 1, '{{}}', 0, 0),
            ('a2', 'c2', 'local', 'l', 'done', 0, 1, '{{}}', 0, 0);
    INSERT INTO events VALUES ('a1', 1, '[]'), ('a2', 1, '[]');
    INSERT INTO search (rowid, text) SELECT number, text FROM messages;"""


def old(path: Path, owner: str, updated: float) -> None:
    """A database as it was before room was counted."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as database:
        for step in migrations.STEPS[:2]:
            for statement in step:
                database.execute(statement)
        database.execute("INSERT INTO runnel VALUES (2)")
        database.executescript(OLD.format(owner=owner, updated=updated))
        database.commit()


async def test_an_old_database_comes_forward_whole_and_counted(path: Path) -> None:
    old(path, STRANGER, time.time())
    before = {
        table: query(path, f"SELECT * FROM {table}") for table in ("messages", "runs", "events", "search")
    }
    async with open_store(path, expire_s=30 * DAY) as store:
        assert counted(path) == recounted(path, titles=False)
        assert await store.bytes_of(STRANGER) == recounted(path, titles=False)[STRANGER][1] > 2000
        for owner, id, said in ((STRANGER, "c1", "A letter."), (LOCAL, "c2", "Yes.")):
            conversation = await store.open(owner, id)
            assert conversation is not None
            assert texts(conversation)[0][1] == said
            ask(store, conversation, "And?", "More.")
        assert await store.saved(5)
        assert counted(path) == recounted(path, titles=False)
        await store.delete(STRANGER, "c1")
        await purged(store)
        assert STRANGER not in counted(path)
    for table, rows in before.items():
        assert set(query(path, f"SELECT * FROM {table}")).issuperset(
            row for row in rows if not {"c1", "a1", "q1"}.intersection(row) and table != "search"
        )
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


# -- expiry ----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "FIRST_S", 0.0)
    monkeypatch.setattr(expiring, "EVERY_S", 0.01)


@asynccontextmanager
async def expiring_store(path: Path) -> AsyncGenerator[Store, None]:
    async with open_store(path, expire_s=30 * DAY) as store:
        yield store


async def made(path: Path, *owners: str, count: int = 1) -> dict[str, str]:
    """A chat of each of `owners`; its id."""
    found = {}
    async with open_store(path) as store:
        for owner in owners:
            for _ in range(count):
                conversation = store.new(owner)
                ask(store, conversation, "1?", "1")
                found[owner] = conversation.id
    return found


def aged(path: Path, days: float, owner: str = "%") -> None:
    query(path, "UPDATE conversations SET updated = ? WHERE owner LIKE ?", time.time() - days * DAY, owner)


def there(path: Path) -> set[str]:
    return {owner for (owner,) in query(path, "SELECT owner FROM conversations WHERE owner != ?", NOBODY)}


async def test_what_strangers_have_not_used_for_long_is_gone_and_nothing_else(path: Path) -> None:
    await made(path, *OWNERS)
    aged(path, 31)
    aged(path, 29, OWNERS[3])
    async with expiring_store(path):
        await until(lambda: there(path) == {LOCAL, person("ann"), OWNERS[3]})
        await until(lambda: query(path, "SELECT count(*) FROM messages") == [(6,)])
    assert counted(path) == recounted(path)


async def test_without_the_setting_nothing_expires(path: Path) -> None:
    await made(path, STRANGER)
    aged(path, 3000)
    async with open_store(path) as store:
        assert store._disk is not None
        assert store._disk._expiring is None
    assert there(path) == {STRANGER}


async def test_many_go_a_few_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "AT_ONCE", 2)
    await made(path, STRANGER, OWNERS[3], count=4)
    aged(path, 31)
    async with expiring_store(path):
        await until(lambda: there(path) == set(), within=15)


async def test_a_chat_that_is_open_or_was_read_lately_stays(path: Path) -> None:
    chats = await made(path, STRANGER, OWNERS[3])
    aged(path, 31)
    async with open_store(path, expire_s=3000 * DAY) as store:
        assert await store.open(STRANGER, chats[STRANGER])
        assert await store.saved(5)
    # Another process: what keeps it is that it was opened.
    async with expiring_store(path):
        await until(lambda: there(path) == {STRANGER})
    async with expiring_store(path) as store:
        # This one: a page shows it, though nothing says so on the disk.
        held = await store.peek(STRANGER, chats[STRANGER])
        assert held is not None
        query(path, "UPDATE conversations SET opened = 0")
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert there(path) == {STRANGER}


async def test_one_that_is_being_answered_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_memory, "IN_USE_S", -1.0)
    await made(path, OWNERS[3])
    async with expiring_store(path) as store:
        run = ask(store, store.new(STRANGER), "1?")
        assert await store.saved(5)
        aged(path, 31)
        await until(lambda: there(path) == {STRANGER})
        run.end("1")
        assert await store.saved(5)


async def test_a_clock_set_forward_makes_nothing_old(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await made(path, STRANGER)
    aged(path, 20)
    now = time.time
    async with expiring_store(path) as store:
        monkeypatch.setattr(time, "time", lambda: now() + 3000 * DAY)
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert there(path) == {STRANGER}
        assert not store.trouble


# -- giving room back ------------------------------------------------------------------------


async def test_a_large_chat_goes_in_pieces_and_is_nobody_s_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "STEP_S", 0.0)
    monkeypatch.setattr(purging, "AT_ONCE_BYTES", 10_000)
    async with open_store(path) as store:
        assert store._disk
        conversation = store.new(STRANGER)
        for n in range(10):
            ask(store, conversation, f"{n}?", "x" * 1000)
        await store.delete(STRANGER, conversation.id)
        left = [20]
        while (await store._disk.do(partial(purge, before=float("inf")))).more:
            assert not await store.restore(STRANGER, conversation.id)
            assert await store.bytes_of(STRANGER) == 0
            assert counted(path) == recounted(path)
            left.append(query(path, "SELECT count(*) FROM messages")[0][0])
        assert left == sorted(left, reverse=True)
        assert len(left) > 10
        assert query(path, "SELECT count(*) FROM messages") == [(0,)]


async def tidied(store: Store) -> None:
    """All that was deleted is purged, and its room usable again."""
    assert store._disk
    disk = store._disk
    disk.pending.do(disk._purge)
    disk.writer.wake()
    while True:
        assert await store.saved(5)
        if not (disk.pending or disk._tidying):
            return


async def test_the_file_shrinks_in_small_steps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "UNDO", -1.0)
    dice = random.Random(1)
    async with open_store(path) as store:
        before = await store.size()
        conversation = store.new(STRANGER)
        for n in range(30):
            ask(store, conversation, f"{n}?", "".join(dice.choices("abcdefgh ", k=20_000)))
            await store.saved(5)
        assert await store.size() > before + 2_000_000
        await store.delete(STRANGER, conversation.id)
        await tidied(store)
        assert await store.size() < before + 100_000
        ask(store, store.new(STRANGER), "elephants?", "yes")
        assert await store.saved(5)
        assert len(await store.chats(STRANGER, "elephant")) == 1
    assert path.stat().st_size < before + 2_200_000  # with the pages that are kept for what comes
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO search (search) VALUES ('integrity-check')")


async def test_in_an_old_file_free_pages_are_used_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "UNDO", -1.0)
    old(path, STRANGER, time.time())
    dice, sizes = random.Random(1), list[int]()
    async with open_store(path) as store:
        for _ in range(5):
            conversation = store.new(STRANGER)
            ask(store, conversation, "1?", "".join(dice.choices("abcdefgh ", k=200_000)))
            assert await store.saved(5)
            await store.delete(STRANGER, conversation.id)
            await tidied(store)
            sizes.append(await store.size())
        assert query(path, "PRAGMA auto_vacuum") == [(0,)]
    assert max(sizes) < 500_000
    assert path.stat().st_size < 4_000_000  # of some 7 MB that were written
