"""How many questions may be asked: of one person, of one network, of all together.

`chat.runs` asks `check` before a run begins and tells `count` when one has: every door is counted alike, and
what is refused counts nothing. A stranger is counted by the cookie's name and by the address too, so that
throwing the cookie away gains nothing; somebody who logged in by the name alone; LOCAL not at all.
It is all in memory, of this process. `chat.counts` keeps the numbers; how many answers are written at once is
`chat.slots`' business.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Literal

from chat.errors import RateLimited
from chat.owners import LOCAL
from chat.settings import Settings

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import RateLimiter

STRANGERS = 200
"""People who may ask their first question of the day from one network within an hour. Each takes room in
memory, and on the disk for as long as chats are kept; a school behind one address is below this."""

Whose = Literal["owner", "network", "all"]

_SENTENCES: dict[Whose, str] = {
    "owner": "You may ask {} here.",
    "network": "From your network {} may be asked here.",
    "all": "All visitors together may ask {} here, and they have.",
}
_CROWD = "Too many people have come from your network."


@dataclass(frozen=True, slots=True)
class _Rule:
    item: "RateLimitItem"
    limiter: "RateLimiter"
    whose: Whose
    id: str
    sentence: str

    def wait(self, now: float) -> int:
        """Whole seconds until one more may be asked; 0 for now."""
        if self.limiter.test(self.item, self.whose, self.id):
            return 0
        return math.ceil(self.limiter.get_window_stats(self.item, self.whose, self.id).reset_time - now)

    def hit(self) -> None:
        self.limiter.hit(self.item, self.whose, self.id)


class Limits:
    """What `settings` allow. `clock` in seconds, only forward. Raises `Config` for what cannot be read."""

    def __init__(self, settings: Settings | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        settings = settings or Settings()
        self._clock, self._settings = clock, settings
        self.limited = bool(settings.questions or settings.messages_each or settings.messages)
        if not self.limited:
            return
        from limits import RateLimitItemPerDay, RateLimitItemPerHour, parse_many
        from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

        from chat.counts import Counts

        self.counts = Counts(clock)
        self._moving, self._fixed = MovingWindowRateLimiter(self.counts), FixedWindowRateLimiter(self.counts)
        self._rates = parse_many(settings.questions) if settings.questions else []
        self._each = RateLimitItemPerDay(settings.messages_each) if settings.messages_each else None
        self._all = RateLimitItemPerDay(settings.messages) if settings.messages else None
        self._known = RateLimitItemPerDay(1, namespace="known")
        self._strangers = RateLimitItemPerHour(STRANGERS, namespace="strangers")

    def network(self, owner: str, address: str) -> str:
        """As `network_of`."""
        return network_of(self._settings, owner, address)

    def check(self, owner: str, network: str = "", *, own: bool = False) -> None:
        """Raises `RateLimited` when one more question would be too many; after `retry_after` it is not.

        `own`: it is asked with a key of the owner's own, so what is for a day does not hold.
        """
        now = self._clock()
        waits = ((rule.wait(now), rule) for rule in self._rules(owner, network, own))
        wait, rule = max(waits, key=lambda found: found[0], default=(0, None))
        if rule is not None and wait > 0:
            raise RateLimited(f"{rule.sentence} Ask again {_in(wait)}.", retry_after=wait)

    def count(self, owner: str, network: str = "", *, own: bool = False) -> None:
        """A question of `owner`'s has begun to be answered."""
        for rule in list(self._rules(owner, network, own)):
            rule.hit()

    def _rules(self, owner: str, network: str, own: bool) -> Iterator[_Rule]:
        if not self.limited or owner == LOCAL:
            return
        whose: list[tuple[Whose, str]] = [("owner", owner)]
        if network:
            whose.append(("network", network))
            known = _Rule(self._known, self._fixed, "owner", owner, "")
            if not known.wait(self._clock()):
                yield _Rule(self._strangers, self._moving, "network", network, _CROWD)
                yield known
        for kind, id in whose:
            for rate in self._rates:
                yield _rule(rate, self._moving, kind, id)
            if self._each is not None and not own:
                yield _rule(self._each, self._fixed, kind, id)
        if self._all is not None and not own:
            yield _rule(self._all, self._fixed, "all", "")


def _rule(item: "RateLimitItem", limiter: "RateLimiter", whose: Whose, id: str) -> _Rule:
    return _Rule(item, limiter, whose, id, _SENTENCES[whose].format(_words(item)))


def network_of(settings: Settings, owner: str, address: str) -> str:
    """The network that `owner` is also counted by; "" for the operator and for users who logged in."""
    return "" if settings.login or owner == LOCAL else network(address)


def network(address: str) -> str:
    """What stands for `address` where people are told apart by it: itself, or of IPv6 the /64, of which
    one connection usually has all. What is no address stands for itself."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is None:
            return str(ip_network((found, 64), strict=False))
        found = found.ipv4_mapped
    return str(found)


def _words(item: "RateLimitItem") -> str:
    """“10 questions a minute”."""
    questions = "1 question" if item.amount == 1 else f"{item.amount:,} questions"
    unit = item.GRANULARITY.name
    if item.multiples == 1:
        return f"{questions} {'an' if unit == 'hour' else 'a'} {unit}"
    return f"{questions} in {item.multiples} {unit}s"


def _in(seconds: int) -> str:
    if seconds < 100:
        number, unit = seconds, "second"
    elif seconds < 6000:
        number, unit = math.ceil(seconds / 60), "minute"
    else:
        number, unit = math.ceil(seconds / 3600), "hour"
    return f"in {number} {unit}{'' if number == 1 else 's'}"
