"""Given a system that grants no more, or who sends nonsense, the server goes on and the log stays short."""

import asyncio
import contextlib
import errno
import logging
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from chat import garbage, server
from chat.build import open_app
from chat.server import DESCRIPTORS, Seldom, Server, descriptors, exhausted, unended
from chat.settings import Settings
from tests.test_app import address, started
from tests.waiting import until

resource = pytest.importorskip("resource")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_warning_is_said_once_a_minute_and_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    clock, log = Clock(), logging.getLogger("tests.seldom")
    log.addFilter(Seldom(clock=clock))
    for second in range(90):
        clock.now = 1000.0 + second
        log.warning("nonsense")
        log.error("bug")
    log.warning("other nonsense")
    said = [record.getMessage() for record in caplog.records]
    assert [each for each in said if each != "bug"] == [
        "nonsense",
        "nonsense (59 more since this was said last)",
        "other nonsense",
    ]
    assert said.count("bug") == 90


@pytest.mark.parametrize(
    ("soft", "hard", "granted"),
    [
        (1024, 4096, 4096),
        (1024, 1_000_000, DESCRIPTORS),
        (1024, resource.RLIM_INFINITY, DESCRIPTORS),
        (100_000, 200_000, 100_000),
        (160, 160, 160),
    ],
)
def test_as_many_descriptors_as_there_are_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, granted: int
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, wanted: limits.append(wanted))
    assert descriptors() == granted
    assert limits[-1] == (granted, hard)


async def test_what_asyncio_says_of_anything_else_stays(caplog: pytest.LogCaptureFixture) -> None:
    loop, full = asyncio.get_running_loop(), OSError(errno.EMFILE, "Too many open files")
    exhausted(loop, {"message": "socket.accept() out of system resource", "exception": full, "socket": 1})
    exhausted(loop, {"message": "another thing", "exception": ValueError("a bug")})
    first, second = caplog.records
    assert "ulimit" in first.getMessage()
    assert first.exc_info is None
    assert "another thing" in second.getMessage()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_without_a_descriptor_left_it_waits_and_serves_again(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        host, _, port = address(process).removeprefix("http://").partition(":")
        open = len(os.listdir(f"/proc/{process.pid}/fd"))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (open + 10, open + 10))
        crowd = [socket.create_connection((host, int(port)), timeout=5) for _ in range(60)]
        error: Any = process.stderr
        while "ulimit" not in (line := error.readline()):
            assert line, "it is over"
            assert "Traceback" not in line
        for each in crowd:
            each.close()
        with socket.create_connection((host, int(port)), timeout=10) as one:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"200 OK" in one.recv(1000)
        for _ in range(20):
            with socket.create_connection((host, int(port)), timeout=10) as odd:
                odd.sendall(b"NONSENSE\r\n\r\n")
                assert b"400" in odd.recv(1000)
        process.terminate()
        rest = error.read()
        assert rest.count("Invalid HTTP request") == 1
        assert rest.count("\n") < 5


async def test_an_end_while_somebody_reads_slowly_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    readers, begun = 5, list[str]()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        begun.append(scope["path"])
        if scope["path"] == "/silent":
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})

    monkeypatch.setattr(server, "GRACE", 0.1)
    monkeypatch.setattr(Server, "capture_signals", lambda self: contextlib.nullcontext())
    monkeypatch.setattr(garbage, "settle", lambda: None)
    bound = socket.create_server(("127.0.0.1", 0))
    place = bound.getsockname()
    settings = Settings.read({"CHAT_LOCAL": "0", "CHAT_DATABASE": ":memory:"})
    async with open_app(settings) as app, contextlib.AsyncExitStack() as lines:
        ours = Server(endless, app, bound)
        errors = logging.getLogger("uvicorn.error")
        errors.addHandler(caplog.handler)
        lines.callback(errors.removeHandler, caplog.handler)
        serving = asyncio.create_task(ours.serve())
        for number in range(readers):
            _, writer = await asyncio.open_connection(*place)
            lines.callback(writer.close)
            cast(asyncio.Transport, writer.transport).pause_reading()
            writer.write(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"large" if number % 2 else b"silent"))
        await until(lambda: len(begun) == readers)
        ours.should_exit = True
        await serving
        await until(lambda: not ours.server_state.tasks)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == [f"Cancel {readers} running task(s), timeout graceful shutdown exceeded"]
    assert "Traceback" not in caplog.text


def test_any_other_failure_of_a_request_keeps_its_traceback() -> None:
    def record(error: BaseException | None) -> logging.LogRecord:
        told = None if error is None else (type(error), error, None)
        return logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, "Exception", (), told)

    assert unended(record(None))
    assert unended(record(ValueError("a bug")))
    assert not unended(record(asyncio.CancelledError()))
