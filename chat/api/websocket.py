"""WebSocket `/chat/ws`: the events of a run as JSON, for a client that wants to say stop on the same line.

The client's first message is a question, with the fields that `POST /chat/stream` takes, or
`{"resume": "run/number"}`. Then it hears `{"type": "opened", "run", "conversation"}` and every event, each
with its `id`; after the last one the line is closed (1000). It may send `{"stop": true}` meanwhile. What is
refused is told as `{"error", "kind"}` before the line is closed (1008).
"""

import asyncio
from contextlib import aclosing, suppress
from typing import Annotated, Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chat.api.asking import Reading, begin, resume
from chat.api.bodies import Ask
from chat.api.callers import Caller, Refusal, asking
from chat.api.dialects import dumps
from chat.api.gate import SOCKET
from chat.api.json_bodies import parsed
from chat.api.reading import BROKEN, invalid
from chat.build import App
from chat.events import Opaque, to_dict
from chat.runs import Run

PATIENCE = 30.0
"""Seconds for the first message. A line that nobody uses is closed."""

OVER, REFUSED = 1000, 1008
"""Codes of the close, of RFC 6455: all was said; what was sent is against the rules here."""


class Resume(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    resume: Annotated[str, Field(max_length=100)]


class Line:
    def __init__(self, app: App, patience: float = PATIENCE) -> None:
        self._app, self._patience = app, patience
        self.router = APIRouter()
        self.router.add_api_websocket_route(SOCKET, self.serve)

    async def serve(self, line: WebSocket) -> None:
        try:
            caller = asking(self._app, line)
        except Refusal as refusal:
            await line.send_denial_response(refusal.response)
            return
        cookie = {name.lower().encode(): value.encode() for name, value in caller.headers.items()}
        await line.accept(headers=list(cookie.items()))
        try:
            reading = await self._asked(line, caller)
            run, chat = reading.run, reading.conversation
            with run.reading():  # from the first word on: its reader may be gone by then
                await line.send_text(dumps({"type": "opened", "run": run.id, "conversation": chat.id}))
                await _talk(line, reading)
            await line.close(OVER)
        except Refusal as refusal:
            with suppress(WebSocketDisconnect):
                await line.send_text(dumps({"error": refusal.sentence, "kind": refusal.kind}))
                await line.close(REFUSED)
        except WebSocketDisconnect:
            pass  # its reader has left; what becomes of the run is the settings' business

    async def _asked(self, line: WebSocket, caller: Caller) -> Reading:
        try:
            async with asyncio.timeout(self._patience):
                sent = _value(await line.receive())
        except TimeoutError as error:
            why = f"No question came within {self._patience:g} seconds."
            raise Refusal(400, why, "bad_request") from error
        try:
            if isinstance(sent, dict) and "resume" in sent:
                return resume(self._app, caller, Resume.model_validate(sent).resume)
            ask = Ask.model_validate(sent)
        except ValidationError as error:
            raise invalid(error.errors()) from error
        return await begin(self._app, caller, ask.message, ask)


async def _talk(line: WebSocket, reading: Reading) -> None:
    """Tells all that happens while it listens for a stop. Raises `WebSocketDisconnect`."""
    telling = asyncio.create_task(_tell(line, reading.run, reading.after))
    listening = asyncio.create_task(_listen(line, reading.run))
    try:
        await asyncio.wait({telling, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, listening):
            task.cancel()
        await asyncio.gather(telling, listening, return_exceptions=True)
    for task in (telling, listening):
        if not task.cancelled():
            task.result()


async def _tell(line: WebSocket, run: Run, after: int) -> None:
    async with aclosing(run.follow(after)) as batches:
        async for entries in batches:
            for entry in entries:
                if not isinstance(entry.event, Opaque):
                    await line.send_text(dumps({"id": f"{run.id}/{entry.seq}", **to_dict(entry.event)}))


async def _listen(line: WebSocket, run: Run) -> None:
    """Until the client leaves. What is not a stop is left aside."""
    while True:
        try:
            sent = _value(await line.receive())
        except Refusal:
            continue
        if isinstance(sent, dict) and sent.get("stop") is True:
            run.stop()


def _value(message: Any) -> Any:
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    try:
        return parsed(message["bytes"] if text is None else text)
    except ValueError as error:
        raise Refusal(400, BROKEN, "bad_request") from error
