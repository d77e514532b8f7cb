"""How a function becomes a tool: `@tool`, what it may use and raise, its schema and validation.

Nothing is run here (`chat.tools` does that) and no tool lives here. pydantic is imported when a
schema or a validation is first asked for.
"""

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, overload

from chat.messages import ToolSpec
from chat.settings import Settings

TIMEOUT = 20.0
"""Seconds a tool may take unless it says otherwise: a person watches and waits."""


class ToolError(Exception):
    """Raised by a tool: a plain sentence that the model reads in place of a result."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a tool is given beside its arguments. Both functions may be called from any thread."""

    settings: Settings
    progress: Callable[[str], None]
    """Says what happens now, in words."""
    cite: Callable[[str, str], None]
    """Names a source: title, then address."""


class Tool:
    """A function that a model may call. Calling the object calls the function, as in a test."""

    def __init__(self, function: Callable[..., Any], timeout: float = TIMEOUT) -> None:
        if not function.__doc__:
            raise TypeError(f"the tool {function.__name__} needs a docstring: the model reads it")
        self.function = function
        self.name = function.__name__
        self.description = inspect.cleandoc(function.__doc__)
        self.timeout = timeout

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @functools.cached_property
    def spec(self) -> ToolSpec:
        schema = self._arguments.json_schema()
        for parameter in schema.get("properties", {}).values():
            parameter.pop("title", None)  # pydantic writes the name again, which costs tokens
        return ToolSpec(self.name, self.description, schema)

    def validated(self, arguments: str) -> dict[str, Any]:
        """The keyword arguments in the JSON text `arguments`. Raises `ToolError` saying what is wrong."""
        from pydantic import ValidationError

        text = arguments.strip()
        try:
            # Models send nothing, or null, to a tool without parameters.
            return self._arguments.validate_json("{}" if text in ("", "null") else text)
        except ValidationError as error:
            faults = (
                ": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"])))
                for fault in error.errors(include_url=False, include_context=False, include_input=False)[:5]
            )
            raise ToolError(f"The arguments of {self.name} cannot be used. {'; '.join(faults)}.") from error

    def bound(self, arguments: dict[str, Any], context: Context) -> Callable[[], Any]:
        """The call, with `context` where the function asks for it."""
        hidden = {name: context for name, hint in self._hints.items() if hint is Context}
        return functools.partial(self.function, **arguments, **hidden)

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.function, include_extras=True)

    @functools.cached_property
    def _arguments(self) -> Any:
        """A pydantic TypeAdapter whose values are the keyword arguments.

        It validates a stand-in with the function's signature, not the function itself: so an
        error of the arguments cannot be confused with one from inside, and `Context` stays out.
        """
        from pydantic import TypeAdapter

        def stand_in(**arguments: Any) -> dict[str, Any]:
            return arguments

        shown = [
            parameter.replace(
                annotation=self._hints.get(parameter.name, Any), kind=inspect.Parameter.KEYWORD_ONLY
            )
            for parameter in inspect.signature(self.function).parameters.values()
            if self._hints.get(parameter.name) is not Context
        ]
        stand_in.__signature__ = inspect.Signature(shown)
        stand_in.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        return TypeAdapter[Any](stand_in)  # pyright: ignore[reportArgumentType]  (a function is fine)


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(*, timeout: float) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, /, *, timeout: float = TIMEOUT) -> Any:
    """Make a tool of a function: `@tool`, or `@tool(timeout=5)` in seconds.

    A plain function runs in a thread of its own, an async one on the loop. Its result is any value
    that pydantic can write as JSON. It raises `ToolError` to tell the model what to do better.
    """
    return Tool(function, timeout) if function else functools.partial(Tool, timeout=timeout)
