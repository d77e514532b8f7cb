"""Given text that is no Unicode, what can be encoded comes of it, as deep as it stands."""

import pytest

from chat.unicode import whole, whole_all

HALF = "\ud83d"


@pytest.mark.parametrize(
    ("said", "shown"),
    [("plain", "plain"), ("é😀", "é😀"), (f"a{HALF}b", "a\ufffdb"), (HALF, "\ufffd"), ("\ud83d\ude00", "😀")],
)
def test_halves(said: str, shown: str) -> None:
    assert whole(said) == shown
    assert whole_all({said: [said, (said, 1), None]}) == {shown: [shown, [shown, 1], None]}
