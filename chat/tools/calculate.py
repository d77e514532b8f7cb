"""The tool `calculate`: arithmetic without `eval`, on simpleeval cut down to numbers.

Every operation is bounded (numbers of at most `BITS` bits, `LONGEST` characters of expression),
so that `9**9**9` or `factorial(10**9)` is refused instead of hanging. No strings, attributes,
subscripts, comprehensions or keywords exist here.
"""

import ast
import math
import operator
import statistics
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from chat.tools import ToolError, tool

LONGEST = 500
"""Characters of an expression: more than a person writes, little enough that any is quick."""
BITS = 10_000
"""Bits of a whole number: 3,010 digits, below the 4,300 that Python turns into text."""

_SPELT = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "√": "sqrt", "^": "**"})
"""How people write. `^` is made a power before parsing: as Python's xor it would bind looser than `+`."""
_NODES = (
    ast.BinOp,
    ast.BoolOp,
    ast.Call,
    ast.Compare,
    ast.Constant,
    ast.IfExp,
    ast.List,
    ast.Name,
    ast.Tuple,
    ast.UnaryOp,
)


@tool(timeout=5)
def calculate(
    expression: Annotated[
        str,
        Field(
            description="Such as (17.5 * 3 + 2)**2 / 7 or sqrt(2) * sin(radians(30)). "
            "** and ^ both mean power; angles are in radians."
        ),
    ],
) -> int | float | str | bool:
    """Work out an arithmetic expression.

    Knows + - * / // % **, comparisons, pi, e, tau and functions such as sqrt, exp, log, sin, round,
    min, max, sum, mean, median, factorial, comb, gcd.
    """
    import simpleeval

    if len(expression) > LONGEST:
        raise ToolError(f"The expression is longer than {LONGEST} characters. Work it out in parts.")
    evaluator = simpleeval.EvalWithCompoundTypes(_OPERATORS, dict(_FUNCTIONS), dict(_NAMES))
    evaluator.functions = _FUNCTIONS  # without list, tuple, dict and set, which it adds by itself
    handlers = evaluator.nodes or {}
    evaluator.nodes = {kind: handlers[kind] for kind in _NODES}
    try:
        tree = ast.parse(expression.translate(_SPELT).strip(), mode="eval")
        return _shown(evaluator.eval(expression, previously_parsed=tree.body))
    except SyntaxError as error:
        raise ToolError(f"“{expression}” is not an arithmetic expression: {error.msg}.") from error
    except ZeroDivisionError as error:
        raise ToolError("This divides by zero.") from error
    except OverflowError as error:
        raise ToolError("The numbers become too large.") from error
    except simpleeval.FunctionNotDefined as error:
        raise ToolError(
            f"There is no function {error.func_name}. There are: {', '.join(_FUNCTIONS)}."
        ) from error
    except simpleeval.NameNotDefined as error:
        raise ToolError(f"{error.name} has no value. Only numbers, {', '.join(_NAMES)} are known.") from error
    except simpleeval.InvalidExpression as error:
        raise ToolError("Only numbers, operators and calls of functions can be used here.") from error
    except (ValueError, TypeError, KeyError, statistics.StatisticsError) as error:
        raise ToolError(f"This cannot be worked out: {error}.") from error
    except (RecursionError, MemoryError) as error:
        raise ToolError("The expression is nested too deeply. Work it out in parts.") from error


def _shown(value: Any) -> int | float | str | bool:
    """The value for the model: floats to 15 digits (0.1 + 0.2 is 0.3), large whole numbers as text."""
    match value:
        case bool():
            return value
        case int():
            # A page's JSON numbers are doubles: beyond 2**53 they would change.
            return value if abs(value) <= 2**53 else str(value)
        case float() if math.isfinite(value):
            return float(f"{value:.15g}")
        case float() | complex():
            raise ToolError("The result is not a real number.")
    raise ToolError("The result is not one number.")


def _checked(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > BITS:
        raise ToolError("The numbers become too large.")
    return value


def _numeric(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` for numbers alone: no list is repeated, and no result grows beyond `BITS`."""

    def bounded(*values: Any) -> Any:
        if not all(isinstance(value, int | float | complex) for value in values):
            raise TypeError("a number is needed here")
        return _checked(function(*values))

    return bounded


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > 2 * BITS:
        raise OverflowError
    return base**exponent


def _up_to(limit: int, function: Callable[..., Any]) -> Callable[..., Any]:
    def bounded(*values: Any) -> Any:
        if any(abs(value) > limit for value in values):
            raise OverflowError
        return function(*values)

    return bounded


def _of_list(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of one list or of several numbers: `sum(1, 2)` and `sum([1, 2])` alike."""

    def bounded(*values: Any) -> Any:
        return _checked(
            function(values[0] if len(values) == 1 and isinstance(values[0], list | tuple) else values)
        )

    return bounded


_OF_MATH = (
    *("sqrt", "cbrt", "exp", "log", "log2", "log10", "floor", "ceil", "trunc", "gcd", "lcm", "hypot"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "degrees", "radians"),
)
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: _numeric(operator.add),
    ast.Sub: _numeric(operator.sub),
    ast.Mult: _numeric(operator.mul),
    ast.Div: _numeric(operator.truediv),
    ast.FloorDiv: _numeric(operator.floordiv),
    ast.Mod: _numeric(operator.mod),
    ast.Pow: _numeric(_power),
    ast.USub: _numeric(operator.neg),
    ast.UAdd: _numeric(operator.pos),
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _numeric(getattr(math, name)) for name in _OF_MATH},
    **{name: _numeric(_up_to(1000, getattr(math, name))) for name in ("factorial", "comb", "perm")},
    "abs": _numeric(abs),
    "pow": _numeric(_power),
    # round(1, -10**9) would build 10**10**9 first.
    "round": _numeric(
        lambda value, digits=0: round(value, _up_to(300, int)(digits)) if digits else round(value)
    ),
    **{
        name: _of_list(function)
        for name, function in {
            "min": min,
            "max": max,
            "sum": sum,
            "mean": statistics.fmean,
            "median": statistics.median,
        }.items()
    },
}
_NAMES = {"pi": math.pi, "e": math.e, "tau": math.tau, "True": True, "False": False}
