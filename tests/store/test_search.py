"""Words find chats by title and text; what is typed is never part of the query's language."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from chat.errors import RateLimited
from chat.store import Store, database, open_store, search
from chat.titles import clean, made

from .told import ask


async def titles(store: Store, search: str = "", owner: str = "me", **page: Any) -> list[str]:
    return [chat.title for chat in await store.chats(owner, search, **page)]


async def fill(store: Store, *chats: Sequence[str], owner: str = "me") -> None:
    """A chat of each title, then question and answer in turn."""
    for at, (title, *said) in enumerate(chats):
        conversation = store.new(owner)
        for question, answer in zip(said[::2], said[1::2], strict=True):
            ask(store, conversation, question, answer, at=float(at))
        assert await store.saved(5)
        assert await store.rename(owner, conversation.id, title)


@pytest.fixture
async def zoo(store: Store) -> Store:
    await fill(
        store,
        ("Animals", "What has a trunk?", "An elephant: it is GREY, heavy and Übergroß. 100% a_b sure."),
        ("Zoo visit", "Is it far?", "No, 5 km", "And the elephant?", "It's at home; -- don't worry."),
        ("日本語の話", "東京はどこ?", "日本にあります 😀😀😀"),
    )
    await fill(store, ("Elephant of somebody else", "elephant?", "trunk"), owner="you")
    return store


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("elephant", ["Zoo visit", "Animals"]),
        ("ELEPH", ["Zoo visit", "Animals"]),
        ("elephant trunk", ["Animals"]),
        ("trunk elephant", ["Animals"]),
        ("zoo home", ["Zoo visit"]),
        ("visit", ["Zoo visit"]),
        ("übergross", []),
        ("ÜBERGROSS", []),
        ("übergroß", ["Animals"]),
        ("km", ["Zoo visit"]),
        ("5 elephant", ["Zoo visit"]),
        ('"an elephant"', ["Animals"]),
        ('"elephant an"', []),
        ('zoo "at home"', ["Zoo visit"]),
        ("100%", ["Animals"]),
        ("0%", ["Animals"]),
        ("a_b", ["Animals"]),
        ("a_", ["Animals"]),
        ("_", ["Animals"]),
        ("東京", ["日本語の話"]),
        ("日本語の", ["日本語の話"]),
        ("どこ 日本", ["日本語の話"]),
        ("😀😀😀", ["日本語の話"]),
        ("😀", ["日本語の話"]),
        ("it's", ["Zoo visit"]),
        ("nowhere", []),
        ("' OR 1=1--", []),
        ("' --", ["Zoo visit"]),
        ('"*', []),
        ('"', []),
        ("*", []),
        ("elephant*", []),
        ("elephant OR trunk", []),
        ("text:elephant", []),
        ("NEAR(elephant trunk)", []),
        ("elep\0hant", ["Zoo visit", "Animals"]),  # a control character is a blank
        ("\0\x1b", []),
        ("\ud800", []),
        ("\\", []),
        ("%%%", []),
        (" elephant\t\n", ["Zoo visit", "Animals"]),
        ("x" * 100_000, []),
        ("", ["日本語の話", "Zoo visit", "Animals"]),
    ],
)
async def test_what_finds_what(zoo: Store, search: str, expected: list[str]) -> None:
    assert await titles(zoo, search) == expected
    assert zoo.trouble == ""


@pytest.mark.parametrize("search", ["elephant", "trunk", "of", "é", ""])
async def test_nobody_finds_what_is_somebody_else_s(zoo: Store, search: str) -> None:
    assert "Elephant of somebody else" not in await titles(zoo, search)
    assert await titles(zoo, search, owner="nobody") == []


async def test_what_is_around_the_hit_is_shown(store: Store) -> None:
    long = "one two three\n" * 50
    await fill(store, ("T", "What?", f"{long}here is\tthe <b>Elephant</b>\x07 at last\n{long}"))
    (chat,) = await store.chats("me", "elephant")
    assert "the <b>Elephant</b> at last" in chat.found
    assert chat.found.startswith("…")
    assert len(chat.found) < 150
    assert "\n" not in chat.found
    (chat,) = await store.chats("me", "<b")
    assert "the <b>Elephant</b> at last" in chat.found
    (chat,) = await store.chats("me", "what?")
    assert chat.found == "What?"
    await fill(store, ("Rhinoceros", "?", "!"))
    assert [(chat.title, chat.found) for chat in await store.chats("me", "rhino")] == [("Rhinoceros", "")]


async def test_an_answer_is_found_when_it_is_over_and_a_question_at_once(store: Store) -> None:
    run = ask(store, store.new("me"), "elephant?")
    run.say("trunk ")
    assert await store.saved(5)
    assert await titles(store, "elephant") == ["elephant?"]
    run.end()
    assert await titles(store, "trunk") == ["elephant?"], "in memory alone"
    assert await store.saved(5)
    assert await titles(store, "trunk") == ["elephant?"]


async def test_the_list_by_pages(store: Store) -> None:
    await fill(store, *((f"{n}", "?", "!") for n in range(7)))
    assert await titles(store, limit=3) == ["6", "5", "4"]
    assert await titles(store, skip=3, limit=3) == ["3", "2", "1"]
    assert await titles(store, skip=6, limit=3) == ["0"]
    assert await titles(store, skip=9) == await titles(store, limit=0) == []
    assert await titles(store, skip=-5, limit=-1) == []
    running = ask(store, store.new("me"), "now?")  # ahead of the disk
    assert await titles(store, limit=3) == ["now?", "6", "5"]
    assert await titles(store, skip=1, limit=3) == ["6", "5", "4"]
    assert [chat.running for chat in await store.chats("me", limit=2)] == [True, False]
    assert await store.saved(5)
    assert [chat.running for chat in await store.chats("me", limit=2)] == [True, False]
    assert await titles(store, skip=1, limit=3) == ["6", "5", "4"]
    running.end("now")
    assert [chat.running for chat in await store.chats("me", limit=2)] == [False, False]


async def test_empty_ones_are_not_listed(store: Store) -> None:
    store.new("me")
    assert await titles(store) == []


async def test_a_list_knows_when_it_moved(store: Store) -> None:
    seen = store.version_of("me")
    conversation = store.new("me")
    assert store.version_of("me") == seen
    moves = 0
    run = ask(store, conversation, "1?")
    for change in (
        None,
        run.end,
        lambda: store.rename("me", conversation.id, "New"),
        lambda: store.delete("me", conversation.id),
        lambda: store.restore("me", conversation.id),
    ):
        answer = change() if change else None
        if answer is not None:
            assert await answer
        assert store.version_of("me") > seen
        seen = store.version_of("me")
        moves += 1
    assert moves == 5
    assert store.version_of("you") == 0


# -- titles ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  A  title\n", "A title"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("a\x00b\x1b[31mred\x1b[0m\x7f\x9b31m.", "abred."),
        ("\x1b]0;window\x07x", "x"),
        ("x" * 500, "x" * 200),
        ("\u200b\ufeff \n", ""),
        ("\u0301", ""),
        ("\ud800", "\ufffd"),
        ("שלום 😀‍👩", "שלום 😀‍👩"),
    ],
)
def test_clean_titles(given: str, kept: str) -> None:
    assert clean(given) == kept


def test_a_title_is_never_empty() -> None:
    assert made("\x00\x1b[31m") == "Untitled"
    assert made("What is\nit?") == "What is it?"


@pytest.mark.parametrize("kept", [True, False])
async def test_without_a_name_it_is_the_first_question_s_again(kept: bool, store: Store) -> None:
    store = store if kept else Store()
    conversation = store.new("me")
    ask(store, conversation, "First question", "1")
    ask(store, conversation, "Second question", "2")
    assert await store.rename("me", conversation.id, "Mine\x00")
    assert (conversation.title, conversation.named) == ("Mine", True)
    assert await store.rename("me", conversation.id, " \x00\n")
    assert (conversation.title, conversation.named) == ("First question", False)
    assert await titles(store, "mine") == []
    assert await titles(store, "first") == ["First question"]


async def test_many_searches_leave_room_for_all_else(path: Path) -> None:
    async with open_store(path) as store, AsyncExitStack() as busy:
        await fill(store, ("Animals", "What has a trunk?", "An elephant."))
        assert store._disk
        for n in range(database.SEARCHES):
            await busy.enter_async_context(store._disk.database.searching(f"owner {n}"))
        mine = [asyncio.create_task(store.chats("me", "elephant")) for _ in range(100)]
        refused, left = await asyncio.wait(mine, return_when=asyncio.FIRST_COMPLETED)
        assert all(isinstance(each.exception(), RateLimited) for each in refused)
        assert len(left) == database.EACH, "one owner has a share of those that wait"
        assert await titles(store) == ["Animals"]
        await busy.aclose()
        assert [chat.title for each in left for chat in await each] == ["Animals"] * len(left)


async def test_whoever_searches_without_an_end_delays_nobody_else(path: Path) -> None:
    async with open_store(path) as store, AsyncExitStack() as busy:
        await fill(store, ("Animals", "What has a trunk?", "An elephant."))
        assert store._disk
        searching = store._disk.database.searching
        await busy.enter_async_context(searching("greedy"))
        waiting = [asyncio.create_task(store.chats("greedy", "elephant")) for _ in range(3)]
        assert await titles(store, "elephant") == ["Animals"]
        assert not any(task.done() for task in waiting)
        await busy.aclose()
        assert [await task for task in waiting] == [[]] * 3


@pytest.mark.parametrize("frequent", [False, True], ids=["indexed", "looked for in each chat"])
async def test_a_word_that_everybody_says_is_found_where_it_is_mine(
    frequent: bool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if frequent:
        monkeypatch.setattr(search, "HITS", 0)
    await fill(store, *((f"Chat {n}", f"weather {n}?", "It is GOOD.") for n in range(30)))
    await fill(store, ("Somebody's", "weather?", "good", "And?", "weather"), owner="you")
    mine = [f"Chat {n}" for n in range(29, -1, -1)]
    assert await titles(store, "weather") == mine
    assert await titles(store, "WEATHER good") == mine
    assert await titles(store, "weather", skip=10, limit=15) == mine[10:25]
    assert await titles(store, '"weather 7"') == ["Chat 7"]
    assert await titles(store, "weather periwinkle") == []
    assert await titles(store, "good", owner="you") == ["Somebody's"]
    (chat,) = await store.chats("me", "good 17")
    assert chat.found == "It is GOOD." or "17" in chat.found


async def test_a_search_that_takes_too_long_gives_what_it_has_and_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store, *((f"Chat {n}", f"weather {n}?", "good") for n in range(search.FIRST * 2)))
    found = await store.chats("me", "weather", limit=500)
    assert (len(found), found.cut) == (search.FIRST * 2, False)
    monkeypatch.setattr(search, "HITS", 0)
    monkeypatch.setattr(search, "_STEPS", 1_000_000_000)
    clock = iter(range(1000))
    monkeypatch.setattr(search, "_clock", lambda: next(clock))
    monkeypatch.setattr(search, "TIME_S", 1.5)  # two looks at the clock
    found = await store.chats("me", "weather", limit=500)
    assert [chat.title for chat in found] == [f"Chat {n}" for n in range(19, 9, -1)]
    assert found.cut


async def test_sqlite_is_broken_off_in_the_middle(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(store, *((f"Chat {n}", f"weather {n}?", "good") for n in range(20)))
    monkeypatch.setattr(search, "_STEPS", 1)
    monkeypatch.setattr(search, "TIME_S", -1)
    found = await store.chats("me", "weather")
    assert (list(found), found.cut) == ([], True)
    monkeypatch.undo()
    assert len(await store.chats("me", "weather")) == 20
