"""Where the code in a Markdown text is, and the text with its HTML to be read. Linear on hostile text too.

An answer's Markdown stands as it was written, so what is code and what is not decides which `<` may act.
`to_markdown` calls this.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$", re.MULTILINE)
# In a list or a quotation too.
_OPENING = re.compile(r"[ >]*+(?:(?:[-*+]|\d++[.)]) ++)*+(`{3,}+|~{3,}+)[^`\n]*+")
_CLOSING = re.compile(r"[ >]*+(`{3,}+|~{3,}+) *+")
_TICKS = re.compile("`+")
_MARK = re.compile(
    r"(?<!`)(?P<ticks>`++)"
    r"|\\."
    r"|<[A-Za-z][A-Za-z0-9+.-]++:[^\s<>]*+>"  # an address
    r"|</?(?:br|hr|wbr|sub|sup|kbd) ?/?>"  # what tables and formulas have, and what holds nothing open
    r"|(?P<alive><)(?=[!?/A-Za-z])"
)


def closed(text: str) -> str:
    """`text` as it is; a fence that it leaves open (an answer cut off in its code) is closed below it."""
    fence, last, outside = "", 0, list[str]()
    for start, end in _blocks(text):
        outside.append(text[last:start])
        last = end
    for mark, rest in _FENCE.findall("".join([*outside, text[last:]])):
        if not fence:
            if mark[0] == "~" or "`" not in rest:
                fence = mark
        elif mark[0] == fence[0] and len(mark) >= len(fence) and not rest.strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text


def shown(text: str) -> str:
    """`text` with its HTML to be read: a comment or an element that it leaves open would take the rest."""
    parts, last = list[str](), 0
    for start, end in _blocks(text):
        parts += [_escaped(text[last:start]), text[start:end]]
        last = end
    return "".join([*parts, _escaped(text[last:])])


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Where code stands between fences that are closed: the first character, and the one after the last.

    Each line is looked at once to see what it may be. A fence looks for its end only where there is one.
    """
    lines, start = list[tuple[int, int]](), 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        lines.append((start, end))
        start = end + 1
    ends = [found[1] if (found := _CLOSING.fullmatch(text, *line)) else "" for line in lines]
    longest = {"`": [0] * (len(lines) + 1), "~": [0] * (len(lines) + 1)}  # of the ends from each line on
    for n in range(len(lines) - 1, -1, -1):
        for sign, lengths in longest.items():
            lengths[n] = max(lengths[n + 1], len(ends[n]) if ends[n][:1] == sign else 0)
    at = 0
    while at < len(lines):
        found = _OPENING.fullmatch(text, *lines[at])
        begin, mark, at = lines[at][0], found[1] if found else "", at + 1
        if mark and longest[mark[0]][at] >= len(mark):
            while not (ends[at][:1] == mark[0] and len(ends[at]) >= len(mark)):
                at += 1
            yield begin, lines[at][1]
            at += 1


def _escaped(text: str) -> str:
    """`text`, in which no code stands between fences: what stands between backticks is left alone."""
    runs: dict[int, list[int]] = {}
    for run in _TICKS.finditer(text):
        runs.setdefault(len(run[0]), []).append(run.start())
    parts, last, at, line_end = list[str](), 0, 0, -1
    while (mark := _MARK.search(text, at)) is not None:
        at = mark.end()
        if mark["ticks"]:
            if line_end < at:
                line_end = text.find("\n", at)
                line_end = len(text) if line_end < 0 else line_end
            same = runs[len(mark["ticks"])]
            place = bisect_left(same, at)
            if place < len(same) and same[place] < line_end:
                at = same[place] + len(mark["ticks"])
        elif mark["alive"]:
            parts += [text[last : mark.start()], "&lt;"]
            last = at
    return "".join([*parts, text[last:]])
