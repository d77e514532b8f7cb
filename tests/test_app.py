"""`python app.py` as a person or a host starts it: it serves, it ends, and it says why it does not start."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import app

ROOT = Path(__file__).parent.parent


@contextmanager
def started(
    folder: Path, *arguments: str, root: Path = ROOT, log: int = subprocess.PIPE, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """app.py in a folder of its own, with nothing of this environment but the path. A `log` that nobody
    reads has to go nowhere: it stands still when the pipe is full."""
    process = subprocess.Popen(
        [sys.executable, root / "app.py", *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(root),
            "HOME": str(folder),
            "CHAT_LOCAL": "0",
            "GRADIO_SERVER_PORT": "0",
            **environ,
        },
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def keyed_address(process: subprocess.Popen[str]) -> str:
    """As it is printed."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http://" in line, process.communicate(timeout=10)
    return line[line.index("http://") :].split()[0]


def address(process: subprocess.Popen[str]) -> str:
    return keyed_address(process).partition("/?")[0]


def test_it_serves_and_ends_when_told_to(tmp_path: Path) -> None:
    settings = "CHAT_TITLE=Acme chat\nGROQ_API_KEY=gsk_sentinel_000\nCHAT_PUBLIC=1\n"
    (tmp_path / ".env").write_text(settings)
    with started(tmp_path) as process:
        url = address(process)
        with urllib.request.urlopen(url, timeout=10) as answer:
            page = answer.read().decode()
            assert "Acme chat" in page
            assert "sentinel" not in page
            assert "default-src 'self'" in answer.headers["content-security-policy"]
        with urllib.request.urlopen(f"{url}/config", timeout=10) as answer:
            assert "sentinel" not in answer.read().decode()
        foreign = urllib.request.Request(f"{url}/config", headers={"Origin": "https://evil.example"})
        with urllib.request.urlopen(foreign, timeout=10) as answer:
            assert "access-control-allow-origin" not in answer.headers
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=5)
        assert process.returncode == 0, err
        assert "sentinel" not in out + err
        assert "GROQ_API_KEY: for you alone" in err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "sk-sentinel with a blank"),
        ("OPENAI_BASE_URL", "api.example.org"),
        ("CHAT_IDLE_TIMEOUT", "soon"),
        ("GRADIO_SERVER_NAME", "no.such.host.invalid"),
    ],
)
def test_a_wrong_setting_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="2"):
        app.run()
    said = capsys.readouterr()
    assert said.out == ""
    assert name in said.err
    assert "sentinel" not in said.err


def test_a_port_that_is_taken_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("GRADIO_SERVER_PORT", str(other.getsockname()[1]))
        with pytest.raises(SystemExit, match="2"):
            app.run()
    assert "GRADIO_SERVER_PORT" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="is ended by a signal")
def test_with_reload_it_starts_again_when_its_code_changes(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "chat", copy / "chat")
    shutil.copy(ROOT / "app.py", copy)
    with started(tmp_path, "--reload", root=copy) as process:
        first = address(process)
        with (copy / "chat/models.py").open("a") as file:
            file.write("# another word\n")
        again = address(process)
        assert again == first
        with urllib.request.urlopen(f"{again}/healthz", timeout=20) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        assert process.returncode == 0
