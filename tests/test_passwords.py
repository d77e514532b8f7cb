"""Given this password, this text stands for it in the settings, and nothing else does."""

import io
import re
import sys

import pytest

from chat.cli import main
from chat.errors import Config
from chat.passwords import LOG2_N, HashedPassword, hash_password, looks_hashed, parse
from chat.settings import Secret, Settings

CHEAP = 4


def parsed(text: str) -> HashedPassword:
    found = parse(text)
    assert found
    return found


@pytest.mark.parametrize("password", ["correct horse", "with, a comma", "pässwörd 🚲", "x" * 1000, "a:b$c'd"])
def test_a_hash_matches_its_password_alone(password: str) -> None:
    text = hash_password(password, CHEAP)
    assert parsed(text).matches(password)
    assert not parsed(text).matches(password + " ")
    assert not parsed(text).matches("")
    assert password not in text
    assert re.fullmatch(r"[A-Za-z0-9._-]+", text), "it needs no quotes anywhere"
    assert hash_password(password, CHEAP) != text


def test_a_hash_that_was_made_before_is_good() -> None:
    assert parsed(HASH).matches("correct horse")


def test_the_vector_of_the_standard() -> None:
    """RFC 7914, section 12: scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1), its first 32 bytes."""
    digest = bytes.fromhex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2")
    assert HashedPassword(14, 1, b"SodiumChloride", digest).matches("pleaseletmein")


HASH = "scrypt.4.8.1.EgFcHKg0XksouZo6E9Qe3A.lKavvYM6oBVfpvEi-5oTw4ai2sSCLDxp20qGDUiVLZc"
"""Of “correct horse”. Written down, because each call gives another one."""


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "correct horse",
            HASH[:-1],
            HASH + "x",
            HASH.replace(".8.", ".9."),
            HASH.replace(".4.", ".99."),
        ),
        *(HASH.replace(".4.", ".0."), HASH.replace(".8.1.", ".8.0."), HASH.replace(".", "$"), f" {HASH}"),
    ],
)
def test_what_is_no_hash(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "text", [HASH, "$argon2id$v=19$m=1$x", "$2b$12$abc", "{SHA}abc", "scrypt:32768:8:1$x$y", "scrypt$x"]
)
def test_what_was_meant_as_one(text: str) -> None:
    assert looks_hashed(text)


def test_in_the_settings() -> None:
    read = Settings.read({"CHAT_USERS": f"ann:{HASH},ben:battery staple"})
    assert read.users == {"ann": Secret(HASH), "ben": Secret("battery staple")}


@pytest.mark.parametrize("bad", ["$2b$12$abcdefghijk", HASH[:-2], HASH.replace("scrypt.4", "scrypt.40")])
def test_a_hash_of_another_program_is_an_error_in_words(bad: str) -> None:
    with pytest.raises(Config, match="hash-password") as caught:
        Settings.read({"CHAT_USERS": f"ann:{bad}"})
    assert bad not in str(caught.value)


@pytest.mark.parametrize("users", ["ann:correct,horse", "ann:correct horse,battery,ben:staple staple"])
def test_a_comma_in_a_password_is_an_error_in_words(users: str) -> None:
    with pytest.raises(Config, match="comma") as caught:
        Settings.read({"CHAT_USERS": users})
    assert "horse" not in str(caught.value)
    assert "hash-password" in str(caught.value)


def test_the_command_hashes_what_is_piped_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("with, a comma\n"))
    assert main(["hash-password"]) == 0
    text = capsys.readouterr().out.strip()
    assert parsed(text).matches("with, a comma")
    assert parsed(text).log2_n == LOG2_N


@pytest.mark.parametrize("piped", ["", "short", "       x       "])
def test_the_command_hashes_no_short_password(
    piped: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(piped))
    assert main(["hash-password"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "8 characters" in told.err


def test_the_command_takes_no_password_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hash-password", "correct horse"]) == 2
    assert capsys.readouterr().out == ""
