"""Trying again: retries and healed parameters, before the first word only, and always visible.

The engine asks here for a reply; `deadlines` watches each attempt. Once something of the answer
has arrived, a fault is final: a second attempt would say it twice.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Protocol

from chat.deadlines import Content, watched
from chat.errors import CutOff, Fault, Overloaded, RateLimited, Refused, Server, Unreachable
from chat.events import Notice, ReplyEvent, ReplyFinished, Retrying
from chat.messages import Request
from chat.models import Model
from chat.providers import Provider
from chat.settings import Deadlines

RETRIES = 2
LONGEST_WAIT = 10.0
"""Seconds that a `Retry-After` may ask for; a person is told of longer ones instead."""
FIRST_WAIT = 0.5
"""Seconds before the first retry where the vendor names none; doubled for the next."""
PASSING = (RateLimited, Overloaded, Server, Unreachable, CutOff)
"""Faults that may be gone a moment later."""


class Refusals(Protocol):
    """What is remembered of each model; the catalogue."""

    def refused(self, model: Model) -> frozenset[str]:
        """Names of body parameters that `model` was seen to refuse."""
        ...

    def refuse(self, model: Model, parameter: str) -> None: ...


async def attempts(
    provider: Provider,
    request: Request,
    limits: Deadlines,
    until: float,
    refusals: Refusals,
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
) -> AsyncGenerator[ReplyEvent | Retrying, None]:
    """The reply to `request`. Raises the last attempt's fault. `until` in the loop's time."""
    title = provider.vendor.title
    request = replace(request, omit=request.omit | refusals.refused(request.model))
    attempt = 1
    while True:
        begun, fault = False, None
        try:
            async with aclosing(watched(provider.stream(request), limits, until, title)) as events:
                async for event in events:
                    begun = begun or (isinstance(event, Content) and not isinstance(event, ReplyFinished))
                    yield event
            return
        except Fault as caught:
            fault = caught
        if isinstance(fault, Refused) and not begun and fault.parameter not in request.omit:
            refusals.refuse(request.model, fault.parameter)
            request = replace(request, omit=request.omit | {fault.parameter})
            yield Notice(
                "parameter_refused", f"{request.model.id} does not accept {fault.parameter}: sent without it."
            )
            continue
        delay = _delay(fault, attempt)
        if begun or attempt > RETRIES or delay is None:
            raise fault
        attempt += 1
        yield Retrying(attempt, delay, fault.kind, fault.message)
        await sleep(delay)


def _delay(fault: Fault, attempt: int) -> float | None:
    """Seconds to wait, or None when waiting is no use."""
    if not isinstance(fault, PASSING):
        return None
    if fault.retry_after is not None:
        return fault.retry_after if fault.retry_after <= LONGEST_WAIT else None
    # A little chance, so that many who failed together do not return together.
    return FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)
