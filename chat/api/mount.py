"""Puts the streaming routes on the app, and the OpenAPI document that describes them.

FastAPI's own HTML pages of that document stay off: they load scripts from elsewhere.
"""

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from chat.api.completions import Completions
from chat.api.embed import Embed
from chat.api.health import Health
from chat.api.routes import Routes
from chat.api.streams import HEARTBEAT
from chat.api.websocket import Line
from chat.build import App

ABOUT = (
    "The same answers as on the page, as a stream that any program can read. Frames carry `id: run/number`; "
    "the same request with the last one as `Last-Event-ID` goes on where it was, and asks no model again."
)


def mount(parent: FastAPI, app: App, *, heartbeat: float = HEARTBEAT) -> None:
    """Before the page is mounted: it takes every address that is left. `heartbeat`: seconds of silence."""
    routers: list[APIRouter] = [
        Routes(app, heartbeat).router,
        Completions(app, heartbeat).router,
        Health(app).router,
        Line(app).router,
        Embed(app).router,
    ]
    for router in routers:
        parent.include_router(router)

    @cache
    def document() -> dict[str, Any]:
        routes = [route for router in routers for route in router.routes]
        return get_openapi(title=app.settings.title, version="1", description=ABOUT, routes=routes)

    @parent.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return document()
