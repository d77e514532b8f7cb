from datetime import UTC, datetime, timedelta

import pytest

from chat.tools import ToolError
from chat.tools.current_time import current_time


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_the_time_is_now_whatever_the_zone(zone: str):
    before = datetime.now(UTC)
    answer = current_time(zone)
    shown = datetime.fromisoformat(answer["time"])
    assert before - timedelta(seconds=1) <= shown <= datetime.now(UTC)
    assert answer["weekday"] == shown.strftime("%A")
    assert answer["timezone"] == zone


def test_utc_is_the_default_and_offsets_are_right():
    assert current_time()["time"].endswith("+00:00")
    kolkata = current_time("Asia/Kolkata")
    assert kolkata["time"].endswith("+05:30")
    assert kolkata["abbreviation"] == "IST"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("Europe/Belin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Tokyo", "Asia/Tokyo"),
        ("new york", "America/New_York"),
        ("Germany/Berlin", "Europe/Berlin"),
    ],
)
def test_a_wrong_name_gets_the_one_that_was_meant(wrong: str, meant: str):
    with pytest.raises(ToolError, match=f"There is no time zone.*{meant}"):
        current_time(wrong)


@pytest.mark.parametrize(
    "hostile", ["", "Europe", "../../etc/passwd", "/etc/localtime", "a\0b", "x" * 10_000, "😀", "C:\\x"]
)
def test_a_name_that_is_no_name_is_harmless(hostile: str):
    with pytest.raises(ToolError) as caught:
        current_time(hostile)
    assert len(str(caught.value)) < 250
