"""What was asked and answered is there again, whole, and for its owner alone."""

import asyncio
import gc
import weakref
from pathlib import Path

import pytest

from chat.conversations import Conversation
from chat.errors import Failure
from chat.events import (
    Citation,
    Notice,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    Usage,
)
from chat.messages import Options
from chat.store import MEMORY, Store, memory, open_store, reading

from .told import DONE, STOPPED, Told, ask, texts

pytestmark = pytest.mark.usefixtures("journals")

EVENTS = (
    ThinkingDelta("Hm"),
    ThinkingDelta(" …"),
    "Let me ",
    ToolCallStarted("1", "calculate"),
    ToolCallDelta("1", '{"a":'),
    ToolCallDelta("1", " 1}"),
    ToolStarted("1", "calculate", {"a": 1}),
    ToolFinished("1", "calculate", [1, {"b": None}], None, 0.1),
    Citation("A page", "https://example.org"),
    Notice("unsupported", "Left out."),
    "see.\nIt is «1» 日本語 😀 \ud800 \0",
    Usage(5, 6),
    DONE,
)


def told(conversation: Conversation) -> list[object]:
    """All that a face can see of a conversation."""
    return [
        (
            *(e.question, e.run, e.asked, e.at, e.options, e.continues, e.key, e.thumb, e.versions, e.full),
            *(t.model, t.settings, t.text, t.thinking, t.usage, t.state, t.stop, t.failure, t.seq, t.notices),
            *(
                t.sources,
                [(c.id, c.name, c.text, c.arguments, c.result, c.error, c.seconds) for c in t.calls],
            ),
            [round(step.began, 2) for step in t.steps],
        )
        for e in conversation.exchanges
        for t in (e.transcript,)
    ]


async def test_all_of_it_is_there_after_a_restart(path: Path) -> None:
    async with open_store(path) as store:
        before = await store.current("me")
        options = Options("acme:one", 0.5, 100, "low", "Be brief.", ("calculate",))
        ask(store, before, "What is it?\n\ud800 \0", *EVENTS, options=options, key="k")
        ask(store, before, "Go on", "half an ans", STOPPED, continues=True)
        ask(store, before, "And?", TurnFailed(Failure("server", "It broke.", 3.0, 500)))
    async with open_store(path) as store:
        after = await store.current("me")
        assert after is not before
        assert (after.id, after.title, after.named) == (before.id, before.title, False)
        before.exchanges[0].question = "What is it?\n\ufffd \ufffd"  # what no database takes
        assert told(after) == told(before)


async def test_an_owner_stays_in_a_conversation() -> None:
    store = Store()
    conversation = await store.current("me")
    assert await store.current("me") is conversation
    assert await store.current("you") is not conversation
    assert store.new("me") is not conversation


async def test_where_somebody_was_is_where_they_come_back(path: Path) -> None:
    async with open_store(path) as store:
        first, second = store.new("me"), store.new("me")
        ask(store, first, "1?", "1")
        ask(store, second, "2?", "2")
        assert await store.open("me", first.id) is first
        assert await store.peek("me", second.id) is second
    async with open_store(path) as store:
        assert texts(await store.current("me")) == [("1?", "1")]
        store.new("me")
    async with open_store(path) as store:
        assert texts(await store.current("me")) == []
        assert len(await store.chats("me")) == 2


@pytest.mark.parametrize("database", ["file", "memory"])
async def test_what_is_somebody_else_s_is_what_is_not_there(path: Path, database: str) -> None:
    async with open_store(path if database == "file" else MEMORY) as store:
        mine = store.new("me")
        run = ask(store, mine, "1?", "1", key="k")
        assert await store.saved(5)
        for owner, id, answer in (("you", mine.id, run.id), ("me", "no", "no"), ("", mine.id, run.id)):
            assert await store.open(owner, id) is None
            assert await store.peek(owner, id) is None
            assert await store.rename(owner, id, "Mine now") is False
            assert await store.delete(owner, id) is False
            assert await store.restore(owner, id) is False
            assert await store.rate(owner, answer, 1) is False
            assert await store.stop_elsewhere(owner, answer) is False
            assert await store.asked(owner, "k" if owner != "me" else "no") is None
        assert await store.chats("you") == await store.chats("you", "1?") == []
        assert texts(mine) == [("1?", "1")]
        assert (mine.title, mine.exchanges[0].thumb) == ("1?", 0)


async def test_a_conversation_is_one_object(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "OPEN", 2)
    held = store.new("me")
    ask(store, held, "1?", "1")
    assert await store.saved(5)
    for n in range(5):
        ask(store, store.new("me"), f"{n}?", "x")
        assert await store.saved(5)
    assert await store.open("me", held.id) is held
    found = await asyncio.gather(*(store.open("me", held.id) for _ in range(5)))
    assert set(map(id, found)) == {id(held)}


async def test_what_is_saved_and_idle_leaves_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "OPEN", 3)
    running = ask(store, store.new("idler"), "Wait?")
    ids, references = [], [weakref.ref(running.conversation)]
    for n in range(20):
        conversation = store.new("idler")
        ids.append(conversation.id)
        references.append(weakref.ref(conversation))
        ask(store, conversation, f"{n}?", f"{n}")
        assert await store.saved(5)
        del conversation
    gc.collect()
    assert sum(reference() is not None for reference in references) <= 4
    assert references[0]() is not None
    running.end("at last")
    for n, id in enumerate(ids):
        again = await store.open("idler", id)
        assert again is not None
        assert texts(again) == [(f"{n}?", f"{n}")]


async def test_what_is_long_ago_is_read_when_it_is_asked_for(path: Path) -> None:
    async with open_store(path) as store:
        before = store.new("me")
        for n in range(50):
            ask(store, before, f"{n}?", ThinkingDelta("Hm"), f"{n}", Usage(n), DONE, options=Options(f"m{n}"))
    async with open_store(path) as store:
        after = await store.current("me")
        assert [e.full for e in after.exchanges] == [False] * 20 + [True] * 30
        old = after.exchanges[3]
        assert (old.transcript.text, old.transcript.thinking) == ("3", "")
        assert (old.transcript.model, old.transcript.state, old.options.model) == (
            "acme:one",
            "complete",
            "m3",
        )
        assert old.transcript.settings == {"temperature": 0.5}
        assert old.transcript.ended == pytest.approx(before.exchanges[3].transcript.ended)
        await store.earlier(after, 45)
        assert [e.full for e in after.exchanges] == [False] * 5 + [True] * 45
        assert after.exchanges[5].transcript.thinking == "Hm"
        assert after.exchanges[3] is old
        assert after.messages() == before.messages()


async def test_a_chat_without_an_end_does_not_fill_the_memory(store: Store) -> None:
    conversation = store.new("me")
    for n in range(reading.FULL * 2 + 20):
        ask(store, conversation, f"{n}?", ThinkingDelta("Hm"), f"{n}", DONE)
        assert await store.saved(5)
    assert [e.full for e in conversation.exchanges] == [False] * 20 + [True] * reading.FULL * 2
    assert conversation.exchanges[0].transcript.text == "0"
    await store.earlier(conversation, 1000)
    assert {e.transcript.thinking for e in conversation.exchanges} == {"Hm"}


async def test_the_same_key_is_the_same_run(path: Path) -> None:
    async with open_store(path) as store:
        run = ask(store, store.new("me"), "1?", key="k")
        assert await store.asked("me", "k") == run.id
        run.end("1")
        assert await store.saved(5)
        assert await store.asked("me", "k") == run.id
    async with open_store(path) as store:
        assert await store.asked("me", "k") == run.id
        assert await store.asked("you", "k") is None
        # Two processes that did not know of each other: nothing else fails to be saved.
        twice = ask(store, store.new("me"), "2?", "2", key="k")
        assert await store.saved(5)
        assert await store.asked("me", "k") == run.id
    async with open_store(path) as store:
        again = await store.open("me", twice.conversation.id)
        assert again is not None
        assert texts(again) == [("2?", "2")]


async def test_rated_answers_stay_rated(path: Path) -> None:
    async with open_store(path) as store:
        conversation = store.new("me")
        runs = [ask(store, conversation, f"{n}?", "x").id for n in range(3)]
        assert await store.rate("me", runs[0], 1)
        assert await store.rate("me", runs[1], -1)
        assert await store.rate("me", runs[2], 1)
        assert await store.rate("me", runs[2], 0)
        assert [e.thumb for e in conversation.exchanges] == [1, -1, 0]
    async with open_store(path) as store:
        assert [e.thumb for e in (await store.current("me")).exchanges] == [1, -1, 0]


async def test_an_owner_takes_over_what_a_stranger_asked(path: Path) -> None:
    async with open_store(path) as store:
        ask(store, store.new("local"), "0?", "0", key="same")
        saved = ask(store, store.new("stranger"), "1?", "1", key="same").conversation
        assert await store.saved(5)
        running = ask(store, store.new("stranger"), "2?")
        await store.adopt("stranger", "local")
        running.end("2")
        assert await store.chats("stranger") == []
        assert [chat.title for chat in await store.chats("local")] == ["2?", "1?", "0?"]
        assert await store.open("local", saved.id) is saved
        assert await store.open("stranger", saved.id) is None
        assert await store.rate("local", running.id, 1)
    async with open_store(path) as store:
        assert [chat.title for chat in await store.chats("local")] == ["2?", "1?", "0?"]
        assert await store.chats("stranger") == []


async def test_saving_goes_on_by_itself(store: Store, path: Path) -> None:
    if store.alone:
        pytest.skip("nobody else may look into it")
    run = ask(store, store.new("me"), "1?")
    run.say("one ")
    await until_saved(path, run, "one ")
    run.say("two ")
    await until_saved(path, run, "one two ")
    run.end("three")


async def until_saved(path: Path, run: Told, text: str) -> None:
    async with asyncio.timeout(5), open_store(path) as other:
        while True:
            found = await other.open("me", run.conversation.id)
            if found is not None and texts(found) == [("1?", text)]:
                return
            await asyncio.sleep(0.01)
