"""Makes a model's Markdown fit to be shown, while it is still arriving.

What comes out only grows, so that the page can append. Nothing a model writes may pose as the
page's own: HTML is shown as text (but for a few tags without attributes), an image becomes a link,
`$x$` becomes `\\(x\\)` where it is maths and stays text where it is a price. Code is left alone, but a
fence names a language or nothing: Gradio makes a drawing of one called mermaid, whose labels are HTML.
What cannot be decided yet (half a formula, half a tag) is held back until it can. `bubbles` calls it.
"""

import re

DELIMITERS: list[dict[str, str | bool]] = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]
"""For gr.Chatbot. No single dollar: Gradio would take all from the first price to the second as a formula."""

LONGEST_HOLD = 2000
"""Characters held back at most; a formula is shorter."""

LONGEST_INLINE = 200
"""Characters between single dollars at most."""

_ORDINARY = re.compile(r"[^`\\$<!\n]+")
_BEFORE = r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t][ \t>]*(?:\[[ xX]\][ \t>]+)?)*"
"""Quotes, lists and tasks, one in the other."""
_CONTAINERS = re.compile(_BEFORE)
_LINE = re.compile(rf"(?P<before>{_BEFORE})(?P<fence>`{{3,}}|~{{3,}})(?P<info>[^\n]*)")
_MAY_BE_LINE = re.compile(rf"{_BEFORE}(?:[*+]|-+|=+|\d{{1,9}}[.)]?|\[(?:[ xX]\]?)?|`{{1,2}}|~{{1,2}})?")
"""What may yet begin a fence or a list, or underline what is above it: half of it would make a heading."""
_LANGUAGE = re.compile(r"[ \t]*([a-z0-9+#.-]{0,40})", re.IGNORECASE)
_DRAWING = re.compile(r"```(?=mermaid)", re.IGNORECASE)
_MAY_BE_DRAWING = re.compile(r"`(?:`(?:`(?:m(?:e(?:r(?:m(?:ai?)?)?)?)?)?)?)?\Z", re.IGNORECASE)
_TABLE = re.compile(r"[ \t>]*\|[^\n]*(?:\n[ \t>]*(?P<rule>[|:\- \t]*)(?P<end>\n?))?")
_TAG = re.compile(r"</?(?:br|sub|sup|kbd|b|i|u|em|strong|mark|details|summary) ?/?>", re.IGNORECASE)
_LINK = re.compile(r"<(?:https?://|mailto:)[^\s<>]+>", re.IGNORECASE)
_MAY_BE_TAG = re.compile(
    r"<(?:/?[a-z]{0,8} ?/?|[a-z]{4,6}:/{0,2}|(?:https?://|mailto:)[^\s<>]*)", re.IGNORECASE
)
_ADDRESS = re.compile(r"\]\([^)]*$")
_FORMULAS = re.compile(r"\$\$|\\[(\[]")
_NO_FORMULA = {"$$": re.compile("`{3}|~{3}"), "\\[": re.compile(r"`{3}|~{3}|\$\$")}
_NO_FORMULA["\\("] = re.compile(r"`{3}|~{3}|\$\$|\\\[")
"""Gradio looks for all formulas of one kind, then for the next: what another reading would begin within."""
_ALIVE = re.compile(r"<(?=[a-z/!?])|!(?=\[)", re.IGNORECASE)
_DELIMITER = re.compile(r"\\[()\[\]]")
_PROSE = re.compile(r"(?<![\\{a-z])[a-z]{2,}[.,;:]? +[a-z]{2,}(?![a-z}])", re.IGNORECASE)

_Step = tuple[int, str] | None
"""Where to go on and what to say; None: wait for more."""


class Markup:
    """`feed` it pieces; read `text`. With `last`, nothing is held back any more."""

    __slots__ = (
        "_before",
        "_doubt",
        "_fence",
        "_indent",
        "_inside",
        "_kept",
        "_line",
        "_maths",
        "_missing",
        "_rest",
        "_said",
        "_start",
        "_table",
        "_ticks",
        "_unsure",
        "text",
    )

    def __init__(self) -> None:
        self.text = ""
        self._rest = ""
        self._kept = ""
        """The end of what is ready, while it may be half of a drawing's opening."""
        self._start = True
        self._fence = ""
        self._line = ""
        self._ticks = 0
        self._table = False
        self._indent = 0
        self._said = ""
        """Of the line so far, outside of fences."""
        self._inside = ""
        """Said since the backtick that may begin code."""
        self._unsure = False
        """Until the next blank line: the browser may see other code than we do. Then none is left alone."""
        self._doubt = False
        """The same, to the end of the text: after a fence that the browser may end elsewhere, or a sign that
        may begin a formula there (it takes these out before it looks for anything else)."""
        self._maths = False
        """What was just said is a formula."""
        self._before = ""
        """The last sign that was said."""
        self._missing: dict[str, int] = {}

    def feed(self, piece: str, *, last: bool = False) -> None:
        # The browser's Markdown takes a lone \\r for the end of a line.
        s, i, out = self._rest + piece.replace("\r", ""), 0, []
        self._missing.clear()
        while i < len(s):
            fenced = bool(self._fence)
            step = self._in_fence(s, i, last) if fenced else self._step(s, i, last)
            if step is None:
                break
            i, said = step
            out.append(said)
            self._doubt |= not self._maths and _FORMULAS.search(self._before + said) is not None
            self._before = "" if self._maths else said[-1:] or self._before
            self._maths = False
            if not fenced:
                self._said = (self._said + said).rpartition("\n")[2][-LONGEST_INLINE:]
                self._inside = (self._inside + said)[-LONGEST_HOLD:] if self._ticks else ""
        self._rest = s[i:]
        ready = _DRAWING.sub("``` ", self._kept + "".join(out))
        half = None if last else _MAY_BE_DRAWING.search(ready)
        end = half.start() if half else len(ready)
        self._kept = ready[end:]
        if end:
            self.text += ready[:end]

    def _in_fence(self, s: str, i: int, last: bool) -> _Step:
        if not self._line and self._indent:
            text = i
            while text < len(s) and s[text] == " " and text - i < self._indent:
                text += 1
            if text == len(s) and not last:
                return None
            if text - i < self._indent and s[text : text + 1] not in ("", "\n"):
                # Out of the list item: some readers end the fence here, some do not.
                self._fence, self._start, self._doubt = "", True, True
                return i, ""
        end = s.find("\n", i) + 1
        said = s[i : end or len(s)]
        if len(self._line) < LONGEST_HOLD:
            self._line += said
        if end:
            line = self._line.rstrip("\n")
            bare = line.strip(" \t>")
            if bare.startswith(self._fence) and not bare.strip("`~"):
                indent = len(line) - len(line.lstrip(" "))
                exact = bare == self._fence[0] * len(bare) and line.strip(" ") == bare
                self._doubt |= not (exact and self._indent <= indent <= 3)
                self._fence = ""
            self._line, self._start, self._said = "", True, ""
        return i + len(said), said

    def _step(self, s: str, i: int, last: bool) -> _Step:
        if self._start:
            if not last and len(s) - i < LONGEST_HOLD and _MAY_BE_LINE.fullmatch(s, i):
                return None
            if self._half_a_table(s, i) and not last and len(s) - i < LONGEST_HOLD:
                return None
            found = _CONTAINERS.match(s, i)
            if found and found.end() - i >= LONGEST_HOLD:
                self._doubt = True
                return found.end(), found[0]
            self._start = False
            if line := _LINE.match(s, i):
                if line.end() == len(s) and not last:
                    self._start = True
                    return None
                if not (line["fence"][0] == "`" and "`" in line["info"]):
                    said = line["before"] + line["fence"] + _language(line["info"])
                    if not self._opens(line):
                        return line.end(), said
                    self._fence, self._line, self._ticks = line["fence"], "", 0
                    # The rest of this line, its end included, belongs to the opening.
                    end = min(line.end() + 1, len(s))
                    return end, said + s[line.end() : end]
            if s[i] == "\n":
                self._ticks, self._unsure = 0, False
        c = s[i]
        if c == "\n":
            # A pair around the end of a line may be none, and what follows `[a]:` or `[a](` is an address.
            self._unsure |= bool(self._ticks) or "]:" in self._said or bool(_ADDRESS.search(self._said))
            self._ticks = 0
            self._start = True
            return i + 1, c
        if c == "`":
            return self._code(s, i, last)
        if ordinary := _ORDINARY.match(s, i):
            return ordinary.end(), ordinary[0]
        if self._ticks:
            return self._maybe_code(s, i, last)
        if len(s) == i + 1 and not last:
            return None
        match c:
            case "\\":
                return self._escape(s, i, last)
            case "$":
                return self._dollar(s, i, last)
            case "<":
                return self._tag(s, i, last)
            case _:
                return self._image(s, i, last)

    def _opens(self, line: re.Match[str]) -> bool:
        """Whether a fence begins here, as every reader sees it. If not, nothing is code from here on."""
        before = line["before"]
        self._doubt |= self._unsure or "\t" in before or ">" in before or len(before) > 3
        self._indent = len(before)
        return not self._doubt

    def _half_a_table(self, s: str, i: int) -> bool:
        """Whether a table begins whose second line, which makes it one, is still to come."""
        if self._table:
            self._table = "|" in s[i : i + 1] or not s[i].strip(" \t>")
        if self._table or (found := _TABLE.match(s, i)) is None:
            return False
        self._table = bool(found["end"] and found["rule"])
        return found.end() == len(s) and not found["end"]

    def _code(self, s: str, i: int, last: bool) -> _Step:
        end = i
        while end < len(s) and s[end] == "`":
            end += 1
        if end == len(s) and not last:
            return None
        length = end - i
        if not self._ticks:
            self._unsure |= bool(_ADDRESS.search(self._said))
        elif "|" in self._inside:
            self._unsure = True  # A cell of a table may end there.
        if self._unsure or self._doubt:
            self._ticks = 0
            return end, s[i:end]
        self._ticks = length if not self._ticks else 0 if self._ticks == length else self._ticks
        return end, s[i:end]

    def _maybe_code(self, s: str, i: int, last: bool) -> _Step:
        """Between backticks that may yet turn out to be no code: is there an end to it?"""
        limit = i + LONGEST_HOLD
        end = re.compile(rf"(?<!`)`{{{self._ticks}}}(?!`)").search(s, i, limit)
        newline = self._find(s, "\n", i)
        if (
            end
            and end.end() < limit
            and (newline < 0 or end.start() < newline)
            and (end.end() < len(s) or last)
        ):
            code = self._inside + s[i : end.end()]
            if "|" not in code and not (_FORMULAS.search(code) and _ALIVE.search(code)):
                self._ticks = 0
                return end.end(), s[i : end.end()]
        elif newline < 0 and not last and len(s) - i < LONGEST_HOLD:
            return None
        self._ticks, self._unsure = 0, True
        return i, ""

    def _escape(self, s: str, i: int, last: bool) -> _Step:
        following = s[i + 1 : i + 2]
        if following in ("(", "["):
            closing = "\\)" if following == "(" else "\\]"
            return self._formula(
                s, i, "\\" + following, closing, "&#40;" if following == "(" else "&#91;", last
            )
        if following == "<":
            return i + 2, "&lt;"
        return (i + 1, "\\") if following in ("", "\n") else (i + 2, s[i : i + 2])

    def _formula(self, s: str, i: int, opening: str, closing: str, instead: str, last: bool) -> _Step:
        blank = self._find(s, "\n\n", i)
        end = self._find(s, closing, i + 2, i + LONGEST_HOLD if blank < 0 else blank)
        if end >= 0:
            if end == i + 2 or _NO_FORMULA[opening].search(s, i + 2, end):
                return i + 2, instead
            return end + 2, self._said_as_maths(s[i : end + 2])
        if blank < 0 and not last and len(s) - i < LONGEST_HOLD:
            return None
        return i + 2, instead

    def _said_as_maths(self, formula: str) -> str:
        """Where Gradio may see it begin or end elsewhere, a blank, which is nothing in maths, keeps a tag
        from being one."""
        self._maths = True
        return _ALIVE.sub(r"\g<0> ", formula) if self._doubt else formula

    def _find(self, s: str, what: str, i: int, limit: int = -1) -> int:
        """`s.find` within what may be held; it does not read again where it has found nothing before."""
        limit = i + LONGEST_HOLD if limit < 0 else limit
        found = s.find(what, max(i, self._missing.get(what, 0) - 1), limit)
        if found < 0:
            self._missing[what] = min(limit, len(s))
        return found

    def _dollar(self, s: str, i: int, last: bool) -> _Step:
        if s.startswith("$$", i):
            return self._formula(s, i, "$$", "$$", "&#36;&#36;", last)
        # As pandoc has it: no blank inside the dollars, no digit after them. And no sentence between.
        limit = i + LONGEST_INLINE + 2
        newline = s.find("\n", i, limit)
        end = s.find("$", i + 1, limit if newline < 0 else newline)
        while end >= 0 and s[end - 1] == "\\":
            end = s.find("$", end + 1, limit if newline < 0 else newline)
        held = s[i + 1 : limit if end < 0 else end]
        if held[:1].isspace() or "`" in held or _PROSE.search(held) or _DELIMITER.search(held):
            return i + 1, "$"
        if end < 0:
            return (i + 1, "$") if last or newline >= 0 or len(s) >= limit else None
        if held[-1].isspace():
            return i + 1, "$"
        if end + 1 == len(s) and not last:
            return None
        if s[end + 1 : end + 2].isdigit():
            return i + 1, "$"
        return end + 1, self._said_as_maths(f"\\({held}\\)")

    def _tag(self, s: str, i: int, last: bool) -> _Step:
        if found := _TAG.match(s, i) or _LINK.match(s, i):
            # A block of HTML goes on to the next blank line, and in it nothing is code.
            self._unsure |= not self._said.strip() or "s" in found[0].lower()
            return found.end(), found[0]
        if not last and _MAY_BE_TAG.fullmatch(s, i) and len(s) - i < LONGEST_HOLD:
            return None
        return i + 1, "&lt;" if s[i + 1 : i + 2].isalpha() or s[i + 1 : i + 2] in ("/", "!", "?") else "<"

    def _image(self, s: str, i: int, last: bool) -> _Step:
        end = i + 1
        while s[end : end + 1] == "!" and end - i < 64:
            end += 1
        if end == len(s) and not last:
            return None
        if end - i == 64:
            return i + 1, "&#33;"
        if s[end : end + 1] != "[":
            return end, s[i:end]
        if end - i > 1:  # Of the run before the image's own `!` none may take its place.
            return end - 1, "&#33;" * (end - 1 - i)
        if len(s) == i + 2 and not last:
            return None
        return (i + 3, "[image]") if s[i + 2 : i + 3] == "]" else (i + 2, "[")


def _language(info: str) -> str:
    """What may stand behind a fence.

    Of 6.31: it becomes a class, in which `&#32;` begins another one; and some names are no word of a
    dictionary but belong to every object, so that the whole text would not be drawn. `cpp` is loaded
    without the `c` that it extends, which throws, and then nothing of the text is drawn.
    """
    found = _LANGUAGE.match(info)
    name = found[1].lower() if found else ""
    if name == "cpp":
        return "c"
    if name.startswith("mermaid") or name == "constructor" or (info.strip() and not name):
        return "text"
    return name


def safe(text: str) -> str:
    """`text` as a whole."""
    markup = Markup()
    markup.feed(text, last=True)
    return markup.text
