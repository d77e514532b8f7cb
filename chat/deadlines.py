"""Time: how long a reply may keep silent.

`watched` stands between a provider and `attempts`. It measures content only: pings, comments and
figures do not count, so that a wire which is alive but says nothing is found out. The deadline
lies around each `anext`, never around a `yield`. All times are seconds.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from types import TracebackType

from chat.errors import Stalled
from chat.events import Content, ReplyEvent
from chat.providers import Loading, Provider
from chat.settings import Deadlines


async def watched(
    events: AsyncGenerator[ReplyEvent, None],
    limits: Deadlines,
    until: float,
    title: str,
) -> AsyncGenerator[ReplyEvent, None]:
    """`events`, or `Stalled` when content is missing for too long, or it is past `until` (loop time).

    `title` is who is waited for. Closes `events`, and with it the wire, however it ends.
    """
    loop = asyncio.get_running_loop()
    due, begun = loop.time() + limits.first, False
    with closing(_Watch(loop, min(due, until))) as watch:
        async with aclosing(events):
            while True:
                try:
                    with watch:
                        event = await anext(events)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    if not watch.expired:
                        raise
                    if until <= due:
                        raise turn_too_long(limits) from error
                    raise _silent(title, limits, begun) from error
                if isinstance(event, Content):
                    begun, due = True, loop.time() + limits.idle
                    watch.move(min(due, until))
                yield event


async def loaded(provider: Provider, limits: Deadlines, until: float) -> None:
    """Until a request can be sent. What is loaded for it on a slow machine is no silence of the model's; the
    turn ends all the same when it is past `until`."""
    if not isinstance(provider, Loading):
        return
    try:
        async with asyncio.timeout_at(until):
            await provider.ready()
    except TimeoutError as error:
        raise turn_too_long(limits) from error


class _Watch:
    """A deadline around one await after another: `TimeoutError` in the one during which `due` comes.

    One timer for all of them, which looks again when `due` has moved on meanwhile. An `asyncio.timeout` for
    each token costs as much as reading it; in what it does with cancellations this is the same.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.expired = False
        self._loop, self._due = loop, due
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.TimerHandle | None = None

    def move(self, due: float) -> None:
        self._due = due
        if self._timer is not None and due < self._timer.when():
            self.close()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        self._task = task = asyncio.current_task(self._loop)
        assert task is not None
        self._cancelling = task.cancelling()
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._look)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        # Somebody else's cancellation at the same moment wins.
        if self.expired and task and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _look(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nothing is waited for; the next await sets it again
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self.expired = True
            self._task.cancel()


def turn_too_long(limits: Deadlines) -> Stalled:
    return Stalled(
        f"The whole answer took longer than {limits.turn:g} seconds and was ended. Ask for less at once.",
        hint="CHAT_TURN_TIMEOUT allows for longer ones.",
    )


def _silent(title: str, limits: Deadlines, begun: bool) -> Stalled:
    if begun:
        return Stalled(
            f"{title} fell silent in the middle of the answer for {limits.idle:g} seconds. Try again.",
            hint="CHAT_IDLE_TIMEOUT allows for longer pauses.",
        )
    return Stalled(
        f"{title} took the question but said nothing for {limits.first:g} seconds. Try again or choose "
        "another model.",
        hint="CHAT_FIRST_EVENT_TIMEOUT allows for slower ones.",
    )
