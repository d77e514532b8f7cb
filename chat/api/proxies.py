"""Who came, by which scheme and name, where a proxy stands in between. Pure ASGI; app.py puts it outermost.

A request's `client`, `scheme` and `Host` are afterwards what the proxy said, and nothing further in looks at
the headers that said it: they are taken away, from whomever they came. They are believed only of a peer that
the settings name; on a Space, whose proxy has no fixed address, of any peer, because nobody else reaches it.
A client may have written the beginning of X-Forwarded-For, so the chain is read from its end, as far as
named proxies go, and no further.

An address alone does not tell a proxy on this machine from every other program here. With a secret
(CHAT_PROXY_SECRET) a proxy is believed only when it sends that too, in the header `SECRET_HEADER`.

RFC 7239's `Forwarded` is not read: a proxy that knows only the X-… headers hands a client's own one through.
"""

import hmac
import logging
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

BELIEVED = "runnel.believed_proxy"
"""In the scope: whether the request came from a proxy whose word counts."""
FORWARDED = "runnel.forwarded"
"""In the scope: whether the request shows marks of a proxy, believed or not."""
SECRET_HEADER = "X-Runnel-Proxy-Secret"
"""The header in which a proxy sends the value of CHAT_PROXY_SECRET."""

_FOR, _PROTO, _HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
_SECRET = SECRET_HEADER.lower().encode()
_TAKEN = {_FOR, _PROTO, _HOST, _SECRET, b"forwarded"}
_MARKS = {
    *(b"forwarded", b"via", b"x-real-ip", b"x-original-host", b"x-client-ip", b"true-client-ip"),
    *(b"cf-connecting-ip", b"cf-ray", b"cdn-loop", b"x-envoy-external-address", b"fly-client-ip"),
}
"""Headers that proxies and tunnels add, beside all that begin with `x-forwarded-`."""

INTERNAL = [ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
"""Networks that lead nowhere from outside: RFC 1918, and RFC 6598 between a provider and its customers."""

Address = IPv4Address | IPv6Address

log = logging.getLogger(__name__)


class Named:
    """The proxies that the settings name, by addresses and networks."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._networks = [ip_network(each, strict=False) for each in listed]

    def __contains__(self, address: str | Address) -> bool:
        found = _address(address) if isinstance(address, str) else address
        return found is not None and any(found in network for network in self._networks)


class Proxies:
    """`named`: addresses and networks. `secret`: what a named proxy has to send to be believed; "" for
    nothing. `space`: the peer is the proxy of a Space, which has no fixed address and sends no secret."""

    def __init__(self, app: Any, *, named: Iterable[str] = (), secret: str = "", space: bool = False) -> None:
        self._app, self._space, self._named = app, space, Named(named)
        self._secret = secret.encode()
        self._told = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = self._read(scope)
        await self._app(scope, receive, send)

    def _read(self, scope: Any) -> Any:
        said: dict[bytes, list[str]] = {_FOR: [], _PROTO: [], _HOST: []}
        headers: list[tuple[bytes, bytes]] = []
        secrets: list[bytes] = []
        forwarded = False
        for name, value in scope["headers"]:
            forwarded = forwarded or name in _MARKS or name.startswith(b"x-forwarded-")
            if name == _SECRET:
                secrets.append(value)
            if name in said:
                said[name] += (part.strip() for part in value.decode("latin-1").split(","))
            if name not in _TAKEN:
                headers.append((name, value))
        peer = scope["client"][0] if scope.get("client") else ""
        believed = self._space or (peer in self._named and self._knows_secret(secrets))
        scope = {**scope, "headers": headers, BELIEVED: believed, FORWARDED: forwarded}
        if not believed:
            if said[_FOR] and not self._told:  # once: anybody can send the header
                self._told = True
                reason = "it does not send CHAT_PROXY_SECRET"
                if peer not in self._named:
                    reason = "CHAT_PROXIES does not name it"
                log.info("X-Forwarded-For of %s is not believed: %s.", peer, reason)
            return scope
        chain = said[_FOR]
        client, hops = self._client(chain)
        if client is not None:
            scope["client"] = (str(client), 0)
        # Proxies that add to all three lists say at the same place of each what they saw.
        place = -hops if hops else -1
        if proto := _at(said[_PROTO], place, len(chain)).lower():
            secure = proto in ("https", "wss")
            if scope["type"] == "websocket":
                scope["scheme"] = "wss" if secure else "ws"
            else:
                scope["scheme"] = "https" if secure else "http"
        if host := _at(said[_HOST], place, len(chain)):
            scope["headers"] = [pair for pair in headers if pair[0] != b"host"]
            scope["headers"].append((b"host", host.encode("latin-1")))
        return scope

    def _knows_secret(self, sent: list[bytes]) -> bool:
        if not self._secret:
            return True
        return len(sent) == 1 and hmac.compare_digest(sent[0], self._secret)

    def _client(self, chain: list[str]) -> tuple[Address | None, int]:
        """The client: read from the end, the first address that is no named proxy's, and its distance from
        the end; where all are named, the first of all. None: nothing there can be read."""
        client, hops = None, 0
        for part in reversed(chain):
            found = _address(part)
            if found is None:
                break  # “unknown”, or nonsense: whoever wrote it is as far as it goes
            client, hops = found, hops + 1
            # A Space's own hops have private addresses: counted by one, all visitors would be one person.
            if not (found in self._named or (self._space and _is_internal(found))):
                break
        return client, hops


def _is_internal(address: Address) -> bool:
    return any(address in network for network in INTERNAL)


def _at(values: list[str], place: int, length: int) -> str:
    """Of a list as long as the chain, what stands at its `place`; of any other, the last."""
    if not values:
        return ""
    return values[place] if len(values) == length else values[-1]


def _address(text: str) -> Address | None:
    """Of `1.2.3.4`, `1.2.3.4:56`, `::1`, `[::1]:56`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
