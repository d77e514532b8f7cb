"""app.py in a process of its own, with the loopback vendor `up`: its address, its id, all that it said."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds for a process to start, or to end."""


@dataclass
class Served:
    process: asyncio.subprocess.Process
    url: str = ""
    key: str = ""
    """What stands behind the address printed at start, and makes a browser the owner at this machine."""
    said: list[str] = field(default_factory=list)
    """Every line of its output and of its log."""

    @property
    def pid(self) -> int:
        return self.process.pid

    async def end(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


@contextlib.asynccontextmanager
async def served(
    database: Path, upstream: str, *, program: str = "app.py", **environ: str
) -> AsyncIterator[Served]:
    """From its address until the end of the block, unless it was ended before."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / program)),
        cwd=database.parent,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(database.parent),
            "PYTHONPATH": str(ROOT),
            "CHAT_DATABASE": str(database),
            "CHAT_ENDPOINTS": f"up={upstream}/v1",
            "CHAT_MODEL": "up:asked",
            "CHAT_LOCAL": "0",
            "GRADIO_SERVER_PORT": "0",
            **environ,
        },
        stdout=PIPE,
        stderr=STDOUT,
    )
    app, ready = Served(process), asyncio.Event()

    async def listen() -> None:
        assert process.stdout
        while line := (await process.stdout.readline()).decode():
            app.said.append(line)
            if not app.url and "http://" in line:
                printed = line[line.index("http://") :].split()[0]
                app.url, _, app.key = printed.partition("/?")
                ready.set()
        ready.set()

    listening = asyncio.create_task(listen())
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE)
        assert app.url, "".join(app.said)
        yield app
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
            await listening
