"""People who log in: by name and password, each to their own chats, and out again."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import PATIENCE, Watch, keyed_app
from tests.browser.screen import Screen

# Chromium says on the console that an answer was 401; that is what these tests are about.
REFUSED = "the server responded with a status of 401"

Arrive = Callable[..., Page]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    users = "ada:correct horse,böb:battery staple"
    with keyed_app(tmp_path_factory.mktemp("house"), CHAT_USERS=users, CHAT_DEMO_PACE="0") as address:
        yield address


@pytest.fixture(scope="module")
def house(printed: str) -> str:
    return printed.partition("/?")[0]


@pytest.fixture
def arrive(browser: Browser, watch: Watch) -> Iterator[Arrive]:
    """Opens an address in a new browser, or `beside` another page. Whatever is there: no `Screen` yet."""
    contexts: list[BrowserContext] = []

    def page(address: str, beside: Page | None = None) -> Page:
        context = beside.context if beside is not None else browser.new_context()
        if beside is None:
            contexts.append(context)
        opened = context.new_page()
        opened.set_default_timeout(PATIENCE)
        watch.page(opened)
        opened.goto(address)
        return opened

    yield page
    for context in contexts:
        context.close()
    watch.complaints[:] = [each for each in watch.complaints if REFUSED not in each]


def log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def test_two_people_and_their_chats(arrive: Arrive, house: str) -> None:
    ada = arrive(f"{house}/?chat=unknown")
    expect(ada).to_have_url(f"{house}/login?next=%3Fchat%3Dunknown")
    expect(ada.get_by_label("Name")).to_be_focused()
    log_in(ada, "ada", "battery staple")
    expect(ada.get_by_role("alert")).to_contain_text("wrong")
    expect(ada.get_by_label("Name")).to_have_value("ada")
    expect(ada.get_by_label("Password")).to_be_focused()
    log_in(ada, "ada", "correct horse")
    expect(ada).to_have_url(f"{house}/?chat=unknown")
    expect(ada.locator("#person")).to_have_text("Signed in as ada · Sign out · Sign out everywhere")
    mine = Screen(ada).ready().new_chat().ask("From ada").over(1)

    bob = arrive(f"{house}/?chat={mine.chat_id}")
    log_in(bob, "böb", "battery staple")
    expect(bob.locator("#person")).to_contain_text("böb")
    theirs = Screen(bob).ready()
    expect(theirs.chat).to_contain_text("There is no such chat")
    theirs.new_chat().ask("From böb").over(1)
    for page, own, other in ((ada, "From ada", "From böb"), (bob, "From böb", "From ada")):
        page.get_by_role("tab", name="Chats").click()
        expect(page.locator("#chats .row")).to_have_count(1)
        expect(page.locator("#chats")).to_contain_text(own)
        expect(page.locator("#chats")).not_to_contain_text(other)


def test_signing_out_takes_the_other_tabs_along(arrive: Arrive, house: str) -> None:
    page = arrive(house)
    log_in(page, "ada", "correct horse")
    Screen(page).ready().new_chat().ask("Hello").over(1)
    other = arrive(house, beside=page)
    Screen(other).ready().box.fill("Half a thought")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(f"{house}/login")
    expect(other).to_have_url(f"{house}/login")
    page.go_back()  # what was kept for it is not shown
    expect(page.get_by_label("Password")).to_be_visible()
    log_in(other, "böb", "battery staple")
    expect(Screen(other).ready().box).to_have_value("")  # the next person finds nothing of the last


def test_who_is_not_signed_in_any_more_is_told_so(arrive: Arrive, house: str) -> None:
    page = arrive(house)
    log_in(page, "ada", "correct horse")
    screen = Screen(page).ready().new_chat().ask("Hello").over(1)
    screen.box.fill("What was lost?")
    page.context.clear_cookies()
    screen.box.press("Enter")
    screen.look()  # the page may learn it of this before Enter has sent, or after: it shows the same
    expect(page.locator("#hint")).to_contain_text("You are not signed in any more.")
    expect(screen.box).to_have_value("What was lost?")
    expect(screen.answers.locator("visible=true")).to_have_count(1)  # what was there, and no failure below it
    expect(page.locator(".toast-wrap")).to_be_hidden()
    expect(screen.send).to_be_visible()
    page.reload()
    log_in(page, "ada", "correct horse")
    screen.ready().over(1)
    expect(screen.box).to_have_value("What was lost?")


def test_the_embedded_page_says_where_to_sign_in_again(arrive: Arrive, house: str, watch: Watch) -> None:
    page = arrive(f"{house}/embed?model=demo:fast")
    log_in(page, "ada", "correct horse")
    expect(page).to_have_url(f"{house}/embed?model=demo:fast")
    for question, state in (("Hello", "complete"), ("Still there?", "failed")):
        expect(page.locator("#send")).to_be_enabled()  # what is sent before that stays in the box
        page.locator("#question").fill(question)
        page.locator("#question").press("Enter")
        expect(page.locator("[data-role=assistant]").last).to_have_attribute("data-state", state)
        page.context.clear_cookies()
    expect(page.locator(".line").last).to_have_text("You are signed out.Sign in")
    page.get_by_role("link", name="Sign in").click()
    log_in(page, "ada", "correct horse")
    expect(page).to_have_url(f"{house}/embed?model=demo:fast")
    expect(page.locator("[data-role=user]")).to_have_text("Hello")
    page.goto(f"{house}/")
    Screen(page).ready()
    page.get_by_role("button", name="Sign out", exact=True).click()
    log_in(page, "böb", "battery staple")
    Screen(page).ready()
    page.goto(f"{house}/embed?model=demo:fast")
    expect(page.locator("#send")).to_be_enabled()
    expect(page.locator("[data-role]")).to_have_count(0)  # the tab's conversation was hers
    expect(page.locator("#empty")).to_be_visible()
    watch.complaints[:] = [each for each in watch.complaints if "a status of 404" not in each]


@pytest.mark.slow
def test_who_signs_in_again_in_another_tab_goes_on(arrive: Arrive, house: str) -> None:
    page = arrive(house)
    log_in(page, "ada", "correct horse")
    screen = Screen(page).ready()
    page.context.clear_cookies()
    screen.look()
    expect(page.locator("#hint")).to_contain_text("You are not signed in any more.")
    other = arrive(house, beside=page)
    log_in(other, "böb", "battery staple")
    expect(other.locator("#person")).to_contain_text("böb")
    screen.look()
    expect(page.locator("#person")).to_contain_text("böb")


def test_gradios_own_routes_are_shut_too(arrive: Arrive, house: str) -> None:
    page = arrive(house)
    for path in ("/config", "/gradio_api/info", "/gradio_api/queue/status", "/theme.css", "/assets/index.js"):
        assert page.request.get(house + path).status == 401
    for path in ("/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/cancel"):
        assert page.request.post(house + path, data={}).status == 401
    queue = page.request.get(
        f"{house}/gradio_api/queue/data?session_hash=a", headers={"accept": "text/event-stream"}
    )
    assert queue.status == 401


def test_the_printed_address_needs_no_login(arrive: Arrive, printed: str, house: str) -> None:
    page = arrive(printed)
    Screen(page).ready()
    expect(page).to_have_url(f"{house}/")
    expect(page.locator("#person")).to_have_text("You are the owner here · Sign out everywhere")
    late = arrive(printed)  # the key was good once
    expect(late.get_by_label("Password")).to_be_visible()


def test_signing_out_everywhere_ends_the_other_browsers_of_one_person(arrive: Arrive, house: str) -> None:
    one, two, bob = arrive(house), arrive(house), arrive(house)
    for page, name, password in ((one, "ada", "correct horse"), (two, "ada", "correct horse")):
        log_in(page, name, password)
        Screen(page).ready()
    log_in(bob, "böb", "battery staple")
    Screen(bob).ready()
    one.get_by_role("button", name="Sign out everywhere").click()
    expect(one).to_have_url(f"{house}/login")
    for page in (two, bob):
        page.reload()
    expect(two.get_by_label("Password")).to_be_visible()
    expect(bob.locator("#person")).to_contain_text("böb")
