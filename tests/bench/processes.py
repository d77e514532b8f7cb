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

ROOT = Path(__file__).parents[2]
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


def command(name: str, upstream: str, port: int) -> tuple[Sequence[str], dict[str, str]]:
    """How to start `ours` or `bare`, and its environment, without a word of the person's own settings."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env["GRADIO_ANALYTICS_ENABLED"] = "False"
    if name == "bare":
        return (sys.executable, "-m", "tests.bench.bare", f"{upstream}/v1", str(port)), env
    env |= {
        "CHAT_ENDPOINTS": f"bench={upstream}/v1",
        "CHAT_MODEL": "bench:asked",
        "CHAT_LOCAL": "0",
        "GRADIO_SERVER_PORT": str(port),
    }
    return (sys.executable, "app.py"), env


@contextlib.asynccontextmanager
async def running(name: str, upstream: str) -> AsyncIterator[Server]:
    """`ours` or `bare` in a process of its own, from its start until the end of the block."""
    port = free_port()
    args, env = command(name, upstream, port)
    with tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        process = await asyncio.create_subprocess_exec(*args, env=env, cwd=ROOT, stdout=said, stderr=said)
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
