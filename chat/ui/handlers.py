"""What happens on the page: one coroutine a listener. `interface.Chat` wires them.

Reads runs and the store; holds no provider, no deadline and no retry. A stream draws a run until it
is over or the page is closed; the run goes on either way, and a page that loads while it goes on
draws it from where it is. Nothing here raises: a listener that does kills Gradio's chat until reload.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from chat.build import App
from chat.conversations import Conversation, Exchange
from chat.errors import BUG, Fault
from chat.pacing import Pace, frames
from chat.runs import Run
from chat.ui import activity, bubbles, welcome
from chat.ui.controls import Controls

log = logging.getLogger(__name__)

Screen = tuple[Any, Any]
"""The chat's messages and the activity view's value; `gr.skip()` where nothing is new."""

STRANGER = (
    "This page cannot tell you from others, because your browser sent no cookie. "
    "Allow cookies for this address and load the page again."
)


class Handlers:
    """Streams yield `(chat, activity)`."""

    controls: Controls
    """Set when the sidebar is there."""

    def __init__(self, app: App) -> None:
        self._app = app

    # -- streams -----------------------------------------------------------------------------

    async def ask(self, sent: Any, request: gr.Request) -> AsyncGenerator[Screen, None]:
        """`sent`: the question and the sidebar's values, as `static/send.js` packs them."""
        question, values = _unpacked(sent)
        async with aclosing(self._ask(question, values, request)) as screens:
            async for screen in screens:
                yield screen

    async def example(
        self, sent: Any, event: gr.SelectData, request: gr.Request
    ) -> AsyncGenerator[Screen, None]:
        text = event.value.get("text") if isinstance(event.value, dict) else event.value
        async with aclosing(self._ask(str(text or ""), _unpacked(sent)[1], request)) as screens:
            async for screen in screens:
                yield screen

    async def again(self, sent: Any, request: gr.Request) -> AsyncGenerator[Screen, None]:
        """Takes the last exchange back and asks again."""
        last = (await self._app.store.current(self._owner(request))).last if self._owner(request) else None
        question = "" if last is None or last.transcript.state == "running" else last.question
        async with aclosing(self._ask(question, _unpacked(sent)[1], request, again=True)) as screens:
            async for screen in screens:
                yield screen

    async def attach(self, request: gr.Request) -> AsyncGenerator[Screen, None]:
        """The conversation as it is, and on with its running answer."""
        if not (owner := self._owner(request)):
            yield [], activity.EMPTY
            return
        async with aclosing(self._draw(owner, await self._app.store.current(owner))) as screens:
            async for screen in screens:
                yield screen

    async def _ask(
        self, question: str, values: list[Any], request: gr.Request, *, again: bool = False
    ) -> AsyncGenerator[Screen, None]:
        """`again`: in the place of the last answer, which returns if nothing comes of it."""
        if not question.strip():
            yield gr.skip(), gr.skip()
            return
        if not (owner := self._owner(request)):
            yield [bubbles.question(question), bubbles.remark(STRANGER)], gr.skip()
            return
        conversation = await self._app.store.current(owner)
        try:
            options, pace = self.controls.read(values)
            await self._app.runs.ask(conversation, question, options, again=again)
        except Exception as error:
            if not isinstance(error, Fault):
                log.exception("a question could not be asked")
            sentence = error.message if isinstance(error, Fault) else BUG.message
            yield [*bubbles.conversation(conversation.exchanges), bubbles.remark(sentence)], gr.skip()
            return
        async with aclosing(self._draw(owner, conversation, pace)) as screens:
            async for screen in screens:
                yield screen

    async def _draw(
        self, owner: str, conversation: Conversation, pace: Pace = "as it comes"
    ) -> AsyncGenerator[Screen, None]:
        """The conversation as it is, and on with its running answer. Never raises."""
        try:
            async with aclosing(self._screens(owner, conversation, pace)) as screens:
                async for screen in screens:
                    yield screen
            # Gradio ends a stream by sending its last value again, whole: of a long chat some 200 kB,
            # which the page reads for a second (6.31). So the last value is that nothing is new.
            yield gr.skip(), gr.skip()
        except Exception:  # Gradio's chat is dead until reload when a listener raises
            log.exception("the page could not be drawn")
            yield [bubbles.remark(BUG.message)], gr.skip()

    async def _screens(
        self, owner: str, conversation: Conversation, pace: Pace
    ) -> AsyncGenerator[Screen, None]:
        if (last := conversation.last) is None:
            yield [], activity.EMPTY
            return
        before = bubbles.conversation(conversation.exchanges[:-1])
        bubble = bubbles.Bubble(last)
        run = self._app.runs.get(last.run)
        if run is None or run.transcript.ended is not None:
            yield before + bubble.messages(), activity.view(last.transcript, last.transcript.ended or 0)
            return
        above = sum(exchange.transcript.length for exchange in conversation.exchanges[:-1])
        before_it, seen = last.replaces, None
        view: Any = activity.EMPTY
        with run.reading():
            async with aclosing(frames(run, self._app.budget, pace, above)) as moments:
                async for frame in moments:
                    if await self._app.store.current(owner) is not conversation:
                        return  # a new chat: this screen shows something else now
                    if (place := conversation.last) is None or place.run != last.run:
                        break  # taken back, or the old answer is
                    if (now := _besides_text(run)) != seen:
                        seen, view = now, activity.view(run.transcript, run.elapsed)
                    # The same view again costs nothing: no more than “nothing new” is sent. A
                    # gr.skip() is sent as a new value, and the next view whole (Gradio 6.31).
                    yield before + bubble.messages(frame.shown), view
        if before_it is not None:
            await run.finished()
            if conversation.last is before_it:
                yield _came_to_nothing(conversation, last)

    # -- the rest ----------------------------------------------------------------------------

    async def stop(self, request: gr.Request) -> None:
        if (run := await self._run(request)) is not None:
            run.stop()

    async def arrive(self, request: gr.Request) -> tuple[Any, Any, Any, Any]:
        """The page as it opens: the models of now, the one last asked, and the welcome that fits them."""
        self._app.catalogue.refresh()
        last = (await self._app.store.current(self._owner(request))).last if self._owner(request) else None
        model = last.transcript.model if last and last.transcript.model else self._app.catalogue.default
        menu = gr.update(choices=self._app.catalogue.names())
        if model != self.controls.model.value:  # else a choice made meanwhile would be undone
            menu["value"] = model
        welcoming = gr.update(placeholder=welcome.text(self._app))
        return menu, *self.controls.of_model(model, None), welcoming

    async def refresh(self, name: Any, temperature: Any) -> tuple[Any, Any, Any]:
        """The menu of now, and what is known by now of the model chosen in it."""
        menu = gr.update(choices=self._app.catalogue.names())
        return menu, *self.controls.of_model(name, temperature)

    async def of_model(self, name: Any, temperature: Any) -> tuple[Any, Any]:
        return self.controls.of_model(name, temperature)

    async def undo(self, typed: str, request: gr.Request) -> tuple[Any, Any, Any]:
        """Takes the last exchange back; its question returns to the box unless something is typed there."""
        if not (owner := self._owner(request)) or await self._run(request) is not None:
            return gr.skip(), gr.skip(), gr.skip()
        conversation = await self._app.store.current(owner)
        question = self._app.store.undo(conversation) or ""
        last = conversation.last
        view = activity.view(last.transcript, last.transcript.ended or 0) if last else activity.EMPTY
        return bubbles.conversation(conversation.exchanges), view, typed or question

    async def new(self, request: gr.Request) -> Screen:
        """An empty conversation. A running answer is stopped: nobody could come back to it."""
        if owner := self._owner(request):
            await self.stop(request)
            self._app.store.new(owner)
        return [], activity.EMPTY

    def _owner(self, request: gr.Request) -> str:
        return self._app.owners.of(dict(request.cookies))

    async def _run(self, request: gr.Request) -> Run | None:
        """The owner's run, while it goes on."""
        last = (await self._app.store.current(self._owner(request))).last if self._owner(request) else None
        run = self._app.runs.get(last.run) if last else None
        return run if run is not None and run.transcript.ended is None else None


def _unpacked(sent: Any) -> tuple[str, list[Any]]:
    """Question and values. The browser's word, so of any shape."""
    match sent:
        case {"question": str(question), "values": list(values)}:
            return question, values
        case _:
            return "", []


def _came_to_nothing(conversation: Conversation, again: Exchange) -> Screen:
    """The answer that was to be replaced, and why it was not."""
    transcript = again.transcript
    screen = bubbles.conversation(conversation.exchanges)
    if transcript.failure is not None and transcript.state != "stopped":
        screen.append(bubbles.remark(transcript.failure.message))
    return screen, activity.view(transcript, transcript.ended or 0)


def _besides_text(run: Run) -> tuple[int, int]:
    """Changes when there is more to see than more of the answer."""
    blocks = run.transcript.blocks
    return run.transcript.turned, sum(b.body.length for b in blocks if not isinstance(b, bubbles.Prose))
