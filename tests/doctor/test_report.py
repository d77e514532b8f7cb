"""What the doctor prints: lines that fit, JSON, exit codes, and never a key."""

import io
import json
import logging
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path

import pytest

from chat.cli import doctor, main
from chat.cli.doctor import site
from chat.cli.doctor.outcome import Outcome, failed, ok, warning
from chat.cli.doctor.report import Report
from chat.settings import Settings

SECRETS = {
    "OPENAI_API_KEY": "an-odd-key-0123",
    "CHAT_TOKEN": "a-token-of-mine-0123",
    "CHAT_USERS": "ann:correct horse",
}
Capture = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(
    *outcomes: Outcome,
    out: io.StringIO | None = None,
    json: bool = False,
    settings: Mapping[str, str] | None = None,
) -> str:
    out = out or io.StringIO()
    with Report(out, Settings.read(settings or {}), json=json) as report:
        for outcome in outcomes:
            report.add(outcome)
    return out.getvalue()


def test_a_line_each_and_the_sum() -> None:
    text = printed(
        ok("python", "Python 3.11.2"), warning("disk", "Short."), failed("port", "Taken.", "End it.")
    )
    assert text == (
        "✓ python      Python 3.11.2\n! disk        Short.\n✗ port        Taken.\n"
        "              → End it.\n\n1 failed and 1 to look at, of 3.\n"
    )
    assert printed(ok("python", "")).endswith("\nAll 1 are well.\n")


def test_it_fits_into_80_columns() -> None:
    text = printed(failed("streaming", "word " * 40, site.NGINX), failed("x", "y " * 90, "z " * 90))
    assert max(map(len, text.splitlines())) <= 80
    assert "\n                    proxy_buffering off;\n" in text


def test_colours_on_a_terminal_alone() -> None:
    assert "\x1b[31m✗\x1b[0m" in printed(failed("port", "Taken."), out=Terminal(), settings={"TERM": "xterm"})
    assert "\x1b" not in printed(failed("port", "Taken."), out=Terminal(), settings={"NO_COLOR": "1"})
    assert "\x1b" not in printed(failed("port", "Taken."))


def test_nothing_gives_the_terminal_orders() -> None:
    assert "\x1b" not in printed(failed("address", "says \x1b]0;title\x07"))


@pytest.mark.parametrize("json", [True, False])
def test_no_key_is_ever_printed(json: bool) -> None:
    told = "an-odd-key-0123 a-token-of-mine-0123 correct horse sk-somebodys0123456789"
    text = printed(failed("openai", told, told), json=json, settings=SECRETS)
    for secret in told.split():
        assert secret not in text
    assert text.count("[key]") == 8


def test_json() -> None:
    found = json.loads(
        printed(ok("disk", "Room.", free_mb=5), failed("port", "Taken.", "End it."), json=True)
    )
    assert (found["ok"], found["warning"], found["failed"]) == (1, 0, 1)
    assert found["checks"] == [
        {"name": "disk", "verdict": "ok", "said": "Room.", "next": "", "figures": {"free_mb": 5}},
        {"name": "port", "verdict": "failed", "said": "Taken.", "next": "End it.", "figures": {}},
    ]


# -- the command


def test_all_is_well(capsys: Capture) -> None:
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].startswith("All ")
    assert err == ""


def test_the_log_is_as_it_was_afterwards(capsys: Capture) -> None:
    before = list(logging.getLogger("chat").handlers)
    assert main(["doctor"]) == 0
    assert logging.getLogger("chat").handlers == before


async def test_whoever_stops_listening_closes_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same moment, and not when the collector comes by."""
    closed = list[str]()

    async def endless(*_: object) -> AsyncGenerator[Outcome, None]:
        try:
            while True:
                yield ok("endless", "")
        finally:
            closed.append("it")

    monkeypatch.setattr(doctor.vendors, "opened", endless)
    monkeypatch.setattr(site, "_met", endless)
    for checks in (doctor._checks(Settings.read({}), None, ""), site.checks("http://127.0.0.1:1", None)):
        closed.clear()
        async with aclosing(checks):
            async for outcome in checks:
                if outcome.name == "endless":
                    break
        assert closed == ["it"]


def test_a_warning_is_no_failure(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_DATABASE", ":memory:")
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warning"] >= 1


def test_settings_that_cannot_be_read(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_IDLE_TIMEOUT", "soon")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "✗ settings    CHAT_IDLE_TIMEOUT" in out
    assert "python" in out


def test_an_env_that_is_no_text(capsys: Capture) -> None:
    Path(".env").write_bytes(b"CHAT_TITLE=\xff\xfe")
    assert main(["doctor"]) == 1
    assert "UTF-8" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="for root every file can be read")
def test_an_env_that_may_not_be_read(capsys: Capture) -> None:
    Path(".env").touch(0)
    assert main(["doctor"]) == 1


@pytest.mark.parametrize(
    "words", [["chat.example.com"], ["ftp://a"], ["http://a?b"], ["https://a", "https://b"], ["--no"]]
)
def test_wrong_usage(capsys: Capture, words: list[str]) -> None:
    assert main(["doctor", *words]) == 2
    assert "usage: python -m chat doctor" in capsys.readouterr().err


def test_help(capsys: Capture) -> None:
    assert main(["doctor", "--help"]) == 0
    assert "Exit codes" in capsys.readouterr().out
