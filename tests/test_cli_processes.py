"""Processes at once on one database: terminals beside one another and beside a server, killed or stopped.

`main` in this process is one of them; the others are real.
"""

import asyncio
import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chat.build import open_app
from chat.cli import main
from chat.messages import Options
from chat.owners import LOCAL
from chat.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0
"""Seconds that a process may take for anything at all, on a busy machine."""

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The database that all processes of a test share; and a demo that does not pause."""
    database = tmp_path / "kept" / "chats.db"
    monkeypatch.setenv("CHAT_DATABASE", str(database))
    monkeypatch.setenv("CHAT_DEMO_PACE", "0")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return database


def process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "chat", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def stalling() -> Iterator[subprocess.Popen[str]]:
    """A terminal whose answer has begun and does not go on."""
    with process("stall") as running:
        assert running.stdout
        shown = ""
        while "press Stop." not in shown:
            piece = running.stdout.read(1)
            assert piece, shown
            shown += piece
        yield running
        running.kill()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what a person at a terminal types; a call among it happens at its place."""

    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, size: int | None = -1) -> str:
            while callable(line := next(self.lines, "")):
                line()
            return line

        lines: Iterator[str | Callable[[], Any]] = iter(())

    def types(*lines: str | Callable[[], Any]) -> None:
        keyboard = Keyboard()
        keyboard.lines = iter(lines)
        monkeypatch.setattr(sys, "stdin", keyboard)

    return types


def chats(capsys: Capture) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["chats", "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def exported(capsys: Capture, id: str) -> list[dict[str, Any]]:
    """The messages of a chat."""
    capsys.readouterr()
    assert main(["chats", "--export", id, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["messages"]


def text(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


# -- beside one another ----------------------------------------------------------------------


def test_a_running_answer_is_left_alone(capsys: Capture, stalling: subprocess.Popen[str]):
    [running] = chats(capsys)
    assert running["running"]
    assert main(["chats"]) == 0
    assert capsys.readouterr().out.split("\t")[3] == "running"
    assert main(["hello"]) == 0
    assert main(["--chat", running["id"], "hello"]) == 1
    assert "still being written" in capsys.readouterr().err
    assert [chat["running"] for chat in chats(capsys)] == [False, True]
    assert exported(capsys, running["id"])[1]["state"] == "running"
    assert stalling.poll() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process")
def test_a_stopped_answer_is_kept(capsys: Capture, stalling: subprocess.Popen[str]):
    stalling.send_signal(signal.SIGINT)
    assert stalling.wait(PATIENCE) == 130
    [chat] = chats(capsys)
    assert not chat["running"]
    question, answer = exported(capsys, chat["id"])
    assert text(question) == "stall"
    assert answer["state"] == "stopped"
    assert "press Stop" in text(answer)


@pytest.mark.skipif(sys.platform == "win32", reason="kills as Unix does")
def test_a_killed_terminal_leaves_an_interrupted_answer(
    capsys: Capture, stalling: subprocess.Popen[str], typed: Callable[..., None]
):
    stalling.kill()
    stalling.wait(PATIENCE)
    [chat] = chats(capsys)
    assert not chat["running"]
    assert exported(capsys, chat["id"])[1]["state"] == "interrupted"
    typed("hello\n", "quit\n")
    assert main(["--continue"]) == 0
    out, err = capsys.readouterr()
    assert "Interrupted" in err
    assert "/again asks once more." in err
    assert out.startswith("Bot: ")
    assert [message["role"] for message in exported(capsys, chat["id"])] == ["user", "assistant"] * 2


def test_a_talk_sees_what_another_terminal_asks_meanwhile(capsys: Capture, typed: Callable[..., None]):
    def elsewhere() -> None:
        out, err = process("--continue", "a blue boat").communicate(timeout=PATIENCE)
        assert out
        assert err == ""

    typed("a red bicycle\n", elsewhere, "what did I ask before?\n", "quit\n")
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "1. “a red bicycle”" in out
    assert "2. “a blue boat”" in out
    [chat] = chats(capsys)
    assert len(exported(capsys, chat["id"])) == 6


async def test_what_begins_in_the_terminal_goes_on_in_the_page_and_back(capsys: Capture, kept: Path):
    """The page's side is played by an app on the same database, which stays open."""
    async with open_app(Settings(database=kept, demo_pace=0, local=False)) as app:
        asked = await terminal("a red bicycle")
        assert asked
        chat = await app.store.current(LOCAL)
        assert chat.title == "a red bicycle"
        assert chat.exchanges[0].transcript.text.strip() == asked.strip()
        run = await app.runs.ask(chat, "what did I ask before?", Options(model="demo:fast"))
        await run.finished()
        assert "1. “a red bicycle”" in run.transcript.text
        assert await app.store.saved(PATIENCE)
        again = await terminal("--continue", "what did I ask before?")
        assert "2. “what did I ask before?”" in again
        assert (await app.store.open(LOCAL, chat.id)) is chat
        assert len(chat.exchanges) == 3
        assert await app.store.delete(LOCAL, chat.id)
    assert await asyncio.to_thread(chats, capsys) == []


async def terminal(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chat", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert err == b""
    assert process.returncode == 0
    return out.decode()


def test_many_at_once(capsys: Capture):
    asking = [process(f"number {n}") for n in range(5)]
    for each in asking:
        out, err = each.communicate(timeout=PATIENCE)
        assert each.returncode == 0
        assert out
        assert err == ""
    assert {chat["title"] for chat in chats(capsys)} == {f"number {n}" for n in range(5)}


def test_a_chat_that_is_deleted_meanwhile(capsys: Capture, kept: Path, typed: Callable[..., None]):
    def delete() -> None:
        # As the page does it, in a process of its own.
        script = (
            "import asyncio, sys, pathlib; from chat.store import open_store\n"
            "async def main():\n"
            "    async with open_store(pathlib.Path(sys.argv[1])) as store:\n"
            "        [chat] = await store.chats('local')\n"
            "        assert await store.delete('local', chat.id)\n"
            "asyncio.run(main())"
        )
        subprocess.run([sys.executable, "-c", script, str(kept)], check=True, timeout=PATIENCE)

    typed("a red bicycle\n", delete, "what did I ask before?\n", "quit\n")
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert "deleted meanwhile" in err
    assert "“a red bicycle”" not in out.split("Bot: ")[2]
    assert [chat["title"] for chat in chats(capsys)] == ["what did I ask before?"]


# -- a database in trouble -------------------------------------------------------------------


@pytest.fixture
def nowhere(kept: Path) -> None:
    """The folder of the database is a file."""
    kept.parent.write_text("a file")


def test_an_answer_comes_though_it_cannot_be_saved(capsys: Capture, nowhere: None):
    assert main(["hello"]) == 0
    out, err = capsys.readouterr()
    assert "script" in out
    assert err.startswith("Not saved: the database cannot be opened")
    assert err.endswith(").\n")
    assert err.count("\n") == 1


def test_a_talk_tells_once_that_it_is_not_saved(capsys: Capture, nowhere: None, typed: Callable[..., None]):
    typed("a red bicycle\n", "what did I ask before?\n", "quit\n")
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert "1. “a red bicycle”" in out
    assert err.count("Not saved: ") == 1
    assert err.endswith("This chat could not be saved.\n")


def test_a_talk_tells_when_it_is_saved_again(
    capsys: Capture, kept: Path, nowhere: None, typed: Callable[..., None]
):
    typed("a red bicycle\n", kept.parent.unlink, "what did I ask before?\n", "quit\n")
    assert main([]) == 0
    err = capsys.readouterr().err
    assert err.count("Not saved: ") == 1
    assert err.count("All is saved now.") == 1
    assert "could not" not in err
    assert len(exported(capsys, chats(capsys)[0]["id"])) == 4


@pytest.mark.parametrize("arguments", [["chats"], ["--continue", "hello"], ["--chat", "x", "hello"]])
def test_chats_that_cannot_be_read(
    capsys: Capture, nowhere: None, arguments: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("chat.store.writer.ENDING", PATIENCE)
    began = time.monotonic()
    assert main(arguments) == 1
    assert time.monotonic() - began < PATIENCE / 2, "there is nothing to be saved, so nothing to wait for"
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("The chats cannot be read: the database cannot be opened")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["hello"], ["chats"], ["--continue", "hello"]])
@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE recipes (name TEXT)",
        "CREATE TABLE runnel (version INTEGER); INSERT INTO runnel VALUES (999)",
    ],
    ids=["foreign", "newer"],
)
def test_a_database_that_is_not_ours_to_use(capsys: Capture, kept: Path, script: str, arguments: list[str]):
    kept.parent.mkdir()
    with contextlib.closing(sqlite3.connect(kept)) as other:
        other.executescript(script)
    before = kept.read_bytes()
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert str(kept) in err
    assert err.count("\n") == 1
    assert kept.read_bytes() == before
