"""No key is seen anywhere: sentinels for keys, every fault a vendor can play, and then a search.

The app runs at DEBUG in a process of its own, with a key of every vendor for its owner alone, and a visitor
who brought some. Both ask, on the page and over HTTP, what the upstream answers with the key in its error,
cuts off, stalls or garbles. Then all that came out is searched for each key, its beginning and its end:
output and log, answers and their headers, pages, exports, files.
"""

import asyncio
import hashlib
import io
import logging
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

import app as main
from chat import build
from chat.providers.vendors import VENDORS
from chat.server import Server
from chat.settings import Settings
from tests.sentinel_app import Everywhere
from tests.slow.visitor import Visitor
from tests.upstream import Upstream

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0
AT_ONCE = 12


def sentinel(name: str, prefix: str = "") -> str:
    """A key like no other, in letters that no pattern knows."""
    return prefix + hashlib.sha256(name.encode()).hexdigest()[:40]


SETTINGS = {vendor.key: sentinel(vendor.key) for vendor in VENDORS if vendor.key}
SETTINGS |= {name: sentinel(name) for name in ("OWN_BOX_API_KEY", "CHAT_TOKEN", "CHAT_SECRET")}
BROUGHT = {name: sentinel(f"a visitor's {name}") for name in ("openai", "anthropic", "groq", "own-box")}
REFUSED = {"groq": f"{sentinel('refused')[:20]}refused{sentinel('refused')[-20:]}"}
HOSTS = {
    "openai": "api.openai.com",
    "anthropic": "api.anthropic.com",
    "groq": "api.groq.com",
    "own-box": "box",
}
ASKED = ("openai", "openai-chat", "anthropic", "groq", "own-box")

ECHOES = ("echo", "echo-pieces", "error-echo-after-3")
ALL = (
    *ECHOES,
    *("400", "401", "403", "404", "429-0", "429-3600", "500", "503", "529", "html-502", "json-error", "json"),
    *(
        "empty-body",
        "temperature",
        "context",
        "silence",
        "error",
        "error-echo",
        "error-after-3",
        "error-nested",
    ),
    *(
        "failed",
        "reset",
        "reset-after-3",
        "close",
        "cut",
        "cut-after-3",
        "broken-json",
        "broken-utf8-after-3",
    ),
    *("silence-after-3", "pings", "nothing", "trickle"),
)


@dataclass
class Open:
    """The app, and all that came out of it."""

    url: str = ""
    key: str = ""
    out: list[str] = field(default_factory=list)

    def heard(self, answer: httpx2.Response) -> httpx2.Response:
        self.out += [answer.text, repr(answer.headers.raw)]
        return answer

    def at(self, line: str) -> None:
        """Takes the address as it is printed at start."""
        printed = line[line.index("http://") :].split()[0]
        self.url, _, self.key = printed.partition("/?")


Opens = Callable[[Path, Upstream], AbstractAsyncContextManager[Open]]
ENVIRON = {
    **{"GRADIO_SERVER_PORT": "0", "CHAT_PUBLIC": "1", "CHAT_RATE": "100000/minute", "CHAT_LOCAL": "0"},
    **{"CHAT_FIRST_EVENT_TIMEOUT": "0.6", "CHAT_IDLE_TIMEOUT": "0.6", "CHAT_RUNS_EACH": "40"},
    **{"CHAT_ENDPOINTS": "own-box=http://box/v1", "CHAT_LOG_TEXT": "1"},
    **SETTINGS,
}


@asynccontextmanager
async def apart(folder: Path, upstream: Upstream) -> AsyncIterator[Open]:
    """In a process of its own, with all its output."""
    debug = {"OPENAI_LOG": "debug", "ANTHROPIC_LOG": "debug", "PYTHONASYNCIODEBUG": "1"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.sentinel_app", str(upstream.port)),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **debug, **ENVIRON},
        stdout=PIPE,
        stderr=STDOUT,
        limit=2**24,
    )
    app, ready = Open(), asyncio.Event()

    async def listen() -> None:
        assert process.stdout
        while line := (await process.stdout.readline()).decode():
            app.out.append(line)
            if not app.url and "Runnel is at http://" in line:
                app.at(line)
                ready.set()
        ready.set()

    listening = asyncio.create_task(listen())
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE)
        assert app.url, "".join(app.out)
        yield app
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE)
        await listening


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Opens]:
    """In the test's own process, which has imported most of it already."""
    started: asyncio.Queue[Server] = asyncio.Queue()

    async def serve(self: Server) -> None:
        started.put_nowait(self)
        await self._serve([self._bound])  # without taking the signals over

    @asynccontextmanager
    async def opened(folder: Path, upstream: Upstream) -> AsyncIterator[Open]:
        transport = Everywhere(upstream.port)
        monkeypatch.setattr(build, "open_app", partial(build.open_app, transport=transport))
        monkeypatch.setattr(Server, "serve", serve)
        serving = asyncio.create_task(main.serve(Settings.read(ENVIRON)))
        opened, printed = Open(), ""
        server = await started.get()
        while "\n" not in printed:
            await asyncio.sleep(0.01)
            printed += capsys.readouterr().out
        opened.at(printed)
        yield opened
        server.should_exit = True
        await asyncio.wait_for(serving, PATIENCE)
        opened.out += [printed, *capsys.readouterr(), log.getvalue()]

    log, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(log), root.level
    handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield opened
    root.removeHandler(handler)
    root.setLevel(level)


async def brings(visitor: Visitor, app: Open) -> None:
    for vendor, key in BROUGHT.items():
        answer = app.heard(await visitor.send("PUT", f"/keys/{vendor}", json={"key": key}))
        assert answer.status_code == 200, answer.text
    for vendor, key in REFUSED.items():
        refused = app.heard(await visitor.send("PUT", f"/keys/{vendor}", json={"key": key}))
        assert refused.status_code == 422
        # Where keys do not belong, and what reads no key.
        for path in ("/chat/stream", "/v1/chat/completions", "/chats/1", "/keys/nobody", "/keys/demo"):
            for method in ("PUT", "POST", "PATCH"):
                app.heard(
                    await visitor.send(method, path, json={"key": key, "messages": key, "title": [key]})
                )


async def asks(visitor: Visitor, app: Open, models: Iterable[str]) -> None:
    """Each model, over two of the routes."""
    few = asyncio.Semaphore(AT_ONCE)

    async def streams(model: str) -> None:
        answer = app.heard(
            await visitor.send("POST", "/chat/stream", json={"message": "Hello", "model": model})
        )
        assert answer.status_code == 200, answer.text
        run = answer.headers["run-id"]
        app.heard(await visitor.get(f"/runs/{run}/events"))

    async def completes(model: str) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        app.heard(await visitor.send("POST", "/v1/chat/completions", json=body))

    async def one(ask: Callable[[str], Awaitable[None]], model: str) -> None:
        async with few:
            await ask(model)

    await asyncio.gather(*(one(each, model) for model in models for each in (streams, completes)))


async def looks(visitor: Visitor, app: Open) -> None:
    """All that can be read."""
    paths = ["/", "/config", "/openapi.json", "/state", "/keys", "/v1/models", "/readyz"]
    chats = await visitor.chats(limit="60")
    paths += [f"/chats/{chat['id']}/export.{kind}" for chat in chats for kind in ("md", "json")]
    for path in paths:
        app.heard(await visitor.get(path))


def found(places: dict[str, bytes], keys: Iterable[str]) -> list[str]:
    """Where a key, its beginning or its end stands."""
    places = {name: text.lower() for name, text in places.items()}
    pieces = [(key, piece.encode()) for key in keys for piece in (key[:12], key[-8:])]
    return [
        f"{key} in {name}: {text[max(0, text.index(piece) - 200) :][:300]!r}"
        for name, text in places.items()
        for key, piece in pieces
        if piece in text
    ]


async def searched(opens: Opens, tmp_path: Path, models: list[str], on_page: Iterable[str]) -> None:
    heard: list[str] = []
    async with (
        Upstream() as upstream,
        opens(tmp_path, upstream) as app,
        Visitor(app.url) as visitor,
        Visitor(app.url, app.key) as owner,
    ):
        await brings(visitor, app)
        await asyncio.gather(*(asks(each, app, models) for each in (visitor, owner)))
        for model in on_page:
            visitor.values[0] = owner.values[0] = model
            for each in (visitor, owner):
                await asyncio.wait_for(await each.ask("Hello"), PATIENCE)
        for each in (visitor, owner):
            await looks(each, app)
            heard += each.heard
    sent: dict[str, set[str]] = {}
    for request in upstream.requests:
        headers = request.headers
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        sent.setdefault(key, set()).add(headers["x-asked-of"])
    # What this test would not see anything without: the keys were used, each for its vendor, and told back.
    for name, key in BROUGHT.items():
        assert sent[key] == {HOSTS[name]}
    for vendor in VENDORS:
        hosts = sent.get(SETTINGS[vendor.key], set()) if vendor.key else set()
        assert len(hosts) == 1 or (not hosts and vendor.name not in HOSTS)
    assert len(upstream.replies) >= len(models) * 4
    said = "".join(app.out)
    assert "DEBUG:" in said
    assert "does not accept" in said
    everything: dict[str, Any] = {"what the app said": said, "what pages heard": "".join(heard)}
    places = {name: text.encode() for name, text in everything.items()}
    places |= {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(path.endswith(".db") for path in places)
    assert found(places, [*SETTINGS.values(), *BROUGHT.values(), *REFUSED.values()]) == []


async def test_no_key_is_seen_whatever_a_vendor_says_of_it(here: Opens, tmp_path: Path) -> None:
    models = [f"{vendor}:fault-{fault}" for vendor in ASKED[:3] for fault in ECHOES]
    await searched(here, tmp_path, models, models[:1])


@pytest.mark.slow
async def test_no_key_is_seen_whatever_fails(tmp_path: Path) -> None:
    models = [f"{vendor}:fault-{fault}" for vendor in ASKED for fault in ALL]
    await searched(apart, tmp_path, models, [model for model in models if "echo" in model])


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--events"]])
async def test_the_terminal_shows_no_key(tmp_path: Path, more: list[str]) -> None:
    key = SETTINGS["OPENAI_API_KEY"]
    async with Upstream() as upstream:
        environ = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": f"{upstream.url}/v1", "CHAT_LOCAL": "0"}
        said = b""
        for fault in ECHOES:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "chat", *more, "--model", f"openai-chat:fault-{fault}", "Hello"),
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OPENAI_LOG": "debug", **environ},
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
            )
            said += (await process.communicate())[0]
        assert upstream.replies[0].headers["authorization"] == f"Bearer {key}"
    assert b"OpenAI" in said
    assert found({"the terminal": said}, [key]) == []
