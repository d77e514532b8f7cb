"""Who and what is let in, before anything is read: pure ASGI, just inside the safety headers.

Gradio brings routes that this page has no use for, and that take files, run programs or hold
connections: they are closed. What changes something, by whatever method, is not taken from another
site's page, and a body is JSON of a largest size. On this machine alone only its own names are
answered, so that a site whose name is made to point here (DNS rebinding) gets nothing.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chat.api import chunks
from chat.errors import Kind

LARGEST_BODY = 1_000_000
"""Bytes. The page sends a question and some settings."""

SOCKET = "/chat/ws"
"""The one address with a WebSocket."""

OWN_NAMES = ("127.0.0.1", "localhost", "::1")

_CLOSED = re.compile(
    r"/gradio_api/(?:upload|upload_progress|component_server|process_recording|deep_link|heartbeat|dev|stream"
    r"|call|proxy|run-history|vibe-[^/]*|monitoring)\b"
)
FOREIGN = "This request came from another site's page and was refused."
_ELSEWHERE = (
    "Runnel is open to this machine alone, as 127.0.0.1 or localhost. Behind a proxy, set CHAT_PUBLIC=1."
)
_TOO_LARGE = "That is more than fits into one question."
_NOT_JSON = "Send a body as JSON, with the header Content-Type: application/json."


class Gate:
    """`local`: only this machine's own names are answered."""

    def __init__(self, app: Any, *, local: bool) -> None:
        self._app, self._local = app, local

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] == "websocket":
            if scope["path"] != SOCKET or self._elsewhere(headers) or foreign(headers):
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, send)
            return
        if refusal := self._refusal(scope, headers):
            page = "text/html" in headers.get(b"accept", "")
            await _answer(send, *refusal, page, openai=scope["path"].startswith("/v1/"))
            return
        taken = 0

        async def limited() -> Any:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            # A body without a length that grows too large ends as if its sender had gone.
            return message if taken <= LARGEST_BODY else {"type": "http.disconnect"}

        await self._app(scope, limited, send)

    def _elsewhere(self, headers: Mapping[bytes, str]) -> bool:
        return self._local and _host(headers.get(b"host", "")) not in OWN_NAMES

    def _refusal(self, scope: Any, headers: dict[bytes, str]) -> tuple[int, str] | None:
        if self._elsewhere(headers):
            return 403, _ELSEWHERE
        if _CLOSED.match(scope["path"]):
            return 404, "Not found."
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return None
        if foreign(headers):
            return 403, FOREIGN
        length = headers.get(b"content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return 413, _TOO_LARGE
        if int(length) or b"transfer-encoding" in headers:
            # JSON is what a browser sends to another site only after asking; plain text it sends unasked.
            kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
            form = "application/x-www-form-urlencoded"  # of `login`, whose page needs no script
            if kind != "application/json" and not (kind == form and scope["path"] == "/login"):
                return 415, _NOT_JSON
        return None


def foreign(headers: Mapping[bytes, str]) -> bool:
    """Whether a browser says that another site's page made it send this."""
    if headers.get(b"sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    if (origin := headers.get(b"origin")) is None:
        return False
    try:
        return urlsplit(origin).netloc not in (headers.get(b"host"), headers.get(b"x-forwarded-host"))
    except ValueError:
        return True


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


async def _answer(send: Any, status: int, text: str, page: bool, openai: bool) -> None:
    """As JSON for a program (in OpenAI's shape for its clients), as it is for a `page` that a person sees."""
    kind: Kind = "not_found" if status == 404 else "too_large" if status == 413 else "bad_request"
    told = chunks.error(text, kind, status) if openai else {"error": text, "kind": kind}
    body = (text if page else json.dumps(told)).encode()
    media = b"text/plain; charset=utf-8" if page else b"application/json"
    headers = [(b"content-type", media), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
