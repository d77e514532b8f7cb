"""The recipes of the documents that touch what is kept: their very lines run, and destroy and expose nothing.

`sudo` and what would change the machine are stand-ins, and a folder of the test's own is `/opt/runnel`.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from chat.store import Store, open_store
from tests.store.told import ask, texts
from tests.test_app import ROOT

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not all(map(shutil.which, ("bash", "git", "tar"))),
    reason="there is no git, tar or bash as Debian has them",
)

TOOLS = {
    # As root there is nobody to become; who runs the tests is every user of the recipe.
    "sudo": '[ "$1" != -u ] || shift 2\nexec "$@"',
    "install": 'args=()\nfor each in "$@"; do [[ $each = -[og] || $each = runnel ]] || '
    'args+=("$each"); done\n'
    'exec /usr/bin/install "${args[@]}"',
    "systemctl": 'echo "$*" >> "$CALLS"',
    "apt": ":",
    "adduser": ":",
    # A virtual environment that is there stays as it is, as with the real one.
    "python3": 'case "$*" in "-m venv "*) mkdir -p "$3/bin" ;; *) exec "$REAL" "$@" ;; esac',
}


def recipe(document: str, heading: str, number: int = 0) -> str:
    """The `number`-th block of commands below the heading."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[number]


class Machine:
    """A host as the page makes it, and a newer copy of the repository beside it."""

    def __init__(self, folder: Path) -> None:
        self.home, self.copy, self.calls = folder / "runnel", folder / "copy", folder / "calls"
        self.path = folder / "bin"
        self.path.mkdir()
        self.calls.touch()
        for name, script in TOOLS.items():
            tool(self.path / name, script)
        (self.copy / "chat").mkdir(parents=True)
        for name, text in {
            "app.py": "newer",
            "chat/__init__.py": "newer",
            "chat/added.py": "newer",
            "requirements.txt": "newer",
            ".env.example": "#newer",
            ".gitignore": "/data/\n.env\n.venv/\n",
        }.items():
            (self.copy / name).write_text(text)
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        for command in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "newer")):
            subprocess.run(["git", *command], cwd=self.copy, check=True)
        # The copy was run too: it has chats, keys and packages of its own.
        for name in (".env", ".venv/bin/python", "data/chat.db", "data/chat.db-wal", "data/chat.secret"):
            (self.copy / name).parent.mkdir(parents=True, exist_ok=True)
            (self.copy / name).write_text("of the copy")

    def installed(self) -> None:
        """Runnel is there in an older form, with what an operator has."""
        for name in ("app.py", "chat/__init__.py", "chat/gone.py", "requirements.txt"):
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text("older")
        for name in (".env", ".git/HEAD", ".venv/lib/package.py"):
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text("of the operator")
        (self.home / ".env").chmod(0o600)
        (self.home / ".venv/bin").mkdir()
        tool(self.home / ".venv/bin/pip", 'echo "pip $*" >> "$CALLS"')
        tool(self.home / ".venv/bin/python", 'exec "$REAL" "$@"')

    def run(self, lines: str, cwd: Path, *, good: bool = True) -> None:
        done = subprocess.run(
            ["bash", "-uo", "pipefail", "-c", lines.replace("/opt/runnel", str(self.home))],
            cwd=cwd,
            env={
                "PATH": f"{self.path}:{os.environ['PATH']}",
                "CALLS": str(self.calls),
                "REAL": sys.executable,
            },
            capture_output=True,
            text=True,
        )
        assert (done.returncode == 0) == good, done.stderr
        if good:
            assert not done.stderr

    @property
    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()


def tool(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
async def live(machine: Machine) -> AsyncIterator[Store]:
    """A database of the operator's that is in use, with what was said last in its write-ahead log."""
    machine.installed()
    (machine.home / "data").mkdir(mode=0o700)
    async with open_store(machine.home / "data/chat.db") as store:
        ask(store, store.new("me"), "1?", "1")
        assert await store.saved(5)
        yield store


def content(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def kept(machine: Machine) -> None:
    for name in (".env", ".git/HEAD", ".venv/lib/package.py"):
        assert (machine.home / name).read_text() == "of the operator", name
    assert (machine.home / ".env").stat().st_mode & 0o777 == 0o600
    assert "of the copy" not in str(content(machine.home))


def test_a_first_installation_takes_nothing_of_the_copy_s_own_along(machine: Machine) -> None:
    lines = [line for line in recipe("hosting.md", "A server").splitlines() if "/bin/pip" not in line]
    machine.run("\n".join(lines), machine.copy)
    assert (machine.home / "chat/__init__.py").read_text() == "newer"
    assert (machine.home / ".env").read_text() == "#newer"
    assert not (machine.home / ".git").exists()
    assert (machine.home / "data").stat().st_mode & 0o777 == 0o700
    assert "of the copy" not in str(content(machine.home))


async def test_the_first_lines_once_more_leave_what_is_there(machine: Machine, live: Store) -> None:
    before = content(machine.home / "data")
    machine.run(recipe("hosting.md", "A server"), machine.copy)
    assert content(machine.home / "data") == before
    kept(machine)


async def test_a_newer_version_leaves_chats_settings_packages_and_history(
    machine: Machine, live: Store
) -> None:
    before = content(machine.home / "data")
    inodes = {each: each.stat().st_ino for each in (machine.home / "data").iterdir()}
    machine.run(recipe("hosting.md", "A newer version"), machine.copy)
    assert content(machine.home / "data") == before
    assert inodes == {each: each.stat().st_ino for each in (machine.home / "data").iterdir()}
    kept(machine)
    assert (machine.home / "chat/added.py").read_text() == "newer"
    assert not (machine.home / "chat/gone.py").exists()  # else an older module would be found first
    assert [line.split()[0] for line in machine.called] == ["stop", "pip", "start"]
    [copy] = machine.home.glob("data-*")
    assert content(copy) == before
    assert copy.stat().st_mode & 0o777 == 0o700
    async with open_store(copy / "chat.db") as store:
        assert texts(await store.current("me")) == [("1?", "1")]
    ask(live, live.new("me"), "2?", "2")
    assert await live.saved(5)


@pytest.mark.parametrize("fault", ["no repository", "another repository", "no packages"])
async def test_a_newer_version_that_fails_on_the_way_leaves_the_older_one(
    machine: Machine, live: Store, fault: str
) -> None:
    if fault == "no packages":
        tool(machine.home / ".venv/bin/pip", "exit 1")
    else:
        shutil.rmtree(machine.copy / ".git")
    if fault == "another repository":
        (machine.copy / "other").write_text("x")
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        for command in (("init", "-q"), ("add", "other"), (*who, "commit", "-qm", "x")):
            subprocess.run(["git", *command], cwd=machine.copy, check=True)
    before = content(machine.home / "data")
    machine.run(recipe("hosting.md", "A newer version"), machine.copy, good=False)
    assert content(machine.home / "data") == before
    assert (machine.home / "chat/__init__.py").read_text() == "older"
    assert (machine.home / "chat/gone.py").exists()
    kept(machine)


@pytest.mark.parametrize("document", ["hosting.md", "chats.md"])
async def test_a_copy_is_whole_for_nobody_else_and_goes_back(
    machine: Machine, live: Store, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosting = document == "hosting.md"
    heading = "Backup" if hosting else "A copy"
    monkeypatch.chdir(machine.home)
    machine.run(recipe(document, heading), machine.home)
    [copy] = machine.home.glob("data/copy-*.db" if hosting else "copy.db")
    assert copy.stat().st_mode & 0o777 == 0o600
    # Once more in the same second: what is there stays.
    whole = copy.read_bytes()
    same = recipe(document, heading).replace("%Y%m%d-%H%M%S.db", copy.name.removeprefix("copy-"))
    machine.run(same, machine.home, good=False)
    assert copy.read_bytes() == whole
    elsewhere = machine.home if not hosting else machine.copy
    if hosting:
        shutil.copy(copy, elsewhere / "copy.db")
    shutil.copy(machine.home / "data/chat.secret", elsewhere / "chat.secret")
    # As after a kill: a log is left beside the database.
    ask(live, live.new("me"), "later?", "lost when we go back")
    assert await live.saved(5)
    before = content(machine.home / "data")
    assert before["chat.db-wal"]
    machine.run(recipe(document, heading, 1), elsewhere)
    assert sorted(each.name for each in (machine.home / "data").iterdir()) == ["chat.db", "chat.secret"]
    [aside] = machine.home.glob("data-*")
    assert content(aside) == before
    for each in ("", "chat.db", "chat.secret"):
        assert (machine.home / "data" / each).stat().st_mode & 0o077 == 0
    async with open_store(machine.home / "data/chat.db") as store:
        assert texts(await store.current("me")) == [("1?", "1")]
    with closing(sqlite3.connect(machine.home / "data/chat.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_going_back_to_a_copy_that_is_not_there_changes_nothing(machine: Machine, live: Store) -> None:
    before = content(machine.home)
    machine.run(recipe("hosting.md", "Backup", 1), machine.copy, good=False)
    assert content(machine.home) == before
    assert machine.called == []
