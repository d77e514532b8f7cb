"""Given this form, the person is in, and sent on to an address of ours; or is told in a sentence why not."""

import json
import logging
import re
from pathlib import Path
from urllib.parse import quote

import gradio
import pytest

from chat.api import gate, login
from chat.guesses import HERE
from chat.logins import Logins
from chat.owners import COOKIE, LOCAL, Owners, person
from tests.api.doorway import OWNERS, PAGE, USERS, Place


async def test_the_page_asks_for_both_and_says_so_to_browsers() -> None:
    given = await Place(**USERS)("/login?next=%3Fchat%3Da%22%3E%3Cscript%3E", headers=PAGE)
    assert (given.status, given.header("content-type")) == (200, "text/html; charset=utf-8")
    for part in (
        *('<form method="post" action="login">', '<label for="name">', '<label for="password">'),
        *('autocomplete="username"', 'autocomplete="current-password"', 'value="?chat=a%22%3E%3Cscript%3E"'),
        '<meta name="referrer" content="same-origin">',
    ):
        assert part in given.body
    assert "<script" not in given.body
    assert "alert" not in given.body.partition("<form")[2]
    assert given.all("set-cookie") == []


async def test_the_page_is_in_the_typeface_of_the_others_and_everybody_gets_it() -> None:
    place = Place(**USERS)
    page = (await place("/login", headers=PAGE)).body
    css = (Path(login.__file__).parent / "static/embed.css").read_text("utf-8")
    [stack] = re.findall(r"font: (400 .*?);", page)
    assert f"font: {stack};" in css
    fonts = re.findall(r'url\("(.*?)"\)', page)
    assert len(fonts) == 2
    for font in fonts:
        assert f'url("../{font}")' in css  # from below /embed
        given = await place(f"/{font}", headers={"sec-fetch-dest": "font"})
        assert (given.status, given.body) == (200, "reached")
        assert (Path(gradio.__file__).parent / "templates/frontend" / font).is_file()


async def test_a_title_is_no_markup() -> None:
    assert "<b>" not in (await Place(**USERS, CHAT_TITLE="<b>$name ours")("/login", headers=PAGE)).body


async def test_who_logs_in_is_who_they_said() -> None:
    place = Place(**USERS)
    for name, password in (("ada", "correct horse"), ("böb", "battery staple")):
        given = await place.form(name, password)
        assert (given.status, given.header("location")) == (303, "./")
        for path in ("/", "/state", "/gradio_api/queue/join", "/v1/models"):
            assert (await place(path, jar=given.jar)).owner == person(name)
        assert (await place("/chat/ws", kind="websocket", jar=given.jar)).owner == person(name)
        me = await place("/login/me", jar=given.jar)
        assert json.loads(me.body) == {"name": name, "leaves": True, "operator": False}
        assert (await place("/login?next=embed", headers=PAGE, jar=given.jar)).header("location") == "./embed"


async def test_scripts_cannot_read_the_cookies() -> None:
    place = Place(**USERS)
    for given, also in (
        (await place.form(), "SameSite=Lax"),
        (await place.form(https=True), "SameSite=Lax; Secure"),
        (await Place(**USERS, SPACE_ID="a/b").form(https=True), "SameSite=None; Secure; Partitioned"),
    ):
        for cookie in given.all("set-cookie"):
            assert "HttpOnly" in cookie
            assert cookie.endswith(also)


async def test_no_cookie_of_before_becomes_a_login() -> None:
    """Whoever put a cookie into somebody's browser does not know what it holds after their login."""
    place = Place(**USERS)
    before = (await place.form("böb", "battery staple")).jar
    planted = {**before, OWNERS.name: OWNERS.cookie("planted"), COOKIE: OWNERS.cookie("planted")}
    after = await place.form(jar=planted)
    assert after.jar[place.logins.name] != before[place.logins.name]
    assert after.jar[OWNERS.name] == ""
    given = await place(jar=planted | after.jar)
    assert given.owner == person("ada")
    assert OWNERS.cookie("planted") not in given.sent.values()


async def test_what_reaches_the_rest_holds_no_login() -> None:
    place = Place(**USERS)
    jar = (await place.form()).jar
    given = await place(jar={**jar, "other": "kept"})
    assert given.sent == {"other": "kept", OWNERS.name: OWNERS.cookie(person("ada"))}


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("eva", "wrong"), ("", ""), ('"><b>', "x")])
async def test_a_wrong_password_says_so_in_a_sentence(name: str, password: str) -> None:
    given = await Place(**USERS).form(name, password, onward="embed")
    assert (given.status, given.all("set-cookie"), given.all("www-authenticate")) == (401, [], [])
    assert f'<p id="trouble" role="alert">{login.WRONG}</p>' in given.body
    assert 'value="embed"' in given.body
    assert "<b>" not in given.body
    assert "correct horse" not in given.body


async def test_nor_does_the_page_tell_more_once_one_has_to_wait() -> None:
    pages = set[str]()
    for name in ("ada", "eva"):
        place = Place(**USERS)
        for _ in range(HERE.amount):
            await place.form(name, "wrong")
        for password in ("wrong", "correct horse"):
            given = await place.form(name, password)
            assert (given.status, given.all("set-cookie")) == (429, [])
            assert int(given.header("retry-after")) > 0
            pages.add(given.body.replace(name, "…"))
    assert len(pages) == 1


async def test_a_browser_that_was_in_before_is_let_in_while_others_guess() -> None:
    place = Place(**USERS)
    jar = (await place.form(client="203.0.113.9")).jar
    for number in range(60):
        await place.form("ada", "wrong", client=f"198.51.100.{number}")
    assert (await place.form(client="203.0.113.77")).status == 429
    assert (await place.form(client="203.0.113.77", jar=jar)).status == 303
    assert (await place(client="203.0.113.77", jar=jar)).owner == person("ada")  # a login is no password


@pytest.mark.parametrize(
    ("onward", "where"),
    [
        ("", "./"),
        ("?chat=abc", "./?chat=abc"),
        ("chats/a/export.md?x=%20y", "./chats/a/export.md?x=%20y"),
        ("//evil.example", "./evil.example"),
        ("/\\evil.example", "./evil.example"),
        ("\\\\evil.example", "./evil.example"),
        ("https://evil.example", "./https://evil.example"),
        ("javascript:alert(1)", "./javascript:alert(1)"),
        ("../..//evil.example", "./../..//evil.example"),
        ("a\r\nSet-Cookie: x=1", "./a%0D%0ASet-Cookie:%20x=1"),
        ("日本", "./%E6%97%A5%E6%9C%AC"),
        ("#x", "./%23x"),
    ],
)
async def test_one_goes_on_to_an_address_of_ours(onward: str, where: str) -> None:
    place = Place(**USERS)
    given = await place.form(onward=onward)
    assert (given.status, given.header("location")) == (303, where)
    again = await place(f"/login?next={quote(onward)}", headers=PAGE, jar=given.jar)
    assert again.header("location") == where


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"name=ada&password=correct+horse", "application/json", 415),
        (b"name=ada&password=correct+horse", "text/plain", 415),
        (b"", gate.FORM, 401),
        (b"&&&==", gate.FORM, 401),
        (b"name=ada", gate.FORM, 401),
        (b"name=%ff%00&password=%ff", gate.FORM, 401),
        (b"a=1&" * 50, gate.FORM, 413),
        (b"name=" + b"x" * login.LONGEST, gate.FORM, 413),
        (b"name=eva&name=ada&password=correct+horse", gate.FORM + "; charset=utf-8", 303),
    ],
)
async def test_a_form_that_is_none(body: bytes, media: str, status: int) -> None:
    given = await Place(**USERS)("/login", "POST", {"content-type": media}, body=body)
    assert given.status == status


async def test_signing_out() -> None:
    place = Place(**USERS)
    jar = (await place.form()).jar
    other = (await place.form()).jar
    given = await place("/logout", "POST", jar=jar)
    assert (given.status, given.header("location"), given.jar) == (303, "./login", {place.logins.name: ""})
    assert (await place(jar=jar)).status == 401  # a copy of the cookie is worth nothing
    assert (await place(jar=other)).owner == person("ada")
    assert (await place("/logout", "POST")).status == 303


async def test_signing_out_everywhere() -> None:
    place = Place(**USERS)
    jar, other = (await place.form()).jar, (await place.form()).jar
    bobs = (await place.form("böb", "battery staple")).jar
    given = await place("/logout/everywhere", "POST", jar=jar)
    assert (given.status, given.header("location")) == (303, "../login")
    assert given.jar == {place.logins.name: "", OWNERS.name: ""}
    assert [(await place(jar=each)).status for each in (jar, other, bobs)] == [401, 401, 200]
    for nobody in ({}, jar, {place.logins.name: "nonsense"}):
        assert (await place("/logout/everywhere", "POST", jar=nobody)).status == 303
    assert (await place(jar=bobs)).owner == person("böb")


async def test_the_operator_signs_out_everywhere_among_people_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    place = Place(**USERS)
    operator, hers = {OWNERS.name: OWNERS.cookie(LOCAL)}, (await place.form()).jar
    assert json.loads((await place("/login/me", jar=operator)).body)["operator"] is True
    assert (await place("/logout/everywhere", "POST", jar=operator)).status == 303
    assert (await place(jar=operator)).status == 401
    assert (await place(jar=hers)).owner == person("ada")
    assert f"/?key={OWNERS.key}" in caplog.text


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/logout", "GET"),
        ("/logout/everywhere", "GET"),
        ("/logout", "HEAD"),
        ("/login", "PUT"),
        ("/login/me", "POST"),
    ],
)
async def test_what_these_addresses_do_not_do(path: str, method: str) -> None:
    place = Place(**USERS)
    jar = (await place.form()).jar
    assert (await place(path, method, PAGE, jar=jar)).status == 405
    assert (await place(jar=jar)).owner == person("ada")


async def test_a_page_renews_the_login_a_day_later() -> None:
    place, now = Place(**USERS), 1_800_000_000.0
    place.logins = Logins(place.settings.users, Owners(b"secret", clock=lambda: now), lambda: now)
    jar = (await place.form()).jar
    assert (await place("/", jar=jar, media="text/html")).jar == {}
    now += 25 * 3600
    assert (await place("/state", jar=jar)).jar == {}
    renewed = (await place("/", jar=jar, media="text/html")).jar
    now += 29 * 24 * 3600
    assert (await place(jar=jar)).status == 401
    assert (await place(jar=jar | renewed)).owner == person("ada")


async def test_a_user_who_was_taken_away_is_refused_with_the_next_request() -> None:
    jar = (await Place(**USERS).form()).jar
    assert (await Place(CHAT_USERS="böb:battery staple")(jar=jar)).status == 401
    assert (await Place(CHAT_USERS="ada:another horse")(jar=jar)).status == 401
    assert (await Place(CHAT_USERS="ada:correct horse")(jar=jar)).owner == person("ada")
