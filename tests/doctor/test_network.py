"""What the doctor says of the way out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat.cli.doctor import network
from chat.settings import Settings


async def said(**environ: str) -> list[tuple[str, str, str]]:
    found = [each async for each in network.checks(Settings.read(environ))]
    return [(each.name, each.verdict, f"{each.said} {each.next}") for each in found]


async def test_nothing_is_named() -> None:
    assert await said() == [("proxy", "ok", "None is named: vendors are asked directly ")]


async def test_each_variable_is_named_once_and_no_password() -> None:
    found = await said(ALL_PROXY="socks5://me:secret@127.0.0.1:9", NO_PROXY="a.test,b.test")
    assert [each[:2] for each in found] == [("proxy", "ok")]
    assert "ALL_PROXY (127.0.0.1:9) is asked for http:// and https://, and without it 2" in found[0][2]
    assert "secret" not in found[0][2]


async def test_what_cannot_be_used_is_named_with_what_to_do() -> None:
    found = await said(HTTPS_PROXY="socks4://127.0.0.1:9", HTTP_PROXY="127.0.0.1:9", SSL_CERT_FILE="/gone")
    assert [each[:2] for each in found] == [("proxy", "ok"), ("proxy", "failed"), ("certificates", "warning")]
    assert "HTTPS_PROXY cannot be used: Runnel does not speak socks4." in found[1][2]
    assert "unset HTTPS_PROXY" in found[1][2]
    assert "SSL_CERT_FILE names /gone" in found[2][2]
    assert "this machine’s own are used" in found[2][2]


async def test_no_temporary_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: Any) -> Callable[[], None]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert (await said())[-1] == (
        "temporary",
        "warning",
        "No temporary file can be written (No space left on device). Make room, or name a folder in TMPDIR.",
    )
