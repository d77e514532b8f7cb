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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chat.errors import Auth, BadRequest, Config, Fault, NotFound, RateLimited
from chat.models import Model
from chat.providers import Provider, Vendor
from chat.settings import Settings

log = logging.getLogger(__name__)

SILENCE = 3600.0
"""Seconds without word from an owner's browser after which the owner's keys are forgotten."""
SWEEP = 60.0
"""Seconds between two looks for such owners."""
OWNERS = 1000
"""People whose keys are held at once. One more is turned away: nobody's key gives way to a stranger's."""
LONGEST = 500
"""Characters of a key. The longest known ones have about 170."""
PATIENCE = 10.0
"""Seconds that a vendor may take to answer with its list."""
TRIES = 8
"""Keys that are tried at once, of all people. Each try is a request that leaves this machine."""
TRIES_EACH = 20
"""Keys that one person may try within `SILENCE`."""

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
    """None: nobody knows yet."""
    sentence: str
    """What its vendor said of it, for a person."""


@dataclass(slots=True)
class _Purse:
    heard: float
    """When its owner was last heard of, by the wallet's clock."""
    version: int = 0
    tries: int = 0
    own: dict[str, Own] = field(default_factory=dict)


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
        self._trying = 0
        self._sweeping: asyncio.TimerHandle | None = None

    # -- whose ---------------------------------------------------------------------------------

    def of(self, owner: str) -> Mapping[str, Own]:
        """The keys that `owner` brought, by the vendor's name."""
        self._sweep()
        purse = self._purses.get(owner)
        return purse.own if purse is not None else {}

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

    async def bring(self, owner: str, vendor: str, key: str) -> Own:
        """Tries `key` and keeps it, unless its vendor does not accept it.

        Raises `NotFound` for a vendor that takes none, `BadRequest` or `Config` for what can be no key,
        `Auth` for one that is refused, and `RateLimited`. A vendor that cannot be asked now is no reason:
        the key is kept, and what was in its place is not.
        """
        if not owner or not self.takes(vendor):
            raise NotFound("No key is taken for this vendor.")
        check(key)
        purse = self._purse(owner)
        found = self.vendors[vendor]
        providers = self._make(found, key)
        self._trying += 1
        try:
            models, works, sentence = await _tried(providers[vendor])
        finally:
            self._trying -= 1
        own = Own(found, providers, models, works, sentence)
        # What was heard of the owner meanwhile may have been «forget all».
        purse = self._purses.setdefault(owner, purse)
        purse.own[vendor] = own
        purse.version = next(self._versions)
        return own

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

    # -- inside --------------------------------------------------------------------------------

    def _purse(self, owner: str) -> _Purse:
        self._sweep()
        if self._trying >= TRIES:
            raise RateLimited("Many keys are being tried at this moment. Try again shortly.", retry_after=5)
        purse = self._purses.get(owner)
        if purse is None:
            if len(self._purses) >= OWNERS:
                raise RateLimited("No more keys can be kept now. Try again later.", retry_after=SWEEP)
            purse = self._purses[owner] = _Purse(self._clock())
        if purse.tries >= TRIES_EACH:
            raise RateLimited("You have tried many keys. Try again in an hour.", retry_after=SILENCE)
        purse.tries += 1
        purse.heard = self._clock()
        self._watch()
        return purse

    def _sweep(self) -> None:
        until = self._clock() - SILENCE
        for owner in [owner for owner, purse in self._purses.items() if purse.heard <= until]:
            del self._purses[owner]

    def _watch(self) -> None:
        """Looks again and again while there is anything to forget, so that nothing has to be asked for it."""

        def look() -> None:
            self._sweeping = None
            self._sweep()
            if self._purses:
                self._watch()

        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP, look)


def check(key: str) -> None:
    """Raises `Config` for what can be no key: without this the SDKs say no more than «Connection error»."""
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
