"""How the text of one variable becomes a value: each reader takes it, checks it and says in a sentence what
is wrong with it. Called by `Settings.read` alone, which knows the variables.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal, get_args
from urllib.parse import urlsplit

from chat.errors import Config
from chat.passwords import looks_hashed, parse

Journal = Literal["auto", "wal", "delete"]

_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:]*:[0-9a-f:.]*:[0-9a-f:.]*")
"""A name, or an address of either kind, as the header `Host` has it without port and brackets."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that does not show itself in a repr, a log or a traceback."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Chat Completions server of one's own, from `CHAT_ENDPOINTS`."""

    name: str
    url: str
    key: str
    """Name of the variable that holds its key, whether set or not."""


def parts(text: str, separator: str = ",") -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in text.split(separator)) if part)


def url(name: str, value: str) -> str:
    bad = any(c.isspace() or not c.isprintable() for c in value)
    try:
        address = urlsplit(value)
        bad = bad or address.scheme not in ("http", "https") or not address.hostname or address.port == 0
    except ValueError:
        bad = True
    if bad:
        raise Config(f"{name} is not an address. Write it like https://host/v1, without blanks.")
    if name == "ANTHROPIC_BASE_URL":  # the SDK adds /v1 itself
        value = value.rstrip("/").removesuffix("/v1")
    return value.rstrip("/")


def ollama(env: Mapping[str, str]) -> dict[str, str]:
    """`OLLAMA_HOST`, with Ollama's own reading of it: any part may be missing, and it may be where the server
    listens instead of where it is asked. It is not our variable, so what cannot be read is no fault of
    ours."""
    scheme, _, rest = env.get("OLLAMA_HOST", "").strip("'\" ").rpartition("://")
    place, slash, path = rest.partition("/")
    match = re.fullmatch(
        r"(\[[0-9A-Fa-f:.%]+\]|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|[^:\[\]]*)(?::(\d*))?", place
    )
    if not rest or match is None or scheme.lower() not in ("", "http", "https"):
        return {}
    host, port = match[1].strip("[]"), match[2] or {"http": "80", "https": "443"}.get(scheme.lower(), "11434")
    if int(port) > 65535:
        port = "11434"
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    if not re.fullmatch(r"[A-Za-z0-9._:%-]+", host):
        return {}
    name = f"[{host}]" if ":" in host else host
    return {"OLLAMA_HOST": f"{scheme.lower() or 'http'}://{name}:{port}{slash}{path}".rstrip("/") + "/v1"}


def endpoints(text: str) -> tuple[Endpoint, ...]:
    found: list[Endpoint] = []
    for part in parts(text):
        name, equals, address = part.partition("=")
        name = name.strip().lower()
        if not equals or not name.replace("-", "").replace("_", "").isalnum():
            raise Config(
                f"CHAT_ENDPOINTS: cannot read “{part}”. Write name=https://host/v1, separated by commas."
            )
        key = name.upper().replace("-", "_") + "_API_KEY"
        if any(key == each.key for each in found):
            raise Config(f"CHAT_ENDPOINTS: {key} would belong to two servers. Give each a name of its own.")
        found.append(Endpoint(name, url("CHAT_ENDPOINTS", address.strip()), key))
    return tuple(found)


SAMPLE_SECRETS = frozenset(
    (
        *("make-one-with-the-line-below", "make-another-one"),
        *("a long password", "another long one", "another one"),
    )
)
"""Example secrets from earlier versions of the docs. They are public, so they are rejected."""


def secret(env: Mapping[str, str]) -> Secret | None:
    value = env.get("CHAT_SECRET", "")
    if value and len(value) < 16:
        raise Config(
            "CHAT_SECRET must have 16 characters or more: whoever guesses it can be anybody. "
            "Leave it away, and a good one is made and kept beside the database."
        )
    return Secret(value) if value else None


def token(env: Mapping[str, str]) -> Secret | None:
    return _header_secret(env, "CHAT_TOKEN", "whoever guesses it can read your chats")


def proxy_secret(env: Mapping[str, str]) -> Secret | None:
    secret = _header_secret(env, "CHAT_PROXY_SECRET", "whoever guesses it can pass for the proxy")
    if secret is not None and "CHAT_PROXIES" not in env:
        raise Config("CHAT_PROXY_SECRET needs CHAT_PROXIES, the addresses of the proxies that send it.")
    return secret


def _header_secret(env: Mapping[str, str], name: str, danger: str) -> Secret | None:
    """A secret that travels in a header."""
    value = env.get(name, "")
    plain = value.isascii() and value.isprintable() and " " not in value
    if value and (len(value) < 16 or not plain or value in SAMPLE_SECRETS):
        raise Config(
            f"{name} must have 16 characters or more, plain ones and no blanks: {danger}. "
            "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(24))'"
        )
    return Secret(value) if value else None


def personas(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts(text, "|"):
        name, equals, prompt = (piece.strip() for piece in part.partition("="))
        if not (equals and name and prompt):
            raise Config(f"CHAT_PERSONAS: cannot read “{part[:80]}”. Write name=prompt, separated by |.")
        found[name] = prompt
    return found


def users(text: str) -> dict[str, Secret]:
    """Passwords by name, plain or hashed. No part is repeated in an error: it may be a password."""
    found: dict[str, Secret] = {}
    people = parts(text)
    if len({":" in part for part in people}) == 2:
        raise Config(
            "CHAT_USERS: a part has no colon, so it is no name:password. Commas stand between people: a "
            f"password with a comma in it has to be given hashed. {_HASH_IT}"
        )
    for part in people:
        name, colon, password = (piece.strip() for piece in part.partition(":"))
        if not (colon and name and name.isprintable()) or len(password) < 8 or password in SAMPLE_SECRETS:
            raise Config(
                "CHAT_USERS: write name:password, separated by commas, each password of 8 characters or more "
                "and none that stands in a manual."
            )
        if looks_hashed(password) and parse(password) is None:
            raise Config(
                f"CHAT_USERS: the password of {name} looks hashed, but Runnel did not make it. {_HASH_IT}"
            )
        if name in found:
            raise Config(f"CHAT_USERS: {name} stands there twice.")
        found[name] = Secret(password)
    return found


_HASH_IT = "Hash it with: python -m chat hash-password"


def login_header(env: Mapping[str, str]) -> str:
    name = env.get("CHAT_LOGIN_HEADER", "").lower()
    if name and not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
        raise Config("CHAT_LOGIN_HEADER is the name of a header, like X-Forwarded-User.")
    if name and "CHAT_PROXIES" not in env:
        raise Config(
            "CHAT_LOGIN_HEADER needs CHAT_PROXIES, the addresses of the proxies that set it: "
            "from anybody else it would be believed too."
        )
    return name


def proxies(text: str) -> tuple[str, ...]:
    found = parts(text)
    for part in found:
        try:
            ip_network(part, strict=False)
        except ValueError:
            raise Config(
                f"CHAT_PROXIES: “{part[:80]}” is no address. "
                "Write 10.0.0.5 or 10.0.0.0/8, separated by commas."
            ) from None
    return found


def is_loopback(network: str) -> bool:
    """Whether a part of `CHAT_PROXIES` covers addresses of this machine's own."""
    found = ip_network(network, strict=False)
    return found.overlaps(ip_network("127.0.0.0/8" if found.version == 4 else "::1/128"))


def hosts(text: str) -> tuple[str, ...]:
    found = tuple(part.lower().removesuffix(".") for part in parts(text))
    for part in found:
        if part != "*" and not _HOST.fullmatch(part):
            raise Config(
                f"CHAT_HOSTS: “{part[:80]}” is no name. Write chat.example.com or *.example.com, without "
                "https:// and without a port, separated by commas."
            )
    return found


def rate(text: str) -> str:
    """`CHAT_RATE`, checked. "" is no limit set, "0" none at all."""
    text = text.rstrip("; ")
    if text in ("", "0"):
        return text
    from limits import parse_many  # 0.1 s, for something that few set on their own machine

    try:
        found = parse_many(text)
    except ValueError:
        found = []
    if not found or any(item.amount < 1 for item in found):
        raise Config(
            f"CHAT_RATE: cannot read “{text[:80]}”. Write 10/minute, or 10/minute; 100/hour. 0 is any number."
        )
    return text


def flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    value = env.get(name, "").lower()
    if not value:
        return default
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise Config(f"{name} is a switch: write 1 or 0, not “{value}”.")


def number(env: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = env.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise Config(f"{name} must be a number from {low:g} to {high:g}, not “{text}”.")
    return value


def leaving(env: Mapping[str, str]) -> float | None:
    """`CHAT_WHEN_LEFT`: finish, stop, or the seconds after which to stop."""
    value = env.get("CHAT_WHEN_LEFT", "finish").lower()
    if value == "finish":
        return None
    if value == "stop":
        return 0.0
    return number(env, "CHAT_WHEN_LEFT", 0, 0, 86400)


def optional(env: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    """A whole number; None where none is set."""
    return int(number(env, name, 0, least, most)) if name in env else None


def journal(text: str) -> Journal:
    for known in get_args(Journal):
        if text.lower() == known:
            return known
    raise Config("CHAT_DATABASE_JOURNAL is auto, wal or delete.")
