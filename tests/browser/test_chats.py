"""The list of chats in a real browser: find, open, rename, delete and take one along."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Route, expect

from tests.browser.conftest import Opener
from tests.browser.screen import Screen

HTML = "<img src=x onerror='window.hit = 1'> <b>bold</b>"
LONG = "up:text-3000-60"


def chats(screen: Screen) -> Locator:
    """The rows, with the tab shown."""
    screen.page.get_by_role("tab", name="Chats").click()
    expect(screen.page.locator("#chats .search")).to_be_visible()
    return screen.page.locator("#chats .row")


def row(screen: Screen, title: str) -> Locator:
    return screen.page.locator("#chats .row", has=screen.page.get_by_text(title, exact=True))


def choose(screen: Screen, title: str, item: str) -> None:
    """From the menu of a row."""
    row(screen, title).hover()
    row(screen, title).locator(".open-menu").click()
    screen.page.get_by_role("menuitem", name=item).click()


def ask_all(screen: Screen, *questions: str) -> Screen:
    """Each in a chat of its own."""
    for n, question in enumerate(questions):
        if n:
            screen.page.locator("#new").click()
            expect(screen.questions).to_have_count(0)
        screen.ask(question).over(1)
    return screen


def again(screen: Screen) -> None:
    """What follow.js says when the list is another one."""
    with screen.page.expect_response(re.compile(r"/chats\?")):
        screen.evaluate("() => { dispatchEvent(new Event('runnel-chats')); }")


# -- finding and opening -------------------------------------------------------------------------


def test_the_list_shows_a_chat_after_its_first_question(open_page: Opener, demo: str) -> None:
    screen = open_page(demo)
    rows = chats(screen)
    expect(screen.page.locator("#chats .empty")).to_have_text("No chats yet.")
    screen.ask("hello there").over(1)
    expect(rows).to_have_count(1)
    expect(rows.locator(".name")).to_have_text("hello there")
    expect(rows.locator("[aria-current]")).to_have_count(1)
    expect(screen.page.locator("#chats h3:visible")).to_have_text(["Today"])


def test_the_window_has_the_name_of_its_chat(open_page: Opener, demo: str) -> None:
    screen = open_page(demo)
    expect(screen.page).to_have_title("Runnel")
    screen.ask("What is a stream?").over(1)
    expect(screen.page).to_have_title("What is a stream? · Runnel")
    screen.new_chat()
    expect(screen.page).to_have_title("Runnel")


def test_another_chat_and_back(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "the first one", "the second one")
    rows = chats(screen)
    expect(rows.locator(".name")).to_have_text(["the second one", "the first one"])
    for title in ("the first one", "the second one"):
        row(screen, title).locator(".link").click()
        expect(screen.questions).to_have_text([re.compile(title)])
        expect(rows.locator("[aria-current] .name")).to_have_text([title])
        here = row(screen, title).locator(".link").get_attribute("href")
        expect(screen.page).to_have_url(here or "")
    screen.page.reload()
    screen.ready()
    expect(screen.questions).to_have_text([re.compile("the second one")])


def test_a_click_with_ctrl_opens_a_tab(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "the first one", "the second one")
    chats(screen)
    with screen.page.context.expect_page() as opened:
        row(screen, "the first one").locator(".link").click(modifiers=["Control"])
    other = Screen(opened.value).ready()
    expect(other.questions).to_have_text([re.compile("the first one")])
    expect(screen.questions).to_have_text([re.compile("the second one")])


def test_a_running_one_has_a_dot_until_it_is_over(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model(LONG)
    rows = chats(screen)
    screen.ask("go on").writing()
    expect(rows.get_by_role("img", name="Being written")).to_be_visible()
    screen.stop.click()
    screen.over(1)
    expect(rows).to_have_count(1)
    expect(rows.get_by_role("img", name="Being written")).to_be_hidden()


def test_a_search_in_titles_and_texts(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-9")
    ask_all(screen, "About bicycles", "About cooking")
    rows = chats(screen)
    field = screen.page.locator("#chats .search")
    field.fill("bicycles")
    expect(rows.locator(".name")).to_have_text(["About bicycles"])
    field.fill("tok7")  # of both answers
    expect(rows).to_have_count(2)
    expect(rows.first.locator(".found mark")).to_have_text("tok7")
    field.press("Escape")
    expect(field).to_have_value("")
    expect(rows.locator(".found:visible")).to_have_count(0)
    expect(rows).to_have_count(2)


def test_a_search_that_finds_nothing_says_so(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "hello there")
    rows = chats(screen)
    for search in ("zebra", '"*', "' OR 1=1--", "${window.hit = 1}", HTML, "NEAR(zebra", "*:*"):
        expect(rows).to_have_count(1)
        screen.page.locator("#chats .search").fill(search)
        expect(screen.page.locator("#chats .empty")).to_have_text(f"Nothing found for “{search}”.")
        expect(rows).to_have_count(0)
        screen.page.locator("#chats .search").fill("")
    expect(rows).to_have_count(1)
    assert screen.evaluate("() => window.hit") is None


def test_html_in_a_title_is_text(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), HTML)
    rows = chats(screen)
    expect(rows.locator(".name")).to_have_text([HTML])
    choose(screen, HTML, "Delete")
    expect(screen.page.locator("#chats .gone")).to_have_text(f"Deleted “{HTML}”")
    assert screen.page.locator("#chats :is(img, b)").count() == 0
    assert screen.evaluate("() => window.hit") is None


def test_the_activity_goes_on_while_the_list_is_shown(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:tools-2-40+text-90-60").ask("go")
    card = screen.activity.locator(".call").first
    card.locator("summary").click()
    expect(card.locator("pre").first).to_be_visible()
    expect(chats(screen)).to_have_count(1)
    screen.over(1)
    screen.page.get_by_role("tab", name="Activity").click()
    expect(card.locator("pre").first).to_be_visible()
    expect(screen.activity.locator(".phase .words")).to_have_text("Done")


# -- changing ------------------------------------------------------------------------------------


def test_rename(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "hello there")
    rows = chats(screen)
    height = rows.first.bounding_box()
    choose(screen, "hello there", "Rename")
    field = rows.locator(".rename")
    expect(field).to_be_focused()
    expect(field).to_have_value("hello there")
    assert rows.first.bounding_box() == height  # nothing jumps
    field.fill("never mind")
    field.press("Escape")
    expect(rows.locator(".name")).to_have_text(["hello there"])
    expect(rows.locator(".link")).to_be_focused()
    choose(screen, "hello there", "Rename")
    field.fill("  A   better name ")
    field.press("Enter")
    expect(rows.locator(".name")).to_have_text(["A better name"])
    screen.page.reload()
    screen.ready()
    expect(chats(screen).locator(".name")).to_have_text(["A better name"])


def test_a_name_being_typed_outlives_a_new_list(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "hello there")
    rows = chats(screen)
    choose(screen, "hello there", "Rename")
    rows.locator(".rename").press_sequentially("half a na")
    again(screen)
    expect(rows.locator(".rename")).to_be_focused()
    rows.locator(".rename").press_sequentially("me")
    rows.locator(".rename").press("Enter")
    expect(rows.locator(".name")).to_have_text(["half a name"])


def test_delete_and_undo(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "the first one", "the second one")
    rows = chats(screen)
    expect(rows).to_have_count(2)
    place = row(screen, "the first one").bounding_box()
    choose(screen, "the first one", "Delete")
    gone = screen.page.locator("#chats .gone")
    expect(gone).to_have_text("Deleted “the first one”")
    undo = screen.page.locator("#chats .undo")
    expect(undo).to_be_focused()
    again(screen)
    expect(gone).to_be_visible()  # a new list does not take the way back
    undo.click()
    expect(rows.locator(".name")).to_have_text(["the second one", "the first one"])
    assert row(screen, "the first one").bounding_box() == place
    again(screen)
    expect(rows).to_have_count(2)
    expect(screen.questions).to_have_text([re.compile("the second one")])  # which was open all the time


def test_a_deleted_one_is_gone_after_a_while(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "the first one", "the second one")
    rows = chats(screen)
    expect(rows).to_have_count(2)
    screen.page.clock.install()
    with screen.page.expect_response(re.compile("/chats/")):
        choose(screen, "the first one", "Delete")
    screen.box.focus()
    screen.page.mouse.move(900, 300)
    screen.page.clock.run_for(11_000)
    expect(rows).to_have_count(1)
    expect(rows.locator(".name")).to_have_text(["the second one"])


def test_to_delete_the_open_one_leads_to_a_new_one_and_undo_leads_back(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "hello there")
    rows = chats(screen)
    expect(rows.locator("[aria-current]")).to_have_count(1)
    choose(screen, "hello there", "Delete")
    expect(screen.questions).to_have_count(0)
    screen.page.locator("#chats .undo").click()
    expect(screen.questions).to_have_count(1)
    expect(rows.locator("[aria-current]")).to_have_count(1)


def test_a_question_in_one_that_another_tab_deleted_comes_back_and_begins_a_new_one(
    open_page: Opener, demo: str
) -> None:
    screen = open_page(demo).ask("hello").over(1)
    gone = screen.chat_id
    deleted = screen.evaluate(
        "id => fetch(`chats/${id}`, {method: 'DELETE'}).then(answer => answer.status)", gone
    )
    assert deleted == 200
    screen.box.fill("and now?")
    screen.box.press("Enter")
    expect(screen.page.locator("#chat .nowhere")).to_be_visible()
    expect(screen.box).to_have_value("and now?")
    screen.box.press("Enter")
    screen.over(1)
    expect(screen.asked).to_have_text(["and now?"])
    screen.page.wait_for_function("gone => !location.search.includes(gone)", arg=gone)


def test_a_chat_as_files(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "Hello “there”")
    chats(screen)
    for item, suffix in (("Export Markdown", "md"), ("Export JSON", "json")):
        with screen.page.expect_download() as download:
            choose(screen, "Hello “there”", item)
        assert download.value.suggested_filename == f"Hello “there”.{suffix}"
        text = download.value.path().read_text(encoding="utf-8")
        assert "Hello “there”" in text
        if suffix == "json":
            assert [each["role"] for each in json.loads(text)["messages"]] == ["user", "assistant"]


# -- keys ----------------------------------------------------------------------------------------


def test_by_keyboard_alone(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "the first one", "the second one", "the third one")
    rows = chats(screen)
    expect(rows).to_have_count(3)
    keys = screen.page.keyboard
    link = rows.locator(".link")
    screen.page.locator("#chats .search").focus()
    keys.press("Tab")
    expect(link.nth(0)).to_be_focused()
    assert link.nth(0).evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    keys.press("ArrowDown")
    expect(link.nth(1)).to_be_focused()
    keys.press("End")
    expect(link.nth(2)).to_be_focused()
    keys.press("ArrowUp")
    keys.press("Enter")
    expect(screen.questions).to_have_text([re.compile("the second one")])
    link.nth(1).focus()
    keys.press("Tab")
    expect(rows.nth(1).locator(".open-menu")).to_be_focused()
    keys.press("Enter")
    menu = screen.page.get_by_role("menuitem")
    expect(menu.nth(0)).to_be_focused()
    keys.press("ArrowUp")
    expect(menu.nth(3)).to_be_focused()
    keys.press("Escape")
    expect(menu.first).to_be_hidden()
    expect(rows.nth(1).locator(".open-menu")).to_be_focused()
    link.nth(1).focus()
    keys.press("F2")
    expect(rows.locator(".rename")).to_be_focused()
    keys.press("Escape")
    expect(link.nth(1)).to_be_focused()
    keys.press("Delete")
    expect(screen.page.locator("#chats .undo")).to_be_focused()
    keys.press("Enter")
    expect(link.nth(1)).to_be_focused()
    expect(rows.locator(".name")).to_have_text(["the third one", "the second one", "the first one"])


def test_escape_in_the_list_stops_no_answer(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model(LONG)
    rows = chats(screen)
    screen.ask("go on").writing()
    expect(rows).to_have_count(1)
    rows.hover()
    rows.locator(".open-menu").click()
    screen.page.keyboard.press("Escape")
    choose(screen, "go on", "Rename")
    screen.page.keyboard.press("Escape")
    screen.page.locator("#chats .search").fill("go")
    screen.page.keyboard.press("Escape")
    expect(screen.page.locator("#chats .search")).to_have_value("")
    expect(screen.live).to_have_count(1)
    screen.page.keyboard.press("Escape")  # there is nothing left to close
    screen.over(1)


# -- when something fails, and when there are many ---------------------------------------------------


def test_a_list_that_fails_says_so_and_recovers(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "hello there")
    rows = chats(screen)
    expect(rows).to_have_count(1)
    place = rows.first.bounding_box()
    pattern = re.compile(r"/chats\?")
    screen.page.route(pattern, lambda route: route.fulfill(status=503, json={"error": "The disk is full."}))
    again(screen)
    note = screen.page.locator("#chats .note")
    expect(note).to_have_text("The list cannot be loaded. Trying again.")
    expect(rows).to_have_count(1)
    assert rows.first.bounding_box() == place
    screen.page.unroute(pattern)
    expect(note).to_be_hidden()
    tolerate(open_page, "503")


def test_a_change_that_fails_is_taken_back_and_said(open_page: Opener, demo: str) -> None:
    screen = ask_all(open_page(demo), "hello there")
    rows = chats(screen)
    expect(rows).to_have_count(1)
    sentence = {"error": "The disk is full. Make room, and try again."}
    screen.page.route(re.compile(r"/chats/"), lambda route: route.fulfill(status=503, json=sentence))
    for item in ("Rename", "Delete"):
        choose(screen, "hello there", item)
        if item == "Rename":
            rows.locator(".rename").fill("another")
            rows.locator(".rename").press("Enter")
        expect(screen.page.locator("#chats .note")).to_have_text(sentence["error"])
        expect(rows.locator(".name")).to_have_text(["hello there"])
    expect(screen.questions).to_have_count(1)
    tolerate(open_page, "503")


def tolerate(open_page: Opener, status: str) -> None:
    """The browser itself complains about an answer that the test has made."""
    complaints = open_page.watch.complaints
    assert complaints
    assert all(f"status of {status}" in each for each in complaints)
    complaints.clear()


def test_many_chats_come_by_and_by(open_page: Opener, demo: str) -> None:
    today = 1_800_000_000  # eight in the morning

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        skip, limit = int(query["skip"][0]), int(query["limit"][0])
        made = [
            {
                "id": f"chat{n}",
                "title": f"Chat {n}",
                "updated": today - n * 3600,
                "running": False,
                "found": "",
            }
            for n in range(skip, min(skip + limit, 10_000))
        ]
        route.fulfill(json={"chats": made, "more": skip + limit < 10_000})

    screen = open_page(demo, timezone_id="UTC")
    screen.page.clock.set_fixed_time(datetime.fromtimestamp(today, UTC))
    screen.page.route(re.compile(r"/chats\?"), answer)
    rows = chats(screen)
    expect(rows).to_have_count(50)
    more = screen.page.get_by_role("button", name="Show more")
    more.click()
    expect(rows).to_have_count(100)
    expect(more).to_be_focused()
    shown = screen.page.locator("#chats h3:visible")
    expect(shown).to_have_text(["Today", "Yesterday", "Previous 7 days"])
    more.click()
    more.click()
    more.click()
    expect(rows).to_have_count(250)
    expect(shown).to_have_text(["Today", "Yesterday", "Previous 7 days", "Older"])
    rows.nth(200).locator(".link").focus()
    top = screen.evaluate("() => document.querySelector('#sidebar .sidebar-content').scrollTop")
    assert top > 1000
    again(screen)
    expect(rows.nth(200).locator(".link")).to_be_focused()
    assert screen.evaluate("() => document.querySelector('#sidebar .sidebar-content').scrollTop") == top
    assert screen.page.locator("#chats .search").bounding_box()["y"] >= 0  # type: ignore[index]


# -- small screens -----------------------------------------------------------------------------------


def test_on_a_phone_a_chosen_chat_closes_the_sidebar(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, width=390, height=844, has_touch=True)
    screen.box.tap()  # until somebody touches the page, the box gives the focus away
    screen.ask("hello there").over(1)
    toggle = screen.page.locator("#sidebar .toggle-button")
    toggle.click()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    rows = chats(screen)
    expect(rows).to_have_count(1)
    for part in (".link", ".open-menu"):
        box = rows.locator(part).bounding_box()
        assert box
        assert box["height"] >= 44, part
    assert rows.locator(".open-menu").evaluate("e => getComputedStyle(e).opacity") == "1"
    rows.locator(".open-menu").tap()
    for item in screen.page.get_by_role("menuitem").all():
        box = item.bounding_box()
        assert box
        assert box["height"] >= 44
        assert box["x"] + box["width"] <= 390
    screen.page.keyboard.press("Escape")
    expect(toggle).to_have_attribute("aria-expanded", "true")
    rows.locator(".link").tap()
    expect(toggle).to_have_attribute("aria-expanded", "false")
    expect(screen.questions).to_have_count(1)


def test_the_menu_of_a_chat_stays_open_while_an_answer_is_written(open_page: Opener, served: str) -> None:
    screen = open_page(served).ask("the first").over(1).new_chat()
    screen.choose_model("up:prose-900-90").ask("the second").writing()
    screen.page.get_by_role("tab", name="Chats").click()
    row = screen.page.locator("#chats .row", has_text="the first")
    row.hover()
    row.locator(".open-menu").click()
    chat = "document.querySelector('#chat .bubble-wrap')"
    top = screen.evaluate(f"() => {chat}.scrollTop")
    screen.page.wait_for_function(f"top => {chat}.scrollTop > top + 200", arg=top)
    item = screen.page.get_by_role("menuitem", name="Delete")
    expect(item).to_be_visible()
    item.click()
    expect(screen.page.locator("#chats .gone")).to_contain_text("the first")
    screen.stop.click()
