"""Trying again: retries, refused parameters and shorter histories, before the first word and visibly.

The engine asks here for a reply; `deadlines` watches each attempt. Once something of the answer
has arrived, a fault is final: a second attempt would say it twice. What fits is reckoned in `context`.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Protocol

from chat.adapting import LESS, adapted
from chat.context import Window, fitted
from chat.deadlines import loaded, watched
from chat.errors import (
    BadRequest,
    CutOff,
    Fault,
    NotFound,
    OtherProtocol,
    OutOfCredit,
    Overloaded,
    RateLimited,
    Refused,
    Server,
    TooLong,
    Unreachable,
)
from chat.events import Content, Notice, ReplyEvent, ReplyFinished, Retrying, ToolCallStarted, Usage
from chat.messages import Request
from chat.models import Model
from chat.providers import LIMITS, SPOKEN, Provider
from chat.settings import Deadlines

RETRIES = 2
SHORTENED = 5
"""Times that a history is made shorter. A model that tells its limit takes the first or second one."""
LONGEST_WAIT = 10.0
"""Seconds that a `Retry-After` may ask for; a person is told of longer ones instead."""
FIRST_WAIT = 0.5
"""Seconds before the first retry where the vendor names none; doubled for the next."""
PASSING = (RateLimited, Overloaded, Server, Unreachable, CutOff)
"""Faults that may be gone a moment later."""


class Known(Protocol):
    """What is remembered of each model; the catalogue."""

    def refused(self, model: Model) -> frozenset[str]:
        """Names of body parameters that `model` was seen to refuse."""
        ...

    def refuse(self, model: Model, parameter: str) -> None: ...

    def leave(self, model: Model, parameter: str) -> None:
        """`model` refused the value of `parameter` in this turn. It may accept other values."""
        ...

    def window(self, model: Model) -> Window:
        """What is known of its context."""
        ...

    def learn(self, model: Model, window: Window) -> None: ...

    def answered(self, model: Model) -> None:
        """The vendor of `model` has begun an answer, so it accepts the key."""
        ...


async def attempts(
    provider: Provider,
    request: Request,
    limits: Deadlines,
    until: float,
    known: Known,
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    *,
    other: Provider | None = None,
) -> AsyncGenerator[ReplyEvent | Retrying, None]:
    """The reply to `request`, or to as much of it as fits. Raises the last attempt's fault.

    `until` in the loop's time. `other` speaks to the same vendor in its other protocol: it is asked where the
    vendor says that it does not answer in this one.
    """
    title, model = provider.vendor.title, request.model
    refused = known.refused(model)
    if other is not None and _protocol(provider) in refused and _protocol(other) not in refused:
        provider, other = other, None
    whole = _bounded(replace(request, omit=request.omit | refused))
    request = fitted(whole, known.window(model))
    attempt, shortened = 1, 0
    elsewhere: OtherProtocol | None = None  # what the first protocol said, while the other one is tried
    unspoken = ""
    while True:
        begun, meter = False, _Meter(request, known)
        try:
            await loaded(provider, limits, until)
            replying = watched(provider.stream(adapted(request)), limits, until, title)
            async with aclosing(replying) as events:
                async for event in events:
                    meter.take(event)
                    if isinstance(event, Content) and elsewhere is not None:
                        if elsewhere.lasting:
                            known.refuse(model, unspoken)
                        else:
                            known.leave(model, unspoken)
                        elsewhere = None
                        spoken = SPOKEN.get(provider.vendor.speaks, "its other protocol")
                        text = f"{title} answers {model.id} in {spoken} only: asked in that."
                        yield Notice("other_protocol", text)
                    if isinstance(event, Content) and not begun and request.history < whole.history:
                        yield _left_out(whole.history - request.history, model, known)
                    if not begun and isinstance(event, Content) and not isinstance(event, ReplyFinished):
                        begun = True
                        known.answered(model)
                    yield event
            return
        except Fault as caught:
            fault = caught
        if elsewhere is not None and isinstance(fault, NotFound):
            raise elsewhere  # neither of the two: its address is wrong
        if isinstance(fault, OtherProtocol) and not begun and other is not None:
            elsewhere, unspoken = fault, _protocol(provider)
            provider, other = other, None
            continue
        if isinstance(fault, Refused) and not begun and fault.parameter not in request.omit:
            if fault.lasting:
                known.refuse(model, fault.parameter)
            else:
                known.leave(model, fault.parameter)
            whole = _bounded(replace(whole, omit=whole.omit | {fault.parameter}))
            request = replace(request, omit=whole.omit)
            without = LESS.get(fault.parameter, f"{{}} does not accept {fault.parameter}: sent without it.")
            said = fault.lasting or fault.parameter in LESS
            text = without.format(model.id) if said else f"{fault.message} Sent without it."
            yield Notice("parameter_refused", text)
            continue
        if isinstance(fault, TooLong) and not begun:
            known.learn(model, known.window(model).refused(request, fault))
            shorter = fitted(whole, known.window(model), fewer_than=request.history)
            if shortened == SHORTENED or shorter.history >= request.history:
                raise fault
            text = f"The conversation is too long for {model.id}: its oldest messages are left out."
            shortened += 1
            yield Retrying(attempt + shortened, 0, fault.kind, text)
            request = shorter
            continue
        delay = _delay(fault, attempt)
        if begun or attempt > RETRIES or delay is None:
            raise fault
        attempt += 1
        yield Retrying(attempt + shortened, delay, fault.kind, fault.message)
        await sleep(delay)


def _protocol(provider: Provider) -> str:
    """What is remembered where a model does not answer in the protocol of `provider`."""
    return f"protocol {provider.vendor.speaks}"


def _bounded(request: Request) -> Request:
    """`request`, or a fault where it would have no limit and must have one."""
    if request.capped and any(names <= request.omit for names in LIMITS):
        raise BadRequest(
            f"{request.model.id} takes no limit of tokens, and answers have one here. Choose another model."
        )
    return request


class _Meter:
    """Learns from what the vendor counted of a request."""

    def __init__(self, request: Request, known: Known) -> None:
        self._request, self._known = request, known
        self._usage: Usage | None = None
        self._elsewhere = False

    def take(self, event: ReplyEvent) -> None:
        match event:
            case Usage():
                self._usage = event
            case ToolCallStarted(where="provider"):
                self._elsewhere = True  # what the vendor's own tools read is counted too
            case ReplyFinished():
                usage = event.usage or self._usage
                if usage is not None and usage.input and not self._elsewhere:
                    model = self._request.model
                    window = self._known.window(model).counted(self._request, usage.input)
                    self._known.learn(model, window)
            case _:
                pass


def _left_out(count: int, model: Model, known: Known) -> Notice:
    limit = known.window(model).limit
    return Notice(
        "history_left_out",
        f"{count} earlier message{'s' * (count > 1)} left out: the whole conversation does not fit {model.id}"
        + (f", which takes about {limit:,} tokens." if limit else "."),
    )


def _delay(fault: Fault, attempt: int) -> float | None:
    """Seconds to wait, or None when waiting is no use."""
    if not isinstance(fault, PASSING) or isinstance(fault, OutOfCredit):
        return None
    if fault.retry_after is not None:
        return fault.retry_after if fault.retry_after <= LONGEST_WAIT else None
    # A little chance, so that many who failed together do not return together.
    return FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)
