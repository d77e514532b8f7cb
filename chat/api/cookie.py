"""Gives each browser its cookie, with the page itself and with its configuration, and redeems the key.

Pure ASGI middleware, so that the page's first requests cannot race for it. Whoever calls the app
without the cookie owns nothing. What stands in the cookie, and which key is good, is `chat.owners`'
business. Whether the key was right or wrong, the browser is sent on to the address without it, so that
it stays in no history, bookmark or screenshot. A program asks for the configuration first (gradio_client),
and has no page; one that brings CHAT_TOKEN is the owner at this machine for all that is further in.
"""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

from chat.api.bearer import bears
from chat.owners import COOKIE, LOCAL, Owners
from chat.settings import Secret
from chat.sign_outs import MAX_SIGN_IN_AGE_S

YEAR = 365 * 24 * 3600
CONFIGURATION = "/config"

Scope = Any
Receive = Any
Send = Any


class Cookie:
    """ASGI middleware. `adopt(stranger, owner)` gives the one's chats to the other. `framed`: the page
    stands in another site's frame (a Space), over https. `door`: who comes is known already
    (`chat.api.door`), and only the owner at this machine has a cookie from here. `token`: CHAT_TOKEN."""

    def __init__(
        self,
        app: Any,
        *,
        owners: Owners,
        adopt: Callable[[str, str], Awaitable[None]],
        framed: bool = False,
        door: bool = False,
        token: Secret | None = None,
    ) -> None:
        self._app, self._owners, self._adopt = app, owners, adopt
        self._framed, self._door, self._token = framed, door, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and bears(self._token, _header(scope, b"authorization").decode("latin-1")):
            scope = with_owner(scope, self._owners, LOCAL)
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        owner = self._owners.of(cookies(scope))
        if redeems(scope) and (key := _key(scope)) is not None:
            await self._redeem(scope, send, owner, key)
            return

        async def send_with_cookie(message: Any) -> None:
            configured = scope["path"] == CONFIGURATION and not owner
            if message["type"] == "http.response.start" and (configured or _is_page(message)):
                headers = [*message.get("headers", ()), (b"cache-control", b"private, no-cache")]
                if owner != LOCAL and not self._door:
                    # Somebody known gets it again: its year begins anew. The operator's is not renewed.
                    headers.append(self._cookie(scope, owner))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_cookie)

    async def _redeem(self, scope: Scope, send: Send, owner: str, key: str) -> None:
        if _is_ahead(scope):  # a browser that looks ahead may throw away what it gets
            await _answer(send, HTTPStatus.SERVICE_UNAVAILABLE, "Not ahead of time.")
            return
        headers = [(b"location", _without_key(scope))]
        if self._owners.redeem(key):
            if owner and owner != LOCAL:
                await self._adopt(owner, LOCAL)  # what this browser asked before is not lost
            headers.append(self._cookie(scope, LOCAL))
        await _answer(send, HTTPStatus.SEE_OTHER, "", headers)

    def _cookie(self, scope: Scope, owner: str) -> tuple[bytes, bytes]:
        https = scope.get("scheme") == "https"
        return b"set-cookie", written(self._owners, owner, framed=self._framed, https=https).encode("ascii")


def written(owners: Owners, owner: str = "", *, framed: bool, https: bool) -> str:
    """The `Set-Cookie` header that gives it to `owner`, or to somebody new."""
    seconds = int(MAX_SIGN_IN_AGE_S) if owner == LOCAL else YEAR
    return with_attributes(owners.name, owners.cookie(owner), seconds, framed=framed, https=https)


def with_attributes(name: str, value: str, seconds: int, *, framed: bool, https: bool) -> str:
    """A `Set-Cookie` header of ours. 0 `seconds`: it is to be forgotten."""
    parts = [f"{name}={value}", "Path=/", f"Max-Age={seconds}", "HttpOnly"]
    if framed:
        # A Lax cookie is not sent from within another site's frame.
        parts += ["SameSite=None", "Secure", "Partitioned"]
    else:
        parts += ["SameSite=Lax", *(["Secure"] if https else [])]
    return "; ".join(parts)


def with_owner(scope: Scope, owners: Owners, owner: str, others: Iterable[str] = ()) -> Scope:
    """The request with the cookie of `owner`, and with no other one of ours, nor with those of `others`."""
    ours = (owners.name, COOKIE, *others)
    kept = [f"{name}={value}" for name, value in cookies(scope).items() if name not in ours]
    if owner:
        kept.append(f"{owners.name}={owners.cookie(owner)}")
    headers = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
    if kept:
        headers.append((b"cookie", "; ".join(kept).encode("latin-1")))
    return {**scope, "headers": headers}


def redeems(scope: Scope) -> bool:
    """Whether this opens the page with a key, right or wrong, in its address."""
    return scope["method"] == "GET" and scope["path"] == "/" and _key(scope) is not None and _opens(scope)


def cookies(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, equals, rest = part.strip().partition("=")
                if equals:
                    found[key] = rest
    return found


def _parts(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The query by its parts, as they came: each with its name."""
    parts = scope["query_string"].split(b"&")
    return [(part.partition(b"=")[0], part) for part in parts if part]


def _key(scope: Scope) -> str | None:
    keys = (part.partition(b"=")[2] for name, part in _parts(scope) if name == b"key")
    return next((key.decode("latin-1") for key in keys), None)


def _without_key(scope: Scope) -> bytes:
    """The same address, relative, so that it is right behind a proxy too."""
    kept = b"&".join(part for name, part in _parts(scope) if name != b"key")
    return b"./?" + kept if kept else b"./"


def _opens(scope: Scope) -> bool:
    """Whether the page is asked for to be looked at, as far as the browser says: no picture, no fetch."""
    return _header(scope, b"sec-fetch-dest") in (b"", b"document")


def _is_ahead(scope: Scope) -> bool:
    return any(b"prefetch" in _header(scope, name) for name in (b"sec-purpose", b"purpose", b"x-moz"))


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for other, value in scope["headers"] if other == name), b"")


def _is_page(message: Any) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/html")
        for name, value in message.get("headers", ())
    )


async def _answer(
    send: Send, status: HTTPStatus, text: str, more: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
