"""Given this chat and this click, the page shows this one, and what was sent goes there once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import gradio as gr
import pytest

from chat.build import App, open_app
from chat.settings import Settings
from chat.ui.handlers import Handlers
from chat.ui.interface import Chat
from chat.ui.page import build_page
from chat.ui.screens import NOTHING
from chat.ui.sent import Sent
from chat.ui.tabs import Tab, Tabs
from tests.ui.test_handlers import (
    ME,
    OTHER,
    SECRET,
    act,
    app,
    ask,
    handlers,
    page,
    request,
    roles,
    screens,
    sent,
    text,
)

__all__ = ["app", "handlers", "page"]


async def questions(app: App, owner: str = ME) -> list[list[str]]:
    """Of all the owner's chats, latest first."""
    found = []
    for each in await app.store.chats(owner):
        chat = await app.store.peek(owner, each.id)
        assert chat
        found.append([exchange.question for exchange in chat.exchanges])
    return found


async def test_two_tabs_show_two_chats(page: Chat, app: App) -> None:
    await ask(page, "one")
    [*_, screen] = await ask(page, "two", tab="two")
    assert ">one<" not in text(screen)
    await ask(page, "three")
    assert sorted(await questions(app)) == [["one", "three"], ["two"]]


async def test_a_page_opens_with_the_chat_of_its_address(page: Chat, app: App) -> None:
    await ask(page, "one")
    first = (await app.store.current(ME)).id
    await ask(page, "two", tab="two")
    assert ">two<" in text((await act(page, "arrive", tab="three"))[-1])
    assert ">one<" in text((await act(page, "arrive", tab="four", chat=first))[-1])


async def test_an_id_that_is_another_s_is_one_that_nobody_has(page: Chat, app: App) -> None:
    await ask(page, "mine")
    mine = (await app.store.current(ME)).id
    for name in ("arrive", "open"):
        [theirs] = await act(page, name, OTHER, chat=mine)
        [nobody_s] = await act(page, name, OTHER, chat="nobody-s")
        assert "There is no such chat." in text(theirs)
        assert text(theirs).replace(mine, "") == text(nobody_s).replace("nobody-s", "")
    run = (await app.store.current(ME)).exchanges[0].run
    for name in ("again", "continue", "version", "look", "earlier", ""):
        assert "mine" not in text((await act(page, name, OTHER, chat=mine, run=run))[-1])
    [refused] = await ask(page, "mine too?", OTHER, act="edit", chat=mine, run=run)
    assert "There is no such chat." in text(refused)
    assert await questions(app, OTHER) == []


async def test_below_what_is_not_there_stands_the_welcome_until_a_new_chat(page: Chat) -> None:
    *_, welcome = await page.handlers.arrive({}, request())
    [lost] = await act(page, "arrive", chat="nobody-s")
    *_, also = await page.handlers.arrive(sent(page, act="arrive", chat="nobody-s"), request())
    assert text(lost) == also["placeholder"]  # whichever comes last
    assert text(lost).startswith('<p class="nowhere of-nobody-s">There is no such chat.')
    assert text(lost).endswith(welcome["placeholder"])
    assert text((await act(page, "open", chat=""))[-1]) == welcome["placeholder"]


async def test_a_session_shows_nothing_of_its_former_owner(page: Chat, app: App, handlers: Handlers) -> None:
    await ask(page, "mine")
    theirs = gr.Request(cookies=request(OTHER).cookies, session_hash=request(ME).session_hash)
    [screen] = await screens(handlers.act(sent(page, act=""), theirs))
    assert "mine" not in text(screen)
    assert screen[1] == {}
    await handlers.stop({}, theirs)
    assert await questions(app) == [["mine"]]


async def test_without_a_cookie_there_is_no_chat(page: Chat, app: App) -> None:
    await ask(page, "mine")
    mine = await app.store.current(ME)
    for name in ("arrive", "open", "", "version", "look"):
        assert await act(page, name, owner="", chat=mine.id, run=mine.exchanges[0].run) == [([], {})]


@pytest.mark.parametrize("chosen", ["ask", "edit"])
async def test_the_same_sending_twice_is_one_run(page: Chat, app: App, chosen: str) -> None:
    await ask(page, "first")
    chat = await app.store.current(ME)
    about = {"chat": chat.id, "run": chat.exchanges[0].run} if chosen == "edit" else {"chat": ""}
    await act(page, "open", chat="") if chosen == "ask" else None
    await asyncio.gather(*(ask(page, "twice", act=chosen, key="k", **about) for _ in range(2)))
    [*_, late] = await ask(page, "twice", act=chosen, key="k", **about)
    assert "complete" in text(late)
    assert "remark" not in text(late)
    assert sorted(await questions(app)) == [["first"], ["twice"]]


async def test_another_key_is_another_question(page: Chat, app: App) -> None:
    for key in ("one", "two"):
        await ask(page, "hello", key=key)
    assert await questions(app) == [["hello", "hello"]]


async def test_a_key_of_somebody_else_s_is_nobody_s(page: Chat, app: App) -> None:
    await ask(page, "mine", key="k")
    [*_, screen] = await ask(page, "theirs", OTHER, key="k")
    assert "mine" not in text(screen)
    assert await questions(app, OTHER) == [["theirs"]]


async def test_an_edited_question_goes_to_a_new_chat_with_a_link_both_ways(page: Chat, app: App) -> None:
    for question in ("one", "two", "three"):
        await ask(page, question)
    old = await app.store.current(ME)
    [*_, screen] = await ask(page, "two, edited", act="edit", run=old.exchanges[1].run)
    assert "Began in" in text(screen)
    assert "three" not in text(screen)
    assert sorted(await questions(app)) == [["one", "two", "three"], ["one", "two, edited"]]
    assert "Edited in" in text((await act(page, "open", chat=old.id))[-1])
    # And what is asked next is asked there.
    await ask(page, "four")
    assert ["one", "two", "three", "four"] in await questions(app)


async def test_a_button_of_an_answer_that_is_not_the_last_any_more_begins_nothing(
    page: Chat, app: App
) -> None:
    await ask(page, "one")
    before = (await app.store.current(ME)).exchanges[0].run
    await act(page, "again", run=before)
    for name in ("again", "continue"):
        assert "complete" in text((await act(page, name, run=before))[-1])
    [exchange] = (await app.store.current(ME)).exchanges
    assert len(exchange.versions) == 2


async def test_the_rest_of_an_answer_is_asked_for(page: Chat, app: App) -> None:
    await ask(page, "an answer that is cut off")
    [*_, screen] = await act(page, "continue")
    assert roles(screen) == ["user", "assistant"]
    assert "continued with demo:" in text(screen)
    chat = await app.store.current(ME)
    assert [exchange.continues for exchange in chat.exchanges] == [False, True]
    await act(page, "again")  # the question is asked once more, for the whole answer
    chat = await app.store.current(ME)
    assert [exchange.continues for exchange in chat.exchanges] == [False]
    assert chat.exchanges[0].question == "an answer that is cut off"


async def test_another_version_is_shown(tmp_path: Path) -> None:
    async for kept in on_disk(tmp_path):
        page = build_page(kept)
        assert isinstance(page, Chat)
        await ask(page, "hello")
        first = (await kept.store.current(ME)).exchanges[0].run
        await act(page, "again", model="demo:fast")
        assert "2 / 2" in text((await act(page, ""))[-1])
        await kept.store.saved(5)
        [*_, screen] = await act(page, "version", run=first)
        assert "1 / 2" in text(screen)
        assert "<span>demo:tour</span>" in text(screen)


async def test_earlier_messages_come_thirty_at_a_time(page: Chat, app: App) -> None:
    for n in range(65):
        await ask(page, f"question {n}.")
    chat = await app.store.current(ME)
    [*_, screen] = await act(page, "open", chat=chat.id)
    assert len(screen[0]) == 1 + 2 * 30
    assert "Show earlier messages (70)" in text(screen)
    [*_, screen] = await act(page, "earlier")
    assert len(screen[0]) == 1 + 2 * 60
    [*_, screen] = await act(page, "earlier")
    assert len(screen[0]) == 2 * 65
    # A link into it shows as much as it takes.
    [*_, screen] = await act(page, "open", chat=chat.id, run=chat.exchanges[10].run)
    assert "question 10." in text(screen)
    assert "question 9." not in text(screen)


async def test_the_activity_of_an_earlier_answer(page: Chat, app: App) -> None:
    await ask(page, "think aloud")
    await ask(page, "hello")
    chat = await app.store.current(ME)
    [(messages, view)] = await act(page, "look", run=chat.exchanges[0].run)
    assert messages == gr.skip()
    assert view["earlier"]
    assert any(item["kind"] == "thought" for item in view["items"])
    [(_, view)] = await act(page, "look")
    assert not view["earlier"]
    await act(page, "look", run=chat.exchanges[0].run)
    assert not (await ask(page, "and now?"))[-1][1]["earlier"]


async def test_while_an_answer_is_written_an_earlier_one_s_activity_stays(
    page: Chat, handlers: Handlers, app: App
) -> None:
    await ask(page, "think aloud")
    first = (await app.store.current(ME)).exchanges[0].run
    chat = (await app.store.current(ME)).id
    async with aclosing(handlers.ask(sent(page, "write a long answer", chat=chat), request())) as reading:
        await anext(reading)
        await act(page, "look", run=first)
        assert [screen async for screen in reading][-2][1]["earlier"]


async def test_the_last_one_who_draws_for_a_tab_is_the_only_one(
    page: Chat, handlers: Handlers, app: App
) -> None:
    async with aclosing(handlers.ask(sent(page, "stall, please"), request())) as first:
        await anext(first)
        async with aclosing(handlers.act(sent(page, act=""), request())) as second:
            await anext(second)
            await handlers.stop({}, request())
            assert await screens(first) == [NOTHING]
            assert "stopped" in text((await screens(second))[-1])


# -- settings that come back -------------------------------------------------------------------------------


async def test_the_settings_of_a_chat_come_back_with_it(page: Chat, handlers: Handlers, app: App) -> None:
    await ask(
        page,
        "hello",
        model="demo:fast",
        temperature=0.4,
        warm=True,
        system="Be brief.",
        max_tokens="300",
        stream=False,
        tools=["calculate"],
    )
    chat = (await app.store.current(ME)).id
    updates = await handlers.settings({"chat": chat}, request())
    names = [
        name
        for each in page.side.controls.inputs
        for name, it in vars(page.side.controls).items()
        if it is each
    ]
    found = dict(zip(names, updates, strict=True))
    assert found["model"]["value"] == "demo:fast"
    assert found["temperature"]["value"] == 0.4
    assert found["temperature"]["elem_classes"] == []
    assert (found["warm"], found["system"], found["max_tokens"]) == (True, "Be brief.", "300")
    assert (found["stream"], found["tools"], found["pace"]) == (False, ["calculate"], gr.skip())
    for other in ({"chat": ""}, {"chat": "nobody-s"}):
        assert await handlers.settings(other, request()) == [gr.skip()] * len(names)
    assert await handlers.settings({"chat": chat}, request(OTHER)) == [gr.skip()] * len(names)


async def test_a_change_of_model_says_nothing_of_what_still_fits(handlers: Handlers) -> None:
    temperature, effort = await handlers.of_model("demo:tour", 0.7, "", request())
    assert "value" not in temperature
    assert "value" not in effort
    temperature, effort = await handlers.of_model("demo:tour", 7.0, "no such effort", request())
    assert temperature["value"] == temperature["maximum"]
    assert effort["value"] == ""


# -- an answer that another process writes ------------------------------------------------------------------


async def on_disk(folder: Path) -> AsyncIterator[App]:
    settings = {"CHAT_LOCAL": "0", "CHAT_DEMO_PACE": "0", "CHAT_SECRET": SECRET}
    async with open_app(Settings.read({**settings, "CHAT_DATABASE": str(folder / "chat.db")})) as app:
        yield app


async def test_an_answer_of_another_process_is_followed_and_stopped(tmp_path: Path) -> None:
    async for here in on_disk(tmp_path):
        async for there in on_disk(tmp_path):
            page, other = build_page(here), build_page(there)
            assert isinstance(page, Chat)
            assert isinstance(other, Chat)
            writing = other.handlers.ask(sent(other, "stall, please"), request())
            async with aclosing(writing), asyncio.timeout(20):
                await anext(writing)
                await there.store.saved(5)
                reading = page.handlers.act(sent(page, act="arrive"), request())
                async with aclosing(reading):
                    first = await anext(reading)
                    assert 'class="now' in text(first)
                    assert len(here.runs) == 0
                    await page.handlers.stop({}, request())
                    *_, last = [screen async for screen in reading if screen != NOTHING]
                    assert "<span>stopped</span>" in text(last)
                assert "<span>stopped</span>" in text((await screens(writing))[-1])


# -- values -------------------------------------------------------------------------------------------------


def test_the_tabs_used_last_are_remembered() -> None:
    tabs = Tabs(2)
    first, _ = tabs.of(ME, "one"), tabs.of(ME, "two")
    assert tabs.of(ME, "one") is first
    tabs.of(ME, "three")
    assert tabs.of(ME, "one") is first
    assert tabs.of(OTHER, "one") is not first
    assert tabs.of(ME, None) is not tabs.of(ME, None)
    assert len(tabs) == 2


def test_a_tab_that_shows_another_chat_begins_at_its_end() -> None:
    tab = Tab(shown=90, looking="r1")
    before = tab.begin()
    tab.show("another")
    assert (tab.shown, tab.looking) == (30, "")
    assert tab.turn != before


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, Sent()),
        ([], Sent()),
        ({"question": 1, "values": "x", "chat": 2, "key": [], "act": "drop", "run": None}, Sent()),
        ({"act": ["again"]}, Sent()),
        ({"chat": "x" * 65, "run": "a b", "key": "a b"}, Sent(chat="?", run="?")),
        ({"chat": "ab-_9", "act": "again"}, Sent(chat="ab-_9", act="again")),
    ],
)
def test_what_the_browser_sends_is_read_whatever_it_is(raw: object, expected: Sent) -> None:
    assert Sent.read(raw) == expected
