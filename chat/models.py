"""Values about models: what is known of one, and how its name is written.

What a vendor did not say is None, never a guess. The catalogue fetches and keeps these;
providers read them to build a body; the page reads them to grey out what does not apply.
"""

from dataclasses import dataclass
from typing import Literal

Thinking = Literal["adaptive", "enabled", "always"]
"""How thinking is asked for: Anthropic's two forms, or a model that always thinks."""


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

    @property
    def name(self) -> str:
        return f"{self.vendor}:{self.id}"
