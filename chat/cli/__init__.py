"""The terminal: `python -m chat`. Ask once, or talk until `quit`.

    __init__   arguments, the conversation, exit codes
    host       the app on a loop in a thread of its own, so that the terminal may block
    screen     what is shown of a run: the answer on stdout, the rest on stderr
    streams    stdin, stdout and stderr of the process
    plain      nothing from elsewhere gives orders to the terminal

Reads runs like every other face. `main` may be called many times in one process.
"""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence
from typing import TextIO

from chat.cli import streams
from chat.cli.host import Host
from chat.cli.screen import Lines, Screen
from chat.errors import Config, Fault
from chat.messages import Options
from chat.owners import LOCAL
from chat.runs import Run
from chat.settings import Settings

__all__ = ["main"]

FINISHED, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

BANNER = "Streaming bot ready. Type 'quit' to exit."
RESERVED = ("chats", "doctor")
LISTS = 0.4
"""Seconds that the lists of models may take before one is chosen: servers on this machine answer in 0.3."""


def main(argv: list[str] | None = None) -> int:
    """Run the command with `argv` (by default the process's) and return its exit code.

    0 the turn finished, 1 it failed, 2 usage or settings, 130 Ctrl-C in a one-shot.
    """
    with streams.utf8():
        try:
            arguments = _arguments(sys.argv[1:] if argv is None else argv)
            return _run(arguments)
        except SystemExit as leaving:  # argparse has said why
            return leaving.code if isinstance(leaving.code, int) else USAGE
        except Fault as fault:
            streams.complain(fault.message)
            return USAGE if isinstance(fault, Config) else FAILED
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            streams.leave_pipe()
            return FAILED


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m chat",
        description="Ask a model, and read the answer while it is written. Without a question, talk.",
        epilog="A question may also come through a pipe; with both, what is piped follows the question. "
        "The answer goes to stdout and everything else to stderr. "
        "Exit codes: 0 the answer came to its end, 1 it failed, 2 usage or settings, 130 Ctrl-C.",
    )
    parser.add_argument("question", nargs="*", help="what to ask; without it, a conversation begins")
    parser.add_argument("--model", metavar="VENDOR:MODEL", help="such as openai:gpt-4o-mini or demo:tour")
    parser.add_argument(
        "--temperature", type=_temperature, metavar="T", help="0 to 2; unset: the model's default"
    )
    parser.add_argument("--system", metavar="TEXT", help="the system prompt; unset: that of the settings")
    parser.add_argument("--no-tools", action="store_true", help="let the model use no tools")
    parser.add_argument("--events", action="store_true", help="print every event as a line of JSON instead")
    arguments = parser.parse_args(argv)
    if arguments.question and arguments.question[0] in RESERVED:
        word = arguments.question[0]
        parser.error(
            f"«{word}» is kept for a command of that name, which does not exist yet. To ask a question "
            f"that begins with it, put the whole question in quotation marks."
        )
    return arguments


def _temperature(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError("must be from 0 to 2")
    return value


def _run(arguments: argparse.Namespace) -> int:
    settings = Settings.load()
    question = " ".join(arguments.question)
    talk = not question and sys.stdin is not None and sys.stdin.isatty()
    if not talk:
        question = "\n\n".join(part for part in (question, streams.piped()) if part.strip())
        if not question:
            streams.complain(
                'There is nothing to answer. Write a question: python -m chat "…", or pipe one in.'
            )
            return USAGE
    with Host(settings) as host, streams.warnings():
        terminal = _Terminal(host, settings, arguments)
        return terminal.talk() if talk else terminal.ask_once(question)


class _Terminal:
    def __init__(self, host: Host, settings: Settings, arguments: argparse.Namespace) -> None:
        self._host, self._events = host, arguments.events
        self._colour = streams.colour(settings, sys.stderr)
        self._conversation = host.app.store.new(LOCAL)
        self._options = Options(
            model=arguments.model or self._default(),
            temperature=arguments.temperature,
            system=arguments.system,
            tools=() if arguments.no_tools else host.app.tools.names,
        )

    def ask_once(self, question: str) -> int:
        run = self._ask(question)
        match run.state:
            case "complete":
                return FINISHED
            case "stopped":
                return INTERRUPTED
            case _:
                failure = run.transcript.failure
                return USAGE if failure and failure.kind == "config" else FAILED

    def talk(self) -> int:
        out = sys.stdout if sys.stdout.isatty() and not self._events else sys.stderr
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  gives `input` its line editing and its history
        out.write(f"{BANNER}\n")
        out.flush()
        model = self._options.model or self._host.app.catalogue.default
        Screen(sys.stdout, sys.stderr, colour=self._colour).note(
            f"{model} answers. Ctrl-C stops an answer that is too long."
        )
        while True:
            try:
                question = self._read(out).strip()
                if question.lower() in ("quit", "exit"):
                    return FINISHED
                if question:
                    self._ask(question, lead="Bot: ")
            except EOFError:
                out.write("\n")
                return FINISHED
            except KeyboardInterrupt:
                self._stop()
                out.write("\n")

    def _stop(self) -> None:
        """Ends an answer that was interrupted before anybody followed it."""
        if (last := self._conversation.last) and (run := self._host.app.runs.get(last.run)):
            self._host.soon(run.stop)

    def _ask(self, question: str, lead: str = "") -> Run:
        async def begin() -> Run:
            return await self._host.app.runs.ask(self._conversation, question, self._options)

        run = self._host.call(begin())
        screen = (
            Lines(sys.stdout)
            if self._events
            else Screen(sys.stdout, sys.stderr, colour=self._colour, lead=lead)
        )
        with self._host.stopping(run), contextlib.closing(self._host.follow(run)) as batches:
            for entries in batches:
                for entry in entries:
                    screen.show(entry.event)
        return run

    def _read(self, out: TextIO) -> str:
        if out is sys.stdout:
            return input("You: ")
        out.write("You: ")
        out.flush()
        return input()

    def _default(self) -> str | None:
        """None: the catalogue's default. Which one that is may depend on who answers on this machine."""

        async def listed() -> None:
            if (fetching := self._host.app.catalogue.refresh()) is not None:
                await asyncio.wait([fetching], timeout=LISTS)

        if not self._host.app.settings.model:
            self._host.call(listed())
        return None
