"""Who keeps too much, or would fill the disk, is told so before anything is asked; the operator never is."""

import asyncio
import secrets
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from chat.conversations import Conversation
from chat.errors import Failure, NoRoom
from chat.events import (
    Event,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from chat.limits import Limits
from chat.messages import Options, Turn
from chat.owners import LOCAL, person
from chat.quotas import DAY_S, LOOK_S, NETWORK_TIMES, PERSON_TIMES, Quotas
from chat.runs import Runs
from chat.settings import Settings
from chat.store import Store, open_store, writer
from chat.titles import LENGTH

STRANGER, OTHER = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
LONG = "x" * 100_000
"""A question that takes 0.8 MB with its index."""


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Asked:
    def __init__(self, store: Store, clock: Clock, **environ: str) -> None:
        self.store = store
        settings = Settings.read({"CHAT_PUBLIC": "1", "CHAT_RATE": "0", **environ})
        quotas = Quotas(settings, store, clock)
        self.text = "yes"
        self.runs = Runs(self.answer, store, limits=Limits(settings), quotas=quotas)

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        yield TurnStarted("acme:one", {})
        yield TextDelta(self.text)
        yield TurnFinished("end")

    async def __call__(self, owner: str, question: str = LONG, address: str = "192.0.2.1") -> Conversation:
        conversation = self.store.new(owner)
        run = await self.runs.ask(conversation, question, Options(), address=address)
        await run.finished()
        assert await self.store.saved(5)
        return conversation


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store, None]:
    async with open_store(tmp_path / "chat.db") as store:
        yield store


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_a_visitor_keeps_so_much_and_no_more(store: Store, clock: Clock) -> None:
    ask = Asked(store, clock, CHAT_MAX_STORED_MB_PER_VISITOR="2")
    first = await ask(STRANGER)
    await ask(STRANGER)
    await ask(STRANGER)
    with pytest.raises(NoRoom, match=r"Your chats take 2\.4 MB here, and 2\.0 MB .* Delete chats"):
        await ask(STRANGER, "short")
    assert len(await store.chats(STRANGER)) == 3  # what is refused leaves nothing
    await ask(secrets.token_urlsafe(24))
    await ask(LOCAL)
    # Deleted, it counts until it cannot be restored any more.
    await store.delete(STRANGER, first.id)
    with pytest.raises(NoRoom):
        await ask(STRANGER, "short")
    await purged(store)
    await ask(STRANGER, "short")
    await ask.runs.aclose()


async def purged(store: Store) -> None:
    from chat.store.purging import purge

    assert store._disk
    for _ in range(5):
        await store._disk.do(lambda connection: purge(connection, float("inf")))


async def test_who_logged_in_has_more_and_the_operator_all(store: Store, clock: Clock) -> None:
    ask = Asked(store, clock, CHAT_MAX_STORED_MB_PER_VISITOR="1")
    ann = person("ann")
    for _ in range(PERSON_TIMES + 3):
        await ask(ann)
        await ask(LOCAL)
        if await store.bytes_of(ann) >= PERSON_TIMES * 1_000_000:
            break
    with pytest.raises(NoRoom, match="10 MB"):
        await ask(ann, "short")
    await ask(LOCAL)
    await ask.runs.aclose()


async def test_all_together_keep_so_much(store: Store, clock: Clock) -> None:
    ask = Asked(store, clock, CHAT_MAX_STORED_MB="2", CHAT_MAX_STORED_MB_PER_VISITOR="0")
    while await store.size() < 2_000_000:
        await ask(secrets.token_urlsafe(24))
        clock.now += LOOK_S
    with pytest.raises(NoRoom, match="All chats together"):
        await ask(secrets.token_urlsafe(24))
    await ask(LOCAL)
    await ask.runs.aclose()


async def test_with_a_disk_almost_full_visitors_are_refused(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Asked(store, clock)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=199_000_000))
    with pytest.raises(NoRoom, match="disk of this server is almost full"):
        await ask(STRANGER, "short")
    await ask(LOCAL, "short")
    clock.now += LOOK_S
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=201_000_000))
    await ask(STRANGER, "short")
    await ask.runs.aclose()


async def test_a_new_cookie_for_each_chat_gains_nothing(store: Store, clock: Clock) -> None:
    ask = Asked(store, clock, CHAT_MAX_STORED_MB_PER_VISITOR="1")
    for _ in range(NETWORK_TIMES * 10 // 8 + 1):
        await ask(secrets.token_urlsafe(24))
    with pytest.raises(NoRoom, match="your network"):
        await ask(secrets.token_urlsafe(24))
    await ask(secrets.token_urlsafe(24), address="198.51.100.7")
    clock.now += DAY_S
    await ask(secrets.token_urlsafe(24))
    await ask.runs.aclose()


class Noting(Quotas):
    noted = 0

    def count(self, network: str, size: int) -> None:
        self.noted += size if network == "192.0.2.1" else 0
        super().count(network, size)


TITLE = 8 * 4 * LENGTH
"""Bytes of the longest title, with its index."""
END = TurnFinished("end")
LONG_ARGUMENTS = f'{{"text": "{"a" * 30_000}"}}'
TOOL = [
    ToolCallStarted("c1", "write"),
    ToolCallDelta("c1", LONG_ARGUMENTS),
    ToolStarted("c1", "write", {"text": "a" * 30_000}),
    ToolFinished("c1", "write", ["\N{CAT FACE}"] * 20_000, None, 0.1),
    TextDelta("done"),
    END,
]


@pytest.mark.parametrize(
    ("question", "options", "events"),
    [
        pytest.param("hi", Options(), [TextDelta("yes"), END], id="short"),
        pytest.param(LONG, Options(), [TextDelta("yes" * 10_000), END], id="ascii"),
        pytest.param(
            "\N{CAT FACE}" * 10_000, Options(), [TextDelta("\N{CAT FACE}" * 10_000), END], id="emoji"
        ),
        pytest.param(
            "hi", Options(system="\N{CAT FACE}" * 100_000), [TextDelta("yes"), END], id="system prompt"
        ),
        pytest.param(
            "hi", Options(), [ThinkingDelta("hm \N{CAT FACE}" * 50_000), TextDelta("yes"), END], id="thinking"
        ),
        pytest.param("hi", Options(), TOOL, id="arguments and results"),
        pytest.param(
            "hi\0\ud83d", Options(model="m" * 200), [TurnFailed(Failure("server", "No." * 1000))], id="failed"
        ),
        pytest.param("hi", Options(system="\ud83d\n" * 9_000), [TextDelta("yes"), END], id="escaped"),
    ],
)
async def test_a_network_is_charged_what_the_database_counts(
    store: Store, question: str, options: Options, events: list[Event]
) -> None:
    async def answer(turn: Turn) -> AsyncGenerator[Event, None]:
        yield TurnStarted("acme:one", {"system": turn.options.system})
        for event in events:
            yield event

    settings = Settings.read({"CHAT_PUBLIC": "1", "CHAT_RATE": "0"})
    quotas = Noting(settings, store)
    runs = Runs(answer, store, limits=Limits(settings), quotas=quotas)
    chat = store.new(STRANGER)
    for again in (False, False, True):
        run = await runs.ask(
            chat, question, options, again=again, address="192.0.2.1", key=secrets.token_hex()
        )
        await run.finished()
        assert await store.saved(5)
        kept = await store.bytes_of(STRANGER)
        # An answer that came to nothing is taken out again, and was charged.
        assert kept <= quotas.noted <= kept * 1.5 + TITLE
    branch = await store.branch(chat, chat.exchanges[1].run)
    assert branch is not None
    await (await runs.ask(branch, question, options, address="192.0.2.1")).finished()
    await (await runs.ask(store.new(OTHER), LONG, options, address="198.51.100.7")).finished()
    assert await store.saved(5)
    kept = await store.bytes_of(STRANGER)
    assert kept <= quotas.noted <= kept * 1.5 + 2 * TITLE
    await runs.aclose()


async def test_a_network_is_charged_while_an_answer_is_written(store: Store) -> None:
    first, more = asyncio.Event(), asyncio.Event()

    async def answer(turn: Turn) -> AsyncGenerator[Event, None]:
        yield TurnStarted("acme:one", {})
        yield ThinkingDelta("x" * 50_000)
        first.set()
        await more.wait()
        yield END

    settings = Settings.read({"CHAT_PUBLIC": "1", "CHAT_RATE": "0"})
    quotas = Noting(settings, store)
    runs = Runs(answer, store, limits=Limits(settings), quotas=quotas)
    chat = store.new(STRANGER)
    run = await runs.ask(chat, "hi", Options(), address="192.0.2.1")
    await first.wait()
    assert await store.saved(5)
    assert 50_000 < await store.bytes_of(STRANGER) <= quotas.noted
    more.set()
    await run.finished()
    assert await store.saved(5)
    noted = quotas.noted - TITLE + 8 * len("hi")
    assert noted == await store.bytes_of(STRANGER)
    # However it is called later, which nobody is told.
    await store.rename(STRANGER, chat.id, "\N{CAT FACE}" * LENGTH)
    assert quotas.noted == await store.bytes_of(STRANGER)
    await runs.aclose()


async def test_long_answers_and_system_prompts_count_too(store: Store, clock: Clock) -> None:
    ask = Asked(store, clock)
    conversation = store.new(STRANGER)
    run = await ask.runs.ask(conversation, "short", Options(system="y" * 50_000), address="192.0.2.1")
    await run.finished()
    assert await store.saved(5)
    assert 50_000 < await store.bytes_of(STRANGER) < 60_000
    await ask.runs.aclose()


def test_on_this_machine_alone_nothing_is_limited_and_nothing_expires() -> None:
    alone, public = Settings(), Settings.read({"CHAT_PUBLIC": "1"})
    assert (alone.stored_each, alone.stored, alone.free, alone.expire_s) == (0, 0, 0, 0)
    assert (public.stored_each, public.stored, public.free) == (50_000_000, 5_000_000_000, 200_000_000)
    assert public.expire_s == 30 * 86_400
    set_ = Settings.read({"CHAT_MAX_STORED_MB_PER_VISITOR": "7", "CHAT_VISITOR_CHATS_EXPIRE_DAYS": "1"})
    assert (set_.stored_each, set_.expire_s) == (7_000_000, 86_400)


async def test_a_network_is_counted_while_the_disk_takes_nothing(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database locked, questions and answers wait in memory: no more of them than could be kept."""
    monkeypatch.setattr(writer, "RETRIES", (0.02,))
    monkeypatch.setattr("chat.store.database.BUSY", 20)
    monkeypatch.setattr("chat.runs.SAVING", 0.01)
    path = tmp_path / "chat.db"
    async with open_store(path) as store:
        ask = Asked(store, clock, CHAT_MAX_STORED_MB_PER_VISITOR="1")

        async def until_refused(question: str, address: str) -> int:
            for count in range(60):
                chat = store.new(secrets.token_urlsafe(24))
                try:
                    run = await ask.runs.ask(chat, question, Options(), address=address)
                except NoRoom:
                    return count
                await run.finished()
            return 60

        await ask(secrets.token_urlsafe(24), "short", address="192.0.2.3")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await until_refused(LONG, "192.0.2.1") == 13  # 10 MB, of 0.8 MB each
            ask.text = LONG
            assert await until_refused("Write much", "192.0.2.2") == 13
            other.execute("ROLLBACK")
        assert await store.saved(5)
        await ask.runs.aclose()


async def test_questions_at_once_are_counted_each(store: Store, clock: Clock) -> None:
    ask = Asked(store, clock, CHAT_MAX_STORED_MB_PER_VISITOR="1")
    sent = [
        ask.runs.ask(store.new(secrets.token_urlsafe(24)), LONG, Options(), address="192.0.2.1")
        for _ in range(40)
    ]
    results = await asyncio.gather(*sent, return_exceptions=True)
    assert sum(isinstance(result, NoRoom) for result in results) == 40 - 13
    await ask.runs.aclose()
