"""The doctor looks at this machine: given this, that verdict."""

import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from string import ascii_letters

import pytest
from fastapi import FastAPI

from chat.cli.doctor import machine
from chat.cli.doctor.outcome import Outcome
from chat.owners import LOCAL, person
from chat.settings import Settings
from chat.store import MEMORY, open_store
from tests.api.served import listening
from tests.store.told import ask

posix = pytest.mark.skipif(sys.platform == "win32", reason="files have no such bits there")


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 10, 9), "failed"), ((3, 11, 0), "ok"), ((4, 0, 0), "ok")]
)
def test_python(version: tuple[int, ...], verdict: str) -> None:
    assert machine.python(version).verdict == verdict


@pytest.mark.parametrize(
    ("pins", "verdict", "said"),
    [
        ("# a comment == 1\npytest=={pytest}\n-r other.txt\n", "ok", "1 packages"),
        ("pytest==0.0.1\n", "warning", "in the place of 0.0.1"),
        ("pytest=={pytest}\nno-such-package==1.0\n", "failed", "Not installed: no-such-package."),
    ],
)
def test_packages(tmp_path: Path, pins: str, verdict: str, said: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(pins.format(pytest=pytest.__version__))
    found = machine.packages(file)
    assert found.verdict == verdict
    assert said in found.said


def test_packages_without_a_list(tmp_path: Path) -> None:
    assert machine.packages(tmp_path / "requirements.txt").verdict == "warning"


def test_what_is_installed_here_is_what_the_requirements_say() -> None:
    assert [outcome.verdict for outcome in machine.installed()] == ["ok", "ok"]


# -- .env


def env_file(**git: str) -> Outcome:
    """In this folder, with a repository where `git` says which files it has and leaves out."""
    if git:
        subprocess.run(["git", "init", "-q"], check=True)
        Path(".gitignore").write_text(git["ignored"])
        subprocess.run(["git", "add", "-f", *git["added"].split()], check=True)
    [found] = machine.kept_apart()
    return found


def test_without_a_file() -> None:
    assert env_file().verdict == "ok"


@posix
@pytest.mark.parametrize(("mode", "verdict"), [(0o600, "ok"), (0o640, "warning"), (0o604, "warning")])
def test_a_file_that_others_read(mode: int, verdict: str) -> None:
    Path(".env").touch()
    Path(".env").chmod(mode)
    assert env_file().verdict == verdict


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
@pytest.mark.parametrize(
    ("ignored", "added", "verdict"),
    [(".env", ".gitignore", "ok"), ("", ".gitignore", "warning"), (".env", ".gitignore .env", "failed")],
)
def test_a_file_in_a_repository(ignored: str, added: str, verdict: str) -> None:
    Path(".env").touch(0o600)
    assert env_file(ignored=ignored, added=added).verdict == verdict


def test_something_that_is_no_file() -> None:
    Path(".env").mkdir()
    assert env_file().verdict == "failed"


@pytest.mark.parametrize(
    ("line", "verdict", "said"),
    [
        ("CHAT_TITLE=Acme\nOTHER=1\nMY_BOX_API_KEY=x", "ok", ""),
        ("# CHAT_NOTHING=1", "ok", ""),
        ("CHAT_MESAGES_EACH=5", "warning", "CHAT_MESSAGES_EACH"),
        ("export ANTROPIC_API_KEY = x", "warning", "ANTHROPIC_API_KEY"),
        ("CHAT_XYZZYXYZZY=1", "warning", ".env.example"),
    ],
)
def test_a_setting_whose_name_is_written_wrong(line: str, verdict: str, said: str) -> None:
    Path(".env").write_text(line)
    found = machine.names(Settings.read({"CHAT_ENDPOINTS": "my-box=http://my-box/v1"}))
    assert found
    assert (found.verdict, said in found.next) == (verdict, True), found


def test_no_names_without_a_file() -> None:
    assert machine.names(Settings()) is None


# -- what is kept


async def kept(database: Path) -> Outcome:
    settings = Settings(database=database)
    async with open_store(database) as store:
        return await machine.store(settings, store)


async def test_a_database(tmp_path: Path) -> None:
    assert (await kept(tmp_path / "chat.db")).verdict == "ok"


async def test_memory() -> None:
    assert (await kept(MEMORY)).verdict == "warning"


async def test_a_database_where_none_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = await kept(tmp_path / "file" / "chat.db")
    assert found.verdict == "failed"
    assert found.next


@pytest.mark.parametrize(("free", "verdict"), [(10**7, "failed"), (5 * 10**8, "warning"), (5 * 10**9, "ok")])
def test_the_disk(free: int, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**12, 0, free))
    found = machine.disk(Settings(database=Path("not/there/yet/chat.db")))
    assert found.verdict == verdict
    assert found.figures == {"free_mb": free // 10**6}


@posix
@pytest.mark.parametrize(("mode", "verdict"), [(0o600, "ok"), (0o644, "failed")])
def test_the_secret_s_file(tmp_path: Path, mode: int, verdict: str) -> None:
    (tmp_path / "chat.secret").touch()
    (tmp_path / "chat.secret").chmod(mode)
    assert machine.secret(Settings(database=tmp_path / "chat.db")).verdict == verdict


def test_a_secret_of_the_settings() -> None:
    settings = {"SPACE_ID": "somebody/something"}
    assert machine.secret(Settings.read(settings)).verdict == "warning"
    assert machine.secret(Settings.read(settings | {"CHAT_SECRET": "x" * 16})).verdict == "ok"


# -- the port


async def test_any_port() -> None:
    assert (await machine.port(Settings(port=0, port_chosen=True))).said == "Any that is free at 127.0.0.1"


async def test_a_port_that_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "free" in (await machine.port(Settings(port=port, port_chosen=True))).said


@pytest.mark.parametrize(("chosen", "verdict"), [(True, "failed"), (False, "ok")])
async def test_a_port_that_somebody_else_has(chosen: bool, verdict: str) -> None:
    async with listening(FastAPI()) as url:
        port = int(url.rpartition(":")[2])
        found = await machine.port(Settings(port=port, port_chosen=chosen))
    assert found.verdict == verdict
    assert os.strerror(98) in found.said or sys.platform != "linux"


async def test_a_port_that_is_runnel_s() -> None:
    app = FastAPI()
    app.get("/healthz")(lambda: {"status": "ok"})
    async with listening(app) as url:
        port = int(url.rpartition(":")[2])
        found = await machine.port(Settings(port=port, port_chosen=True))
    assert (found.verdict, "running" in found.said) == ("ok", True)


async def test_an_address_that_this_machine_has_not() -> None:
    assert (await machine.port(Settings(host="no.such.host.invalid"))).verdict == "failed"


@pytest.mark.parametrize(
    ("environ", "verdict", "said"),
    [
        ({}, "ok", "MB; 2 visitors have chats, the one who keeps most 1.6 MB"),
        ({"CHAT_PUBLIC": "1"}, "ok", "MB of the 5,000 that are allowed; 2 visitors"),
        ({"CHAT_PUBLIC": "1", "CHAT_MAX_STORED_MB": "1"}, "failed", "but you can ask"),
        ({"CHAT_PUBLIC": "1", "CHAT_MAX_STORED_MB": "0"}, "warning", "may fill the disk"),
        ({"CHAT_PUBLIC": "1", "CHAT_MAX_STORED_MB_PER_VISITOR": "0"}, "warning", "may fill the disk"),
    ],
)
async def test_how_much_room_is_taken_and_by_whom_without_names(
    tmp_path: Path, environ: dict[str, str], verdict: str, said: str
) -> None:
    dice = random.Random(1)
    async with open_store(tmp_path / "chat.db") as store:
        for owner, length in ((LOCAL, 9), (person("ann"), 9), ("stranger-one", 200_000), ("stranger-two", 9)):
            ask(store, store.new(owner), "".join(dice.choices(ascii_letters, k=length)), "yes")
        assert await store.saved(5)
        found = await machine.room(Settings.read(environ), store)
    assert (found.verdict, said in found.said) == (verdict, True), found
    assert "stranger-" not in f"{found}"
