"""The one accumulator: an incremental fold of a run's events into blocks.

A run folds each event once; every reader (page, store, JSON answer, log) looks at the result.
Nothing is formatted here, and nothing that was shown is ever removed. Times are seconds since
the run began.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, assert_never

from chat.errors import Failure
from chat.events import (
    Citation,
    Event,
    KeepAlive,
    Notice,
    Opaque,
    Progress,
    Queued,
    RequestSent,
    ResponseOpened,
    Retrying,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)

State = Literal["running", "complete", "stopped", "interrupted", "failed"]
Phase = Literal[
    "queued", "connecting", "waiting", "thinking", "writing", "calling", "tool", "retrying", "over"
]


_PIECES = 1024
"""Pieces of a text that are kept apart: each takes 60 bytes more than its characters."""


class Growing:
    """Text that grows by pieces. Reading joins what has come since the last reading; two threads may read
    at once, when nothing is added any more."""

    __slots__ = ("_held", "length")

    def __init__(self) -> None:
        self._held: tuple[list[str], list[str]] = [], []
        """Texts, each joined from many pieces, and the pieces that came after them."""
        self.length = 0

    def append(self, piece: str) -> None:
        texts, pieces = self._held
        pieces.append(piece)
        self.length += len(piece)
        if len(pieces) == _PIECES:
            texts.append("".join(pieces))
            pieces.clear()

    def __str__(self) -> str:
        texts, pieces = self._held
        if not pieces and len(texts) < 2:
            return texts[0] if texts else ""
        text = "".join([*texts, *pieces])
        self._held = [text], []
        return text

    def snapshot(self) -> "Growing":
        copied = Growing()
        copied.append(str(self))
        return copied


@dataclass(slots=True)
class Thought:
    """Thinking without a break. `ended` is None while it goes on."""

    began: float
    ended: float | None = None
    body: Growing = field(default_factory=Growing)

    @property
    def text(self) -> str:
        return str(self.body)


@dataclass(slots=True)
class Prose:
    """Answer text without a break."""

    body: Growing = field(default_factory=Growing)

    @classmethod
    def of(cls, text: str) -> Self:
        """All of it at once."""
        prose = cls()
        prose.body.append(text)
        return prose

    @property
    def text(self) -> str:
        return str(self.body)


@dataclass(slots=True)
class Call:
    """A tool call: first its arguments arrive, then it runs (if it runs here), then it is over."""

    id: str
    name: str
    where: Literal["here", "provider"]
    began: float
    body: Growing = field(default_factory=Growing)
    arguments: Any = None
    """Parsed, once it runs."""
    running: float | None = None
    """When it began to run."""
    result: Any = None
    error: str | None = None
    seconds: float | None = None
    """How long it ran; None until it is over."""

    @property
    def text(self) -> str:
        """The raw JSON text of the arguments so far."""
        return str(self.body)


@dataclass(frozen=True, slots=True)
class Step:
    """A phase that is over or goes on: what happened, in which order, for how long."""

    phase: Phase
    began: float
    detail: str = ""


Block = Thought | Prose | Call

_PASSING = TextDelta | ThinkingDelta | ToolCallDelta | Usage | Citation | KeepAlive | Opaque


class Transcript:
    """What a run's events add up to. `add` is cheap: it never joins text."""

    def __init__(self) -> None:
        self.model = ""
        self.settings: dict[str, Any] = {}
        self.blocks: list[Block] = []
        self.steps: list[Step] = []
        self.progress: list[tuple[float, str]] = []
        self.sources: list[Citation] = []
        self.notices: list[Notice] = []
        self.stop: Stop | None = None
        self.failure: Failure | None = None
        self.seq = 0
        self.turned = 0
        """Number of the last event that is worth showing at once: anything but more of the same."""
        self.first_text: float | None = None
        self.ended: float | None = None
        self.length = 0
        """Characters of the answer so far."""
        self._usage = Usage()
        self._reply = Usage()
        self._calls: dict[str, Call] = {}
        """The latest call of each id: some servers begin their ids anew in each reply."""
        self._sources: set[Citation] = set()

    # -- reading ---------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """The whole answer so far."""
        return "".join(block.text for block in self.blocks if isinstance(block, Prose))

    @property
    def thinking(self) -> str:
        return "\n\n".join(block.text for block in self.blocks if isinstance(block, Thought))

    @property
    def calls(self) -> Iterator[Call]:
        return (block for block in self.blocks if isinstance(block, Call))

    @property
    def usage(self) -> Usage:
        """Of the whole turn so far. A figure that the vendor did not give is None."""
        return self._usage + self._reply

    @property
    def state(self) -> State:
        if self.failure is None:
            return "running" if self.ended is None else "complete"
        match self.failure.kind:
            case "stopped":
                return "stopped"
            case "shutdown":
                return "interrupted"
            case _:
                return "failed"

    @property
    def phase(self) -> Step:
        """What happens now."""
        return self.steps[-1] if self.steps else Step("queued", 0.0)

    def snapshot(self) -> "Transcript":
        """As it is now: nothing that is added later is in it."""
        copied = copy(self)
        copied.blocks = [replace(block, body=block.body.snapshot()) for block in self.blocks]
        for name in ("steps", "progress", "sources", "notices"):
            setattr(copied, name, list(getattr(self, name)))
        return copied

    # -- folding ---------------------------------------------------------------------------

    def add(self, seq: int, at: float, event: Event) -> None:
        steps = len(self.steps)
        self._fold(at, event)
        self.seq = seq
        if len(self.steps) != steps or not isinstance(event, _PASSING):
            self.turned = seq

    def _fold(self, at: float, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._enter("writing", at)
                if self.first_text is None:
                    self.first_text = at
                self.length += len(text)
                last = self.blocks[-1] if self.blocks else None
                if not isinstance(last, Prose):
                    last = Prose()
                    self.blocks.append(last)
                last.body.append(text)
            case ThinkingDelta(text):
                self._enter("thinking", at)
                last = self.blocks[-1] if self.blocks else None
                if not isinstance(last, Thought) or last.ended is not None:
                    last = Thought(at)
                    self.blocks.append(last)
                last.body.append(text)
            case ToolCallDelta(id, text):
                if (call := self._calls.get(id)) is not None:
                    call.body.append(text)
            case ToolCallStarted(id, name, where):
                self._enter("calling", at, name)
                self._calls[id] = call = Call(id, name, where, at)
                self.blocks.append(call)
            case ToolStarted(id, name, arguments):
                self._enter("tool", at, name)
                if (call := self._calls.get(id)) is not None:
                    call.arguments, call.running = arguments, at
            case ToolFinished(id, _, result, error, seconds):
                if (call := self._calls.get(id)) is not None:
                    call.result, call.error, call.seconds = result, error, seconds
            case RequestSent():
                self._enter("connecting", at)
                self._usage, self._reply = self.usage, Usage()
            case ResponseOpened():
                self._enter("waiting", at)
            case Usage():
                self._reply = event
            case Citation():
                if event not in self._sources:
                    self._sources.add(event)
                    self.sources.append(event)
            case Notice():
                self.notices.append(event)
            case Progress(text):
                self.progress.append((at, text))
            case Queued(place):
                self._enter("queued", at, str(place))
            case Retrying(text=text):
                self._enter("retrying", at, text)
            case TurnStarted(model, settings):
                self.model, self.settings = model, dict(settings)
                self._enter("connecting", at)
            case TurnFinished(stop, usage):
                self.stop = stop
                if usage is not None:
                    self._usage, self._reply = usage, Usage()
                self._end(at)
            case TurnFailed(failure):
                self.failure = failure
                self._end(at)
            case KeepAlive() | Opaque():
                pass
            case _:
                assert_never(event)

    def _enter(self, phase: Phase, at: float, detail: str = "") -> None:
        if self.steps:
            last = self.steps[-1]
            if last.phase == phase and last.detail == detail:
                return
            if last.phase == phase == "queued":  # one wait, however often its place changes
                self.steps[-1] = Step(phase, last.began, detail)
                return
            if last.phase == "thinking":
                self._close_thought(at)
        self.steps.append(Step(phase, at, detail))

    def _close_thought(self, at: float) -> None:
        for block in reversed(self.blocks):
            if isinstance(block, Thought):
                if block.ended is None:
                    block.ended = at
                return

    def _end(self, at: float) -> None:
        self._enter("over", at)
        self.ended = at
