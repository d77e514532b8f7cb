"""Chats in the terminal: what one process asked is listed, searched, exported and gone on with in others.

`main` in this process stands for a process that ends; where two must live at once, one is a real one.
"""

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chat.cli import main
from chat.cli.columns import fit, fit_end, when, width

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 20.0
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


class OnScreen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets what a person at a terminal types."""
    return lambda text: monkeypatch.setattr(sys, "stdin", OnScreen(text))


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The lines that `chats` writes to a terminal of so many columns."""

    def shown(*arguments: str, columns: int = 80) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("NO_COLOR", "1")
        out = OnScreen()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            assert main(["chats", *arguments]) == 0
        return out.getvalue().splitlines()

    return shown


def chats(capsys: Capture, *arguments: str) -> list[dict[str, Any]]:
    """What `chats --json` says."""
    capsys.readouterr()
    assert main(["chats", "--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def asked(capsys: Capture, *arguments: str) -> list[dict[str, Any]]:
    """The events of a turn."""
    capsys.readouterr()
    assert main(["--events", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def sent(events: list[dict[str, Any]]) -> dict[str, Any]:
    return next(event for event in events if event["type"] == "request_sent")["body"]


def process(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "chat", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
    )


# -- the list --------------------------------------------------------------------------------


def test_lists_what_was_asked_the_latest_first(capsys: Capture):
    for question in ("a red bicycle", "a blue boat", "a green hat"):
        main([question])
    found = chats(capsys)
    assert [chat["title"] for chat in found] == ["a green hat", "a blue boat", "a red bicycle"]
    assert all(set(chat) == {"id", "title", "updated", "running", "found"} for chat in found)
    assert all(not chat["running"] and time.time() - 60 < chat["updated"] <= time.time() for chat in found)
    assert [chat["title"] for chat in chats(capsys, "--limit", "2")] == ["a green hat", "a blue boat"]


def test_no_chats_yet(capsys: Capture, kept: Path):
    assert main(["chats"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "no chats yet" in err


def test_searches_titles_and_texts(capsys: Capture):
    main(["a red bicycle"])
    main(["what is 23 * 19 + 4?"])
    assert [chat["title"] for chat in chats(capsys, "--search", "red", "bicycle")] == ["a red bicycle"]
    [found] = chats(capsys, "--search", "441")
    assert found["title"] == "what is 23 * 19 + 4?"
    assert "441" in found["found"]


@pytest.mark.parametrize("words", ["' OR 1=1--", '"*', "no such words", "%", "\x1b[31m"])
def test_a_search_without_a_find(capsys: Capture, words: str):
    main(["a red bicycle"])
    capsys.readouterr()
    assert main(["chats", "--search", words]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("No chat has “")
    assert "\x1b" not in err


def test_fits_a_terminal(capsys: Capture, screen: Callable[..., list[str]]):
    main(["Why is the sky blue, and why is it red in the evening, and dark in the night?"])
    main(["日本語の質問: なぜ空は青いのですか、夕方はなぜ赤いのですか、そして夜はなぜ暗いのですか、教えて"])
    main(["short"])
    for columns in (80, 60, 43):
        lines = screen(columns=columns)
        assert len(lines) == 3
        assert all(width(line) <= columns for line in lines)
    short, japanese, sky = screen()
    assert re.fullmatch(r"[\w-]{8}  (to|yester)day +\d\d:\d\d  short", short)
    assert japanese.endswith("…")
    assert "Why is the sky blue, and why is it red in the" in sky
    assert short.index("short") == sky.index("Why"), "they stand below one another"


def test_twenty_on_a_terminal_unless_more_is_asked_for(capsys: Capture, screen: Callable[..., list[str]]):
    for n in range(22):
        main([f"number {n}"])
    capsys.readouterr()
    assert len(screen()) == 20
    assert "--limit 40" in capsys.readouterr().err
    assert len(screen("--limit", "22")) == 22
    assert capsys.readouterr().err == ""
    assert main(["chats"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 22, "through a pipe, all"


def test_whole_lines_through_a_pipe(capsys: Capture):
    title = "Why is the sky blue, and why is it red in the evening?"
    main([title])
    capsys.readouterr()
    main(["chats"])
    out = capsys.readouterr().out
    id, at, shown, running, found = out.removesuffix("\n").split("\t")
    assert len(id) == 16
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", at)
    assert (shown, running, found) == (title, "", "")


def test_no_text_can_reach_for_the_terminal(capsys: Capture, screen: Callable[..., list[str]]):
    main(["red \x1b[31m \x1b]0;title\x07 \x9b31m \u202e\tand\nso on"])
    capsys.readouterr()
    for arguments in ([], ["--search", "red"], ["--json"]):
        lines = screen(*arguments)
        main(["chats", *arguments])
        for text in ["\n".join(lines), capsys.readouterr().out]:
            assert "so on" in text
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    id = chats(capsys)[0]["id"]
    for form in ("md", "json"):
        assert "\x1b" not in "".join(screen("--export", id, "--format", form))


def test_a_pipe_that_is_closed_early():
    for n in range(3):
        main([f"number {n}"])
    with process("chats") as listing:
        assert listing.stdout
        assert listing.stderr
        listing.stdout.close()
        assert listing.wait(PATIENCE) in (0, 1)
        assert listing.stderr.read() == ""


# -- going on --------------------------------------------------------------------------------


def test_goes_on_in_the_chat_that_was_used_last(capsys: Capture):
    main(["a red bicycle"])
    main(["a blue boat"])
    capsys.readouterr()
    assert main(["--continue", "what", "did", "I", "ask", "before?"]) == 0
    out, err = capsys.readouterr()
    assert "a blue boat" in out
    assert "bicycle" not in out
    assert err == "", "what is piped shows nothing but the answer"
    assert [chat["title"] for chat in chats(capsys)] == ["a blue boat", "a red bicycle"]


def test_goes_on_in_the_chat_of_an_id(capsys: Capture):
    main(["a red bicycle"])
    main(["a blue boat"])
    id = chats(capsys)[1]["id"]
    for beginning in (id, id[:6]):
        assert main(["--chat", beginning, "what did I ask before?"]) == 0
        assert "1. “a red bicycle”" in capsys.readouterr().out
    assert chats(capsys)[0]["id"] == id, "now it is the last one used"


def test_without_continue_a_new_chat_begins(capsys: Capture):
    main(["a red bicycle"])
    assert len(sent(asked(capsys, "what did I ask before?"))["messages"]) == 1
    assert len(chats(capsys)) == 2


@pytest.mark.parametrize("id", ["nonsense", "-x", "--help", "", "%", "' OR 1=1--"])
def test_an_unknown_id(capsys: Capture, id: str):
    main(["a red bicycle"])
    capsys.readouterr()
    for arguments in (["--chat", id, "hello"], ["chats", "--export", id]):
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"There is no chat “{id}”.")
    assert len(chats(capsys)) == 1


def test_a_beginning_of_more_than_one_id(capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    ids = iter(["other", "q1", "same-1", "q2", "same-11", "q3", "same-2", "q4", "same-3", "q5"])
    monkeypatch.setattr("chat.conversations.secrets", SimpleNamespace(token_urlsafe=lambda bytes: next(ids)))
    for n in range(5):
        main([f"number {n}"])
    capsys.readouterr()
    assert main(["--chat", "same", "hello"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("“same” is the beginning of more than one chat: same-3, same-2, same-11, ….")
    for id, question in (("o", "number 0"), ("same-1", "number 1")):
        assert main(["chats", "--export", id]) == 0
        assert f"> {question}" in capsys.readouterr().out, "a whole id is one"


def test_nothing_to_go_on_with(capsys: Capture):
    assert main(["--continue", "hello"]) == 2
    assert "no chat yet" in capsys.readouterr().err
    assert chats(capsys) == []


def test_continue_and_an_id_exclude_each_other(capsys: Capture):
    assert main(["--continue", "--chat", "x", "hello"]) == 2
    assert "not allowed" in capsys.readouterr().err


def test_model_and_settings_come_back(capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    first = sent(
        asked(capsys, "--model", "demo:fast", "--system", "S", "--temperature", "0.3", "--no-tools", "hello")
    )
    monkeypatch.setenv("CHAT_MODEL", "demo:thinker")
    back = sent(asked(capsys, "--continue", "hello"))
    for name in ("model", "system", "temperature", "tools"):
        assert back.get(name) == first.get(name), name
    said = sent(asked(capsys, "--continue", "--model", "demo:tour", "--temperature", "1", "--tools", "hello"))
    assert (said["model"], said["temperature"], said["system"]) == ("tour", 1, "S")
    assert "calculate" in said["tools"]


def test_the_model_that_was_the_default_then_comes_back(capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    assert sent(asked(capsys, "hello"))["model"] == "tour"
    monkeypatch.setenv("CHAT_MODEL", "demo:fast")
    assert sent(asked(capsys, "--continue", "hello"))["model"] == "tour"
    assert sent(asked(capsys, "hello"))["model"] == "fast"


# -- talking ---------------------------------------------------------------------------------


def test_a_talk_that_goes_on_reminds_of_where_one_is(capsys: Capture, typed: Callable[[str], None]):
    main(["what is 23 * 19 + 4?"])
    capsys.readouterr()
    typed("what did I ask before?\nquit\n")
    assert main(["--continue"]) == 0
    out, err = capsys.readouterr()
    assert "This is “what is 23 * 19 + 4?”." in err
    assert "You: what is 23 * 19 + 4?" in err
    assert "**441**" in err
    assert "/continue" not in err
    assert "You asked one question before this one" in out
    assert "441" not in out
    assert len(chats(capsys)) == 1


def test_an_unfinished_answer_can_be_gone_on_with(capsys: Capture, typed: Callable[[str], None]):
    assert main(["fail in mid-stream"]) == 1
    capsys.readouterr()
    typed("/continue\n/again\nquit\n")
    assert main(["--continue"]) == 0
    out, err = capsys.readouterr()
    assert "overloaded" in err
    assert "/continue asks for the rest, /again asks once more." in err
    assert out.count("Bot: ") == 2
    [chat] = chats(capsys)
    assert main(["chats", "--export", chat["id"], "--format", "json"]) == 0
    said = [m for m in json.loads(capsys.readouterr().out)["messages"] if m["role"] == "user"]
    assert [message["continues"] for message in said] == [False], "/again asks for the whole answer"


def test_again_takes_the_place_of_the_answer(capsys: Capture, typed: Callable[[str], None]):
    typed("a red bicycle\n/again\nwhat did I ask before?\nquit\n")
    assert main([]) == 0
    first, second, third = capsys.readouterr().out.split("Bot: ")[1:]
    assert first == second
    assert "1. “a red bicycle”" in third
    assert "2. " not in third


def test_nothing_to_have_again(capsys: Capture, typed: Callable[[str], None]):
    typed("/again\nhello\n/continue\nquit\n")
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert "There is no answer yet" in err
    assert "came to its end" in err
    assert out.count("Bot: ") == 1


# -- exporting -------------------------------------------------------------------------------


def test_exports_a_chat(capsys: Capture):
    main(["what is 23 * 19 + 4?"])
    id = chats(capsys)[0]["id"]
    assert main(["chats", "--export", id[:8]]) == 0
    text = capsys.readouterr().out
    assert "> what is 23 * 19 + 4?" in text
    assert "**441**" in text
    assert "calculate" in text, "tools are kept"
    for form in (["--format", "json"], ["--json"]):
        assert main(["chats", "--export", id, *form]) == 0
        assert json.loads(capsys.readouterr().out)["conversation"]["id"] == id


# -- columns ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "columns", "beginning", "end"),
    [
        ("hello", 5, "hello", "hello"),
        ("hello you", 6, "hello…", "…you"),
        ("hello", 4, "hel…", "…llo"),
        ("日本語", 6, "日本語", "日本語"),
        ("日本語", 5, "日本…", "…本語"),
        ("日本語", 4, "日…", "…語"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301", "e\u0301e\u0301e\u0301"),
    ],
)
def test_fits_columns(text: str, columns: int, beginning: str, end: str):
    assert fit(text, columns) == beginning
    assert fit_end(text, columns) == end


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-21 08:59", "today 08:59"),
        ("2026-11-20 23:59", "yesterday 23:59"),
        ("2026-11-19 23:59", "19 Nov 23:59"),
        ("2026-01-02 03:04", "2 Jan 03:04"),
        ("2025-11-21 09:00", "21 Nov 2025"),
    ],
)
def test_times_as_a_person_says_them(at: str, expected: str):
    def seconds(text: str) -> float:
        return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))

    assert when(seconds(at), seconds("2026-11-21 09:00")) == expected
