"""Gives each browser its cookie, with the page itself and only there.

Pure ASGI middleware, so that the page's first requests cannot race for it. Whoever calls the app
without the cookie owns nothing. What stands in the cookie is `chat.owners`' business.
"""

from typing import Any

from chat.owners import COOKIE, Owners

YEAR = 365 * 24 * 3600

Scope = Any
Receive = Any
Send = Any


class Cookie:
    """ASGI middleware. `framed`: the page stands in another site's frame (a Space), over https."""

    def __init__(self, app: Any, *, owners: Owners, framed: bool = False) -> None:
        self._app, self._owners, self._framed = app, owners, framed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or self._owners.of(_cookies(scope)):
            await self._app(scope, receive, send)
            return

        async def send_with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                cookie = (b"set-cookie", self._cookie(scope).encode("ascii"))
                message = {**message, "headers": [*message.get("headers", ()), cookie]}
            await send(message)

        await self._app(scope, receive, send_with_cookie)

    def _cookie(self, scope: Scope) -> str:
        parts = [f"{COOKIE}={self._owners.cookie()}", "Path=/", f"Max-Age={YEAR}", "HttpOnly"]
        if self._framed:
            # A Lax cookie is not sent from within another site's frame.
            parts += ["SameSite=None", "Secure", "Partitioned"]
        else:
            parts += ["SameSite=Lax", *(["Secure"] if scope.get("scheme") == "https" else [])]
        return "; ".join(parts)


def _cookies(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, equals, rest = part.strip().partition("=")
                if equals:
                    found[key] = rest
    return found


def _is_page(message: Any) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/html")
        for name, value in message.get("headers", ())
    )
