"""Given this request and these settings, whose it is: the same for page, routes, WebSocket and /v1."""

import json
from typing import Any

import pytest

from chat.api import login
from chat.api.door import Door
from chat.api.proxies import BELIEVED, SECRET_HEADER
from chat.guesses import ADDRESS, HERE
from chat.owners import COOKIE, LOCAL, person
from tests.api.doorway import OWNERS, PAGE, USERS, Place, basic
from tests.api.served import served
from tests.api.ws_client import Rejected, connected
from tests.scripted import says

TOKEN = "0123456789abcdef"
HEADER = {"CHAT_LOGIN_HEADER": "X-Forwarded-User", "CHAT_PROXIES": "10.0.0.0/8"}

# -- nobody ------------------------------------------------------------------------------------------


ADDRESSES = [
    *(
        "/",
        "/state",
        "/chats",
        "/config",
        "/gradio_api/queue/data?session_hash=a",
        "/v1/models",
        "/openapi.json",
    ),
    *(
        "/chat?q=hello",
        "/runs/abc/events",
        "/assets/index.js",
        "/embed",
        "/login/me",
        "/healthz/",
        "/nowhere",
    ),
]


@pytest.mark.parametrize("path", ADDRESSES)
async def test_a_program_that_nobody_knows_is_refused(path: str) -> None:
    given = await Place(**USERS)(path)
    assert (given.status, given.owner) == (401, None)
    told = json.loads(given.body)
    if path.startswith("/v1/"):
        assert told["error"]["type"] == "authentication_error"
    else:
        assert told["kind"] == "auth"
        assert told["error"].endswith(".")
    assert given.header("cache-control") == "no-store"
    assert "Bearer" in given.all("www-authenticate")


@pytest.mark.parametrize(
    "path", ["/gradio_api/queue/join", "/chat/stream", "/v1/chat/completions", "/runs/a/stop", "/keys/openai"]
)
async def test_whatever_it_wants_to_do(path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert (await Place(**USERS)(path, method, PAGE)).status == 401


async def test_programs_are_told_how_and_browsers_open_no_window_of_their_own() -> None:
    assert any("Basic" in each for each in (await Place(**USERS)()).all("www-authenticate"))
    for browser in (
        {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        {"user-agent": "Mozilla/5.0 (X11)"},
    ):
        fetched = await Place(**USERS)(headers=browser)
        assert (fetched.status, fetched.all("www-authenticate")) == (401, ["Bearer"])


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/", "./login"),
        ("/?chat=abc&x=%20", "./login?next=%3Fchat%3Dabc%26x%3D%2520"),
        ("/embed", "./login?next=embed"),
        ("/chats/a/export.md", "../../login?next=chats%2Fa%2Fexport.md"),
        ("//evil.example/", "../../login?next=evil.example%2F"),
    ],
)
async def test_a_person_is_sent_to_the_login_page(path: str, where: str) -> None:
    for method, headers in (("GET", PAGE), ("HEAD", PAGE), ("GET", {"accept": "text/html"})):
        given = await Place(**USERS)(path, method, headers)
        assert (given.status, given.header("location"), given.owner) == (303, where, None)


async def test_the_health_of_the_program_is_everybodys() -> None:
    for path in ("/healthz", "/readyz"):
        assert (await Place(**USERS)(path)).body == "reached"


async def test_a_socket_stays_shut() -> None:
    refused = await Place(**USERS)("/chat/ws", kind="websocket")
    assert (refused.status, refused.owner) == (1008, None)
    told = await Place(**USERS)("/chat/ws", kind="websocket", extensions={"websocket.http.response": {}})
    assert (told.status, json.loads(told.body)["kind"], told.owner) == (401, "auth", None)


async def test_a_stranger_of_the_time_before_is_not_believed() -> None:
    for name in (OWNERS.name, COOKIE):
        for owner in ("stranger", "x" * 32, person("ada")):
            given = await Place(**USERS)(jar={name: OWNERS.cookie(owner)})
            assert (given.status, given.owner) == (401, None)


# -- programs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ADDRESSES)
async def test_name_and_password_with_a_request(path: str) -> None:
    place = Place(**USERS)
    for name, password in (("ada", "correct horse"), ("böb", "battery staple")):
        given = await place(path, headers=basic(name, password))
        if path == "/login/me":
            assert json.loads(given.body) == {"name": name, "leaves": False, "operator": False}
        else:
            assert given.owner == person(name)
            assert given.all("set-cookie") == []


@pytest.mark.parametrize("encoded", ["", "!", "YQ", "YWRh", "//79", "YWRhOg==", "é"])
async def test_a_header_that_names_nobody(encoded: str) -> None:
    assert (await Place(**USERS)(headers={"authorization": f"Basic {encoded}"})).status == 401


async def test_the_token_is_the_owner_at_this_machine() -> None:
    place = Place(**USERS, CHAT_TOKEN=TOKEN)
    assert (await place(headers={"authorization": f"Bearer {TOKEN}"})).owner == LOCAL
    assert (
        await place("/chat/ws", kind="websocket", headers={"authorization": f"bearer {TOKEN}"})
    ).owner == LOCAL
    for wrong in (f"Bearer {TOKEN}x", "Bearer ", TOKEN, f"Basic {TOKEN}"):
        assert (await place(headers={"authorization": wrong})).status == 401
    assert (await Place(**USERS)(headers={"authorization": "Bearer "})).status == 401


async def test_too_many_wrong_passwords() -> None:
    place = Place(**USERS)
    for _ in range(HERE.amount):
        assert (await place(headers=basic("ada", "wrong"))).status == 401
    told = set[str]()
    for headers in (basic("ada", "wrong"), basic("ada", "correct horse")):
        given = await place(headers={**headers, **PAGE})
        assert given.status == 429
        assert 1 <= int(given.header("retry-after")) <= HERE.get_expiry()
        assert given.all("www-authenticate") == []
        told.add(given.body)
    assert len(told) == 1
    assert json.loads(told.pop())["kind"] == "rate_limited"
    assert (
        json.loads((await place("/v1/models", headers=basic("ada", "x"))).body)["error"]["type"]
        == "rate_limit_error"
    )
    assert (await place("/chat/ws", kind="websocket", headers=basic("ada", "x"))).status == 1008
    assert (await place(headers=basic("ada", "correct horse"), client="192.0.2.2")).owner == person("ada")
    assert (await place("/healthz", headers=basic("ada", "x"))).status == 200


async def test_the_address_is_the_one_that_a_proxy_tells_and_no_client_can() -> None:
    place = Place(**USERS, CHAT_PROXIES="10.0.0.0/8")
    for number in range(ADDRESS.amount):
        told = {"x-forwarded-for": f"203.0.113.{number}, 192.0.2.1", **basic(f"name {number}", "wrong")}
        assert (await place(headers=told, client="10.0.0.1")).status == 401
    refused = {"x-forwarded-for": "203.0.113.99, 192.0.2.1", **basic("another", "wrong")}
    assert (await place(headers=refused, client="10.0.0.1")).status == 429
    assert (await place(headers={"x-forwarded-for": "203.0.113.99", **basic("b", "x")})).status == 429
    other = {"x-forwarded-for": "192.0.2.2", **basic("another", "wrong")}
    assert (await place(headers=other, client="10.0.0.1")).status == 401


# -- the printed key ---------------------------------------------------------------------------------


async def test_the_printed_key_is_looked_at_further_in() -> None:
    place = Place(**USERS)
    jar = (await place.form()).jar
    for carried in (jar, {OWNERS.name: OWNERS.cookie("stranger")}, {}):
        given = await place("/?key=whatever", headers=PAGE, jar=carried)
        assert given.owner == ""  # nobody's chats are taken along
    for path in ("/state?key=x", "/embed?key=x", "/config?key="):
        assert (await place(path)).status == 401
    assert (await place("/?key=x", "POST")).status == 401
    assert (await place("/?key=x", headers={"sec-fetch-dest": "image"})).status == 401


async def test_the_owner_at_this_machine_needs_no_login() -> None:
    place = Place(**USERS)
    given = await place(jar={OWNERS.name: OWNERS.cookie(LOCAL)})
    assert given.owner == LOCAL
    assert json.loads((await place("/login/me", jar={OWNERS.name: OWNERS.cookie(LOCAL)})).body)["name"] == ""
    forged = OWNERS.cookie("x").replace("x.", f"{LOCAL}.", 1)
    assert (await place(jar={OWNERS.name: forged})).status == 401


# -- the proxy's header ------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["10.0.0.1", "10.255.0.9", "::ffff:10.0.0.1"])
async def test_whom_a_trusted_proxy_names(client: str) -> None:
    place = Place(**HEADER)
    for name in ("ada", "böb", "日本語", " ada ", "Countess, Ada"):
        given = await place(headers={"x-forwarded-user": name}, client=client)
        assert given.owner == person(name.strip())
    ws = await place("/chat/ws", kind="websocket", headers={"x-forwarded-user": "ada"}, client=client)
    assert ws.owner == person("ada")
    me = await place("/login/me", headers={"x-forwarded-user": "ada"}, client=client)
    assert json.loads(me.body) == {"name": "ada", "leaves": False, "operator": False}


@pytest.mark.parametrize("client", ["192.0.2.1", "11.0.0.1", "127.0.0.1", "::1", "", "not an address"])
async def test_from_anybody_else_it_is_not_believed(client: str) -> None:
    given = await Place(**HEADER)(
        headers={"x-forwarded-user": "ada", "x-forwarded-for": "10.0.0.1"}, client=client
    )
    assert (given.status, given.owner) == (401, None)


async def test_behind_a_proxy_it_is_the_peer_that_counts_not_the_client() -> None:
    told = {"x-forwarded-user": "ada", "x-forwarded-for": "192.0.2.1"}
    assert (await Place(**HEADER)(headers=told, client="10.0.0.1")).owner == person("ada")


@pytest.mark.parametrize(
    "values",
    [
        ["ada", "böb"],
        ["ada", "ada"],
        ["a\tb"],
        ["ada\x00"],
        ["a\u202eda"],
        ["x" * 201],
        ["x" * 60_000],
    ],
)
async def test_a_name_that_is_none_is_nobodys(values: list[str]) -> None:
    place = Place(**HEADER, **USERS)
    jar = (await place.form()).jar
    given = await place(headers=[("x-forwarded-user", each) for each in values], client="10.0.0.1", jar=jar)
    assert (given.status, given.owner) == (401, None)


async def test_bytes_that_are_no_text_are_nobodys() -> None:
    reached: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    async def send(message: Any) -> None: ...

    place = Place(**HEADER)
    door = Door(app, settings=place.settings, owners=OWNERS, logins=place.logins)
    for value in (b"\xff\xfe", b"ad\xe4", b"\xed\xa0\x80", b"ada\xc2\x85"):
        headers = [(b"x-forwarded-user", value)]
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
        await door({**scope, BELIEVED: True}, None, send)
    assert reached == []


async def test_a_program_at_the_proxys_address_does_not_have_its_secret() -> None:
    place = Place(**HEADER, CHAT_PROXY_SECRET="0123456789abcdef")
    told = {"x-forwarded-user": "ada"}
    secret = {SECRET_HEADER.lower(): "0123456789abcdef"}
    assert (await place(headers={**told, **secret}, client="10.0.0.1")).owner == person("ada")
    assert (await place(headers=told, client="10.0.0.1")).status == 401
    assert (await place(headers={**told, **secret}, client="192.0.2.1")).status == 401


async def test_the_proxys_word_goes_before_what_a_browser_kept() -> None:
    place = Place(**HEADER, **USERS)
    jar = {**(await place.form()).jar, OWNERS.name: OWNERS.cookie(LOCAL)}
    assert (await place(headers={"x-forwarded-user": "eva"}, client="10.0.0.1", jar=jar)).owner == person(
        "eva"
    )
    assert (
        await place(headers={"x-forwarded-user": " "}, client="10.0.0.1", jar=(await place.form()).jar)
    ).owner == (person("ada"))


async def test_where_only_a_proxy_signs_people_in_there_is_no_form() -> None:
    place = Place(**HEADER)
    given = await place("/login", headers=PAGE)
    assert (given.status, "<form" in given.body) == (200, False)
    assert login.ELSEWHERE in given.body
    assert (await place(headers=basic("ada", "correct horse"))).all("www-authenticate") == ["Bearer"]
    assert (await place.form()).status == 401


async def test_what_a_browser_tells_a_proxy_is_no_guess_of_who_has_logged_in() -> None:
    place = Place(**USERS)
    jar = (await place.form()).jar
    for _ in range(HERE.amount + 1):
        assert (await place(headers=basic("proxy", "its own"), jar=jar)).owner == person("ada")
    assert (await place(headers=basic("proxy", "its own"))).status == 401


# -- over a real connection --------------------------------------------------------------------------


async def test_routes_socket_and_v1_over_a_real_connection() -> None:
    environ = {**USERS, "CHAT_TOKEN": TOKEN}
    ask = {"message": "Hello?"}
    async with served(says("one"), says("two"), says("three"), says("four"), environ=environ) as site:
        assert (await site.client.post("/chat/stream", json=ask)).status_code == 401
        assert (await site.client.get("/v1/models")).json()["error"]["code"] == "auth"
        assert (await site.client.get("/healthz")).status_code == 200
        with pytest.raises(Rejected) as rejected:
            async with connected(site.url, {}):
                pass
        assert rejected.value.status == 401
        assert site.vendor.asked == []

        fields = {"name": "ada", "password": "correct horse", "next": "chats"}
        evil = {"origin": "http://evil.example"}
        assert (await site.client.post("/login", data=fields, headers=evil)).status_code == 403
        cross = {"sec-fetch-site": "cross-site"}
        assert (await site.client.post("/login", data=fields, headers=cross)).status_code == 403
        entered = await site.client.post("/login", data=fields)
        assert (entered.status_code, entered.headers["location"]) == (303, "./chats")

        streamed = await site.client.post("/chat/stream", json=ask)
        assert (streamed.status_code, "one" in streamed.text) == (200, True)
        assert "set-cookie" not in streamed.headers
        whole = await site.client.post("/v1/chat/completions", json={"model": "acme:one", "messages": [_ASK]})
        assert whole.json()["choices"][0]["message"]["content"] == "two"
        sent = "; ".join(f"{name}={value}" for name, value in site.client.cookies.items())
        async with connected(site.url, {"Cookie": sent}) as line:
            await line.send(ask)
            assert "three" in "".join([each.get("text", "") async for each in line])
        assert len(await site.app.store.chats(person("ada"))) == 2

        assert (await site.client.post("/logout", headers=evil)).status_code == 403
        assert (await site.client.get("/v1/models")).status_code == 200
        assert (await site.client.post("/logout")).status_code == 303
        assert (await site.client.get("/v1/models")).status_code == 401
        token = {"authorization": f"Bearer {TOKEN}"}
        assert (await site.client.post("/chat/stream", json=ask, headers=token)).status_code == 200
        assert len(await site.app.store.chats(LOCAL)) == 1


_ASK = {"role": "user", "content": "Hello?"}
