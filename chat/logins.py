"""Who may log in, and what a browser gets for it: names and passwords of the settings, signed cookies.

A login's cookie holds the name, when it began, when it was given, and a number of its own. Its signature
covers the password too, so that a changed password, and a user taken out of the settings, end it; which were
ended by their person, `chat.sign_outs` knows. The browser keeps a second cookie after it, which says that it
is known and nothing else (`chat.guesses`). `chat.api.door` asks this with every request. `chat.owners.person`
says who belongs to a name as an owner.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chat.errors import Config, RateLimited
from chat.guesses import Guesses
from chat.owners import Owners, person
from chat.passwords import HashedPassword, hash_password, parse
from chat.settings import Secret

LASTS = 30 * 24 * 3600
"""Seconds that a login is good for. The page renews it, so it ends after so long without a visit, and at last
when it is `chat.sign_outs.MAX_SIGN_IN_AGE_S` old."""
LONGEST_NAME = 200
"""Characters."""
HASHES_AT_ONCE, MAX_WAITING_HASHES = 2, 50
"""Hashed passwords that are compared at once, and that may wait: each takes some 80 ms and 32 MiB."""
MAX_REMEMBERED = 1000
"""Right passwords that need not be hashed again: programs send theirs with every request."""

_COOKIE = re.compile(
    r"(?P<name>[A-Za-z0-9_-]{1,1100})\.(?P<began>[0-9]{1,16})\.(?P<given>[0-9]{1,12})"
    r"\.(?P<number>[A-Za-z0-9_-]{16})\.(?P<signature>[A-Za-z0-9_-]{43})"
)
_KNOWN = re.compile(r"([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class _Login:
    """One sign-in of somebody's, as their cookie says."""

    name: str
    began: str
    """Milliseconds since the epoch. It stays when the cookie is renewed."""
    given: int
    """Seconds since the epoch."""
    number: str


class Logins:
    """`clock` in seconds since the epoch, for the cookies. Raises `Config` for a name that is none."""

    def __init__(
        self, users: Mapping[str, Secret], owners: Owners, clock: Callable[[], float] = time.time
    ) -> None:
        self._key, self._clock = owners.key_for("login"), clock
        self._users = {name_of(name): self._seal("password", each.value) for name, each in users.items()}
        if "" in self._users or len(self._users) < len(users):
            raise Config(f"CHAT_USERS: each name is another one, of at most {LONGEST_NAME} characters.")
        self._nobody = self._seal("password", secrets.token_urlsafe(24))
        hashes = {name_of(name): parse(each.value) for name, each in users.items()}
        self._hashes = {name: each for name, each in hashes.items() if each is not None}
        self._hash_of_nobody = _hash_of_nobody(self._hashes)
        """Stands in for the hash of a name without one; None: nobody's password is hashed."""
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting = 0
        self._remembered: OrderedDict[str, None] = OrderedDict()
        self._guesses = Guesses()
        self._sign_outs = owners.sign_outs
        suffix = owners.name.rpartition("_")[2]
        self.name, self.known = f"runnel_login_{suffix}", f"runnel_known_{suffix}"
        """Of the two cookies."""

    @property
    def any(self) -> bool:
        """Whether there is anybody who may log in here."""
        return bool(self._users)

    async def check(self, name: str, password: str, address: str, known: str = "") -> str:
        """The person whom `name` and `password` make; "" for nobody. `known`: that cookie of the browser.

        Raises `RateLimited` after too many wrong ones, for the right password too: otherwise guessing could
        go on. A name that nobody has costs the same work, and is counted the same.
        """
        # hashlib takes as long as a text is; nobody types more.
        password = password[:1000]
        name = name_of(name)
        browser = self._browser(name, known)
        if wait := self._guesses.wait(name, address, browser):
            minutes = max(1, round(wait / 60))
            raise RateLimited(
                f"Too many wrong passwords. Try again in {minutes} minute{'s' if minutes > 1 else ''}.",
                retry_after=wait,
            )
        expected = self._users.get(name, self._nobody)
        right = hmac.compare_digest(self._seal("password", password), expected) and name in self._users
        if self._hash_of_nobody is not None:
            right = await self._after_hashing(name, password, address, browser, right)
        elif not right:
            self._guesses.wrong(name, address, browser)
        if right:
            self._guesses.right(name, address)
        return name if right else ""

    async def _after_hashing(self, name: str, password: str, address: str, browser: str, plain: bool) -> bool:
        """Whether `password` is right. `plain`: whether it is, where the name's password is not hashed.

        As soon as one password is hashed, every name costs a hash, so that none tells how its password is
        kept. Raises `RateLimited`.
        """
        proof = self._seal("right", name, password)
        if proof in self._remembered:
            self._remembered.move_to_end(proof)
            return True
        if self._waiting >= MAX_WAITING_HASHES:
            raise RateLimited("Too many people sign in at once. Try again in a few seconds.", retry_after=5)
        # Counted before it is known: otherwise many guesses at once would count as none.
        self._guesses.wrong(name, address, browser)
        self._waiting += 1
        try:
            async with self._hashing:
                hashed = self._hashes.get(name, self._hash_of_nobody)
                assert hashed is not None
                matches = await asyncio.to_thread(hashed.matches, password)
        finally:
            self._waiting -= 1
        # Whoever has read a hash in the settings cannot sign in with it: `plain` does not count here.
        right = matches if name in self._hashes else plain
        if right:
            self._remembered[proof] = None
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        return right

    def login(self, name: str) -> tuple[str, str]:
        """The values of the two cookies for a person whose password was right, both new."""
        number, known = secrets.token_urlsafe(12), secrets.token_urlsafe(12)
        began = str(int(self._clock() * 1000))
        return self._value(name, began, number), f"{known}.{self._seal('known', name, known)}"

    def of(self, cookie: str) -> str:
        """The person whose login the cookie is; "" for nobody's, or one that is over."""
        login = self._read(cookie)
        return login.name if login else ""

    def renewed(self, cookie: str) -> str:
        """The same login from now on; "" when it is a day old or less, or nobody's."""
        login = self._read(cookie)
        if login is None or self._clock() - login.given < 24 * 3600:
            return ""
        return self._value(login.name, login.began, login.number)

    def end(self, cookie: str) -> None:
        """Signs out: whoever has kept a copy of the cookie has nothing any more."""
        if login := self._read(cookie):
            self._sign_outs.end(person(login.name), login.number)

    def end_all(self, name: str) -> None:
        """Signs `name` out in every browser."""
        self._sign_outs.end_all(person(name))

    def _value(self, name: str, began: str, number: str) -> str:
        given = str(int(self._clock()))
        encoded = base64.urlsafe_b64encode(name.encode()).rstrip(b"=").decode()
        seal = self._seal("login", name, began, given, number, self._users[name])
        return f"{encoded}.{began}.{given}.{number}.{seal}"

    def _read(self, cookie: str) -> _Login | None:
        """A login that we gave out and that is not over."""
        if (found := _COOKIE.fullmatch(cookie)) is None:
            return None
        encoded, began, given, number, signature = found.groups()
        try:
            name = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except (UnicodeDecodeError, binascii.Error):
            return None
        password = self._users.get(name)
        if password is None or not hmac.compare_digest(
            signature, self._seal("login", name, began, given, number, password)
        ):
            return None
        over = self._clock() - int(given) >= LASTS
        over = over or self._sign_outs.is_over(person(name), number, int(began) / 1000)
        return None if over else _Login(name, began, int(given), number)

    def _browser(self, name: str, known: str) -> str:
        """What names the browser, if it has logged in under `name` before."""
        found = _KNOWN.fullmatch(known)
        good = found is not None and hmac.compare_digest(found[2], self._seal("known", name, found[1]))
        return found[1] if found is not None and good else ""

    def _seal(self, *parts: str) -> str:
        # With their lengths, so that no two lists of parts read the same.
        text = "".join(f"{len(part)}:{part}" for part in parts)
        digest = hmac.digest(self._key, text.encode(errors="surrogatepass"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def name_of(text: str) -> str:
    """A person's name as it is compared: composed, without blanks around it. "" for what is no name."""
    name = unicodedata.normalize("NFC", text).strip(" ")
    return name if name and len(name) <= LONGEST_NAME and name.isprintable() else ""


def _hash_of_nobody(hashes: Mapping[str, HashedPassword]) -> HashedPassword | None:
    """As dear as the dearest of `hashes`, so that it takes no less time."""
    if not hashes:
        return None
    cost = max(each.log2_n for each in hashes.values())
    return parse(hash_password(secrets.token_urlsafe(24), cost))
