"""The page and the terminal start, and answer, whatever the environment of a machine holds.

Each row is a machine with several oddities at once, for which a process more would tell no more. The demo
answers, and so does a server on this machine, asked by two of its names.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.upstream import Upstream

pytestmark = pytest.mark.slow

START_TIMEOUT_S = 120.0
"""Much, for a machine with other things to do."""
GONE = "/nonexistent/place"
NO_PROXY = (
    "localhost, .example.com,10.0.0.0/8 ::1,[::1],[::1]:8080,*.foo,host:80,<local>,[fe80::]/10,,192.168.*"
)


@dataclass(frozen=True)
class Machine:
    environ: dict[str, str | None] = field(default_factory=dict)
    """None: not set at all."""
    dotenv: bytes = b""
    shell: str = ""
    """What a shell does before it becomes our program; `"$@"` is that."""
    mounts: bool = False
    """Whether only root can do it, in a namespace of its own. `{folder}` is the current one."""


EMPTY = "mount -t tmpfs -o {} none /tmp && mount -t tmpfs -o {} none /var/tmp"

HERE = "mount --bind {folder} /mnt"
GO = 'cd /mnt && exec "$@"'

MACHINES = {
    "a SOCKS proxy, as GNOME writes it": Machine({"ALL_PROXY": "socks://127.0.0.1:9/", "no_proxy": NO_PROXY}),
    "a SOCKS proxy, and certificates that are gone": Machine(
        {
            "all_proxy": "socks5h://me:secret@127.0.0.1:9",
            "SSL_CERT_FILE": GONE,
            "SSL_CERT_DIR": GONE,
            "REQUESTS_CA_BUNDLE": GONE,
            "SSLKEYLOGFILE": GONE,
            "HF_HUB_ETAG_TIMEOUT": "soon",
        }
    ),
    "proxies that are none": Machine(
        {
            "HTTP_PROXY": "htp:/bad:proxy:99999",
            "HTTPS_PROXY": "http://[::1",
            "ALL_PROXY": "socks4://127.0.0.1:9",
            "NO_PROXY": "[::1,:::,*bad*",
        }
    ),
    "an HTTP proxy that is away": Machine({"http_proxy": "127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}),
    "the locale is C, and the terminal is dumb": Machine(
        {
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONIOENCODING": "ascii:strict",
            "TERM": "dumb",
            "TZ": "Mars/Olympus",
            "COLUMNS": "wide",
        }
    ),
    "the locale is unknown, and folders are named that are not there": Machine(
        {
            "LC_ALL": "xx_YY.KOI99",
            **dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR", "HF_HOME", "XDG_CACHE_HOME"), GONE),
            **dict.fromkeys(("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"), GONE),
        }
    ),
    "no home, no user, and Gradio's own settings": Machine(
        {
            **dict.fromkeys(("HOME", "USER", "LOGNAME", "LANG")),
            "PORT": "many",
            "GRADIO_ANALYTICS_ENABLED": "True",
            "GRADIO_SHARE": "True",
            "GRADIO_TEMP_DIR": "/proc/none",
            "GRADIO_ROOT_PATH": "/below",
            "GRADIO_DEFAULT_CONCURRENCY_LIMIT": "some",
            "GRADIO_NUM_PORTS": "some",
            "GRADIO_SSR_MODE": "True",
            "GRADIO_MCP_SERVER": "True",
            "GRADIO_EXAMPLES_CACHE": "/proc/none",
            "GRADIO_CACHE_EXAMPLES": "True",
            "GRADIO_WATCH_DIRS": "/etc",
            "GRADIO_ALLOWED_PATHS": "/etc",
            "GRADIO_VIBE_MODE": "1",
        }
    ),
    "a .env of Windows": Machine(
        dotenv=b"\xef\xbb\xbfCHAT_TITLE=\"My chats\"\r\nCHAT_SYSTEM='Be brief.'\r\n\r\n# R\xc3\xa4der\r\n"
    ),
    "no stdin and no stderr": Machine(shell='exec "$@" <&- 2>&-'),
    "few open files": Machine(shell='ulimit -n 64; exec "$@"'),
    "all is read-only": Machine(
        mounts=True,
        shell=f"{HERE} && mount -o remount,bind,ro /mnt && {EMPTY.format('ro', 'ro')} && {GO}",
    ),
    "the temporary folder is full, and noexec": Machine(
        mounts=True,
        shell=f"{HERE} && {EMPTY.format('size=4k,noexec', 'size=4k,noexec')} && "
        f"head -c 4096 /dev/zero >/tmp/full && head -c 4096 /dev/zero >/var/tmp/full && {GO}",
    ),
}


@asynccontextmanager
async def started(
    machine: Machine, folder: Path, upstream: str, *command: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "CHAT_LOCAL": "0",
        "CHAT_DEMO_PACE": "0",
        "GRADIO_SERVER_PORT": "0",
        "CHAT_ENDPOINTS": f"up={upstream}/v1,name={upstream.replace('127.0.0.1', 'localhost')}/v1",
        **machine.environ,
    }
    words = [sys.executable, *command]
    if machine.shell:
        words = ["sh", "-c", machine.shell.replace("{folder}", str(folder)), "sh", *words]
    if machine.mounts:
        words = ["unshare", "--mount", *words]
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=folder,
        env={name: value for name, value in environ.items() if value is not None},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.communicate(), 30)
        finally:
            if process.returncode is None:
                process.kill()


async def fetched(port: int, path: str, body: dict[str, str] | None = None) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = json.dumps(body).encode() if body else b""
    head = (
        f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    writer.write(head.encode() + sent)
    try:
        return (await asyncio.wait_for(reader.read(), START_TIMEOUT_S)).decode()
    finally:
        writer.close()


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
async def test_it_starts_and_answers(machine: Machine, tmp_path: Path, upstream: Upstream) -> None:
    if machine.mounts and not may_mount():
        pytest.skip("nobody but root may mount, and not everywhere")
    if " /tmp" in machine.shell and Path(sys.prefix).is_relative_to("/tmp"):
        pytest.skip("the interpreter itself lies in the folder that this machine hides")
    if machine.dotenv:
        (tmp_path / ".env").write_bytes(machine.dotenv)
    said = b""
    async with started(machine, tmp_path, upstream.url, str(ROOT / "app.py")) as process:
        assert process.stdout
        async with asyncio.timeout(START_TIMEOUT_S):
            while b"(Ctrl-C ends it)" not in said:
                line = await process.stdout.readline()
                said += line
                assert line, said.decode(errors="replace")
        port = int(said.rpartition(b"127.0.0.1:")[2].partition(b"/")[0])
        page = await fetched(port, "/")
        assert " 200 " in page.splitlines()[0]
        assert "</html" in page
        assert b"CHAT_TITLE" not in machine.dotenv or "My chats" in page
        for model in ("demo:fast", "up:text-3", "name:text-3"):
            answer = await fetched(port, "/chat/stream", {"message": "hello", "model": model})
            assert '"done": true' in answer, answer
            assert '"error"' not in answer

    async def in_the_terminal(model: str) -> bytes:
        command = ("-m", "chat", "--model", model, "Räder?")
        async with started(machine, tmp_path, upstream.url, *command) as process:
            async with asyncio.timeout(START_TIMEOUT_S):
                out, _ = await process.communicate()
            assert process.returncode == 0, out.decode(errors="replace")
            assert out.strip()
            return out

    said += b"".join(await asyncio.gather(*map(in_the_terminal, ("demo:fast", "name:text-3"))))
    assert b"Traceback" not in said, said.decode(errors="replace")
    assert b"secret" not in said


def may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    trying = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/tmp"]
    return subprocess.run(trying, capture_output=True, check=False).returncode == 0
