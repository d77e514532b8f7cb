"""`/v1`: what OpenAI's clients, and the many that speak like them, ask of Runnel.

    POST /v1/chat/completions       GET /v1/models[/{model}]

Its clients decide by the status whether to ask again, so an answer's status is sent when the first word or
the failure is there, not before. A client that hangs up stops its answer. Errors have OpenAI's shape. The
tools that run are ours; a client's own are refused in a sentence. What a program asks here is not kept as a
chat unless it says so.
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from chat.api import chunks, shapes
from chat.api.asking import Reading, begin, resume
from chat.api.callers import Caller, Refusal, asking
from chat.api.completion_bodies import Completion
from chat.api.leaving import unless, watching
from chat.api.reading import Route
from chat.api.streams import Stream, delivered
from chat.build import App
from chat.errors import Fault
from chat.events import Delta, Terminal, ToolStarted
from chat.runs import Run

PATIENCE = 2.0
"""Seconds that the list of models may be waited for: it is being fetched when the program has just begun."""


class OpenAIRoute(Route):
    def refuse(self, refusal: Refusal) -> Response:
        body = chunks.error(refusal.sentence, refusal.kind, refusal.status, refusal.code)
        return JSONResponse(body, refusal.status, refusal.headers)


class Completions:
    def __init__(self, app: App, heartbeat: float) -> None:
        self._app, self._heartbeat = app, heartbeat
        self.router = APIRouter(route_class=OpenAIRoute, prefix="/v1", tags=["OpenAI"])
        self.router.add_api_route(
            "/chat/completions",
            self.complete,
            methods=["POST"],
            response_class=Response,
            responses=shapes.COMPLETION,
            openapi_extra=shapes.RESUMES,
        )
        for path, endpoint, answers in (
            ("/models", self.models, shapes.MODELS),
            ("/models/{model:path}", self.model, shapes.MODEL),
        ):
            self.router.add_api_route(path, endpoint, methods=["GET"], responses=answers, response_model=None)

    async def complete(self, request: Request, ask: Completion) -> Response:
        """As OpenAI's, streamed or not. Thinking comes as `reasoning_content`."""
        caller = asking(self._app, request)
        if last := request.headers.get("last-event-id"):
            reading = resume(self._app, caller, last)
        else:
            self._find(caller, ask.model)
            reading = await begin(
                self._app,
                caller,
                ask.question,
                ask.choices,
                history=ask.past,
                keep=ask.keep,
                # OpenAI's clients have no other way to stop an answer than to hang up.
                stops_when_left=True,
            )
        include_usage = bool(ask.stream_options and ask.stream_options.include_usage)
        return Answer(reading, caller, bool(ask.stream), include_usage, self._heartbeat)

    async def models(self, request: Request) -> dict[str, Any]:
        """The models of the menu."""
        return {"object": "list", "data": await self._models(request)}

    async def model(self, request: Request, model: Annotated[str, Path(max_length=200)]) -> dict[str, Any]:
        """One of them, by its id."""
        for each in await self._models(request):
            if each["id"] == model:
                return each
        raise _no_model(f"There is no model “{model}” in the menu.")

    def _find(self, caller: Caller, model: str | None) -> None:
        """Raises `Refusal` for a model that nobody here can be asked for."""
        menu = self._app.catalogue.of(caller.owner)
        try:
            menu.find(model or menu.default)
        except Fault as fault:
            raise _no_model(fault.message) from fault

    async def _models(self, request: Request) -> list[dict[str, Any]]:
        caller = asking(self._app, request)
        if (fetching := self._app.catalogue.refresh()) is not None:
            await asyncio.wait({fetching}, timeout=PATIENCE)
        return [
            {"id": name, "object": "model", "created": 0, "owned_by": name.partition(":")[0]}
            for name in self._app.catalogue.of(caller.owner).names()
        ]


def _no_model(sentence: str) -> Refusal:
    return Refusal(404, sentence, "not_found", code=chunks.NO_MODEL)


class Answer(Response):
    """The response that waits for the first word, or the failure, before it says its status."""

    def __init__(
        self, reading: Reading, caller: Caller, stream: bool, include_usage: bool, heartbeat: float
    ) -> None:
        super().__init__()
        self._reading, self._caller, self._heartbeat = reading, caller, heartbeat
        self._stream, self._include_usage = stream, include_usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        run = self._reading.run
        with run.reading():
            try:
                async with watching(receive) as leaving:
                    await unless(leaving, _begun(run) if self._stream else run.finished())
            except ClientDisconnect:
                return
            await self._response()(scope, receive, send)

    def _response(self) -> Response:
        run, after = self._reading.run, self._reading.after
        headers = {**self._reading.headers, **self._caller.headers}
        last = run.entries[-1].event
        problem = chunks.problem(last) if isinstance(last, Terminal) else None
        if problem is not None and not (self._stream and (after or _said(run))):
            refusal = Refusal(
                chunks.STATUS.get(problem.kind, 500), problem.message, problem.kind, problem.retry_after
            )
            return JSONResponse(chunks.failed(problem), refusal.status, {**refusal.headers, **headers})
        if not self._stream:
            return JSONResponse(chunks.completion(run), headers=headers)
        dialect = chunks.chunks(run, self._include_usage)
        if after and delivered(run, dialect, after):
            return Response(status_code=204, headers=headers)
        return Stream(run, dialect, after, headers=headers, heartbeat=self._heartbeat)


async def _begun(run: Run) -> None:
    """Until the provider has said something, or the run is over."""
    seen = 0
    while not _said(run, seen) and run.transcript.ended is None:
        seen = run.seq
        await run.wait(seen)


def _said(run: Run, after: int = 0) -> bool:
    new = (run.entries[n].event for n in range(after, len(run.entries)))
    return any(isinstance(event, Delta | ToolStarted) for event in new)
