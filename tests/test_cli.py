"""The terminal: given these arguments and this input, this output and this exit code.

Most tests call `main` in this process. What only a real terminal shows (characters over time,
Ctrl-C, colour) runs on a pty, with the program in a process of its own.
"""

import errno
import io
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.cli import main, streams
from chat.cli.plain import Plain, plain
from chat.cli.screen import Screen
from chat.events import Queued, TextDelta, TurnFinished

PATIENCE = 20.0
"""Seconds that a program on a pty may take for anything at all, on a busy machine."""


@pytest.fixture(autouse=True)
def somewhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `.env` of the person who runs the tests, and a demo that does not pause."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAT_DEMO_PACE", "0")


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets what a person at a terminal types."""
    return lambda text: monkeypatch.setattr(sys, "stdin", Keyboard(text))


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_an_argument_in_another_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsencode", lambda text: text.encode("ascii", "surrogateescape"))
    assert streams.whole("R\udcc3\udca4der \udcff?") == "Räder \ufffd?"
    assert streams.whole("Räder?") == "Räder?"
    assert streams.whole("ä\udcc3") == "ä?"  # of both kinds


def test_the_models_there_are(capfd: pytest.CaptureFixture[str], piped: Callable[[str], None]) -> None:
    piped("Nobody asks this.")
    assert main(["--models"]) == 0
    out, err = capfd.readouterr()
    assert "demo:tour" in out.splitlines()
    assert all(re.fullmatch(r"demo:[a-z_]+", line) for line in out.splitlines())
    assert err == ""


@pytest.fixture(autouse=True)
def nothing_piped(piped: Callable[[str], None]) -> None:
    piped("")


Capture = pytest.CaptureFixture[str]


def events(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# -- once ------------------------------------------------------------------------------------


def test_answers_a_question(capsys: Capture):
    assert main(["who are you?"]) == 0
    out, err = capsys.readouterr()
    assert "script" in out
    assert out.endswith("\n")
    assert not out.endswith("\n\n")
    assert err == ""


def test_words_need_no_quotation_marks(capsys: Capture):
    assert main(["what", "did", "I", "ask", "before?"]) == 0
    assert "first question" in capsys.readouterr().out


def test_answers_what_is_piped_in(capsys: Capture, piped: Callable[[str], None]):
    piped("refuse\n")
    assert main([]) == 0
    assert "refusal" in capsys.readouterr().out


def test_what_is_piped_follows_the_question(capsys: Capture, piped: Callable[[str], None]):
    piped("line one\nline two\n")
    assert main(["hello", "--events"]) == 0
    sent = next(event for event in events(capsys) if event["type"] == "request_sent")
    assert sent["body"]["messages"] == [{"role": "user", "content": "hello\n\nline one\nline two"}]


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_to_answer(capsys: Capture, piped: Callable[[str], None], text: str):
    piped(text)
    assert main([]) == 2
    assert "nothing to answer" in capsys.readouterr().err


def test_the_answer_goes_to_stdout_and_the_rest_to_stderr(capsys: Capture):
    assert main(["what is 23 * 19 + 4?"]) == 0
    out, err = capsys.readouterr()
    assert "**441**" in out
    assert "→" not in out
    assert "→ calculate" in err
    assert "← calculate 441" in err
    assert "ask a tool" in err, "thinking"


def test_a_vendor_that_there_is_not(capsys: Capture):
    assert main(["--model", "nope:x", "hi"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("There is no vendor nope; there are anthropic, ")
    assert main(["chats"]) == 0
    assert "hi" not in capsys.readouterr().out.split()


def test_a_failed_turn(capsys: Capture):
    assert main(["fail in mid-stream"]) == 1
    out, err = capsys.readouterr()
    assert out.endswith("and\n"), "the text so far is kept, its line ended"
    assert "overloaded" in err


def test_a_retry_is_told(capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("chat.attempts.attempts.__defaults__", (sleep,))
    assert main(["rate limit"]) == 0
    assert waited == [2]
    assert "Trying again in 2.0 s" in capsys.readouterr().err


def test_an_ending_that_is_not_the_end_is_told(capsys: Capture):
    assert main(["length limit"]) == 0
    assert "Ended at the length limit." in capsys.readouterr().err


def test_a_place_in_the_queue_is_told(capsys: Capture):
    screen = Screen(sys.stdout, sys.stderr, colour=False)
    for event in (Queued(2), Queued(1), TextDelta("Hello."), TurnFinished("end")):
        screen.show(event)
    assert capsys.readouterr() == ("Hello.\n", "Queued, 2 before you.\nQueued, 1 before you.\n")


def test_every_event_as_a_line_of_json(capsys: Capture):
    assert main(["--events", "calculate 6 * 7"]) == 0
    happened = events(capsys)
    kinds = [event["type"] for event in happened]
    assert kinds[0] == "turn_started"
    assert kinds[-1] == "turn_finished"
    assert kinds.count("turn_finished") == 1
    finished = next(event for event in happened if event["type"] == "tool_finished")
    assert finished["result"] == 42
    assert "**42**" in "".join(event["text"] for event in happened if event["type"] == "text_delta")


def test_a_failure_among_the_events(capsys: Capture):
    assert main(["--events", "cut off"]) == 1
    last = events(capsys)[-1]
    assert last["type"] == "turn_failed"
    assert last["failure"]["kind"] == "cut_off"


def test_events_are_ascii(capsys: Capture):
    main(["--events", "q \x7f \x9b31m ü \u202e"])
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x7f" not in out


def test_options_reach_the_model(capsys: Capture):
    assert main(["--events", "--system", "S", "--temperature", "0.3", "--model", "demo:fast", "hello"]) == 0
    sent = next(event for event in events(capsys) if event["type"] == "request_sent")
    assert sent["body"]["model"] == "fast"
    assert sent["body"]["system"] == "S"
    assert sent["body"]["temperature"] == 0.3
    assert "calculate" in sent["body"]["tools"]


def test_without_tools(capsys: Capture):
    assert main(["--events", "--no-tools", "calculate 2 + 2"]) == 0
    happened = events(capsys)
    assert "tools" not in next(event for event in happened if event["type"] == "request_sent")["body"]
    assert all(event["type"] != "tool_started" for event in happened)


def test_a_temperature_that_is_not_taken_is_told(capsys: Capture):
    assert main(["--model", "demo:strict", "--temperature", "1", "hello"]) == 0
    assert "temperature" in capsys.readouterr().err


# -- usage and settings ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--temperature", "9", "hi"],
        ["--temperature", "warm", "hi"],
        ["--temperature", "nan", "hi"],
        ["--nonsense"],
    ],
)
def test_wrong_usage(capsys: Capture, arguments: list[str]):
    assert main(arguments) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["doctor", "who"], ["--no-tools", "doctor"], ["chats", "and", "more"]])
def test_reserved_words(capsys: Capture, words: list[str]):
    [command] = {"doctor", "chats"}.intersection(words)
    assert main(words) == 2
    assert f"“{command}”" in capsys.readouterr().err
    assert main([f"{command} and more"]) == 0


def test_help(capsys: Capture):
    assert main(["--help"]) == 0
    assert "--no-tools" in capsys.readouterr().out


def test_a_wrong_setting_is_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAT_DEMO_PACE", "quick")
    assert main(["hello"]) == 2
    assert "CHAT_DEMO_PACE" in capsys.readouterr().err


def test_a_missing_key_is_named(capsys: Capture):
    assert main(["--model", "openai:gpt-4o-mini", "hello"]) == 2
    assert "OPENAI_API_KEY" in capsys.readouterr().err


def test_an_unknown_model(capsys: Capture):
    assert main(["--model", "demo:nonsense", "hello"]) == 1
    assert "nonsense" in capsys.readouterr().err


def test_each_call_reads_the_environment_anew(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("CHAT_MODEL", "demo:fast")
    main(["--events", "hi"])
    assert events(capsys)[0]["model"] == "demo:fast"
    monkeypatch.delenv("CHAT_MODEL")
    (tmp_path / ".env").write_text("CHAT_MODEL=demo:thinker\n")
    main(["--events", "hi"])
    assert events(capsys)[0]["model"] == "demo:thinker"


def test_each_call_closes_what_it_opened(files_open: Callable[[], int]):
    main(["hello"])
    threads, files = threading.active_count(), files_open()
    for _ in range(3):
        main(["hello"])
    assert threading.active_count() == threads
    assert files_open() == files
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# -- a conversation --------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["quit", "exit", "QUIT", " Exit "])
def test_ends_when_told(capsys: Capture, typed: Callable[[str], None], word: str):
    typed(f"{word}\nhello\n")
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Streaming bot ready. Type 'quit' to exit.\ndemo:tour answers.")
    assert err.endswith("You: ")


def test_ends_at_the_end_of_input(capsys: Capture, typed: Callable[[str], None]):
    typed("hello\n")
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Bot: ")


def test_remembers_what_was_said(capsys: Capture, typed: Callable[[str], None]):
    typed("a red bicycle\n\n   \nwhat did I ask before?\nquit\n")
    assert main([]) == 0
    assert "1. “a red bicycle”" in capsys.readouterr().out


def test_goes_on_after_a_failure(capsys: Capture, typed: Callable[[str], None]):
    typed("wrong key\nfail\nhello\nquit\n")
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert "does not accept the key" in err
    assert out.count("Bot: ") == 2, "of the three answers one has no word"


# -- a real terminal -------------------------------------------------------------------------


class Terminal:
    """The program on a pty."""

    def __init__(self, *arguments: str, **environ: str) -> None:
        ours, theirs = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chat", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # its controlling terminal
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TERM": "xterm", **environ},
        )
        os.close(theirs)
        self._end = ours
        self.chunks: list[tuple[float, str]] = []

    @property
    def shown(self) -> str:
        return "".join(text for _, text in self.chunks)

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def until(self, text: str, times: int = 1) -> None:
        """Reads until `text` was shown so many times."""
        while self.shown.count(text) < times:
            assert self.read(), f"the program ended after {self.shown!r}"

    def ended(self) -> int:
        while self.read():
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._end)

    def has_more(self, within: float = PATIENCE) -> bool:
        return bool(select.select([self._end], [], [], within)[0])

    def read(self) -> bool:
        """Reads what is there. False: the program has ended."""
        assert self.has_more(), f"nothing more came after {self.shown!r}"
        try:
            data = os.read(self._end, 65536)
        except OSError as error:  # Linux says so when the other end is closed
            if error.errno != errno.EIO:
                raise
            return False
        self.chunks.append((time.monotonic(), data.decode(errors="replace")))
        return bool(data)


@pytest.fixture
def files_open() -> Callable[[], int]:
    if not Path("/proc/self/fd").exists():
        pytest.skip("counts open files where /proc shows them")
    return lambda: len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    if sys.platform == "win32":
        pytest.skip("there is no pty on Windows")
    opened: list[Terminal] = []

    def open_terminal(*arguments: str, **environ: str) -> Terminal:
        opened.append(Terminal(*arguments, **environ))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_characters_arrive_over_time(terminal: Callable[..., Terminal]):
    it = terminal(CHAT_DEMO_PACE="1")
    it.until("You: ")
    assert "Streaming bot ready. Type 'quit' to exit." in it.shown
    it.type("hello\n")
    it.until("Bot: ")
    before = len(it.chunks)
    it.until("You: ", 2)
    times = [at for at, _ in it.chunks[before:]]
    assert len(times) > 5
    assert times[-1] - times[0] > 0.1
    it.type("QUIT\n")
    assert it.ended() == 0


def test_notes_stand_on_lines_of_their_own(terminal: Callable[..., Terminal]):
    it = terminal("--model", "demo:fast", "calculate 6 * 7", NO_COLOR="1")
    assert it.ended() == 0
    assert re.search(r"\.\r\n→ calculate .*\r\n← calculate 42 \(0\.\d s\)\r\n`6 \* 7` makes", it.shown)


def test_ctrl_c_stops_the_answer_and_not_the_program(terminal: Callable[..., Terminal]):
    it = terminal()
    it.until("You: ")
    it.type("stall\n")
    it.until("press Stop.")
    it.type("\x03")
    it.until("Stopped.")
    it.until("You: ", 2)
    it.type("hello\n")
    it.until("Bot: ", 2)
    it.until("You: ", 3)
    it.type("exit\n")
    assert it.ended() == 0
    assert "Traceback" not in it.shown


def test_ctrl_c_at_the_prompt_begins_a_new_line(terminal: Callable[..., Terminal]):
    it = terminal()
    it.until("You: ")
    it.type("half a quest")
    it.until("half a quest")
    # CPython's readline loses a Ctrl-C that comes while it is at work on a key. Like a person, try again.
    for _ in range(20):
        it.type("\x03")
        while it.has_more(within=0.5) and it.read():
            pass
        if it.shown.count("\nYou: ") == 2:
            break
    it.type("quit\n")
    assert it.ended() == 0
    assert "Traceback" not in it.shown


def test_what_is_not_the_answer_is_dim(terminal: Callable[..., Terminal]):
    it = terminal("calculate 6 * 7")
    assert it.ended() == 0
    assert "\x1b[2m→ calculate" in it.shown
    assert "**42**" in it.shown


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_it_is_not_wanted(terminal: Callable[..., Terminal], environ: dict[str, str]):
    it = terminal("calculate 6 * 7", **environ)
    assert it.ended() == 0
    assert "→ calculate" in it.shown
    assert "\x1b" not in it.shown


def run(*arguments: str, **environ: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "chat", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environ},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process")
def test_ctrl_c_in_a_one_shot():
    with run("stall") as process:
        assert process.stdout
        assert process.stderr
        text = b""
        while b"press Stop." not in text:
            text += os.read(process.stdout.fileno(), 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stdout.read() == b"\n"
        assert process.stderr.read() == b"Stopped.\n"


def test_nobody_reads_any_more():
    with run("long answer") as process:
        assert process.stdout
        assert process.stderr
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        assert process.wait(PATIENCE) == 1
        assert process.stderr.read() == b""


def test_speaks_utf_8_in_any_locale():
    ascii_only = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    out, err = run("markdown", **ascii_only).communicate(timeout=PATIENCE)
    assert "Zürich" in out.decode()
    assert err == b""


# -- nothing from elsewhere gives orders -----------------------------------------------------


def test_a_model_cannot_reach_for_the_terminal(capsys: Capture):
    assert main(["hello?\x1b[2J\x1b]0;title\x07 \x9b31m \u202eevil\r\b or nonsense"]) == 0
    out, err = capsys.readouterr()
    assert not any(c in out + err for c in "\x1b\x07\x9b\u202e\r\b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mb\x1b[0mc", "abc"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        ("a\x1bP1;2q#0\x1b\\b", "ab"),
        ("a\x9b2Jb\x9d0;t\x9cc", "abc"),
        ("a\x1b(Bb\x1bcd\x1b7e", "abde"),
        ("a\r\nb\rc\x08d\x00e\x7ff", "a\nbcdef"),
        ("\u202eabc\u2066d", "abcd"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("\x1b]0;never ends\nthe next line", "]0;never ends\nthe next line"),
        ("עברית ‏ 日本 🚲 é", "עברית ‏ 日本 🚲 é"),
    ],
)
def test_what_is_left_of_a_text(text: str, expected: str):
    assert plain(text) == expected
    for cut in range(len(text) + 1):
        pieces = Plain()
        assert pieces.feed(text[:cut]) + pieces.feed(text[cut:]) == expected


@given(st.lists(st.text(st.characters() | st.sampled_from("\x1b[]mPX;\x07\\\x9b\x9c0"))))
def test_no_order_comes_through_in_any_pieces(texts: list[str]):
    pieces = Plain()
    shown = "".join(pieces.feed(text) for text in texts)
    assert all(c in "\n\t" or (c.isprintable() or c.isspace() or ord(c) > 0x9F) for c in shown)
    assert not set(shown) & {"\x1b", "\x07", "\x9b", "\x9c", "\r", "\u202e"}


def test_a_sequence_without_end_is_not_held_back_for_ever():
    pieces = Plain()
    shown = pieces.feed("\x1b]0;") + "".join(pieces.feed("word ") for _ in range(100))
    assert "word word" in shown
