"""Finds the JSON in an answer's text. Pure, and linear in the text's length on hostile input too.

The activity view shows what it finds as a tree; anything else that wants data out of prose may call it.
"""

import json
import re
from enum import Enum
from typing import Any, Final


class Nothing(Enum):
    """The absence of a value, since `None` is one (`null`)."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING

DEEPEST = 100
"""Levels of nesting. Deeper is not data that a person wants to see, and Python's parser would recurse."""

_OPENING = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*json\b[^\n`]*\n", re.MULTILINE | re.IGNORECASE)
_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:
        (?P<mark>[\[\]{},:])
      | (?P<string>"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")
      | (?P<scalar>(?:
            -?(?:0|[1-9][0-9]{0,999})(?:\.[0-9]{1,999})?(?:[eE][+-]?[0-9]{1,3})?
          | true | false | null
        )(?![0-9A-Za-z_.]))
    )""",
    re.VERBOSE,
)
_BRACKET = re.compile(r"[\[{]")

# What may come next: a value or the end, a value, a comma or the end, a key or the end, a key, a colon.
_FIRST, _VALUE, _AFTER, _FIRST_KEY, _KEY, _COLON = range(6)


def find_json(text: str) -> Any:
    """The first fenced block marked `json`, else the first balanced object or array that parses.

    `NOTHING` when there is neither. Of nested ones the outermost counts; one that stands inside
    something broken counts too: `{oops {"a": 1}` gives `{"a": 1}`.
    """
    if (opening := _OPENING.search(text)) is not None:
        fence = opening[1]
        end = re.compile(rf"^ {{0,3}}{fence}[ \t]*$", re.MULTILINE).search(text, opening.end())
        block = text[opening.end() : end.start() if end else len(text)]
        if (value := _parse(block)) is not NOTHING:
            return value
    at = 0
    while (bracket := _BRACKET.search(text, at)) is not None:
        found, at = _balanced(text, bracket.start())
        if found is not None and (value := _parse(text[slice(*found)])) is not NOTHING:
            return value
    return NOTHING


def _parse(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse)
        return value if _depth(value) <= DEEPEST else NOTHING
    except (ValueError, RecursionError):
        return NOTHING


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [v for v in level if isinstance(v, dict | list)]:
        depth += 1
        level = [child for v in level for child in (v.values() if isinstance(v, dict) else v)]
    return depth


def _balanced(text: str, at: int) -> tuple[tuple[int, int] | None, int]:
    """Reads from the bracket at `at` up to its end or the first thing that is not JSON.

    Gives the earliest object or array that was complete, and where to go on. Whatever was open when
    something broke is broken as well, so each character is read about once.
    """
    frames: list[tuple[int, str]] = []  # where it began, what ends it
    expect = _VALUE
    best: tuple[int, int] | None = None
    while (token := _TOKEN.match(text, at)) is not None:
        mark, begin, at = token["mark"], token.end() - 1, token.end()
        match mark:
            case "[" | "{" if expect in (_FIRST, _VALUE) and len(frames) < DEEPEST:
                frames.append((begin, "]" if mark == "[" else "}"))
                expect = _FIRST if mark == "[" else _FIRST_KEY
            case "]" | "}" if expect in (_FIRST, _FIRST_KEY, _AFTER) and frames[-1][1] == mark:
                start, _ = frames.pop()
                if best is None or start < best[0]:
                    best = (start, at)
                if not frames:
                    return best, at
                expect = _AFTER
            case "," if expect == _AFTER:
                expect = _VALUE if frames[-1][1] == "]" else _KEY
            case ":" if expect == _COLON:
                expect = _VALUE
            case None if expect in (_FIRST, _VALUE):
                expect = _AFTER
            case None if expect in (_FIRST_KEY, _KEY) and token["string"]:
                expect = _COLON
            case _:
                # A bracket may begin something new; anything else cannot.
                return best, begin if mark in ("[", "{") and frames else at
    # Neither JSON nor the end of what was open. A quotation mark that nothing closes is only skipped.
    return best, at + 1
