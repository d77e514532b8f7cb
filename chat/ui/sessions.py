"""Gradio's sessions, each its owner's alone. Pure ASGI, around the page's own addresses.

A tab names its session itself, and Gradio gives a session's messages to whoever names it (6.31). So the
name is exchanged on its way in for one that comes of the owner and the name: somebody else who names the
same session means another one, which nobody has. Whoever wants to read one that is not there, or calls what
is not there, is told so here: Gradio would write a traceback into the log. What is not
fetched is `unread`'s business. `page.mount` places it; `chat.owners` makes the names.
"""

import json
from collections.abc import Callable, Container
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from chat.limits import network
from chat.owners import Owners
from chat.ui.addresses import CALL, JOIN, PREFIX, READ
from chat.ui.addresses import SESSION as FIELD
from chat.ui.unread import Unread

CALLS = (JOIN, CALL)
GONE = {
    "msg": "unexpected_error",
    "event_id": None,
    "message": "404: Not Found",
    "session_not_found": True,
    "success": False,
}
"""What Gradio says of a session that is not there."""


class Sessions:
    """`known`: the sessions that are there. `calls`: whether a body calls what the page has."""

    def __init__(
        self,
        app: Any,
        *,
        owners: Owners,
        known: Container[str],
        unread: Unread,
        calls: Callable[[Any], bool],
    ) -> None:
        self._app, self._owners, self._known, self._calls = app, owners, known, calls
        self._unread = unread

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        owner = self._owners.of(HTTPConnection(scope).cookies)
        where = network(scope["client"][0]) if scope.get("client") else ""
        whose = owner or where  # without a cookie, one person is as another
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if any(name == FIELD for name, _ in query):
            own = [(n, self._owners.apart(owner, v) if n == FIELD else v) for n, v in query]
            scope = {**scope, "query_string": urlencode(own).encode()}
            if scope["path"] == READ:
                if (session := dict(own)[FIELD]) not in self._known:
                    gone = Response(f"data: {json.dumps(GONE)}\n\n", media_type="text/event-stream")
                    await gone(scope, receive, send)
                    return
                with self._unread.reading(session, whose, where):
                    await self._app(scope, receive, send)
                return
        joining = ""
        if scope["method"] == "POST":
            if (body := await _body(receive)) is None:
                return
            if body:
                try:
                    sent = json.loads(body)
                except (ValueError, RecursionError):
                    await JSONResponse({"detail": "That is no JSON."}, 400)(scope, receive, send)
                    return
                if scope["path"].startswith(CALLS) and not self._calls(sent):
                    await JSONResponse({"detail": "The page has nothing like that."}, 422)(
                        scope, receive, send
                    )
                    return
                if isinstance(sent, dict) and isinstance(sent.get(FIELD), str):
                    sent[FIELD] = self._owners.apart(owner, sent[FIELD])
                    body = json.dumps(sent).encode()
                    joining = sent[FIELD] if scope["path"].startswith(JOIN) else ""
            headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
            scope = {**scope, "headers": [*headers, (b"content-length", b"%d" % len(body))]}
            receive = _again(body, receive)
        try:
            await self._app(scope, receive, send)
        finally:
            if joining:
                self._unread.joined(joining, whose, where)


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
