"""`/v1`: what OpenAI's clients, and the many that speak like them, ask of Runnel.

    POST /v1/chat/completions       GET /v1/models

Its clients decide by the status whether to ask again, so an answer's status is sent when the first word or
the failure is there, not before. Errors have OpenAI's shape. The tools that run are ours; a client's own
are refused in a sentence.
"""

import asyncio
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.types import Receive, Scope, Send

from chat.api import chunks
from chat.api.asking import Reading, begin, resume
from chat.api.bodies import DEEPEST, LONGEST, Choices
from chat.api.callers import Caller, Refusal, asking
from chat.api.dialects import failure
from chat.api.reading import Route
from chat.api.streams import Stream, delivered
from chat.build import App
from chat.events import Delta, Terminal, ToolStarted
from chat.messages import Assistant, Message, Text, User
from chat.runs import Run

PATIENCE = 2.0
"""Seconds that the list of models may be waited for: it is being fetched when the program has just begun."""

_OTHER_TOOLS = (
    "Runnel runs its own tools and none of yours: leave `{}` out, or switch ours off with tool_choice none."
)
_ONE_TEXT = (
    "A message's content is a text, or a list of parts of type text: Runnel takes no pictures or files."
)


class Part(BaseModel):
    type: str
    text: Annotated[str, Field(max_length=LONGEST)] = ""


class Spoken(BaseModel):
    """A message. Fields that are not read, such as `name`, may be there."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[str, Field(max_length=LONGEST)] | list[Part] | None = None

    @property
    def text(self) -> str:
        match self.content:
            case None:
                return ""
            case str(text):
                return text
            case parts:
                return "\n".join(part.text for part in parts)

    @model_validator(mode="after")
    def _ours(self) -> Self:
        if self.role in ("tool", "function"):
            raise ValueError("Runnel runs tools itself, so it takes no results of yours")
        if isinstance(self.content, list) and any(part.type != "text" for part in self.content):
            raise ValueError(_ONE_TEXT.rstrip("."))
        return self


class StreamOptions(BaseModel):
    include_usage: bool = False


class Completion(BaseModel):
    """What is asked. Parameters that would change what an answer is, and cannot be kept, are refused;
    the rest of OpenAI's (`top_p`, `seed`, `user` …) is left aside."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "demo:tour", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
            ]
        }
    )

    messages: Annotated[list[Spoken], Field(min_length=1, max_length=DEEPEST)]
    model: Annotated[str, Field(max_length=200)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    reasoning_effort: Annotated[str, Field(max_length=20)] | None = None
    n: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    tool_choice: Any = None
    stop: Any = None
    response_format: Any = None
    logprobs: bool | None = None
    modalities: list[Any] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("tools", "functions"):
            if getattr(self, name):
                raise ValueError(_OTHER_TOOLS.format(name).rstrip("."))
        if self.tool_choice not in (None, "auto", "none"):
            raise ValueError("`tool_choice` is «auto» or «none» here")
        if self.n not in (None, 1):
            raise ValueError("there is one answer to a question here: leave `n` out")
        for name, nothing in (
            ("stop", (None, [], "")),
            ("logprobs", (None, False)),
            ("modalities", (None, ["text"])),
        ):
            if getattr(self, name) not in nothing:
                raise ValueError(f"`{name}` cannot be had here: leave it out")
        if self.response_format not in (None, {"type": "text"}):
            raise ValueError("`response_format` cannot be had here: leave it out, and ask for JSON in words")
        if self.messages[-1].role != "user" or not self.messages[-1].text.strip():
            raise ValueError("the last message is to be the user's question")
        return self

    @property
    def choices(self) -> Choices:
        system = [said.text for said in self.messages if said.role in ("system", "developer")]
        return Choices.model_validate(
            {
                "model": self.model or None,
                "temperature": self.temperature,
                "max_tokens": self.max_completion_tokens or self.max_tokens,
                "effort": self.reasoning_effort,
                "tools": self.tool_choice != "none",
            }
        ).model_copy(update={"system": "\n\n".join(system) if system else None})

    @property
    def past(self) -> tuple[Message, ...]:
        said = [each for each in self.messages[:-1] if each.role in ("user", "assistant") and each.text]
        return tuple(User(s.text) if s.role == "user" else Assistant((Text(s.text),)) for s in said)


class OpenAIRoute(Route):
    def refuse(self, refusal: Refusal) -> Response:
        body = chunks.error(refusal.sentence, refusal.kind, refusal.status)
        return JSONResponse(body, refusal.status, refusal.headers)


class Completions:
    def __init__(self, app: App, heartbeat: float) -> None:
        self._app, self._heartbeat = app, heartbeat
        self.router = APIRouter(route_class=OpenAIRoute, prefix="/v1", tags=["OpenAI"])
        chunk = {"text/event-stream": {"schema": {"type": "string"}}, "application/json": {}}
        errors: dict[int | str, dict[str, Any]] = {
            status: {"description": "An error in OpenAI's shape.", "content": {"application/json": {}}}
            for status in (400, 401, 403, 404, 413, 415, 422, 429, 500, 502, 503, 504)
        }
        self.router.add_api_route(
            "/chat/completions",
            self.complete,
            methods=["POST"],
            response_class=Response,
            responses={
                200: {"description": "The answer.", "content": chunk},
                204: {"description": "All of it was delivered."},
                **errors,
            },
        )
        self.router.add_api_route("/models", self.models, methods=["GET"], responses=errors)

    async def complete(self, request: Request, ask: Completion) -> Response:
        """As OpenAI's, streamed or not. Thinking comes as `reasoning_content`."""
        caller = asking(self._app, request)
        if last := request.headers.get("last-event-id"):
            reading = resume(self._app, caller, last)
        else:
            question = ask.messages[-1].text
            reading = await begin(self._app, caller, question, ask.choices, history=ask.past)
        include_usage = ask.stream_options is not None and ask.stream_options.include_usage
        return Answer(reading, caller, bool(ask.stream), include_usage, self._heartbeat)

    async def models(self, request: Request) -> dict[str, Any]:
        """The models of the menu."""
        asking(self._app, request)
        if (fetching := self._app.catalogue.refresh()) is not None:
            await asyncio.wait({fetching}, timeout=PATIENCE)
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": name.partition(":")[0]}
            for name in self._app.catalogue.names()
        ]
        return {"object": "list", "data": data}


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
            ready = asyncio.create_task(_begun(run) if self._stream else run.finished())
            gone = asyncio.create_task(_gone(receive))
            try:
                await asyncio.wait({ready, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (ready, gone):
                    task.cancel()
                await asyncio.gather(ready, gone, return_exceptions=True)
            if not ready.cancelled():
                await self._response()(scope, receive, send)

    def _response(self) -> Response:
        run, after = self._reading.run, self._reading.after
        headers = {**self._reading.headers, **self._caller.headers}
        last = run.entries[-1].event
        problem = failure(last) if isinstance(last, Terminal) else None
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
    while not _said(run) and run.transcript.ended is None:
        await run.wait(run.seq)


def _said(run: Run) -> bool:
    return any(isinstance(entry.event, Delta | ToolStarted) for entry in run.entries)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
