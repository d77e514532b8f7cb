"""A WebSocket client for the tests, over wsproto and a socket: nothing of the program's own."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)


class Rejected(Exception):
    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self.headers: dict[str, str] = {}
        self.code: int | None = None
        """Of the server's close."""

    async def connect(self, host: str, path: str, headers: dict[str, str]) -> None:
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._writer.write(self._protocol.send(Request(host=host, target=path, extra_headers=extra)))
        status, body = 0, b""
        async for event in self._events():
            match event:
                case AcceptConnection():
                    self.headers = {name.decode(): value.decode() for name, value in event.extra_headers}
                    return
                case RejectConnection():
                    status = event.status_code
                    if not event.has_body:
                        break
                case RejectData():
                    body += event.data
                    if event.body_finished:
                        break
                case _:
                    raise AssertionError(event)
        raise Rejected(status, body)

    async def send(self, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self._writer.write(self._protocol.send(TextMessage(text)))
        await self._writer.drain()

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The messages up to the close, as JSON."""
        text = ""
        async for event in self._events():
            match event:
                case TextMessage():
                    text += event.data
                    if event.message_finished:
                        yield json.loads(text)
                        text = ""
                case Ping():
                    self._writer.write(self._protocol.send(event.response()))
                case CloseConnection():
                    self.code = event.code
                    return

    async def _events(self) -> AsyncIterator[Any]:
        while True:
            for event in self._protocol.events():
                yield event
            data = await asyncio.wait_for(self._reader.read(65536), 10)
            self._protocol.receive_data(data or None)


@asynccontextmanager
async def connected(
    url: str, headers: dict[str, str], path: str = "/chat/ws", context: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    """With a `context` through TLS. Raises `Rejected`."""
    host = urlsplit(url).netloc
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port), ssl=context)
    client = Client(reader, writer)
    try:
        await client.connect(host, path, headers)
        yield client
    finally:
        writer.close()
        await writer.wait_closed()
