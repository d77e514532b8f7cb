"""Who and what is let in, before anything is read: pure ASGI, just inside the safety headers.

What changes something, by whatever method, is not taken from another site's page, and a body is JSON of a
largest size, which comes within some seconds. On this machine alone only its own names are answered, so that
a site whose name is made to point here (DNS rebinding) gets nothing; with CHAT_HOSTS, only the names in it.
What a proxy said of a request has been read (`proxies`). Which of Gradio's addresses are open is for
`chat.ui.addresses` to say.
"""

import asyncio
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect

from chat.api import chunks
from chat.api.hosts import host_of, matches
from chat.api.proxies import BELIEVED, FORWARDED
from chat.refusals import kind_of, refuse

LARGEST_BODY = 1_000_000
"""Bytes. The page sends a question and some settings."""

LARGEST_HEAD = 64_000
"""Bytes of a request's address and headers. h11 holds to its own limit only while a head is incomplete."""

PATIENCE = 30.0
"""Seconds for a body to come. A megabyte takes eight at 1 Mbit/s."""

SOCKET = "/chat/ws"
"""The one address with a WebSocket."""

OWN_NAMES = ("127.0.0.1", "localhost", "::1")

FOREIGN = "This request came from another site's page and was refused."
UNASKED = (
    "A question is asked by a script or a program, not by a link, a picture or a form. Ask it on the page."
)
_ELSEWHERE = (
    "Runnel is open to this machine alone, as 127.0.0.1 or localhost. Behind a proxy, name the proxy in "
    "CHAT_PROXIES and the page in CHAT_HOSTS."
)
_UNNAMED = "Runnel does not answer to this name. Its operator says which names it answers to."
_NO_ADDRESS = "This request names no host, or no address on it, that can be read."
_TOO_LARGE = "That is more than fits into one question."
_LONG_HEAD = "The address and the headers of this request are too long."
_TOO_SLOW = f"The body did not come within {PATIENCE:g} seconds."
_TWO_LENGTHS = "A body has either a Content-Length or a Transfer-Encoding, not both."
FORM = "application/x-www-form-urlencoded"
_NOT_JSON = "Send a body as JSON, with the header Content-Type: application/json."

Refusal = tuple[int, str]


class Gate:
    """`hosts`: the names that are answered; empty means any. `local` adds this machine's own and forbids all
    others."""

    def __init__(
        self, app: Any, *, local: bool, hosts: Iterable[str] = (), patience: float = PATIENCE
    ) -> None:
        self._app, self._patience = app, patience
        self._hosts = (*hosts, *(OWN_NAMES if local else ()))
        self._local = local
        self._elsewhere = _ELSEWHERE if local else _UNNAMED

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] == "websocket":
            if scope["path"] != SOCKET or not self._named(scope) or foreign(headers):
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, send)
            return
        if refusal := self._refusal(scope, headers):
            await _answer(send, scope, *refusal)
            return
        if scope["method"] in ("GET", "HEAD") and not (
            {b"content-length", b"transfer-encoding"} & set(headers)
        ):
            await self._app(scope, receive, send)
            return
        body, started = _Body(receive, self._patience), False

        async def answer(message: Any) -> None:
            nonlocal started
            if started or body.refusal is None:
                started = True
                await send(message)

        try:
            await self._app(scope, body.receive, answer)
        except ClientDisconnect:
            pass  # whoever hung up hears nothing, and a refused body is told below
        except Exception:
            if started or body.refusal is None:
                raise
        if body.refusal is not None and not started:
            await _answer(send, scope, *body.refusal, close=True)

    def _named(self, scope: Any) -> bool:
        """Whether it was asked for by a name that is answered."""
        if self._local and scope.get(FORWARDED) and not scope.get(BELIEVED):
            return False  # a proxy or a tunnel let somebody else in, and wrote our own name as the host
        if (name := host_of(scope)) is None:
            return False
        if not self._hosts:
            return True
        if name in OWN_NAMES:
            return name in self._hosts or _loopback(scope)
        return any(matches(name, host) for host in self._hosts)

    def _refusal(self, scope: Any, headers: Mapping[bytes, str]) -> Refusal | None:
        if host_of(scope) is None or not scope["path"].startswith("/"):
            return 400, _NO_ADDRESS
        if not self._named(scope):
            return 403, self._elsewhere
        head = len(scope["path"]) + len(scope.get("query_string", b""))
        if head + sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEAD:
            return 431, _LONG_HEAD
        if b"content-length" in headers and b"transfer-encoding" in headers:
            return 400, _TWO_LENGTHS
        length = headers.get(b"content-length", "0")
        if not (length.isascii() and length.isdecimal()) or len(length) > 20 or int(length) > LARGEST_BODY:
            return 413, _TOO_LARGE
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return None
        if foreign(headers):
            return 403, FOREIGN
        if int(length) or b"transfer-encoding" in headers:
            kind = headers.get(b"content-type", "")
            # The form is that of `login`, whose page needs no script.
            if not is_json(kind) and not (is_form(kind) and scope["path"] == "/login"):
                return 415, _NOT_JSON
        return None


class _Body:
    """A request's body on its way in. What grows too large, or does not come, ends as if its sender had gone;
    `refusal` then says what to tell them."""

    def __init__(self, receive: Any, patience: float) -> None:
        self._receive, self._taken, self._whole = receive, 0, False
        self._until = asyncio.get_running_loop().time() + patience
        self.refusal: Refusal | None = None

    async def receive(self) -> Any:
        if self._whole:
            return await self._receive()
        if self.refusal is None:
            try:
                async with asyncio.timeout_at(self._until):
                    message = await self._receive()
            except TimeoutError:
                self.refusal = 408, _TOO_SLOW
            else:
                self._taken += len(message.get("body", b""))
                self._whole = not message.get("more_body", False)
                if self._taken <= LARGEST_BODY:
                    return message
                self.refusal = 413, _TOO_LARGE
        return {"type": "http.disconnect"}


def foreign(headers: Mapping[bytes, str]) -> bool:
    """Whether a browser says that another site's page made it send this."""
    if headers.get(b"sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    if (origin := headers.get(b"origin")) is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get(b"host", "").lower()
    except ValueError:
        return True


def unasked(headers: Mapping[bytes, str]) -> bool:
    """Whether a browser sends this for a link, a picture or a form, and no script or program does. What a
    model writes can make a page of ours send these, and over plain http another site's page too."""
    if (wanted := headers.get(b"sec-fetch-dest")) is not None:
        return wanted not in ("empty", "websocket")
    accept = headers.get(b"accept", "")  # browsers say the other thing only where nobody listens in
    return "text/html" in accept or accept.startswith("image/")


def is_json(content_type: str) -> bool:
    """What a browser sends to another site only after asking; a form, or plain text, it sends unasked."""
    return _kind(content_type) == "application/json"


def is_form(content_type: str) -> bool:
    return _kind(content_type) == FORM


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _loopback(scope: Any) -> bool:
    """Whether it comes from this machine: a health check, say."""
    try:
        return ip_address(scope["client"][0]).is_loopback
    except (KeyError, TypeError, ValueError):
        return False


async def _answer(send: Any, scope: Any, status: int, text: str, *, close: bool = False) -> None:
    """`close`: the rest of what was sent is not waited for."""
    openai = chunks.error(text, kind_of(status), status) if scope["path"].startswith("/v1/") else None
    headers = [(b"connection", b"close")] if close else []
    await refuse(send, scope, status, text, body=openai, headers=headers)
