"""What a script of the demo model is made of: the talk that it reads, the steps that it yields."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chat import errors
from chat.events import Stop
from chat.messages import CONTINUE, Assistant, Request, ToolCall, ToolResult, ToolResults, User


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Say `text` in one piece, then wait for exactly so many seconds, whatever the pace."""

    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Think:
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """Calls (name, arguments) made side by side. The reply ends with them."""

    calls: tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class Fail:
    """Break off with `fault`. `once`: only the first time that this question comes."""

    fault: errors.Fault
    once: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing more, for ever. `pings`: with signs of life."""

    pings: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """End the reply here, for this reason."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class Limit:
    """From here on the reply may have so many tokens in all."""

    tokens: int


Step = Say | Tick | Think | Call | Fail | Hang | End | Limit
Steps = Iterator[Step]


@dataclass(frozen=True, slots=True)
class Talk:
    """What a script may know: the request, seen from its last question."""

    request: Request
    question: str
    earlier: tuple[str, ...]
    """The questions before this one, oldest first."""
    rounds: tuple[tuple[ToolResult, ...], ...]
    """Results of the tools called for this question, round by round."""
    calls: Mapping[str, ToolCall]
    """The calls behind them, by id."""
    dice: random.Random
    said: str = ""
    """The beginning of the answer, when it was cut off and is now to be continued."""

    @classmethod
    def of(cls, request: Request, dice: random.Random) -> "Talk":
        questions = [m.text for m in request.messages if isinstance(m, User)] or [""]
        since = list(request.messages)
        for place, message in enumerate(request.messages):
            if isinstance(message, User):
                since = request.messages[place + 1 :]
        said = [part for m in since if isinstance(m, Assistant) for part in m.parts]
        return cls(
            request,
            questions[-1],
            tuple(question for question in questions[:-1] if question != CONTINUE),
            tuple(m.results for m in since if isinstance(m, ToolResults)),
            {part.id: part for part in said if isinstance(part, ToolCall)},
            dice,
        )

    def has(self, tool: str) -> bool:
        return any(spec.name == tool for spec in self.request.tools)

    @property
    def thinks(self) -> bool:
        return self.request.effort != "none" or self.request.model.thinking == "always"


Script = Callable[[Talk], Steps]


@cache
def text(name: str) -> str:
    return (Path(__file__).parent / "texts" / f"{name}.md").read_text(encoding="utf-8").strip()


def page(name: str) -> Script:
    """The script that says one text and no more."""

    def script(talk: Talk) -> Steps:
        yield Say(text(name))

    return script
