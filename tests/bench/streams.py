"""Questions without a browser: what a page's own requests are, replayed by plain HTTP clients.

`record` watches one question in a real browser and keeps the requests that led to its first token, so it
holds for any wiring of the page. `Recording.ask` sends them again for a new session. So many answers
at once, or very fast ones, load the server alone and not a browser on the same two cores.
"""

import asyncio
import json
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from playwright.async_api import Browser, Request

from tests.bench import page as pages

FIRST = "text-3-10"
"""The question that is recorded."""
_TOKEN = re.compile(rb"tok(\d+)")


@dataclass(frozen=True)
class Answer:
    """Moments in seconds of the wall clock."""

    asked: float
    first: float
    last: float
    tokens: int
    """The number of the last token that arrived."""
    updates: int
    received: int


@dataclass(frozen=True)
class Recording:
    url: str
    session: str
    posts: tuple[tuple[str, str], ...]
    """Path and JSON body, in the order in which the page sent them."""

    async def ask(self, question: str, patience: float = 600) -> Answer:
        """Asks `question` in a session of its own and reads until the page would be told of the end."""
        limits = httpx2.Timeout(patience, connect=30)
        async with httpx2.AsyncClient(base_url=self.url, timeout=limits) as client:
            await client.get("/")  # for the cookies
            session = uuid.uuid4().hex[:10]
            asked = time.time()
            for number, (path, body) in enumerate(self.posts, 1):
                body = body.replace(self.session, session).replace(FIRST, question)
                sent = await client.post(path, content=body, headers={"content-type": "application/json"})
                sent.raise_for_status()
                if path.endswith("/queue/join"):
                    event = sent.json()["event_id"]
                    answer = await self._read(client, session, event, asked)
                    if number == len(self.posts):
                        return answer
        raise RuntimeError("the page's last request did not join the queue")

    async def _read(self, client: httpx2.AsyncClient, session: str, event: str, asked: float) -> Answer:
        """The event's messages until it is completed."""
        first, tokens, updates, received = 0.0, 0, 0, 0
        params = {"session_hash": session}
        async with client.stream("GET", "/gradio_api/queue/data", params=params) as stream:
            async for line in stream.aiter_lines():
                received += len(line) + 1
                if event not in line:
                    continue
                updates += 1
                found = _TOKEN.findall(line.encode())
                first = first or (time.time() if found else 0.0)
                tokens = max(tokens, *map(int, found)) if found else tokens
                if '"msg":"process_completed"' in line.replace('": "', '":"'):
                    return Answer(asked, first, time.time(), tokens, updates, received)
        raise RuntimeError(f"the stream of {self.url} ended before its answer was complete")


async def record(chromium: Browser, url: str) -> Recording:
    """What the page at `url` sends from its load to the first token of an answer."""
    sent: list[tuple[float, str, str]] = []
    session = ""

    def keep(request: Request) -> None:
        if request.method == "POST" and "/gradio_api/" in request.url:
            sent.append((time.time(), urlsplit(request.url).path, request.post_data or ""))

    async with pages.tab(chromium, url) as tab:
        await tab.ready()
        tab.page.on("request", keep)
        seen = await tab.ask(FIRST, 3, 30)
    before = [(path, body) for moment, path, body in sent if moment < seen.first]
    joined = [at for at, (path, _) in enumerate(before) if path.endswith("/queue/join")]
    bodies: list[dict[str, Any]] = [json.loads(body) for _, body in before]
    session = next(body["session_hash"] for body in bodies if "session_hash" in body)
    return Recording(url, session, tuple(before[: joined[-1] + 1]))


async def together(recording: Recording, questions: list[str]) -> list[Answer]:
    """All questions at once, each in a session of its own."""
    return await asyncio.gather(*(recording.ask(question) for question in questions))
