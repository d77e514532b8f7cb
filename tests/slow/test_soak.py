"""Ten thousand turns leave nothing behind but what they said."""

import asyncio
import json
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from statistics import median

import pytest

from tests.slow import soak

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts in /proc"),
]

TURNS = 10_000
WARM = 3_000
"""Turns after which everything that is kept for a while is there."""
GROWTH = 20.0
"""MB that the process may grow by after that."""


async def test_ten_thousand_turns_leave_no_task_no_file_no_thread_and_little_memory(tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.slow.soak", str(database), str(TURNS)), stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-5000:]
    figures = json.loads(out)
    assert figures["turns"] == TURNS
    outcomes = figures["outcomes"]
    assert outcomes.keys() == {"complete", "stopped", "failed"}
    assert (figures["tasks"], figures["threads"], figures["files"]) == ([], [], 0)
    assert figures["trouble"] == ""
    sizes = figures["memory"]
    warm = sizes[WARM // soak.EVERY :]
    growth = median(warm[-4:]) - median(warm[:4])
    print(
        f"\n{TURNS} turns in {figures['seconds']:.0f} s ({outcomes}): "
        f"{median(warm[:4]):.0f} MB after {WARM} turns, {growth:+.1f} MB at the end; "
        f"{database.stat().st_size / 1e6:.0f} MB on the disk"
    )
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert growth < GROWTH
