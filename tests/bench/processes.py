"""The processes that are compared: starting them, the time to their first page, their CPU time.

`Server` is one web app; `running` starts it and waits for its page. CPU is read per thread from
/proc where there is one (nanoseconds), else from psutil (hundredths of a second).
"""

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from chat.owners import COOKIE, Owners

ROOT = Path(__file__).parents[2]
SECRET = "the bench's own secret"
"""Signs the cookies of the servers started here, so that the bench can be whom it wants to be."""
PATIENCE = 60.0
"""Seconds for a process to show its first page."""


@dataclass(frozen=True)
class Server:
    name: str
    url: str
    pid: int
    first_page: float
    """Seconds from the start of the process to its page."""

    def cpu(self) -> float:
        """CPU seconds that the process has used so far."""
        total = 0
        try:
            for task in Path(f"/proc/{self.pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError):  # a thread that ended just now
                    total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            times = psutil.Process(self.pid).cpu_times()
            return times.user + times.system
        return total / 1e9


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def cookie(owner: str) -> dict[str, str]:
    """What makes a client of a server started here the owner `owner`."""
    return {COOKIE: Owners(SECRET.encode()).cookie(owner)}


def command(name: str, upstream: str, port: int, database: Path) -> tuple[Sequence[str], dict[str, str]]:
    """How to start a page, and its environment, without a word of the person's own settings.

    `ours`; `bare`; `documents`, which is a relay and no page; or `unsaved`, ours but for what it never saves.
    """
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env |= {"GRADIO_ANALYTICS_ENABLED": "False", "PYTHONPATH": str(ROOT)}
    if name in ("bare", "documents"):
        return (sys.executable, "-m", f"tests.bench.{name}", f"{upstream}/v1", str(port)), env
    env |= {
        "CHAT_ENDPOINTS": f"bench={upstream}/v1",
        "CHAT_MODEL": "bench:asked",
        "CHAT_LOCAL": "0",
        "CHAT_DATABASE": str(database),
        "CHAT_SECRET": SECRET,
        "GRADIO_SERVER_PORT": str(port),
    }
    program = ("-m", "tests.bench.unsaved") if name == "unsaved" else (str(ROOT / "app.py"),)
    return (sys.executable, *program), env


@contextlib.asynccontextmanager
async def running(
    name: str, upstream: str, database: Path | None = None, **environ: str
) -> AsyncIterator[Server]:
    """What `command` names in a process of its own, from its start until the end of the block.

    It runs in an empty folder, so that no `.env` is read. `database`: one that is there already. `environ`:
    more settings of ours.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="runnel-bench-") as folder, tempfile.TemporaryFile() as said:
        args, env = command(name, upstream, port, database or Path(folder) / "chat.db")
        env |= environ
        begun = time.perf_counter()
        process = await asyncio.create_subprocess_exec(*args, env=env, cwd=folder, stdout=said, stderr=said)
        try:
            url = f"http://127.0.0.1:{port}"
            await _first_page(url, process, begun)
            yield Server(name, url, process.pid, time.perf_counter() - begun)
        except Exception as error:
            said.seek(0)
            error.add_note(said.read()[-3000:].decode(errors="replace"))
            raise
        finally:
            await _end(process)


async def _first_page(url: str, process: asyncio.subprocess.Process, begun: float) -> None:
    async with httpx2.AsyncClient() as client:
        while time.perf_counter() - begun < PATIENCE:
            if process.returncode is not None:
                raise RuntimeError(
                    f"the server at {url} ended with {process.returncode} before its first page"
                )
            with contextlib.suppress(httpx2.TransportError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.01)
    raise RuntimeError(f"no page at {url} after {PATIENCE:g} s")


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[str]:
    """`tests.upstream` in a process of its own: its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.upstream", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
