"""The command line, read. Nothing here opens or asks anything.

`parse` gives `Ask` (a question, or a talk), `Chats` (the list, or one chat exported), `Doctor` or
`HashPassword`. Wrong usage
is told by argparse on stderr, which then raises `SystemExit`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

COMMANDS = ("chats", "doctor", "hash-password")
_QUOTE = "To ask a question that begins with “{}”, put the whole question in quotation marks."
_IDS = ("--chat", "--export")


@dataclass(frozen=True, slots=True)
class Ask:
    question: str = ""
    """"" to talk, or for what is piped in."""
    model: str | None = None
    temperature: float | None = None
    system: str | None = None
    tools: bool | None = None
    """These four: None where nothing was said."""
    events: bool = False
    models: bool = False
    """List what can be asked, and ask nothing."""
    chat: str | None = None
    """The beginning of the id of the chat to go on in."""
    last: bool = False
    """Go on in the chat that was used last."""


@dataclass(frozen=True, slots=True)
class Chats:
    search: str = ""
    limit: int | None = None
    json: bool = False
    export: str | None = None
    """The beginning of the id of the chat to export."""
    format: Literal["md", "json"] = "md"


@dataclass(frozen=True, slots=True)
class Doctor:
    url: str = ""
    """Without a slash at its end; "" to look at this machine."""
    json: bool = False


@dataclass(frozen=True, slots=True)
class HashPassword:
    """Reads a password and prints its hash."""


def parse(argv: Sequence[str]) -> Ask | Chats | Doctor | HashPassword:
    argv = _joined(argv)
    match argv[:1]:
        case ["chats"]:
            return _chats(argv[1:])
        case ["doctor"]:
            return _doctor(argv[1:])
        case ["hash-password"]:
            return _hash_password(argv[1:])
        case _:
            return _ask(argv)


def _ask(argv: Sequence[str]) -> Ask:
    parser = argparse.ArgumentParser(
        prog="python -m chat",
        usage="python -m chat [options] [question ...]\n       python -m chat chats [options]\n"
        "       python -m chat doctor [options] [URL]\n       python -m chat hash-password",
        description="Ask a model, and read the answer while it is written. Without a question, talk. "
        "“python -m chat chats” lists the chats there are; “python -m chat doctor” says whether all is well.",
        epilog="A question may also come through a pipe; with both, what is piped follows the question. "
        "The answer goes to stdout and everything else to stderr. While talking, “quit” ends, /again asks "
        "the last question once more, and /continue asks for the rest of an answer that was cut off. "
        "Exit codes: 0 the answer came to its end, 1 it failed, 2 usage, settings or no such chat, "
        "130 Ctrl-C.",
    )
    parser.add_argument("question", nargs="*", help="what to ask; without it, a talk begins")
    chat = parser.add_mutually_exclusive_group()
    chat.add_argument(
        "--continue", "-c", action="store_true", dest="last", help="go on in the chat that was used last"
    )
    chat.add_argument("--chat", metavar="ID", help="go on in this one; the beginning of its id will do")
    parser.add_argument("--model", metavar="VENDOR:MODEL", help="such as openai:gpt-4o-mini or demo:tour")
    parser.add_argument(
        "--temperature", type=_temperature, metavar="T", help="0 to 2; unset: the model's default"
    )
    parser.add_argument("--system", metavar="TEXT", help="the system prompt; unset: that of the settings")
    parser.add_argument(
        "--tools",
        action=argparse.BooleanOptionalAction,
        help="let the model use tools, or none; unset: let it, and in an older chat as it was",
    )
    parser.add_argument(
        "--models", action="store_true", help="list the models there are, those on this machine too, and end"
    )
    parser.add_argument("--events", action="store_true", help="print every event as a line of JSON instead")
    found = parser.parse_args(argv)
    if found.question and (word := found.question[0]) in COMMANDS:
        parser.error(f"“{word}” is a command and comes first, before its options. {_QUOTE.format(word)}")
    found.question = " ".join(found.question)
    return Ask(**vars(found))


def _chats(argv: Sequence[str]) -> Chats:
    parser = argparse.ArgumentParser(
        prog="python -m chat chats",
        usage="python -m chat chats [options]",
        description="List your chats, the latest first: id, when it was used last, title.",
        epilog="On a terminal the lines are cut to its width. Through a pipe they are whole, with a tab "
        "between id, time, title, “running” where an answer is being written, and the words that a search "
        "found.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--search",
        nargs="+",
        metavar="WORDS",
        default=[],
        help="only those with these words in title or text",
    )
    what.add_argument(
        "--export", metavar="ID", help="write this chat to stdout; the beginning of its id will do"
    )
    parser.add_argument(
        "--limit", type=_limit, metavar="N", help="at most so many; unset: 20 on a terminal, else all"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--format", choices=["md", "json"], default="md", help="of an export: Markdown (unless said) or JSON"
    )
    found, others = parser.parse_known_args(argv)
    if others:
        parser.error(f"“{others[0]}” is no option of this list. {_QUOTE.format('chats')}")
    found.search = " ".join(found.search)
    return Chats(**vars(found))


def _doctor(argv: Sequence[str]) -> Doctor:
    parser = argparse.ArgumentParser(
        prog="python -m chat doctor",
        description="Look whether all is as it should be: keys, models, the disk, the port, who may come. "
        "With an address, whether what is served there arrives, and arrives when it is written.",
        epilog="It reads only, and asks nobody but the demo. With an address it sends CHAT_TOKEN, where that "
        "is set. Exit codes: 0 nothing failed, 1 something did, 2 usage.",
    )
    parser.add_argument("url", nargs="?", type=_url, help="for instance https://chat.example.com")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    found, others = parser.parse_known_args(argv)
    if others:
        parser.error(f"“{others[0]}” is one too many. {_QUOTE.format('doctor')}")
    return Doctor(found.url or "", found.json)


def _hash_password(argv: Sequence[str]) -> HashPassword:
    parser = argparse.ArgumentParser(
        prog="python -m chat hash-password",
        description="Hash a password for CHAT_USERS, so that the settings do not hold the password itself. "
        "It is asked for twice, or read from a pipe, and never taken from the command line, where the "
        "shell's history and every program would see it.",
    )
    _, others = parser.parse_known_args(argv)
    if others:
        parser.error(f"This command takes no words. {_QUOTE.format('hash-password')}")
    return HashPassword()


def _url(text: str) -> str:
    try:
        address = urlsplit(text)
        good = (
            address.scheme in ("http", "https")
            and address.hostname
            and not (address.query or address.fragment)
        )
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(
            f"“{text}” is no address; write it like https://chat.example.com. {_QUOTE.format('doctor')}"
        )
    return text.rstrip("/")


def _joined(argv: Sequence[str]) -> list[str]:
    """`argv` with each id as a part of its option: an id may begin with a dash."""
    joined: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            return [*joined, word, *words]
        following = next(words, None) if word in _IDS else None
        joined.append(word if following is None else f"{word}={following}")
    return joined


def _temperature(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError("must be from 0 to 2")
    return value


def _limit(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value
