"""A chat in the terminal: a question once, or a talk until `quit`.

Asks runs and shows what they say. Which chat it is, and with which settings, is decided here from the
command line and from the chat's last answer.
"""

import asyncio
import contextlib
import shutil
import sys
from dataclasses import replace
from typing import TextIO

from chat.cli import finding, streams
from chat.cli.arguments import Ask
from chat.cli.columns import fit, fit_end
from chat.cli.host import Host
from chat.cli.plain import LONGEST_LINE, one_line
from chat.cli.screen import Lines, Screen
from chat.conversations import Conversation, Exchange
from chat.errors import Fault
from chat.messages import Options
from chat.models import shown
from chat.owners import LOCAL
from chat.runs import Run
from chat.settings import Settings
from chat.store import MEMORY

BANNER = "Streaming bot ready. Type 'quit' to exit."
LISTS = 0.4
"""Seconds that the lists of models may take before one is chosen: servers on this machine answer in 0.3."""
_SAVING = 1.0
"""Seconds that an answer may take to be saved before a word is said about it."""
_SAVED = "All is saved now."
_REMINDER = 3
"""Lines of an answer that say where one is."""


class Talk:
    """Raises `finding.NoChat` for a chat that is not there, `Config` for a vendor that is none."""

    def __init__(self, host: Host, settings: Settings, arguments: Ask) -> None:
        self._host, self._events = host, arguments.events
        self._colour = streams.colour(settings, sys.stderr)
        self._kept = settings.database != MEMORY
        self._trouble = ""
        self._conversation = self._chosen(arguments)
        self._options = self._chosen_options(arguments)

    def ask_once(self, question: str) -> Run:
        run = self._ask(question)
        if self._kept and not self._events and not self._host.app.store.trouble and sys.stderr.isatty():
            self._note("To go on: python -m chat --continue")
        return run

    def talk(self) -> None:
        out = sys.stdout if sys.stdout.isatty() and not self._events else sys.stderr
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  gives `input` its line editing and its history
        out.write(f"{BANNER}\n")
        out.flush()
        self._remind()
        model = self._options.model or self._host.app.catalogue.of(LOCAL).default
        self._note(f"{shown(model)} answers. Ctrl-C stops an answer that is too long.")
        while True:
            try:
                match self._read(out).strip():
                    case "":
                        continue
                    case word if word.lower() in ("quit", "exit"):
                        return
                    case "/continue":
                        self._again(continues=True)
                    case "/again":
                        self._again()
                    case question:
                        self._ask(question, "Bot: ")
            except EOFError:
                out.write("\n")
                return
            except KeyboardInterrupt:
                self._stop()
                out.write("\n")
            except Fault as refused:
                self._note(refused.whole, dim=False)
            else:
                self._tell_trouble()
                self._offer()

    # -- which chat, and with what ---------------------------------------------------------------

    def _chosen(self, arguments: Ask) -> Conversation:
        async def found() -> Conversation:
            store = self._host.app.store
            if arguments.chat is None and not arguments.last:
                return store.new(LOCAL)
            beginning = arguments.chat
            id = await (finding.last(store) if beginning is None else finding.by_beginning(store, beginning))
            if (conversation := await store.open(LOCAL, id)) is None:  # deleted meanwhile
                raise finding.missing(id)
            await store.earlier(conversation, 1)
            return conversation

        return self._host.call(found())

    def _chosen_options(self, arguments: Ask) -> Options:
        """Those of the last answer, but for what the command line says."""
        options = Options(tools=self._host.app.tools.names)
        if (before := self._conversation.last) is not None:
            # Asked without a model, the answer has the one that was the default at its time.
            options = replace(before.options, model=before.options.model or before.transcript.model or None)
        said = {name: getattr(arguments, name) for name in ("model", "temperature", "system")}
        options = replace(options, **{name: value for name, value in said.items() if value is not None})
        if arguments.tools is not None:
            options = replace(options, tools=self._host.app.tools.names if arguments.tools else ())
        app = self._host.app
        # Which model is the default, or whose a name is, may depend on who answers on this machine.
        if not (options.model or app.settings.model):
            self._await_lists()
        elif arguments.model and app.catalogue.of(LOCAL).unknown_vendor(arguments.model):
            self._await_lists()
            app.catalogue.of(LOCAL).find(arguments.model)  # nothing is asked, or saved, in vain
        return options

    def _await_lists(self) -> None:
        async def listed() -> None:
            if (fetching := self._host.app.catalogue.refresh()) is not None:
                await asyncio.wait([fetching], timeout=LISTS)

        self._host.call(listed())

    # -- asking ------------------------------------------------------------------------------------

    def _ask(self, question: str, lead: str = "", *, again: bool = False, continues: bool = False) -> Run:
        async def begin() -> Run:
            await self._look()
            return await self._host.app.runs.ask(
                self._conversation, question, self._options, again=again, continues=continues
            )

        run = self._host.call(begin())
        screen = Lines(sys.stdout) if self._events else self._screen(lead)
        with self._host.stopping(run), contextlib.closing(self._host.follow(run)) as batches:
            for entries in batches:
                for entry in entries:
                    screen.show(entry.event)
        return run

    async def _look(self) -> None:
        """Sees what the page, or another terminal, did to this chat meanwhile."""
        store, id = self._host.app.store, self._conversation.id
        if self._conversation.exchanges and await store.open(LOCAL, id) is None:
            self._note("This chat was deleted meanwhile. A new one begins.", dim=False)
            self._conversation = store.new(LOCAL)

    def _again(self, *, continues: bool = False) -> None:
        """The last question once more, or the rest of its answer."""
        self._host.call(self._look())
        last = self._conversation.last
        if last is None:
            self._note("There is no answer yet to go on from.")
        elif continues and not _unfinished(last):
            self._note("The last answer came to its end. /again asks for another one.")
        elif continues and not last.transcript.text.strip():
            self._note("There is no word yet to go on from. /again asks once more.")
        else:
            self._ask(last.question, "Bot: ", again=not continues, continues=continues)

    def _stop(self) -> None:
        """Ends an answer that was interrupted before anybody followed it."""
        if (last := self._conversation.last) and (run := self._host.app.runs.get(last.run)):
            self._host.soon(run.stop)

    # -- what is said beside the answers -----------------------------------------------------------

    def _remind(self) -> None:
        """Where one is, in a chat that goes on: its title, the last question, the end of the answer."""
        if (last := self._conversation.last) is None:
            return
        columns = shutil.get_terminal_size().columns
        self._note(f"This is “{fit(one_line(self._conversation.title), columns - len('This is “”.'))}”.")
        question = "/continue" if last.continues else one_line(last.question)
        self._note(fit(f"You: {question}", columns))
        if text := last.transcript.text.strip():
            self._note("Bot: " + fit_end(one_line(text[-LONGEST_LINE:]), _REMINDER * columns - len("Bot: ")))
        if last.transcript.failure is not None:
            self._note(last.transcript.failure.message)
        self._offer()

    def _offer(self) -> None:
        """What to type where the last answer lacks something."""
        last = self._conversation.last
        if last is None or not _unfinished(last):
            return
        rest = "/continue asks for the rest, " if last.transcript.text.strip() else ""
        self._note(f"{rest}/again asks once more.")

    def closed(self) -> None:
        """Says, when the app is closed, what was not saved in the end, or was after all."""
        if trouble := self._host.app.store.trouble:
            streams.complain(
                "This chat could not be saved." if self._trouble else trouble.removesuffix(" Trying again.")
            )
        elif self._trouble:
            streams.complain(_SAVED)

    def _tell_trouble(self) -> None:
        """Says once that something is not saved, and once that it is. The answers come all the same."""
        store = self._host.app.store
        self._host.call(store.saved(_SAVING))
        if bool(store.trouble) != bool(self._trouble):
            self._note(store.trouble or _SAVED, dim=False)
        self._trouble = store.trouble

    def _note(self, text: str, *, dim: bool = True) -> None:
        self._screen().note(text, dim=dim)

    def _screen(self, lead: str = "") -> Screen:
        return Screen(sys.stdout, sys.stderr, colour=self._colour, lead=lead)

    def _read(self, out: TextIO) -> str:
        if out is sys.stdout:
            return input("You: ")
        out.write("You: ")
        out.flush()
        return input()


def _unfinished(exchange: Exchange) -> bool:
    """Whether its answer lacks an end."""
    transcript = exchange.transcript
    return transcript.failure is not None or transcript.stop in ("length", "other")
