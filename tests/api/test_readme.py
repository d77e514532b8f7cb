"""The README's lines for programs run as they are written, against the app as a person starts it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.api import sse_reader
from tests.api.test_openapi import OTHERS, STREAMED
from tests.api.ws_client import connected
from tests.test_app import ROOT, address, started

SECTION = (
    (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Over HTTP\n")[2].partition("\n## ")[0]
)
LINES = [line for block in re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with started(tmp_path_factory.mktemp("app"), CHAT_DEMO_PACE="0") as process:
        yield address(process)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_every_line_answers(url: str) -> None:
    assert len(LINES) == 4
    told = []
    for line in LINES:
        assert line.startswith("curl -N ")
        line = line.replace("http://127.0.0.1:7860", url)
        found = subprocess.run(["bash", "-c", line], capture_output=True, timeout=30, check=True)
        told.append(found.stdout)
    objects, marked, plain, openai = told
    *values, done, mark = sse_reader.read(objects).data
    assert mark == sse_reader.read(marked).data[-1] == sse_reader.read(openai).data[-1] == "[DONE]"
    assert json.loads(done) == {"done": True}
    assert any("function_result" in json.loads(value) for value in values)
    assert "441" in "".join(json.loads(value).get("content", "") for value in values)
    assert plain.decode().strip()
    assert not plain.startswith((b":", b"data"))
    chunks = [json.loads(value) for value in sse_reader.read(openai).data[:-1]]
    assert {chunk["model"] for chunk in chunks} == {"demo:tour"}


async def test_the_app_has_the_socket_too(url: str) -> None:
    async with connected(url, {}) as client:
        await client.send({"message": "Hello"})
        told = [message async for message in client]
    assert (told[0]["type"], told[-1]["type"], client.code) == ("opened", "turn_finished", 1000)


def test_the_document_names_every_route() -> None:
    document = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    for method, path in STREAMED | OTHERS:
        assert f"{method.upper()} {path}" in document
