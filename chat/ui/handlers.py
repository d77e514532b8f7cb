"""What happens on the page: one coroutine a listener. `interface.Chat` wires them.

Reads runs and the store; holds no provider, no deadline and no retry. Which conversation a tab shows
is in `tabs`, where a sending goes in `places`, how all is drawn in `screens`. A stream draws a run until
it is over or the tab shows something else; the run goes on either way. Nothing here raises: a listener
that does kills Gradio's chat until reload.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import gradio as gr

from chat.build import App
from chat.conversations import Conversation
from chat.errors import BUG, Fault
from chat.pacing import Pace
from chat.ui import activity, bubbles, welcome
from chat.ui.controls import Controls
from chat.ui.endpoint import endpoint
from chat.ui.places import Places
from chat.ui.screens import NOTHING, Screen, Screens
from chat.ui.sent import Sent
from chat.ui.tabs import WINDOW, Tab

log = logging.getLogger(__name__)

STRANGER = (
    "This page cannot tell you from others, because your browser sent no cookie. "
    "Allow cookies for this address and load the page again."
)
LOOKING_TIMEOUT_S = 0.15
"""That the page's settings wait for servers on this machine."""
NO_CHAT = "There is no such chat."


class Handlers:
    """Streams yield `(chat, activity)`. What they are sent is packed by static/place.js."""

    controls: Controls
    """Set when the sidebar is there."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.places, self._screens = Places(app), Screens(app)
        self.endpoint = endpoint(app, self.places.tabs)
        """For programs, and never called by the page."""

    # -- streams -----------------------------------------------------------------------------

    async def ask(self, raw: Any, request: gr.Request) -> AsyncGenerator[Screen, None]:
        """A question from the box: a new one, or an earlier one that was edited."""
        async with aclosing(self._safe(self._ask(Sent.read(raw), request))) as screens:
            async for screen in screens:
                yield screen

    async def example(
        self, raw: Any, event: gr.SelectData, request: gr.Request
    ) -> AsyncGenerator[Screen, None]:
        text = event.value.get("text") if isinstance(event.value, dict) else event.value
        sent = replace(Sent.read(raw), question=str(text or ""))
        async with aclosing(self._safe(self._ask(sent, request))) as screens:
            async for screen in screens:
                yield screen

    async def act(self, raw: Any, request: gr.Request) -> AsyncGenerator[Screen, None]:
        """A click on a button of ours, another chat to show, or the page as it opens."""
        async with aclosing(self._safe(self._act(Sent.read(raw), request))) as screens:
            async for screen in screens:
                yield screen

    async def _safe(self, stream: AsyncGenerator[Screen, None]) -> AsyncGenerator[Screen, None]:
        try:
            async with aclosing(stream) as screens:
                async for screen in screens:
                    yield screen
        except Exception:  # Gradio's chat is dead until reload when a listener raises
            log.exception("the page could not be drawn")
            yield [bubbles.remark(BUG.message)], gr.skip()

    async def _ask(self, sent: Sent, request: gr.Request) -> AsyncGenerator[Screen, None]:
        onward = sent.act in ("again", "continue")
        if not onward and not sent.question.strip():
            yield NOTHING
            return
        if not (owner := self._owner(request)):
            yield [bubbles.remark(STRANGER)], gr.skip()  # not what they sent: nothing is kept for them
            return
        tab = self.places.tab(owner, request)
        if (chat := await self.places.of_sending(owner, sent, tab)) is None:
            nowhere = sent.chat or tab.chat
            if (there := await self.places.shown(owner, Sent(), tab)) is not None or not nowhere:
                yield self._screens.remark(tab, there, NO_CHAT)
                return
            tab.show("")  # deleted, in another tab
            yield self._empty(owner, nowhere=nowhere), activity.EMPTY
            yield NOTHING
            return
        last = chat.last
        if onward and (last is None or (sent.run and sent.run != last.run)):
            async with aclosing(self._draw(tab, chat)) as screens:  # the page is behind
                async for screen in screens:
                    yield screen
            return
        try:
            options, pace = self.controls.read(owner, sent.values)
            await self._app.runs.ask(
                chat,
                last.question if onward and last is not None else sent.question,
                options,
                again=sent.act == "again",
                continues=sent.act == "continue",
                key=sent.key,
                address=_address(request),
            )
            self.places.arrived(owner, sent, chat)
        except Exception as error:
            if not isinstance(error, Fault):
                log.exception("a question could not be asked")
            if not (sent.key and await self._app.store.asked(owner, sent.key)):
                sentence = error.message if isinstance(error, Fault) else BUG.message
                yield self._screens.remark(tab, chat, sentence)
                return
            pace = "as it comes"  # it came once more, after it was answered
        tab.looking = ""
        async with aclosing(self._draw(tab, chat, pace)) as screens:
            async for screen in screens:
                yield screen

    async def _act(self, sent: Sent, request: gr.Request) -> AsyncGenerator[Screen, None]:
        if sent.act in ("again", "continue"):
            async with aclosing(self._ask(sent, request)) as screens:
                async for screen in screens:
                    yield screen
            return
        if not (owner := self._owner(request)):
            yield [], activity.EMPTY
            return
        tab, store = self.places.tab(owner, request), self._app.store
        match sent.act:
            case "arrive":
                chat = await self.places.arriving(owner, sent)
                chat = await self.places.shown(owner, Sent(), tab) or chat  # somebody was quicker, and asked
            case "open" if not sent.chat:
                chat = store.new(owner)
            case _:
                chat = await self.places.shown(owner, sent, tab)
        if chat is None:
            tab.show("")
            yield self._empty(owner, nowhere=sent.chat), activity.EMPTY
            yield NOTHING
            return
        match sent.act:
            case "open" if not chat.exchanges:
                tab.show(chat.id)
                yield self._empty(owner), activity.EMPTY
                yield NOTHING
                return
            case "open" | "arrive":
                place = chat.find(sent.run) if sent.run else None
                tab.show(chat.id, WINDOW if place is None else max(WINDOW, len(chat.exchanges) - place))
            case "look":
                last = chat.last
                tab.looking = "" if last is None or last.run == sent.run else sent.run
                yield gr.skip(), await self._screens.view(tab, chat)
                yield NOTHING
                return
            case "earlier":
                tab.shown += WINDOW
            case "version" if chat.last is None or chat.last.transcript.ended is not None:
                await store.version(chat, sent.run)
            case _:
                pass
        async with aclosing(self._draw(tab, chat)) as screens:
            async for screen in screens:
                yield screen

    def _empty(self, owner: str, *, nowhere: str = "") -> Any:
        """The chat without a message: the welcome of now."""
        return gr.update(value=[], placeholder=welcome.text(self._app, owner, nowhere=nowhere))

    def _draw(self, tab: Tab, chat: Conversation, pace: Pace = "as it comes") -> AsyncGenerator[Screen, None]:
        if tab.chat != chat.id:
            tab.show(chat.id)
        return self._screens.draw(tab, chat, pace)

    # -- the rest ----------------------------------------------------------------------------

    async def stop(self, raw: Any, request: gr.Request) -> None:
        owner = self._owner(request)
        chat = await self._chat(owner, raw, request) if owner else None
        if chat is None or (last := chat.last) is None:
            return
        if (run := self._app.runs.get(last.run)) is not None:
            run.stop()
        elif last.transcript.ended is None:
            try:
                await self._app.store.stop_elsewhere(owner, last.run)
            except Fault:
                log.warning("an answer of another process could not be stopped", exc_info=True)

    async def arrive(self, raw: Any, request: gr.Request) -> list[Any]:
        """The page as it opens: the settings of its chat, and the welcome that fits the models of now."""
        self._app.catalogue.refresh()
        if (looking := self._app.catalogue.look()) is not None:
            # Servers on this machine answer at once: with one, the page begins with its model.
            await asyncio.wait([looking], timeout=LOOKING_TIMEOUT_S)
        owner, sent = self._owner(request), Sent.read(raw)
        chat = await self.places.arriving(owner, sent) if owner else None
        nowhere = sent.chat if owner and chat is None else ""
        return [
            *self._settings(owner, chat, opening=True),
            gr.update(placeholder=welcome.text(self._app, owner, nowhere=nowhere)),
        ]

    async def settings(self, raw: Any, request: gr.Request) -> list[Any]:
        """What the last answer of a chat was asked with, for the sidebar. Without one, all stays."""
        owner, sent = self._owner(request), Sent.read(raw)
        chat = await self._app.store.peek(owner, sent.chat) if owner and sent.chat else None
        return self._settings(owner, chat)

    def _settings(self, owner: str, chat: Conversation | None, *, opening: bool = False) -> list[Any]:
        last = chat.last if chat is not None else None
        if last is None:
            return self.controls.opening(owner) if opening else self.controls.unchanged()
        model = last.options.model or last.transcript.model
        return self.controls.restored(owner, replace(last.options, model=model))

    async def refresh(
        self, raw: Any, name: Any, temperature: Any, effort: Any, request: gr.Request
    ) -> list[Any]:
        """The menu of now, and what is known by now of the model chosen in it. With other keys, another model
        may be wanted, and other words for the empty page."""
        owner, wanted = self._owner(request), raw if isinstance(raw, dict) else {}
        offered = self._app.catalogue.of(owner)
        menu = gr.update(choices=offered.choices(), info=self.controls.away(name))
        if wanted.get("model") in offered.names():
            name = menu["value"] = wanted["model"]
        empty = wanted.get("keys") or wanted.get("empty") is True
        words = gr.update(placeholder=welcome.text(self._app, owner)) if empty else gr.skip()
        return [menu, *self.controls.of_model(owner, name, temperature, effort), words]

    async def of_model(
        self, name: Any, temperature: Any, effort: Any, request: gr.Request
    ) -> tuple[Any, Any]:
        return self.controls.of_model(self._owner(request), name, temperature, effort)

    def _owner(self, request: gr.Request) -> str:
        return self._app.owners.of(dict(request.cookies))

    async def _chat(self, owner: str, raw: Any, request: gr.Request) -> Conversation | None:
        return await self.places.shown(owner, Sent.read(raw), self.places.tab(owner, request))


def _address(request: gr.Request) -> str:
    """Where the browser is; "" when it is not known."""
    return getattr(getattr(request, "client", None), "host", "")
