"""Gradio's sessions, each its owner's alone. Pure ASGI, around the page's own addresses.

A tab names its session itself, and Gradio gives a session's messages to whoever names it (6.31). So the
name is exchanged on its way in for one that comes of the owner and the name: somebody else who names the
same session means another one, which nobody has. Whoever wants to read one that is not there is told so here:
Gradio would write a traceback into the log. What may be sent says `inputs`; what is not fetched is `unread`'s
business. `page.mount` places it; `chat.owners` makes the names.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection
from starlette.responses import Response

from chat.limits import network
from chat.owners import Owners
from chat.refusals import refuse
from chat.ui.addresses import CALL, JOIN, READ, SESSION
from chat.ui.inputs import Listener, RefusedError, read
from chat.ui.unread import Unread

GONE = {
    "msg": "unexpected_error",
    "event_id": None,
    "message": "404: Not Found",
    "session_not_found": True,
    "success": False,
}
"""What Gradio says of a session that is not there."""


ENDING_S = 1.0
"""Seconds for a reader to end that another one has replaced."""


class Known(Protocol):
    """The sessions that are there."""

    def __contains__(self, session: object, /) -> bool: ...

    def again(self, session: str) -> None:
        """Puts back what an earlier reader was told in vain."""


class Sessions:
    """`known`: the sessions that are there. `listeners`: what may be called."""

    def __init__(
        self,
        app: Any,
        *,
        owners: Owners,
        known: Known,
        unread: Unread,
        listeners: Mapping[int, Listener],
    ) -> None:
        self._app, self._owners, self._known, self._listeners = app, owners, known, listeners
        self._reading: dict[str, _Reader] = {}
        self._unread = unread

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path not in (READ, JOIN, CALL):
            await self._app(scope, receive, send)
            return
        owner = self._owners.of(HTTPConnection(scope).cookies)
        where = network(scope["client"][0]) if scope.get("client") else ""
        whose = owner or where  # without a cookie, one person is as another
        if path == READ:
            await self._read(scope, receive, send, owner, whose, where)
        else:
            await self._call(scope, receive, send, owner, whose, where)

    async def _read(self, scope: Any, receive: Any, send: Any, owner: str, whose: str, where: str) -> None:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        session = self._owners.apart(owner, dict(query).get(SESSION, ""))
        if session not in self._known:
            gone = Response(f"data: {json.dumps(GONE)}\n\n", media_type="text/event-stream")
            await gone(scope, receive, send)
            return
        scope = {**scope, "query_string": urlencode({SESSION: session}).encode()}
        with self._unread.reading(session, whose, where):
            # The one before this is the page's no more: it would take what is this one's.
            mine, before = _Reader(), self._reading.get(session)
            self._reading[session] = mine
            if before is not None:
                await before.end()
            self._known.again(session)
            try:
                await self._app(scope, mine.receiving(receive), send)
            finally:
                mine.ended.set()
                if self._reading.get(session) is mine:
                    del self._reading[session]

    async def _call(self, scope: Any, receive: Any, send: Any, owner: str, whose: str, where: str) -> None:
        if (body := await _body(receive)) is None:
            return
        queued = scope["path"] == JOIN
        try:
            sent = read(body, self._listeners, queued=queued)
        except RefusedError as error:
            await refuse(send, scope, 400, str(error))
            return
        session = sent[SESSION] = self._owners.apart(owner, sent[SESSION])
        body = json.dumps(sent).encode()
        headers = [pair for pair in scope["headers"] if pair[0] not in (b"content-length", b"content-type")]
        headers += [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        try:
            await self._app({**scope, "headers": headers}, _again(body, receive), send)
        finally:
            if queued:
                self._unread.joined(session, whose, where)


class _Reader:
    """One connection that reads a session. `end` makes it end as if its page had gone."""

    def __init__(self) -> None:
        self._replaced, self.ended = asyncio.Event(), asyncio.Event()

    async def end(self) -> None:
        self._replaced.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S):
                await self.ended.wait()

    def receiving(self, receive: Any) -> Any:
        async def received() -> Any:
            message = asyncio.ensure_future(receive())
            replaced = asyncio.ensure_future(self._replaced.wait())
            try:
                await asyncio.wait({message, replaced}, return_when=asyncio.FIRST_COMPLETED)
                return message.result() if message.done() else {"type": "http.disconnect"}
            finally:
                message.cancel()
                replaced.cancel()

        return received


async def _body(receive: Any) -> bytes | None:
    """None: its sender has gone."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _again(body: bytes, receive: Any) -> Any:
    """A `receive` that gives `body` first."""
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Any:
        return first.pop() if first else await receive()

    return received
