"""Given this request, the answer carries this cookie."""

from typing import Any

import pytest

from chat.api.cookie import Cookie
from chat.owners import COOKIE, Owners

OWNERS = Owners(b"secret")


async def answer(
    *,
    framed: bool = False,
    cookie: str = "",
    kind: str = "text/html",
    method: str = "GET",
    scheme: str = "http",
) -> list[str]:
    """The cookies of an answer of type `kind`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"cookie", cookie.encode())] if cookie else []
    scope = {"type": "http", "method": method, "scheme": scheme, "headers": headers}
    await Cookie(app, owners=OWNERS, framed=framed)(scope, None, send)
    return [value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie"]


async def test_the_page_gives_a_token_that_scripts_cannot_read() -> None:
    [cookie] = await answer()
    name, _, rest = cookie.partition("=")
    assert name == COOKIE
    assert OWNERS.of({COOKIE: rest.split(";")[0]})
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


async def test_each_browser_gets_another_one() -> None:
    assert await answer() != await answer()


async def test_over_https_it_is_secure() -> None:
    assert "Secure" in (await answer(scheme="https"))[0]


async def test_in_the_frame_of_a_space_it_may_travel() -> None:
    assert "SameSite=None; Secure; Partitioned" in (await answer(framed=True))[0]


async def test_who_has_one_keeps_it() -> None:
    assert await answer(cookie=f"a=b; {COOKIE}={OWNERS.cookie()}; c=d") == []


@pytest.mark.parametrize("forged", ["", "short", "x" * 31, "x" * 33, "ä" * 32, "x" * 31 + "'"])
async def test_what_we_never_gave_out_is_replaced(forged: str) -> None:
    assert OWNERS.of({COOKIE: forged}) == ""
    assert len(await answer(cookie=f"{COOKIE}={forged}")) == 1


@pytest.mark.parametrize("other", [{"kind": "application/json"}, {"method": "POST"}])
async def test_only_the_page_gives_it_out(other: dict[str, Any]) -> None:
    assert await answer(**other) == []
