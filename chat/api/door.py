"""With logins: finds out who asks, before page, Gradio's routes, HTTP routes, WebSocket and /v1 alike.

Pure ASGI, just inside the gate; app.py mounts it when the settings name users or a login header. Whoever it
lets in comes to the rest with the cookie of their owner, made here for this one request and never given out,
so that nothing further in need know how somebody said who they are. A stranger's cookie from before is not
believed. Who may log in is `chat.logins`' business; the form, and what signs out, `login`'s.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from chat.api.bearer import bears
from chat.api.chunks import error
from chat.api.cookie import cookies, redeems, with_owner
from chat.api.login import PATHS, Login, Visitor, answer
from chat.api.proxies import BELIEVED
from chat.errors import Kind, RateLimited
from chat.logins import Logins, name_of
from chat.owners import LOCAL, Owners, person
from chat.settings import Settings

OPEN = (
    "/healthz",
    "/readyz",
    "/static/fonts/IBMPlexSans/IBMPlexSans-Regular.woff2",
    "/static/fonts/IBMPlexSans/IBMPlexSans-Bold.woff2",
)
"""What everybody may ask: how the server is, and the typeface of the login page. Gradio has its files."""

NOBODY = (
    "Runnel does not know who is asking. Send your name and password as “Authorization: Basic …”, "
    "or the token that its operator set as “Authorization: Bearer …”."
)
ELSEWHERE = "Runnel does not know who is asking: it is to be reached through the proxy that people log in at."


class Door:
    def __init__(self, app: Any, *, settings: Settings, owners: Owners, logins: Logins) -> None:
        self._app, self._settings, self._owners, self._logins = app, settings, owners, logins
        self._login = Login(settings, owners, logins)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        if scope["type"] == "http" and redeems(scope):
            # The printed key is looked at further in, as that of somebody who has no chats to bring along.
            await self._app(self._as(scope, ""), receive, send)
            return
        late: RateLimited | None = None
        visitor = None
        try:
            visitor = await self._visitor(scope)
        except RateLimited as fault:
            late = fault
        if scope["type"] == "http" and scope["path"] in PATHS:
            await self._login(scope, receive, send, visitor, _address(scope))
        elif visitor is not None:
            send = self._login.renewing(scope, visitor, send)
            await self._app(self._as(scope, visitor.owner), receive, send)
        else:
            await self._refuse(scope, send, late)

    async def _visitor(self, scope: Any) -> Visitor | None:
        """Raises `RateLimited` for a program that had the password wrong too often."""
        authorization = _values(scope, b"authorization")
        if any(bears(self._settings.token, each) for each in authorization):
            return Visitor(LOCAL)
        if named := self._named(scope):
            # The proxy's word goes before what the browser has kept: its next person may sit there now.
            [name] = [name_of(each) for each in named] if len(named) == 1 else [""]
            return Visitor(person(name), name) if name else None
        sent = cookies(scope)
        if self._owners.of(sent) == LOCAL:
            return Visitor(LOCAL)
        if name := self._logins.of(sent.get(self._logins.name, "")):
            return Visitor(person(name), name, leaves=True)
        # Last: what a browser tells a proxy in front, with every request, is no guess at a password of ours.
        if (basic := _basic(authorization)) and self._logins.any:
            known = sent.get(self._logins.known, "")
            if name := await self._logins.check(*basic, _address(scope), known):
                return Visitor(person(name), name)
        return None

    def _named(self, scope: Any) -> list[str]:
        """The values of the login header, where it is to be believed."""
        header = self._settings.login_header.encode()
        if not header or not scope.get(BELIEVED):
            return []
        raw = [value for name, value in scope["headers"] if name == header and value.strip()]
        # What is no UTF-8 has a character that no name may have.
        return [value.decode("utf-8", "replace").replace("\ufffd", "\0") for value in raw]

    def _as(self, scope: Any, owner: str) -> Any:
        """The request with the cookie of `owner`, and with no other one of ours."""
        return with_owner(scope, self._owners, owner, (self._logins.name, self._logins.known))

    async def _refuse(self, scope: Any, send: Any, late: RateLimited | None) -> None:
        status, kind, sentence = 401, "auth", NOBODY if self._logins.any else ELSEWHERE
        if late is not None:
            status, kind, sentence = 429, "rate_limited", late.message
        socket = scope["type"] == "websocket"
        if not socket and late is None and _looks(scope):
            await answer(send, 303, [("location", _to_login(scope))])
            return
        if socket and "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        body: dict[str, Any] = {"error": sentence, "kind": kind}
        if scope["path"].startswith("/v1/"):
            body = error(sentence, _KINDS[status], status)
        headers = [("content-type", "application/json")]
        if late is not None:
            headers.append(("retry-after", str(round(late.retry_after or 60))))
        else:
            headers.append(("www-authenticate", "Bearer"))
            if self._logins.any and not _browser(scope):
                # For this one a browser would open a window of its own.
                headers.append(("www-authenticate", 'Basic realm="Runnel", charset="UTF-8"'))
        await answer(send, status, headers, json.dumps(body), "websocket." if socket else "")


_KINDS: dict[int, Kind] = {401: "auth", 429: "rate_limited"}


def _looks(scope: Any) -> bool:
    """Whether somebody is to see the answer as a page."""
    if scope["method"] not in ("GET", "HEAD"):
        return False
    [*where] = _values(scope, b"sec-fetch-dest")
    if where:
        return where[0] in ("document", "iframe", "frame")
    return any("text/html" in each for each in _values(scope, b"accept"))


def _browser(scope: Any) -> bool:
    """Over plain http to another machine browsers send no Sec-Fetch headers."""
    agents = _values(scope, b"user-agent")
    return bool(_values(scope, b"sec-fetch-mode")) or any(each.startswith("Mozilla/") for each in agents)


def _to_login(scope: Any) -> str:
    """Relative, so that it is right behind a proxy too."""
    asked = quote(scope["path"]).lstrip("/")
    if scope["query_string"]:
        asked += "?" + scope["query_string"].decode("latin-1")
    up = "../" * (scope["path"].count("/") - 1) or "./"
    return f"{up}login?next={quote(asked, safe='')}" if asked else f"{up}login"


def _basic(authorization: Iterable[str]) -> tuple[str, str] | None:
    """Name and password of RFC 7617."""
    for each in authorization:
        scheme, _, encoded = each.partition(" ")
        if scheme.lower() != "basic":
            continue
        try:
            name, colon, password = base64.b64decode(encoded.strip()).decode().partition(":")
        except (UnicodeDecodeError, binascii.Error, ValueError):
            return None
        return (name, password) if colon else None
    return None


def _address(scope: Any) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _values(scope: Any, header: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]
