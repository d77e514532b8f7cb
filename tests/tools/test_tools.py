"""Running a tool: whatever happens, the model gets something to read and nobody waits for long."""

import asyncio
import dataclasses
import json
import logging
import subprocess
import sys
import textwrap
import threading
from datetime import date
from typing import Any

import pytest

from chat.events import Citation
from chat.settings import Settings
from chat.tools import LONGEST, NAMES, Context, Outcome, Tool, ToolError, Tools, load, tool


async def run(made: Tool, arguments: str = "", **given: Any) -> Outcome:
    return await Tools(Settings(), [made]).run(made.name, arguments, **given)


def test_every_tool_has_a_spec_and_a_switch():
    tools = load(Settings())
    assert tools.names == NAMES == tuple(switch.name for switch in tools.switches)
    assert tuple(spec.name for spec in tools.specs(NAMES)) == NAMES
    assert "Search docs" in {switch.title for switch in tools.switches}
    assert [spec.name for spec in tools.specs(["calculate", "gone"])] == ["calculate"]


async def test_a_plain_function_runs_in_a_thread_and_an_async_one_on_the_loop():
    @tool
    def plain() -> bool:
        """In a thread."""
        return threading.current_thread() is threading.main_thread()

    @tool
    async def coroutine() -> bool:
        """On the loop."""
        return threading.current_thread() is threading.main_thread()

    assert (await run(plain)).result is False
    assert (await run(coroutine)).result is True


@dataclasses.dataclass
class Bike:
    name: str
    built: date


@pytest.mark.parametrize(
    ("value", "result", "text"),
    [
        ("as it is", "as it is", "as it is"),
        ({"a": [1, 2.5, None]}, {"a": [1, 2.5, None]}, '{"a": [1, 2.5, null]}'),
        (
            Bike("Élan", date(2026, 1, 2)),
            {"name": "Élan", "built": "2026-01-02"},
            '{"name": "Élan", "built": "2026-01-02"}',
        ),
        ((1, 2), [1, 2], "[1, 2]"),
        (float("inf"), "Infinity", "Infinity"),
        (None, None, "null"),
        ("", "", "(nothing)"),
    ],
)
async def test_what_a_tool_returns_becomes_json_and_the_models_text(value: Any, result: Any, text: str):
    @tool
    def give() -> Any:
        """Give."""
        return value

    assert await run(give) == Outcome(result, None, text)


async def test_a_result_too_large_is_cut_with_a_note():
    @tool
    def long() -> list[str]:
        """Long."""
        return ["x" * 100] * 10_000

    outcome = await run(long)
    assert outcome.error is None
    assert outcome.text.endswith("[The last 1,020,000 characters of this result were left out.]")
    assert len(outcome.text) < LONGEST + 100
    assert outcome.result == outcome.text  # neither the events nor the page carry a megabyte


async def test_an_unknown_tool_is_answered_with_the_names_there_are():
    outcome = await load(Settings()).run("delete_everything", "{}")
    assert outcome.error == f"There is no tool “delete_everything”. There are: {', '.join(NAMES)}."
    assert (outcome.text, outcome.result) == (outcome.error, None)


async def test_broken_arguments_are_answered_and_the_tool_is_not_called():
    @tool
    def careful(number: int) -> None:
        """Never called here."""
        raise AssertionError

    outcome = await run(careful, '{"number": ')
    assert outcome.error is not None
    assert outcome.error.startswith("The arguments of careful cannot be used. Invalid JSON")


async def test_a_sentence_of_the_tool_reaches_the_model_as_it_is(caplog: pytest.LogCaptureFixture):
    @tool
    def strict() -> None:
        """Strict."""
        raise ToolError("Not on Sundays.")

    assert await run(strict) == Outcome(None, "Not on Sundays.", "Not on Sundays.")
    assert not caplog.records


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("secret"), StopIteration("secret"), SystemExit("secret"), TimeoutError("secret")],
    ids=repr,
)
@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_a_bug_is_logged_with_its_traceback_and_shown_as_a_neutral_sentence(
    error: BaseException, kind: str, caplog: pytest.LogCaptureFixture
):
    def broken() -> None:
        """Broken."""
        raise error

    async def broken_too() -> None:
        """Broken."""
        raise error

    outcome = await run(Tool(broken if kind == "plain" else broken_too))
    assert outcome.error is not None
    assert "secret" not in outcome.text
    assert "because of an error inside it" in outcome.error
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info


async def test_a_value_that_is_no_json_is_a_bug_of_the_tool(caplog: pytest.LogCaptureFixture):
    @tool
    def odd() -> Any:
        """Odd."""
        return object()

    assert (await run(odd)).error is not None
    assert caplog.records


async def test_a_tool_that_cancels_itself_is_a_bug_and_not_a_stop(caplog: pytest.LogCaptureFixture):
    @tool
    async def gives_up() -> None:
        """Gives up."""
        raise asyncio.CancelledError

    assert "error inside it" in (await run(gives_up)).text
    assert caplog.records


async def test_a_timeout_is_a_sentence_and_an_async_tool_is_cancelled():
    cleaned = asyncio.Event()

    @tool(timeout=0.01)
    async def slow() -> None:
        """Slow."""
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    outcome = await run(slow)
    assert outcome.error == "The tool slow gave no answer within 0.01 seconds."
    assert cleaned.is_set()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_thread_that_hangs_is_left_behind():
    release = threading.Event()

    @tool(timeout=0.01)
    def hangs(context: Context) -> str:
        """Hangs."""
        release.wait()
        context.progress("too late")
        context.cite("too", "late")
        return "too late"

    heard: list[str] = []
    outcome = await run(hangs, progress=heard.append)
    [thread] = [each for each in threading.enumerate() if each.name == "tool hangs"]
    release.set()
    await asyncio.to_thread(thread.join)
    await asyncio.sleep(0)  # what the thread handed to the loop has run
    assert outcome.error == "The tool hangs gave no answer within 0.01 seconds."
    assert heard == []


async def test_cancelling_abandons_a_thread_at_once():
    started, release = threading.Event(), threading.Event()

    @tool
    def hangs() -> None:
        """Hangs."""
        started.set()
        release.wait()

    task = asyncio.create_task(run(hangs))
    await asyncio.to_thread(started.wait)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=1)
    release.set()
    assert done
    assert task.cancelled()


def test_a_hanging_thread_does_not_keep_the_program_from_exiting():
    program = """
        import asyncio, threading
        from chat.settings import Settings
        from chat.tools import Tools, tool
        @tool(timeout=0.01)
        def hangs() -> None:
            "Hangs."
            threading.Event().wait()
        print(asyncio.run(Tools(Settings(), [hangs]).run("hangs", "")).error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert "no answer" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_progress_and_citations_arrive_on_the_loop_in_order(kind: str):
    def work(context: Context) -> int:
        """Work."""
        context.progress("one")
        context.cite("Guide", "guide.md")
        context.cite("Notes", "notes.md")
        context.cite("Guide", "guide.md")
        context.progress("two")
        return 3

    async def work_too(context: Context) -> int:
        """Work."""
        return work(context)

    heard: list[tuple[str, bool]] = []
    outcome = await run(
        Tool(work if kind == "plain" else work_too),
        progress=lambda text: heard.append((text, threading.current_thread() is threading.main_thread())),
    )
    assert heard == [("one", True), ("two", True)]
    assert outcome == Outcome(3, None, "3", (Citation("Guide", "guide.md"), Citation("Notes", "notes.md")))


def test_importing_the_machinery_imports_no_tool_and_nothing_heavy():
    program = "import chat.tools, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout))
    assert not modules & {"pydantic", "httpx2", "simpleeval", "sqlite3", "zoneinfo"}
    assert not modules & {f"chat.tools.{name}" for name in NAMES}
