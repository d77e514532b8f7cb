"""Whose something is: what stands in a cookie is worth no more than its signature."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.build import App, open_app
from chat.logins import Logins
from chat.messages import Options
from chat.owners import COOKIE, LOCAL, Owners, person
from chat.settings import Secret, Settings
from chat.sign_outs import MAX_SIGN_IN_AGE_S

OURS = Owners(b"secret")


@given(st.text(max_size=150))
def test_whatever_stands_in_a_cookie_it_names_nobody(value: str) -> None:
    assert OURS.of({COOKIE: value, OURS.name: value}) == ""


@given(st.integers(0, 100), st.characters(codec="ascii"))
def test_a_cookie_with_one_character_changed_names_nobody(place: int, other: str) -> None:
    mine = OURS.cookie("x" * 32)
    place %= len(mine)
    changed = mine[:place] + other + mine[place + 1 :]
    assert OURS.of({OURS.name: changed}) == ("" if changed != mine else "x" * 32)


def test_a_signature_is_good_for_its_owner_alone() -> None:
    signature = OURS.cookie("somebody").partition(".")[2]
    assert OURS.of({OURS.name: f"somebody.{signature}"}) == "somebody"
    assert OURS.of({OURS.name: f"{LOCAL}.{signature}"}) == ""


def test_a_broken_cookie_hides_no_good_one() -> None:
    assert OURS.of({OURS.name: "broken", COOKIE: OURS.cookie("me")}) == "me"


def test_the_names_of_strangers_cannot_be_guessed() -> None:
    names = {OURS.of({OURS.name: OURS.cookie()}) for _ in range(100)}
    assert len(names) == 100
    assert {len(name) for name in names} == {32}


@pytest.mark.parametrize("wrong", ["", "x", "ä", "\udcff", "x" * 10_000])
def test_a_wrong_key_uses_nothing_up(wrong: str) -> None:
    owners = Owners(b"secret")
    key = owners.key
    assert not owners.redeem(wrong)
    assert owners.redeem(key)
    assert not owners.redeem(key)
    assert not owners.redeem("")


def test_the_operator_signs_out_everywhere() -> None:
    now = 1_800_000_000.0
    owners = Owners(b"secret", clock=lambda: now)
    one, mine, key = owners.cookie(LOCAL), owners.cookie("me"), owners.key
    assert owners.of({COOKIE: one}) == LOCAL
    now += 0.001
    new = owners.sign_out_operator()
    assert owners.of({COOKIE: one}) == ""
    assert owners.of({COOKIE: mine}) == "me"
    assert new != key
    assert not owners.redeem(key)
    assert owners.redeem(new)
    assert owners.of({COOKIE: owners.cookie(LOCAL)}) == LOCAL


def test_the_operators_cookie_ends_some_day() -> None:
    now = 1_800_000_000.0
    owners = Owners(b"secret", clock=lambda: now)
    cookie = owners.cookie(LOCAL)
    now += MAX_SIGN_IN_AGE_S - 1
    assert owners.of({COOKIE: cookie}) == LOCAL
    now += 1
    assert owners.of({COOKIE: cookie}) == ""


def test_an_operators_cookie_without_a_time_is_nobodys() -> None:
    """Earlier versions gave these out; nothing could end one."""
    assert OURS.of({COOKIE: f"{LOCAL}.{OURS._signature(LOCAL)}"}) == ""
    time, signature = OURS.cookie(LOCAL).split(".")[1:]
    for forged in (f"{LOCAL}.{int(time) + 1}.{signature}", f"{LOCAL}.{time}.{OURS._signature(time)}"):
        assert OURS.of({COOKIE: forged}) == ""


async def opened(settings: Settings, cookie: str) -> tuple[str, str]:
    """Whom `cookie` names to an app with these settings, and a new cookie of `me` from there."""
    async with open_app(settings) as app:
        return app.owners.of({COOKIE: cookie}), app.owners.cookie("me")


async def test_after_a_restart_a_browser_is_who_it_was(tmp_path: Path) -> None:
    settings = Settings(local=False, database=tmp_path / "chat.db")
    _, cookie = await opened(settings, "")
    assert (await opened(settings, cookie))[0] == "me"
    other = Settings(local=False, database=tmp_path / "other.db")
    assert (await opened(other, cookie))[0] == ""


async def test_a_sign_out_survives_a_restart(tmp_path: Path) -> None:
    settings = Settings(
        local=False,
        database=tmp_path / "chat.db",
        users={"ada": Secret("correct horse"), "böb": Secret("x" * 8)},
    )
    async with open_app(settings) as app:
        logins = Logins(settings.users, app.owners)
        (one, _), (other, _), (bobs, _) = logins.login("ada"), logins.login("ada"), logins.login("böb")
        operator = app.owners.cookie(LOCAL)
        logins.end(one)
    async with open_app(settings) as app:
        logins = Logins(settings.users, app.owners)
        assert [logins.of(each) for each in (one, other, bobs)] == ["", "ada", "böb"]
        logins.end_all("ada")
        app.owners.sign_out_operator()
    async with open_app(settings) as app:
        logins = Logins(settings.users, app.owners)
        assert [logins.of(each) for each in (one, other, bobs)] == ["", "", "böb"]
        assert app.owners.of({COOKIE: operator}) == ""
    async with open_app(settings) as app:
        rows = await app.store.sign_outs()
        assert [(sign_in, whose) for sign_in, whose, _, _ in rows] == [("", person("ada")), ("", LOCAL)]


async def test_a_secret_of_ones_own_signs_for_every_database(tmp_path: Path) -> None:
    secret = Secret("a secret of one's own")
    one = Settings(local=False, database=tmp_path / "one.db", secret=secret)
    two = Settings(local=False, database=tmp_path / "two.db", secret=secret)
    _, cookie = await opened(one, "")
    assert (await opened(two, cookie))[0] == "me"
    assert (await opened(Settings(local=False, database=tmp_path / "one.db"), cookie))[0] == ""


async def test_each_start_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys: set[str] = set()

    def note(app: App) -> None:
        keys.add(app.owners.key)

    for _ in range(2):
        async with open_app(Settings(local=False, database=tmp_path / "chat.db")) as app:
            note(app)
    assert len(keys) == 2
    assert {len(key) for key in keys} == {24}


async def test_an_answer_that_is_being_written_goes_on_for_its_new_owner(tmp_path: Path) -> None:
    settings = Settings(local=False, database=tmp_path / "chat.db", demo_pace=1000, runs_each=1)
    async with open_app(settings) as app:
        chat = app.store.new("stranger")
        run = await app.runs.ask(chat, "hello", Options(model="demo:tour"))
        waiting = await app.runs.ask(app.store.new("stranger"), "hello", Options(model="demo:tour"))
        await app.store.adopt("stranger", LOCAL)
        assert not run.transcript.ended
        assert app.runs.conversation(LOCAL, run.id) is chat
        assert app.runs.conversation("stranger", run.id) is None
        assert len(await app.store.chats(LOCAL)) == 2
        assert await app.store.chats("stranger") == []
        assert await app.store.open("stranger", chat.id) is None
        run.stop()
        waiting.stop()
    async with open_app(settings) as app:
        kept = await app.store.open(LOCAL, chat.id)
        assert kept is not None
        assert kept.last is not None
        assert kept.last.transcript.state == "stopped"
        assert await app.store.open("stranger", chat.id) is None
