"""The name that a request was asked for by, and whether it is one of those that are answered. For the gate.

A Host header is a name or an address, and a port (RFC 3986: `host [":" port]`), and nothing else: what a
lenient reader makes of `me@127.0.0.1` or `127.0.0.1/x` is not what a browser had in its address bar.
"""

import re
from ipaddress import IPv6Address
from typing import Any

_HOST = re.compile(
    r"(?P<name>[a-z0-9._-]{1,255}|\[(?P<v6>[0-9a-f:.]{2,45})\])(?::[0-9]{0,5})?", re.IGNORECASE
)


def host_of(scope: Any) -> str | None:
    """In small letters, without a port, a last dot or brackets; "" where none was sent, None where what was
    sent is none."""
    sent = [value for name, value in scope["headers"] if name == b"host"]
    if len(sent) > 1:
        return None
    header = sent[0].decode("latin-1") if sent else ""
    if not header:
        return ""
    if not header.isascii() or (found := _HOST.fullmatch(header)) is None:
        return None
    if found["v6"] is None:
        return found["name"].lower().removesuffix(".")
    try:
        return str(IPv6Address(found["v6"]))
    except ValueError:
        return None


def matches(name: str, host: str) -> bool:
    """`*.example.com` is every name below example.com, and not that one."""
    return (
        name == host
        or host == "*"
        or (host.startswith("*.") and name.endswith(host[1:]) and name != host[1:])
    )
