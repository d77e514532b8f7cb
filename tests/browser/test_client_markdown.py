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
    for (const cell of box.querySelectorAll("[class='one'], [class='many']")) cell.removeAttribute("class");
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
        # a tag that is named shows and does nothing
        ("Use <details> or <b> and </b>.", "<p>Use &lt;details&gt; or &lt;b&gt; and &lt;/b&gt;.</p>"),
        (
            "<p>a</p> <!-- b --> <![CDATA[c]]>",
            "<p>&lt;p&gt;a&lt;/p&gt; &lt;!-- b --&gt; &lt;![CDATA[c]]&gt;</p>",
        ),
        ("List<String>, a<b and b>c, <x/>", "<p>List&lt;String&gt;, a&lt;b and b&gt;c, &lt;x/&gt;</p>"),
        ("- <li>\n\n> <q>", "<ul><li>&lt;li&gt;</li></ul><blockquote><p>&lt;q&gt;</p></blockquote>"),
        ("H<sub>2</sub>O, <kbd>Esc</kbd>", "<p>H<sub>2</sub>O, <kbd>Esc</kbd></p>"),
        (
            "The <sub> and </sub> tags, a <br> tag",
            "<p>The &lt;sub&gt; and &lt;/sub&gt; tags, a &lt;br&gt; tag</p>",
        ),
        (
            "|a<br>b|\n|-|\n|<br>|",
            "<table><thead><tr><th>a<br>b</th></tr></thead><tbody>"
            "<tr><td>&lt;br&gt;</td></tr></tbody></table>",
        ),
        (
            "<details><summary>More</summary>\n\n**x**\n</details>\nafter",
            "<details><summary>More</summary><p><strong>x</strong></p></details><p>after</p>",
        ),
        (
            "<details>\n<summary>No end</summary>\nx",
            '<details open=""><summary>No end</summary><p>x</p></details>',
        ),
        (
            "&lt;b&gt; &copy; &#36; &nosuch; AT&T `&lt;`",
            "<p>&lt;b&gt; © $ &amp;nosuch; AT&amp;T <code>&amp;lt;</code></p>",
        ),
        # prices are no formulas, and formulas are
        ("$5 and $10, 5$ and 10$, US$5–$7", "<p>$5 and $10, 5$ and 10$, US$5–$7</p>"),
        ("(5$/10$), $5–$9, between $5 and 9$", "<p>(5$/10$), $5–$9, between $5 and 9$</p>"),
        ("$HOME/$USER and ${A}/${B}, echo $$", "<p>$HOME/$USER and ${A}/${B}, echo $$</p>"),
        ("\\$5 or $x$, $5$ and \\(y\\)", "<p>$5 or ⟨x⟩, ⟨5⟩ and ⟨y⟩</p>"),
        ("- $$x$$ and \\[y\\]", "<ul><li>⟦x⟩ and ⟦y⟩</li></ul>"),
        ("$$\na\n- b\n= c\n$$\nend", "<p>⟦\na\n- b\n= c\n⟩</p><p>end</p>"),
        (
            "`$$` and `\\(`\n\n```\n<b> $$\n```",
            "<p><code>$$</code> and <code>\\(</code></p><pre><code>&lt;b&gt; $$\n</code></pre>",
        ),
        ("an open \\( and $$ alone", "<p>an open ( and $$ alone</p>"),
        # what only looks like emphasis
        ("5~10 and ~~gone~~ in ~/bin", "<p>5~10 and <del>gone</del> in ~/bin</p>"),
        (
            "**“强调”**的，これは**重要です。**そして",
            "<p><strong>“强调”</strong>的，これは<strong>重要です。</strong>そして</p>",
        ),
        # footnotes, and links to what is defined below
        (
            "A[^1] b[^1].\n- c[^n]\n\n[^1]: First.\n[^n]: Second.",
            '<p>A<sup><a href="#note-1" class="noted">1</a></sup> b'
            '<sup><a href="#note-1" class="noted">1</a></sup>.</p>'
            '<ul><li>c<sup><a href="#note-2" class="noted">2</a></sup></li></ul>'
            '<section class="notes"><ol><li>First.</li><li>Second.</li></ol></section>',
        ),
        ("[^1] is missing\n\n[^2]: not asked for", "<p>[^1] is missing</p><p>[^2]: not asked for</p>"),
        (
            "[a][x] [x]\n\n[x]: https://x.example/",
            '<p><a href="https://x.example/">a</a> <a href="https://x.example/">x</a></p>',
        ),
        ("[1]: https://x.example/", '<p>[1]: <a href="https://x.example/">https://x.example/</a></p>'),
        ("[to](#part-one)", '<p><a href="#part-one" class="within">to</a></p>'),
        (
            "[https://x.example](https://x.example)",
            '<p><a href="https://x.example/">https://x.example</a></p>',
        ),
        (
            "[w](https://x.example/a_(b)) me@x.example",
            '<p><a href="https://x.example/a_(b)">w</a> <a href="mailto:me@x.example">me@x.example</a></p>',
        ),
        # right to left
        ("سلام\n\n1. אחת\n\nLeft", '<p dir="rtl">سلام</p><ol dir="rtl"><li>אחת</li></ol><p>Left</p>'),
        # code
        (
            "```md\n```sh\nx\n```\nDone.\n```\nafter",
            '<pre><code data-language="md">```sh\nx\n```\nDone.\n</code></pre><p>after</p>',
        ),
        ("```\n\tx  \n```", "<pre><code>\tx  \n</code></pre>"),
        ("1. a\n\n\t```\n\tx\n\t```", "<ol><li><p>a</p><pre><code>x\n</code></pre></li></ol>"),
        ("text\n\n    indented <b>", "<p>text</p><pre><code>indented &lt;b&gt;\n</code></pre>"),
        # lists
        (
            "- [x] a\n- [ ] b",
            '<ul><li><input type="checkbox" disabled="" aria-label="done" checked="">a</li>'
            '<li><input type="checkbox" disabled="" aria-label="not done">b</li></ul>',
        ),
        ("10. a\n  - b\n    - c", '<ol start="10"><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li></ol>'),
        (
            "1. a\n1. b\n\n1986. A year.",
            '<ol><li><p>a</p></li><li><p>b</p></li><li value="1986"><p>A year.</p></li></ol>',
        ),
        ("In\n1986. A year", "<p>In<br>1986. A year</p>"),
        # tables
        (
            "|a|b|\n|-|-|\n|`x|y`|z|",
            "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>"
            "<tr><td><code>x|y</code></td><td>z</td></tr></tbody></table>",
        ),
        ("Title\n===\n\nPart\n---\nx", "<h2>Title</h2><h3>Part</h3><p>x</p>"),
        ("one\ntwo\n---\nthree", "<p>one<br>two</p><hr><p>three</p>"),
        ("> [!NOTE]\n> a", "<blockquote><p><strong>Note</strong></p><p>a</p></blockquote>"),
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
    # what was alive where two readers of the same text saw other code than one another
    "$$ x $$\n<img src='chat?q=hi' onerror=pwned=1>\n$$",
    "`<b onclick='pwned=1'> \\\\(` $x$ <i x='1'>",
    "- a\n\n    ```\n<div class='fate failed'>x</div>\n",
    '```mermaid\ngraph TD\n A["<img src=x onerror=pwned=1>"]\n```',
    "<details><summary><img src=x onerror=pwned=1></summary>\n<button class='act again'>x</button>\n"
    "</details>",
    "<sub><img src=x onerror=pwned=1></sub> <u onclick=pwned=1>x</u> $\\href{javascript:pwned=1}{x}$",
    "[^a]: <img src=x onerror=pwned=1>\n\n[^a] &lt;img src=x onerror=pwned=1&gt;",
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
    known |= {"details", "summary", "ul", "li", "section", "ol", "sub", "sup", "span"}
    assert set(seen["kinds"]) <= known
    named = {"href", "rel", "target", "data-language", "class", "type", "aria-label"}
    named |= {"open"}
    assert set(seen["attributes"]) <= named
    assert seen["schemes"] == ["https:"] or set(seen["schemes"]) <= {"https:", "http:"}
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
        "prices": "$a ",
        "escaped prices": "$\\$",
        "formulas": "\\(",
        "long formulas": "$$ ",
        "small tags": "<sub>",
        "notes": "[^1]: [^1]\n",
        "definitions": "[a]: https://x.example\n",
        "entities": "&amp;",
        "mails": "a@b.",
        "folds": "<details><summary>a</summary>\n",
        "fences in fences": "```md\n",
        "open links": "[a](b ",
        "marks": "*a_b",
        "nested marks": "*a **b ~~c ",
        "tabs": "\t",
        "escaped quotes": "> ```\n",
        "open formulas": "\\[\n",
        "open environments": "\\begin{align}\n",
        "fences in fences, closed by turns": "```md\n```x\n```\n",
    }.items()
} | {
    "spaces in a heading": "# a" + " " * MANY + "x",
    "spaces below a bar": "a|b\n" + " " * MANY + "x",
    "spaces in a fence": "```" + " " * MANY + "`",
    "no fence": "~" * MANY + "`",
    "dots after an address": "http://a" + "." * MANY + "b",
    "marks in an address": "http://a" + "_." * (MANY // 2) + "b",
    "rows without cells": "|a" * 100 + "\n" + "|-" * 100 + "\n" + "|\n" * (MANY // 2),
    "a formula without an end": "\\(" * (MANY // 2) + "\\)" * 2,
    "labels in brackets": "[" * (MANY // 2) + "[a](https://x.example)" * 1000,
    "formulas with words behind the end": "\\[\n" * (MANY // 3) + "\\] x",
    "spaces in a line of dashes": "a|b\n" + " " * MANY + "x-",
    "spaces behind a dash": "a|b\n-" + " " * MANY + "x",
    "bars before a tick": "|a|\n|-|\n" + ("|" * 1950 + "`\n") * (MANY // 1951),
    "links in images": "![" * (MANY // 4) + "[a](https://x.example)" * (MANY // 44),
    "images in images": "![" * (MANY // 24) + "a" + "](https://x.example)" * (MANY // 24),
    "as many notes": "".join(f"[^{n}]: a\n\n[^{n}]\n\n" for n in range(MANY // 20)),
    "as many breaks": "a\n" * (4 * MANY),
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


def test_a_hostile_text_that_grows_takes_no_longer_than_any_other(page: Page) -> None:
    script = """(texts) => Object.fromEntries(Object.entries(texts).map(([name, text]) => {
        const drawing = new Drawing(document.createElement("div")), began = performance.now();
        for (const part of [0.25, 0.5, 0.75, 1]) drawing.draw(text.slice(0, text.length * part), part === 1);
        return [name, performance.now() - began];
    }))"""
    names = ("open formulas", "open environments", "formulas with words behind the end", "definitions")
    times = page.evaluate(script, {name: LONG[name] for name in names})
    assert {name: round(taken) for name, taken in times.items() if taken > 3000} == {}


GROWN = r"""(text) => {
    const grown = document.createElement("div"), whole = document.createElement("div");
    const drawing = new Drawing(grown, 1), flashes = [];
    for (let at = 1; at <= text.length; at += 1) {
        drawing.draw(text.slice(0, at), false);
        const line = grown.lastChild?.cloneNode(true);
        if (line?.localName !== "p") continue;
        for (const formula of line.querySelectorAll(".maths")) formula.remove();
        if (/^\||\|$|[$`]$|<[a-z/]*$/.test(line.textContent)) flashes.push(line.textContent);
    }
    drawing.draw(text, true);
    for (const fold of grown.querySelectorAll("details")) fold.open = false; // it was open while it came
    whole.append(renderMarkdown(text));
    return [grown.innerHTML === whole.innerHTML, flashes];
}"""


@pytest.mark.parametrize(
    "text",
    [
        "One:\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n| c |\n|---|\n| 5 |\n\nTwo\n- three\n\n---\n",
        "Use `<div>` and $x^2$ or \\(y\\).\n\n```sh\n<b> $$ `x`\n```\n\n"
        "<details>\n<summary>s</summary>\nx\n</details>\n",
        "1. a\n   ```py\n   x\n   ```\n2. [b](https://x.example/) and **c** ~~d~~\n\n"
        "> q\n> r\n\n$$\na\n$$\n\nA[^1]\n\n[^1]: n",
        "```md\n```sh\nx\n```\nDone.\n```\nafter\n\nSetext\n---\nx",
    ],
)
def test_a_text_that_grows_shows_no_half_and_ends_as_the_whole(page: Page, text: str) -> None:
    assert page.evaluate(GROWN, text) == [True, []]


def test_only_what_changes_is_changed(page: Page) -> None:
    """So that a selection, a fold and a scrolled block stay as a reader has them."""
    same = page.evaluate("""() => {
        const box = document.body.appendChild(document.createElement("div")), drawing = new Drawing(box);
        drawing.draw("# a\\n\\n<details><summary>s</summary>\\n\\nb\\n</details>\\n\\n```\\nx\\n", false);
        const nodes = [...box.querySelectorAll("*")], text = box.querySelector("h1").firstChild;
        box.querySelector("details").open = true;
        getSelection().selectAllChildren(text.parentNode);
        drawing.draw("# a\\n\\n<details><summary>s</summary>\\n\\nb\\n</details>\\n\\n```\\nx\\ny" +
            "\\n```\\n\\nend", true);
        const kept = nodes.every((node) => box.contains(node)) && box.querySelector("details").open;
        const selected = getSelection().toString();
        box.remove();
        return [kept, selected];
    }""")
    assert same == [True, "a"]


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
