"""A browser's requests without the browser: the page's cookie, its listeners, its other routes.

A `Visitor` is one person with one tab. All that the server ever told it is in `heard`, as it came.
What the page's listeners are called, what they take and what the sidebar holds is read from the page
itself (`/config`), so it holds for any wiring of it.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any, Self

import httpx2

PATIENCE = httpx2.Timeout(120, connect=30)


class Visitor:
    def __init__(self, url: str, key: str = "", beside: "Visitor | None" = None) -> None:
        """`key`: what stands behind the address printed at start. `beside`: another tab of that browser."""
        cookies, self.heard = (beside._client.cookies, beside.heard) if beside else (None, [])
        self._client = httpx2.AsyncClient(
            base_url=url, timeout=PATIENCE, follow_redirects=True, cookies=cookies
        )
        self._start = f"/?{key}" if key else "/"
        self.session = secrets.token_hex(5)
        self._reading: asyncio.Task[None] | None = None
        self._over: dict[str, asyncio.Future[None]] = {}

    async def __aenter__(self) -> Self:
        await self.get(self._start)
        config: dict[str, Any] = (await self._client.get("/config")).json()
        self._listeners = {each["api_name"]: each for each in config["dependencies"] if each["backend_fn"]}
        self._held = {each["id"]: each["props"].get("value") for each in config["components"]}
        entered = next(each for each in config["dependencies"] if each["targets"][0][1] == "submit")
        self._sent = self._listeners["ask"]["inputs"][0]
        self.values = [self._held[id] for id in entered["inputs"][1:]]
        """The sidebar's, as the page brings them."""
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._client.aclose()

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self._client.cookies)

    # -- the page's listeners ----------------------------------------------------------------------

    async def ask(self, question: str, chat: str = "", **sent: str) -> "asyncio.Future[None]":
        """Sends it; what comes back is done when the page would be told of the answer's end."""
        key = secrets.token_hex(8)
        whole = {
            "question": question,
            "values": self.values,
            "chat": chat,
            "key": key,
            "act": "ask",
            "run": "",
        }
        return await self.listener("ask", whole | sent)

    async def listener(self, name: str, *data: Any) -> "asyncio.Future[None]":
        """Calls the page's listener `name`, as the page's own script does."""
        found = self._listeners[name]
        body = {
            "data": list(data),
            "fn_index": found["id"],
            "session_hash": self.session,
            "event_data": None,
            "trigger_id": None,
        }
        if not found["queue"]:  # it is answered at once
            answer = await self.send("POST", "/gradio_api/run/predict", json=body)
            answer.raise_for_status()
            over = asyncio.get_running_loop().create_future()
            over.set_result(None)
            return over
        joined = await self._client.post("/gradio_api/queue/join", json=body)
        self.heard.append(joined.text)
        joined.raise_for_status()
        over = self._over[joined.json()["event_id"]] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return over

    @property
    def listeners(self) -> list[str]:
        """The names of those that are told what was sent, but for what needs a place clicked at."""
        told = (name for name, each in self._listeners.items() if self._sent in each["inputs"])
        return [name for name in told if not name.startswith("example")]

    def inputs(self, name: str, sent: dict[str, Any]) -> list[Any]:
        """What the page would call the listener `name` with, and `sent` where it takes what was sent."""
        return [sent if id == self._sent else self._held[id] for id in self._listeners[name]["inputs"]]

    async def _read(self) -> None:
        """The tab's stream of updates, until nothing is awaited any more."""
        try:
            params = {"session_hash": self.session}
            async with self._client.stream("GET", "/gradio_api/queue/data", params=params) as stream:
                async for line in stream.aiter_lines():
                    self.heard.append(line)
                    if line.startswith("data:"):
                        self._ends(json.loads(line[5:]))
        except httpx2.TransportError:
            pass  # the server is gone: what it said before counts
        finally:
            for over in self._over.values():
                if not over.done():
                    over.cancel()

    def _ends(self, message: dict[str, Any]) -> None:
        over = self._over.get(message.get("event_id") or "")
        if message.get("msg") == "process_completed" and over is not None and not over.done():
            over.set_result(None)

    # -- its other routes --------------------------------------------------------------------------

    async def get(self, path: str, **params: str) -> httpx2.Response:
        return await self.send("GET", path, params=params or None)  # {} would drop its own

    async def send(self, method: str, path: str, **how: Any) -> httpx2.Response:
        answer = await self._client.request(method, path, **how)
        self.heard.append(answer.text)
        return answer

    async def state(self, **params: str) -> dict[str, Any]:
        return (await self.get("/state", **params)).json()

    async def chats(self, **params: str) -> list[dict[str, Any]]:
        return (await self.get("/chats", **params)).json()["chats"]


@contextlib.asynccontextmanager
async def visitors(url: str, count: int) -> AsyncIterator[list[Visitor]]:
    """So many people at once, each with a cookie of their own."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Visitor(url)) for _ in range(count)]
