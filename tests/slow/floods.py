"""A vendor that floods whoever asks it: what it sends is named by the last word of the question."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

BYTES = 80_000_000
"""Of each flood that has no end of its own."""
STREAM, JSON = "text/event-stream", "application/json"


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


def end(finish: str = "stop") -> bytes:
    return chunk({}, finish) + b"data: [DONE]\n\n"


def over_and_over(piece: bytes) -> Iterator[bytes]:
    block = piece * max(1, 60_000 // len(piece))
    for _ in range(BYTES // len(block)):
        yield block


def arguments(begin: str, text: str) -> Iterator[bytes]:
    """Of one call. With its name in each piece, all after the first would be repetitions."""
    yield chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "x", "arguments": begin}}]})
    yield from over_and_over(chunk({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}))


def calls(count: int) -> Iterator[bytes]:
    for n in range(count):
        function = {"name": "calculate", "arguments": '{"expression": "6*7"}'}
        yield chunk({"tool_calls": [{"index": n, "id": f"c{n}", "type": "function", "function": function}]})
    yield end("tool_calls")


def texts(*pieces: str) -> Iterator[bytes]:
    for piece in pieces:
        yield chunk({"content": piece})
    yield end()


FLOODS: dict[str, tuple[int, str, Callable[[], Iterator[bytes]]]] = {
    "hello": (200, STREAM, lambda: texts("Hello.")),
    "words": (200, STREAM, lambda: over_and_over(chunk({"content": "word " * 200}))),
    "letters": (200, STREAM, lambda: over_and_over(chunk({"content": "a"}))),
    "thoughts": (200, STREAM, lambda: over_and_over(chunk({"reasoning_content": "hm " * 200}))),
    "both": (
        200,
        STREAM,
        lambda: over_and_over(chunk({"content": "a"}) + chunk({"reasoning_content": "b"})),
    ),
    "arguments": (200, STREAM, lambda: arguments('{"text": "', "x" * 200)),
    "levels": (200, STREAM, lambda: arguments("", "[[" * 99)),
    "calls": (200, STREAM, lambda: calls(5000)),
    "sources": (
        200,
        STREAM,
        lambda: (chunk({"annotations": [{"url": f"https://example.org/{n}"}]}) for n in range(100_000)),
    ),
    "comments": (200, STREAM, lambda: over_and_over(b":\n\n")),
    "nothing": (200, STREAM, lambda: over_and_over(b"data: {}\n\n")),
    "line": (200, STREAM, lambda: over_and_over(b"a")),
    "event": (200, STREAM, lambda: over_and_over(b"data: a\n")),
    "lists": (200, STREAM, lambda: iter((b"data: [", b"[]," * 1_300_000, b"[]]\n\n", end()))),
    "object": (200, JSON, lambda: iter((b'{"choices": [{"message": {"content": "', *over_and_over(b"a")))),
    "blanks": (200, STREAM, lambda: texts(*["  "] * 100_000, "Done.")),
    "fences": (200, STREAM, lambda: texts(*["~~~a\n"] * 40_000)),
    "brackets": (200, STREAM, lambda: texts(*["[{" * 50] * 4_000)),
    "error": (400, JSON, lambda: iter((b'{"error": {"message": "', b"sk-a is too long " * 300_000, b'"}}'))),
}


@asynccontextmanager
async def flooding() -> AsyncIterator[tuple[str, defaultdict[str, asyncio.Event]]]:
    """The vendor's address, and by the name of a flood, that its reader has left."""
    left: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(
                (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b""
            )
            body = await reader.readexactly(int(size.partition(b":")[2] or 0))
            if b"/models" in head.partition(b"\r\n")[0]:
                name, (status, kind, play) = "models", (200, JSON, lambda: iter((b'{"data": []}',)))
            else:
                asked = json.loads(body)["messages"]
                again = any(each["role"] == "tool" for each in asked)
                words = [each["content"] for each in asked if each["role"] == "user"][-1].split()
                name = "hello" if again else words[-1]
                status, kind, play = FLOODS[name]
            writer.write(
                f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode()
            )
            try:
                for piece in play():
                    writer.write(piece)
                    await writer.drain()
                await reader.read(1)
            except ConnectionError:
                pass
            left[name].set()
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", left
    finally:
        server.close()
