"""One contract test for each reliance on Gradio's insides, by its number in chat/ui/gradio_fixes.

What only a browser can show is held there: 5, 10, 13, 16, 18, 20 and 23 by tests/browser/test_gradio.py, 7 by
test_first_minutes.py::test_a_menu_closes_behind_the_keyboard, 14 by test_answers.py::
test_two_clicks_are_one_question, and of 11 what the page does with it by test_runs.py::
test_stop_keeps_the_text_and_the_next_question_works.
15, 17, 19 and 21 stand in test_sessions.py; 9 in test_handlers.py: our side of it, for what it costs only the
bench shows.
"""

from datetime import timedelta
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from gradio.server_messages import EstimationMessage
from gradio.utils import diff

from chat.ui import gradio_fixes
from chat.ui.bubbles import message


async def answer(text: str, history: list[Any]) -> Any:
    yield text


def listener(page: gr.Blocks, name: str) -> Any:
    return next(fn for fn in page.fns.values() if fn.api_name == name)


async def test_1_the_chat_interface_sets_its_header_and_its_events_in_methods_of_their_own() -> None:
    called: list[str] = []

    class Chat(gr.ChatInterface):
        def _render_header(self) -> None:
            called.append("header")
            assert not hasattr(self, "chatbot")

        def _setup_events(self) -> None:
            called.append("events")
            assert isinstance(self.chatbot, gr.Chatbot)
            assert isinstance(self.textbox, gr.Textbox)

    chat = Chat(answer, title="Title", analytics_enabled=False)
    assert called == ["header", "events"]
    assert list(chat.fns) == []  # nothing else listens


async def test_2_the_heartbeat_is_a_word_in_the_configuration() -> None:
    chat = gr.ChatInterface(answer, analytics_enabled=False)
    gr.mount_gradio_app(FastAPI(), chat, path="/", ssr_mode=False)
    assert chat.config["connect_heartbeat"] is True  # because of its State
    gradio_fixes.heartbeat_off(chat)
    assert chat.config["connect_heartbeat"] is False


async def test_3_the_queue_has_forty_slots_and_looks_often() -> None:
    chat = gr.ChatInterface(answer, analytics_enabled=False)
    gr.mount_gradio_app(FastAPI(), chat, path="/", ssr_mode=False)
    assert chat._queue.active_jobs == []  # made when it starts, of the length that it has then
    gradio_fixes.calm_queue(chat, 500)
    chat._queue.start()
    assert len(chat._queue.active_jobs) == 500
    chat._queue.close()


async def test_22_each_event_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = gr.ChatInterface(answer, analytics_enabled=False)
    gr.mount_gradio_app(FastAPI(), chat, path="/", ssr_mode=False)
    gradio_fixes.calm_queue(chat, 5)
    made: list[Any] = []
    monkeypatch.setattr(chat._queue, "_get_df", made.append)
    for _ in range(20):
        chat._queue.events_recorded += 1
        chat._queue.compute_analytics_summary([{}])
    assert not made


@pytest.mark.parametrize("ours", [False, True])
async def test_25_a_session_keeps_what_a_listener_was_sent_and_said(ours: bool) -> None:
    parent, text = FastAPI(), "a question that may be long"
    with gr.Blocks(analytics_enabled=False) as page:
        box, shown = gr.Textbox(), gr.HTML()
        page.load(lambda said: gr.update(value=f"<p>{said}"), [box], [shown])
    gr.mount_gradio_app(parent, page, path="/", ssr_mode=False)
    if ours:
        gradio_fixes.States(page, gradio_fixes.mounted(parent))
    state = page.state_holder["session"]
    said = await page.process_api(next(iter(page.fns)), [text], state=state, session_hash="session")
    assert said["data"][0]["value"] == f"<p>{text}"
    assert (text in str(list(state.components))) is not ours
    assert page.state_holder["session"] is state


async def test_25_of_the_states_the_newest_stay_for_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = FastAPI()
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Textbox()
    gr.mount_gradio_app(parent, page, path="/", ssr_mode=False)
    monkeypatch.setattr(gradio_fixes, "MOST_STATES", 5)
    states = gradio_fixes.States(page, gradio_fixes.mounted(parent))
    assert page.state_holder is states
    for number in range(20):
        assert states[f"session {number}"].blocks_config.fns == page.default_config.fns
    assert list(states.session_data) == [f"session {number}" for number in range(15, 20)]
    assert set(states.time_last_used) == set(states.session_data)
    kept = states["session 15"]
    for number in (16, 17):
        states.time_last_used[f"session {number}"] -= timedelta(seconds=gradio_fixes.OLDEST_STATE_S)
    assert states["session 15"] is kept
    assert list(states.session_data) == ["session 18", "session 19", "session 15"]


async def test_4_the_browser_state_is_new_each_time_unless_it_is_given_a_key() -> None:
    first, second = (gr.ChatInterface(answer, analytics_enabled=False) for _ in range(2))
    assert first.saved_conversations.secret != second.saved_conversations.secret
    for chat in (first, second):
        gradio_fixes.steady_browser_state(chat)
    configs = [chat.saved_conversations.get_config() for chat in (first, second)]
    assert configs[0]["secret"] == configs[1]["secret"]
    assert configs[0]["storage_key"] == configs[1]["storage_key"]


@pytest.mark.parametrize("convert", [True, False])
async def test_6_without_postprocess_a_value_is_sent_as_it_is(convert: bool) -> None:
    shown = [message("assistant", "    indented\n")]
    view = {"items": [{"text": "<b>"}]}

    async def show() -> Any:
        return shown, view

    with gr.Blocks(analytics_enabled=False) as page:
        outputs = [gr.Chatbot(), gr.HTML()]
        page.load(show, None, outputs, postprocess=convert)
    result = await page.process_api(listener(page, "show"), [])
    # With Chatbot's own conversion it is the same: ours is the shape that the front end expects.
    assert result["data"] == [shown, view]


async def test_6_bare_strings_are_not_what_they_were() -> None:
    data = gr.Chatbot().postprocess([{"role": "assistant", "content": "    indented\n"}])
    assert data.model_dump()[0]["content"][0]["text"] == "indented"


def test_8_a_text_that_grew_is_sent_as_what_is_new() -> None:
    before = [message("user", "a"), message("assistant", "One", "now")]
    after = [message("user", "a"), message("assistant", "One two", "now")]
    assert diff(before, after) == [["append", [1, "content", 0, "text"], " two"]]
    assert diff(after, after) == []


def test_8_nothing_new_in_a_stream_is_sent_as_another_value() -> None:
    view = {"words": "Writing", "items": ["long"]}
    there, back = diff(view, gr.skip()), diff(gr.skip(), view)
    assert ["add", ["items"], ["long"]] in back
    assert there


def test_11_both_buttons_are_there_though_the_chat_interface_takes_one_away() -> None:
    box = gr.Textbox(submit_btn="Send", stop_btn="Stop", render=False)
    box.stop_btn = False
    assert box.get_config()["stop_btn"] is False
    box.stop_btn = "Stop"
    assert (box.get_config()["submit_btn"], box.get_config()["stop_btn"]) == ("Send", "Stop")


async def test_12_a_stream_ends_by_sending_its_last_value_again() -> None:
    async def show() -> Any:
        yield "long"
        yield gr.skip()

    with gr.Blocks(analytics_enabled=False) as page:
        page.load(show, None, [gr.HTML()], postprocess=False)
    fn, sent, iterator = listener(page, "show"), [], None
    for _ in range(3):
        result = await page.process_api(fn, [], iterator=iterator, session_hash="s", event_id="e")
        iterator = result["iterator"]
        sent.append(result["data"][0])
    assert sent[0] == "long"
    assert sent[2]["__type__"] == "update"
    assert "value" not in sent[2]


async def test_28_a_reader_that_is_cut_off_takes_no_session_with_it() -> None:
    with gr.Blocks() as page:
        queue = page.queue()._queue
    boxes = gradio_fixes.Boxes(queue)
    boxes["tab"] = None
    box = boxes["tab"]
    del queue.pending_messages_per_session["tab"]  # as Gradio does for a reader that is cancelled
    await queue.clean_events(session_hash="tab")
    assert boxes["tab"] is box
    for number, event in enumerate(("one", "one", "two", "two")):
        box.put_nowait(EstimationMessage(event_id=event, rank=number, queue_size=1))
    read = [box.get_nowait() for _ in range(3)]
    boxes.again("tab")  # of the event that was asked for last, what had been read in vain
    assert box.get_nowait() is read[2]
    assert queue.pending_event_ids_session["tab"] == {"two"}
    boxes.drop("tab", read=False)
    assert "tab" not in boxes
    for number in range(gradio_fixes.MOST + 5):
        boxes[str(number)] = None
    assert len(boxes) == gradio_fixes.MOST
