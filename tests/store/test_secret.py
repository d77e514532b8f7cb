"""Two processes that start at once sign with the same secret, and nobody else reads it."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chat.store import open_store
from chat.store.secret import secret


def test_it_is_the_same_at_each_start_and_for_our_eyes_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "chat.secret"
    assert secret(path) == secret(path)
    assert len(secret(path)) == 32
    assert [each.name for each in path.parent.iterdir()] == ["chat.secret"]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name != "posix", reason="files have no such mode there")
def test_one_that_others_could_read_is_ours_alone_from_now_on(tmp_path: Path) -> None:
    path = tmp_path / "chat.secret"
    path.write_text("ab" * 32)
    path.chmod(0o644)
    assert secret(path) == b"\xab" * 32
    assert path.stat().st_mode & 0o777 == 0o600


def test_those_who_make_it_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(secret, [tmp_path / "chat.secret"] * 32))) == 1


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe", b"00" * 31])
def test_what_is_no_secret_of_ours_is_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "chat.secret"
    path.write_bytes(content)
    assert secret(path) == secret(path)
    assert len(secret(path)) == 32
    assert path.read_bytes() == content


async def test_a_database_that_is_called_so_is_not_written_over(tmp_path: Path) -> None:
    async with open_store(tmp_path / "chat.secret") as store:
        first = store.secret
        assert store.trouble == ""
    async with open_store(tmp_path / "chat.secret") as store:
        assert store.secret == first
        assert store.trouble == ""


def test_where_nothing_can_be_written_it_lasts_as_long_as_the_program(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "chat.secret"
    assert len(secret(path)) == 32
    assert secret(path) != secret(path)


async def test_a_store_has_one_beside_its_database(tmp_path: Path) -> None:
    async with open_store(tmp_path / "chat.db") as store:
        first = store.secret
    async with open_store(tmp_path / "chat.db") as store:
        assert store.secret == first == secret(tmp_path / "chat.secret")
    async with open_store() as one, open_store() as other:
        assert one.secret != other.secret
