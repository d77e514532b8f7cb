"""How often somebody may be wrong about a password: in memory, in moving windows, by `limits`.

Whoever guesses must not be able to lock out the person whose name they guess at. So a browser that has logged
in under a name before, or an address that has, is counted by itself; the windows of a name and of an address,
which strangers can fill, hold for strangers alone (OWASP: “Slow Down Online Guessing Attacks with Device
Cookies”). Names that nobody has are counted alike. `chat.logins` asks; what a password is, it knows.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter

from chat.counts import Counts
from chat.limits import network

HERE = RateLimitItemPerMinute(5, 5)
"""Wrong passwords of one name from one browser that is known, or from one address."""
DAY = RateLimitItemPerDay(10)
"""… from an address that is not known. So nobody alone can fill the name's own window, which would keep its
person out of every new browser, and 10 a day are too few for guessing."""
ADDRESS = RateLimitItemPerMinute(30, 15)
"""… from an address that is not known, whatever the names."""
NAME = RateLimitItemPerMinute(60, 60)
"""… of a name, from all that are not known together."""

KNOWN = 10_000
"""Addresses that are remembered; only who has logged in makes one."""


class Guesses:
    """`clock` in seconds, only forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._window = MovingWindowRateLimiter(Counts(clock))
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, name: str, address: str, browser: str = "") -> float:
        """Seconds until another password may be tried; 0 for now. `browser`: what names one that is known."""
        full = [each for each in self._limits(name, address, browser) if not self._window.test(*each)]
        ends = (self._window.get_window_stats(*each).reset_time for each in full)
        return max((max(1.0, end - self._clock()) for end in ends), default=0.0)

    def wrong(self, name: str, address: str, browser: str = "") -> None:
        for each in self._limits(name, address, browser):
            if not self._window.hit(*each):
                return  # several at once: what is too many here does not count for the name as well

    def right(self, name: str, address: str) -> None:
        """From now on that address is known for the name."""
        place = (name, network(address))
        self._known[place] = None
        self._known.move_to_end(place)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    def _limits(self, name: str, address: str, browser: str) -> list[tuple[RateLimitItem, str, str]]:
        address = network(address)
        if browser:
            return [(HERE, name, f"browser {browser}")]
        here = (HERE, name, f"address {address}")
        if (name, address) in self._known:
            return [here]
        mine = (ADDRESS, "address", address)
        return [here, mine, (DAY, name, f"address {address}"), (NAME, "name", name)]
