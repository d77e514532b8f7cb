"""The sockets of the upstream: HTTP/1.1 by hand, who asked what, and when a client left.

By hand, because the faults are about bytes: a reset, a body that ends too early, one byte at a time.
What to play is read from the model's name (`scenario`); `play` plays it. The list of models is there for
every key but one with `refused` in it.
"""

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.upstream import scenario
from tests.upstream.dialects import DIALECTS
from tests.upstream.play import Play, Recorded, Wire


class Upstream:
    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.requests: list[Recorded] = []
        self.connections: set[asyncio.StreamWriter] = set()
        """The sockets that are open now."""
        self._seen: dict[str, int] = {}
        self._arrived = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in (tasks := tuple(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def request(self, number: int = 0) -> Recorded:
        """Request `number` (from 0) to a protocol's path, as soon as it is there."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.replies) > number)
        return self.replies[number]

    @property
    def replies(self) -> list[Recorded]:
        """Those that asked for a reply, not for models."""
        return [request for request in self.requests if request.path in DIALECTS]

    # -- one connection

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections.add(writer)
        try:
            while (request := await self._read(reader)) and await self._answer(request, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass  # only `__aexit__` cancels; a cancelled handler would be reported as an error
        finally:
            self._tasks.discard(task)
            self.connections.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Recorded | None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        data = await reader.readexactly(int(headers.get("content-length", 0)))
        body = json.loads(data) if data else None
        request = Recorded(len(self.requests), method, target, headers, body, time.monotonic())
        if not target.startswith("/_"):
            self.requests.append(request)
            async with self._arrived:
                self._arrived.notify_all()
        return request

    async def _answer(
        self, request: Recorded, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Plays the answer while it watches the client. True: the connection can take another request."""
        play = asyncio.create_task(self._play(request, Wire(writer)))
        watch = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait((play, watch), return_when=asyncio.FIRST_COMPLETED)
            if not play.done():
                request.left = time.monotonic()
                return False
            try:
                return play.result()
            except ConnectionError:
                request.left = time.monotonic()
                return False
        finally:
            play.cancel()
            watch.cancel()
            await asyncio.gather(play, watch, return_exceptions=True)
            if request.left is None:
                request.finished = time.monotonic()
            request.done.set()

    async def _play(self, request: Recorded, wire: "Wire") -> bool:
        path = request.path.partition("?")[0]
        if path == "/_log":
            await wire.whole(200, self._log(request.path))
            return True
        if path == "/v1/models":
            key = request.headers.get("x-api-key") or request.headers.get("authorization", "")
            if "refused" in key:
                await wire.whole(401, {"error": {"message": f"Incorrect API key provided: {key}"}})
            else:
                await wire.whole(200, _models("anthropic-version" in request.headers))
            return True
        if path not in DIALECTS:
            await wire.whole(404, {"error": {"message": "There is nothing here.", "type": "not_found"}})
            return True
        dialect = DIALECTS[path](request.model)
        seen = self._seen.get(request.model, 0)
        self._seen[request.model] = seen + 1
        try:
            asked = request.model == scenario.ASKED
            steps = scenario.parse(request.question if asked else request.model, seen)
        except ValueError as error:
            await wire.whole(404, dialect.fault(str(error), "not_found_error", code="model_not_found"))
            return True
        return await Play(request, dialect, wire).steps(steps)

    def _log(self, target: str) -> Any:
        """What `GET /_log` answers: all requests, or with `?question=TEXT` those that ask just that."""
        wanted = parse_qs(urlsplit(target).query).get("question", [""])[0]
        found = (request for request in self.requests if not wanted or request.question == wanted)
        return {"connections": len(self.connections), "requests": [asdict(request) for request in found]}


def _models(anthropic: bool) -> Any:
    if not anthropic:
        return {"object": "list", "data": [{"id": id, "object": "model"} for id in scenario.EXAMPLES]}
    yes, no = {"supported": True}, {"supported": False}
    capabilities = {
        "effort": {"supported": True, "low": yes, "medium": yes, "high": yes, "max": no},
        "thinking": {"supported": True, "types": {"adaptive": yes, "enabled": no, "disabled": yes}},
    }
    kinds = {"type": "model", "lifecycle": "active", "created_at": "2026-01-01T00:00:00Z"}
    sizes = {"max_input_tokens": 200_000, "max_tokens": 64_000, "capabilities": capabilities}
    data = [{"id": id, "display_name": id, **kinds, **sizes} for id in scenario.EXAMPLES]
    return {"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]}
