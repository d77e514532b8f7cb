"""The vendor of all slow tests: `tests.upstream`, on the test's own loop."""

from collections.abc import AsyncIterator

import pytest

from tests.upstream import Upstream


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as upstream:
        yield upstream
