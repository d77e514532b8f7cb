"""Values about models: what is known of one, and how its name is written.

What a vendor did not say is None, never a guess. The catalogue fetches and keeps these;
providers read them to build a body; the page reads them to grey out what does not apply.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from chat.figures import label, size

Thinking = Literal["adaptive", "enabled", "always"]
"""How thinking is asked for: Anthropic's two forms, or a model that always thinks."""


LONGEST_EFFORT, MOST_EFFORTS = 40, 20
"""Characters of one, and how many a model has."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one vendor. Written `vendor:id`."""

    vendor: str
    id: str
    title: str = ""
    context: int | None = None
    """Tokens that fit, input and output together."""
    max_output: int | None = None
    temperature: bool | None = None
    """Whether a temperature may be sent."""
    tools: bool | None = None
    thinking: Thinking | None = None
    efforts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """What a list says in another form than this is as if it had not been said."""
        checked: dict[str, Any] = {
            "title": label(self.title),
            "context": size(self.context),
            "max_output": size(self.max_output),
            "temperature": self.temperature if isinstance(self.temperature, bool) else None,
            "tools": self.tools if isinstance(self.tools, bool) else None,
            "thinking": self.thinking if self.thinking in get_args(Thinking) else None,
            "efforts": tuple(e for e in self.efforts if label(e, LONGEST_EFFORT) == e)[:MOST_EFFORTS],
        }
        for name, value in checked.items():
            if getattr(self, name) is not value:
                object.__setattr__(self, name, value)

    @property
    def name(self) -> str:
        return f"{self.vendor}:{self.id}"
