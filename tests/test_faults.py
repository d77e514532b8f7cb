"""Every failure a provider can play, through the real SDK clients, up to the events of a turn.

Given this scenario of `tests.upstream`: exactly one terminal event, of the right kind, with what was
said before it kept, and a sentence for a person. And: whatever happens, nothing is left behind.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from chat import attempts
from chat.build import App, open_app
from chat.errors import Kind
from chat.events import Notice, Retrying, TextDelta, TurnFailed, TurnFinished
from chat.messages import Options, Turn
from chat.runs import Run
from chat.settings import Deadlines, Settings
from tests.upstream import Upstream

pytestmark = pytest.mark.usefixtures("sdks")

KEY = "sk-test-0123456789abcdef"
PROTOCOLS = {"chat": "upstream", "responses": "openai", "messages": "anthropic"}
"""Who speaks it, in the settings below."""


def settings(upstream: Upstream, **limits: float) -> Settings:
    environ = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{upstream.url}/v1",
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": upstream.url,
        "CHAT_ENDPOINTS": f"upstream={upstream.url}/v1",
        "UPSTREAM_API_KEY": KEY,
        "CHAT_LOCAL": "0",
    }
    return replace(Settings.read(environ), deadlines=replace(Deadlines(), **limits))


Opened = Callable[..., Awaitable[App]]


@pytest.fixture
async def app(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    async with open_app(settings(upstream)) as app:
        yield app


async def ask(app: App, protocol: str, scenario: str, **options: Any) -> Run:
    """The finished run of a question that plays `scenario`."""
    run = start(app, protocol, scenario, **options)
    await asyncio.wait_for(run.finished(), 20)
    return run


def start(app: App, protocol: str, scenario: str, **options: Any) -> Run:
    model = f"{PROTOCOLS[protocol]}:{scenario}"
    return app.runs.start(Turn("Hello", Options(model=model, **options)))


def tokens(count: int) -> str:
    return "".join(f"tok{number} " for number in range(1, count + 1))


@dataclass(frozen=True)
class Case:
    """`asked` is how often the provider is asked: a failure that may pass is tried again."""

    scenario: str
    kind: Kind
    said: int = 0
    asked: int = 1
    status: int | None = None
    retry_after: float | None = None


CASES = (
    Case("fault-401", "auth", status=401),
    Case("fault-403", "auth", status=403),
    Case("fault-echo", "auth", status=401),
    Case("fault-404", "not_found", status=404),
    Case("fault-400", "bad_request", status=400),
    Case("fault-context", "too_large", status=400),
    Case("fault-429-0", "rate_limited", asked=3, status=429, retry_after=0),
    Case("fault-429-3600", "rate_limited", status=429, retry_after=3600),
    Case("fault-500", "server", asked=3, status=500),
    Case("fault-529", "overloaded", asked=3, status=529),
    Case("fault-html", "malformed", status=200),
    Case("fault-html-502", "server", asked=3, status=502),
    Case("fault-json-error", "overloaded", asked=3),
    Case("fault-empty-body", "empty", status=200),
    Case("fault-nothing", "empty"),
    Case("fault-error-after-5", "overloaded", said=5),
    Case("fault-error", "overloaded", asked=3),
    Case("fault-reset-after-5", "cut_off", said=5),
    Case("fault-close-after-5", "cut_off", said=5),
    Case("fault-close", "cut_off", asked=3),
    Case("fault-cut-after-5", "cut_off", said=5),
    Case("fault-broken-json-after-5", "malformed", said=5, status=200),
    Case("fault-broken-utf8-after-5", "malformed", said=5),
    Case("fault-silence", "stalled"),
    Case("fault-silence-after-5", "stalled", said=5),
    Case("fault-pings", "stalled"),
    Case("fault-pings-after-5", "stalled", said=5),
    Case("fault-huge-after-5", "too_large", said=5),
    Case("loop-1", "too_many_rounds", asked=8),
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.scenario)
async def test_every_failure_ends_the_turn_once_and_in_words(
    case: Case, protocol: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    # Short only for what is to be missed: a busy machine may be slow with what does come.
    missed = {"idle": 0.8} if case.said else {"first": 0.8}
    limits = missed if case.kind == "stalled" else {}
    async with open_app(settings(upstream, **limits)) as app:
        run = await ask(app, protocol, case.scenario)
    *events, last = (entry.event for entry in run.entries)
    assert isinstance(last, TurnFailed)
    assert not any(isinstance(event, TurnFailed | TurnFinished) for event in events)
    kind = "server" if protocol == "responses" and "fault-error" in case.scenario else case.kind
    failure = last.failure
    assert (failure.kind, failure.status, failure.retry_after) == (kind, case.status, case.retry_after)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == tokens(case.said)
    assert run.transcript.text == tokens(case.said)
    assert len(upstream.replies) == case.asked
    assert sum(isinstance(event, Retrying) for event in events) == (case.asked - 1 if not loops(case) else 0)
    plain(failure.message)
    for event in events:
        assert KEY not in repr(event)


def loops(case: Case) -> bool:
    return case.scenario.startswith("loop")


def plain(message: str) -> None:
    """Sentences for a person: a cause and a next step, nothing of our or a vendor's insides."""
    assert KEY not in message
    assert message[0].isupper() or message.startswith(("upstream ", "loop-1 "))
    assert message.endswith((".", "”"))
    assert 30 < len(message) < 600
    for inside in ("<", "Traceback", "Error(", "httpx", "b'", "\n", "{", "None", "track()"):
        assert inside not in message, message


@pytest.mark.parametrize("scenario", ["fault-error-nested-after-5", "fault-failed-after-5"])
async def test_the_other_shapes_of_an_error_in_a_responses_stream(scenario: str, app: App) -> None:
    run = await ask(app, "responses", scenario)
    assert run.transcript.failure is not None
    assert (run.transcript.failure.kind, run.transcript.text) == ("server", tokens(5))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("scenario", ["fault-json", "fault-trickle", "text-5+hold", "ping-0.1+text-5"])
async def test_what_looks_odd_and_is_an_answer(scenario: str, protocol: str, app: App) -> None:
    run = await ask(app, protocol, scenario)
    assert run.state == "complete", run.transcript.failure
    assert run.transcript.text == tokens(20 if "trickle" in scenario else 5)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fault", ["500", "529", "429-0", "html-502", "error", "close", "cut"])
async def test_a_failure_that_passes_is_tried_again_and_shown(fault: str, protocol: str, app: App) -> None:
    run = await ask(app, protocol, f"once-fault-{fault}")
    events = [entry.event for entry in run.entries]
    assert [event.attempt for event in events if isinstance(event, Retrying)] == [2]
    assert (run.state, run.transcript.text) == ("complete", tokens(5))


async def test_a_short_retry_after_is_honoured(app: App, upstream: Upstream) -> None:
    run = await ask(app, "messages", "once-fault-429-1")
    assert [e.event.delay for e in run.entries if isinstance(e.event, Retrying)] == [1]
    first, second = upstream.replies
    assert second.opened - first.opened >= 1


@pytest.mark.parametrize("protocol", ["chat", "responses"])
async def test_a_refused_parameter_is_left_out_once_and_remembered(
    protocol: str, app: App, upstream: Upstream
) -> None:
    for _ in range(2):
        run = await ask(app, protocol, "fault-temperature", temperature=0.5)
        assert (run.state, run.transcript.text) == ("complete", tokens(5))
        assert any(isinstance(entry.event, Notice) for entry in run.entries)
    assert ["temperature" in reply.body for reply in upstream.replies] == [True, False, False]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("stop", ["length", "refusal"])
async def test_the_way_it_ended_is_told(stop: str, protocol: str, app: App) -> None:
    run = await ask(app, protocol, f"text-5+stop-{stop}")
    assert (run.state, run.transcript.stop) == ("complete", stop)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_parallel_calls_are_run_and_their_results_go_back(
    protocol: str, app: App, upstream: Upstream
) -> None:
    run = await ask(app, protocol, "think-3+tools-2+text-5", tools=("calculate", "current_time"))
    assert (run.state, run.transcript.text) == ("complete", tokens(5)), run.transcript.failure
    assert {call.name for call in run.transcript.calls} == {"calculate", "current_time"}
    assert "42" in repr(upstream.replies[1].body)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("scenario", ["text-5000-200", "text-3+wait-30", "fault-silence", "ping-30"])
async def test_stop_frees_the_provider_within_100_ms(
    scenario: str, protocol: str, upstream: Upstream
) -> None:
    for chance in (1, 2, 3):  # a busy machine may hold up this very moment, but not each time
        async with open_app(settings(upstream)) as app:
            run = start(app, protocol, scenario)
            reply = await asyncio.wait_for(upstream.request(), 10)
            if scenario.startswith("text"):
                while not run.transcript.text:
                    await run.wait(run.seq)
            stopped = time.monotonic()
            run.stop()
            await asyncio.wait_for(asyncio.gather(run.finished(), reply.over()), 5)
        assert reply.left is not None
        if (took := reply.left - stopped) < 0.1:
            break
        assert chance < 3, f"freed after {took:.3f} s"
    assert run.state == "stopped"
    assert run.transcript.text == tokens(run.transcript.text.count("tok"))
    assert bool(run.transcript.text) == scenario.startswith("text")
    assert sum(isinstance(entry.event, TurnFailed | TurnFinished) for entry in run.entries) == 1


async def test_many_turns_leave_nothing_behind(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    before = asyncio.all_tasks(), descriptors()
    outcomes: dict[str, int] = {}
    async with open_app(settings(upstream)) as app:
        gate = asyncio.Semaphore(20)

        async def turn(number: int) -> None:
            async with gate:
                protocol = list(PROTOCOLS)[number % 3]
                failing = ("fault-reset-after-3", "fault-401", "fault-error-after-3", "fault-html")
                if number % 5 == 1:
                    run = start(app, protocol, "text-5000-500")
                    while not run.transcript.text:
                        await run.wait(run.seq)
                    run.stop()
                elif number % 10 == 2:
                    run = start(app, protocol, failing[number // 10 % len(failing)])
                else:
                    run = start(app, protocol, "think-5+text-50")
                await run.finished()
                outcomes[run.state] = outcomes.get(run.state, 0) + 1

        await asyncio.gather(*(turn(number) for number in range(150)))
        running = {task for task in asyncio.all_tasks() if task.get_name().startswith("run ")}
        assert not running
    assert outcomes == {"complete": 105, "stopped": 30, "failed": 15}
    async with asyncio.timeout(5):
        while upstream.connections:
            closing = (writer.wait_closed() for writer in tuple(upstream.connections))
            await asyncio.gather(*closing, return_exceptions=True)
        while descriptors() > before[1] or asyncio.all_tasks() - before[0]:
            await asyncio.sleep(0)
    assert all(reply.done.is_set() for reply in upstream.replies)


def descriptors() -> int:
    """Open files and sockets of this process; 0 where it cannot be counted."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
