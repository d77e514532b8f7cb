"""The way out: every request to a vendor or service leaves by one transport, which knows proxies and
certificates.

`transport` gives httpx2 one made from `Settings.network` instead of its own reading of the environment, which
fails as a whole where one variable is wrong. A proxy is chosen for each request, and what was chosen stays
with the request, so that a failure can name the variable (`way`). Used by the vendors' clients, `get_weather`
and the doctor.
"""

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chat.settings.network import Network, Proxy, nearby

if TYPE_CHECKING:
    import httpx2

_WAY = "runnel.way"
_AUTHENTICATE = 407


@dataclass(frozen=True, slots=True)
class Way:
    """How a request left: through `proxy` or directly, with certificates of which `trouble` is to be said."""

    proxy: Proxy | None = None
    certificates: tuple[str, ...] = ()
    """Variables that name the certificates that were used."""
    trouble: tuple[str, ...] = ()

    def failed(self, title: str, host: str, what: str) -> tuple[str, str]:
        """Why `title` at `host` cannot be reached through the proxy, in a sentence, and what the operator can
        do. `what` the proxy did: “does not answer”."""
        proxy = self.proxy
        told = f"{title} is asked through a proxy, which "
        if proxy is None:
            return f"{told}{what}.", "Check HTTPS_PROXY and NO_PROXY."
        shown = f"{proxy.variable} ({proxy.shown})" if proxy.shown else proxy.variable
        wrong = f": {proxy.fault}. Write http://host:port or socks5://host:port" if proxy.fault else ""
        return (
            f"{told}{'cannot be used' if proxy.fault else what}.",
            f"The proxy is in {shown}{wrong}. Correct {proxy.variable}, unset it, or name {host} in "
            "NO_PROXY, and start again.",
        )


def way(error: BaseException) -> Way | None:
    """How the request left that failed with `error`; None when it is not known."""
    # The property raises where no request is set.
    request = getattr(error, "_request", None) or vars(error).get("request")
    return getattr(request, "extensions", {}).get(_WAY)


def certificates(network: Network) -> tuple[ssl.SSLContext, tuple[str, ...], tuple[str, ...]]:
    """What TLS trusts, the variables that it comes from, and a sentence for each of them that names nothing.

    Takes some 20 ms: not on the event loop. Where nothing of the variables can be used, the machine's own
    certificates are.
    """
    import httpx2

    used: list[str] = []
    trouble: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, value in network.certificates.items():
        paths = [value] if name == "SSL_CERT_FILE" else value.split(os.pathsep)
        for path in filter(None, paths):
            try:
                if name == "SSL_CERT_FILE":
                    context.load_verify_locations(cafile=path)
                else:
                    next(Path(path).iterdir(), None)
                    context.load_verify_locations(capath=path)
            except OSError as error:  # ssl.SSLError among them: a file without a certificate
                why = (
                    "holds no certificate"
                    if isinstance(error, ssl.SSLError)
                    else (error.strerror or "").lower()
                )
                trouble.append(f"{name} names {path}, which cannot be used ({why or 'unreadable'})")
            else:
                used.append(name)
    if not used:
        context = httpx2.create_ssl_context(trust_env=False)
    return context, tuple(dict.fromkeys(used)), tuple(trouble)


def transport(network: Network, **options: Any) -> "httpx2.AsyncBaseTransport":
    """Takes some 20 ms: not on the event loop. `options`: those of httpx2's own."""
    import httpx2

    context, used, trouble = certificates(network)

    class Transport(httpx2.AsyncBaseTransport):
        def __init__(self) -> None:
            self._known: dict[str, httpx2.AsyncHTTPTransport] = {}
            self._direct = httpx2.AsyncHTTPTransport(verify=context, trust_env=False, **options)

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            url = request.url
            proxy = network.proxy(url.scheme, url.host, url.port)
            request.extensions = {**request.extensions, _WAY: Way(proxy, used, trouble)}
            if proxy is None:
                return await self._direct.handle_async_request(request)
            try:
                response = await self._through(proxy).handle_async_request(request)
            except httpx2.TransportError:
                raise
            except Exception as error:  # the SOCKS library's own, at a proxy that speaks something else
                raise httpx2.ProxyError(
                    "it does not speak the protocol of its address", request=request
                ) from error
            if response.status_code == _AUTHENTICATE:
                await response.aclose()
                raise httpx2.ProxyError("407 Proxy Authentication Required", request=request)
            return response

        def _through(self, proxy: Proxy) -> httpx2.AsyncHTTPTransport:
            if proxy.fault:
                raise httpx2.ProxyError(proxy.fault)
            address = proxy.address.value
            if address not in self._known:
                self._known[address] = httpx2.AsyncHTTPTransport(
                    verify=context, trust_env=False, proxy=address, **options
                )
            return self._known[address]

        async def aclose(self) -> None:
            for each in (self._direct, *self._known.values()):
                with suppress(Exception):
                    await each.aclose()

    return Transport()


__all__ = ["Way", "certificates", "nearby", "transport", "way"]
