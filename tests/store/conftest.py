"""A database in a file of its own."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from chat.store import Store, open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "chat.db"


@pytest.fixture
async def store(path: Path) -> AsyncGenerator[Store, None]:
    async with open_store(path) as store:
        yield store
