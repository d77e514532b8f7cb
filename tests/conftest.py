"""Shared by all tests: no network but loopback, a fresh environment for each test, and a vendor to ask.

What hypothesis makes up is little by default, and much with `--hypothesis-profile=deep` (.ci/run).
"""

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.upstream import Upstream

# No deadline for one example: how long it takes says more of the machine than of us.
settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("deep", max_examples=200, deadline=None)
settings.load_profile("quick")

ROOT = Path(__file__).resolve().parents[1]

_connect = socket.socket.connect
_getaddrinfo = socket.getaddrinfo


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite is offline by construction: anything but loopback fails at once."""

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1")):
            raise AssertionError(f"a test wants to connect to {address}")
        _connect(self, address)

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in (None, "localhost", "::1") and not str(host).startswith(
            ("127.", "b'127.", "b'localhost")
        ):
            raise socket.gaierror(f"a test wants to look up {host}")
        return _getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key and no setting of the person who runs the tests reaches them, and no test their chats."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for the processes that a test starts
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name.startswith(("CHAT_", "GRADIO_", "OPENAI_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv("CHAT_LOCAL", "0")


@pytest.fixture(scope="session")
def sdks() -> None:
    """Imports them, which the program does late: it takes longer than the deadlines of some tests."""
    import anthropic
    import openai

    assert anthropic.AsyncAnthropic
    assert openai.AsyncOpenAI


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A vendor on the test's own loop."""
    async with Upstream() as upstream:
        yield upstream
