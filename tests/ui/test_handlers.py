"""Given this conversation and this click, the page shows this. The demo answers, without pauses."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any, cast

import gradio as gr
import pytest

from chat.build import App, open_app
from chat.owners import COOKIE, Owners
from chat.settings import Settings
from chat.ui.handlers import Handlers
from chat.ui.interface import Chat
from chat.ui.page import build_page
from chat.ui.screens import MOST, NOTHING, Screen
from chat.ui.sent import Sent

ME, OTHER = "me", "other"
SECRET = "the secret of the tests"


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with open_app(
        Settings.read({"CHAT_LOCAL": "0", "CHAT_DEMO_PACE": "0", "CHAT_SECRET": SECRET})
    ) as app:
        if (fetching := app.catalogue.refresh()) is not None:
            await fetching
        yield app


@pytest.fixture
async def page(app: App) -> Chat:
    """Made inside the loop: outside of it Gradio makes a loop of its own, and leaves it open."""
    return cast(Chat, build_page(app))


def request(owner: str = ME, tab: str = "one") -> gr.Request:
    cookie = Owners(SECRET.encode()).cookie(owner)
    return gr.Request(cookies={COOKIE: cookie} if owner else {}, session_hash=f"{owner}-{tab}")


def values(page: Chat, **chosen: Any) -> list[Any]:
    """What the sidebar sends as it opens, but for `chosen`."""
    controls = page.side.controls
    names = [name for each in controls.inputs for name, found in vars(controls).items() if found is each]
    return [chosen.get(name, each.value) for name, each in zip(names, controls.inputs, strict=True)]


def sent(page: Chat, question: str = "", act: str = "ask", **more: Any) -> dict[str, Any]:
    """As static/place.js packs it; what it does not know is chosen in the sidebar."""
    said = {name: more.pop(name) for name in ("chat", "key", "run") if name in more}
    return {"question": question, "act": act, "values": values(page, **more), **said}


async def ask(page: Chat, question: str, owner: str = ME, tab: str = "one", **more: Any) -> list[Screen]:
    """In the chat that the tab shows, unless another one is named."""
    handlers, who = page.handlers, request(owner, tab)
    shown = await handlers.places.shown(owner, Sent(), handlers.places.tab(owner, who))
    more.setdefault("chat", shown.id if shown and shown.exchanges else "")
    return await screens(handlers.ask(sent(page, question, **more), who))


async def act(page: Chat, act: str, owner: str = ME, tab: str = "one", **more: Any) -> list[Screen]:
    return await screens(page.handlers.act(sent(page, act=act, **more), request(owner, tab)))


async def screens(stream: AsyncGenerator[Screen, None]) -> list[Screen]:
    """What is drawn, without the “nothing new” at the end that keeps Gradio from sending it all again."""
    drawn = [screen async for screen in stream]
    return drawn[:-1] if len(drawn) > 1 and drawn[-1] == (gr.skip(), gr.skip()) else drawn


def text(screen: Screen) -> str:
    """All that the chat says."""
    if isinstance(screen[0], dict):  # the empty chat
        assert screen[0]["value"] == []
        return screen[0]["placeholder"]
    return "\n".join(block["text"] for message in screen[0] for block in message["content"])


def roles(screen: Screen) -> list[str]:
    return [message["role"] for message in screen[0]]


@pytest.fixture
def handlers(page: Chat) -> Handlers:
    return page.handlers


async def test_a_question_is_answered_in_growing_text(page: Chat) -> None:
    seen = await ask(page, "hello")
    assert roles(seen[0]) == ["user", "assistant"]
    assert "hello" in text(seen[0])
    assert 'class="fate complete' in text(seen[-1])


async def test_the_next_question_follows_the_first(page: Chat) -> None:
    await ask(page, "hello")
    assert roles((await ask(page, "thanks"))[-1]) == ["user", "assistant"] * 2


async def test_an_empty_question_changes_nothing(page: Chat, app: App) -> None:
    for nothing in ("", "  \n"):
        assert await ask(page, nothing) == [(gr.skip(), gr.skip())]
    assert (await app.store.current(ME)).exchanges == []


async def test_without_a_cookie_nothing_runs(page: Chat, app: App) -> None:
    [screen] = await ask(page, "hello", owner="")
    assert "cookie" in text(screen)
    assert "hello" not in text(screen)
    assert len(app.runs) == 0


async def test_another_browser_sees_nothing_of_it(page: Chat, handlers: Handlers) -> None:
    await ask(page, "hello")
    assert (await act(page, "arrive", OTHER))[-1][0] == []


async def test_a_question_that_is_too_long_is_given_back(page: Chat, app: App) -> None:
    [screen] = await ask(page, "x" * 950_000)
    assert "950,000 characters" in text(screen)
    assert 'remark"' in text(screen)  # by this the page's script knows
    assert "xxx" not in text(screen)
    [screen] = await ask(page, "hello", system="x" * 900_000)
    assert "system prompt" in text(screen)
    [screen] = await ask(page, "hello", model="x" * 900_000)
    assert "name" in text(screen)
    assert len(app.runs) == 0


async def test_one_tab_too_many_shows_what_there_is_and_the_others_go_on(page: Chat, app: App) -> None:
    handlers = page.handlers
    async with (
        aclosing(handlers.ask(sent(page, "stall, please"), request())) as first,
        AsyncExitStack() as tabs,
    ):
        assert "now" in text(await anext(first))
        chat, drawing = await app.store.current(ME), []
        for number in range(MOST - 1):
            tab = handlers.act(sent(page, act="open", chat=chat.id), request(tab=f"{number}"))
            drawing.append(await tabs.enter_async_context(aclosing(tab)))
            await anext(tab)
        late = await act(page, "open", tab="late", chat=chat.id)
        assert "stall, please" in text(late[0])
        other = await screens(handlers.ask(sent(page, "hello"), request(OTHER)))
        assert len(other) > 1
        # Another one in its place in a tab that draws already is not one more.
        again = handlers.act(sent(page, act="open", chat=chat.id), request(tab="0"))
        drawing[0] = await tabs.enter_async_context(aclosing(again))
        await anext(again)
        await drawing[-1].aclose()
        room = handlers.act(sent(page, act="open", chat=chat.id), request(tab="late"))
        drawing[-1] = await tabs.enter_async_context(aclosing(room))
        await anext(room)
        app.runs.stop(chat.answer(-1)[-1].run)
        for each in (first, *drawing):
            assert "stopped" in text([screen async for screen in each][-2])


async def test_a_tab_that_shows_something_else_does_not_wait_for_a_silent_answer(page: Chat) -> None:
    handlers = page.handlers
    async with aclosing(handlers.ask(sent(page, "stall, please"), request())) as first:
        await anext(first)
        ending = asyncio.create_task(screens(first))
        await asyncio.sleep(0)
        await act(page, "open")
        async with asyncio.timeout(5):
            await ending


async def test_a_second_send_is_refused(page: Chat, handlers: Handlers, app: App) -> None:
    async with aclosing(handlers.ask(sent(page, "stall, please"), request())) as first:
        await anext(first)
        [screen] = await ask(page, "another")
        assert "still being written" in text(screen)
        assert 'remark"' in text(screen)  # by this the page's script knows
    assert [exchange.question for exchange in (await app.store.current(ME)).exchanges] == ["stall, please"]


async def test_stop_ends_every_reader_and_keeps_the_text(page: Chat, handlers: Handlers) -> None:
    reading = handlers.ask(sent(page, "stall, please"), request())
    second = handlers.act(sent(page, act="arrive"), request(tab="two"))
    async with aclosing(reading), aclosing(second):
        await anext(reading)
        await anext(second)
        await handlers.stop({}, request())
        for reader in (reading, second):
            last = (await screens(reader))[-1]
            assert "<span>stopped</span>" in text(last)
    assert "complete" in text((await ask(page, "hello"))[-1])


async def test_a_reader_that_leaves_stops_nothing(page: Chat, handlers: Handlers, app: App) -> None:
    async with aclosing(handlers.ask(sent(page, "write a long answer"), request())) as reading:
        await anext(reading)
    run = app.runs.get((await app.store.current(ME)).exchanges[0].run)
    assert run is not None
    await run.finished()
    [screen, end] = [each async for each in handlers.act(sent(page, act="arrive"), request())]
    assert end == (gr.skip(), gr.skip())
    assert 'class="fate complete' in text(screen)


@pytest.mark.parametrize("question", ["fail in mid-stream", "an answer that is cut off", "rate limit twice"])
async def test_after_a_failure_the_chat_goes_on(page: Chat, question: str) -> None:
    await ask(page, question)
    assert 'class="fate complete' in text((await ask(page, "hello"))[-1])


async def test_try_again_takes_the_place_of_the_failure(page: Chat, handlers: Handlers, app: App) -> None:
    await ask(page, "hello")
    await ask(page, "fail in mid-stream")
    again = await act(page, "again")
    assert roles(again[-1]) == ["user", "assistant"] * 2
    assert [exchange.question for exchange in (await app.store.current(ME)).exchanges] == [
        "hello",
        "fail in mid-stream",
    ]


@pytest.mark.parametrize("model", ["groq:llama", "demo:no-such-model"])
async def test_a_retry_that_comes_to_nothing_gives_the_old_answer_back(
    page: Chat, handlers: Handlers, app: App, model: str
) -> None:
    before = text((await ask(page, "hello"))[-1])
    last = (await act(page, "again", model=model))[-1]
    assert text(last).startswith(before)
    assert "remark" in text(last)
    [exchange] = (await app.store.current(ME)).exchanges
    assert exchange.transcript.state == "complete"
    assert "complete" in text((await ask(page, "and now?"))[-1])


async def test_try_again_with_nothing_to_try(page: Chat, handlers: Handlers) -> None:
    [screen] = await act(page, "again")
    assert "no such chat" in text(screen)


async def test_a_retry_that_is_turned_away_loses_nothing(page: Chat, handlers: Handlers, app: App) -> None:
    await ask(page, "hello")
    await app.runs.aclose()
    [screen] = await act(page, "again")
    assert "shutting down" in text(screen)
    assert len((await app.store.current(ME)).exchanges) == 1


async def test_a_new_chat_leaves_the_running_answer_going(page: Chat, handlers: Handlers, app: App) -> None:
    async with aclosing(handlers.ask(sent(page, "stall, please"), request())) as reading:
        await anext(reading)
        before = await app.store.current(ME)
        run = app.runs.get(before.exchanges[0].run)
        assert run is not None
        assert (await act(page, "open", chat=""))[-1][0]["value"] == []
        # What the old chat still says is not drawn over the new one.
        run.stop()
        assert await screens(reading) == [NOTHING]
    assert await app.store.current(ME) is not before
    assert "stopped" in text((await act(page, "open", chat=before.id))[-1])


async def test_nothing_a_listener_meets_makes_it_raise(
    page: Chat, handlers: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr("chat.ui.activity.view", broken)
    assert "inside Runnel" in text((await ask(page, "hello"))[-1])
    monkeypatch.setattr(type(handlers.controls), "read", broken)
    assert "inside Runnel" in text((await ask(page, "hello"))[-1])


async def test_what_is_chosen_reaches_the_run(page: Chat, app: App) -> None:
    await ask(
        page,
        "hello",
        model=" demo:fast ",
        temperature=0.3,
        warm=True,
        max_tokens="5,000",
        effort="low",
        tools=["x"],
    )
    run = app.runs.get((await app.store.current(ME)).exchanges[0].run)
    assert run is not None
    options = run.turn.options
    assert (options.model, options.temperature, options.max_tokens) == ("demo:fast", 0.3, 5000)
    assert (options.effort, options.tools, options.stream) == ("low", (), True)


async def test_what_is_not_chosen_is_not_sent(page: Chat, app: App) -> None:
    await ask(page, "hello", max_tokens="", temperature=1.0, warm=False, system="")
    run = app.runs.get((await app.store.current(ME)).exchanges[0].run)
    assert run is not None
    expected = replace(run.turn.options, temperature=None, max_tokens=None, effort=None, system="")
    assert run.turn.options == expected


@pytest.mark.parametrize("nonsense", [None, "x", "-5", "0", [], {}, True, float("nan"), float("inf"), -5])
async def test_nonsense_from_the_browser_is_not_sent(page: Chat, nonsense: Any) -> None:
    names = ("temperature", "warm", "system", "max_tokens", "effort", "stream", "pace", "tools", "model")
    for name in names:
        chosen = page.side.controls.read("me", values(page, **{"warm": True, name: nonsense}))
        options = chosen.options
        assert options.temperature is None or 0 <= options.temperature <= 2
        assert options.max_tokens is None or options.max_tokens >= 1
        assert options.effort in (None, "none", "low", "medium", "high")
        assert chosen.pace in ("as it comes", "smooth", "slow")


async def test_an_older_page_is_told_to_load_again(page: Chat) -> None:
    [screen] = await screens(page.handlers.ask({"question": "hello", "values": [1]}, request()))
    assert "Load it again" in text(screen)


@pytest.mark.parametrize("nonsense", [None, "hello", [], {"question": 1, "values": []}, {"values": []}])
async def test_nonsense_is_no_question(page: Chat, nonsense: Any) -> None:
    assert await screens(page.handlers.ask(nonsense, request())) == [(gr.skip(), gr.skip())]


async def test_the_page_opens_with_the_model_last_asked(page: Chat, handlers: Handlers) -> None:
    await ask(page, "hello", model="demo:fast")
    model, *_ = await handlers.arrive(sent(page, act="arrive"), request())
    assert model["value"] == "demo:fast"
    assert ("demo:tour", "demo:tour") in model["choices"]


async def test_a_model_without_temperature_is_greyed_with_its_reason(
    page: Chat, handlers: Handlers, app: App
) -> None:
    _, known = app.catalogue.of("").find("demo:tour")
    app.catalogue.refuse(known, "temperature")
    temperature, _ = await handlers.of_model("demo:tour", 0.7, "", request())
    assert temperature["interactive"] is False
    assert "temperature" in temperature["info"]
    read = page.side.controls.read("me", values(page, model="demo:tour", temperature=0.7, warm=True))
    assert read.options.temperature is None


async def test_drawing_ends_with_the_run(page: Chat, handlers: Handlers) -> None:
    async with asyncio.timeout(5):
        await ask(page, "write a long answer", pace="smooth")


async def test_every_stream_has_one_input_and_the_same_two_outputs(page: Chat) -> None:
    # The endpoint for programs is none of the page's.
    streams = [each for each in page.fns.values() if each.types_generator and each.api_name != "chat"]
    assert len(streams) >= 4
    for each in streams:
        assert len(each.inputs) <= 1, each.name
        assert list(each.outputs) == [page.chatbot, page.side.activity]
