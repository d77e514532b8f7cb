"""`/keys`: the keys that a person brings for this server to use: which vendors have one; bring one; forget
one.

    GET /keys       PUT /keys/{vendor}  {"key": text}       DELETE /keys/{vendor}

For the page's own script (`chat.ui`), from this site and with the owner's cookie: no program's token brings a
key. A key goes in and never comes out again, not its end, not in an error. `chat.wallet` tries and holds it.
"""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from chat.api.callers import Refusal
from chat.api.gate import FOREIGN, foreign, is_json
from chat.api.json_bodies import parsed
from chat.build import App
from chat.errors import Fault
from chat.limits import network_of
from chat.wallet import Own

_HEADERS = {"Cache-Control": "no-store"}
STRANGER = (
    "This page cannot tell you from others, because your browser sent no cookie. "
    "Allow cookies for this address and load the page again."
)
BEARER = "Keys are brought on the page. A program that has the token asks with the keys of the settings."


def route(parent: FastAPI, app: App) -> None:
    """Before the page is mounted: it takes every address that is left."""
    routes = _Routes(app)
    for method, path, endpoint in (
        ("GET", "/keys", routes.show),
        ("PUT", "/keys/{vendor}", routes.bring),
        ("DELETE", "/keys/{vendor}", routes.forget),
    ):
        parent.add_api_route(path, endpoint, methods=[method], include_in_schema=False)


class _Routes:
    def __init__(self, app: App) -> None:
        self._app = app

    async def show(self, request: Request) -> Response:
        """`{"vendors": [{name, title, own, works, models}]}`, in the menu's order. `own`: there is a key of
        the asker's; `works`: whether the vendor took it, null when nobody knows."""
        try:
            owner = self._owner(request)
        except Refusal as refusal:
            return refusal.response
        wallet, offered = self._app.wallet, self._app.settings.models
        own = wallet.of(owner)
        vendors = [
            {"name": name, "title": vendor.title, **_shown(own.get(name))}
            for name, vendor in wallet.vendors.items()
            if wallet.takes(name) and (not offered or name in own or self._offers(name))
        ]
        return JSONResponse({"vendors": vendors}, headers=_HEADERS)

    async def bring(self, vendor: str, request: Request) -> Response:
        """As a vendor of `show`, with a `sentence` and the `model` to ask then."""
        try:
            owner = self._owner(request)
            here = request.client.host if request.client is not None else ""
            network = network_of(self._app.settings, owner, here)
            own = await self._app.wallet.bring(owner, vendor, await _key(request), network)
        except Refusal as refusal:
            return refusal.response
        except Fault as fault:
            return _refused(fault).response
        model = self._app.catalogue.of(owner).default_of(vendor)
        told = {"name": vendor, "title": own.vendor.title, **_shown(own)}
        return JSONResponse({**told, "sentence": own.sentence, "model": model}, headers=_HEADERS)

    async def forget(self, vendor: str, request: Request) -> Response:
        """`model`: what the asker would be asking now by default."""
        try:
            owner = self._owner(request)
        except Refusal as refusal:
            return refusal.response
        self._app.wallet.forget(owner, vendor)
        return JSONResponse({"model": self._app.catalogue.of(owner).default}, headers=_HEADERS)

    def _offers(self, vendor: str) -> bool:
        """Whether a model of `vendor` may be among those that the settings offer: some lack their vendor."""
        names = (name.partition(":")[::2] for name in self._app.settings.models)
        return any(not model or before.startswith(vendor) for before, model in names)

    def _owner(self, request: Request) -> str:
        if foreign({name: value.decode("latin-1") for name, value in request.headers.raw}):
            raise Refusal(403, FOREIGN, "bad_request")
        if request.headers.get("authorization", "").lower().startswith("bearer"):
            raise Refusal(403, BEARER, "bad_request")
        if not (owner := self._app.owners.of(request.cookies)):
            raise Refusal(401, STRANGER, "auth")
        return owner


def _shown(own: Own | None) -> dict[str, Any]:
    if own is None:
        return {"own": False, "works": None, "models": 0}
    return {"own": True, "works": own.works, "models": len(own.models)}


async def _key(request: Request) -> str:
    if not is_json(request.headers.get("content-type", "")):
        raise Refusal(415, "The body is to be sent as application/json.", "bad_request")
    try:
        body = parsed(await request.body())
    except ValueError:
        body = None
    key = body.get("key") if isinstance(body, dict) else None
    if not isinstance(key, str):
        raise Refusal(422, 'The body is to be JSON like {"key": "…"}.', "bad_request")
    return key.strip()


def _refused(fault: Fault) -> Refusal:
    match fault.kind:
        case "not_found":
            return Refusal(404, fault.message, fault.kind)
        case "rate_limited":
            return Refusal(429, fault.message, fault.kind, fault.retry_after or 10)
        case _:
            return Refusal(422, fault.message, fault.kind)
