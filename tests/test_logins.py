"""Given these users, whose login a cookie is, and what a wrong password tells."""

import asyncio
import hmac
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.errors import Config, RateLimited
from chat.guesses import HERE
from chat.logins import LASTS, LONGEST_NAME, MAX_WAITING_HASHES, Logins, name_of
from chat.owners import COOKIE, LOCAL, Owners, person
from chat.passwords import HashedPassword, hash_password
from chat.settings import Secret
from chat.sign_outs import MAX_SIGN_IN_AGE_S

OWNERS = Owners(b"secret")
ADDRESS = "192.0.2.1"


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def logins(clock: Clock | None = None, secret: bytes = b"secret", **users: str) -> Logins:
    named = users or {"ada": "correct horse", "böb": "battery staple"}
    clock = clock or Clock()
    owners = Owners(secret, clock=clock)
    return Logins({name: Secret(each) for name, each in named.items()}, owners, clock)


async def test_name_and_password() -> None:
    there = logins()
    assert await there.check("ada", "correct horse", ADDRESS) == "ada"
    assert await there.check("böb", "battery staple", ADDRESS) == "böb"
    assert await there.check("bo\u0308b", "battery staple", ADDRESS) == "böb"  # as another keyboard writes it
    assert await there.check(" ada ", "correct horse", ADDRESS) == "ada"
    for name, password in (
        ("ada", "battery staple"),
        ("ada", ""),
        ("ada", "correct horse "),
        ("Ada", "correct horse"),
        ("", ""),
        ("ada\0", "correct horse"),
        ("\udcff", "\udcff"),
        ("x" * 100_000, "x" * 100_000),
    ):
        assert await there.check(name, password, f"{ADDRESS}{len(name)}") == ""


async def test_nobody_may_log_in_where_there_are_no_users() -> None:
    there = Logins({}, OWNERS)
    assert not there.any
    assert await there.check("", "", ADDRESS) == ""


@pytest.mark.parametrize("name", ["x" * (LONGEST_NAME + 1), "\u0300" * 300])
def test_a_name_that_nobody_could_write(name: str) -> None:
    with pytest.raises(Config, match="CHAT_USERS"):
        Logins({name: Secret("long enough")}, OWNERS)


def test_two_names_that_read_the_same() -> None:
    with pytest.raises(Config, match="CHAT_USERS"):
        Logins({each: Secret("long enough") for each in ("böb", "bo\u0308b")}, OWNERS)


# -- guessing ----------------------------------------------------------------------------------------


async def test_the_right_password_is_told_from_nothing_while_one_has_to_wait() -> None:
    told: set[str] = set()
    for name in ("ada", "nobody"):
        there = logins()
        for _ in range(HERE.amount):
            assert await there.check(name, "wrong", ADDRESS) == ""
        for password in ("correct horse", "wrong"):
            with pytest.raises(RateLimited) as raised:
                await there.check(name, password, ADDRESS)
            assert (raised.value.retry_after or 0) > HERE.get_expiry() - 5
            told.add(raised.value.message)
    assert told == {"Too many wrong passwords. Try again in 5 minutes."}


async def test_a_name_that_nobody_has_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    there, work = logins(), list[tuple[str, Any]]()
    digest, compare = hmac.digest, hmac.compare_digest

    def counted_digest(key: Any, text: Any, method: Any) -> bytes:
        work.append(("digest", len(text)))
        return digest(key, text, method)

    def counted_compare(one: Any, other: Any) -> bool:
        work.append(("compare", (len(one), len(other))))
        return compare(one, other)

    monkeypatch.setattr(hmac, "digest", counted_digest)
    monkeypatch.setattr(hmac, "compare_digest", counted_compare)
    known = there.login("ada")[1]
    done: list[list[tuple[str, Any]]] = []
    for name in ("ada", "eva"):
        work.clear()
        assert await there.check(name, "wrong password", ADDRESS, known) == ""
        done.append(list(work))
    assert done[0] == done[1] != []


async def test_a_browser_that_is_known_is_so_for_its_person_alone() -> None:
    there = logins()
    _, known = there.login("ada")
    for _ in range(HERE.amount):
        await there.check("ada", "wrong", ADDRESS)
        await there.check("böb", "wrong", ADDRESS)
    assert await there.check("ada", "correct horse", ADDRESS, known) == "ada"
    with pytest.raises(RateLimited):
        await there.check("böb", "battery staple", ADDRESS, known)
    with pytest.raises(RateLimited):
        await there.check("ada", "correct horse", ADDRESS, known[:-1] + ("A" if known[-1] != "A" else "B"))


# -- hashed passwords --------------------------------------------------------------------------------

CHEAP = 4
"""Of a hash in these tests: 2^4 rounds, which no program would print."""


def hashed(clock: Clock | None = None) -> Logins:
    """Ada's password is hashed, Böb's is not."""
    users = {"ada": Secret(hash_password("correct, horse", CHEAP)), "böb": Secret("battery staple")}
    clock = clock or Clock()
    return Logins(users, Owners(b"secret", clock=clock), clock)


async def test_a_hashed_password() -> None:
    there = hashed()
    assert await there.check("ada", "correct, horse", ADDRESS) == "ada"
    assert await there.check("böb", "battery staple", ADDRESS) == "böb"
    for name, password in (("ada", "correct horse"), ("böb", "correct, horse"), ("eva", "correct, horse")):
        assert await there.check(name, password, f"192.0.2.{len(password)}") == ""


async def test_whoever_has_read_the_hash_does_not_have_the_password() -> None:
    text = hash_password("correct, horse", CHEAP)
    there = Logins({"ada": Secret(text)}, Owners(b"secret", clock=Clock()), Clock())
    assert await there.check("ada", text, ADDRESS) == ""
    assert await there.check("ada", "correct, horse", ADDRESS) == "ada"


async def test_another_hash_ends_the_logins_before_it() -> None:
    one, other = (hash_password("correct, horse", CHEAP) for _ in range(2))
    cookie, _ = logins(ada=one).login("ada")
    assert logins(ada=one).of(cookie) == "ada"
    assert logins(ada=other).of(cookie) == ""


async def test_many_guesses_at_once_are_counted_like_one_after_the_other() -> None:
    there = hashed()
    tries = [there.check("ada", f"guess {number}", ADDRESS) for number in range(40)]
    told = await asyncio.gather(*tries, return_exceptions=True)
    assert told.count("") == HERE.amount
    assert sum(isinstance(each, RateLimited) for each in told) == 40 - HERE.amount


async def test_a_right_password_is_hashed_once_and_counts_as_no_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there, hashes = hashed(), list[str]()
    matches = HashedPassword.matches
    monkeypatch.setattr(
        HashedPassword, "matches", lambda self, text: hashes.append(text) or matches(self, text)
    )
    for name, password in (("ada", "correct, horse"), ("böb", "battery staple")) * 30:
        assert await there.check(name, password, ADDRESS) == name
    assert hashes == ["correct, horse", "battery staple"]


async def test_each_name_costs_one_hash_whoever_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    there, costs = hashed(), list[int]()
    monkeypatch.setattr(HashedPassword, "matches", lambda self, text: costs.append(self.log2_n) or False)
    for name in ("ada", "böb", "eva", ""):
        assert await there.check(name, "wrong", ADDRESS) == ""
    assert costs == [CHEAP] * 4


async def test_a_crowd_of_guesses_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    there, free = hashed(), threading.Event()
    monkeypatch.setattr(HashedPassword, "matches", lambda self, text: bool(free.wait(10)) and False)
    crowd = [
        asyncio.create_task(there.check("ada", "guess", f"10.0.{number}.1"))
        for number in range(MAX_WAITING_HASHES)
    ]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited, match="at once"):
        await there.check("ada", "guess", "10.1.0.1")
    free.set()
    assert set(await asyncio.gather(*crowd)) == {""}


# -- cookies -----------------------------------------------------------------------------------------


def test_each_login_is_another_one() -> None:
    there = logins()
    (one, known), (two, other) = there.login("ada"), there.login("ada")
    assert len({one, two, known, other}) == 4
    assert there.of(one) == there.of(two) == "ada"
    assert there.of(known) == ""
    assert there.of(there.login("böb")[0]) == "böb"


def test_it_outlives_the_program_and_no_other_secret() -> None:
    cookie, _ = logins().login("ada")
    assert logins().of(cookie) == "ada"
    assert logins(secret=b"another").of(cookie) == ""


def test_a_user_who_is_taken_away_has_no_login_any_more() -> None:
    cookie, _ = logins().login("ada")
    assert logins(böb="battery staple").of(cookie) == ""


def test_a_changed_password_ends_the_logins_before_it() -> None:
    cookie, _ = logins().login("ada")
    assert logins(ada="another horse").of(cookie) == ""
    assert logins(ada="correct horse", eva="12345678").of(cookie) == "ada"


def test_it_ends_after_a_while_and_each_visit_renews_it() -> None:
    clock = Clock()
    there = logins(clock)
    cookie, _ = there.login("ada")
    assert there.renewed(cookie) == ""
    clock.now += LASTS - 1
    assert there.of(cookie) == "ada"
    newer = there.renewed(cookie)
    clock.now += 1
    assert there.of(cookie) == there.renewed(cookie) == ""
    assert there.of(newer) == "ada"


def test_who_has_signed_out_comes_back_with_no_copy_of_it() -> None:
    clock = Clock()
    there = logins(clock)
    (cookie, _), (other, _) = there.login("ada"), there.login("ada")
    clock.now += LASTS / 2
    newer = there.renewed(cookie)
    there.end(newer)
    assert there.of(newer) == there.of(cookie) == there.renewed(cookie) == ""
    assert there.of(other) == "ada"
    there.end("nonsense")


def test_a_login_that_is_used_for_ever_ends_some_day() -> None:
    clock = Clock()
    there = logins(clock)
    cookie, _ = there.login("ada")
    for _ in range(int(MAX_SIGN_IN_AGE_S // LASTS)):
        clock.now += LASTS - 10
        cookie = there.renewed(cookie)
        assert there.of(cookie) == "ada"
    clock.now += 100
    assert there.of(cookie) == there.renewed(cookie) == ""


def test_signing_out_everywhere_ends_all_of_one_person_and_nobody_elses() -> None:
    clock = Clock()
    there = logins(clock)
    (one, _), (two, _), (other, _) = there.login("ada"), there.login("ada"), there.login("böb")
    clock.now += 0.001
    there.end_all("ada")
    assert there.of(one) == there.of(two) == there.renewed(one) == ""
    assert there.of(other) == "böb"
    assert there.of(there.login("ada")[0]) == "ada"


THERE = logins()
COOKIES = THERE.login("ada")


@given(st.text(max_size=300))
def test_whatever_stands_in_a_cookie_it_is_nobodys(value: str) -> None:
    assert THERE.of(value) == ""
    assert asyncio.run(THERE.check("ada", "correct horse", ADDRESS, value)) == "ada"


@given(st.integers(0, 500), st.characters(codec="ascii"))
def test_a_cookie_with_one_character_changed_is_nobodys(place: int, other: str) -> None:
    cookie = COOKIES[0]
    place %= len(cookie)
    changed = cookie[:place] + other + cookie[place + 1 :]
    assert THERE.of(changed) == ("" if changed != cookie else "ada")


def test_the_parts_cannot_be_moved_into_one_another() -> None:
    name, began, given_at, number, signature = COOKIES[0].split(".")
    for forged in (
        f"{name}.{began}.{given_at}0.{number}.{signature}",
        f"{name}.{began}0.{given_at}.{number}.{signature}",
        f"{name}.{began[:-1]}.{began[-1]}{given_at}.{number}.{signature}",
        f"{name}.{given_at}.{began}.{number}.{signature}",
        f"{name}.{given_at}.{number}.{signature}",
        f"{name}.{began}.{given_at}.{number}",
        f"{name}=.{began}.{given_at}.{number}.{signature}",
        f"...{number}.{signature}",
    ):
        assert THERE.of(forged) == ""


def test_no_cookie_of_one_kind_is_one_of_the_other() -> None:
    owner = person("ada")
    assert OWNERS.of({OWNERS.name: COOKIES[0], COOKIE: COOKIES[1]}) == ""
    assert THERE.of(OWNERS.cookie(owner)) == ""


# -- owners ------------------------------------------------------------------------------------------


def test_a_person_is_the_same_owner_wherever_and_nobody_else_is() -> None:
    owners = {person(name) for name in ("ada", "Ada", "böb", LOCAL, "person-x", "日本語🚴", "x" * 200)}
    assert len(owners) == 7
    for owner in owners:
        assert OWNERS.of({COOKIE: OWNERS.cookie(owner)}) == owner  # it fits into a cookie
        assert owner != LOCAL
        assert len(owner) != 32
    # It stands in the database with every chat, so it may never become another one.
    assert person("ada") == "person-_e5DDUC9V97qwYbNl5ADPQ8G-QmogG585ucXq3x9UCk"


NO_NAMES = ["", " ", "a\n", "a\x85", "a\u00a0", "a\nb", "a\0", "a\u202eb", "x" * 201, "\ud800"]


@pytest.mark.parametrize("text", NO_NAMES)
def test_what_is_no_name(text: str) -> None:
    assert name_of(text) == ""


@pytest.mark.parametrize("text", ["ada", "ada@example.com", "Dr. Ada, Countess", "日本語", "a b"])
def test_what_is_one(text: str) -> None:
    assert name_of(f" {text} ") == text
