"""A database in a file of its own; what says so runs in both journals."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from chat.store import Store, database, open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "chat.db"


@pytest.fixture
async def store(path: Path) -> AsyncGenerator[Store, None]:
    async with open_store(path) as store:
        yield store


@pytest.fixture(params=["wal", "delete"])
def journals(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which nobody else looks into the file: once on a disk of ours, once on another one."""
    if request.param == "delete":
        monkeypatch.setattr(database, "foreign", lambda path: "fuse")
