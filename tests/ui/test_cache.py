"""Gradio's folder is ours alone, wherever the program starts."""

import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest
from fastapi import FastAPI
from gradio import route_utils, routes, screen_recording_utils
from gradio.utils import get_upload_folder

from chat.build import open_app
from chat.settings import Settings
from chat.ui import cache, gradio_fixes
from chat.ui.cache import UNUSABLE, private_folder
from chat.ui.page import mount

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "before")
    cache._fresh.cache_clear()


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.lstat().st_mode)


def is_fresh(folder: Path, tmp_path: Path) -> bool:
    return folder.parent == tmp_path / "tmp" and mode(folder) == 0o700 and not list(folder.iterdir())


async def test_all_of_gradio_uses_a_folder_beside_the_database(tmp_path: Path) -> None:
    database = tmp_path / "data" / "chat.db"
    (tmp_path / "tmp" / "gradio").symlink_to("/etc")
    async with open_app(Settings.read({"CHAT_LOCAL": "0", "CHAT_DATABASE": str(database)})) as app:
        gradio = gradio_fixes.mounted(mount(FastAPI(), app))
        folder = str(tmp_path / "data" / "gradio")
        assert get_upload_folder() == gradio.uploaded_file_dir == folder  # type: ignore[attr-defined]
        modules = [vars(module) for module in (routes, route_utils, screen_recording_utils)]
        assert {each["DEFAULT_TEMP_DIR"] for each in modules} == {folder}
        blocks = gradio.get_blocks().blocks.values()  # type: ignore[attr-defined]
        assert {each.GRADIO_CACHE for each in blocks if hasattr(each, "GRADIO_CACHE")} == {folder}
        assert mode(Path(folder)) == 0o700


def test_what_is_there_is_used_when_it_is_ours(tmp_path: Path) -> None:
    (tmp_path / "gradio").mkdir(mode=0o777)
    (tmp_path / "gradio").chmod(0o777)
    assert private_folder(tmp_path / "chat.db") == tmp_path / "gradio"
    assert mode(tmp_path / "gradio") == 0o700


def test_a_link_or_a_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "gradio").symlink_to(tmp_path / "tmp")
    assert is_fresh(private_folder(tmp_path / "chat.db"), tmp_path)
    (tmp_path / "gradio").unlink()
    (tmp_path / "gradio").symlink_to(tmp_path / "nowhere")
    assert is_fresh(private_folder(tmp_path / "chat.db"), tmp_path)
    (tmp_path / "gradio").unlink()
    (tmp_path / "gradio").write_text("")
    assert is_fresh(private_folder(tmp_path / "chat.db"), tmp_path)


def test_another_one_s_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gradio").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12_345)
    assert is_fresh(private_folder(tmp_path / "chat.db"), tmp_path)


@pytest.mark.parametrize("database", [":memory:", "gone/chat.db", "/proc/none/chat.db"])
def test_where_there_is_no_folder_of_ours_a_new_one_is_made_once(database: str, tmp_path: Path) -> None:
    folder = private_folder(Path(database))
    assert is_fresh(folder, tmp_path)
    assert private_folder(Path(database)) == folder


def test_where_none_can_be_made_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "tmp").rmdir()
    assert private_folder(Path(":memory:")) == UNUSABLE
    with pytest.raises(OSError, match="Not a directory"):
        UNUSABLE.mkdir(parents=True)
