"""The page's own Markdown: what is made of it, and that nothing of a text is ever more than text."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import PATIENCE

RENDER = """(text) => {
    const box = document.createElement("div");
    box.append(renderMarkdown(text));
    for (const link of box.querySelectorAll("a:not(.within, .noted)")) {
        if (link.rel !== "noopener noreferrer nofollow" || link.target !== "_blank") throw link.outerHTML;
        link.removeAttribute("rel");
        link.removeAttribute("target");
    }
    for (const wrap of box.querySelectorAll(".code_wrap")) {
        if (wrap.firstChild.localName !== "button" || wrap.childNodes.length !== 2) throw wrap.outerHTML;
        wrap.replaceWith(wrap.lastChild);
    }
    for (const cell of box.querySelectorAll("[class='one']")) cell.removeAttribute("class");
    for (const span of box.querySelectorAll(".maths")) {
        span.replaceWith(`${span.classList.contains("display") ? "⟦" : "⟨"}${span.tex}⟩`);
    }
    return box.innerHTML;
}"""


@pytest.fixture(scope="module")
def page(browser: Browser, demo: str) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{demo}/embed")
    yield page
    page.close()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
        ("# One #\ntext\n###### six", "<h2>One</h2><p>text</p><h6>six</h6>"),
        ("#no heading", "<p>#no heading</p>"),
        (
            "**b** *i* ***bi*** ~~d~~",
            "<p><strong>b</strong> <em>i</em> <em><strong>bi</strong></em> <del>d</del></p>",
        ),
        ("**a *b***", "<p><strong>a <em>b</em></strong></p>"),
        ("**a *b* c**", "<p><strong>a <em>b</em> c</strong></p>"),
        ("2 * 3 * 4, snake_case_name, __init__", "<p>2 * 3 * 4, snake_case_name, <strong>init</strong></p>"),
        ("**open", "<p>**open</p>"),
        (r"\*no\* \<b\>", "<p>*no* &lt;b&gt;</p>"),
        ("`a*b*` ``a`b`` `open", "<p><code>a*b*</code> <code>a`b</code> `open</p>"),
        (
            "```py\nif x:\n\n    y < 1\n```\nafter",
            '<pre><code data-language="py">if x:\n\n    y &lt; 1\n</code></pre><p>after</p>',
        ),
        ("~~~\nopen\n```", "<pre><code>open\n```\n</code></pre>"),
        (
            "- a\n- b\n  - c\n    more\n- d",
            "<ul><li>a</li><li>b<ul><li>c<br>more</li></ul></li><li>d</li></ul>",
        ),
        ("3. a\n4. b\n\nafter", '<ol start="3"><li>a</li><li>b</li></ol><p>after</p>'),
        ("- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"),
        ("- a\n\n1. b", "<ul><li>a</li></ul><ol><li>b</li></ol>"),
        (
            "1. a\n   ```\n   x\n     y\n   ```\n2. b",
            "<ol><li>a<pre><code>x\n  y\n</code></pre></li><li>b</li></ol>",
        ),
        ("1. a\n- b", "<ol><li>a</li></ol><ul><li>b</li></ul>"),
        ("text\n- a", "<p>text</p><ul><li>a</li></ul>"),
        ("> a\n> > b\n\nc", "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote><p>c</p>"),
        ("a\n\n---\n* * *", "<p>a</p><hr><hr>"),
        (
            "| a | b |\n|---|--:|\n| `x` | **1** |\n| only |\n\nend",
            '<table><thead><tr><th>a</th><th align="right">b</th></tr></thead><tbody>'
            '<tr><td><code>x</code></td><td align="right"><strong>1</strong></td></tr>'
            '<tr><td>only</td><td align="right"></td></tr></tbody></table><p>end</p>',
        ),
        ("a | b\nno table", "<p>a | b<br>no table</p>"),
        ("[a *b*](https://x.example/y)", '<p><a href="https://x.example/y">a <em>b</em></a></p>'),
        ('[a](<http://x.example> "title")', '<p><a href="http://x.example/">a</a></p>'),
        (
            "see https://x.example/a_b_c.",
            '<p>see <a href="https://x.example/a_b_c">https://x.example/a_b_c</a>.</p>',
        ),
        ("(https://x.example)", '<p>(<a href="https://x.example/">https://x.example</a>)</p>'),
        ("<https://x.example>", '<p><a href="https://x.example/">https://x.example</a></p>'),
        ("![picture](https://x.example/p.png)", '<p><a href="https://x.example/p.png">picture</a></p>'),
        ("日本語🚴 **日本**", "<p>日本語🚴 <strong>日本</strong></p>"),
    ],
)
def test_markdown_becomes(page: Page, text: str, html: str) -> None:
    assert page.evaluate(RENDER, text) == html


HOSTILE = (
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    "<svg/onload=pwned=1><iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "[a](javascript:pwned=1) [b](JaVaScRiPt:pwned=1) [c](data:text/html,<script>pwned=1</script>)",
    "[a](java\tscript:pwned=1) [a](&#106;avascript:pwned=1) <javascript:pwned=1>",
    '[a](https://x.example/" onmouseover="pwned=1) ![x](https://127.0.0.1/leak.png)',
    "[<img src=x onerror=pwned=1>](https://x.example)",
    '```"onload="pwned=1\n<script>pwned=1</script>\n```',
    "| <img src=x onerror=pwned=1> |\n|---|\n| <b>x</b> |",
    "# <style>*{display:none}</style>\n\n> <form action=https://x.example><input name=q>",
    "`<img src=x onerror=pwned=1>` &lt;script&gt; \\<script>pwned=1</script>",
    "[x]: javascript:pwned=1\n\n[x] //x.example <base href=https://x.example>",
)

INSPECT = """(texts) => {
    const kinds = new Set(), attributes = new Set(), schemes = new Set(), words = [];
    for (const text of texts) {
        const box = document.body.appendChild(document.createElement("div"));
        box.append(renderMarkdown(text));
        words.push(box.textContent);
        for (const node of box.querySelectorAll("*")) {
            kinds.add(node.localName);
            for (const {name} of node.attributes) attributes.add(name);
            if (node.href) schemes.add(new URL(node.href).protocol);
        }
        box.remove();
    }
    return {kinds: [...kinds], attributes: [...attributes], schemes: [...schemes], words};
}"""


def test_hostile_text_stays_text(page: Page) -> None:
    requests = list[str]()
    page.on("request", lambda request: requests.append(request.url))
    seen = page.evaluate(INSPECT, HOSTILE)
    known = {"p", "br", "a", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "h2", "blockquote"}
    known |= {"div", "button"}  # around code
    assert set(seen["kinds"]) <= known
    named = {"href", "rel", "target", "data-language", "class", "type", "aria-label"}
    assert set(seen["attributes"]) <= named
    assert seen["schemes"] == ["https:"]
    assert "<script>window.pwned = 1</script>" in seen["words"][0]
    assert page.evaluate("typeof pwned") == "undefined"
    assert requests == []


MANY = 50_000
LONG = {
    name: unit * (MANY // len(unit))
    for name, unit in {
        "brackets": "[",
        "images": "![",
        "labels": "[a](",
        "stars": "*a **b ",
        "pairs": "**",
        "lines": "_a_ __b ~~c",
        "ticks": "`a ``b ```c ",
        "quotes": "> ",
        "items": "- ",
        "nested": "- > ",
        "pipes": "|a",
        "rules": "- - -x\n",
        "fences": "```\n",
        "columns": "|-",
        "angles": "<h<http:",
        "addresses": "https://((((",
        "escapes": "\\*",
        "blanks": " \n",
        "wrong addresses": "http://%",
    }.items()
} | {
    "spaces in a heading": "# a" + " " * MANY + "x",
    "spaces below a bar": "a|b\n" + " " * MANY + "x",
    "spaces in a fence": "```" + " " * MANY + "`",
    "no fence": "~" * MANY + "`",
    "dots after an address": "http://a" + "." * MANY + "b",
    "marks in an address": "http://a" + "_." * (MANY // 2) + "b",
    "rows without cells": "|a" * 100 + "\n" + "|-" * 100 + "\n" + "|\n" * (MANY // 2),
    "deep": "\n".join(" " * (2 * n) + "- a" for n in range(220)),
    "table": "|a|b|\n|-|-|\n" + "|||||||\n" * 5000,
}


def test_hostile_length_takes_no_longer_than_any_other(page: Page) -> None:
    script = """(texts) => Object.fromEntries(Object.entries(texts).map(([name, text]) => {
        const began = performance.now();
        renderMarkdown(text);
        return [name, performance.now() - began];
    }))"""
    slow = {name: round(taken) for name, taken in page.evaluate(script, LONG).items() if taken > 1000}
    assert slow == {}


CELLS = """(text) => {
    const box = document.createElement("div"), real = String.prototype.split;
    let cut = 0;
    String.prototype.split = function (...by) {
        cut += String(by[0]).includes("|");
        return real.apply(this, by);
    };
    box.append(renderMarkdown(text));
    String.prototype.split = real;
    return {cut, cells: box.querySelectorAll("th, td").length, words: box.textContent};
}"""


def test_a_table_has_a_hundred_columns_at_most_and_each_line_is_cut_once(page: Page) -> None:
    def table(columns: int) -> str:
        return "|a" * columns + "\n" + "|-" * columns + "\n" + "|b" * columns

    widest = page.evaluate(CELLS, table(100))
    assert widest["cells"] == 200
    assert widest["cut"] <= 2 * 3  # to see that it is a table, and to make it
    wider = page.evaluate(CELLS, table(101))
    assert wider["cells"] == 0
    assert wider["words"].count("a") == wider["words"].count("b") == 101


def test_a_row_has_no_more_cells_than_its_bars(page: Page) -> None:
    short = "|a" * 100 + "\n" + "|-" * 100 + "\n" + "|b|c\n" * 50
    assert page.evaluate(CELLS, short)["cells"] == 100 + 50 * 3
    assert 'colspan="98"' in page.evaluate(RENDER, short)


def test_an_address_has_two_thousand_characters_at_most(page: Page) -> None:
    long = "https://x.example/" + "a" * 2000
    assert page.evaluate(RENDER, f"{long[:2000]} {long}").count("<a ") == 1
