"""Given these wrong passwords, who has to wait: never the person whose name somebody else guesses at."""

from dataclasses import dataclass

import pytest

from chat.guesses import ADDRESS, DAY, HERE, NAME, Guesses

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def guesses() -> tuple[Guesses, Clock]:
    clock = Clock()
    return Guesses(clock), clock


def address(number: int) -> str:
    return f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"


def attack(counted: Guesses, name: str = "ada") -> None:
    """From so many addresses that the name's own window is full."""
    for number in range(NAME.amount):
        counted.wrong(name, address(number))
    assert counted.wait(name, ELSEWHERE)


def test_a_few_wrong_ones_are_nothing() -> None:
    counted, _ = guesses()
    for _ in range(HERE.amount - 1):
        counted.wrong("ada", HOME)
    assert counted.wait("ada", HOME) == 0


def test_too_many_of_one_name_from_one_address() -> None:
    counted, clock = guesses()
    for _ in range(HERE.amount):
        assert counted.wait("ada", HOME) == 0
        counted.wrong("ada", HOME)
        clock.now += 10
    assert counted.wait("ada", HOME) == HERE.get_expiry() - 10 * HERE.amount
    assert counted.wait("ada", ELSEWHERE) == 0
    assert counted.wait("bob", HOME) == 0
    clock.now += counted.wait("ada", HOME)
    assert counted.wait("ada", HOME) == 0  # the window moves: one more, and no more
    counted.wrong("ada", HOME)
    assert counted.wait("ada", HOME) > 0


def test_too_many_names_from_one_address() -> None:
    counted, clock = guesses()
    for number in range(ADDRESS.amount):
        counted.wrong(f"name {number}", HOME)
    assert counted.wait("another", HOME) > 0
    assert counted.wait("another", ELSEWHERE) == 0
    clock.now += ADDRESS.get_expiry()
    assert counted.wait("another", HOME) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_what_is_one_address(one: str, other: str, same: bool) -> None:
    counted, _ = guesses()
    for _ in range(HERE.amount):
        counted.wrong("ada", one)
    assert (counted.wait("ada", other) > 0) is same


def test_who_is_not_known_waits_while_many_guess_at_a_name() -> None:
    counted, clock = guesses()
    attack(counted)
    assert counted.wait("bob", ELSEWHERE) == 0
    clock.now += NAME.get_expiry()
    assert counted.wait("ada", ELSEWHERE) == 0


def test_one_address_alone_keeps_nobody_out_of_a_new_browser() -> None:
    counted, clock = guesses()
    end, tried = clock.now + DAY.get_expiry(), 0
    while clock.now < end:
        assert counted.wait("ada", ELSEWHERE) == 0
        if not counted.wait("ada", HOME):
            counted.wrong("ada", HOME)
            tried += 1
        clock.now += 30
    assert tried == DAY.amount
    assert counted.wait("ada", HOME) == 0  # a day later


def test_many_at_once_from_one_address_count_no_more_for_the_name() -> None:
    counted, _ = guesses()
    for _ in range(NAME.amount):  # each was let through before the first was known to be wrong
        counted.wrong("ada", HOME)
    assert counted.wait("ada", HOME) > 0
    assert counted.wait("ada", ELSEWHERE) == 0


def test_who_is_known_has_no_such_day() -> None:
    counted, clock = guesses()
    counted.right("ada", HOME)
    for _ in range(DAY.amount + 1):
        counted.wrong("ada", HOME)
        counted.wrong("ada", ELSEWHERE, "browser")
        clock.now += HERE.get_expiry()
    assert counted.wait("ada", HOME) == 0
    assert counted.wait("ada", ELSEWHERE, "browser") == 0


def test_a_browser_that_has_logged_in_is_not_locked_out_by_others() -> None:
    counted, _ = guesses()
    attack(counted)
    for _ in range(HERE.amount):
        assert counted.wait("ada", ELSEWHERE, "browser") == 0
        counted.wrong("ada", ELSEWHERE, "browser")
    assert counted.wait("ada", ELSEWHERE, "browser") > 0
    assert counted.wait("ada", ELSEWHERE, "another") == 0


def test_nor_is_an_address_that_has() -> None:
    counted, _ = guesses()
    counted.right("ada", HOME)
    attack(counted)
    for number in range(ADDRESS.amount):
        counted.wrong(f"name {number}", HOME)
    assert counted.wait("another", HOME) > 0
    assert counted.wait("ada", HOME) == 0
    for _ in range(HERE.amount):
        counted.wrong("ada", HOME)
    assert counted.wait("ada", HOME) > 0


def test_a_right_password_takes_no_wrong_one_back() -> None:
    """Otherwise who has a login of their own could go on guessing at others for ever."""
    counted, _ = guesses()
    for number in range(ADDRESS.amount):
        counted.wrong(f"name {number}", HOME)
    counted.right("mallory", HOME)
    assert counted.wait("ada", HOME) > 0
