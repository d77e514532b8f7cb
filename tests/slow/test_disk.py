"""The disk fails in the middle of answers: the answers go on, the page is told, and all is saved in the end.

Within this process the three ways in which SQLite refuses to write; and from outside, a real app.py
whose database another program locks, or whose files may not grow.
"""

import asyncio
import contextlib
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chat.build import App, open_app
from chat.messages import Options
from chat.run import Run
from chat.settings import Settings
from chat.store import open_store
from tests.slow.served import Served, served
from tests.slow.visitor import Visitor, visitors
from tests.upstream import Upstream
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("sdks")]

BEFORE, DURING = 10, 5
"""Answers that are being written when the trouble comes, and that are asked for while it is there."""
TOKENS, RATE = 150, 50
BEHIND = 0.5
"""Seconds that an answer may end after the vendor's last word of it."""
LATE = 1.0
"""Seconds from a question to the vendor; half of it is for the question to be saved."""
PATIENCE = 20.0
QUESTION = f"text-{TOKENS}-{RATE}"
WHOLE = "".join(f"tok{number} " for number in range(1, TOKENS + 1))


class Disk:
    """Every SQLite connection of this process, those to come too, and what can befall them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, database: Path) -> None:
        self.database = database
        self._connect = sqlite3.connect
        self._made: list[sqlite3.Connection] = []
        self._now = ""
        monkeypatch.setattr(sqlite3, "connect", self._connected)

    def _connected(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        made = self._connect(*args, **kwargs | {"check_same_thread": False})
        if self._now:
            made.execute(self._now)
        self._made.append(made)
        return made

    def _all(self, pragma: str) -> None:
        self._now = pragma
        for each in self._made:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed
                each.execute(pragma)

    @contextlib.asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        self._all("PRAGMA max_page_count = 1")
        yield
        self._all("PRAGMA max_page_count = 4294967294")

    @contextlib.asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        self._all("PRAGMA query_only = 1")
        yield
        self._all("PRAGMA query_only = 0")

    def locked(self) -> AbstractAsyncContextManager[None]:
        return locked(self.database, self._connect)


@contextlib.asynccontextmanager
async def locked(
    database: Path, connect: Callable[..., sqlite3.Connection] = sqlite3.connect
) -> AsyncIterator[None]:
    """By a program that leaves a transaction open."""
    other = connect(database, isolation_level=None, timeout=0)
    try:
        while not other.in_transaction:
            with contextlib.suppress(sqlite3.OperationalError):  # ours is just being written
                other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(0.001)
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@contextlib.asynccontextmanager
async def grows_no_more(app: Served) -> AsyncIterator[None]:
    """Every write of the process to a file fails, as on a disk that is full."""
    before = resource.prlimit(app.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    resource.prlimit(app.pid, resource.RLIMIT_FSIZE, before)


@contextlib.asynccontextmanager
async def found_on_disk(database: Path, folder: Path) -> AsyncIterator[Any]:
    """The store as a kill at this moment would leave it."""
    shutil.copytree(database.parent, folder)
    async with open_store(folder / database.name) as store:
        yield store


async def ask(app: App, number: int) -> Run:
    conversation = app.store.new(f"owner{number}")
    return await app.runs.ask(conversation, f"{QUESTION}@{number}", Options(model="up:asked"))


@pytest.mark.parametrize("trouble", ["locked", "full", "read_only"])
async def test_answers_go_on_while_nothing_can_be_saved(
    trouble: str, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "data" / "chat.db"
    disk = Disk(monkeypatch, database)
    environ = {"CHAT_ENDPOINTS": f"up={upstream.url}/v1", "CHAT_MODEL": "up:asked", "CHAT_LOCAL": "0"}
    async with open_app(replace(Settings.read(environ), database=database)) as app:
        runs = [await ask(app, number) for number in range(BEFORE)]
        await until(lambda: all(run.transcript.text for run in runs), PATIENCE)
        assert app.store.trouble == ""
        async with getattr(disk, trouble)():
            began = time.monotonic()
            await until(lambda: bool(app.store.trouble), PATIENCE)
            said, noticed = app.store.trouble, time.monotonic() - began
            asked = time.monotonic()
            runs += [await ask(app, BEFORE + number) for number in range(DURING)]
            await asyncio.gather(*(asyncio.wait_for(run.finished(), PATIENCE) for run in runs))
            assert app.store.trouble
        recovering = time.monotonic()
        await until(lambda: not app.store.trouble, PATIENCE)
        assert await app.store.saved(PATIENCE)
        recovered = time.monotonic() - recovering
        assert app.store.trouble == ""
        assert {(run.state, run.transcript.text) for run in runs} == {("complete", WHOLE)}
        async with found_on_disk(database, tmp_path / "copy") as store:
            for number, run in enumerate(runs):
                (chat,) = await store.chats(f"owner{number}")
                conversation = await store.open(f"owner{number}", chat.id)
                assert [each.run for each in conversation.exchanges] == [run.id]
                (kept,) = [each.transcript for each in conversation.exchanges]
                assert (kept.state, kept.text) == ("complete", WHOLE)
    replies = {reply.question: reply for reply in upstream.replies}
    behind = max(run.started + run.elapsed - replies[run.turn.question].tokens[-1] for run in runs)
    late = max(replies[run.turn.question].opened - asked for run in runs[BEFORE:])
    assert said.endswith("."), said
    print(
        f"\n{trouble}: told after {noticed:.2f} s («{said}»), {len(runs)} answers whole, at most "
        f"{behind:.2f} s behind the vendor, who was asked {late:.2f} s after the question at most; "
        f"all saved {recovered:.2f} s after it could be"
    )
    assert behind < BEHIND
    assert late < LATE


@pytest.mark.parametrize("trouble", ["locked", "grows no more"])
async def test_the_page_is_told_that_nothing_is_saved_and_when_it_is_again(
    trouble: str, upstream: Upstream, tmp_path: Path
) -> None:
    database = tmp_path / "data" / "chat.db"
    database.parent.mkdir()
    async with served(database, upstream.url) as app, visitors(app.url, BEFORE) as people:
        overs = [await person.ask(QUESTION) for person in people]
        for number in range(BEFORE):
            await (await upstream.request(number)).spoke.wait()
        assert (await people[0].state())["saved"] is True
        async with locked(database) if trouble == "locked" else grows_no_more(app):
            began = time.monotonic()
            await saved(people[0], False)
            noticed = time.monotonic() - began
            await asyncio.gather(*(asyncio.wait_for(over, PATIENCE) for over in overs))
            for person in people:
                assert f"tok{TOKENS}" in "".join(person.heard)
        recovering = time.monotonic()
        await saved(people[0], True)
        recovered = time.monotonic() - recovering
        owners = [next(iter(person.cookies.values())).partition(".")[0] for person in people]
        # The save that ends the trouble may have begun before the last words came: theirs is the next one.
        async with asyncio.timeout(PATIENCE):
            while any(texts != [WHOLE] for texts in await kept(database, tmp_path, owners)):
                await asyncio.sleep(0.1)
    print(f"\napp.py, {trouble}: told after {noticed:.2f} s, and of its end {recovered:.2f} s later")


async def kept(database: Path, folder: Path, owners: list[str]) -> list[list[str]]:
    """The texts of each owner's answers as they are on disk now."""
    async with found_on_disk(database, Path(tempfile.mkdtemp(dir=folder), "copy")) as store:
        found: list[list[str]] = []
        for owner in owners:
            (chat,) = await store.chats(owner)
            conversation = await store.open(owner, chat.id)
            found.append([each.transcript.text for each in conversation.exchanges])
        return found


async def saved(person: Visitor, so: bool) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await person.state())["saved"] is not so:
            await asyncio.sleep(0.05)
