"""Plays a vendor's answer to a provider through the real SDK client and keeps what was asked and told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2

from chat.errors import Fault
from chat.events import KeepAlive, ReplyEvent, RequestSent, ResponseOpened
from chat.messages import Request
from chat.providers import Provider
from chat.providers.clients import Clients

WIRE = Path(__file__).parent.parent / "wire"


class Body(httpx2.AsyncByteStream):
    """Pieces of a body, then its end, or with `held` nothing for ever. Knows whether it was closed."""

    def __init__(self, pieces: Iterable[bytes], held: bool) -> None:
        self.pieces = list(pieces)
        self.held = held
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.held:
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed.set()


@dataclass
class Stage:
    """A vendor that answers every request with `pieces`. One SDK client serves all plays."""

    provider: Provider
    clients: Clients
    pieces: Sequence[bytes] = ()
    status: int = 200
    type: str = "text/event-stream"
    held: bool = False
    asked: list[httpx2.Request] = field(default_factory=list)
    body: Body | None = None

    @classmethod
    def of(cls, build: Callable[[Clients], Provider]) -> "Stage":
        async def answer(request: httpx2.Request) -> httpx2.Response:
            stage.asked.append(request)
            stage.body = Body(stage.pieces, stage.held)
            return httpx2.Response(stage.status, headers={"content-type": stage.type}, stream=stage.body)

        clients = Clients(transport=httpx2.MockTransport(answer))
        stage = cls(build(clients), clients)
        return stage

    async def play(
        self,
        pieces: bytes | Sequence[bytes],
        request: Request,
        *,
        status: int = 200,
        type: str = "text/event-stream",
        held: bool = False,
    ) -> tuple[list[ReplyEvent], Fault | None]:
        """The events of the reply without its opening and without keep-alives, and how it failed."""
        self.pieces = [pieces] if isinstance(pieces, bytes) else pieces
        self.status, self.type, self.held = status, type, held
        self.asked.clear()
        events: list[ReplyEvent] = []
        try:
            async with aclosing(self.provider.stream(request)) as stream:
                async for event in stream:
                    if not isinstance(event, RequestSent | ResponseOpened | KeepAlive):
                        events.append(event)  # noqa: PERF401 - what came before a failure is kept
        except Fault as fault:
            return events, fault
        return events, None

    @property
    def sent(self) -> dict[str, Any]:
        """The body of the only request, as the vendor got it."""
        (request,) = self.asked
        return json.loads(request.content)


def wire(name: str) -> bytes:
    return (WIRE / f"{name}.sse").read_bytes()


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    """`body` cut at `places`, in any order."""
    edges = [0, *sorted({p % len(body) for p in places} - {0}), len(body)]
    return [body[a:b] for a, b in pairwise(edges)]
