"""What a model writes stays words: it draws nothing live, asks for nothing, and poses as no button."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener

DRAWING = "graph TD\n A[\"<img src='chat?q=hi'><button class='act again'>Go on</button>\"]\n"


def test_no_diagram_is_drawn_and_its_pictures_are_asked_for_by_nobody(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:echo-1")
    asked: list[str] = []
    screen.page.on("request", lambda request: asked.append(request.url))
    openings = ("```mermaid", "x\n\n- [ ] ```mermaid", "``` mermaid", "```x&#32;mermaid", "~~~mermaid")
    said = "\n\n".join(f"{opening}\n{DRAWING}{opening.lstrip('x -[]')[:3]}" for opening in openings)
    screen.ask(f"@{said}\n\nx```mermaid\n{DRAWING}```\n\n```constructor\nx\n```\n\nend ").over(1)
    expect(screen.answer).to_contain_text("end1")
    expect(screen.answer.locator("pre")).not_to_have_count(0)
    assert not [url for url in asked if "mermaid" in url or "q=hi" in url]
    expect(screen.page.locator("#chat :is(.mermaid, svg[id^=mermaid])")).to_have_count(0)
    expect(screen.page.locator("#chat .message img")).to_have_count(0)


def test_no_formula_that_gradio_ends_elsewhere_lets_a_picture_live(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:echo-1")
    screen.ask("@\\$$ x $$\n<img src='chat?q=hi'>\n$$\n\nend ").over(1)
    expect(screen.answer).to_contain_text("end1")
    expect(screen.page.locator("#chat .message img")).to_have_count(0)


@pytest.mark.parametrize("inside", ["div", "code"])
def test_a_button_deeper_in_an_answer_is_none_of_ours(open_page: Opener, served: str, inside: str) -> None:
    """Were a model's words ever to become one."""
    screen = open_page(served).choose_model("up:text-5").ask("hello").over(1)
    run = screen.run
    screen.evaluate(f"""() => {{
      const line = document.createElement('{inside}');
      line.innerHTML = '<p class="fate run-forged"><button class="act again of-{run}">Go on</button></p>';
      document.querySelector('#chat .bot-row .prose p').append(line);
    }}""")
    screen.page.get_by_role("button", name="Go on").click()
    assert screen.evaluate("() => runnel.latest()") == run.removeprefix("run-")
    assert screen.evaluate("() => runnel.marks().length") == 1
    # What is asked of ours is answered after it, so nothing had begun by then.
    screen.page.get_by_role("button", name="Activity").last.click()
    expect(screen.live).to_have_count(0)
    expect(screen.page.locator("#chat .versions")).to_have_count(0)
    screen.page.get_by_role("button", name="Try again").click()
    expect(screen.page.locator("#chat .versions")).to_have_text("‹2 / 2")
