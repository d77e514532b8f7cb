"""Ours without storing: `python -m tests.bench.unsaved` is app.py with a store that is memory alone.

A database at `:memory:` would not do: it is written to as one on the disk is.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import app
from chat import build
from chat.store import Store


@asynccontextmanager
async def nothing_kept(database: Path, **options: Any) -> AsyncGenerator[Store, None]:
    yield Store()


if __name__ == "__main__":
    build.open_store = nothing_kept
    app.run()
