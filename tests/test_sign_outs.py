"""Given what was signed out, which sign-ins are over, and how much of it is remembered."""

from chat.sign_outs import MAX_SIGN_IN_AGE_S, MAX_SINGLE_PER_PERSON, Row, SignOuts

NOW = 1_800_000_000.0


def test_one_or_all_of_somebodys() -> None:
    there = SignOuts(clock=lambda: NOW)
    there.end("ada", "one")
    assert there.is_over("ada", "one", NOW - 5)
    assert not there.is_over("ada", "two", NOW - 5)
    assert not there.is_over("eva", "one", NOW - 5)
    there.end_all("ada")
    assert there.is_over("ada", "two", NOW - 0.001)
    assert not there.is_over("ada", "three", NOW), "signed in again in the same moment"
    assert not there.is_over("eva", "two", NOW - 5)


def test_it_is_saved_and_read_again() -> None:
    saved: list[Row] = []
    there = SignOuts(save=saved.append, clock=lambda: NOW)
    there.end("ada", "one")
    there.end_all("eva")
    again = SignOuts(saved, clock=lambda: NOW + 1)
    assert again.is_over("ada", "one", NOW - 5)
    assert again.is_over("eva", "any", NOW - 5)
    assert not again.is_over("ada", "two", NOW - 5)


def test_a_person_who_signs_out_all_day_fills_no_memory() -> None:
    """Past a number of single sign-outs all of the person's sign-ins are ended, which is one entry."""
    saved: list[Row] = []
    there = SignOuts(save=saved.append, clock=lambda: NOW)
    for number in range(10 * MAX_SINGLE_PER_PERSON):
        there.end("ada", str(number))
    assert sum(map(len, there._single.values())) <= MAX_SINGLE_PER_PERSON
    assert all(there.is_over("ada", str(number), NOW - 1) for number in range(10 * MAX_SINGLE_PER_PERSON))


def test_what_is_too_old_to_be_used_is_forgotten() -> None:
    now = NOW
    there = SignOuts(clock=lambda: now)
    for number in range(MAX_SINGLE_PER_PERSON):
        there.end("ada", str(number))
    now += MAX_SIGN_IN_AGE_S + 1
    there.end("ada", "late")
    assert list(there._single["ada"]) == ["late"]
    assert not there.is_over("ada", "another", now - 1), "nobody was signed out for it"
