"""One stranger stops nobody: the served program, everything that was ever found to hold up its loop, and how
long another visitor waits meanwhile."""

import asyncio
import json
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.bench.seed import COMMON, many_chats
from tests.slow.floods import FLOODS, flooding
from tests.slow.served import served
from tests.slow.visitor import Visitor

pytestmark = pytest.mark.slow

MOST_MS = 100.0
"""CPU time of the loop's thread in one go."""
MOST_BYTES = 60_000_000
"""That an attack may leave in memory, the import of an SDK (some 40 MB) among it."""
TOKEN = "a-token-of-these-tests-alone"
CHATS = 4000


@dataclass
class Site:
    url: str
    watch: int
    client: httpx2.AsyncClient
    left: defaultdict[str, asyncio.Event]
    waits: list[float] = field(default_factory=list)
    """Seconds in which another visitor was answered."""

    async def worst(self) -> tuple[float, int]:
        """The longest piece of work since the last call, in milliseconds; the memory in bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.watch)
        lag, memory = (await reader.readline()).split()
        writer.close()
        return float(lag), int(memory)

    async def ask(self, question: str, **more: Any) -> list[dict[str, Any]]:
        """The frames of an answer."""
        body = {"message": question, "model": "up:any", **more}
        answer = await self.client.post("/chat/stream", json=body)
        assert answer.status_code == 200, answer.text
        lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
        return [json.loads(line) for line in lines]

    async def chats(self, **query: Any) -> Any:
        return (await self.client.get("/chats", params=query)).json()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    database = tmp_path / "chat.db"
    environ = {"WATCH_PORT": str(port), "CHAT_TOKEN": TOKEN, "CHAT_MODEL": "up:any"}
    async with flooding() as (vendor, left):
        await many_chats(database, "local", CHATS)
        program = "tests/slow/watched_app.py"
        async with (
            served(database, vendor, program=program, **environ) as app,
            httpx2.AsyncClient(
                base_url=app.url, timeout=120, headers={"Authorization": f"Bearer {TOKEN}"}
            ) as client,
        ):
            site = Site(app.url, port, client, left)
            await site.ask("hello")  # imports what is needed for it
            await site.chats(search="hello")
            yield site


async def export(site: Site) -> None:
    await site.ask("~~~a\n" * 19_000 + " hello")
    (chat,) = (await site.chats(limit=1))["chats"]
    files = [site.client.get(f"/chats/{chat['id']}/export.{kind}") for kind in ("md", "json") * 3]
    assert {answer.status_code for answer in await asyncio.gather(*files)} <= {200, 429}


async def nested(site: Site) -> None:
    deep = "[[],[]," * 120_000
    for body in (f'{{"data": [{deep}[]', "[" * 900_000, json.dumps({"data": [[[]] * 200_000]})):
        headers = {"Content-Type": "application/json"}
        answer = await site.client.post("/gradio_api/queue/join", content=body, headers=headers)
        assert answer.status_code < 500
        answer = await site.client.post("/chat/stream", content=body, headers=headers)
        assert 400 <= answer.status_code < 500


async def search(site: Site) -> None:
    words = [COMMON, "e", "zz", f"{COMMON} zz", "the weather is good", "%", "word1", "no such words"]
    found = await asyncio.gather(*(site.client.get("/chats", params={"search": word}) for word in words * 2))
    assert {answer.status_code for answer in found} <= {200, 429}


async def expensive(site: Site) -> None:
    """Small requests to whatever costs something."""
    (chat,) = (await site.chats(limit=1))["chats"]
    paths = [
        "/chats?limit=500",
        f"/state?chat={chat['id']}",
        f"/chats/{chat['id']}/export.md",
        "/openapi.json",
        "/config",
        "/v1/models",
        "/",
    ]
    await asyncio.gather(*(site.client.get(path) for path in paths * 15))


async def long_chat(site: Site) -> None:
    """Questions of the greatest length, again and again in one chat, each with all that was said before."""
    chat = ""
    for _ in range(12):
        more = {"conversation": chat} if chat else {}
        await site.ask("a b " * 24_000 + " hello", system="x " * 49_000, **more)
        chat = (await site.chats(limit=1))["chats"][0]["id"]
    (await site.client.get(f"/chats/{chat}/export.json")).raise_for_status()


def flood(name: str) -> Callable[[Site], Awaitable[None]]:
    async def attack(site: Site) -> None:
        frames = await site.ask(name)
        assert frames[-1] == {"done": True}
        if name in ("words", "letters", "thoughts", "both", "arguments"):
            assert frames[-2]["kind"] == "answer_too_long", frames[-2]
            await asyncio.wait_for(site.left[name].wait(), 20)

    return attack


def drawn(name: str) -> Callable[[Site], Awaitable[None]]:
    async def attack(site: Site) -> None:
        async with Visitor(site.url) as visitor:
            await asyncio.wait_for(await visitor.ask(name), 120)

    return attack


ATTACKS: dict[str, Callable[[Site], Awaitable[None]]] = {
    "export": export,
    "nested": nested,
    "search": search,
    "expensive": expensive,
    "long chat": long_chat,
    **{f"flood of {name}": flood(name) for name in FLOODS if name not in ("hello", "comments")},
    **{f"page with {name}": drawn(name) for name in ("words", "letters", "both", "fences", "calls")},
}


async def test_nobody_waits_for_a_stranger(site: Site) -> None:
    async def another(client: httpx2.AsyncClient) -> None:
        """A visitor who looks at the page meanwhile."""
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            (await client.get("/state")).raise_for_status()
            site.waits.append(clock() - began)

    found: dict[str, str] = {}
    async with httpx2.AsyncClient(base_url=site.url, timeout=60) as client:
        for name, attack in ATTACKS.items():
            site.waits.clear()
            _, before = await site.worst()
            other = asyncio.create_task(another(client))
            try:
                await attack(site)
            except Exception as error:
                found[name] = repr(error)
            finally:
                other.cancel()
                await asyncio.wait([other])
            lag, after = await site.worst()
            told = f"{lag:.0f} ms, {(after - before) / 1e6:.1f} MB, {max(site.waits, default=99):.2f} s"
            print(f"{name}: {told}", flush=True)  # for whoever runs it with -s
            if lag > MOST_MS or after - before > MOST_BYTES or not site.waits:
                found[name] = told
    assert not found
