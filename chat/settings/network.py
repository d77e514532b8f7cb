"""How requests leave this machine, as the environment says it: proxies, what goes without one, certificates.

`Network.read` takes the variables that curl, Go and Python's own libraries know. Nothing here fails: a proxy
that cannot be used says why, and whoever would be asked through it says so (`chat.outbound`); the rest works.
`hidden` keeps these variables from libraries that do fail at them.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies

from chat.settings.values import Secret

_SPOKEN = ("http", "https", "socks5", "socks5h")
_PORTS = {"http": 80, "https": 443}
_PROXIES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "all": "ALL_PROXY"}
_SYSTEM = "the system’s settings"
_NEARBY = frozenset({"localhost", "host.docker.internal", "host.containers.internal"})
"""Names of this machine, the second and third seen from inside a container."""
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Proxy:
    """`address` as it is connected to, "" where `fault` says why it cannot be used; `shown` is without name
    and password. `variable` is where it was set."""

    variable: str
    address: Secret
    shown: str = ""
    fault: str = ""

    @classmethod
    def read(cls, variable: str, value: str) -> "Proxy":
        text = value.strip()
        address = text if "://" in text else f"http://{text}"
        scheme, _, rest = address.partition("://")
        scheme = scheme.lower()
        if scheme == "socks":  # what GNOME writes
            scheme = "socks5h"
        if scheme not in _SPOKEN:
            # Without a list of forms, `socks4a://…` would be taken for a slip.
            return cls(variable, Secret(""), fault=f"Runnel does not speak {_plain(scheme)}")
        try:
            parts = urlsplit(f"{scheme}://{rest}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return cls(variable, Secret(""), fault="it is no address")
        if (
            not re.fullmatch(r"[A-Za-z0-9._:%-]+", host)
            or parts.path.strip("/")
            or not text.isascii()
            or re.search(r"\s", text)
        ):
            return cls(variable, Secret(""), fault="it is no address")
        shown = f"[{host}]" if ":" in host else host
        return cls(variable, Secret(parts.geturl()), f"{shown}:{port}" if port else shown)


@dataclass(frozen=True, slots=True)
class Network:
    """`proxies` by the scheme of who is asked. `direct`: what `NO_PROXY` names. `certificates`: the variables
    that name some, by name."""

    proxies: Mapping[str, Proxy] = field(default_factory=dict)
    direct: tuple[str, ...] = ()
    certificates: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, environ: Mapping[str, str], *, system: bool = False) -> "Network":
        """`system`: where the variables name no proxy, the settings of macOS and Windows do."""
        found = {scheme: _named(environ, name) for scheme, name in _PROXIES.items()}
        direct = (_named(environ, "NO_PROXY") or ("", ""))[1]
        if system and not any(found.values()) and sys.platform in ("darwin", "win32"):
            told = getproxies()
            found = {scheme: (_SYSTEM, told[scheme]) for scheme in ("http", "https") if told.get(scheme)}
            direct = direct or told.get("no", "")
        proxies = {
            scheme: Proxy.read(*named)
            for scheme in ("http", "https")
            if (named := found.get(scheme) or found.get("all")) is not None
        }
        certificates = {name: value for name in _CERTIFICATES if (value := environ.get(name, "").strip())}
        return cls(
            proxies, tuple(re.split(r"[\s,;]+", direct.strip(" ,;\t\n"))) if direct else (), certificates
        )

    def proxy(self, scheme: str, host: str, port: int | None = None) -> Proxy | None:
        """The one through which `host` is asked; None for this machine's own servers, which none can
        reach."""
        found, host = self.proxies.get(scheme), host.strip("[]").rstrip(".").lower()
        if found is None or nearby(host):
            return None
        port = port or _PORTS.get(scheme)
        return None if any(_covers(entry, host, port) for entry in self.direct) else found


def nearby(host: str) -> bool:
    """Whether `host` is this machine."""
    host = host.strip("[]").rstrip(".").lower()
    if host in _NEARBY or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _named(environ: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """The variable and its value. The lower case wins, were it only to switch the other off."""
    for variable in (name.lower(), name):
        if variable in environ:
            value = environ[variable].strip()
            return (variable, value) if value else None
    return None


def _covers(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of `NO_PROXY` names `host`: `*`, a name and all below it (with or without a dot or
    `*.` before it), an address, a network, any of them with a port. What cannot be read covers nothing."""
    entry = entry.partition("://")[2] or entry if "://" in entry else entry
    entry = entry.strip("'\"").lower()
    if entry == "*":
        return True
    if entry == "<local>":  # Windows: a name without a dot
        return "." not in host and ":" not in host
    name, wanted = _split(entry)
    if wanted is not None and wanted != port:
        return False
    address = _address(host)
    if address is not None:
        try:
            return address in ip_network(name.replace("[", "").replace("]", ""), strict=False)
        except (ValueError, TypeError):
            return "*" in name and fnmatchcase(host, name)
    name = name.removeprefix("*.").lstrip(".").rstrip(".")
    if not name:
        return False
    return host == name or host.endswith(f".{name}") or ("*" in name and fnmatchcase(host, name))


def _split(entry: str) -> tuple[str, int | None]:
    """Name and port."""
    match = re.fullmatch(r"(\[[^\]]*\](?:/\d+)?|[^:\[\]]*):(\d{1,5})", entry)
    return (match[1], int(match[2])) if match else (entry, None)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _plain(scheme: str) -> str:
    return scheme if re.fullmatch(r"[a-z0-9+.-]{1,16}", scheme) else "this kind of proxy"


@contextmanager
def hidden() -> Iterator[None]:
    """A context without these variables, for an import that would fail at what they name."""
    names = [
        name
        for name in list(os.environ)
        if name.lower().endswith("_proxy")
        or name.upper() in (*_CERTIFICATES, "SSLKEYLOGFILE")
        or name.upper().startswith("HF_")
    ]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(kept)
