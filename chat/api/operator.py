"""The operator's browsers, where nobody logs in: which browser is one, and the end of them all.

    GET /login/me      POST /logout/everywhere

With logins, `chat.api.login` answers these addresses, for everybody. For the page's own script.
"""

import logging

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from chat.api.callers import NOBODY, Refusal, known
from chat.api.cookie import with_attributes
from chat.api.gate import FOREIGN, foreign
from chat.build import App
from chat.owners import LOCAL, Owners

log = logging.getLogger(__name__)

_HEADERS = {"Cache-Control": "no-store"}


def route(parent: FastAPI, app: App) -> None:
    """Before the page is mounted: it takes every address that is left."""

    async def me(request: Request) -> Response:
        """`{"name": "", "leaves": false, "operator": bool}`, as `chat.api.login` says it of people."""
        operator = known(app, request).owner == LOCAL
        return JSONResponse({"name": "", "leaves": False, "operator": operator}, headers=_HEADERS)

    async def sign_out_everywhere(request: Request) -> Response:
        if foreign({name: value.decode("latin-1") for name, value in request.headers.raw}):
            return Refusal(403, FOREIGN, "bad_request").response
        if known(app, request).owner != LOCAL:
            return Refusal(401, NOBODY, "auth").response
        sign_out_operator(app.owners)
        in_frame, https = app.settings.space, request.url.scheme == "https"
        gone = with_attributes(app.owners.name, "", 0, framed=in_frame, https=https)
        return Response(status_code=303, headers={**_HEADERS, "Location": "../", "Set-Cookie": gone})

    parent.add_api_route("/login/me", me, methods=["GET"], include_in_schema=False)
    parent.add_api_route("/logout/everywhere", sign_out_everywhere, methods=["POST"], include_in_schema=False)


def sign_out_operator(owners: Owners) -> None:
    """Ends every browser of the operator's, and writes to the log how to make one of them again."""
    key = owners.sign_out_operator()
    log.info("You signed out everywhere. To come back, open the page's address with /?key=%s", key)
