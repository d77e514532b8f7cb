"""What the documents for operators say works as it is written: settings, commands, files."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest
from dotenv import dotenv_values

from chat.api.gate import LARGEST_BODY
from chat.cli.doctor import visitors
from chat.errors import Config
from chat.settings import Deadlines, Settings
from tests.test_app import ROOT, address, started

TUTORIAL = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
HOSTING = (ROOT / "docs/hosting.md").read_text(encoding="utf-8")


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


# -- the tutorial


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with started(tmp_path_factory.mktemp("app"), CHAT_DEMO_PACE="0") as process:
        yield address(process)


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="there is no curl, or no bash"
)
def test_the_tutorial_s_lines_run_in_their_order_and_say_what_stands_below_them(
    url: str, tmp_path: Path
) -> None:
    steps = re.findall(r"```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?", TUTORIAL, re.DOTALL)
    asked = [(command, expected) for command, expected in steps if "curl" in command or "$RUN" in command]
    assert len(asked) == 6
    script = "\necho '== end'\n".join(command for command, _ in asked)
    found = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:7860", url)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    told = re.sub(r"[A-Za-z0-9_-]{16}(?=/\d)", "…", found.stdout).split("== end\n")
    assert len(told) == len(asked)
    for (command, expected), output in zip(asked, told, strict=True):
        rest = output
        for line in expected.splitlines():
            before, here, rest = rest.partition(line)
            assert here, f"{command}\nhas no «{line}» behind\n{before}"
    assert "441" in told[1]


def test_the_rest_of_its_lines_are_those_of_the_readme() -> None:
    [start, doctor] = [each for each in blocks(TUTORIAL, "sh") if "curl" not in each and "$RUN" not in each]
    assert start == ".venv/bin/python app.py\n"
    assert doctor.count(".venv/bin/python -m chat doctor") == 2


# -- hosting


def settings(block: str, tmp_path: Path) -> Settings:
    filled = block.replace("sk-…", "sk-" + "k" * 24).replace("…", "x" * 24)
    filled += f"CHAT_PROXY_SECRET={'y' * 32}\n"  # as the lines below the block do
    (tmp_path / "env").write_text(filled, encoding="utf-8")
    values = dotenv_values(tmp_path / "env", interpolate=False)
    return Settings.read({name: value for name, value in values.items() if value})


def test_its_settings_are_well(tmp_path: Path) -> None:
    people, everybody = (settings(block, tmp_path) for block in blocks(HOSTING, "ini"))
    for found in (people, everybody):
        assert {outcome.verdict for outcome in visitors.checks(found)} == {"ok"}
        assert found.shares_keys
        assert found.token
    assert set(people.users) == {"ann", "ben"}
    assert everybody.questions == "10/minute"


def test_what_is_left_to_fill_in_is_no_secret(tmp_path: Path) -> None:
    """Whoever takes a block as it stands is told so, and not open to everybody who reads the page."""
    for block in blocks(HOSTING, "ini"):
        (tmp_path / "env").write_text(block, encoding="utf-8")
        values = dotenv_values(tmp_path / "env", interpolate=False)
        with pytest.raises(Config):
            Settings.read({name: value for name, value in values.items() if value})


def test_the_secret_is_told_to_runnel_and_to_nginx(tmp_path: Path) -> None:
    """One that nginx does not send would make all visitors one person."""
    assert not any("CHAT_PROXY_SECRET" in block for block in blocks(HOSTING, "ini"))
    [lines] = [block for block in blocks(HOSTING, "sh") if "CHAT_PROXY_SECRET" in block]
    lines = lines.replace("sudo systemctl", ": ").replace("sudo ", "")
    lines = lines.replace("/opt/runnel", str(tmp_path)).replace("/etc/nginx", str(tmp_path))
    subprocess.run(["sh", "-euc", lines], check=True)
    secret = dotenv_values(tmp_path / ".env")["CHAT_PROXY_SECRET"]
    included = tmp_path / "runnel-secret.conf"
    assert included.read_text(encoding="utf-8") == f'proxy_set_header X-Runnel-Proxy-Secret "{secret}";\n'
    assert included.stat().st_mode & 0o077 == 0
    config = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    [pattern] = re.findall(r"^ +include (/etc/nginx/runnel\S+);", config, re.MULTILINE)
    assert PurePath("/etc/nginx/runnel-secret.conf").match(pattern)


def test_its_variables_exist() -> None:
    known = set(re.findall(r"\b[A-Z]+_[A-Z_]+(?==)", (ROOT / ".env.example").read_text(encoding="utf-8")))
    told = set(re.findall(r"\b(?:CHAT|GRADIO|OPENAI)_[A-Z_]+", HOSTING))
    assert told <= known, told - known


def test_the_service_runs_what_the_page_puts_there() -> None:
    service = (ROOT / "deploy/runnel.service").read_text(encoding="utf-8")
    folder = re.search(r"^WorkingDirectory=(.+)$", service, re.MULTILINE)
    assert folder
    assert f"ExecStart={folder[1]}/.venv/bin/python app.py" in service
    assert f"sudo python3 -m venv {folder[1]}/.venv" in HOSTING
    assert f"ReadWritePaths={folder[1]}/data" in service
    assert f"-m 700 {folder[1]}/data" in HOSTING
    assert "User=runnel" in service


def test_nginx_is_more_patient_than_runnel_and_takes_what_runnel_takes() -> None:
    config = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    patience = re.findall(r"^ *(?:proxy_read|proxy_send|send)_timeout (\d+)s;", config, re.MULTILINE)
    assert len(patience) == 3
    assert min(map(int, patience)) > Deadlines().turn
    [largest] = re.findall(r"^ *client_max_body_size (\d+)m;", config, re.MULTILINE)
    assert int(largest) * 2**20 >= LARGEST_BODY
    types = re.search(r"^ *gzip_types (.*);", config, re.MULTILINE)
    assert types
    assert not {"text/event-stream", "text/plain", "application/json"}.intersection(types[1].split())


@pytest.mark.parametrize("text", [TUTORIAL, HOSTING], ids=["tutorial", "hosting"])
def test_its_links_lead_somewhere(text: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", text)
    assert links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link
