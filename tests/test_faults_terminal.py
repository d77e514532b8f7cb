"""A few failures up to the last edge: the lines of `python -m chat --events` and its exit code.

All of them, up to the events of a turn, are in test_faults.py.
"""

import asyncio
import json
from pathlib import Path

import pytest

from chat.cli import main
from tests.upstream import Upstream

KEY = "sk-test-0123456789abcdef"


@pytest.mark.parametrize("vendor", ["upstream", "openai", "anthropic"])
@pytest.mark.parametrize(
    ("scenario", "kind", "text"),
    [
        ("text-3", None, "tok1 tok2 tok3 "),
        ("fault-echo", "auth", ""),
        ("fault-html", "malformed", ""),
        ("fault-429-3600", "rate_limited", ""),
        ("fault-close-after-3", "cut_off", "tok1 tok2 tok3 "),
        ("fault-silence-after-3", "stalled", "tok1 tok2 tok3 "),
    ],
)
async def test_events_end_with_one_terminal_event(
    scenario: str,
    kind: str | None,
    text: str,
    vendor: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of ours
    async with Upstream() as upstream:
        for name, value in {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": f"{upstream.url}/v1",
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": upstream.url,
            "CHAT_ENDPOINTS": f"upstream={upstream.url}/v1",
            "UPSTREAM_API_KEY": KEY,
            "CHAT_IDLE_TIMEOUT": "0.3",
        }.items():
            monkeypatch.setenv(name, value)
        argv = ["--events", "--model", f"{vendor}:{scenario}", "Hello"]
        code = await asyncio.wait_for(asyncio.to_thread(main, argv), 20)
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    ends = [event for event in events if event["type"] in ("turn_finished", "turn_failed")]
    assert ends == events[-1:]
    assert "".join(event["text"] for event in events if event["type"] == "text_delta") == text
    assert code == (1 if kind else 0)
    assert kind is None or ends[0]["failure"]["kind"] == kind
    assert KEY not in out + err
    assert "Traceback" not in out + err
