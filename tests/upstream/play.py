"""Playing one reply: the steps of a scenario, through a dialect, onto a wire.

`Recorded` is what is remembered of it, `Wire` the answer's side of a socket, `Play` the player.
The server makes them; which client listens and when it leaves is the server's business.
"""

import asyncio
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, assert_never

from tests.upstream import scenario
from tests.upstream.dialects import Dialect, Messages, Responses, frame

PING_EVERY = 0.02
"""Seconds between pings: short, so that a test with a deadline of 0.2 s sees several."""
HUGE = 10_000_000
"""Bytes of the one big event."""


@dataclass
class Recorded:
    """One request. Moments are of the monotonic clock; `tokens`, one for each of text, of the wall clock."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    opened: float
    tokens: list[float] = field(default_factory=list)
    finished: float | None = None
    """When the last byte of the answer was written."""
    left: float | None = None
    """When the client closed its socket before that."""

    def __post_init__(self) -> None:
        self.done = asyncio.Event()
        self.spoke = asyncio.Event()

    @property
    def model(self) -> str:
        return str(self.body.get("model", "")) if isinstance(self.body, dict) else ""

    @property
    def question(self) -> str:
        """The text of the last message of a person, in any protocol's shape."""
        if not isinstance(self.body, dict):
            return ""
        said = self.body.get("messages") or self.body.get("input") or []
        for message in reversed([{"role": "user", "content": said}] if isinstance(said, str) else said):
            if message.get("role") == "user":
                content = message["content"]
                parts = [{"text": content}] if isinstance(content, str) else content
                if text := "".join(part.get("text", "") for part in parts):
                    return text.strip()
        return ""

    async def over(self) -> None:
        """Waits until it is finished or the client has left."""
        await self.done.wait()


class Wire:
    """The answer's side of a socket: a head, then chunks."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.trickle = False

    def head(self, status: int, **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Upstream", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())

    async def whole(self, status: int, body: Any, type: str = "application/json", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.head(status, content_type=type, content_length=str(len(data)), **headers)
        self._writer.write(data)
        await self._writer.drain()

    async def chunk(self, data: bytes) -> None:
        if not data:
            return
        if self.trickle:
            for byte in data:
                self._writer.write(b"1\r\n%c\r\n" % byte)
                await self._writer.drain()
                await asyncio.sleep(0)
            return
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()

    async def last(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def reset(self) -> None:
        """Makes the kernel send RST instead of FIN, after what was written has gone out."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class Play:
    """One reply: the steps of a scenario through a dialect onto a wire."""

    def __init__(self, request: Recorded, dialect: Dialect, wire: Wire) -> None:
        self.request, self.dialect, self.wire = request, dialect, wire
        self.body: dict[str, Any] = request.body or {}
        self.stop = "end"
        self.said = 0
        self.thought = 0

    async def steps(self, steps: scenario.Steps) -> bool:
        """Plays them. True when the connection lives on."""
        if steps and isinstance(steps[0], scenario.Window) and await self._too_long(steps[0]):
            return True
        if steps and isinstance(steps[0], scenario.Status):
            if not await self._status(steps[0]):
                return True
            steps = (scenario.Say("text", 5),)
        if not self.body.get("stream"):
            return await self._at_once(steps)
        self.wire.head(200, content_type="text/event-stream; charset=utf-8", transfer_encoding="chunked")
        self.wire.trickle = any(isinstance(step, scenario.Trickle) for step in steps)
        await self.wire.chunk(self.dialect.begin())
        hold = False
        for step in steps:
            match step:
                case scenario.Say():
                    await self._say(step)
                case scenario.Call():
                    if await self._calls(step):
                        break
                case scenario.Pause():
                    await self._pause(step)
                case scenario.End():
                    self.stop = step.stop
                case scenario.Hold():
                    hold = True
                case scenario.Fault():
                    if not (on := await self._fault(step.name)):
                        return on is not None
                case scenario.Trickle() | scenario.Window() | scenario.Status():
                    pass
                case _:
                    assert_never(step)
        await self.wire.chunk(self.dialect.end(self.stop))
        if hold:
            await asyncio.sleep(scenario.FOREVER)
        await self.wire.last()
        return True

    async def _at_once(self, steps: scenario.Steps) -> bool:
        """`stream: false`: the same as one JSON value; a fault of the stream becomes a reset."""
        for step in steps:
            match step:
                case scenario.Say():
                    for _ in range(step.tokens):
                        self._token(step.what)
                case scenario.Call():
                    if self._written_calls(step):
                        break
                case scenario.Pause():
                    await asyncio.sleep(step.seconds)
                case scenario.End():
                    self.stop = step.stop
                case scenario.Fault():
                    self.wire.reset()
                    return False
        await self.wire.whole(200, self.dialect.whole(self.stop))
        return True

    def _token(self, what: str) -> bytes:
        if what == "think":
            self.thought += 1
            return self.dialect.thinking(scenario.token(what, self.thought))
        self.said += 1
        self.request.tokens.append(time.time())
        if what == "echo":
            return self.dialect.text(f"{self._behind()}{self.said} ")
        return self.dialect.text(scenario.token(what, self.said))

    def _behind(self) -> str:
        return self.request.question.partition("@")[2]

    async def _say(self, say: scenario.Say) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        tokens = range(say.tokens)
        if say.what == "spell":
            tokens = range(-(-len(self._behind()) // say.tokens))
        for number in tokens:
            if say.rate and (wait := begun + number / say.rate - loop.time()) > 0:
                await asyncio.sleep(wait)
            elif number % 32 == 31:
                await asyncio.sleep(0)  # others live on this loop too
            if say.what == "spell":
                said = self._behind()[number * say.tokens : (number + 1) * say.tokens]
                await self.wire.chunk(self.dialect.text(said))
            else:
                await self.wire.chunk(self._token(say.what))
            self.request.spoke.set()

    def _written_calls(self, call: scenario.Call) -> list[bytes]:
        if self._answered() and not call.again:
            return []
        names = [tool.get("function", tool)["name"] for tool in self.body.get("tools", [])]
        names = [name for name in names if name in ARGUMENTS] or list(ARGUMENTS)
        chosen = [names[at % len(names)] for at in range(call.count)]
        pairs = ((f"call_{at}_{name}", name, ARGUMENTS[name]) for at, name in enumerate(chosen, 1))
        return [piece for pair in pairs for piece in self.dialect.call(*pair)]

    async def _calls(self, call: scenario.Call) -> bool:
        """True when calls were made: the reply ends with them."""
        for piece in (pieces := self._written_calls(call)):
            await self.wire.chunk(piece)
            if call.rate:
                await asyncio.sleep(1 / call.rate)
        return bool(pieces)

    def _answered(self) -> bool:
        """Whether the last message holds results of tools, in any protocol's shape."""
        last = (self.body.get("messages") or self.body.get("input") or [{}])[-1]
        content = last.get("content")
        blocks = content if isinstance(content, list) else []
        return (
            last.get("role") == "tool"
            or last.get("type") == "function_call_output"
            or any(block.get("type") == "tool_result" for block in blocks)
        )

    async def _pause(self, pause: scenario.Pause) -> None:
        if not pause.pings:
            await asyncio.sleep(pause.seconds)
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + pause.seconds
        while loop.time() < until:
            await self.wire.chunk(self.dialect.ping())
            await asyncio.sleep(PING_EVERY)

    async def _fault(self, name: str) -> bool | None:
        """True: the reply goes on to its end. False: it ended here. None: and so did the connection."""
        match name:
            case "reset":
                await asyncio.sleep(0.02)  # a reset throws away what the client has not read yet
                self.wire.reset()
                return None
            case "cut":
                return None
            case "close":
                await self.wire.last()
            case "broken-json":
                await self.wire.chunk(frame('{"type": "response.output_text.delta", "delta": "tok'))
                return True
            case "broken-utf8":
                await self.wire.chunk(
                    self.dialect.text("caf\N{REPLACEMENT CHARACTER}").replace(b"\xef\xbf\xbd", b"\xc3")
                )
                return True
            case "huge":
                await self.wire.chunk(self.dialect.text("x" * HUGE))
                return True
            case "error-echo":
                echo = f'"message": "{self._key()}: '.encode()
                await self.wire.chunk(self.dialect.error("error").replace(b'"message": "', echo))
                await self.wire.last()
            case _:
                await self.wire.chunk(self.dialect.error(name))
                await self.wire.last()
        return False

    async def _too_long(self, window: scenario.Window) -> bool:
        """Refuses what does not fit, in the protocol's words. True when it did."""
        said = self.body.get("messages") or self.body.get("input")
        sent = len(json.dumps(said, ensure_ascii=False)) // 4
        if sent <= window.tokens:
            return False
        kind, param, code = "invalid_request_error", "messages", "context_length_exceeded"
        match self.dialect:
            case Messages():
                text, param, code = f"prompt is too long: {sent} tokens > {window.tokens} maximum", None, None
            case Responses():
                text, param = (
                    "Your input exceeds the context window of this model. Please adjust it.",
                    "input",
                )
            case _:
                text = (
                    f"This model's maximum context length is {window.tokens} tokens. However, your messages "
                    f"resulted in {sent} tokens. Please reduce the length of the messages."
                )
        if not window.told:
            text = "The prompt is too long."
        await self.wire.whole(400, self.dialect.fault(text, kind, param, code))
        return True

    async def _status(self, step: scenario.Status) -> bool:
        """Answers without a stream. True when there is nothing to object to: an answer follows."""
        fault, wire = self.dialect.fault, self.wire
        retry = {"retry_after": f"{step.retry_after:g}"} if step.retry_after is not None else {}
        anthropic = isinstance(self.dialect, Messages)
        match step.name:
            case "silence":
                await asyncio.sleep(scenario.FOREVER)
            case "html" | "html-502":
                status = 200 if step.name == "html" else 502
                await wire.whole(status, HTML, "text/html; charset=utf-8")
            case "json-error":
                await wire.whole(200, fault("The model is loading, try again later.", "server_error"))
            case "json":
                for _ in range(5):
                    self._token("text")
                await wire.whole(200, self.dialect.whole("end"))
            case "empty-body":
                await wire.whole(200, b"", "text/event-stream")
            case "echo":
                await wire.whole(401, fault(f"Incorrect API key provided: {self._key()}.", "invalid_api_key"))
            case "echo-pieces":
                key = self._key()
                said = f"No {key[:12]}…, nor …{key[-8:]}, nor {key[:4]}****{key[-8:]}, nor {key[8:]}."
                await wire.whole(400, fault(said, "invalid_request_error"))
            case "temperature" if "temperature" not in self.body:
                return True
            case "temperature" if anthropic:
                text = "temperature: Extra inputs are not permitted"
                await wire.whole(400, fault(text, "invalid_request_error"))
            case "temperature":
                text = "Unsupported parameter: 'temperature' is not supported with this model."
                await wire.whole(
                    400, fault(text, "invalid_request_error", "temperature", "unsupported_parameter")
                )
            case "context" if anthropic:
                text = "prompt is too long: 300000 tokens > 200000 maximum"
                await wire.whole(400, fault(text, "invalid_request_error"))
            case "context":
                text = (
                    "This model's maximum context length is 8192 tokens. Reduce the length of the messages."
                )
                await wire.whole(
                    400, fault(text, "invalid_request_error", "messages", "context_length_exceeded")
                )
            case name:
                status = int(name)
                await wire.whole(status, fault(*STATUS_TEXTS[status]), **retry)
        return False

    def _key(self) -> str:
        headers = self.request.headers
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")


ARGUMENTS = {
    "current_time": '{"timezone": "Europe/Rome"}',
    "calculate": '{"expression": "6 * 7"}',
    "search_docs": '{"query": "bench"}',
    "get_weather": '{"location": "Rome"}',
}
HTML = b"<!doctype html><html><body><h1>Sign in</h1><script>track()</script></body></html>"
STATUS_TEXTS = {
    400: ("The request is not valid.", "invalid_request_error"),
    401: ("The key is not valid.", "authentication_error"),
    403: ("Your account may not use this model.", "permission_error"),
    404: ("The model does not exist.", "not_found_error"),
    429: ("Rate limit reached.", "rate_limit_error"),
    500: ("The server had an error.", "api_error"),
    503: ("The service is not available.", "api_error"),
    529: ("Overloaded", "overloaded_error"),
}
