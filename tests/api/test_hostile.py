"""Raw bytes against app.py as it is served: what is meant badly is refused quickly, and the next one works.

One process for all: open to everybody, known as chat.example, behind a proxy at 127.0.0.2. Each test has an
address of its own, so none counts for another.
"""

import json
import sys
from collections.abc import Iterator

import pytest

from tests.api.raw import JSON, Site
from tests.test_app import keyed_address, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has one address")

TOKEN = "a-token-of-24-characters"
PROXY = "127.0.0.2"
RATE = 6
BEARER = f"Authorization: Bearer {TOKEN}\r\n"
ASK = '{"message": "Hello?", "model": "demo:fast"}'
STARTS = ("/chat/stream", "/chat/stream/demo", "/api/message", "/stream-chat", "/v1/chat/completions")
BODIES = [*STARTS, "/gradio_api/queue/join", "/gradio_api/run/predict"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """At its end, nothing of all this made a traceback."""
    with started(
        tmp_path_factory.mktemp("site"),
        CHAT_DEMO_PACE="0",
        CHAT_PUBLIC="1",
        CHAT_HOSTS="chat.example",
        CHAT_PROXIES=PROXY,
        CHAT_RATE=f"{RATE}/hour",
        CHAT_TOKEN=TOKEN,
    ) as process:
        host, _, port = keyed_address(process).partition("/?")[0].removeprefix("http://").partition(":")
        site = Site(host, int(port))
        assert site.ask("GET /").status == 200  # what is slow the first time
        yield site
        process.terminate()
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in log, log[-5000:]
    assert "evil" not in log


@pytest.fixture(autouse=True)
def next_one(site: Site) -> Iterator[None]:
    yield
    site.works()


# -- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*BODIES, "/keys/openai", "/login", "/chats/A"])
def test_sixty_megabytes_are_refused_before_they_come(site: Site, path: str) -> None:
    with site.line() as line:
        line.say(site.head(f"POST {path}", f"{JSON}{BEARER}Content-Length: 60000000\r\n"))
        answer = line.hear()
        assert answer.status == 413
        assert answer.sentence == "That is more than fits into one question."


def test_whoever_sends_sixty_megabytes_all_the_same_may_ask_again_on_the_same_line(site: Site) -> None:
    with site.line() as line:
        line.say(site.head("POST /chat/stream", JSON + "Content-Length: 60000000\r\n"))
        assert line.hear().status == 413
        for _ in range(60):
            line.say(b"x" * 1_000_000)
        assert line.say(site.head("GET /healthz")).hear().status == 200


def test_who_asks_first_is_spared_the_sending(site: Site) -> None:
    with site.line() as line:
        line.say(
            site.head("POST /chat/stream", JSON + "Expect: 100-continue\r\nContent-Length: 60000000\r\n")
        )
        assert line.hear().status == 413


@pytest.mark.parametrize("path", BODIES)
def test_a_body_without_a_length_is_cut_at_a_megabyte(site: Site, path: str) -> None:
    with site.line() as line:
        line.say(site.head(f"POST {path}", JSON + BEARER + "Transfer-Encoding: chunked\r\n"))
        for _ in range(15):
            line.say(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        line.say(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        answer = line.hear()
        assert answer.status == 413
        assert line.until_closed() == b""


@pytest.mark.parametrize(
    "request_line",
    [*(f"POST {path}" for path in [*BODIES, "/login"]), "PUT /keys/openai", "PATCH /chats/A"],
)
def test_whoever_hangs_up_in_the_middle_of_a_body_leaves_no_traceback(site: Site, request_line: str) -> None:
    """`site` looks into the log at its end."""
    for headers in (JSON + "Content-Length: 100\r\n", JSON + "Transfer-Encoding: chunked\r\n"):
        with site.line() as line:
            line.say(site.head(request_line, headers + BEARER)).say(b'10\r\n{"message": "hel')


DEEP = "[" * 10_000 + "]" * 10_000


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        *(DEEP, f'{{"message": {DEEP}}}', "[" * 200_000, '{"a":' * 50_000),
        *("", "{", "null", "[]", "9" * 5000, '{"message": NaN}', '{"message": 1e999}'),
        *(b'{"message": "\xff"}', b"\xff\xfe", '{"message": "\\ud800"}', '{"messages": [{"role": "user"}]}'),
        json.dumps({"message": "x" * 100_001}),
        json.dumps({"message": "x", "history": [{"role": "user", "content": "x"}] * 501}),
        json.dumps({"messages": [{"role": "user", "content": "x"}] * 501}),
    ],
    ids=lambda body: repr(body)[:20],
)
def test_what_is_no_question_is_none(site: Site, path: str, body: str | bytes) -> None:
    answer = site.ask(f"POST {path}", BEARER, body)
    assert answer.status in (400, 422)
    assert len(answer.body) < 1000, "it is not repeated"


# -- heads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "junk",
    [
        *("X: a\0b", "X: " + "a" * 100_000, "no colon", "X : blank", ": nameless", "X\x01: y", "\xff: y"),
        *("Host: evil.example", "Content-Length: -1", "Content-Length: +5", "Content-Length: 1_0"),
        *("Content-Length: 5, 6", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 0x10"),
        *("Content-Length: " + "9" * 5000, "Content-Length: \xb2"),
        *("Transfer-Encoding: gzip", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, chunked"),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "\r\n".join(f"X{n}: {'y' * 20}" for n in range(3000)),
    ],
    ids=lambda junk: repr(junk)[:30],
)
@pytest.mark.parametrize("request_line", ["GET /healthz", "POST /chat/stream"])
def test_junk_in_the_head(site: Site, request_line: str, junk: str) -> None:
    own = f"Host: {site.host}:{site.port}\r\n"
    with site.line() as line:
        answer = line.say(f"{request_line} HTTP/1.1\r\n{own}{JSON}{junk}\r\n\r\n").hear()
    assert answer.status in (400, 413, 431)


@pytest.mark.parametrize(
    "said",
    [
        *("GET /\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "G\0T / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + "\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /" + "a" * 100_000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /chat?q=" + "a" * 70_000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\n" * 50_000,
        *(f"{method} evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n" for method in ("CONNECT", "GET")),
        *(f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n" for method in ("TRACE", "PROPFIND", "A" * 5000)),
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        f"POST /chat/stream HTTP/1.1\r\nHost: localhost\r\n{JSON}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        f"POST /chat/stream HTTP/1.1\r\nHost: localhost\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    ],
    ids=lambda said: repr(said)[:30],
)
def test_what_is_hardly_http(site: Site, said: str) -> None:
    with site.line() as line:
        assert 400 <= line.say(said).hear().status < 500


@pytest.mark.parametrize(
    "path",
    [
        *("/../../etc/passwd", "/static/../../../etc/passwd", "/assets/..%2f..%2f..%2fetc%2fpasswd"),
        *("/gradio_api/file=/etc/passwd", "//gradio_api/file=/etc/passwd", "/file=/etc/passwd"),
        *("/gradio_api/file=http://127.0.0.1:1/x.png", "/gradio_api/heartbeat/x", "/gradio_api/deep_link"),
        *("/%00", "//evil.example/", "/\\evil.example", "/runs/%00/events", "/chats/..%2f..%2fx/export.md"),
        *("/embed/../../chat/server.py", "/embed.js/..%2f..%2fgate.py", "/gradio_api/upload_progress"),
    ],
)
def test_addresses_that_lead_nowhere(site: Site, path: str) -> None:
    answer = site.ask(f"GET {path}", site.cookie("me"))
    assert answer.status in (400, 403, 404, 405)
    assert b"root:" not in answer.body
    assert not answer.header("location")


def test_an_address_puts_no_header_into_the_answer(site: Site) -> None:
    answer = site.ask("GET /?key=x&a=%0d%0aX-Evil:%20yes")
    assert answer.status == 303
    assert not answer.header("x-evil")
    assert answer.header("location").startswith("./?")


# -- where it comes from -------------------------------------------------------------------------

FOREIGN = (
    "Origin: https://evil.example\r\n",
    "Origin: null\r\n",
    "Origin: http://chat.example.evil.example\r\n",
    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n",
    "Sec-Fetch-Site: same-site\r\n",
    "Origin: https://evil.example\r\nX-Forwarded-Host: evil.example\r\n",
    "Origin: https://evil.example\r\nForwarded: host=evil.example\r\n",
)


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: headers.split("\r")[0])
def test_another_site_s_page_begins_nothing(site: Site, headers: str) -> None:
    before = len(json.loads(site.ask("GET /chats", BEARER).body)["chats"])
    answers = [site.ask(f"POST {path}", BEARER + headers, ASK) for path in STARTS]
    answers += [site.ask("GET /chat?q=Hello", BEARER + headers)]  # <img src=…>
    for method, path in (("PATCH", "/chats/A"), ("DELETE", "/chats/A"), ("PUT", "/runs/A/thumb")):
        answers.append(site.ask(f"{method} {path}", BEARER + headers, "{}"))
    assert [answer.status for answer in answers] == [403] * len(answers)
    assert len(json.loads(site.ask("GET /chats", BEARER).body)["chats"]) == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_begins_nothing(site: Site, kind: str) -> None:
    """Browsers send these kinds from any page without asking, and older ones without saying from where."""
    for path in (*BODIES, "/chats/A/restore"):
        assert site.ask(f"POST {path}", f"{BEARER}Content-Type: {kind}\r\n", ASK).status == 415


@pytest.mark.parametrize("host", ["evil.example", "chat.example.evil.example", "192.0.2.1", "", "[", "a b"])
def test_another_name_is_not_answered(site: Site, host: str) -> None:
    for request in ("GET /", "GET /chat?q=Hello", "GET /config", "POST /chat/stream"):
        assert site.ask(request, f"Host: {host}\r\n{BEARER}").status in (400, 403), request
    assert site.ask("GET /", "Host: chat.example\r\n").status == 200


def test_a_named_proxy_may_say_by_which_name(site: Site) -> None:
    said = "X-Forwarded-Host: chat.example\r\nOrigin: https://chat.example\r\n"
    refused = said.replace("chat.", "evil.")
    assert site.ask("POST /api/message", BEARER + said, ASK, PROXY).status == 200
    assert site.ask("POST /api/message", BEARER + refused, ASK, PROXY).status == 403
    assert site.ask("POST /api/message", BEARER + said, ASK).status == 403


def test_a_made_up_forwarded_address_and_a_new_cookie_gain_nothing(site: Site) -> None:
    source, answers = site.address(), []
    for number in range(RATE + 4):
        made_up = f"X-Forwarded-For: 203.0.113.{number}\r\nForwarded: for=203.0.113.{number}\r\n"
        made_up += f"X-Real-IP: 203.0.113.{number}\r\nCF-Connecting-IP: 203.0.113.{number}\r\n"
        headers = made_up + site.cookie(f"stranger {number}")
        answers.append(site.ask("POST /stream-chat", headers, ASK, source))
    assert [answer.status for answer in answers] == [200] * RATE + [429] * 4
    assert "From your network" in answers[-1].sentence
    assert 3500 < int(answers[-1].header("retry-after")) <= 3600


def test_behind_the_proxy_each_visitor_counts_for_themselves(site: Site) -> None:
    for number in range(RATE + 2):
        headers = f"Host: chat.example\r\nX-Forwarded-For: 1.1.1.1, 198.51.100.{number}\r\n"
        headers += site.cookie(f"visitor {number}")
        assert site.ask("POST /stream-chat", headers, ASK, PROXY).status == 200


# -- another one's things ------------------------------------------------------------------------

VERBS = [
    ("GET", "/chats/{chat}/export.md", ""),
    ("GET", "/chats/{chat}/export.json", ""),
    ("PATCH", "/chats/{chat}", '{"title": "Mine now"}'),
    ("DELETE", "/chats/{chat}", ""),
    ("POST", "/chats/{chat}/restore", "{}"),
    ("PUT", "/runs/{run}/thumb", '{"thumb": 1}'),
    ("GET", "/runs/{run}/events", ""),
    ("POST", "/runs/{run}/stop", "{}"),
    ("POST", "/chat/stream", '{"message": "And?", "conversation": "{chat}"}'),
    ("POST", "/api/message", '{"message": "And?", "conversation": "{chat}"}'),
    ("GET", "/chat?q=And&conversation={chat}", ""),
]


def test_another_one_s_ids_are_ids_of_nothing(site: Site) -> None:
    asked = site.ask("POST /api/message", site.cookie("me"), ASK, site.address())
    chat, run = asked.header("conversation-id"), asked.header("run-id")
    assert chat
    assert run
    thief = site.address()
    for method, path, body in VERBS:
        for who in (site.cookie("thief"), BEARER, ""):
            answers = []
            for ids in ((chat, run), ("unknown", "unknown")):
                fill = lambda text, ids=ids: text.replace("{chat}", ids[0]).replace("{run}", ids[1])  # noqa: E731
                answers.append(site.ask(f"{method} {fill(path)}", who, fill(body), thief))
            assert answers[0].status in (401, 404), (method, path)
            assert answers[0].status == answers[1].status
            assert answers[0].body == answers[1].body
    for headers in (f"Last-Event-ID: {run}/1\r\n", f"Last-Event-ID: {run}/0\r\n"):
        assert site.ask("POST /chat/stream", headers + site.cookie("thief"), ASK, thief).status == 404
    mine = json.loads(site.ask("GET /chats", site.cookie("me")).body)["chats"]
    assert [(each["id"], each["running"]) for each in mine] == [(chat, False)]
    assert site.ask(f"GET /chats/{chat}/export.md", site.cookie("me")).status == 200


@pytest.mark.parametrize(
    "cookie",
    [
        "runnel_owner=local.{}",
        "runnel_owner=me.{}",
        "runnel_owner=\xff",
        "runnel_owner=..",
        "=;;=",
        "a" * 9000,
    ],
)
def test_a_cookie_that_was_not_given_is_nobody_s(site: Site, cookie: str) -> None:
    headers = f"Cookie: {cookie.format('A' * 43)}\r\n"
    assert site.ask("POST /chat/stream", headers, ASK).status == 401
    assert json.loads(site.ask("GET /chats", headers).body) == {"chats": [], "more": False, "cut": False}


# -- the socket ----------------------------------------------------------------------------------

UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.mark.parametrize("headers", FOREIGN[:5], ids=lambda headers: headers.split("\r")[0])
def test_another_site_s_page_opens_no_socket(site: Site, headers: str) -> None:
    assert site.ask("GET /chat/ws", UPGRADE + KEY + BEARER + headers).status == 403


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/chat/ws", UPGRADE),
        ("/chat/ws", UPGRADE.replace("13", "7") + KEY),
        ("/chat/ws", "Host: evil.example\r\n" + UPGRADE + KEY),
        ("/", UPGRADE + KEY),
        ("/gradio_api/queue/data", UPGRADE + KEY),
    ],
)
def test_a_handshake_that_is_none(site: Site, path: str, headers: str) -> None:
    assert 400 <= site.ask(f"GET {path}", headers + BEARER).status < 500


@pytest.mark.parametrize(
    "frames",
    [
        b"\x81\x05Hello",  # not masked
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x82\x84\0\0\0\0\xff\xfe\xfd\xfc",
        b"\x81\x84\0\0\0\0\xff\xfe\xfd\xfc",  # no UTF-8
        b"\x81\xfe\x4e\x20\0\0\0\0" + b"[" * 20_000,
        b"\x88\x80\0\0\0\0",
    ],
    ids=lambda frames: frames[:4].hex(),
)
def test_frames_that_are_none_close_the_socket(site: Site, frames: bytes) -> None:
    with site.line() as line:
        answer = line.say(site.head("GET /chat/ws", UPGRADE + KEY + BEARER)).hear()
        assert answer.status == 101
        line.say(frames).until_closed(b"\x88")
