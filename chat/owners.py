"""Who a conversation belongs to: an unguessable name, signed, in a cookie that scripts cannot read.

`Owners` reads and writes the cookie's value, and holds the key that the address printed at start
carries: the browser that comes with it is the owner at this machine, whose chats the terminal shares.
Being on this machine alone makes nobody that. Faces ask `of`; `chat.api.cookie` gives the cookie out.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping

from chat.sign_outs import SignOuts

LOCAL = "local"
"""The owner at this machine: the terminal, and the browser that came with the key."""

PERSON = "person-"
"""What the name of every owner who logged in begins with."""

COOKIE = "runnel_owner"
"""What the cookie's name begins with; a program that talks to one server may leave it at that."""

_VALUE = re.compile(r"([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{43})")
_OPERATOR = re.compile(rf"{LOCAL}\.([0-9]{{1,16}})\.([A-Za-z0-9_-]{{43}})")
"""The operator's also holds when it was given out (milliseconds since the epoch), so that it can end."""


def person(name: str) -> str:
    """The owner that a person of this name is, however they have said who they are. No stranger's: those
    have 32 characters. Of the name alone, so that another secret leaves everybody their chats."""
    return f"{PERSON}{base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).rstrip(b'=').decode()}"


class Owners:
    """`secret` signs; with another one nobody has a cookie any more. `clock` in seconds since the epoch."""

    def __init__(
        self, secret: bytes, sign_outs: SignOuts | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._secret, self._clock = secret, clock
        self.sign_outs = sign_outs or SignOuts(clock=clock)
        """Asked here about the operator's browsers, and by `chat.logins` about people."""
        self._operator_key = self.key_for("operator")
        self.name = f"{COOKIE}_{hmac.digest(secret, b'name', hashlib.sha256).hex()[:8]}"
        """The cookie's. Browsers send a cookie to every port of a host, so two servers on one machine
        would take each other's owners away if both called theirs the same."""
        self.key = secrets.token_urlsafe(18)
        """Of the address printed at start. Good once; "" afterwards."""

    def of(self, cookies: Mapping[str, str]) -> str:
        """The owner that the cookie names; "" without one, or with one that we did not sign."""
        for name in (self.name, COOKIE):
            value = cookies.get(name, "")
            if self._is_operator(value):
                return LOCAL
            found = _VALUE.fullmatch(value)
            # The operator's cookies of earlier versions had no time, and so no end.
            signed = found is not None and hmac.compare_digest(found[2], self._signature(found[1]))
            if found is not None and signed and found[1] != LOCAL:
                return found[1]
        return ""

    def cookie(self, owner: str = "") -> str:
        """The cookie's value for `owner`; without one, for somebody new."""
        owner = owner or secrets.token_urlsafe(24)
        if owner == LOCAL:
            given = str(int(self._clock() * 1000))
            return f"{LOCAL}.{given}.{_signed(self._operator_key, given)}"
        return f"{owner}.{self._signature(owner)}"

    def sign_out_operator(self) -> str:
        """Ends every browser of the operator's. Returns a new `key`, which makes one of them again."""
        self.sign_outs.end_all(LOCAL)
        self.key = secrets.token_urlsafe(18)
        return self.key

    def apart(self, owner: str, name: str) -> str:
        """What `owner` means by `name`: nobody else's `name` is the same, and nobody can guess it."""
        # A blank stands in no owner's name, so this is never what signs one.
        return self._signature(f"{owner} {name}")

    def key_for(self, purpose: str) -> bytes:
        """A key that signs other things than owners: what it signs is never good as a cookie of these."""
        return hmac.digest(self._secret, b"\0" + purpose.encode(), hashlib.sha256)

    def redeem(self, key: str) -> bool:
        """Whether `key` is the one printed at start. It is good once."""
        good = bool(self.key) and hmac.compare_digest(key.encode(errors="replace"), self.key.encode())
        if good:
            self.key = ""
        return good

    def _is_operator(self, value: str) -> bool:
        found = _OPERATOR.fullmatch(value)
        if found is None or not hmac.compare_digest(found[2], _signed(self._operator_key, found[1])):
            return False
        return not self.sign_outs.is_over(LOCAL, "", int(found[1]) / 1000)

    def _signature(self, owner: str) -> str:
        return _signed(self._secret, owner)


def _signed(key: bytes, text: str) -> str:
    digest = hmac.digest(key, text.encode(errors="replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
