"""What a program may send: bodies as pydantic models, and what they mean to the engine.

They are the OpenAPI document too, so their descriptions and examples are written for whoever reads that.
What is not sent is not set. A field that nobody knows is refused: a typing error would be silent otherwise.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chat.messages import Assistant, Message, Options, Text, User
from chat.runs import LONGEST, LONGEST_NAME

LONGEST_ADDRESSED = 5_000
"""Characters of one that stands in the address. Encoded it has up to twelve times as many, and the server
takes a head of 64 kB."""

DEEPEST = 500
"""Messages of a history."""

Words = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Key = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Without control characters: not every database tells NUL from what stands for it."""


class Said(BaseModel):
    """A message of before."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Words

    @property
    def message(self) -> Message:
        return User(self.content) if self.role == "user" else Assistant((Text(self.content),))


class Choices(BaseModel):
    """How to answer. All of it may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Name | None = Field(None, description="As `vendor:model`. Unset: the server's default.")
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, le=10_000_000, description="Of the answer, at most.")
    effort: Annotated[str, Field(max_length=20)] | None = Field(
        None, description="How much thinking, in the model's own words: `low`, `high` …"
    )
    system: Annotated[str, Field(max_length=LONGEST)] | None = Field(
        None, description="The system prompt. Unset: the server's; empty: none."
    )
    history: Annotated[list[Said], Field(max_length=DEEPEST)] | None = Field(
        None, description="What the model is told was said before. It is not kept."
    )
    conversation: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Id of a conversation of yours to go on in. Unset: a new one begins."
    )
    tools: bool | list[Name] | None = Field(
        None, description="The tools that are switched on: `true` (or unset) all, `false` none, or names."
    )
    stream: bool = Field(True, description="`false`: one JSON object with the whole answer at its end.")
    timeout: float | None = Field(None, gt=0, le=86400, description="Seconds that the whole answer may take.")
    key: Key | None = Field(
        None, description="Your name for this request: sent again with it, it is the same answer."
    )

    @model_validator(mode="after")
    def _one_past(self) -> Self:
        if self.history is not None and self.conversation is not None:
            raise ValueError("send a history or a conversation, not both")
        return self

    def options(self, every_tool: tuple[str, ...]) -> Options:
        """`every_tool`: the names of the tools there are."""
        tools = self.tools if isinstance(self.tools, list) else every_tool if self.tools is not False else ()
        return Options(
            model=self.model,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            effort=self.effort or None,
            system=self.system,
            tools=tuple(dict.fromkeys(tools)),
        )

    @property
    def past(self) -> tuple[Message, ...] | None:
        return None if self.history is None else tuple(said.message for said in self.history)


class MaybeAsk(Choices):
    """A question, unless it stands in the address."""

    message: Words | None = Field(None, examples=["Hello"])

    model_config = ConfigDict(json_schema_extra={"examples": [{"message": "Hello"}]})


class Ask(Choices):
    """A question."""

    message: Words = Field(examples=["Hello"])

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"message": "Hello"},
                {"message": "What is 6 × 7?", "model": "demo:tour", "tools": ["calculate"], "timeout": 30},
            ]
        }
    )

    @field_validator("message")
    @classmethod
    def _not_blank(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("write a question")
        return text
