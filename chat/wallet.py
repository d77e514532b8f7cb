"""Whose key may be spent by whom: the keys that people brought themselves, by owner and vendor.

Here and nowhere else, in memory: forgotten when the owner says so, when nothing was heard of the owner's
browser for an hour, and at the program's end. A key goes to its own vendor's address and comes out of here
no more: what comes out are providers that use it. The settings' keys are `build`'s; who may ask which
model is put together in `catalogue`. `chat.api.keys` brings keys, `/state` tells who is still there.
"""

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from chat.context import Window
from chat.errors import Auth, BadRequest, Config, Fault, NotFound, RateLimited
from chat.models import Model
from chat.providers import Provider, Vendor
from chat.settings import Settings

log = logging.getLogger(__name__)

SILENCE = 3600.0
"""Seconds without word from an owner's browser after which the owner's keys are forgotten."""
SWEEP = 60.0
"""Seconds between two looks for such owners."""
KEYS = 1000
"""Keys that are held at once. A key and its clients take about 50 kB, besides the model list. A further key
replaces one that never worked, or is rejected if there is none."""
MAX_KEYS_PER_NETWORK = KEYS // 10
"""Keys of the anonymous visitors of one network, so that they cannot take all places."""
LONGEST = 500
"""Characters of a key. The longest known ones have about 170."""
PATIENCE = 10.0
"""Seconds that a vendor may take to answer with its list."""
TRIES = 8
"""Keys that are tried at once, of all people. Each try is a request that leaves this machine."""
MAX_TRIES_PER_NETWORK = TRIES // 2
"""Keys that are tried at once, of the anonymous visitors of one network."""
TRIES_EACH = 20
"""Keys that one person may try in an hour."""
TRIES_NETWORK = 100
"""Keys that may be tried from one network in an hour: throwing the cookie away gains little."""
HOUR = 3600.0

Make = Callable[[Vendor, str], Mapping[str, Provider]]


@dataclass(frozen=True, slots=True)
class Own:
    """A key that somebody brought, as far as others may see it."""

    vendor: Vendor
    providers: Mapping[str, Provider] = field(repr=False)
    """By the names that may stand before a model's. They alone know the key and what is made of it."""
    models: Mapping[str, Model] = field(repr=False)
    """What the vendor lists for this key, by id; empty where it did not answer."""
    works: bool | None
    """Whether the vendor accepts the key. None: not known yet; an answer shows that it does."""
    sentence: str
    """What its vendor said of it, for a person."""
    refused: dict[str, set[str]] = field(default_factory=dict, repr=False)
    """Names of body parameters that a model did not take with this key: another's may be allowed more."""
    windows: dict[str, Window] = field(default_factory=dict, repr=False)
    """The context window that each model was seen to have with this key, by model id."""


@dataclass(slots=True)
class _Purse:
    heard: float
    """When its owner was last heard of, by the wallet's clock."""
    version: int = 0
    own: dict[str, Own] = field(default_factory=dict)
    came: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By vendor name: the network that the key came from, and a number that is higher for later keys."""


class Wallet:
    """`vendors`: all there are, in the order of the menu. `make` gives the providers for a vendor and a key,
    by the names that may stand before a model's."""

    def __init__(
        self,
        settings: Settings,
        vendors: tuple[Vendor, ...] = (),
        make: Make = lambda vendor, key: {},
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.vendors = {vendor.name: vendor for vendor in vendors}
        self._settings, self._make, self._clock = settings, make, clock
        self._purses: dict[str, _Purse] = {}
        self._versions = itertools.count(1)
        self._open: dict[str, dict[str, Model]] = {}
        """The lists that everybody may read, once for all who have a key there."""
        self._trying: Counter[str] = Counter()
        """The number of keys that are being tried, by network, without zeros."""
        self._tries: dict[str, list[float]] = {}
        """When keys were tried in the last hour, by owner and by network."""
        self._sweeping: asyncio.TimerHandle | None = None

    # -- whose ---------------------------------------------------------------------------------

    def of(self, owner: str) -> Mapping[str, Own]:
        """The keys that `owner` brought, by the vendor's name."""
        purse = self._purses.get(owner)
        return purse.own if purse is not None and purse.heard > self._clock() - SILENCE else {}

    def version(self, owner: str) -> int:
        """Another number when `owner` has other keys."""
        return purse.version if (purse := self._purses.get(owner)) is not None else 0

    def takes(self, vendor: str) -> bool:
        """Whether people may bring a key for `vendor`."""
        found = self.vendors.get(vendor)
        if found is None or not found.key or found.local:
            return False
        own = any(found.name == each.name for each in self._settings.endpoints)
        return not own or found.key in self._settings.keys  # a server without a key needs none of theirs

    # -- bringing and forgetting ---------------------------------------------------------------

    async def bring(self, owner: str, vendor: str, key: str, network: str = "") -> Own:
        """Tries `key` and keeps it, unless its vendor does not accept it. `network`: the network of an
        anonymous visitor, else "".

        Raises `NotFound` for a vendor that takes none, `BadRequest` or `Config` for what can be no key,
        `Auth` for one that is refused, and `RateLimited`. A vendor that cannot be asked now is no reason:
        the key is kept, and what was in its place is not.
        """
        if not owner or not self.takes(vendor):
            raise NotFound("No key is taken for this vendor.")
        check(key)
        self._admit(owner, vendor, network)
        found = self.vendors[vendor]
        providers = self._make(found, key)
        self._trying[network] += 1
        try:
            models, works, sentence = await _tried(providers[vendor])
        finally:
            self._trying[network] -= 1
            self._trying += Counter()
        self._find_room(owner, vendor, network)  # only now: a rejected key must not replace another one
        if found.open_list:
            models = self._open[vendor] = models or self._open.get(vendor, {})
        own = Own(found, providers, models, works, sentence)
        purse = self._purses.setdefault(owner, _Purse(0))
        purse.heard, purse.own[vendor] = self._clock(), own
        purse.version = next(self._versions)
        purse.came[vendor] = network, purse.version
        self._watch()
        return own

    def worked(self, owner: str, used: Own) -> None:
        """An answer came with the key `used`. It shows nothing of one that has come in its place since."""
        purse, vendor = self._purses.get(owner), used.vendor.name
        own = purse.own.get(vendor) if purse is not None else None
        if purse is not None and own is not None and own.providers is used.providers and not own.works:
            purse.own[vendor] = replace(own, works=True)

    def forget(self, owner: str, vendor: str = "") -> None:
        """The key for `vendor`, or all of them. An answer that is being written goes on to its end."""
        if (purse := self._purses.get(owner)) is None:
            return
        if vendor:
            purse.own.pop(vendor, None)
        else:
            purse.own.clear()
        purse.version = next(self._versions)

    def heard(self, owner: str) -> None:
        """Somebody looks at the owner's page."""
        if (purse := self._purses.get(owner)) is not None:
            purse.heard = self._clock()

    def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._purses.clear()
        self._tries.clear()

    # -- inside --------------------------------------------------------------------------------

    def _admit(self, owner: str, vendor: str, network: str) -> None:
        """Raises `RateLimited` when no other key can be tried, or kept."""
        self._sweep()
        if self._trying.total() >= TRIES or (network and self._trying[network] >= MAX_TRIES_PER_NETWORK):
            raise RateLimited("Many keys are being tried at this moment. Try again shortly.", retry_after=5)
        self._find_room(owner, vendor, network, take=False)
        bounds = {f"of {owner}": TRIES_EACH} | ({f"from {network}": TRIES_NETWORK} if network else {})
        for who, most in bounds.items():
            if len(times := self._tries.get(who, [])) >= most:
                wait = times[0] + HOUR - self._clock()
                raise RateLimited("Too many keys were tried. Try again in an hour.", retry_after=wait)
        for who in bounds:
            self._tries.setdefault(who, []).append(self._clock())
        self._watch()

    def _find_room(self, owner: str, vendor: str, network: str, *, take: bool = True) -> None:
        """Raises `RateLimited` if the key cannot be kept. `take`: drops the key that has to make room for
        it."""
        came = {(each, name): purse.came[name] for each, purse in self._purses.items() for name in purse.own}
        held = Counter(where for where, _ in came.values())
        before = came.get((owner, vendor))
        moves = before is None or before[0] != network
        if network and moves and held[network] >= MAX_KEYS_PER_NETWORK:
            raise RateLimited(
                "As many keys are kept from your network as can be. Try again later.", retry_after=SWEEP
            )
        if before is not None or len(came) < KEYS:
            return
        # Drop the oldest key of the network with the most keys. Users who logged in have no network and keep
        # theirs.
        unproved = [
            (-held[where], number, whose)
            for whose, (where, number) in came.items()
            if where and not self._purses[whose[0]].own[whose[1]].works
        ]
        if not unproved:
            raise RateLimited("No more keys can be kept now. Try again later.", retry_after=SWEEP)
        if take:
            self.forget(*min(unproved)[2])

    def _sweep(self) -> None:
        now = self._clock()
        for owner, purse in list(self._purses.items()):
            if purse.heard <= now - SILENCE or not purse.own:
                del self._purses[owner]
        for who, times in list(self._tries.items()):
            while times and times[0] <= now - HOUR:
                times.pop(0)
            if not times:
                del self._tries[who]

    def _watch(self) -> None:
        """Looks again and again while there is anything to forget, so that nothing has to be asked for it."""

        def look() -> None:
            self._sweeping = None
            self._sweep()
            if self._purses or self._tries:
                self._watch()

        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP, look)


def check(key: str) -> None:
    """Raises `BadRequest` where there is none, `Config` for what can be no key: without this the SDKs say no
    more than “Connection error”."""
    if not key:
        raise BadRequest("Paste a key into the field first.")
    if len(key) > LONGEST or not key.isascii() or not key.isprintable() or " " in key:
        raise Config(
            f"A key has at most {LONGEST} characters, and no blank, line break or special letter. "
            "Copy it again, without quotes, on one line."
        )


async def _tried(provider: Provider) -> tuple[dict[str, Model], bool | None, str]:
    """The models that the vendor lists, and whether that says that it accepts the key. Raises `Auth`."""
    title = provider.vendor.title
    try:
        async with asyncio.timeout(PATIENCE):
            models = {model.id: model for model in await provider.models()}
    except Fault as fault:
        # 403: a good key may be one that is not allowed to read the list.
        if isinstance(fault, Auth) and fault.status != 403:
            raise
        why = fault.message
    except TimeoutError:
        why = f"{title} did not answer in time."
    else:
        count = f"{len(models)} model{'' if len(models) == 1 else 's'}"
        if not provider.vendor.open_list:
            return models, True, f"{title} took the key: {count}."
        unknown = f"{title} has {count}, which it shows to everybody."
        return models, None, f"{unknown} Whether it takes the key, your first question will tell."
    log.info("a key for %s could not be tried: %s", provider.vendor.name, why)
    return {}, None, f"{why} The key is kept, and will be tried with your first question."
