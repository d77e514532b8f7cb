"""The streaming routes, each in a format that clients of such backends know, and runs by their id.

    POST /chat/stream[/{provider}]   GET /chat?q=      POST /api/message      POST /stream-chat
    GET /runs/{id}/events            POST /runs/{id}/stop

Who may ask is `callers`', what begins `asking`'s, and how a dialect is written its own.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError

from chat.api.asking import Reading, begin, find, resume
from chat.api.bodies import LONGEST_ADDRESSED, Ask, Choices, Key, MaybeAsk
from chat.api.callers import Caller, Refusal, asking, known
from chat.api.dialects import CHUNKS, CONTENTS, EVENTS, LINES, MARKED_LINES, TEXT, WHOLE, Dialect, dumps
from chat.api.reading import Route, invalid
from chat.api.shapes import CHUNKED, EVENT, LINE, OBJECTS, RESUMES, STOPPED, streamed
from chat.api.streams import HEADERS, Stream, delivered
from chat.build import App
from chat.sse import comment, encode

Id = Annotated[str, Path(max_length=64)]
Question = Annotated[
    str | None, Query(max_length=LONGEST_ADDRESSED, description="The question, if not in the body.")
]


class Routes:
    def __init__(self, app: App, heartbeat: float) -> None:
        self._app, self._heartbeat = app, heartbeat
        self.router = APIRouter(route_class=Route, tags=["chat"])
        objects, event = 'data: {"content": "Hel"}', 'event: text_delta\ndata: {"type": "text_delta", …}'
        for method, path, endpoint, data, example in (
            ("POST", "/chat/stream", self.stream, OBJECTS, objects),
            ("POST", "/chat/stream/{provider}", self.stream_of, OBJECTS, objects),
            ("POST", "/api/message", self.message, CHUNKED, 'data: {"chunk": "Hel"}'),
            ("POST", "/stream-chat", self.stream_chat, LINE, "data: Hel"),
            ("GET", "/chat", self.chat, LINE, "data: Hel"),
            ("GET", "/runs/{id}/events", self.events, EVENT, event),
        ):
            self.router.add_api_route(
                path,
                endpoint,
                methods=[method],
                response_class=Response,
                responses=streamed(data, example, only=method == "GET"),
                openapi_extra=RESUMES,
            )
        self.router.add_api_route(
            "/runs/{id}/stop", self.stop, methods=["POST"], responses=STOPPED, response_model=None
        )

    async def stream(
        self, request: Request, ask: MaybeAsk | None = None, message: Question = None
    ) -> Response:
        """Objects by what they bring: `thinking`, `content`, `function_result`, `error`; at last `done`."""
        question, choices = _either(ask, message)
        return await self._answer(request, CONTENTS, question, choices)

    async def stream_of(
        self,
        request: Request,
        provider: Annotated[str, Path(max_length=64)],
        ask: MaybeAsk | None = None,
        message: Question = None,
    ) -> Response:
        """The same, asked of this provider: `openai`, `anthropic`, or another of the menu."""
        question, choices = _either(ask, message)
        menu = self._app.catalogue.of(known(self._app, request).owner)
        if provider not in menu.vendors and "last-event-id" not in request.headers:
            return _unknown(asking(self._app, request), provider)
        model = choices.model or menu.default_of(provider)
        if not model.startswith(f"{provider}:"):
            model = f"{provider}:{model}"
        choices = choices.model_copy(update={"model": model})
        return await self._answer(request, CONTENTS, question, choices)

    async def message(self, request: Request, ask: Ask) -> Response:
        """Chunks of the answer, the JSON in it where there is any, and at its end the whole of it."""
        return await self._answer(request, CHUNKS, ask.message, ask)

    async def stream_chat(self, request: Request, ask: Ask) -> Response:
        """The text itself, a data line for each of its lines."""
        return await self._answer(request, LINES, ask.message, ask)

    async def chat(
        self,
        request: Request,
        q: Annotated[str, Query(min_length=1, max_length=LONGEST_ADDRESSED, examples=["Hello"])],
        model: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        conversation: Annotated[str | None, Query(max_length=64)] = None,
        key: Annotated[Key | None, Query()] = None,
    ) -> Response:
        """For `EventSource`: the text, then `[DONE]`. Its own reconnect goes on where it was."""
        choices = Choices.model_validate({"model": model, "conversation": conversation, "key": key})
        return await self._answer(request, MARKED_LINES, _asked(q), choices)

    async def events(self, request: Request, id: Id) -> Response:
        """Everything that happens in a run of yours, from its beginning or on from `Last-Event-ID`."""
        caller = known(self._app, request)
        reading = find(self._app, caller, id)
        if last := request.headers.get("last-event-id"):
            reading = resume(self._app, caller, last)
            if reading.run.id != id:
                raise Refusal(400, "Last-Event-ID names another answer than the address.", "bad_request")
        return self._streamed(reading, EVENTS, caller)

    async def stop(self, request: Request, id: Id) -> dict[str, str]:
        """Ends a run of yours, and frees its provider at once. One that is over stays as it is."""
        run = find(self._app, known(self._app, request), id).run
        run.stop()
        await run.finished()
        return {"run": run.id, "state": run.state}

    async def _answer(self, request: Request, dialect: Dialect, question: str, choices: Choices) -> Response:
        caller = asking(self._app, request)
        if not choices.stream:
            dialect = WHOLE
        elif request.method == "POST" and _plain(request):
            dialect = TEXT
        if last := request.headers.get("last-event-id"):
            return self._streamed(resume(self._app, caller, last), dialect, caller)
        return self._streamed(await begin(self._app, caller, question, choices), dialect, caller)

    def _streamed(self, reading: Reading, dialect: Dialect, caller: Caller) -> Response:
        headers = {**reading.headers, **caller.headers}
        if reading.after and delivered(reading.run, dialect, reading.after):
            # What makes an EventSource that did not understand the end stop asking.
            return Response(status_code=204, headers=headers)
        return Stream(reading.run, dialect, reading.after, headers=headers, heartbeat=self._heartbeat)


def _unknown(caller: Caller, provider: str) -> Response:
    """Told in an open stream, as the clients of this format expect it. Nothing was asked of anybody."""
    sentence = f"Unknown provider “{provider}”. The menu of the page lists whom you can ask."
    frames = dumps({"error": sentence, "kind": "config"}), dumps({"done": True}), "[DONE]"
    body = comment("ok") + b"".join(map(encode, frames))
    return Response(body, headers={**HEADERS, **caller.headers}, media_type="text/event-stream")


def _either(ask: MaybeAsk | None, message: str | None) -> tuple[str, Choices]:
    """Question and choices. The question of the body wins."""
    choices = ask or MaybeAsk.model_validate({})
    return _asked(choices.message if choices.message is not None else message or ""), choices


def _asked(question: str) -> str:
    try:
        return Ask.model_validate({"message": question}).message
    except ValidationError as error:
        raise invalid(error.errors()) from error


def _plain(request: Request) -> bool:
    """Whether the caller takes bare text and no events."""
    parts = request.headers.get("accept", "").lower().split(",")
    kinds = {part.partition(";")[0].strip() for part in parts}
    return "text/plain" in kinds and "text/event-stream" not in kinds
