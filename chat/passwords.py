"""Hashed passwords: `scrypt.15.8.1.SALT.HASH`, as `python -m chat hash-password` prints them for CHAT_USERS.

scrypt is RFC 7914's, from the standard library. The text holds no comma, colon, dollar or blank, so
it needs no quotes in CHAT_USERS, .env or a shell. Called by `chat.settings`, `chat.logins` and `chat.cli`.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

LOG2_N, R, P = 15, 8, 1
"""scrypt's cost: 32 MiB of memory and some 80 ms (OWASP's table of 2023 has 2^15, 8, 3 and 2^17, 8, 1)."""

MAX_LOG2_N, MAX_P = 18, 8
"""The dearest that is read: 256 MiB. `R` is always 8."""

SALT_BYTES, HASH_BYTES = 16, 32

_TEXT = re.compile(r"scrypt\.([0-9]{1,2})\.8\.([0-9])\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
_HASHED = re.compile(r"scrypt[.:$]|\$[a-z0-9-]{1,12}\$|\{[A-Z0-9-]{2,12}\}")
"""How hashed passwords of this and of other programs begin."""


@dataclass(frozen=True, slots=True)
class HashedPassword:
    log2_n: int
    p: int
    salt: bytes
    digest: bytes

    def matches(self, password: str) -> bool:
        """Whether this was made of `password`. Takes tens of milliseconds: call it in a thread."""
        return hmac.compare_digest(_scrypt(password, self.salt, self.log2_n, self.p), self.digest)


def hash_password(password: str, log2_n: int = LOG2_N) -> str:
    """The text that stands for `password` in CHAT_USERS."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _scrypt(password, salt, log2_n, P)
    return f"scrypt.{log2_n}.{R}.{P}.{_encoded(salt)}.{_encoded(digest)}"


def looks_hashed(text: str) -> bool:
    """Whether `text` was meant as a hash, of this or of another program."""
    return _HASHED.match(text) is not None


def parse(text: str) -> HashedPassword | None:
    """What `hash_password` wrote; None for anything else."""
    if (found := _TEXT.fullmatch(text)) is None:
        return None
    log2_n, p = int(found[1]), int(found[2])
    salt, digest = (base64.urlsafe_b64decode(part + "==") for part in found.groups()[2:])
    known = 1 <= log2_n <= MAX_LOG2_N and 1 <= p <= MAX_P
    return HashedPassword(log2_n, p, salt, digest) if known else None


def _scrypt(password: str, salt: bytes, log2_n: int, p: int) -> bytes:
    memory = 128 * R * (2**log2_n + p + 2)
    text = password.encode(errors="surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=2**log2_n, r=R, p=p, maxmem=memory + 2**20, dklen=HASH_BYTES)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
