"""Puts the streaming routes on the app, and the OpenAPI document that describes them.

FastAPI's own HTML pages of that document stay off: they load scripts from elsewhere.
"""

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI

from chat.api.completions import Completions
from chat.api.document import document
from chat.api.embed import Embed
from chat.api.health import Health
from chat.api.otherwise import refusing
from chat.api.routes import Routes
from chat.api.streams import HEARTBEAT
from chat.api.websocket import Line
from chat.build import App


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
    routes = [route for router in routers for route in router.routes]
    parent.router.routes += refusing(routes)

    @cache
    def described() -> dict[str, Any]:
        return document(app.settings.title, routes)

    @parent.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return described()
