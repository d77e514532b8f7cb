"""Given what a model writes, this is what the page is given."""

import re
import time
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from chat.ui.markup import Markup, safe

SAID = {
    # prices stay prices, maths becomes maths
    "It costs $5 and $10 a month.": "It costs $5 and $10 a month.",
    "US$5, CA$6, $5-$10, $20 (or $30).": "US$5, CA$6, $5-$10, $20 (or $30).",
    "$HOME and $PATH, then $x$.": "$HOME and $PATH, then \\(x\\).",
    "A wheel rolls $2\\pi r$ in $n = \\frac{d}{2\\pi r}$ turns.": (
        "A wheel rolls \\(2\\pi r\\) in \\(n = \\frac{d}{2\\pi r}\\) turns."
    ),
    "\\(a<b\\) and \\[c\\] and $$\nd\n$$": "\\(a<b\\) and \\[c\\] and $$\nd\n$$",
    "echo $$ and no more": "echo &#36;&#36; and no more",
    "an open \\( alone": "an open &#40; alone",
    "\\$5 and \\$6": "\\$5 and \\$6",
    # HTML is text
    "<div style='position:fixed'>x</div>": "&lt;div style='position:fixed'>x&lt;/div>",
    "<script>alert(1)</script>": "&lt;script>alert(1)&lt;/script>",
    "<img src=x onerror=y>": "&lt;img src=x onerror=y>",
    "\\<p class=footer>": "&lt;p class=footer>",
    "<!-- hidden -->": "&lt;!-- hidden -->",
    "H<sub>2</sub>O<br>x<BR/>": "H<sub>2</sub>O<br>x<BR/>",
    '<b onclick="x">': '&lt;b onclick="x">',
    "a < b, 1<2, <3 and <": "a < b, 1<2, <3 and <",
    "<https://host/a?b> <mailto:a@b.c>": "<https://host/a?b> <mailto:a@b.c>",
    # no image is fetched
    "![alt](https://host/x.png) ![](y) wow!": "[alt](https://host/x.png) [image](y) wow!",
    # code is left alone
    # what stands behind a fence names a language, or nothing
    "```Python title=x\n1\n```": "```python\n1\n```",
    "~~~ {.c++}\n1\n~~~": "~~~text\n1\n~~~",
    "```cpp\n1\n```": "```c\n1\n```",
    "```constructor\n1\n```": "```text\n1\n```",
    "```mermaid\nA\n```\n<a>": "```text\nA\n```\n&lt;a>",
    "> ```MerMaid x\n> A": "> ```text\n> A",
    "a ```mermaid b``` c": "a ``` mermaid b``` c",
    "````md\n```mermaid\n````\n": "````md\n``` mermaid\n````\n",
    "```html\n<div>$x$ ![](y)\n```\n<div>": "```html\n<div>$x$ ![](y)\n```\n&lt;div>",
    "~~~~\n<a>\n~~~\n<b>\n~~~~\n<a>": "~~~~\n<a>\n~~~\n<b>\n~~~~\n&lt;a>",
    "- ```py\n  <x>\n  ```\n<x>": "- ```py\n  <x>\n  ```\n&lt;x>",
    "`<div>` and ``a ` <b c>`` <div>": "`<div>` and ``a ` <b c>`` &lt;div>",
    "an `open tick <div>\n\n<div>": "an `open tick &lt;div>\n\n&lt;div>",
    "an `open tick <div> to the end": "an `open tick &lt;div> to the end",
    "``` <div> ``` in a line": "``` <div> ``` in a line",
    "\tindented\n\n  - list": "\tindented\n\n  - list",
}


@pytest.mark.parametrize(("said", "shown"), SAID.items(), ids=range(len(SAID)))
def test_what_is_said_and_shown(said: str, shown: str) -> None:
    assert safe(said) == shown


PIECES = [
    *SAID,
    "| a |\n",
    "|--|\n",
    "|",
    "-",
    "=",
    "`",
    "```",
    "\n",
    "\n\n",
    "$",
    "$$",
    "\\",
    "\\(",
    "\\)",
    "<",
    "</",
    "<b",
    ">",
    "!",
    "![",
    " ",
    "a",
    "5",
    "mermaid",
    "Mermaid\n",
    "x&#32;mermaid\n",
    "~~~",
    "> ",
    "- ",
    "- [ ] ",
    "    ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.randoms(use_true_random=False))
def test_it_only_grows_and_does_not_depend_on_the_pieces(parts: list[str], dice: Random) -> None:
    said = "".join(parts)
    markup, at, before = Markup(), 0, ""
    while at < len(said):
        step = dice.choice((1, 1, 2, 5, 20))
        markup.feed(said[at : at + step])
        assert markup.text.startswith(before)
        before, at = markup.text, at + step
    markup.feed("", last=True)
    assert markup.text.startswith(before)
    assert markup.text == safe(said)


def openings(shown: str) -> Iterator[str]:
    """What stands behind each fence, as a reader of Markdown takes it that is not ours."""
    for token in MarkdownIt().parse(shown):
        if token.type == "fence":
            yield token.info.strip()


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.integers(1, 30))
def test_no_fence_opens_a_drawing_or_says_more_than_a_name(parts: list[str], step: int) -> None:
    said = "".join(parts)
    markup = Markup()
    for at in range(0, len(said), step):
        markup.feed(said[at : at + step])
        assert "```mermaid" not in markup.text.lower()
    markup.feed("", last=True)
    assert "```mermaid" not in markup.text.lower()
    for info in openings(markup.text):
        assert re.fullmatch(r"[a-z0-9+#.-]*", info)
        assert not info.startswith("mermaid")


@pytest.mark.parametrize("name", ["mermaid", "x&#32;mermaid", " MERMAID x", "%%%LATEX_BLOCK_0%%%"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        "x",
        "   ",
        "- ",
        "- [ ] ",
        "1. > * ",
        "> " * 1500,
        "a\n\n\t> a\n\n",
        "```\n\\(\n```\n\\)\n\n",
        "````md\n",
        "# a\n",
        "<details>\n\n",
        "`a\n",
    ],
)
@pytest.mark.parametrize("fence", ["```", "`````", "~~~"])
def test_no_drawing_is_opened_wherever_the_fence_stands(before: str, fence: str, name: str) -> None:
    said = f"{before}{fence}{name}\nA\n{fence}\n"
    shown, markup = safe(said), Markup()
    for sign in said:
        markup.feed(sign)
    markup.feed("", last=True)
    assert markup.text == shown
    assert "```mermaid" not in shown.lower()
    assert before in ("x", "````md\n") or name not in shown
    assert set(openings(shown)) <= {"text", "x", "md", ""}


LIVE = "<i x='1'>"
MATHS = [LIVE, "\\]", "\\[", "\\\\", "\\$", "`$$`", "`\\(`", "$x", "<https://e/$$>", "![x](y)", "x"]


def as_gradio_reads(shown: str) -> list[str]:
    """The HTML and the images: it takes formulas out first, one kind after the other (6.31)."""
    for left, right in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)")):
        shown = re.sub(rf"{re.escape(left)}[\s\S]+?{re.escape(right)}", "%%%", shown)
    tokens = MarkdownIt().enable("table").parse(shown)
    inside = [each for token in tokens for each in (token, *(token.children or ()))]
    return [
        each.type if each.type == "image" else each.content
        for each in inside
        if each.type in ("html_block", "html_inline", "image")
    ]


@given(st.lists(st.sampled_from([*MATHS, *PIECES]), max_size=14))
def test_nothing_is_alive_however_gradio_pairs_the_signs_of_formulas(parts: list[str]) -> None:
    for found in as_gradio_reads(safe("".join(parts))):
        assert not re.search("<i x|<b o|<div|<p c|<scr|<!--|^image$", found)


@pytest.mark.parametrize(
    "said",
    [
        "\\$$ x $$\n{}\n$$",
        "$$$$ x $$\n{}\n$$",
        "\\[ $$ \\] $$\n{}\n$$",
        "<https://e/$$> $$\n{}\n$$",
        "a $a\\){}$ b",
        "a `{} \\\\(` $x$",
        "`$$`\n\n$$\n{}\n$$",
        "a `\\(` b\n\n```\n\\)\n```\n\n```\n{}\n```",
    ],
)
def test_no_formula_that_ends_elsewhere_for_gradio_lets_a_tag_live(said: str) -> None:
    assert not as_gradio_reads(safe(said.format(LIVE)))


TABLE = "One:\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n| 3 | 4 |\n\n| c |\n|---|\n| 5 |\n\nTwo\n- three\n\n---\n"


@pytest.mark.parametrize("text", [TABLE, "|x| is not a table, is it?\nNo.", "| a |\n", "a\n-5 b"])
def test_no_half_table_and_no_half_rule_is_shown(text: str) -> None:
    markup = Markup()
    for n, sign in enumerate(text):
        markup.feed(sign)
        line = markup.text.rpartition("\n")[2]
        assert line.strip("-=") or not line, f"a rule over what is above it, after {text[: n + 1]!r}"
        for table in re.findall(r"(?:^|\n\n)(\|[^\n]*(?:\n[^\n]*)?)", markup.text):
            assert "\n" in table or "is not" in table
    markup.feed("", last=True)
    assert markup.text == text


@pytest.mark.parametrize("start", ["a price of $5", "a `tick", "x < y", "\\( open"])
def test_little_is_held_back(start: str) -> None:
    markup = Markup()
    markup.feed(start + " and then the sentence goes on for a good while, as prose does. " * 60)
    markup.feed("The end")
    assert len(markup.text) > 3000


@given(st.text(alphabet="<>a/ =!$\\`[]()\n'\"bdiv", max_size=60))
def test_no_tag_with_an_attribute_outside_of_code(said: str) -> None:
    shown = safe(said)
    if "`" not in said and "$" not in said and "\\" not in said:
        assert "<div" not in shown
        assert "<b " not in shown.replace("<b />", "").replace("<b >", "")


@pytest.mark.parametrize(
    "unit", ["$a ", "$\\$", "\\(", "\\[", "$$ ", "`a ", "`<``<", "<a", "![", "|", "- ", "``` "]
)
def test_the_work_grows_with_the_length_and_no_faster(unit: str) -> None:
    said = unit * (100_000 // len(unit))
    began = time.process_time()
    markup = Markup()
    for at in range(0, len(said), 50):
        markup.feed(said[at : at + 50])
    markup.feed("", last=True)
    assert markup.text == safe(said)
    assert time.process_time() - began < 2, "seconds for twice 100 kB; what is quadratic takes minutes"


@pytest.mark.parametrize("marks", [1, 2, 3, 4, 5, 70])
@given(st.lists(st.integers(1, 9), min_size=40, max_size=40))
def test_no_number_of_exclamation_marks_makes_an_image(marks: int, steps: list[int]) -> None:
    said, markup, at = "a" + "!" * marks + "[x](https://host/y) wow!!", Markup(), 0
    for step in steps:
        markup.feed(said[at : at + step])
        at += step
    markup.feed(said[at:], last=True)
    assert "![" not in markup.text
    assert markup.text == safe(said)
    assert markup.text.endswith("[x](https://host/y) wow!!")


FORGED = '<div class="fate failed">x</div>'


@pytest.mark.parametrize(
    "said",
    [
        "a\n\n    ```\n{}\n",
        "> ```\n> a\n{}",
        "- ```\n  a\n{}",
        "- a\n\n  ```\n  b\n{}",
        "`a\n{}\n`",
        "`a\n# {} `",
        "| `a | {} ` |",
        "<details>\n```\n{}\n```",
        "[a](x`){}`",
        "[a]:\n```\n{}",
        "```\na\n```~\n{}",
        "```\n\\(\n```\n\\)\n\n```\n{}\n```",
    ],
)
def test_what_is_code_to_us_alone_forges_nothing(said: str) -> None:
    assert "<div" not in safe(said.format(FORGED))


def test_ordinary_code_stays_as_it_is() -> None:
    said = "Do:\n1. Run\n   ```html\n   <div>\n\n     <p>\n   ```\n2. `<div>`\n\n| `<p>` | [a](b) `<i x>` |\n"
    assert safe(said) == said
