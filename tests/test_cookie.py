"""Given this request, the answer carries this cookie, and the key does this."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from chat.api.cookie import Cookie
from chat.owners import COOKIE, LOCAL, Owners
from chat.sign_outs import MAX_SIGN_IN_AGE_S

OWNERS = Owners(b"secret")


@dataclass
class Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    reached: bool
    """Whether the app was asked."""
    adopted: list[tuple[str, str]] = field(default_factory=list)

    @property
    def cookies(self) -> list[str]:
        return [value.decode() for name, value in self.headers if name == b"set-cookie"]

    @property
    def owner(self) -> str:
        [cookie] = self.cookies
        name, _, rest = cookie.partition("=")
        return OWNERS.of({name: rest.split(";")[0]})

    def header(self, name: str) -> str | None:
        return next((value.decode() for other, value in self.headers if other == name.encode()), None)


async def answer(
    owners: Owners = OWNERS,
    *,
    framed: bool = False,
    door: bool = False,
    cookie: str = "",
    kind: str = "text/html",
    method: str = "GET",
    scheme: str = "http",
    path: str = "/",
    query: str = "",
    **more: str,
) -> Answer:
    """Of an app that answers with type `kind`."""
    sent: list[Any] = []
    reached = False
    adopted: list[tuple[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal reached
        reached = True
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def adopt(stranger: str, owner: str) -> None:
        adopted.append((stranger, owner))

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
    headers += [(b"cookie", cookie.encode())] if cookie else []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "scheme": scheme,
        "headers": headers,
    }
    await Cookie(app, owners=owners, adopt=adopt, framed=framed, door=door)(scope, None, send)
    return Answer(sent[0]["status"], sent[0]["headers"], reached, adopted)


async def test_the_page_gives_a_token_that_scripts_cannot_read() -> None:
    given = await answer()
    assert given.owner
    [cookie] = given.cookies
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert "private" in (given.header("cache-control") or "")


async def test_each_browser_gets_another_one() -> None:
    assert (await answer()).owner != (await answer()).owner


async def test_over_https_it_is_secure() -> None:
    assert "Secure" in (await answer(scheme="https")).cookies[0]


async def test_in_the_frame_of_a_space_it_may_travel() -> None:
    assert "SameSite=None; Secure; Partitioned" in (await answer(framed=True)).cookies[0]


@pytest.mark.parametrize("name", [OWNERS.name, COOKIE])
async def test_who_has_one_stays_the_same_and_gets_it_for_another_year(name: str) -> None:
    value = OWNERS.cookie()
    assert (await answer(cookie=f"a=b; {name}={value}; c=d")).owner == OWNERS.of({name: value})


@pytest.mark.parametrize("forged", ["", "short", "x" * 31, "x" * 33, "ä" * 32, "x" * 31 + "'"])
async def test_what_we_never_gave_out_is_replaced(forged: str) -> None:
    assert OWNERS.of({OWNERS.name: forged}) == ""
    assert (await answer(cookie=f"{OWNERS.name}={forged}")).owner not in ("", forged)


@pytest.mark.parametrize("wanted", [LOCAL, "x" * 32])
async def test_a_name_without_our_signature_is_nobodys(wanted: str) -> None:
    mine = OWNERS.cookie("x" * 31)
    signature = mine.partition(".")[2]
    for forged in (wanted, f"{wanted}.", f"{wanted}.{signature}", Owners(b"another").cookie(wanted)):
        assert OWNERS.of({OWNERS.name: forged}) == ""
        assert (await answer(cookie=f"{OWNERS.name}={forged}")).owner != wanted


async def test_two_servers_on_one_machine_leave_each_other_their_cookies() -> None:
    other = Owners(b"another")
    first, second = await answer(), await answer(other)
    assert first.cookies[0].partition("=")[0] != second.cookies[0].partition("=")[0]


@pytest.mark.parametrize("other", [{"kind": "application/json"}, {"method": "POST"}])
async def test_only_the_page_gives_it_out(other: dict[str, Any]) -> None:
    assert (await answer(**other)).cookies == []


async def test_with_logins_only_the_owner_at_this_machine_has_one() -> None:
    for owner in ("", "stranger", "person-x"):
        cookie = f"{OWNERS.name}={OWNERS.cookie(owner)}" if owner else ""
        given = await answer(door=True, cookie=cookie)
        assert given.cookies == []
        assert "private" in (given.header("cache-control") or "")
    assert (await answer(door=True, cookie=f"{OWNERS.name}={OWNERS.cookie(LOCAL)}")).cookies == []
    owners = Owners(b"secret")
    assert (await answer(owners, door=True, query=f"key={owners.key}")).owner == LOCAL


# -- the key in the address --------------------------------------------------------------------------


async def test_the_key_makes_a_browser_the_owner_once() -> None:
    owners = Owners(b"secret")
    key = owners.key
    first = await answer(owners, query=f"key={key}")
    assert (first.status, first.header("location"), first.owner) == (303, "./", LOCAL)
    assert first.header("cache-control") == "no-store"
    assert not first.reached
    second = await answer(owners, query=f"key={key}")
    assert (second.status, second.header("location"), second.cookies) == (303, "./", [])
    assert owners.key == ""


async def test_the_operators_cookie_is_given_once_and_not_renewed() -> None:
    owners = Owners(b"secret")
    given = await answer(owners, query=f"key={owners.key}")
    assert f"Max-Age={int(MAX_SIGN_IN_AGE_S)}" in given.cookies[0]
    assert (await answer(owners, cookie=f"{owners.name}={owners.cookie(LOCAL)}")).cookies == []
    assert len((await answer(owners, cookie=f"{owners.name}={owners.cookie('me')}")).cookies) == 1


async def test_what_a_stranger_asked_is_taken_along() -> None:
    owners = Owners(b"secret")
    cookie = owners.cookie("stranger")
    given = await answer(owners, query=f"key={owners.key}", cookie=f"{owners.name}={cookie}")
    assert given.adopted == [("stranger", LOCAL)]
    assert given.owner == LOCAL


async def test_the_owner_who_comes_again_stays_the_owner() -> None:
    owners = Owners(b"secret")
    for query in (f"key={owners.key}", f"key={owners.key}"):
        given = await answer(owners, query=query, cookie=f"{owners.name}={owners.cookie(LOCAL)}")
        assert given.status == 303
        assert given.adopted == []


@pytest.mark.parametrize("wrong", ["key=", "key=wrong", "key", "key=%C3%A4%00", "key=\xff", "key=a&key=b"])
async def test_a_wrong_key_changes_nothing(wrong: str) -> None:
    owners = Owners(b"secret")
    cookie = owners.cookie("stranger")
    given = await answer(owners, query=wrong, cookie=f"{owners.name}={cookie}")
    assert (given.status, given.header("location")) == (303, "./")
    assert (given.cookies, given.adopted) == ([], [])
    assert owners.key


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("chat=abc&key={key}", "./?chat=abc"),
        ("key={key}&chat=a%20b&x", "./?chat=a%20b&x"),
        ("a=1&key={key}&key=again&b=2", "./?a=1&b=2"),
        ("key={key}&", "./"),
    ],
)
async def test_the_rest_of_the_address_stays(query: str, left: str) -> None:
    owners = Owners(b"secret")
    given = await answer(owners, query=query.format(key=owners.key))
    assert (given.owner, given.header("location")) == (LOCAL, left)


@pytest.mark.parametrize(
    "looks",
    [
        {"method": "HEAD"},
        {"method": "POST"},
        {"path": "/state"},
        {"sec_fetch_dest": "image"},
        {"sec_fetch_dest": "empty"},
        {"sec_fetch_dest": "iframe"},
    ],
)
async def test_only_who_opens_the_page_redeems(looks: dict[str, Any]) -> None:
    owners = Owners(b"secret")
    given = await answer(owners, query=f"key={owners.key}", **looks)
    assert given.reached
    assert owners.key
    assert all(LOCAL not in cookie for cookie in given.cookies)


@pytest.mark.parametrize(
    "ahead", [{"sec_purpose": "prefetch;prerender"}, {"purpose": "prefetch"}, {"x_moz": "prefetch"}]
)
async def test_who_looks_ahead_is_sent_away(ahead: dict[str, Any]) -> None:
    """A browser throws such an answer away, and asks again when somebody really goes there."""
    owners = Owners(b"secret")
    given = await answer(owners, query=f"key={owners.key}", sec_fetch_dest="document", **ahead)
    assert (given.status, given.header("cache-control"), given.cookies) == (503, "no-store", [])
    assert (await answer(owners, query=f"key={owners.key}", sec_fetch_dest="document")).owner == LOCAL
