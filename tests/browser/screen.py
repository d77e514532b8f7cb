"""What a person does on the page and sees there, in words. Nothing sleeps: it waits for what must come."""

from typing import Any, Self

from playwright.sync_api import Locator, Page, expect

SETTLED = 3
"""Frames after which what was unfolded keeps what is typed into it."""


class Screen:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.box = page.locator("#question textarea")
        self.send = page.locator("#question .submit-button")
        self.stop = page.locator("#question .stop-button")
        self.chat = page.locator("#chat")
        self.questions = page.locator("#chat .user-row")
        self.asked = page.locator("#chat .asked")
        self.answers = page.locator("#chat .bot-row")
        self.live = page.locator("#chat .now")
        self.activity = page.locator("#activity")

    def ready(self) -> Self:
        """The page has come, and knows whether something runs."""
        expect(self.box).to_be_visible()
        expect(self.page.locator("#question button:visible")).to_have_count(1)
        expect(self.page.locator("#model input")).not_to_have_value("")
        return self

    def ask(self, question: str) -> Self:
        """Types and presses Enter (on a screen that is touched, Send), as soon as Send is there."""
        expect(self.send).to_be_visible()
        self.box.fill(question)
        if self.evaluate("() => matchMedia('(hover: none) and (pointer: coarse)').matches"):
            self.send.click()
        else:
            self.box.press("Enter")
        expect(self.box).to_have_value("")
        return self

    def writing(self) -> Self:
        """Words of an answer are there, and more come."""
        expect(self.page.locator("#chat .now.writing")).to_be_attached()
        return self

    def over(self, count: int) -> Self:
        """So many answers are there, none is running, and Send is back."""
        expect(self.page.locator("#chat .fate .footer")).to_have_count(count)
        expect(self.live).to_have_count(0)
        expect(self.send).to_be_visible()
        return self

    @property
    def footer(self) -> str:
        """Of the last answer."""
        return self.page.locator("#chat .fate .footer").last.inner_text()

    @property
    def run(self) -> str:
        """The class that names the run of the last answer."""
        return self.page.locator("#chat .fate").last.evaluate("line => line.className.match(/run-\\S+/)[0]")

    @property
    def answer(self) -> Locator:
        """The words of the last answer, without our own line below them."""
        return self.answers.last.locator(".message-content:not(:has(.fate, .now))")

    def choose_model(self, name: str) -> Self:
        # What the server says of the model as the page opens would undo an earlier choice.
        self.page.wait_for_load_state("networkidle")
        menu = self.page.locator("#model input")
        menu.fill(name)
        menu.press("Enter")
        expect(menu).to_have_value(name)
        return self

    def look(self) -> Self:
        """Somebody looks at the page again."""
        self.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
        return self

    @property
    def chat_id(self) -> str:
        """Of the chat that is shown, as its address says; waits until it does."""
        self.page.wait_for_function("() => new URL(location).searchParams.get('chat')")
        return self.evaluate("() => new URL(location).searchParams.get('chat')")

    def new_chat(self) -> Self:
        """Clicks New, once more where a first click came while the page still took in another answer."""
        self.page.locator("#new").click()
        try:
            expect(self.questions).to_have_count(0, timeout=3000)
        except AssertionError:
            self.page.locator("#new").click()
            expect(self.questions).to_have_count(0)
        return self

    def open_chat(self, id: str) -> Self:
        """As another script asks for it."""
        self.page.evaluate("chat => dispatchEvent(new CustomEvent('runnel-open', {detail: {chat}}))", id)
        self.page.wait_for_function("chat => new URL(location).searchParams.get('chat') === chat", arg=id)
        return self

    def more(self) -> Self:
        """Unfolds the settings."""
        if not self.page.locator("#system textarea").is_visible():
            self.page.locator("#more button").first.click()
        expect(self.page.locator("#system textarea")).to_be_visible()
        # Gradio sets what was unfolded to its first values once more, a frame later (gradio_fixes, 20).
        self.page.evaluate(
            "left => new Promise(done => {"
            " const next = () => left-- ? requestAnimationFrame(next) : done(); next() })",
            SETTLED,
        )
        return self

    def evaluate(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)
