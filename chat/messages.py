"""Values of a conversation: what was said, and what a provider is asked.

No behaviour lives here. Providers turn these into a vendor's body; the engine and the
store make them. Events (what happens while an answer arrives) are in `events`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chat.models import Model

CONTINUE = (
    "Your last answer was cut off. Go on from exactly where it stopped, "
    "without repeating anything and without a remark on it."
)
"""What a model is asked when a person wants the rest of an answer."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asked us to run. `arguments` is its raw JSON text, perhaps broken."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Raw:
    """A vendor's own item (signed or encrypted reasoning, a server tool's result), sent back verbatim."""

    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What one of our tools answered, as the text that the model reads."""

    id: str
    name: str
    text: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class User:
    text: str


@dataclass(frozen=True, slots=True)
class Assistant:
    """One reply. The order of the parts is the order in which they arrived."""

    parts: tuple[Text | ToolCall | Raw, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class ToolResults:
    """The results of one round, in the order of its calls."""

    results: tuple[ToolResult, ...]


Message = User | Assistant | ToolResults


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told about a tool. `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose for a turn. None means: not sent, the provider's default holds."""

    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    effort: str | None = None
    """How much thinking, in the words of the model's `efforts`: `none`, `low`, `medium`, `high` …"""
    system: str | None = None
    tools: tuple[str, ...] = ()
    """Names of the tools that are switched on."""
    stream: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with what went before it: all that the engine needs to answer."""

    question: str
    options: Options = field(default_factory=Options)
    history: tuple[Message, ...] = ()
    owner: str = field(default="", repr=False)
    """Who asks: whose keys may be spent. "" for nobody. Neither kept nor shown with the turn."""


@dataclass(frozen=True, slots=True)
class Request:
    """One reply, asked of one model. None means: not sent."""

    model: Model
    messages: tuple[Message, ...]
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    effort: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    stream: bool = True
    omit: frozenset[str] = frozenset()
    """Names of body parameters that this model was seen to refuse: the provider leaves them out."""
    history: int = 0
    """How many of `messages`, from the first, were said before the question. They alone may be left out
    where all of it does not fit."""
    capped: bool = False
    """Whether `max_tokens` may not be left out: the asker is not to spend more."""
