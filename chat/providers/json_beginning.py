"""Whether a text can be the beginning of JSON. Called by `arguments`, while it is unclear what a piece is."""

import re
from typing import Final

MAX_DEPTH: Final = 200
"""Objects and lists inside one another. No tool takes more, and few readers of JSON do."""

_TOKEN: Final = re.compile(
    r"""[ \t\r\n]*+(?:
        (?P<sign> [][{}:,])
      | (?P<string> "(?:[^"\\]|\\.)*+ (?:"|\\?\Z))
      | (?P<word> [-+.\w]++)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORD: Final = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?|true|false|null")

_OPENS: Final = {"{": "key or }", "[": "value or ]"}
_CLOSES: Final = {"}": ("{", "key or }"), "]": ("[", "value or ]")}


def may_begin(text: str) -> bool:
    """Whether something can be written behind `text` so that all of it is a JSON object or list, or whether
    it is one already. What a string may hold is not looked at."""
    inside: list[str] = []
    awaited, at = "value", 0
    while found := _TOKEN.match(text, at):
        at, token = found.end(), found[found.lastgroup or 0]
        if token in _OPENS:
            fits, awaited = awaited.startswith("value"), _OPENS[token]
            inside.append(token)
        elif token in _CLOSES:
            opened, empty = _CLOSES[token]
            fits = inside[-1:] == [opened] and awaited in (empty, "comma")
            inside, awaited = inside[:-1], "comma"
        elif token == ":":
            fits, awaited = awaited == "colon", "value"
        elif token == ",":
            fits, awaited = awaited == "comma" and bool(inside), "key" if inside[-1:] == ["{"] else "value"
        elif found.lastgroup == "string":
            key = awaited.startswith("key")
            fits, awaited = key or awaited.startswith("value"), "colon" if key else "comma"
        else:
            fits = awaited.startswith("value") and (at == len(text) or bool(_WORD.fullmatch(token)))
            awaited = "comma"
        if not fits or len(inside) > MAX_DEPTH:
            return False
    return not text[at:].strip()
