"""Given this state of the program, this answer to whoever watches it."""

import pytest

from tests.api.served import served


async def test_a_program_that_is_well() -> None:
    async with served(environ={"CHAT_TOKEN": "a-token-of-24-characters"}) as site:
        for path in ("/healthz", "/readyz"):
            answer = await site.client.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
            assert answer.headers["cache-control"] == "no-store"


async def test_a_watcher_that_wants_no_body() -> None:
    async with served() as site:
        answer = await site.client.head("/healthz")
        assert (answer.status_code, answer.content) == (200, b"")


async def test_a_program_that_ends_is_alive_and_not_ready() -> None:
    async with served() as site:
        await site.app.runs.aclose()
        assert (await site.client.get("/healthz")).status_code == 200
        answer = await site.client.get("/readyz")
        assert (answer.status_code, answer.json()["error"]) == (503, "Runnel is shutting down.")


@pytest.mark.parametrize("saved", [True, False])
async def test_a_disk_that_takes_nothing(saved: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(within: float) -> bool:
        return saved

    async with served() as site:
        monkeypatch.setattr(site.app.store, "saved", found)
        monkeypatch.setattr(type(site.app.store), "trouble", "The disk is full.")
        answer = await site.client.get("/readyz")
        assert (answer.status_code, answer.json()["error"]) == (503, "The disk is full.")


async def test_a_disk_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(within: float) -> bool:
        return False

    async with served() as site:
        monkeypatch.setattr(site.app.store, "saved", never)
        answer = await site.client.get("/readyz")
        assert (answer.status_code, "longer" in answer.json()["error"]) == (503, True)
