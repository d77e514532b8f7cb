"""What OpenAI's clients may send to `/v1/chat/completions`, and what of it Runnel does.

The clients of today send much by themselves: what can be kept is kept, what only tunes an answer is left
aside, what would make another answer of it is refused in a sentence. Read by `completions`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chat.api.bodies import DEEPEST, LONGEST, Choices
from chat.messages import Assistant, Message, Text, User

_OTHER_TOOLS = (
    "Runnel runs its own tools and none of yours: leave `{}` out, or switch all off with tool_choice none."
)
_ONE_TEXT = (
    "A message's content is a text, or a list of parts of type text: Runnel takes no pictures or files."
)
_SYSTEM = ("system", "developer")
_ROLES = (*_SYSTEM, "user", "assistant", "tool", "function")


def _content(value: Any) -> Any:
    """`value`, or a `ValueError` in words. OpenAI's clients send a refusal back as a part of its own."""
    if isinstance(value, str):
        return _fitting(value)
    for at, part in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(part, dict):
            raise ValueError(_ONE_TEXT.rstrip("."))
        if part.get("type") == "refusal" and isinstance(part.get("refusal"), str):
            value[at] = part = {"type": "text", "text": part["refusal"]}
        if "type" not in part:
            raise ValueError('each part of it needs a type, as in {"type": "text", "text": "Hello"}')
        _fitting(part.get("text"))
    return value


def _fitting(text: Any) -> Any:
    if isinstance(text, str) and len(text) > LONGEST:
        raise ValueError(f"it has {len(text):,} characters, and {LONGEST:,} fit: shorten it")
    return text


def _role(value: Any) -> Any:
    if value not in _ROLES:
        raise ValueError(f"it is one of {', '.join(_ROLES[:4])}")
    return value


class Part(BaseModel):
    model_config = ConfigDict(strict=True)

    type: str
    text: Annotated[str, Field(max_length=LONGEST)] = ""


class Spoken(BaseModel):
    """A message. Fields that are not read, such as `name`, may be there."""

    model_config = ConfigDict(strict=True)

    role: Annotated[
        Literal["system", "developer", "user", "assistant", "tool", "function"], BeforeValidator(_role)
    ]
    content: Annotated[
        Annotated[str, Field(max_length=LONGEST)] | list[Part] | None, BeforeValidator(_content)
    ] = None

    @property
    def text(self) -> str:
        match self.content:
            case None:
                return ""
            case str(text):
                return text
            case parts:
                return "\n".join(part.text for part in parts)

    @model_validator(mode="after")
    def _ours(self) -> Self:
        if self.role in ("tool", "function"):
            raise ValueError("Runnel runs tools itself, so it takes no results of yours")
        if isinstance(self.content, list) and any(part.type != "text" for part in self.content):
            raise ValueError(_ONE_TEXT.rstrip("."))
        return self


class StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True)

    include_usage: bool | None = None


def _limit(tokens: Any) -> Any:
    return None if tokens == -1 else tokens


Limit = Annotated[int | None, Field(ge=1, le=10_000_000), BeforeValidator(_limit)]
"""Of the answer, in tokens. Clients of local servers send -1 for none."""


class Completion(BaseModel):
    """What is asked. Parameters that would change what an answer is, and cannot be kept, are refused;
    those that tune it or are about the asker (`top_p`, `seed`, `presence_penalty`, `user` …) are left aside,
    and so is what a client adds for a server of its own."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {"model": "demo:tour", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
            ]
        },
    )

    messages: Annotated[list[Spoken], Field(min_length=1, max_length=DEEPEST)]
    model: Annotated[str, Field(max_length=200)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Limit = None
    max_completion_tokens: Limit = None
    reasoning_effort: Annotated[str, Field(max_length=20)] | None = None
    n: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    tool_choice: Any = None
    function_call: Any = None
    stop: Any = None
    response_format: Any = None
    logprobs: bool | None = None
    logit_bias: Any = None
    modalities: list[Any] | None = None
    audio: Any = None
    web_search_options: Any = None
    store: bool | None = Field(None, description="Whether question and answer are kept as a chat.")
    conversation: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Id of a chat of yours in which question and answer are kept."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("tools", "functions"):
            if getattr(self, name) and self._tools_on:
                raise ValueError(_OTHER_TOOLS.format(name).rstrip("."))
        for name in ("tool_choice", "function_call"):
            if getattr(self, name) not in (None, "auto", "none"):
                raise ValueError(f"`{name}` is “auto” or “none” here")
        if self.n not in (None, 1):
            raise ValueError("there is one answer to a question here: leave `n` out")
        for name, nothing in (
            ("stop", (None, [], "")),
            ("logprobs", (None, False)),
            ("logit_bias", (None, {})),
            ("modalities", (None, [], ["text"])),
            ("audio", (None,)),
            ("web_search_options", (None,)),
        ):
            if getattr(self, name) not in nothing:
                raise ValueError(f"`{name}` cannot be had here: leave it out")
        if self.response_format not in (None, {"type": "text"}):
            raise ValueError("`response_format` cannot be had here: leave it out, and ask for JSON in words")
        if not self._said or self._said[-1].role != "user" or not self.question.strip():
            raise ValueError("the last message is to be the user's question")
        return self

    @property
    def _tools_on(self) -> bool:
        return "none" not in (self.tool_choice, self.function_call)

    @property
    def keep(self) -> bool:
        """Whether question and answer are kept as a chat."""
        return bool(self.store or self.conversation)

    @property
    def _said(self) -> list[Spoken]:
        """The messages without system and developer ones, which may stand anywhere."""
        return [said for said in self.messages if said.role not in _SYSTEM]

    @property
    def question(self) -> str:
        return self._said[-1].text

    @property
    def choices(self) -> Choices:
        system = [said.text for said in self.messages if said.role in _SYSTEM]
        return Choices.model_validate(
            {
                "model": self.model or None,
                "temperature": self.temperature,
                "max_tokens": self.max_completion_tokens or self.max_tokens,
                "effort": self.reasoning_effort,
                "tools": self._tools_on,
                "conversation": self.conversation,
            }
        ).model_copy(update={"system": "\n\n".join(system) if system else None})

    @property
    def past(self) -> tuple[Message, ...]:
        said = [each for each in self._said[:-1] if each.text]
        return tuple(User(s.text) if s.role == "user" else Assistant((Text(s.text),)) for s in said)
