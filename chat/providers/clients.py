"""The SDKs' clients, shared and built late. What they answer is read by `wire`.

`Clients` imports an SDK when its first client is asked for, in a thread, so that neither the start nor
the event loop waits (openai 0.5 s, anthropic 1 s). One pool of connections serves all vendors; a key is
sent to its own vendor's host and nowhere else, and nothing of the process's environment goes with it. How a
request leaves this machine is `chat.outbound`'s business.
"""

import asyncio
import sys
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

from chat import garbage, outbound
from chat.providers import error_bytes
from chat.providers.vendors import Vendor
from chat.settings.network import Network

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic
    from openai import AsyncOpenAI

KEPT_OPEN: Final = 60.0
"""Seconds that an idle connection is kept: the SDKs' 5 s make nearly each turn pay a TLS handshake."""

DIRECT: Final = Network()
"""Without a proxy."""

_NO_KEY: Final = "no-key"  # the SDKs insist on one; `_without_key` takes it off the request again

_CLIENTS: Final = 256  # SDK clients kept; they hold no connections, so dropping one costs a millisecond


class Clients:
    """One pool of connections for all vendors, and one SDK client for each address and key.

    `connect` in seconds. `network` names proxies and certificates; `transport` stands in for all of it in
    tests. Close with `aclose`.
    """

    def __init__(
        self,
        connect: float = 5,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        *,
        network: Network = DIRECT,
        pool: "_Pool | None" = None,
    ) -> None:
        self._pool = pool or _Pool(connect, transport, network)
        self._known: dict[tuple[str, str, str], Any] = {}
        self._building: dict[tuple[str, str, str], asyncio.Task[Any]] = {}

    def apart(self) -> "Clients":
        """A separate set of SDK clients on the same connection pool; it is freed with its holder."""
        return Clients(pool=self._pool)

    async def openai(self, vendor: Vendor, key: str = "") -> "AsyncOpenAI":
        """For Chat Completions and Responses. Without a key no `Authorization` is sent."""
        return await self._client("openai", vendor, key)

    async def anthropic(self, vendor: Vendor, key: str = "") -> "AsyncAnthropic":
        """For Messages. `vendor.url` must not include `/v1`."""
        return await self._client("anthropic", vendor, key)

    async def http(self) -> "httpx2.AsyncClient":
        """The HTTP client below them all, for plain requests. It is there before any SDK is."""
        return await self._pool.http()

    async def aclose(self) -> None:
        for building in (*self._building.values(),):
            building.cancel()
        await asyncio.gather(*self._building.values(), return_exceptions=True)
        self._known.clear()
        await self._pool.aclose()

    async def _client(self, sdk: str, vendor: Vendor, key: str) -> Any:
        which = (sdk, vendor.url, key)
        if (client := self._known.get(which)) is not None:
            return client
        if (building := self._building.get(which)) is None:
            building = asyncio.create_task(self._build(which, vendor), name=f"loading {sdk}")
            self._building[which] = building
            building.add_done_callback(lambda task: self._built(which, task))
        # Whoever gives up waiting does not throw away what is half done: the next one needs it.
        return await asyncio.shield(building)

    async def _build(self, which: tuple[str, str, str], vendor: Vendor) -> Any:
        sdk, _, key = which
        http = await self._pool.http()
        build = _openai if sdk == "openai" else _anthropic
        # One at a time: two imports at once could wait for one another's locks.
        async with self._pool.loading:
            new = sdk not in sys.modules
            client = await asyncio.to_thread(build, vendor, key, http)
            if new:
                garbage.settle()
        while len(self._known) >= _CLIENTS:
            del self._known[next(iter(self._known))]
        self._known[which] = client
        return client

    def _built(self, which: tuple[str, str, str], task: "asyncio.Task[Any]") -> None:
        self._building.pop(which, None)
        if not task.cancelled():
            task.exception()  # whoever waits has it; perhaps nobody does


class _Pool:
    """The connections, opened late."""

    def __init__(
        self, connect: float, transport: "httpx2.AsyncBaseTransport | None", network: Network
    ) -> None:
        self._connect, self._transport, self._network = connect, transport, network
        self._http: httpx2.AsyncClient | None = None
        self.loading, self._opening = asyncio.Lock(), asyncio.Lock()

    async def http(self) -> "httpx2.AsyncClient":
        async with self._opening:
            if self._http is not None:
                return self._http
            self._http = await asyncio.to_thread(_http_client, self._connect, self._transport, self._network)
            return self._http

    async def aclose(self) -> None:
        if self._http is not None:
            http, self._http = self._http, None
            await http.aclose()


def _http_client(
    connect: float, transport: "httpx2.AsyncBaseTransport | None", network: Network
) -> "httpx2.AsyncClient":
    import httpx2

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEPT_OPEN)
    return httpx2.AsyncClient(
        transport=transport or outbound.transport(network, limits=limits),
        trust_env=False,
        # Silence is measured by `chat.deadlines`, which knows content from a ping.
        timeout=httpx2.Timeout(None, connect=connect),
        # A redirect would carry the conversation, and Anthropic's `x-api-key`, to another host.
        follow_redirects=False,
        # No cookies: visitors with keys of their own share this client.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        event_hooks={"request": [_without_key], "response": [error_bytes.begin]},
    )


async def _without_key(request: "httpx2.Request") -> None:
    for header in ("authorization", "x-api-key"):
        if request.headers.get(header, "").removeprefix("Bearer ") == _NO_KEY:
            del request.headers[header]


def _openai(vendor: Vendor, key: str, http: "httpx2.AsyncClient") -> "AsyncOpenAI":
    import openai
    import openai.resources.chat.completions
    import openai.resources.models
    import openai.resources.responses

    client = openai.AsyncOpenAI(
        api_key=key or _NO_KEY,
        base_url=vendor.url,
        http_client=http,
        max_retries=0,
    )
    # The SDK reads these from the environment, for every vendor alike: they are not for others to see.
    client.organization = client.project = client.admin_api_key = None
    client._custom_headers = {}
    return client


def _anthropic(vendor: Vendor, key: str, http: "httpx2.AsyncClient") -> "AsyncAnthropic":
    import anthropic
    import anthropic.resources.messages
    import anthropic.resources.models

    client = anthropic.AsyncAnthropic(
        api_key=key or _NO_KEY, base_url=vendor.url, http_client=http, max_retries=0
    )
    client._custom_headers = {}  # from ANTHROPIC_CUSTOM_HEADERS, as above
    return client
