"""A conversation, drawn for one tab until its answer is over or the tab shows something else.

The one place that joins runs, pacing, bubbles and the activity view into what a stream yields.
`handlers` decide what is drawn, and catch what is raised here.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

import gradio as gr

from chat.build import App
from chat.conversations import Conversation, Exchange
from chat.pacing import Pace, frames
from chat.run import Run
from chat.transcript import Prose
from chat.ui import activity, bubbles
from chat.ui.tabs import Tab

Screen = tuple[Any, Any]
"""The chat's messages and the activity view's value; `gr.skip()` where nothing is new."""

NOTHING: Screen = (gr.skip(), gr.skip())

ELSEWHERE = 0.5
"""Seconds between two looks at an answer that another process writes."""

MOST = 10
"""Tabs of one owner in which answers are drawn as they come. Another one shows what there is, and looks
again now and then (static/follow.js): every stream costs all the others some of the time."""


class Screens:
    def __init__(self, app: App) -> None:
        self._app = app
        self._drawing: Counter[tuple[str, Tab]] = Counter()

    async def draw(
        self, tab: Tab, chat: Conversation, pace: Pace = "as it comes"
    ) -> AsyncGenerator[Screen, None]:
        """`chat` in `tab`, as it is, and on with its running answer."""
        turn, drawn = tab.begin(), (chat.owner, tab)
        self._drawing[drawn] += 1
        try:
            async with aclosing(self._screens(tab, turn, chat, pace)) as screens:
                async for screen in screens:
                    yield screen
            # Gradio ends a stream by sending its last value again, whole: of a long chat some 200 kB,
            # which the page reads for a second (6.31). So the last value is that nothing is new.
            yield NOTHING
        finally:
            self._drawing[drawn] -= 1
            if not self._drawing[drawn]:
                del self._drawing[drawn]

    def remark(self, tab: Tab, chat: Conversation | None, text: str) -> Screen:
        """The conversation with a line below it, about something that could not be done."""
        return [*(bubbles.conversation(chat, tab.shown) if chat else ()), bubbles.remark(text)], gr.skip()

    async def view(self, tab: Tab, chat: Conversation) -> Any:
        """The activity of the answer that the tab looks at."""
        if not chat.exchanges:
            return activity.EMPTY
        last = chat.answer(-1)
        place = chat.find(tab.looking) if tab.looking else None
        looked = last if place is None else chat.answer(place)
        if looked[-1] is not last[-1]:
            await self._app.store.earlier(chat, len(chat.exchanges) - chat.exchanges.index(looked[0]))
        return self._activity(looked, earlier=looked[-1] is not last[-1])

    async def _screens(
        self, tab: Tab, turn: int, chat: Conversation, pace: Pace
    ) -> AsyncGenerator[Screen, None]:
        crowded = sum(owner == chat.owner for owner, _ in self._drawing) > MOST
        while (last := chat.last) is not None:
            await self._app.store.earlier(chat, chat.window(tab.shown))
            if tab.turn != turn:
                return
            run = self._app.runs.get(last.run)
            if last.transcript.ended is not None or (run is not None and run.transcript.ended is not None):
                yield bubbles.conversation(chat, tab.shown), await self.view(tab, chat)
                return
            if run is not None and not crowded:
                async with aclosing(self._live(tab, turn, chat, last, run, pace)) as screens:
                    async for screen in screens:
                        yield screen
                return
            yield bubbles.conversation(chat, tab.shown), await self.view(tab, chat)
            if crowded:
                return
            await asyncio.sleep(ELSEWHERE)
            if tab.turn != turn or (again := await self._app.store.peek(chat.owner, chat.id)) is None:
                return
            chat = again
        yield bubbles.conversation(chat), activity.EMPTY

    async def _live(
        self, tab: Tab, turn: int, chat: Conversation, last: Exchange, run: Run, pace: Pace
    ) -> AsyncGenerator[Screen, None]:
        before, bubble = bubbles.before_last(chat, tab.shown), bubbles.Bubble(chat.answer(-1), chat)
        drawn = chat.exchanges[len(chat.exchanges) - chat.window(tab.shown) : -1]
        above = sum(exchange.transcript.length for exchange in drawn)
        before_it, seen = last.replaces[-1] if last.replaces else None, None
        left_off = _left_off(chat.answer(-1))
        view: Any = activity.EMPTY
        with run.reading(), drawn_for(tab, turn, run):
            async with aclosing(frames(run, self._app.budget, pace, above, chat.owner)) as moments:
                async for frame in moments:
                    if tab.turn != turn:
                        return  # this tab shows something else now, or another stream draws it
                    if (place := chat.last) is None or place.run != last.run:
                        break  # taken back, or the old answer is
                    if (now := (tab.looking, *_besides_text(run))) != seen:
                        if not tab.looking:
                            view = activity.view(run.transcript, run.elapsed, left_off=left_off)
                        elif seen is None or seen[0] != tab.looking:
                            view = await self.view(tab, chat)
                        seen = now
                    # The same view again costs nothing: no more than “nothing new” is sent. A
                    # gr.skip() is sent as a new value, and the next view whole (Gradio 6.31).
                    yield before + bubble.messages(frame.shown), view
        if before_it is not None:
            await run.finished()
            if chat.last is before_it:
                yield _came_to_nothing(chat, tab, last)

    def _activity(self, answer: Sequence[Exchange], *, earlier: bool) -> Any:
        last = answer[-1]
        return activity.view(
            last.transcript, self._elapsed(last), earlier=earlier, left_off=_left_off(answer)
        )

    def _elapsed(self, exchange: Exchange) -> float:
        if (run := self._app.runs.get(exchange.run)) is not None:
            return run.elapsed
        ended = exchange.transcript.ended
        return max(0.0, time.time() - exchange.at) if ended is None else ended


@contextmanager
def drawn_for(tab: Tab, turn: int, run: Run) -> Iterator[None]:
    """While `run` is drawn in `tab`: when another one is, this does not wait until it says something."""
    tab.wake = run.nudge
    try:
        yield
    finally:
        if tab.turn == turn:
            tab.wake = None


def _left_off(answer: Sequence[Exchange]) -> activity.LeftOff:
    return activity.left_off(exchange.transcript for exchange in answer[:-1])


def _came_to_nothing(chat: Conversation, tab: Tab, again: Exchange) -> Screen:
    """The answer that was to be replaced, and why it was not."""
    transcript = again.transcript
    screen = bubbles.conversation(chat, tab.shown)
    if transcript.failure is not None and transcript.state != "stopped":
        screen.append(bubbles.remark(transcript.failure.message))
    return screen, activity.view(transcript, transcript.ended or 0)


def _besides_text(run: Run) -> tuple[int, int]:
    """Changes when there is more to see than more of the answer."""
    blocks = run.transcript.blocks
    return run.transcript.turned, sum(b.body.length for b in blocks if not isinstance(b, Prose))
