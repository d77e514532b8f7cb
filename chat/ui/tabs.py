"""Which conversation each open tab draws, by the hash of its Gradio session.

Two tabs of one person may show two chats. A stream draws for its tab until another one begins to, and
then ends quietly. Kept for the tabs that were used last; a tab that was forgotten begins anew, with the
chat that its script names. `handlers` and `screens` use it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

WINDOW = 30
"""Exchanges that a chat shows as it opens, and more at each click: what lies before them costs nothing."""

TABS = 2000
"""Tabs that are remembered."""


@dataclass(slots=True, eq=False)
class Tab:
    chat: str = ""
    """Id of the conversation that is shown, which may be one without a question; "" at first."""
    shown: int = WINDOW
    """Exchanges drawn, the last ones."""
    looking: str = ""
    """The run whose activity is shown in the place of the last one's."""
    turn: int = 0
    """Of drawing: whoever had an earlier one has nothing more to draw here."""

    wake: Callable[[], None] | None = None
    """Has whoever draws here look whether they still are to."""

    def show(self, chat: str, shown: int = WINDOW) -> None:
        """Another conversation, or the same from its end."""
        self.chat, self.shown, self.looking = chat, shown, ""
        self.begin()

    def begin(self) -> int:
        """Somebody begins to draw here."""
        self.turn += 1
        wake, self.wake = self.wake, None
        if wake is not None:
            wake()
        return self.turn


class Tabs:
    def __init__(self, most: int = TABS) -> None:
        self._tabs: OrderedDict[tuple[str, str], Tab] = OrderedDict()
        self._calls: set[tuple[str, Tab]] = set()
        self._most = most

    def __len__(self) -> int:
        return len(self._tabs)

    def of(self, owner: str, session: str | None) -> Tab:
        """The tab of an owner's session; a session without a name gets one that nobody remembers."""
        if not session:
            return Tab()
        name = owner, session
        tab = self._tabs.setdefault(name, Tab())
        self._tabs.move_to_end(name)
        while len(self._tabs) > self._most:
            self._tabs.popitem(last=False)
        return tab

    @contextmanager
    def call(self, session: str | None) -> Iterator[Tab]:
        """A tab for one call of a program's. Several may go on in its session at once."""
        call = session or "", Tab()
        self._calls.add(call)
        try:
            yield call[1]
        finally:
            self._calls.discard(call)

    def leave(self, session: str) -> None:
        """Nobody reads `session` any more: whoever draws for it has nothing more to draw."""
        drawing = [tab for (_, name), tab in self._tabs.items() if name == session]
        for tab in drawing + [tab for name, tab in self._calls if name == session]:
            tab.begin()
