"""A process with many readers is told to end: each stream has its end at once, and the process is gone."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chat.store import open_store
from tests.test_app import ROOT, address, started
from tests.test_ending import SECONDS, told_to_end, writing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no such signals there")

STREAMS = 20
END_S, BUSY_END_S = 0.5, 1.0
"""From the signal to the end of the last stream; the second on a machine that has other things to do."""
CPU_S = 0.3
"""Of the process after the signal. Taking Python apart alone takes twice as much."""


@contextmanager
def burning(count: int) -> Iterator[None]:
    """As many processes that do nothing but use the machine, for a while."""
    code = "import time\nend = time.time() + 30\nwhile time.time() < end: pass"
    burners = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(count)]
    try:
        yield
    finally:
        for each in burners:
            each.kill()
            each.wait()


class Reader:
    """Asks over a connection of its own and reads to the end."""

    def __init__(self, url: str) -> None:
        self.port = urlsplit(url).port
        self.some, self.ended = asyncio.Event(), 0.0
        self.data = b""

    async def read(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request({"message": "Tell me all", "model": "demo:tour"}))
        while chunk := await reader.read(65536):
            self.data += chunk
            if self.data.count(b'"content"') > 2:
                self.some.set()
            if b"[DONE]" in chunk:
                self.ended = time.monotonic()
        writer.close()


def request(body: dict[str, object], way: str = "/chat/stream") -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {way} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def cpu(process: int) -> float:
    """Seconds of CPU that it has used. Of Linux."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reaped() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.skipif(sys.platform != "linux", reason="CPU of a process is read as Linux has it")
@pytest.mark.slow
@pytest.mark.parametrize("busy", [0, 8])
async def test_every_stream_has_its_end_and_nothing_is_done_after_it(tmp_path: Path, busy: int) -> None:
    environ: dict[str, Any] = {
        "CHAT_RUNS_EACH": "100",
        "CHAT_DATABASE": str(tmp_path / "chat.db"),
        "CHAT_DEMO_PACE": "3",
    }
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(started(tmp_path, log=subprocess.DEVNULL, **environ))
        url = address(process)
        readers = [Reader(url) for _ in range(STREAMS)]
        reading = [asyncio.create_task(each.read()) for each in readers]
        async with asyncio.timeout(60):
            await asyncio.gather(*(each.some.wait() for each in readers))
        for _ in range(3):  # pages that are open, and somebody who never says what is wanted
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", urlsplit(url).port)))
            idle.sendall(b"GET /gradio_api/heartbeat/abcdefghij HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        slow = stack.enter_context(socket.create_connection(("127.0.0.1", urlsplit(url).port)))
        slow.sendall(b"POST /chat/stream HTTP/1.1\r\n")
        stack.enter_context(burning(busy))
        used, children, began = cpu(process.pid), reaped(), time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0
        took = time.monotonic() - began
        used = reaped() - children - used
        await asyncio.gather(*reading)
    assert max(each.ended for each in readers) - began < (BUSY_END_S if busy else END_S)
    for each in readers:
        assert b"shut down" in each.data
    assert took < SECONDS
    assert used < CPU_S
    async with open_store(tmp_path / "chat.db") as store:
        with closing(sqlite3.connect(tmp_path / "chat.db")) as database:
            states = database.execute("SELECT state, count(*) FROM runs GROUP BY state").fetchall()
        assert states == [("interrupted", STREAMS)]
        assert not store.trouble


STUBBORN = """
import asyncio
import chat.providers.demo.player as player

async def stream(self, request):
    from chat.events import TextDelta
    yield TextDelta("x" * 50)
    while True:
        try:
            await asyncio.sleep(3600)
        except (asyncio.CancelledError, GeneratorExit):
            pass

player.Demo.stream = stream
"""


@pytest.mark.slow
async def test_a_provider_that_does_not_let_go_holds_nobody_up(tmp_path: Path) -> None:
    with writing(tmp_path, before=STUBBORN) as process:
        log = told_to_end(process)
    assert log.count('"outcome": "interrupted"') == 2
    async with open_store(tmp_path / "chat.db") as store:
        for owner in ("local", "somebody"):
            (chat,) = await store.chats(owner)
            conversation = await store.open(owner, chat.id)
            assert conversation is not None
            assert conversation.exchanges[0].transcript.text == "x" * 50
            failure = conversation.exchanges[0].transcript.failure
            assert failure is not None
            assert "shut down" in failure.message


@pytest.mark.slow
async def test_a_second_signal_does_not_end_it_before_it_has_saved(tmp_path: Path) -> None:
    """Nor does any of the dozen that follow: supervisors and people are impatient."""
    database = tmp_path / "chat.db"
    with writing(tmp_path) as process, closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began, count = time.monotonic(), 0
        while process.poll() is None:
            process.send_signal(signal.SIGINT if count % 2 else signal.SIGTERM)
            count += 1
            if other.in_transaction and time.monotonic() - began > 1.5:
                other.execute("ROLLBACK")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        assert process.returncode == 0
        assert time.monotonic() - began < SECONDS
        assert not other.in_transaction
        states = other.execute("SELECT state FROM runs").fetchall()
    assert states == [("interrupted",)] * 2


@pytest.mark.slow
async def test_a_signal_while_it_starts_ends_it(tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    with started(tmp_path, CHAT_DATABASE=str(database)) as process:
        async with asyncio.timeout(60):
            while not database.exists():
                await asyncio.sleep(0.01)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.to_thread(process.communicate, timeout=30)
        assert time.monotonic() - began < SECONDS
        assert (process.returncode, err) == (0, "")
    async with open_store(database) as store:
        assert await store.saved(5)
        assert not store.trouble


@pytest.mark.slow
async def test_a_reader_who_reads_nothing_holds_nobody_up(tmp_path: Path) -> None:
    environ: dict[str, Any] = {"CHAT_DATABASE": str(tmp_path / "chat.db"), "CHAT_DEMO_PACE": "0"}
    with started(tmp_path, log=subprocess.DEVNULL, **environ) as process:
        url = address(process)
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                one = stack.enter_context(socket.socket())
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.connect(("127.0.0.1", urlsplit(url).port))
                one.sendall(request({"message": "echo " + "x" * 90_000, "model": "demo:tour"}))
                one.recv(1)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 30) == 0
            assert time.monotonic() - began < SECONDS


def test_what_hangs_is_ended_by_the_deadline(tmp_path: Path) -> None:
    code = "from chat import ending\nending.at_latest(0.2)\nwhile True: pass"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS
    )
    assert found.returncode == 1
    assert "did not let go" in found.stderr


def test_what_was_written_is_there_when_it_has_left() -> None:
    code = "from chat import ending\nprint('said', end='')\nending.leave()"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=10)
    assert (found.returncode, found.stdout, found.stderr) == (0, "said", "")
