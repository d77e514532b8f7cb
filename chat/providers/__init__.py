"""The contract of a provider: one protocol, spoken to one vendor, turned into events.

A protocol is one file beside this one, a vendor one line in `vendors`. Everything that knows a
vendor's wire format or an SDK lives in this folder. `catalogue` and `attempts` call it.

`stream(request)` is an async generator. It
  * yields reply events and ends with `ReplyFinished`, or raises one of `errors` from its cause;
  * accumulates no answer but to know what is said twice, prints, sleeps, logs and retries nothing, knows
    no deadline;
  * insists that the end was said: a stream that merely ends is `CutOff`, never success;
  * stops reading at the terminal event, and frees the wire at once when closed or cancelled;
  * sends what the request sets and nothing else, and its vendor's key to that vendor alone.
The mapping from our values to the vendor's body is one pure function of the protocol's file.
"""

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from chat.events import ReplyEvent
from chat.messages import Request
from chat.models import Model
from chat.providers.vendors import Speaks, Vendor

__all__ = ["LIMITS", "SPOKEN", "Loading", "Model", "Provider", "Speaks", "Vendor"]

SPOKEN: dict[Speaks | None, str] = {
    "openai_responses": "Responses",
    "openai_chat": "Chat Completions",
    "anthropic_messages": "Messages",
    "demo": "Demo",
}
"""The protocols' names, for a person."""

LIMITS = ({"max_output_tokens"}, {"max_tokens", "max_completion_tokens"})
"""By what names a protocol can say how many tokens an answer may have: Responses, Chat. Without all of
these an answer has no limit. Messages always has one."""


class Provider(Protocol):
    @property
    def vendor(self) -> Vendor: ...

    def stream(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        """The reply to `request`, event by event."""
        ...

    async def models(self) -> list[Model]:
        """What the vendor offers now. Raises the same errors as `stream`."""
        ...


@runtime_checkable
class Loading(Protocol):
    """A provider that first has to load something, an SDK for instance: that is no silence of the model's."""

    async def ready(self) -> None:
        """Waits until a request can be sent."""
        ...
