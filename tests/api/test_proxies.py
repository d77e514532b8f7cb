"""Given this peer and these headers, this is who came, by which scheme and to which name."""

import logging
from typing import Any

import pytest

from chat.api.gate import Gate
from chat.api.proxies import BELIEVED, FORWARDED, SECRET_HEADER, Proxies

NAMED = ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32")
VISITOR = "203.0.113.5"


async def seen(
    *headers: tuple[str, str],
    peer: str = "10.0.0.1",
    secret: str = "",
    space: bool = False,
    kind: str = "http",
) -> dict[str, Any]:
    """What the app is told: client, scheme, host, and the scope whole."""
    found: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.update(scope)

    pairs = [(b"host", b"127.0.0.1:7860"), *((k.encode(), v.encode("latin-1")) for k, v in headers)]
    scheme = "ws" if kind == "websocket" else "http"
    scope = {"type": kind, "client": (peer, 4000), "scheme": scheme, "headers": pairs}
    await Proxies(app, named=NAMED, secret=secret, space=space)(scope, None, None)
    assert scope["headers"] is pairs
    assert not any(b"forwarded" in name or b"secret" in name for name, _ in found["headers"])
    return found


async def client(*chain: str, **more: Any) -> str:
    found = await seen(*(("x-forwarded-for", value) for value in chain), **more)
    return found["client"][0]


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ([VISITOR], VISITOR),
        ([f"1.1.1.1, {VISITOR}"], VISITOR),  # the first one is the visitor's own invention
        (["1.1.1.1", VISITOR], VISITOR),  # … in a header of its own
        ([f"1.1.1.1, {VISITOR}, 192.0.2.7, 10.9.9.9"], VISITOR),
        ([f"10.1.1.1,{VISITOR}"], VISITOR),
        (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),  # somebody inside
        ([f"{VISITOR}:4711"], VISITOR),
        (["2001:db9::5"], "2001:db9::5"),
        (["[2001:db9::5]:4711"], "2001:db9::5"),
        ([f"::ffff:{VISITOR}"], VISITOR),
        ([f"{VISITOR}, ::ffff:10.2.2.2"], VISITOR),
        (["unknown"], "10.0.0.1"),
        ([f"{VISITOR}, unknown"], "10.0.0.1"),
        ([f"{VISITOR}, unknown, 10.2.2.2"], "10.2.2.2"),
        ([""], "10.0.0.1"),
        ([", ,"], "10.0.0.1"),
        (
            [
                "[",
            ],
            "10.0.0.1",
        ),
        (["\xff\x00"], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
async def test_the_chain_is_read_from_its_end(chain: list[str], expected: str) -> None:
    assert await client(*chain) == expected


@pytest.mark.parametrize("peer", ["192.0.2.8", "11.0.0.1", "::1", "2001:db9::1", "", "testclient"])
async def test_nobody_else_is_believed(peer: str, caplog: pytest.LogCaptureFixture) -> None:
    headers = [
        ("x-forwarded-for", VISITOR),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "a.example"),
    ]
    found = await seen(*headers, ("forwarded", f"for={VISITOR};proto=https"), peer=peer)
    assert found["client"] == (peer, 4000)
    assert found["scheme"] == "http"
    assert found["headers"] == [(b"host", b"127.0.0.1:7860")]


async def test_a_peer_may_be_an_ipv4_address_on_an_ipv6_socket() -> None:
    assert await client(VISITOR, peer="::ffff:10.0.0.1") == VISITOR
    assert await client(VISITOR, peer="2001:db8::1") == VISITOR


async def test_that_somebody_was_not_believed_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    caplog.set_level(logging.INFO)
    proxies = Proxies(app, named=NAMED)
    for _ in range(3):
        headers = [(b"x-forwarded-for", VISITOR.encode())]
        await proxies(
            {"type": "http", "client": ("127.0.0.1", 1), "scheme": "http", "headers": headers}, None, None
        )
    assert caplog.text.count("CHAT_PROXIES") == 1
    assert VISITOR not in caplog.text


async def test_on_a_space_the_last_address_is_believed_and_no_other() -> None:
    assert await client(f"1.1.1.1, {VISITOR}", peer="10.20.30.40", space=True) == VISITOR
    assert await client(f"1.1.1.1, {VISITOR}", peer="198.51.100.1", space=True) == VISITOR
    assert await client(f"1.1.1.1, {VISITOR}, 10.0.3.4", peer="10.20.30.40", space=True) == VISITOR
    assert (await seen(("x-forwarded-proto", "https"), peer="198.51.100.1", space=True))["scheme"] == "https"


@pytest.mark.parametrize(
    ("proto", "kind", "expected"),
    [
        ("https", "http", "https"),
        ("HTTPS", "http", "https"),
        ("http", "http", "http"),
        ("javascript", "http", "http"),
        ("", "http", "http"),
        ("https", "websocket", "wss"),
        ("wss", "websocket", "wss"),
        ("http", "websocket", "ws"),
    ],
)
async def test_the_scheme(proto: str, kind: str, expected: str) -> None:
    assert (await seen(("x-forwarded-proto", proto), kind=kind))["scheme"] == expected


async def test_the_name_that_was_asked_for() -> None:
    found = await seen(("x-forwarded-host", "chat.example"))
    assert found["headers"] == [(b"host", b"chat.example")]


async def test_what_proxies_added_side_by_side_belongs_together() -> None:
    """Of each list, what the outermost named proxy saw: not what the visitor wrote, nor what came between."""
    found = await seen(
        ("x-forwarded-for", f"1.1.1.1, {VISITOR}, 10.2.2.2"),
        ("x-forwarded-proto", "http, https, http"),
        ("x-forwarded-host", "evil.example, chat.example, inner"),
    )
    assert found["client"][0] == VISITOR
    assert found["scheme"] == "https"
    assert found["headers"] == [(b"host", b"chat.example")]


async def test_a_list_of_another_length_is_the_nearest_proxys() -> None:
    chain = ("x-forwarded-for", f"1.1.1.1, {VISITOR}, 10.2.2.2")
    assert (await seen(chain, ("x-forwarded-proto", "http, https")))["scheme"] == "https"
    assert (await seen(chain, ("x-forwarded-host", "evil.example, a.example")))["headers"][0][
        1
    ] == b"a.example"


# -- neighbours on the same machine ------------------------------------------------------------------

SECRET = "a secret of the proxy"


async def test_with_a_secret_the_right_address_is_not_enough() -> None:
    told = (("x-forwarded-for", VISITOR), ("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example"))
    right = (SECRET_HEADER.lower(), SECRET)
    assert (await seen(*told, right, secret=SECRET))["client"][0] == VISITOR
    assert (await seen(*told, right, secret=SECRET))[BELIEVED] is True
    for sent in ([], [(right[0], "another secret")], [(right[0], "")], [right, right], [(right[0], "\xff")]):
        found = await seen(*told, *sent, secret=SECRET)
        assert (found["client"], found["scheme"], found[BELIEVED]) == (("10.0.0.1", 4000), "http", False)
        assert found["headers"] == [(b"host", b"127.0.0.1:7860")]
    assert (await seen(*told, right, peer="192.0.2.8", secret=SECRET))[BELIEVED] is False


async def test_a_missing_secret_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await seen(("x-forwarded-for", VISITOR), (SECRET_HEADER.lower(), "another one"), secret=SECRET)
    assert "does not send CHAT_PROXY_SECRET" in caplog.text
    assert SECRET not in caplog.text
    assert "another one" not in caplog.text


FORWARDING = [
    *("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-server"),
    *("x-forwarded-anything", "x-real-ip", "x-original-host", "cf-connecting-ip", "cdn-loop"),
]


@pytest.mark.parametrize("header", FORWARDING)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_page_of_this_machine_alone_refuses_what_came_through_a_proxy(header: str, kind: str) -> None:
    """A tunnel or a proxy that writes 127.0.0.1 as the host would let in anybody as if from here."""
    reached: list[Any] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(b"host", b"127.0.0.1:7860")]
    scope = {
        **{"type": kind, "client": ("127.0.0.1", 4000), "scheme": "http", "method": "GET"},
        **{"path": "/chat/ws" if kind == "websocket" else "/", "query_string": b""},
    }
    stack = Proxies(Gate(app, local=True))
    await stack({**scope, "headers": pairs}, None, send)
    assert [each[FORWARDED] for each in reached] == [False]
    await stack({**scope, "headers": [*pairs, (header.encode(), b"192.0.2.1")]}, None, send)
    assert len(reached) == 1
    if kind == "http":
        assert sent[0]["status"] == 403
        assert b"CHAT_PROXIES" in sent[1]["body"]
    # Where a proxy is named, or everybody may come, it is no reason to refuse anybody.
    await Proxies(Gate(app, local=False))({**scope, "headers": [*pairs, (header.encode(), b"x")]}, None, send)
    assert len(reached) == 2
