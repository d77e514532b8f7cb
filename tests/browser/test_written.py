"""How what was written stands on the page: a question as it was typed, code within its line and its block."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener

BOX = (
    "e => { const {left, right, top, bottom} = e.getBoundingClientRect(); return [left, right, top, bottom] }"
)
SCROLLER = "document.querySelector('#chat [role=log]')"


@pytest.mark.parametrize("width", [1440, 390])
def test_a_question_keeps_its_indentation_and_its_lines(open_page: Opener, demo: str, width: int) -> None:
    screen = open_page(demo, reduced_motion="reduce").choose_model("demo:fast")
    screen.ask("def f():\n    if x:\n\n\treturn\n" + "x" * 500).over(1)
    screen.page.set_viewport_size({"width": width, "height": 800})
    expect(screen.asked).to_contain_text("    if x:", use_inner_text=True)
    lefts, tops = screen.asked.evaluate("""asked => {
      const range = document.createRange(), lefts = [], tops = [];
      for (const node of asked.childNodes) {
        const at = node.textContent.search(/\\S/);
        if (at < 0) continue;
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        const box = range.getBoundingClientRect();
        lefts.push(Math.round(box.left));
        tops.push(Math.round(box.top));
      }
      return [lefts, tops];
    }""")
    assert lefts[0] < lefts[1] <= lefts[2]
    assert lefts[3] == lefts[0]
    line = tops[1] - tops[0]
    assert [round((top - tops[0]) / line) for top in tops] == [0, 1, 3, 4]  # none is doubled
    screen.page.wait_for_function(f"() => {SCROLLER}.scrollWidth === {SCROLLER}.clientWidth")


CODE = "from somewhere import something_long_enough_for_any_screen_that_there_is, and_another_one_of_them_too"


@pytest.mark.parametrize("width", [1440, 390])
def test_the_button_of_a_block_of_code_covers_none_of_it(open_page: Opener, served: str, width: int) -> None:
    screen = open_page(served, reduced_motion="reduce").choose_model("up:echo-1")
    screen.ask(f"@```\n{CODE}\n{CODE}\n```\n\n- a\n\n  ```\n  {CODE}\n  ```\n\nend ").over(1)
    screen.page.set_viewport_size({"width": width, "height": 800})
    blocks = screen.answer.locator(".code_wrap")
    expect(blocks).to_have_count(2)
    for block in blocks.all():
        _, right, _, _ = block.locator("pre").evaluate(BOX)  # what is longer is cut there, and scrolls
        left, _, _, bottom = block.locator(".copy_code_button").evaluate(BOX)
        assert right <= left
        assert bottom <= block.evaluate(BOX)[3]


def test_code_in_a_line_breaks_with_it(open_page: Opener, served: str) -> None:
    screen = open_page(served, reduced_motion="reduce").choose_model("up:echo-1")
    screen.ask("@" + "Then `one two three four five six`, " * 8 + "end ").over(1)
    screen.page.set_viewport_size({"width": 390, "height": 800})
    breaks = """p => [...p.querySelectorAll('code')].filter(code => {
      const range = document.createRange();
      range.setStart(code.nextSibling, 0);
      range.setEnd(code.nextSibling, 1); // the comma behind it
      return range.getBoundingClientRect().top > [...code.getClientRects()].pop().bottom;
    }).length"""
    words = screen.answer.locator("p")
    assert words.evaluate(breaks) == 0
    assert words.evaluate("p => [...p.querySelectorAll('code')].some(e => e.getClientRects().length > 1)")


def test_code_in_cpp_is_drawn_when_it_is_the_first_of_the_page(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:echo-1")
    screen.ask("@Before.\n\n```cpp\nint main() { return 0; }\n```\n\nAfter. ").over(1)
    expect(screen.answer.locator("pre")).to_have_text("int main() { return 0; }\n")
    expect(screen.answer).to_contain_text("After.")
    screen.page.reload()
    expect(screen.ready().answer).to_contain_text("After.")
