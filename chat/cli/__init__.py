"""The terminal: `python -m chat`. Ask once, talk until `quit`, list the chats there are, or ask the doctor.

    __init__   what is asked for, and exit codes
    arguments  the command line
    talk       a chat: new, or one that goes on
    chats      the list
    models     what can be asked
    doctor     is everything as it should be
    hashing    a password hashed for the settings
    finding    which chat is meant
    host       the app on a loop in a thread of its own, so that the terminal may block
    screen     what is shown of a run: the answer on stdout, the rest on stderr
    columns    text fitted into the terminal's width
    streams    stdin, stdout and stderr of the process
    plain      nothing from elsewhere gives orders to the terminal

Reads runs like every other face. `main` may be called many times in one process.
"""

import asyncio
import sys

from chat.cli import streams
from chat.cli.arguments import Ask, Chats, Doctor, HashPassword, parse
from chat.cli.finding import NoChat
from chat.errors import Config, Fault
from chat.settings import Settings
from chat.transcript import Transcript

__all__ = ["main"]

FINISHED, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: list[str] | None = None) -> int:
    """Run the command with `argv` (by default the process's) and return its exit code.

    0 the turn finished, 1 it failed, 2 usage, settings or no such chat, 130 Ctrl-C in a one-shot.
    """
    with streams.utf8():
        try:
            return _run(parse([streams.whole(each) for each in (sys.argv[1:] if argv is None else argv)]))
        except SystemExit as leaving:  # argparse has said why
            return leaving.code if isinstance(leaving.code, int) else USAGE
        except NoChat as unknown:
            streams.complain(str(unknown))
            return USAGE
        except Fault as fault:
            streams.complain(fault.whole)
            return USAGE if isinstance(fault, Config) else FAILED
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            streams.leave_pipe()
            return FAILED


def _run(arguments: Ask | Chats | Doctor | HashPassword) -> int:
    if isinstance(arguments, HashPassword):
        from chat.cli import hashing

        return FINISHED if hashing.run() else USAGE
    if isinstance(arguments, Doctor):
        from chat.cli import doctor  # reads the settings itself: it is there to say what is wrong with them

        return FINISHED if asyncio.run(doctor.run(arguments)) else FAILED
    settings = Settings.load()
    # What each of the two needs is imported in its own place: SQLAlchemy alone takes 0.2 s, a provider's
    # SDK more, and the help and wrong usage need none of it.
    if isinstance(arguments, Chats):
        from chat.cli import chats

        with streams.warnings():
            asyncio.run(chats.run(settings, arguments))
        return FINISHED
    if arguments.models:
        from chat.cli import models

        with streams.warnings():
            asyncio.run(models.run(settings))
        return FINISHED
    question = arguments.question
    talk = not question and sys.stdin is not None and sys.stdin.isatty()
    if not talk:
        question = "\n\n".join(part for part in (question, streams.piped()) if part.strip())
        if not question:
            streams.complain(
                'There is nothing to answer. Write a question: python -m chat "…", or pipe one in.'
            )
            return USAGE
    from chat.cli.host import Host
    from chat.cli.talk import Talk

    with streams.warnings():
        with Host(settings) as host:
            chat = Talk(host, settings, arguments)
            answer = None if talk else chat.ask_once(question)
            if talk:
                chat.talk()
        chat.closed()
    return FINISHED if answer is None else _code(answer.transcript)


def _code(answer: Transcript) -> int:
    match answer.state:
        case "complete":
            return FINISHED
        case "stopped":
            return INTERRUPTED
        case _:
            return USAGE if answer.failure and answer.failure.kind == "config" else FAILED
