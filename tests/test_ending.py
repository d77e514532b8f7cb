"""A real process is told to end in the middle of answers: they end, they are kept, and it leaves in time."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chat.owners import LOCAL
from chat.store import open_store

ROOT = Path(__file__).parent.parent
SECONDS = 5.0
"""That the process may take to end, whatever else the machine does."""

# app.py as it is, but for questions that are there when it starts; says when each has some text.
ASKED = """
import asyncio
import app, chat.ui
from chat.messages import Options
from chat.owners import LOCAL

mount, tasks = chat.ui.mount, []

async def ask(opened, owner):
    conversation = opened.store.new(owner)
    run = await opened.runs.ask(conversation, "private question", Options(model="demo:tour"))
    async for _ in run.follow():
        if run.transcript.length > 40:
            break
    print("said", len(run.transcript.text), flush=True)

def asking(parent, opened):
    for owner in (LOCAL, "somebody"):
        tasks.append(asyncio.get_running_loop().create_task(ask(opened, owner)))
    return mount(parent, opened)

chat.ui.mount = asking
app.run()
"""


@contextmanager
def writing(folder: Path, *, before: str = "", **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A server in which two answers are being written, each of another owner. `before`: code to run first."""
    process = subprocess.Popen(
        [sys.executable, "-c", before + ASKED],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "CHAT_LOCAL": "0",
            "CHAT_DEMO_PACE": "3",
            "CHAT_DATABASE": str(folder / "chat.db"),
            "GRADIO_SERVER_PORT": "0",
            **environ,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = 0
        while said < 2:
            line = process.stdout.readline()
            assert line, process.communicate(timeout=10)
            said += line.startswith("said")
        yield process
    finally:
        process.kill()
        process.communicate()


def told_to_end(process: subprocess.Popen[str]) -> str:
    """What it had logged when it was gone."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    took = time.monotonic() - began
    assert process.returncode == 0, err
    assert took < SECONDS
    return err


async def test_answers_are_interrupted_and_kept(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        log = told_to_end(process)
    assert log.count('"outcome": "interrupted"') == 2
    for private in ("private question", "somebody", "Traceback"):
        assert private not in log
    async with open_store(tmp_path / "chat.db") as store:
        for owner in (LOCAL, "somebody"):
            (chat,) = await store.chats(owner)
            conversation = await store.open(owner, chat.id)
            assert conversation is not None
            (exchange,) = conversation.exchanges
            assert exchange.question == "private question"
            assert exchange.transcript.state == "interrupted"
            assert exchange.transcript.length > 40
            failure = exchange.transcript.failure
            assert failure is not None
            assert "shut down" in failure.message


@pytest.mark.slow
async def test_it_leaves_in_time_when_the_database_is_locked(tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    with writing(tmp_path) as process, closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told_to_end(process)
    async with open_store(database) as store:
        (chat,) = await store.chats(LOCAL)
        conversation = await store.open(LOCAL, chat.id)
        assert conversation is not None
        (exchange,) = conversation.exchanges
        assert exchange.transcript.state == "interrupted"
        assert exchange.transcript.length
