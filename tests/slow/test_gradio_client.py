"""Gradio's own client, as it is: one endpoint, accumulated text, the same owners and limits as everywhere."""

import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError, AuthenticationError

from tests.test_app import ROOT, address, started

pytestmark = pytest.mark.slow

TOKEN = "a-token-of-the-tests-0123"
TICKS = "".join(f"tick {number}\n" for number in range(1, 21))


@contextmanager
def serving(folder: Path, **environ: str) -> Iterator[str]:
    settings = {"CHAT_DEMO_PACE": "0", "CHAT_TOKEN": TOKEN, **environ}
    with started(folder, **settings) as process:  # pyright: ignore[reportArgumentType]
        yield address(process).rstrip("/")


def client(url: str, **more: Any) -> Client:
    return Client(url, verbose=False, analytics_enabled=False, download_files=False, **more)


def kept(url: str, **headers: str) -> list[Any]:
    """The chats of whoever sends these headers."""
    request = urllib.request.Request(f"{url}/chats", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)["chats"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("shared")) as url:
        yield url


def test_a_program_asks_and_reads_the_growing_text(shared: str) -> None:
    ours = client(shared)
    shown = ours.view_api(return_format="dict")
    assert isinstance(shown, dict)
    assert (list(shown["named_endpoints"]), shown["unnamed_endpoints"]) == (["/chat"], {})
    parameters = shown["named_endpoints"]["/chat"]["parameters"]
    assert [(each["parameter_name"], each["parameter_has_default"]) for each in parameters] == [
        *(("message", False), ("model", True), ("temperature", True)),
    ]
    assert ours.predict("20 timed ticks", model="demo:fast", api_name="/chat") == TICKS
    assert "demo" in ours.predict("Hi!", temperature=0.5, api_name="/chat")
    job = ours.submit("20 timed ticks", "demo:fast", api_name="/chat")
    pieces: list[Any] = list(job)
    assert len(pieces) > 3
    assert all(later.startswith(earlier) for earlier, later in pairwise(pieces))
    assert all(pieces)
    assert pieces[-1] == TICKS

    cut = ours.predict("length limit", model="demo:fast", api_name="/chat")
    assert cut.endswith("\n\nNote: Ended at the length limit.")

    cookies = "; ".join(f"{name}={value}" for name, value in ours.cookies.items())
    assert "runnel_owner" in cookies, "a program is somebody, as a browser is"
    assert kept(shared, Cookie=cookies) == [], "a call is no chat"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ({"message": "Hi!", "model": "nobody:x"}, "There is no vendor nobody"),
        ({"message": " "}, "write a question first"),
        ({"message": ["Hi!"]}, "The message is to be a text."),
        ({"message": "Hi!", "temperature": 9}, "from 0 to 2"),
        ({"message": "Hi!", "temperature": True}, "from 0 to 2"),
        ({"message": "Hi!", "model": 5}, "vendor:model"),
        ({"message": "x" * 100_001}, "shorten it"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_the_next_question_works(
    shared: str, call: dict[str, Any], told: str
) -> None:
    ours = client(shared)
    with pytest.raises(AppError, match=told) as caught:
        ours.predict(**call, api_name="/chat")
    assert "Traceback" not in str(caught.value)
    assert ours.predict("20 timed ticks", model="demo:fast", api_name="/chat") == TICKS


def test_a_program_with_the_token_is_the_owner(tmp_path: Path) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with serving(tmp_path, CHAT_RATE="1/minute") as url:
        stranger = client(url)
        assert stranger.predict("20 timed ticks", "demo:fast", api_name="/chat") == TICKS
        with pytest.raises(AppError, match="Ask again in"):
            stranger.predict("20 timed ticks", "demo:fast", api_name="/chat")
        ours = client(url, headers=bearer)
        for _ in range(3):  # who brings the token is not counted
            assert ours.predict("20 timed ticks", "demo:fast", api_name="/chat") == TICKS


def test_the_lines_of_the_document(shared: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "http.md").read_text("utf-8")
    [lines] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(lines.replace("http://127.0.0.1:7860", shared), {})
    told = capsys.readouterr().out
    first, greeting, second = told.partition("Good to see you")
    assert greeting
    assert first.count("\n") == 1, "the client's own line"
    assert "Good to see you" in second, "both lines were answered"
    assert "a temperature of 0.5" in told, "what the second line asks with came along"


def test_with_logins_a_program_says_who_it_is(tmp_path: Path) -> None:
    with serving(tmp_path, CHAT_USERS="ada:correct horse") as url:
        with pytest.raises(AuthenticationError):
            client(url)
        ours = client(url, headers={"Authorization": "Basic YWRhOmNvcnJlY3QgaG9yc2U="})
        assert ours.predict("20 timed ticks", "demo:fast", api_name="/chat") == TICKS
