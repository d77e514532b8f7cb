"""A process that talks as a server does, without a page: quick to start, and made to be killed.

`python -m tests.slow.talker` opens the app from its environment and does what each line of its input says:

    {"ask": QUESTION, "owner": WHO, "chat": ID}   {"asked": QUESTION, "chat": ID, "run": ID} at once and,
                                                  when it is over, {"over": RUN, "state": …, "text": …}
    {"open": ID, "owner": WHO}                    {"opened": ID, "exchanges": [[question, state, text], …]}

The end of its input ends it properly. `Talker` is the other side of that, for the tests.
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat.build import App, open_app
from chat.messages import Options
from chat.run import Run
from chat.settings import Settings

PATIENCE = 60.0
"""Seconds for one answer of the process, whatever else the machine does."""


# -- the process -----------------------------------------------------------------------------------


def _say(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


async def _over(run: Run) -> None:
    await run.finished()
    _say(over=run.id, state=run.state, text=run.transcript.text)


async def _do(app: App, told: dict[str, str], running: "asyncio.TaskGroup") -> None:
    owner = told.get("owner", "somebody")
    if "open" in told:
        found = await app.store.open(owner, told["open"])
        said = [] if found is None else found.exchanges
        exchanges = [(each.question, each.transcript.state, each.transcript.text) for each in said]
        _say(opened=told["open"], exchanges=exchanges)
        return
    found = await app.store.open(owner, told["chat"]) if told.get("chat") else app.store.new(owner)
    assert found is not None, f"no such chat: {told}"
    run = await app.runs.ask(found, told["ask"], Options(model=app.settings.model))
    _say(asked=told["ask"], chat=found.id, run=run.id)
    running.create_task(_over(run))


async def main() -> None:
    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    async with asyncio.TaskGroup() as running, open_app(Settings.load(None)) as app:
        _say(ready=os.getpid())
        while line := await told.readline():
            await _do(app, json.loads(line), running)


# -- for the tests ---------------------------------------------------------------------------------


@dataclass
class Asked:
    chat: str
    run: str


class Talker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._heard: dict[str, asyncio.Future[dict[str, Any]]] = defaultdict(
            asyncio.get_running_loop().create_future
        )
        self._listening = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, question: str, *, owner: str = "somebody", chat: str = "") -> Asked:
        """`question` should be said once only."""
        self._tell(ask=question, owner=owner, chat=chat)
        said = await self._hear(f"asked {question}")
        return Asked(said["chat"], said["run"])

    async def over(self, run: str) -> tuple[str, str]:
        """State and text of the run, when it is over."""
        said = await self._hear(f"over {run}")
        return said["state"], said["text"]

    async def open(self, chat: str, *, owner: str = "somebody") -> list[tuple[str, str, str]]:
        """Question, state and text of each exchange."""
        self._heard.pop(f"opened {chat}", None)
        self._tell(open=chat, owner=owner)
        return [(q, s, t) for q, s, t in (await self._hear(f"opened {chat}"))["exchanges"]]

    async def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        await self._process.wait()
        await self._listening

    async def aclose(self) -> int:
        """Ends it properly, if it lives. Its exit code."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            code = await asyncio.wait_for(self._process.wait(), PATIENCE)
        finally:
            if self._process.returncode is None:
                self._process.kill()
        await self._listening
        return code

    def _tell(self, **told: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(told).encode() + b"\n")

    async def _hear(self, what: str) -> dict[str, Any]:
        return await asyncio.wait_for(asyncio.shield(self._heard[what]), PATIENCE)

    async def _listen(self) -> None:
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            kind = next(kind for kind in ("ready", "asked", "over", "opened") if kind in said)
            key = kind if kind == "ready" else f"{kind} {said[kind]}"
            self._heard[key].set_result(said)
        for future in self._heard.values():  # it is gone: nobody need wait longer
            if not future.done():
                future.set_exception(EOFError("the talker is gone"))
                future.exception()


@contextlib.asynccontextmanager
async def talker(database: Path, upstream: str) -> AsyncIterator[Talker]:
    """A new one on `database`, with the vendor at `upstream`; ready to be told."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.slow.talker"),
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "CHAT_DATABASE": str(database),
            "CHAT_ENDPOINTS": f"up={upstream}/v1",
            "CHAT_MODEL": "up:asked",
            "CHAT_LOCAL": "0",
            "CHAT_RUNS_EACH": "100",
        },
        stdin=PIPE,
        stdout=PIPE,
        limit=10_000_000,
    )
    talking = Talker(process)
    try:
        await talking._hear("ready")
        yield talking
    finally:
        if process.returncode is None:
            await talking.aclose()


if __name__ == "__main__":
    asyncio.run(main())
