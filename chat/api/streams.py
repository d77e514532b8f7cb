"""A run, read through a dialect into an HTTP response. Routes make a `Stream`; nothing here starts a run.

The first byte leaves at once, however slow the provider; a silence is filled with heartbeats *while* it
lasts; a reader that leaves stops nothing (what then becomes of the run is the settings' business), and a
slow one costs nothing, because what it has not read yet is the run's own list.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chat.api.dialects import Dialect
from chat.runs import Run

HEARTBEAT = 5.0
"""Seconds of silence after which a reader is told that the line is alive."""

BATCH = 100
"""Events that are written at once."""

HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
"""Nothing on the way keeps, packs or holds back what is streamed. The second is nginx's."""

_ID = re.compile(r"([A-Za-z0-9_-]{1,64})/([0-9]{1,9})")


def position(id: str) -> tuple[str, int] | None:
    """Run and number of a frame's id, `run/seq`."""
    found = _ID.fullmatch(id.strip())
    return (found[1], int(found[2])) if found else None


def delivered(run: Run, dialect: Dialect, after: int) -> bool:
    """Whether frame `after` was the last one there will ever be."""
    return run.transcript.ended is not None and after == _last(run, dialect)


def _last(run: Run, dialect: Dialect) -> int:
    """The number of the last frame of `run`, which is over."""
    frames = dialect.of(run.seq, run.entries[-1].event, run.transcript)
    return max((number for number, _ in frames), default=run.seq)


async def read(
    run: Run, dialect: Dialect, after: int = 0, heartbeat: float = HEARTBEAT
) -> AsyncGenerator[bytes, None]:
    """What follows frame `after` of `run`, as it comes, to the end. A number past the last one, which a
    reader may hold of a run whose last events were lost, gives the end."""
    clock = asyncio.get_running_loop().time
    # An id without data: who is cut off before the first word asks for this run again, not for a new one.
    named = f"id: {run.id}/{after}\n\n".encode() if dialect.numbered and dialect.named else b""
    place = after
    if run.transcript.ended is not None and after >= run.seq:
        place = run.seq - 1
        after = after if after <= _last(run, dialect) else place
    if dialect.opening or named:
        yield dialect.opening + named
    spoke = clock()
    while True:
        if entries := run.entries[place : place + BATCH]:
            place += len(entries)
            said = b"".join(
                dialect.write(frame, f"{run.id}/{number}")
                for entry in entries
                for number, frame in dialect.of(entry.seq, entry.event, run.transcript)
                if number > after
            )
            if said:
                yield said
                spoke = clock()
            if len(entries) == BATCH:
                await asyncio.sleep(0)  # a reader far behind is not the only one on this loop
        elif run.transcript.ended is not None:
            return
        elif not dialect.heartbeat:
            await run.wait(place)
        elif (silence := spoke + heartbeat - clock()) > 0:
            await run.wait(place, within=silence)
        else:
            yield dialect.heartbeat
            spoke = clock()


class Stream(StreamingResponse):
    """The response that reads `run`. While it lasts, the run counts as read."""

    def __init__(
        self,
        run: Run,
        dialect: Dialect,
        after: int = 0,
        *,
        headers: Mapping[str, str],
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._run = run
        self._reading = read(run, dialect, after, heartbeat)
        super().__init__(
            self._reading, headers={**HEADERS, "Run-Id": run.id, **headers}, media_type=dialect.media
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["http_version"] == "1.1":  # the newer versions do not know this header
            self.headers["Connection"] = "keep-alive"
        with self._run.reading():
            async with aclosing(self._reading):
                await super().__call__(scope, receive, send)
