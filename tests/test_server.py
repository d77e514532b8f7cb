"""Given a system that grants no more, or who sends nonsense, the server goes on and the log stays short."""

import asyncio
import errno
import logging
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chat.server import DESCRIPTORS, Seldom, descriptors, exhausted
from tests.test_app import address, started

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
