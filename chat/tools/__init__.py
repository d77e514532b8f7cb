"""The tools that a model may ask for, and the machinery that runs them safely.

A tool is one function with type hints and a docstring under `@tool`, in the file of its name
beside this one; `NAMES` lists them. The schema and the validation come from the signature by
pydantic, the description from the docstring. What a tool needs from outside it takes as a
parameter of type `Context`, which the model does not see.

`Tools.run` turns everything that can go wrong into a result the model can read. The engine calls
it and owns the task; the page reads `switches`. A tool's file, and pydantic with it, is imported
when the tool is first asked for: importing this module costs next to nothing.
"""

import asyncio
import contextvars
import importlib
import inspect
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chat.events import Citation
from chat.messages import ToolSpec
from chat.settings import Settings
from chat.tools.declaration import Context, Tool, ToolError, tool

__all__ = ["LONGEST", "NAMES", "Context", "Outcome", "Switch", "Tool", "ToolError", "Tools", "load", "tool"]

NAMES = ("current_time", "calculate", "get_weather", "search_docs")
"""The tools there are, in the order of their switches. Each is the file and the function of that name."""

LONGEST = 20_000
"""Characters of a result that the model reads: some 5,000 tokens, which any model's context can spare."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. `result` is a JSON value, None when there is an `error`."""

    result: Any
    error: str | None
    text: str
    """What the model reads: the result, at most `LONGEST` characters and a note, or the error."""
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Switch:
    """What a page shows to turn a tool on or off."""

    name: str
    title: str


class Tools:
    """The tools of one app. `more` adds tools that have no file here (an embedder's, a test's)."""

    def __init__(self, settings: Settings, more: Iterable[Tool] = ()) -> None:
        self._settings = settings
        self._more = {each.name: each for each in more}
        self.names: tuple[str, ...] = tuple(dict.fromkeys((*NAMES, *self._more)))

    @property
    def switches(self) -> tuple[Switch, ...]:
        found = (self._find(name) for name in self.names)
        return tuple(Switch(each.name, each.name.replace("_", " ").capitalize()) for each in found)

    def specs(self, names: Iterable[str]) -> tuple[ToolSpec, ...]:
        """What the model is told about the tools `names`. A name that is no tool is left out."""
        return tuple(self._find(name).spec for name in names if name in self.names)

    async def run(
        self, name: str, arguments: str, progress: Callable[[str], None] = lambda text: None
    ) -> Outcome:
        """Run one call. `arguments` is the model's raw JSON text. Raises nothing but CancelledError.

        Cancelling abandons the call at once: an async tool is cancelled with it, a thread goes on
        by itself and its result is dropped. `progress` is called on the loop, and not after the end.
        """
        loop, thread = asyncio.get_running_loop(), threading.get_ident()
        citations: dict[Citation, None] = {}
        running = True

        def report(what: Callable[[], object]) -> None:
            def now() -> None:
                if running:
                    what()

            if threading.get_ident() == thread:
                now()
            else:
                with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                    loop.call_soon_threadsafe(now)

        context = Context(
            self._settings,
            progress=lambda text: report(lambda: progress(text)),
            cite=lambda title, url: report(lambda: citations.setdefault(Citation(title, url))),
        )
        try:
            result, text = _written(await self._call(name, arguments, context))
            return Outcome(result, None, text, tuple(citations))
        except ToolError as error:
            return Outcome(None, str(error), str(error))
        except (Exception, SystemExit):
            log.exception("the tool %s failed", name)
            sentence = f"The tool {name} failed because of an error inside it. Answer without it."
            return Outcome(None, sentence, sentence)
        finally:
            running = False

    async def _call(self, name: str, arguments: str, context: Context) -> Any:
        if name not in self.names:
            raise ToolError(f"There is no tool “{name[:80]}”. There are: {', '.join(self.names)}.")
        found = self._find(name)
        call = found.bound(found.validated(arguments), context)
        deadline = asyncio.timeout(found.timeout)
        try:
            async with deadline:
                if inspect.iscoroutinefunction(found.function):
                    return await call()
                return await _in_thread(call, name)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise ToolError(f"The tool {name} gave no answer within {found.timeout:g} seconds.") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            raise RuntimeError("the tool was cancelled from inside") from error

    def _find(self, name: str) -> Tool:
        if name in self._more:
            return self._more[name]
        return getattr(importlib.import_module(f"{__name__}.{name}"), name)


def load(settings: Settings) -> Tools:
    """The tools of `NAMES`, bound to `settings`."""
    return Tools(settings)


def _in_thread(call: Callable[[], Any], name: str) -> Awaitable[Any]:
    """The result of `call` in a thread that nothing waits for.

    Not `asyncio.to_thread`: its pool is joined when the loop and the process end, so that one
    hanging tool would keep the program from exiting. A daemon thread is simply left behind.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except StopIteration as stop:  # cannot be set on a future
            error = RuntimeError(f"StopIteration({stop.value!r})")
        except BaseException as caught:
            error = caught
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name=f"tool {name}", daemon=True).start()
    return future


def _written(value: Any) -> tuple[Any, str]:
    """`value` as a JSON value and as the model's text, both capped. A string is its own text."""
    from pydantic_core import to_json

    result = json.loads(to_json(value, inf_nan_mode="strings"))
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    if len(text) > LONGEST:
        cut = len(text) - LONGEST
        result = text = f"{text[:LONGEST]}\n[The last {cut:,} characters of this result were left out.]"
    return result, text or "(nothing)"
