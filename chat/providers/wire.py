"""The one reader of what a vendor answers: an SDK's response becomes payloads, whatever its type claims.

`open_wire` enters an SDK's `with_streaming_response` manager and gives a `Wire`: decoded JSON objects by
name, from a stream of events or from one JSON text. What the payloads mean is the protocols' business;
what errors mean stands in `faults`. Leaving the wire frees the connection, whatever the reason.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from chat.errors import Empty, Fault, Malformed, TooLarge
from chat.events import Content, Delta, ReplyEvent
from chat.providers import faults
from chat.providers.faults import Call
from chat.providers.payloads import (
    ESCAPED_BYTES,
    KEEP_ALIVE,
    WHOLE,
    Payload,
    as_error,
    error_words,
    parsed,
    payloads,
)
from chat.sse import LIMIT, Comment, Decoder, ServerSentEvent, Stray
from chat.unicode import whole_all

if TYPE_CHECKING:
    import httpx2

DRAIN: Final = 0.05
"""Seconds to wait for the end of a body behind the end of the answer."""

MAX_STRAY_LINES: Final = 200
MAX_STRAY_CHARS: Final = 64 * 1024
"""Of an error that stands in a stream as bare JSON, over several lines."""

LARGEST_BODY: Final = 8 * 1024 * 1024
"""Bytes of an answer that is one JSON text. OpenRouter's list of models has about 1 MB, and an answer is at
most half of this."""

MAX_SILENT_BYTES: Final = 8 * 1024 * 1024
"""Bytes of a stream that may add nothing to the answer. They are kept until the stream ends; an unwanted
picture has two or three million."""

MAX_REPEATS: Final = 4
"""Times that a stream may say again all that was shown, beyond `MAX_SILENT_BYTES`. Responses does it three
times before its last event: as a text, a part and an item that are done."""

BREATH: Final = 100
"""Payloads after which others get their turn, though more have come already."""

_ALIVE: Final[tuple[Payload, int]] = ((KEEP_ALIVE, {}), 1)


class Wire:
    """An answer, payload by payload: `async for name, data in wire`.

    `name` is the stream's `event:` ("" where it has none), or one of `KEEP_ALIVE`, `DONE` and `WHOLE`;
    `data` is the JSON object. Ends when the body ends, which alone is no success. Raises our errors.
    """

    def __init__(self, response: "httpx2.Response", call: Call) -> None:
        self.status = response.status_code
        self._call = call
        self._type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._chunks = response.aiter_bytes()
        self._decoder = Decoder()
        self._ready: deque[tuple[Payload | Fault, int]] = deque()
        """Each payload with its size: its own share, where several came in one event."""
        self._given = self._size = self._silent = self._shown = 0
        self._streams = False  # it was seen to be a stream of events
        self._ended = False
        self._seen = False
        self._astray: list[str] = []  # lines of bare JSON in a stream of events

    def __aiter__(self) -> "Wire":
        return self

    async def __anext__(self) -> Payload:
        ready = self._ready
        while not ready:
            if self._ended:
                raise StopAsyncIteration
            await self._fill()
        self._given += 1
        if not self._given % BREATH:
            await asyncio.sleep(0)
        item, self._size = ready.popleft()
        if isinstance(item, Fault):
            raise item
        return item

    def count(self, events: Sequence[ReplyEvent], repeated: int, *, held: bool = False) -> None:
        """Counts the last payload, which became `events`. Raises `TooLarge` after too many bytes without
        content, beyond what may be the content once more.

        `repeated`: characters of all payloads so far that are known to be such, and were not kept. `held`:
        it has content that is shown as soon as all that has arrived is read."""
        content = held
        for event in events:
            if isinstance(event, Delta):
                self._shown += len(event.text)
            content = content or isinstance(event, Content)
        if content:
            return
        self._silent += self._size
        most = MAX_SILENT_BYTES + MAX_REPEATS * self._shown + repeated
        if self._silent > most:
            raise TooLarge(
                f"{self._call.title} sent {most >> 20} MiB that are no part of an answer. The "
                "server may be faulty: choose another model."
            )

    @property
    def waiting(self) -> bool:
        """Whether the next payload is still to come: all that has arrived was given."""
        return not self._ready

    async def json(self) -> Any:
        """The whole body as one JSON value of any type."""
        start = await self._sniff()
        if start[:1] not in (b"{", b"["):
            raise self._unreadable(start)
        return await self._rest(start)

    async def aclose(self) -> None:
        self._ended = True
        await self._chunks.aclose()

    async def drain(self) -> None:
        """Reads what is left behind the end of an answer, so that the connection can serve again.

        Leaving earlier closes it and costs the next request a TLS handshake. Mostly the rest has come
        already; else it is given up after `DRAIN` seconds.
        """
        try:
            async with asyncio.timeout(DRAIN):
                while not self._ended:
                    self._ended = await anext(self._chunks, None) is None
        except Exception:  # the answer is complete, whatever happens behind it
            self._ended = True

    async def _fill(self) -> None:
        if self._streams:
            chunk = await self._chunk()
        else:
            chunk = await self._sniff()
            if chunk[:1] in (b"{", b"["):
                body = await self._rest(chunk)
                if isinstance(body, list) and len(body) == 1:  # Gemini wraps its errors so
                    body = body[0]
                if not isinstance(body, dict):
                    raise self._unreadable(chunk)
                self._ready.append(((WHOLE, body), 0))
                return
            if chunk[:1] == b"<":
                raise self._unreadable(chunk)
            self._streams = True
        if chunk is None:
            self._ended = True
            self._take(self._decoder.rest(), last=True)
            if not self._seen and not self._ready and self._type != "text/event-stream":
                raise self._unreadable(b"")
            return
        # One event may hold all that was shown once more.
        self._decoder.limit = LIMIT + ESCAPED_BYTES * self._shown
        self._take(self._decoder.feed(chunk))
        if self._decoder.fault:
            self._ready.append((self._decoder.fault, 0))

    def _take(self, events: Iterable[ServerSentEvent | Comment | Stray], last: bool = False) -> None:
        """`last`: what was not cut off at its end counts, and the rest says nothing."""
        ready = self._ready
        for event in events:
            if isinstance(event, Stray):
                self._stray(event.line)
                continue
            if isinstance(event, Comment) or not (event.data or event.event == "error"):
                if not ready or ready[-1] != _ALIVE:  # one says as much as a thousand
                    ready.append(_ALIVE)
                continue
            self._seen = True
            try:
                ready += payloads(event.event, event.data)
            except TooLarge as fault:
                ready.append((fault, 0))
                return
            except (ValueError, RecursionError) as error:
                if last:
                    continue
                # Words may say why; half a piece of JSON tells nobody anything.
                words = "" if event.data.lstrip()[:1] in ("{", "[") else self._call.quote(event.data)
                fault = self._malformed("sent an event that is not JSON", words)
                fault.__cause__ = error
                ready.append((fault, 0))
                return

    def _stray(self, line: str) -> None:
        """A line that is no part of an event. llama.cpp of 2025 told errors as `error: {…}`, and many a
        proxy writes its own as bare JSON where the rest would have been."""
        if not self._astray and (words := error_words(line)) is not None:
            self._ready.append((("error", as_error(words)), 0))
        elif line.lstrip()[:9].lower().startswith(("<html", "<!doctype")):
            self._ready.append((self._unreadable(b"<"), 0))
        elif self._astray or line.lstrip()[:1] == "{":
            self._astray.append(line)
            if line.rstrip()[-1:] == "}":
                with suppress(ValueError, RecursionError, TooLarge):
                    self._ready += payloads("", "\n".join(self._astray))
                    self._astray.clear()
            if len(self._astray) > MAX_STRAY_LINES or sum(map(len, self._astray)) > MAX_STRAY_CHARS:
                self._astray.clear()

    async def _chunk(self) -> bytes | None:
        """The next bytes; None at the end of the body."""
        try:
            return await anext(self._chunks, None)
        except Exception as error:
            self._ended = True
            fault = faults.of(error, self._call, opened=True)
            if fault is None:
                raise
            raise fault from error

    async def _sniff(self) -> bytes:
        """The first bytes that are not blank: their first tells JSON, HTML and a stream apart.

        The content type does not: servers name a stream `text/plain`, and an error `text/event-stream`.
        """
        start = b""
        while not start:
            chunk = await self._chunk()
            if chunk is None:
                self._ended = True
                raise Empty(
                    f"{self._call.title} accepted the question and sent nothing back. Ask again; "
                    "if that does not help, choose another model.",
                    status=self.status,
                )
            start = chunk.lstrip(b"\xef\xbb\xbf \t\r\n")
        return start

    async def _rest(self, start: bytes) -> Any:
        parts, size = [start], len(start)
        while (chunk := await self._chunk()) is not None:
            parts.append(chunk)
            size += len(chunk)
            if size > LARGEST_BODY:
                raise TooLarge(f"The answer of {self._call.title} is larger than {LARGEST_BODY >> 20} MiB.")
        self._ended = True
        try:
            return whole_all(parsed(b"".join(parts).decode()))
        except (ValueError, RecursionError) as error:
            raise self._malformed("sent an answer that is not JSON, or only a part of it") from error

    def _unreadable(self, start: bytes) -> Fault:
        if start[:1] == b"<" or self._type in ("text/html", "application/xhtml+xml"):
            return self._malformed("sent a web page instead of an answer", hint=True)
        return self._malformed("sent something that is neither a stream nor JSON", hint=True)

    def _malformed(self, what: str, quote: str = "", *, hint: bool = False) -> Malformed:
        end = "Its address may be wrong, or this network wants a login." if hint else "Asking again may help."
        told = self._call.address_hint if hint else ""
        return Malformed(f"{self._call.title} {what}. {end}{quote}", hint=told, status=self.status)


@asynccontextmanager
async def open_wire(manager: Any, call: Call) -> AsyncIterator[Wire]:
    """Sends the request that an SDK's `with_streaming_response` manager holds, and gives its answer.

    Leaving frees the connection at once. Raises our errors, from the SDK's.
    """
    try:
        response = await manager.__aenter__()
    except Exception as error:
        fault = faults.of(error, call)
        if fault is None:
            raise
        raise fault from error
    wire = Wire(response.http_response, call)
    try:
        yield wire
    finally:
        try:
            await wire.aclose()
        finally:
            await manager.__aexit__(None, None, None)
