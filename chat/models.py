"""Values about models: what is known of one, and how its name is written.

What a vendor did not say is None, never a guess. The catalogue fetches and keeps these;
providers read them to build a body; the page reads them to grey out what does not apply.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from chat.figures import label, size

Thinking = Literal["adaptive", "enabled", "always"]
"""How thinking is asked for: Anthropic's two forms, or a model that always thinks."""


LONGEST_EFFORT, MOST_EFFORTS = 40, 20
"""Characters of one, and how many a model has."""
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "auto", "default")
"""The vendors' words for how much a model thinks. A vendor's model list may name others."""


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


_WEIGHTS = re.compile(r"(-\d{5}-of-\d{5})?\.(gguf|ggml|safetensors|bin|pt|pth|onnx)$", re.IGNORECASE)
_PLACED = re.compile(r"(~|\.{0,2})[/\\]|[A-Za-z]:[/\\]")


def shown(name: str) -> str:
    """A model's name as it is shown: a file or folder of weights by its own name, without the way to it.
    Servers that load a file name the model after all of its path, and that name is what they are asked for.

    `llamacpp:/models/Small-Q4_K_M.gguf` is `llamacpp:Small-Q4_K_M`, and `maker/model` stays.
    """
    vendor, colon, id = name.partition(":")
    if not colon or "/" in vendor or "\\" in vendor or not vendor or (len(vendor) == 1 and id[:1] in "/\\"):
        vendor, colon, id = "", "", name
    if _PLACED.match(id) or _WEIGHTS.search(id):
        id = _WEIGHTS.sub("", re.split(r"[/\\]", id.rstrip("/\\"))[-1]) or id
    return f"{vendor}{colon}{id}"
