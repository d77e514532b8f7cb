"""For whoever watches the program: is it alive, and can it take a question.

    GET /healthz    GET /readyz

Neither tells anything about anybody's conversations, so everybody may ask.
"""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from chat.api.shapes import EVERYBODY, UNREADY, WELL
from chat.build import App
from chat.public import Public

SAVING = 1.0
"""Seconds that the store may take to save what is new."""

_HEADERS = {"Cache-Control": "no-store"}


class Health:
    def __init__(self, app: App) -> None:
        self._app = app
        self.router = APIRouter(tags=["operators"])
        for path, endpoint, answers in (("/healthz", self.alive, WELL), ("/readyz", self.ready, UNREADY)):
            self.router.add_api_route(
                path, endpoint, methods=["GET"], responses=answers, openapi_extra=EVERYBODY
            )
            self.router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)

    async def alive(self) -> JSONResponse:
        """That it answers at all."""
        return JSONResponse({"status": "ok"}, headers=_HEADERS)

    async def ready(self) -> JSONResponse:
        """Whether questions are taken, and what is said can be saved."""
        if self._app.runs.closed:
            why = "Runnel is shutting down."
        elif not await self._app.store.saved(SAVING):
            why = self._app.store.trouble or "Saving takes longer than it should."
        else:
            why = self._app.store.trouble
        if why:
            # Everybody may ask: where the database is stands in the log.
            return JSONResponse({"status": "unready", "error": Public().text(why)}, 503, _HEADERS)
        return JSONResponse({"status": "ok"}, headers=_HEADERS)
