"""The bench works; what it measures is nobody's test."""

import json
import sys
from asyncio import create_subprocess_exec
from inspect import signature
from pathlib import Path

import pytest

from chat.store import open_store
from tests.bench import seed
from tests.bench.processes import ROOT, provider, running
from tests.bench.relay import ask
from tests.bench.report import Measure, table
from tests.bench.unsaved import nothing_kept


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_the_server_without_a_store_opens_as_the_real_one_does() -> None:
    """Asked for with the names of `open_store`, some of which came later than the bench."""
    asked = signature(open_store).parameters
    signature(nothing_kept).bind(**dict.fromkeys(asked))


def test_the_table_tells_medians_ratios_spread_and_what_was_missed() -> None:
    kept = Measure("server CPU", "s", 0.35, ours=[1.0, 9.0, 2.0], other=[8.0, 7.0, 9.0])
    missed = Measure("longest gap", "ms", 100, against="alone", ours=[150.0])
    _, _, first, second = table([kept, missed, Measure("not run", "s", 1)]).splitlines()
    assert cells(first) == ["server CPU", "s", "2", "8", "0.25×", "≤ 0.35×", "3", "400%", "ok"]
    assert cells(second) == [
        *("longest gap", "ms", "150", "–", "150 ms", "≤ 100 ms", "1", "–", "missed by 50%")
    ]


def test_runs_taken_by_turns_are_compared_pair_by_pair() -> None:
    """Given a machine that becomes slower, the ratio is that of neighbours."""
    storing = Measure("storing", "s", 1.05, "unsaved", pairs=True)
    for slower in (1, 2, 4):
        storing.add("ours", 1.02 * slower)
        storing.add("unsaved", slower)
    storing.add("ours", 8.8)
    storing.add("unsaved", 8.0)
    assert storing.value == pytest.approx(1.02)
    assert storing.spread == pytest.approx(0.08 / 1.02)
    assert cells(table([storing]).splitlines()[2])[3:5] == ["3 unsaved", "1.02×"]


async def test_the_seeds_are_chats_like_any_other(tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    long, short = await seed.long_chat(database, "anna", 10)
    await seed.many_chats(database, "ben", 60)
    async with open_store(database) as store:
        conversation = await store.open("anna", long)
        assert conversation is not None
        assert len(conversation.exchanges) == 5
        assert conversation.exchanges[-1].transcript.text.endswith(f"tok{seed.LAST} ")
        assert {chat.id for chat in await store.chats("anna")} == {long, short}
        assert len(await store.chats("ben", limit=100)) == 60
        assert len(await store.chats("ben", seed.RARE)) == seed.RARELY
        assert len(await store.chats("ben", seed.COMMON, limit=100)) == 60


async def test_the_documents_relay_streams_what_ours_streams() -> None:
    async with provider() as upstream, running("documents", upstream) as documents:
        heard = await ask(documents, "text-20")
    assert len(heard.tokens) == 20


@pytest.mark.slow
@pytest.mark.browser
async def test_it_opens_a_long_chat(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    args = ("-m", "tests.bench", "--quick", "--only", "long_open", "--json", str(file))
    process = await create_subprocess_exec(sys.executable, *args, cwd=ROOT)
    assert await process.wait() == 0
    clicked, loaded = json.loads(file.read_text())["measures"]
    assert 0 < clicked["value"] < 10
    assert 0 < loaded["value"] < 10


@pytest.mark.slow
@pytest.mark.browser
async def test_it_measures_both_pages(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    args = ("-m", "tests.bench", "--quick", "--only", "first_text", "at_once", "--json", str(file))
    process = await create_subprocess_exec(sys.executable, *args, cwd=ROOT)
    assert await process.wait() == 0
    measures = json.loads(file.read_text())["measures"]
    assert len(measures) == 2
    for measure in measures:
        assert all(figure > 0 for page in ("ours", "other") for figure in measure[page])
