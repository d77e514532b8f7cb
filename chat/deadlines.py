"""Time: how long a reply may keep silent.

`watched` stands between a provider and `attempts`. It measures content only: pings, comments and
figures do not count, so that a wire which is alive but says nothing is found out. The deadline
lies around each `anext`, never around a `yield`. All times are seconds.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from chat.errors import Stalled
from chat.events import (
    Citation,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from chat.settings import Deadlines

Content = TextDelta | ThinkingDelta | ToolCallStarted | ToolCallDelta | Citation | Opaque | ReplyFinished


async def watched(
    events: AsyncGenerator[ReplyEvent, None], limits: Deadlines, until: float, title: str
) -> AsyncGenerator[ReplyEvent, None]:
    """`events`, or `Stalled` when content is missing for too long, or it is past `until` (loop time).

    `title` is who is waited for. Closes `events`, and with it the wire, however it ends.
    """
    loop = asyncio.get_running_loop()
    due, begun = loop.time() + limits.first, False
    async with aclosing(events):
        while True:
            deadline = asyncio.timeout_at(min(due, until))
            try:
                async with deadline:
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                if not deadline.expired():
                    raise
                if until <= due:
                    raise turn_too_long(limits) from error
                raise _silent(title, limits, begun) from error
            if isinstance(event, Content):
                begun, due = True, loop.time() + limits.idle
            yield event


def turn_too_long(limits: Deadlines) -> Stalled:
    return Stalled(
        f"The whole answer took longer than {limits.turn:g} seconds and was ended. Ask for less at once, "
        "or raise CHAT_TURN_TIMEOUT."
    )


def _silent(title: str, limits: Deadlines, begun: bool) -> Stalled:
    if begun:
        return Stalled(
            f"{title} fell silent in the middle of the answer for {limits.idle:g} seconds. Try again, "
            "or raise CHAT_IDLE_TIMEOUT if it needs longer pauses."
        )
    return Stalled(
        f"{title} took the question but said nothing for {limits.first:g} seconds. Try again or choose "
        "another model; CHAT_FIRST_EVENT_TIMEOUT allows for slower ones."
    )
