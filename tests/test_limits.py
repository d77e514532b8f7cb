"""How many questions somebody may ask: given these settings and these questions, this refusal."""

import math

import pytest

from chat.errors import RateLimited
from chat.limits import STRANGERS, Limits, network
from chat.owners import LOCAL
from chat.settings import Settings

HOUR, DAY = 3600, 24 * 3600
PUBLIC = {"CHAT_PUBLIC": "1"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Place:
    """Limits of `environ`, at a time of one's own."""

    def __init__(self, **environ: str) -> None:
        self.clock = Clock()
        self.limits = Limits(Settings.read(environ), self.clock)

    def ask(self, owner: str = "ann", address: str = "192.0.2.1", own: bool = False) -> RateLimited | None:
        """What a question meets."""
        network = self.limits.network(owner, address)
        try:
            self.limits.check(owner, network, own=own)
        except RateLimited as refusal:
            return refusal
        self.limits.count(owner, network, own=own)
        return None

    def later(self, seconds: float) -> None:
        self.clock.now += seconds


def refused(met: RateLimited | None) -> RateLimited:
    assert met is not None
    return met


def test_on_this_machine_alone_nothing_is_counted() -> None:
    place = Place()
    assert not place.limits.limited
    assert [place.ask() for _ in range(200)] == [None] * 200


@pytest.mark.parametrize(
    "environ", [PUBLIC, {"GRADIO_SERVER_NAME": "0.0.0.0"}, {"CHAT_HOSTS": "chat.example"}]
)
def test_where_others_can_come_sixty_a_minute_are_enough(environ: dict[str, str]) -> None:
    place = Place(**environ)
    assert [place.ask() for _ in range(60)] == [None] * 60
    assert refused(place.ask()).retry_after == 60


def test_no_rate_is_what_was_said() -> None:
    assert not Place(CHAT_RATE="0", **PUBLIC).limits.limited


def test_who_comes_back_when_told_is_answered_and_a_second_earlier_not() -> None:
    place = Place(CHAT_RATE="3/minute")
    place.ask()
    place.later(20.5)
    place.ask()
    place.ask()
    met = refused(place.ask())
    assert met.message == "You may ask 3 questions a minute here. Ask again in 40 seconds."
    assert met.retry_after == 40
    place.later(met.retry_after - 1)
    assert refused(place.ask()).retry_after == 1
    place.later(1)
    assert place.ask() is None
    assert place.ask() is not None, "one came free, not all"


def test_what_is_refused_counts_nothing() -> None:
    place = Place(CHAT_RATE="1/minute", CHAT_MESSAGES_EACH="2")
    place.ask()
    for _ in range(100):
        refused(place.ask())
    place.later(60)
    assert place.ask() is None


def test_of_several_limits_the_longest_wait_is_told() -> None:
    place = Place(CHAT_RATE="2/minute; 3 per hour")
    for _ in range(2):
        place.ask()
    assert refused(place.ask()).retry_after == 60
    place.later(60)
    place.ask()
    met = refused(place.ask())
    assert met.retry_after == HOUR - 60
    assert "3 questions an hour" in met.message
    assert met.message.endswith("in 59 minutes.")
    place.later(met.retry_after)
    assert place.ask() is None


def test_a_day_s_limits_are_for_the_keys_of_the_settings_and_the_rate_for_all() -> None:
    place = Place(CHAT_RATE="5/minute", CHAT_MESSAGES_EACH="1", CHAT_MESSAGES="2")
    assert [place.ask(own=True) for _ in range(3)] == [None] * 3
    assert place.ask() is None
    assert "1 question a day" in refused(place.ask()).message
    assert place.ask(own=True) is None
    assert "5 questions a minute" in refused(place.ask(own=True)).message
    assert place.ask("bob", "198.51.100.1") is None, "what was asked with one's own key is not counted"


def test_throwing_the_cookie_away_gains_nothing() -> None:
    place = Place(CHAT_RATE="2/minute", CHAT_MESSAGES_EACH="5")
    assert [place.ask(owner) for owner in ("ann", "bob")] == [None, None]
    assert "From your network 2 questions a minute" in refused(place.ask("eve")).message
    assert place.ask("eve", "192.0.2.2") is None
    for _ in range(3):
        place.later(60)
        place.ask("dan")
    place.later(60)
    assert "5 questions a day" in refused(place.ask("joe")).message


def test_another_address_gains_nothing_with_the_same_cookie() -> None:
    place = Place(CHAT_RATE="2/minute")
    assert [place.ask("ann", f"192.0.2.{n}") for n in (1, 2)] == [None, None]
    assert "You may ask" in refused(place.ask("ann", "192.0.2.3")).message


def test_addresses_of_one_connection_are_one() -> None:
    place = Place(CHAT_RATE="1/minute")
    place.ask("ann", "2001:db8::1")
    refused(place.ask("bob", "2001:db8::ffff:1"))
    assert place.ask("bob", "2001:db8:0:1::1") is None
    place.ask("dan", "192.0.2.1")
    refused(place.ask("eve", "::ffff:192.0.2.1"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_network(address: str, expected: str) -> None:
    assert network(address) == expected


def test_people_who_logged_in_are_counted_by_name_alone() -> None:
    place = Place(CHAT_RATE="1/minute", CHAT_USERS="ann:password,bob:password")
    assert [place.ask(owner) for owner in ("ann", "bob")] == [None, None]
    refused(place.ask("ann", "192.0.2.9"))


def test_the_owner_at_this_machine_is_not_counted_at_all() -> None:
    place = Place(CHAT_RATE="1/minute", CHAT_MESSAGES="1")
    assert [place.ask(LOCAL) for _ in range(9)] == [None] * 9
    assert place.ask("ann") is None
    assert len(place.limits.counts) > 0
    assert place.ask(LOCAL) is None


def test_a_day_of_one_visitor_begins_with_the_first_question() -> None:
    place = Place(CHAT_RATE="0", CHAT_MESSAGES_EACH="2")
    place.ask()
    place.later(10 * HOUR)
    place.ask()
    met = refused(place.ask())
    assert met.message == "You may ask 2 questions a day here. Ask again in 14 hours."
    assert met.retry_after == 14 * HOUR
    assert place.ask("bob", "192.0.2.2") is None
    place.later(met.retry_after)
    assert [place.ask(), place.ask()] == [None, None]
    assert place.ask() is not None


def test_a_day_of_all_together() -> None:
    place = Place(CHAT_RATE="0", CHAT_MESSAGES="3")
    assert [place.ask(f"{n}", f"192.0.2.{n}") for n in range(3)] == [None] * 3
    met = refused(place.ask("another", "198.51.100.1"))
    expected = "All visitors together may ask 3 questions a day here, and they have. Ask again in 24 hours."
    assert met.message == expected
    place.later(DAY)
    assert place.ask("another", "198.51.100.1") is None


def test_new_people_of_one_network_are_bounded_and_known_ones_are_not_held_up() -> None:
    place = Place(CHAT_RATE="1000/second")
    assert [place.ask(f"{n}") for n in range(STRANGERS)] == [None] * STRANGERS
    met = refused(place.ask("one more"))
    assert "Too many people" in met.message
    assert met.retry_after == HOUR
    assert place.ask("7") is None
    assert place.ask("one more", "192.0.2.9") is None
    place.later(HOUR)
    assert place.ask("another") is None


def test_without_an_address_the_name_is_counted() -> None:
    place = Place(CHAT_RATE="1/minute")
    assert [place.ask("ann", ""), place.ask("bob", "")] == [None, None]
    refused(place.ask("ann", ""))


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ("1/second", "1 question a second"),
        ("1000/hour", "1,000 questions an hour"),
        ("1 per 5 minutes", "1 question in 5 minutes"),
        ("1/2 days;", "1 question in 2 days"),
    ],
)
def test_the_sentence_says_which_limit(rate: str, words: str) -> None:
    place = Place(CHAT_RATE=rate)
    while (met := place.ask()) is None:
        pass
    assert f"You may ask {words} here." in met.message


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (99, "99 seconds"), (100, "2 minutes"), (5999, "100 minutes"), (6001, "2 hours")],
)
def test_the_sentence_says_when_to_come_again(seconds: int, words: str) -> None:
    place = Place(CHAT_RATE=f"1 per {seconds} seconds")
    place.ask()
    met = refused(place.ask())
    assert met.message.endswith(f"Ask again in {words}.")
    assert math.isclose(met.retry_after or 0, seconds)
