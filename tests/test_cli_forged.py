"""What comes from elsewhere and is no answer is one line on the terminal, and cannot pose as one of ours."""

import io
import logging

import pytest

from chat.cli import chats, main, streams
from chat.cli.plain import LONGEST_LINE, one_line
from chat.cli.screen import Screen
from chat.errors import Failure
from chat.events import (
    Citation,
    Event,
    Notice,
    Progress,
    Retrying,
    ToolFinished,
    ToolStarted,
    TurnFailed,
)
from chat.store import Chat

BREAKS = "\n✓ forged\r\n← forged\x0bforged\x85forged\u2028forged\u2029"
FORGED = f"x{BREAKS}\x1b[2K\x1b[1A\x9b31m\u202eforged\x07\x00"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def is_one_line(text: str) -> bool:
    return text.endswith("\n") and len(text.splitlines()) == 1 and text[:-1].isprintable()


@pytest.mark.parametrize(
    "event",
    [
        ToolStarted("c1", FORGED, {}),
        ToolStarted("c1", "x", {"a": FORGED, FORGED: 1}),
        ToolStarted("c1", "x", FORGED),
        ToolFinished("c1", FORGED, 1, None, 0.1),
        ToolFinished("c1", "x", FORGED, None, 0.1),
        ToolFinished("c1", "x", [FORGED], None, 0.1),
        ToolFinished("c1", "x", None, FORGED, 0.1),
        Citation(FORGED, "https://example.org"),
        Citation("x", FORGED),
        Notice("x", FORGED),
        Progress(FORGED),
        Retrying(2, 0.5, "server", FORGED),
        TurnFailed(Failure("server", FORGED)),
    ],
    ids=lambda event: type(event).__name__,
)
@pytest.mark.parametrize("colour", [False, True])
def test_an_event(event: Event, colour: bool) -> None:
    out, err = Terminal(), Terminal()
    Screen(out, err, colour=colour).show(event)
    said = err.getvalue().replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert "forged" in said
    assert is_one_line(said)
    assert out.getvalue() == ""


def test_a_chat_in_the_list() -> None:
    chat = Chat("id1", FORGED, 0.0, False, FORGED)
    table = chats._table([chat], 80, 0.0, dim=False)
    assert [is_one_line(f"{line}\n") for line in table] == [True, True]
    assert is_one_line(chats._tabs(chat).replace("\t", " ") + "\n")


def test_a_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    streams.complain(FORGED)
    assert is_one_line(capsys.readouterr().err)


def test_a_warning_and_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("chat.forged")
    log.propagate = True
    handler = streams._Complaints(logging.WARNING)
    log.addHandler(handler)
    try:
        log.warning("a vendor said %s", FORGED)
        assert is_one_line(capsys.readouterr().err)
        try:
            raise ValueError(FORGED)
        except ValueError:
            log.exception("it failed")
        first, *others = capsys.readouterr().err.splitlines()
        assert first == "it failed"
        assert others
        assert all(line.startswith("  | ") for line in others)
    finally:
        log.removeHandler(handler)


def test_the_name_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", f"demo:{FORGED.replace(chr(0), '')}", "hello?"]) != 0
    said = capsys.readouterr().err
    assert said
    assert all(is_one_line(f"{line}\n") for line in said.splitlines())
    assert not any(line.startswith(("✓", "←", "forged")) for line in said.splitlines())


@pytest.mark.parametrize("text", ["a" * 10_000_000, "\n" * 10_000_000, "\x1b[" * 5_000_000, "é " * 100_000])
def test_a_line_has_an_end(text: str) -> None:
    assert len(one_line(text)) <= LONGEST_LINE
