"""Who is asking over HTTP, and how a request is refused before anything runs.

A caller is the owner whose cookie came along; with `Authorization: Bearer` and the settings' token, the
owner at this machine, whose chats are the terminal's too. On this machine alone, and without a token in the
settings, anybody else is a stranger of their own, and gets a cookie with the answer. Everywhere else: 401.
"""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request, WebSocket
from fastapi.responses import JSONResponse

from chat.api.bearer import bears
from chat.api.cookie import written
from chat.api.gate import FOREIGN, UNASKED, foreign, unasked
from chat.build import App
from chat.errors import Fault, Kind
from chat.owners import LOCAL

NOBODY = (
    "Runnel does not know who is asking. Send “Authorization: Bearer …” with the token that its operator "
    "set, or ask from the page itself."
)
NO_RUN = (
    "There is no such answer, or it was finished a while ago: what was said stands in its conversation. "
    "Ask again without an id to begin a new one."
)


class Refusal(Exception):
    """An answer other than 200, decided before a run begins. `retry_after` in seconds. `code`: OpenAI's word
    for it, at OpenAI's addresses."""

    def __init__(
        self, status: int, sentence: str, kind: Kind, retry_after: float | None = None, code: str = ""
    ) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.retry_after, self.code = status, sentence, retry_after, code
        self.kind: Kind = kind

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return headers

    @property
    def response(self) -> JSONResponse:
        return JSONResponse({"error": self.sentence, "kind": self.kind}, self.status, self.headers)


@dataclass(frozen=True, slots=True)
class Caller:
    owner: str
    """"" for nobody, who owns nothing."""
    headers: Mapping[str, str]
    """Of the answer: the cookie of somebody new."""
    address: str = ""
    """Where the request came from."""


def known(app: App, connection: Request | WebSocket) -> Caller:
    """Who is asking, for what belongs to somebody already."""
    if bears(app.settings.token, connection.headers.get("authorization", "")):
        return Caller(LOCAL, {})
    address = connection.client.host if connection.client is not None else ""
    return Caller(app.owners.of(connection.cookies), {}, address)


def asking(app: App, connection: Request | WebSocket) -> Caller:
    """Who is asking for something to begin. Raises `Refusal`."""
    headers = {name: value.decode("latin-1") for name, value in connection.headers.raw}
    if foreign(headers):
        raise Refusal(403, FOREIGN, "bad_request")
    caller, settings = known(app, connection), app.settings
    if unasked(headers) and not bears(settings.token, headers.get(b"authorization", "")):
        raise Refusal(403, UNASKED, "bad_request")
    if caller.owner:
        return caller
    # With logins, whoever gets here has been let in by `door`, and has an owner.
    if settings.token is not None or not settings.alone:
        raise Refusal(401, NOBODY, "auth")
    stranger, https = secrets.token_urlsafe(24), connection.url.scheme in ("https", "wss")
    cookie = written(app.owners, stranger, framed=settings.space, https=https)
    return Caller(stranger, {"Set-Cookie": cookie}, caller.address)


def refused(fault: Fault) -> Refusal:
    """What `fault`, which met a question before its run began, is over HTTP."""
    match fault.kind:
        case "rate_limited":
            return Refusal(429, fault.message, fault.kind, fault.retry_after or 10)
        case "shutdown":
            return Refusal(503, fault.message, fault.kind, fault.retry_after or 5)
        case "too_large":
            return Refusal(413, fault.message, fault.kind)
        case _:
            return Refusal(400, fault.message, fault.kind)
