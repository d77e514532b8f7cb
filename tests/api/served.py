"""The HTTP face over a vendor made of scripts, served by a real uvicorn on loopback.

httpx's own ASGI transport would hold a stream back until its end, and these tests are about when it comes.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from chat.api.door import Door
from chat.api.gate import Gate
from chat.api.mount import mount
from chat.api.proxies import Proxies
from chat.build import App, open_app, runs_of
from chat.catalogue import Catalogue
from chat.engine import Engine
from chat.logins import Logins
from chat.settings import Settings
from chat.tools import Tool, Tools
from tests.scripted import Scripted


@dataclass
class Served:
    app: App
    vendor: Scripted
    url: str
    client: httpx.AsyncClient

    def cookie(self, owner: str = "me") -> dict[str, str]:
        return {"Cookie": f"{self.app.owners.name}={self.app.owners.cookie(owner)}"}

    async def post(self, path: str, body: Any, owner: str = "me", **headers: str) -> httpx.Response:
        """The whole answer. `headers` with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, json=body, headers=self.cookie(owner) | named)

    async def get(self, path: str, owner: str = "me", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(path, headers=self.cookie(owner) | named)


@asynccontextmanager
async def served(
    *scripts: Any,
    tools: tuple[Tool, ...] = (),
    heartbeat: float = 5,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Served]:
    """The face over an app whose one vendor, `acme`, plays `scripts`."""
    settings = Settings.read(
        {"CHAT_LOCAL": "0", "CHAT_DATABASE": ":memory:", "CHAT_MODEL": "acme:one", **(environ or {})}
    )
    vendor = Scripted(list(scripts))
    async with open_app(settings) as opened:
        catalogue, known = Catalogue(settings, {"acme": vendor}), Tools(settings, tools)
        engine = Engine(settings, catalogue, known)
        runs = runs_of(engine, opened.store, settings)
        app = replace(opened, catalogue=catalogue, tools=known, runs=runs)
        parent = FastAPI(openapi_url=None)
        mount(parent, app, heartbeat=heartbeat)
        if settings.login:
            logins = Logins(settings.users, app.owners)
            parent.add_middleware(Door, settings=settings, owners=app.owners, logins=logins)
        local = settings.loopback and not (settings.public or settings.proxies)
        parent.add_middleware(Gate, local=local, hosts=settings.hosts)
        secret = settings.proxy_secret.value if settings.proxy_secret else ""
        parent.add_middleware(Proxies, named=settings.proxies, secret=secret, space=settings.space)
        async with listening(parent) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
            try:
                yield Served(app, vendor, url, client)
            finally:
                await runs.aclose()  # first: the server waits for its streams


@asynccontextmanager
async def listening(asgi: Any, **config: Any) -> AsyncIterator[str]:
    """The address of `asgi`, on this loop, until the end of the block."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            asgi,
            log_level="error",
            proxy_headers=False,
            ws="wsproto",
            timeout_graceful_shutdown=1,
            **config,
        )
    )
    serving = asyncio.create_task(server._serve([bound]))  # not `serve`: the tests keep their signals
    try:
        while not server.started:
            await asyncio.sleep(0.001)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        bound.close()
