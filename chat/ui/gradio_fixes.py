"""Every reliance on Gradio's insides, in one place. Each says what we expected, what Gradio does, and
since which version. Each has a contract test, so that an upgrade that moves something says so there
and not on the page; tests/ui/test_gradio_fixes.py has them, or names where they stand.

1. `_setup_events` and `_render_header` of gr.ChatInterface are overridden (`interface.Chat`).
   Expected: a public way to choose the chain from Enter to the function. Actual: three round trips
   that each post the whole history, 61 ms (128 ms in the 30th turn) against 17 ms. 6.31.
2. `heartbeat_off`. Expected: a switch. Actual: each tab holds one of the browser's six connections
   to a host for ever, so with a few tabs open Stop cannot be sent. 6.31.
3. `calm_queue`. Expected: a parameter of mount_gradio_app, as `launch(max_threads=…)`, and a queue
   that wakes when something comes. Actual: mounting leaves 40 slots, which cap async streams too,
   and the queue looks a thousand times a second whether something came. 6.31.
4. `steady_browser_state`. Expected: a key that lasts. Actual: ChatInterface's hidden BrowserState
   draws a new secret at each start, and a browser that has seen the old one logs an error. 6.31.
5. A `{"__type__": "update"}` from a script-only listener changes a component's properties, as from
   Python (`interface`, `controls`). Not documented. 6.31.
6. A listener with `postprocess=False` is sent as it is: messages in the shape of Chatbot's own data
   (`bubbles.message`), the dict of gr.HTML. It saves their conversion at each frame. 6.31.
7. The list of a dropdown opens at every key, the Tab that leaves it too (static/page.js). 6.31.
8. A string that grew travels as “append”; gr.skip() within a stream travels as a new value, so
   the value before it is sent whole again after it (`screens`). 6.31.
9. A stream touches its inputs and outputs, and all that any listener ever touched, at each frame:
   the front end sets the status of each. So a stream has one input (`interface`). 6.31.
10. The sanitizer of Markdown lets buttons and links through, leaves `class`, `title` and `href`, and
   takes `data-…` and `aria-…`: so a run is named by a class, a button by its title (`fates`,
   static/place.js). 6.31.
11. A textbox can show Send and Stop at once, as `.submit-button` and `.stop-button`; ChatInterface
   takes Stop away before it calls `_setup_events`, where it is put back (`interface.SWITCH`). 6.31.
12. A stream ends by sending its last value again, whole; after a gr.skip() that is nothing
   (`screens`). 6.31.
13. After a request that did not arrive the front end answers no further one, says so in a toast, and
   loads the page again up to two seconds after the server is back (static/follow.js does it at once,
   static/draft.js keeps what was typed). 6.31.
14. A listener that takes what another one of the same event has set reads it a moment later, so two clicks
   in that moment would read the same (static/place.js lets the second wait). 6.31.
15. `/queue/data`, `/queue/join` and `/cancel` take a session's name for its key. Expected: a browser's
   sessions are its own. Actual: who names another's session gets its answers (`sessions`). 6.31.
16. Choices that a dropdown gets while its list is open are looked up by the numbers of the old ones, which
   throws where there are fewer now (static/follow.js waits until it is closed). 6.31.
17. `/queue/data` of a session that is over. Expected: a refusal. Actual: a message that says so, and then
   a traceback in the log, for whoever likes to ask (`sessions` says that message). 6.31.
18. A status tracker counts the time in each frame while something is pending, and the one of the page's
   loading, taken away in the middle of that, never ends. Expected: an idle page is idle. Actual: 60 frames
   a second for ever, 1.7 s of main thread a minute. style.css hides all trackers, so static/still.js lets
   none count. It has to come before Gradio's own scripts; what `head` holds comes after them, so it is put
   into the template (`first_script`). 6.31.
19. A call of a listener that is not there, or with too few inputs, and a body that cannot be read.
   Expected: a refusal. Actual: a traceback, of some 100 lines where what was sent is no UTF-8 or no number,
   because the refusal repeats it (`listeners`, `plain_refusals`; `inputs` refuses). 6.31.
20. What an accordion unfolds is there at once, and set to its first values once more two frames later: what
   was typed between is lost. No person is as fast; the tests wait (tests/browser/screen.py). 6.31.
21. The queue's messages of a session. Expected: what nobody fetches is let go. Actual: 2,000 sessions are
   kept, each with all messages that came, and one more takes the oldest away, which may be an open page
   (`Boxes`; `unread` says when one is let go). 6.31.
22. Gradio's Markdown is off. Expected: what a model wrote, drawn. Actual: formulas are taken out before all
   else, from within code too, and from price to price; a fence called mermaid is drawn, its labels as live
   HTML; `cpp` is loaded without the `c` that it extends, and what throws (a name that every object has,
   too) leaves nothing of the text; tabs of code become blanks. So static/answers.js draws, with the Prism
   and the KaTeX among Gradio's files (`assets`). 6.31.
23. What each frame of a stream does in the page. Expected: what changed. Actual: `el.dir = el.dir` for each
   message, after which Chromium finds the style of the whole answer anew; a `structuredClone` of each string
   and number of the chat; and each component gets its loading status again, for which all that it has is
   copied: together a third of the main thread's time (static/light.js does none of it, before Gradio's own
   scripts, as in 18). 6.31.
24. Gradio's own addresses. Expected: those that a page uses. Actual: some sixty, for whoever likes:
   `/gradio_api/file=` fetches what an address names and serves it as from here, with its own type, `?page=`
   of what is not there is a traceback, `X-Gradio-Server` is the page's address (`addresses` has the list of
   what is open, `packaged` the files; tests/ui/test_addresses.py). 6.31.
25. What was sent to a listener, and what it said. Expected: nothing of it stays. Actual: each session has a
   configuration of its own with all values in it, for links into its state, of the last 10,000 sessions:
   0.9 MB of a question as long, and a quarter of the server's time (`State` has none, `States` few). 6.31.
26. Gradio's own files. Expected: they are the program's. Actual: they lie in `$TMPDIR/gradio`, whoever made
   that, and what is in it can be fetched (`use_folder`; `cache` has one that is ours alone). 6.31.
27. A folder for a feature that no page has. Expected: it is made when it is needed. Actual: mounting makes
   `gradio/vibe_edit_history` in the temporary folder, and ends the start where that cannot be written
   (`no_folder`). 6.31.
28. A page that lets go of `/queue/data` to read it anew. Expected: the next reader goes on. Actual: a page
   closes its reader when all that it knows of has come, also while it asks for more: what of that was written
   into the old connection is lost, the session is deleted when the server notices, the new reader gets “404:
   Not Found”, and the page answers no more (`Boxes.__delitem__` and `again`, `sessions`; `unread` says when
   nobody came back). 6.31.
"""

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio import routes
from gradio.queueing import Queue
from gradio.route_utils import BUILD_PATH_LIB, STATIC_PATH_LIB
from gradio.routes import templates
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import LRUCache, get_upload_folder
from jinja2 import ChoiceLoader, DictLoader
from starlette.routing import Mount

from chat.ui.inputs import Listener

LOOK = 0.005
"""Seconds between two looks into the queue: half of it is added to the way from Enter to the answer."""

MOST = 10_000
"""Sessions of which the queue has messages or a reader. Connections end before that."""

SMALLEST = 1000
"""Bytes of a message that says nothing."""

MISSED_S = 3.0
"""Seconds from an event's first message in which a page may have let go of the reader that was told of it."""

MOST_STATES = 500
"""Sessions whose state is kept: some 80 kB each, nothing of it from a visitor."""

OLDEST_STATE_S = 600.0


def first_script(script: str) -> None:
    """Puts `script` before all others of each page that Gradio serves from now on."""
    _template("<head>", f"<head><script>{{% raw %}}{script}{{% endraw %}}</script>")


def resized_by_keyboard() -> None:
    """A phone's keyboard takes its room from the page, so that the box for the question stays in sight."""
    _template("shrink-to-fit=no", "shrink-to-fit=no, interactive-widget=resizes-content")


def _template(old: str, new: str) -> None:
    """Puts `new` in the place of the one `old` of each page that Gradio serves from now on."""
    name = "frontend/index.html"
    environment = templates.env
    assert environment.loader is not None
    source = environment.loader.get_source(environment, name)[0]
    if new not in source:
        assert source.count(old) == 1
        changed = DictLoader({name: source.replace(old, new)})
        environment.loader = ChoiceLoader([changed, environment.loader])


def assets() -> dict[str, Any]:
    """The names, which hold a digest, of Prism's languages and of KaTeX among the files of the front end."""
    folder = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
    languages = {path.name[6:-12]: path.name for path in sorted(folder.glob("prism-?*-????????.js"))}
    [script], [sheet] = folder.glob("katex-????????.js"), folder.glob("katex-????????.css")
    return {"prism": languages, "katex": {"js": script.name, "css": sheet.name}}


def heartbeat_off(page: gr.Blocks) -> None:
    """Call after mounting: mounting writes the configuration."""
    assert page.config["connect_heartbeat"] in (True, False)
    page.config["connect_heartbeat"] = False


def calm_queue(page: gr.Blocks, streams: int) -> None:
    """Room for `streams` at once, and fewer looks at an empty queue. Call after mounting."""
    queue = page._queue
    assert queue.max_thread_count == 40
    assert queue.sleep_when_free <= 0.05
    assert queue.progress_update_sleep_when_free <= 0.1
    queue.max_thread_count = streams
    queue.sleep_when_free = LOOK
    queue.progress_update_sleep_when_free = 1.0  # nothing here reports progress that way
    assert queue.ANAYLTICS_CACHE_FREQUENCY == 1
    queue.ANALYTICS_MAX_EVENTS, queue.ANAYLTICS_CACHE_FREQUENCY = 1, sys.maxsize


class State(SessionState):
    """What Gradio knows of a session: the components that an update made anew, and no value of any."""

    def __init__(self, page: gr.Blocks) -> None:
        # The values stand in a configuration of the session's own, which is drawn from `blocks`.
        super().__init__(cast(gr.Blocks, SimpleNamespace(default_config=page.default_config, blocks={})))
        self.blocks_config.config_for_block = lambda *_, **__: {}  # type: ignore[method-assign]
        assert not self.config_values


class States(StateHolder):
    """The sessions' states: the newest, and none that was not asked for within `OLDEST_STATE_S`. One that was
    let go is made anew when it is asked for: nothing is in it that an answer needs. Call after mounting."""

    def __init__(self, page: gr.Blocks, gradio: FastAPI) -> None:
        super().__init__()
        holder: Any = gradio
        assert type(holder.state_holder) is StateHolder
        holder.state_holder = self
        self.set_blocks(page)
        self.capacity = MOST_STATES

    def __getitem__(self, session_id: str) -> SessionState:
        until = datetime.now() - timedelta(seconds=OLDEST_STATE_S)
        # The one that was asked for last stands last.
        while self.session_data and self.time_last_used[next(iter(self.session_data))] < until:
            oldest, _ = self.session_data.popitem(last=False)
            del self.time_last_used[oldest]
        if session_id not in self.session_data:
            self.session_data[session_id] = State(self.blocks)
        return super().__getitem__(session_id)


class Boxes(LRUCache[str, Any]):
    """The messages of `queue` by session, weighed. Takes the place of those that it has.

    `came` is called after each message. Whether a session is in it: whether it can be read.
    """

    def __init__(self, queue: Queue) -> None:
        assert type(queue.pending_messages_per_session) is LRUCache
        assert not queue.pending_messages_per_session
        super().__init__(MOST)
        self._queue, self._weight, self._deletes = queue, 0, False
        self.came: Callable[[], None] = lambda: None
        queue.pending_messages_per_session = self
        queue.clean_events = _leave_events

    def __setitem__(self, session: str, _: Any) -> None:
        with self._deleting():  # the oldest one, when there are too many
            super().__setitem__(session, Box(self._weighed))

    def __delitem__(self, session: str) -> None:
        """A reader of Gradio's that is cut off deletes its session: with it would go what the same page has
        asked for since, and the next reader would find no session. `drop` deletes it."""
        if self._deletes:
            super().__delitem__(session)

    @contextmanager
    def _deleting(self) -> Iterator[None]:
        self._deletes = True
        try:
            yield
        finally:
            self._deletes = False

    def __missing__(self, session: str) -> Any:
        """For what an event says that was about to begin when its session was dropped."""
        return asyncio.Queue()

    def weight(self, session: str = "") -> int:
        return self[session].weight if session else self._weight

    def heaviest(self) -> str:
        return max(self, key=self.weight)

    def again(self, session: str) -> None:
        """Puts back what an earlier reader was told of the event that was asked for last: the page did not
        know of it yet when it let go of that reader."""
        if session in self and (event := self[session].put_back()):
            self._queue.pending_event_ids_session.setdefault(session, set()).add(event)

    def drop(self, session: str, *, read: bool) -> None:
        for events in self._queue.active_jobs:
            for event in events or ():
                if event.session_hash == session:
                    event.alive = False
        for waiting in self._queue.event_queue_per_concurrency_id.values():
            for event in [each for each in waiting.queue if each.session_hash == session]:
                event.alive = False
                waiting.queue.remove(event)
                self._queue.event_ids_to_events.pop(event._id, None)
        if session in self:
            self[session].empty_out()
        if not read:
            with self._deleting():
                self.pop(session, None)
            self._queue.pending_event_ids_session.pop(session, None)

    def _weighed(self, more: int) -> None:
        self._weight += more
        if more > 0:
            self.came()


async def _leave_events(*, session_hash: str | None = None, event_id: str | None = None) -> None:
    """In the place of the queue's `clean_events`, which a reader that is cut off calls: see `__delitem__`."""


class Box(asyncio.Queue[Any]):
    """`weighed` is told the bytes that came, or went."""

    def __init__(self, weighed: Callable[[int], None]) -> None:
        super().__init__()
        self.weight, self._weighed = 0, weighed
        self._event, self._since = "", 0.0
        """The event that was asked for last, and when its first message came."""
        self._told: list[tuple[int, Any]] = []
        """What was read of it, for as long as a page may have missed it."""
        self._known: deque[str] = deque(maxlen=10)
        """Events of before: they too have messages still to come."""

    def _init(self, maxsize: int) -> None:
        self._queue: deque[tuple[int, Any]] = deque()

    def _put(self, item: Any) -> None:
        weight = _weight(getattr(item, "output", None)) + SMALLEST
        event = getattr(item, "event_id", None) or self._event
        if event != self._event and event not in self._known:
            self._known.append(event)
            self._event, self._since = event, time.monotonic()
            self._told.clear()
        self._queue.append((weight, item))
        self._change(weight)

    def _get(self) -> Any:
        weight, item = self._queue.popleft()
        self._change(-weight)
        if time.monotonic() - self._since > MISSED_S:
            self._told.clear()
        elif getattr(item, "event_id", None) == self._event:
            self._told.append((weight, item))
        return item

    def put_back(self) -> str:
        """The id of the event of which something was put back; "" for none."""
        if not self._told or time.monotonic() - self._since > MISSED_S:
            return ""
        self._queue.extendleft(reversed(self._told))
        self._change(sum(weight for weight, _ in self._told))
        self._told.clear()
        return self._event

    def empty_out(self) -> None:
        self._queue.clear()
        self._change(-self.weight)

    def _change(self, more: int) -> None:
        self.weight += more
        self._weighed(more)


def _weight(value: Any) -> int:
    if isinstance(value, str):
        return sys.getsizeof(value)
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    return sum(map(_weight, value)) if isinstance(value, list | tuple) else 0


def listeners(page: gr.Blocks) -> dict[int, Listener]:
    """Those that do something here, by their numbers."""
    return {
        number: Listener(
            len(each.inputs),
            any((event or "").endswith("select") for _, event in each.targets),
            each.queue is not False,
        )
        for number, each in page.fns.items()
        # Of ChatInterface's own examples, which the page does not show: their index is taken as it comes.
        if each.fn is not None and each.api_name != "load_example"
    }


def use_folder(folder: Path) -> None:
    """For Gradio's own files. Call before the page is made."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    assert get_upload_folder() == str(folder)
    for name, module in list(sys.modules.items()):  # some read it as they are imported
        if name.partition(".")[0] == "gradio" and "DEFAULT_TEMP_DIR" in vars(module):
            vars(module)["DEFAULT_TEMP_DIR"] = str(folder)


@contextmanager
def no_folder() -> Iterator[None]:
    """A context for mounting, in which Gradio's own routes make no folder."""

    class Unmade(type(Path())):
        def mkdir(self, *arguments: Any, **more: Any) -> None:
            pass

    module: Any = routes
    before, module.Path = module.Path, Unmade
    try:
        yield
    finally:
        module.Path = before


def packaged() -> dict[str, str]:
    """The addresses of the files that the page is made of, each with its ending: scripts, styles, typefaces,
    and the picture of the manifest."""
    built, static = Path(BUILD_PATH_LIB), Path(STATIC_PATH_LIB)
    files = {f"/assets/{path.name}": path.suffix for path in built.iterdir() if path.is_file()}
    used = [
        *static.glob("fonts/*/*.woff2"),
        static / "js/iframeResizer.contentWindow.min.js",
        static / "img/logo_nosize.svg",
    ]
    return files | {f"/static/{path.relative_to(static).as_posix()}": path.suffix for path in used}


def mounted(parent: FastAPI) -> FastAPI:
    """Gradio's own app, below `parent`."""
    [found] = [route.app for route in parent.routes if isinstance(route, Mount)]
    assert isinstance(found, FastAPI)
    return found


def plain_refusals(gradio: FastAPI) -> None:
    """What Gradio cannot read it refuses without repeating it."""

    @gradio.exception_handler(RequestValidationError)
    async def refuse(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": "That is nothing that the page would send."}, 422)


def steady_browser_state(chat: gr.ChatInterface) -> None:
    """Nothing of ours is in it; save_history is off."""
    chat.saved_conversations.storage_key = "runnel_unused"
    chat.saved_conversations.secret = "runnel_unused_00"
