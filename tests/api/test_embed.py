"""/embed and the client's file: their types, how long they are kept, and what of the settings is in them."""

import re
from pathlib import Path

import pytest

from chat.api import embed
from tests.api.served import served

STATIC = Path(embed.__file__).parent / "static"


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/streaming-chat.js", "text/javascript; charset=utf-8"),
        ("/embed/embed.js", "text/javascript; charset=utf-8"),
        ("/embed/markdown.js", "text/javascript; charset=utf-8"),
        ("/embed/bubble.js", "text/javascript; charset=utf-8"),
        ("/embed/embed.css", "text/css; charset=utf-8"),
    ],
)
async def test_a_file_is_kept_but_asked_for_each_time(path: str, media: str) -> None:
    async with served() as face:
        answer = await face.get(path)
        assert answer.content == (STATIC / path.rpartition("/")[2]).read_bytes()
        assert answer.headers["content-type"] == media
        assert answer.headers["cache-control"] == "no-cache"
        for known in (answer.headers["etag"], f'"other", W/{answer.headers["etag"]}'):
            again = await face.get(path, If_None_Match=known)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == answer.headers["etag"]
        assert (await face.get(path, If_None_Match='"other"')).status_code == 200


@pytest.mark.parametrize("name", ["embed.html", "nothing.js", "..%2fembed.py", "%2e%2e/embed.py"])
async def test_nothing_else_is_given_away(name: str) -> None:
    async with served() as face:
        assert (await face.get(f"/embed/{name}")).status_code == 404


async def test_the_page_says_what_the_settings_say_and_no_more() -> None:
    environ = {
        "CHAT_TITLE": "Bikes & <b>bells</b>",
        "CHAT_WELCOME": "{{title}} </div><script>",
        "CHAT_EXAMPLES": "What is <i>?|And {{welcome}}?",
        "CHAT_TOKEN": "0123456789abcdef-sentinel",
    }
    async with served(environ=environ) as face:
        answer = await face.get("/embed")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "<h1>Bikes &amp; &lt;b&gt;bells&lt;/b&gt;</h1>" in answer.text
        assert "{{title}} &lt;/div&gt;&lt;script&gt;" in answer.text
        assert re.findall(r'<button type="button">(.*?)</button>', answer.text) == [
            "What is &lt;i&gt;?",
            "And {{welcome}}?",
        ]
        assert "sentinel" not in answer.text


async def test_every_address_in_the_page_is_relative() -> None:
    async with served() as face:
        text = (await face.get("/embed")).text
        addresses = re.findall(r'(?:src|href|action)="([^"]*)"', text)
        assert [each for each in addresses if each != "data:,"] == [
            "embed/embed.css",
            "streaming-chat.js",
            "embed/words.js",
            "embed/markdown.js",
            "embed/drawing.js",
            "embed/clipboard.js",
            "embed/bubble.js",
            "embed/embed.js",
        ]
        for address in addresses[1:]:
            assert (await face.get(f"/{address}")).status_code == 200


def test_no_script_makes_elements_out_of_text() -> None:
    for path in STATIC.glob("*.js"):
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"):
            # A character's name is looked up in a textarea, in which nothing is more than text.
            text = path.read_text("utf-8").replace("reader.innerHTML = entity;", "")
            assert word not in text, (path.name, word)
