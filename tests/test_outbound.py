"""The way out: through a proxy, past it, and what is said when it leads nowhere."""

import asyncio
import gc
import re
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chat import errors, outbound
from chat.providers.clients import Clients
from chat.providers.openai_chat import OpenAIChat
from chat.providers.vendors import Vendor
from chat.settings.network import Network

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIST = b'{"object": "list", "data": [{"id": "one", "object": "model"}]}'
FOUND = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(LIST), LIST)


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def listed(url: str, **environ: str) -> list[str]:
    """The models at `url`, asked with this environment."""
    clients = Clients(2, network=Network.read(environ))
    try:
        vendor = Vendor("far", "Far", ("openai_chat",), url, "FAR_API_KEY")
        return [model.id for model in await OpenAIChat(vendor, "sk-1", clients).models()]
    finally:
        await clients.aclose()


@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
async def test_a_socks_proxy_leads_there(scheme: str) -> None:
    asked = []

    async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(b"\x05\x00")
        *_, length = await reader.readexactly(5)
        asked.append((await reader.readexactly(length), await reader.readexactly(2)))
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(FOUND)

    async with listening(socks) as port:
        assert await listed("http://api.far.test:81/v1", ALL_PROXY=f"{scheme}://127.0.0.1:{port}") == ["one"]
    assert asked == [(b"api.far.test", (81).to_bytes(2, "big"))]


async def test_an_http_proxy_leads_there_and_this_machine_is_asked_without() -> None:
    lines = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(FOUND)

    async with listening(serve) as proxy, listening(serve) as here:
        environ = {"HTTP_PROXY": f"127.0.0.1:{proxy}", "no_proxy": "::1,[::1],10.0.0.0/8"}
        assert await listed("http://api.far.test/v1", **environ) == ["one"]
        for host in ("127.0.0.1", "localhost"):
            environ["ALL_PROXY"] = environ["http_proxy"] = "socks4://127.0.0.1:9"
            assert await listed(f"http://{host}:{here}/v1", **environ) == ["one"]
    far, *near = lines
    assert far == b"GET http://api.far.test/v1/models HTTP/1.1"
    assert near == [b"GET /v1/models HTTP/1.1"] * 2


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def speaks_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def wants_a_password(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("url", "scheme", "serve", "words"),
    [
        ("https://far.test/v1", "http", hangs_up, ""),
        ("https://far.test/v1", "http", wants_a_password, "407"),
        ("http://far.test/v1", "http", wants_a_password, "407"),
        ("http://far.test/v1", "socks5", speaks_http, "does not speak the protocol"),
    ],
)
async def test_a_proxy_that_refuses_is_named(url: str, scheme: str, serve: Serve, words: str) -> None:
    async with listening(serve) as port:
        try:
            await listed(url, ALL_PROXY=f"{scheme}://me:secret@127.0.0.1:{port}")
            pytest.fail("it led there")
        except errors.Unreachable as error:
            said = error.whole
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # httpcore2 (2.16) forgets the socket of a SOCKS handshake that failed
        gc.collect()
    if serve is not hangs_up:
        assert f"The proxy is in ALL_PROXY (127.0.0.1:{port})" in said
        assert "NO_PROXY" in said
    assert words in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("proxy", "kind", "words"),
    [
        ("http://127.0.0.1:9", errors.Unreachable, "does not answer"),
        ("socks5://127.0.0.1:9", errors.Unreachable, "does not answer"),
        ("http://proxy.test:9", errors.Unreachable, "not known here"),
        ("socks4://127.0.0.1:9", errors.Config, "does not speak socks4"),
        ("http://host:port", errors.Config, "is no address"),
    ],
)
async def test_a_proxy_that_leads_nowhere_is_named(proxy: str, kind: type[errors.Fault], words: str) -> None:
    with pytest.raises(kind) as caught:
        await listed("https://far.test/v1", https_proxy=proxy)
    assert words in caught.value.whole
    assert re.search(r"The proxy is in https_proxy.*name far\.test in NO_PROXY", caught.value.hint)


def test_a_visitor_is_told_of_no_variable() -> None:
    proxy = Network.read({"ALL_PROXY": "http://inside.test:3128"}).proxy("https", "far.test")
    said, _ = outbound.Way(proxy).failed("Far", "far.test", "does not answer")
    assert "ALL_PROXY" not in said
    assert "inside" not in said


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("what", ["gone", "empty", "other"])
def test_certificates_that_are_gone_are_told_and_the_usual_ones_hold(
    name: str, what: str, tmp_path: Path
) -> None:
    path = tmp_path / "certificates"
    if what == "empty":
        path.touch()
    elif what == "other":
        path = tmp_path if name == "SSL_CERT_FILE" else Path(__file__)
    context, used, trouble = outbound.certificates(Network.read({name: str(path)}))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert used == ()
    assert [name in each and str(path) in each for each in trouble] == [True]


async def test_a_certificate_that_is_not_accepted_names_the_variable() -> None:
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(no_tls) as port:
        with pytest.raises(errors.Unreachable) as caught:
            await listed(f"https://127.0.0.1:{port}/v1", SSL_CERT_FILE="/gone.pem")
        assert "SSL_CERT_FILE names /gone.pem" in caught.value.hint
