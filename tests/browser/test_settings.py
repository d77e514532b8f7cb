"""Whatever an operator writes into the settings of the page, it is shown as text, and nothing of it runs."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Opener, app

RUNS = "<script>window.hacked=1</script><img src='data:,' onerror='window.hacked=2'>"
TITLE = f"Bikes & <b>bells</b> \"Co.\" '$x$' ${{1+1}} `{RUNS}` {'long' * 60}"
WELCOME = f"# Welcome\n\nAsk about **bikes**, `{{value}}` and ${{window.hacked=3}}.\n\n{RUNS}\n\n{'w' * 400}"
EXAMPLE = f'What is "5 < 6" & </button>{RUNS}?\nAnd ${{7}} of `8`? *No* {"e" * 300}'
NAME = 'The "chef\'s" </script><script>hacked()</script> ${9}'
PROMPT = f'You cook.\nSay: "it\'s" <b>hot</b> \\n ${{10}} </script>{RUNS}\u2028Done'


def test_hostile_settings_are_shown_as_what_they_are(open_page: Opener, tmp_path: Path) -> None:
    with (
        app(
            tmp_path,
            CHAT_TITLE=TITLE,
            CHAT_WELCOME=WELCOME,
            CHAT_EXAMPLES=f"{EXAMPLE}|A bell?",
            CHAT_PERSONAS=f"{NAME}={PROMPT}|constructor=A name like any other.",
            CHAT_MODELS="demo:fast,demo:tour",
            CHAT_DEMO_PACE="0",
        ) as address,
    ):
        screen = open_page(address)
        page = screen.page
        assert page.title() == TITLE
        expect(page.locator("#title h1")).to_have_text(TITLE)
        expect(page.locator("#chat .placeholder h1")).to_have_text("Welcome")
        expect(page.locator("#chat .placeholder strong").first).to_have_text("bikes")
        expect(page.locator("#chat .placeholder")).to_contain_text("${window.hacked=3}")
        for width in (1440, 820, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_function(f"() => document.documentElement.scrollWidth <= {width}")
        page.set_viewport_size({"width": 1440, "height": 800})
        if not page.locator("#sidebar.open").count():
            page.locator("#sidebar .toggle-button").click()
        screen.more()
        page.locator("#persona input").click()
        for name, prompt in ((NAME, PROMPT), ("constructor", "A name like any other.")):
            page.locator("#persona input").click()
            page.get_by_role("option", name=name, exact=True).click()
            expect(page.locator("#system textarea")).to_have_value(prompt)
        page.locator("#model input").click()
        expect(page.get_by_role("option")).to_have_text(["✓ demo:fast", "✓ demo:tour"])
        page.keyboard.press("Escape")
        example = page.locator("#chat .example").first
        expect(example).to_have_text(EXAMPLE)
        example.click()
        expect(screen.asked).to_have_text(EXAMPLE, use_inner_text=True)
        screen.over(1)
        assert page.evaluate("window.hacked") is None
        page.close()
