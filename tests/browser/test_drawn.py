"""Answers as they are drawn on the page: colours, formulas, what is copied, what is printed.

What becomes of a text in general is in test_client_markdown.
"""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener
from tests.browser.screen import Screen

LOADED = (
    *(
        "bash",
        "c",
        "cpp",
        "go",
        "java",
        "json",
        "latex",
        "php",
        "python",
        "rust",
        "sql",
        "typescript",
        "yaml",
    ),
    "markup-templating",
)
"""Languages that are fetched when they are first wanted: each may want another one first."""

OTHERS = """
abap abnf actionscript ada agda al antlr4 apacheconf apex apl applescript aql arduino arff armasm arturo
asciidoc aspnet asm6502 asmatmel autohotkey autoit avisynth avro-idl awk basic batch bbcode bbj bicep
birb bison bnf bqn brainfuck brightscript bro bsl cfscript chaiscript cil cilkc cilkcpp clike clojure
cmake cobol coffeescript concurnas cooklang coq crystal css css-extras csharp cshtml csp csv cue cypher d
dart dataweave dax dhall diff django dns-zone-file docker dot ebnf editorconfig eiffel ejs elixir elm erb
erlang etlua excel-formula factor false firestore-security-rules flow fortran fsharp ftl gap gcode
gdscript gedcom gettext gherkin git glsl gml gn go-module gradle graphql groovy haml handlebars haskell
haxe hcl hlsl hoon hpkp hsts http ichigojam icon icu-message-format idris iecst ignore inform7 ini io j
javadoc javadoclike javascript javastacktrace jexl jolie jq js-extras js-templates jsdoc json5 jsonp
jsstacktrace jsx julia keepalived keyman kotlin kumir kusto latte less lilypond linker-script liquid lisp
livescript llvm log lolcode lua magma makefile markdown markup mata matlab maxscript mel mermaid metafont
mizar mongodb monkey moonscript n1ql n4js nand2tetris-hdl naniscript nasm neon nevod nginx nim nix nsis
objectivec ocaml odin opencl openqasm oz parigp parser pascal pascaligo pcaxis peoplecode perl php-extras
phpdoc plant-uml plsql powerquery powershell processing prolog promql properties protobuf psl pug puppet
pure purebasic purescript q qml qore qsharp r racket reason regex rego renpy rescript rest rip roboconf
robotframework ruby sas sass scala scheme scss shell-session smali smalltalk smarty sml solidity
solution-file soy sparql splunk-spl sqf squirrel stan stata stylus supercollider swift systemd t4-cs
t4-templating t4-vb tap tcl textile toml tremor tsx tt2 turtle twig typoscript unrealscript uorazor uri v
vala vbnet velocity verilog vhdl vim visual-basic warpscript wasm web-idl wgsl wiki wolfram wren xeora
xml-doc xojo xquery yang zig html xml svg mathml ssml atom rss js py rb ts cs dotnet hs kt kts md objc sh
shell tex context yml webmanifest c++ h hpp console jsonc plain plaintext text txt constructor prototype
toString valueOf hasOwnProperty __proto__ extend insertBefore DFS
"""
"""All else that Prism knows, names that every object has, and aliases."""

CODE = 'if (a < b) { return "<b>$5 and $x$</b>"; } // # <?php echo 1; ?> {{ x }}\n\tint main();'


def coloured(screen: Screen) -> None:
    expect(screen.answer.locator("pre .token").first).to_be_attached()


@pytest.mark.parametrize("language", LOADED)
def test_code_is_drawn_when_it_is_the_first_of_the_page(
    open_page: Opener, served: str, language: str
) -> None:
    screen = open_page(served).choose_model("up:echo-1")
    screen.ask(f"@Before.\n\n```{language}\n{CODE}\n```\n\nAfter. ").over(1)
    expect(screen.answer.locator("pre code")).to_have_text(CODE + "\n", use_inner_text=False)
    expect(screen.answer).to_contain_text("After.")
    if language != "markup-templating":
        coloured(screen)
    assert screen.answer.locator("pre code").text_content() == CODE + "\n"


def test_code_in_any_language_is_drawn(on_served: Screen) -> None:
    screen = on_served.choose_model("up:echo-1")
    names = [*LOADED, *OTHERS.split()]
    for count, at in enumerate(range(0, len(names), 60)):
        blocks = "\n\n".join(f"```{name}\n{CODE}\n```" for name in names[at : at + 60])
        screen.ask(f"@{blocks}\n\nAfter. ").over(count + 1)
        expect(screen.answer).to_contain_text("After.")
        drawn = screen.answer.locator("pre code").all_text_contents()
        assert drawn == [CODE + "\n"] * len(names[at : at + 60])


def test_a_fault_in_colours_or_formulas_leaves_the_words(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:echo-1")
    screen.evaluate("""() => {
      Prism.tokenize = () => { throw new Error("no colours") };
      Words.draw = () => { throw new Error("no formulas") };
    }""")
    screen.ask("@One $x^2$.\n\n```js\nlet a = 1;\n```\n\n$$\n\\nosuch{\n$$\n\nEnd. ").over(1)
    expect(screen.answer.locator("pre code")).to_have_text("let a = 1;\n")
    expect(screen.answer).to_contain_text("One $x^2$.")
    expect(screen.answer).to_contain_text("End.")


FORMULAS = (
    "@$a<b$ and \\(c_1\\), $5 and $10.\n\n$$\n\\frac{1}{2}\n$$\n\n- \\[x = 1\\]\n\n`$$`\n\n"
    "```\n<b> $$ \\(\n```\n\n$\\nosuch{$ "
)


def test_formulas_are_drawn_and_what_is_none_is_readable(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:echo-1")
    screen.ask(FORMULAS).over(1)
    sources = screen.answer.locator("annotation")
    expect(sources).to_have_text(["a<b", "c_1", "\\frac{1}{2}", "x = 1"])
    expect(screen.answer).to_contain_text("$5 and $10.")
    expect(screen.answer).to_contain_text("$\\nosuch{$")
    expect(screen.answer.locator("pre code")).to_have_text("<b> $$ \\(\n")
    screen.page.reload()
    expect(screen.ready().over(1).answer.locator("annotation")).to_have_count(4)


WRITTEN = (
    "Write `&lt;b&gt;` &amp; <b>, $x$, $$y$$, \\(z\\), &#36;5 and $5:  \n\n"
    "```mermaid\ngraph TD; A-->B;\n```\n\n"
    '![logo](https://x.example/l.png)\n\n```python title="a.py"\nif x:\n\treturn "&lt;" \n```\n\n<details>\n'
    "| a |\n|---|\n| <br> |\n\u3000end 👩\u200d🚀 "
)
PIECE = 'if x:\n\treturn "&lt;" '


def copies(screen: Screen, read: Callable[[], str]) -> None:
    def copied(said: str) -> None:
        for _ in range(600):
            if read() == said:
                return
            screen.evaluate("() => new Promise(requestAnimationFrame)")
        assert read() == said

    screen.choose_model("up:echo-1").ask("@" + WRITTEN).over(1)
    screen.page.get_by_role("button", name="Copy message").last.click()
    copied(WRITTEN.rstrip() + "1 ")  # this model counts its words
    screen.answer.locator(".copy_code_button").nth(1).click()
    copied(PIECE)
    screen.asked.hover()
    screen.page.get_by_role("button", name="Copy message").first.click()
    copied("@" + WRITTEN)


def test_a_copy_is_what_was_written(open_page: Opener, served: str) -> None:
    screen = open_page(served, permissions=["clipboard-read", "clipboard-write"])
    copies(screen, lambda: screen.evaluate("() => navigator.clipboard.readText()"))


def test_a_copy_is_what_was_written_where_scripts_have_no_clipboard(open_page: Opener, served: str) -> None:
    screen = open_page(served)
    screen.page.add_init_script("""
      Object.defineProperty(Navigator.prototype, "clipboard", { value: undefined, configurable: true });
      delete Navigator.prototype.clipboard;
      window.addEventListener("copy", (event) => (window.copied = event.clipboardData.getData("text/plain")));
    """)
    screen.page.reload()
    copies(screen.ready(), lambda: screen.evaluate("() => copied"))


def test_a_link_to_a_heading_goes_there_and_leaves_the_address(open_page: Opener, served: str) -> None:
    screen = open_page(served, height=500).choose_model("up:echo-1")
    filler = "\n\n".join(f"line {n}" for n in range(40))
    screen.ask(
        f"@# Content\n\n[to](#the-end)\n\n{filler}\n\n## The end!\n\n{filler}\n\nA[^1]\n\n[^1]: Note. "
    ).over(1)
    address = screen.page.url
    screen.answer.get_by_role("link", name="to").click()
    expect(screen.answer.get_by_role("heading", name="The end")).to_be_in_viewport()
    screen.answer.locator("sup a").click()
    expect(screen.answer.get_by_text("Note.")).to_be_in_viewport()
    assert screen.page.url == address
    assert not screen.evaluate("() => document.querySelectorAll('#chat .answer [id]').length")


TABLE = (
    "@| Item | Date | Price | Note | Words |\n|:--|--|--:|:-:|--|\n"
    "| Bolt | 2026-11-30 | 1,234.56 € | ok | Donaudampfschifffahrtsgesellschaft |\n"
    "| Nut | 2026-01-02 | 12.00 € | yes | A longer text that breaks between its words, not within |\n\nend "
)


@pytest.mark.parametrize("width", [1440, 820, 390])
def test_no_word_and_no_figure_of_a_table_breaks_and_no_columns_touch(
    open_page: Opener, served: str, width: int
) -> None:
    screen = open_page(served, reduced_motion="reduce").choose_model("up:echo-1")
    screen.ask(TABLE).over(1)
    screen.page.set_viewport_size({"width": width, "height": 800})
    broken, gaps = screen.answer.locator("table").evaluate("""table => {
      const range = document.createRange(), broken = [], gaps = [];
      for (const row of table.rows) {
        const edges = [];
        for (const cell of row.cells) {
          const text = cell.firstChild;
          for (const { 0: word, index } of text.data.matchAll(/\\S+/g)) {
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            if (range.getClientRects().length > 1) broken.push(word);
          }
          range.selectNodeContents(cell);
          const { left, right } = range.getBoundingClientRect();
          edges.push([left, right]);
        }
        for (let at = 1; at < edges.length; at++) gaps.push(edges[at][0] - edges[at - 1][1]);
      }
      return [broken, gaps];
    }""")
    assert not broken
    assert min(gaps) >= 16
    assert screen.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_all_of_a_chat_is_printed_in_light(open_page: Opener, served: str) -> None:
    screen = open_page(served, color_scheme="dark", height=600).choose_model("up:echo-1")
    long = "\n\n".join(f"Paragraph {n} of the answer." for n in range(60))
    screen.ask(f"@{long}\n\n```\n{'x ' * 200}\n```\n\n[a](https://x.example/y) ").over(1)
    screen.ask("@second ").over(2)
    pages = re.findall(rb"/Type\s*/Page\b", screen.page.pdf(format="A4"))
    assert len(pages) >= 3
    screen.page.emulate_media(media="print")
    ground, colour = screen.evaluate("""() => [getComputedStyle(document.body).backgroundColor,
      getComputedStyle(document.querySelector('#chat .answer p')).color]""")
    assert ground == "rgb(255, 255, 255)"
    assert colour == "rgb(27, 31, 34)"
    expect(screen.page.locator("#sidebar")).to_be_hidden()
    expect(screen.box).to_be_hidden()
    assert screen.answers.first.locator("pre").evaluate("e => e.scrollWidth <= e.clientWidth")
    assert (
        screen.evaluate("""() => {
      const chat = document.querySelector('#chat .bubble-wrap');
      return chat.scrollHeight - chat.clientHeight }""")
        <= 1
    )


@pytest.mark.parametrize("said", ["@مرحبا\n\n1. أولا\n\n> اقتباس\n\nEnglish `x` here. "])
def test_what_is_written_from_right_to_left_stands_so(open_page: Opener, served: str, said: str) -> None:
    screen = open_page(served).choose_model("up:echo-1")
    screen.ask(said).over(1)
    sides = screen.answer.locator(".answer > *").evaluate_all(
        "all => all.map(e => [e.localName, getComputedStyle(e).direction, getComputedStyle(e).textAlign])"
    )
    assert sides == [
        ["p", "rtl", "start"],
        ["ol", "rtl", "start"],
        ["blockquote", "rtl", "start"],
        ["p", "ltr", "start"],
    ]
    screen.box.fill("مرحبا")
    assert screen.box.evaluate("e => getComputedStyle(e).direction") == "rtl"


def test_no_words_of_an_answer_are_on_the_page_twice(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).choose_model("demo:fast").ask("hello").over(1)
    words = screen.answer.inner_text().split()
    assert len(words) > 2
    assert "".join((screen.answer.text_content() or "").split()) == "".join(words)
