"""The page that people log in on, and what signs them out; `door` calls it for these addresses.

    GET /login?next=    POST /login, a form    POST /logout    POST /logout/everywhere
    GET /login/me, who it is, for the sidebar

The one body that is no JSON: the page needs no script. That no other site's page sends it, `gate` sees to.
Wherever somebody goes on to afterwards is an address of ours, written as relative to this one.
"""

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs, quote

from chat.api.cookie import YEAR, cookies, with_attributes
from chat.api.gate import is_form
from chat.api.operator import sign_out_operator
from chat.errors import RateLimited
from chat.logins import LASTS, LONGEST_NAME, Logins
from chat.owners import LOCAL, Owners
from chat.settings import Settings

PATHS = ("/login", "/logout", "/logout/everywhere", "/login/me")
LONGEST = 20_000
"""Bytes of a form."""

WRONG = "Name or password is wrong. Look at capital letters, and try again."
ASK = "Sign in to see your chats."
ELSEWHERE = "People sign in at the proxy in front of it. Open it through that, at its usual address."


@dataclass(frozen=True, slots=True)
class Visitor:
    owner: str
    name: str = ""
    """As the sidebar shows it; "" for the owner at this machine."""
    leaves: bool = False
    """Whether there is something to sign out of."""


class Login:
    def __init__(self, settings: Settings, owners: Owners, logins: Logins) -> None:
        self._title, self._owners, self._logins = settings.title, owners, logins
        self._framed = settings.space

    async def __call__(
        self, scope: Any, receive: Any, send: Any, visitor: Visitor | None, address: str
    ) -> None:
        """`address`: that the request comes from, as passwords are counted by it."""
        match scope["path"], scope["method"]:
            case "/login", "GET" | "HEAD":
                query = parse_qs(scope["query_string"].decode("latin-1"))
                onward = _ours(query.get("next", [""])[0])
                if visitor is not None:
                    await answer(send, 303, [("location", onward)])
                else:
                    await self._show(send, onward)
            case "/login", "POST":
                await self._enter(scope, receive, send, address)
            case "/logout", "POST":
                self._logins.end(cookies(scope).get(self._logins.name, ""))
                gone = self._cookie(scope, self._logins.name, "", 0)
                await answer(send, 303, [("location", "./login"), gone])
            case "/logout/everywhere", "POST":
                if visitor is not None and visitor.owner == LOCAL:
                    sign_out_operator(self._owners)
                elif visitor is not None and visitor.leaves:
                    self._logins.end_all(visitor.name)
                gone = [self._cookie(scope, name, "", 0) for name in (self._logins.name, self._owners.name)]
                await answer(send, 303, [("location", "../login"), *gone])
            case "/login/me", "GET" if visitor is not None:
                operator = visitor.owner == LOCAL
                me = {"name": visitor.name, "leaves": visitor.leaves, "operator": operator}
                await answer(send, 200, _JSON, json.dumps(me))
            case "/login/me", "GET":
                headers = [*_JSON, ("www-authenticate", "Bearer")]
                await answer(send, 401, headers, _error("Not signed in.", "auth"))
            case _, method:
                await answer(send, 405, _JSON, _error(f"There is no {method} here.", "bad_request"))

    def renewing(self, scope: Any, visitor: Visitor, send: Any) -> Any:
        """A `send` that gives a page the cookie of this login anew: it ends only after a long absence."""
        kept = cookies(scope).get(self._logins.name, "")
        if not visitor.leaves or not (value := self._logins.renewed(kept)):
            return send

        async def with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start" and any(
                name.lower() == b"content-type" and kind.startswith(b"text/html")
                for name, kind in message.get("headers", ())
            ):
                name, cookie = self._cookie(scope, self._logins.name, value, LASTS)
                pair = (name.encode(), cookie.encode())
                message = {**message, "headers": [*message.get("headers", ()), pair]}
            await send(message)

        return with_cookie

    async def _enter(self, scope: Any, receive: Any, send: Any, address: str) -> None:
        kinds = [value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"]
        if not kinds or not is_form(kinds[0]):
            await answer(send, 415, _JSON, _error("A login is sent as a form.", "bad_request"))
            return
        if (fields := await _form(receive)) is None:
            await answer(send, 413, _JSON, _error("That is more than a name and a password.", "too_large"))
            return
        name, password = fields.get("name", ""), fields.get("password", "")
        onward = _ours(fields.get("next", ""))
        known = cookies(scope).get(self._logins.known, "")
        try:
            person = await self._logins.check(name, password, address, known)
        except RateLimited as fault:
            wait = ("retry-after", str(round(fault.retry_after or 60)))
            await self._show(send, onward, name, fault.message, 429, [wait])
            return
        if not person:
            await self._show(send, onward, name, WRONG, 401)
            return
        login, browser = self._logins.login(person)
        await answer(
            send,
            303,
            [
                ("location", onward),
                self._cookie(scope, self._logins.name, login, LASTS),
                self._cookie(scope, self._logins.known, browser, YEAR),
                # The owner at this machine, or a stranger of the time before, is here no more.
                self._cookie(scope, self._owners.name, "", 0),
            ],
        )

    def _cookie(self, scope: Any, name: str, value: str, seconds: int) -> tuple[str, str]:
        https = scope.get("scheme") == "https"
        return "set-cookie", with_attributes(name, value, seconds, framed=self._framed, https=https)

    async def _show(
        self,
        send: Any,
        onward: str,
        name: str = "",
        trouble: str = "",
        status: int = 200,
        more: Iterable[tuple[str, str]] = (),
    ) -> None:
        form = ""
        if self._logins.any:
            form = _template("login_form").substitute(
                next=html.escape(onward.removeprefix("./")),
                name=html.escape(name[:LONGEST_NAME]),
                trouble=f'<p id="trouble" role="alert">{html.escape(trouble)}</p>' if trouble else "",
                described='aria-describedby="trouble"' if trouble else "",
                focus_name="" if name else "autofocus",
                focus_password="autofocus" if name else "",
            )
        about = ASK if self._logins.any else ELSEWHERE
        page = _template("login").substitute(title=html.escape(self._title), about=about, form=form)
        await answer(send, status, [("content-type", "text/html; charset=utf-8"), *more], page)


_JSON = [("content-type", "application/json")]


def _error(sentence: str, kind: str) -> str:
    return json.dumps({"error": sentence, "kind": kind})


@cache
def _template(name: str) -> Template:
    return Template((Path(__file__).parent / f"{name}.html").read_text("utf-8"))


def _ours(address: str) -> str:
    """`address` as one below ours, whatever it says. Relative, so that it names no other host."""
    return "./" + quote(address.lstrip("/\\").encode(errors="replace"), safe="/?=&%-._~!$'()*+,;:@")


async def _form(receive: Any) -> dict[str, str] | None:
    """The fields, the last of each name. None for too much, or when its sender has gone."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or len(body) > LONGEST:
            return None
        more = message.get("more_body", False)
    try:
        found = parse_qs(body.decode("latin-1"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return None
    return {name: values[-1] for name, values in found.items()}


async def answer(
    send: Any, status: int, headers: Iterable[tuple[str, str]], body: str = "", prefix: str = ""
) -> None:
    """`prefix`: `websocket.` for the answer to one that is not opened."""
    content = body.encode()
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    pairs += [(b"content-length", b"%d" % len(content)), (b"cache-control", b"no-store")]
    await send({"type": f"{prefix}http.response.start", "status": status, "headers": pairs})
    await send({"type": f"{prefix}http.response.body", "body": content})
