"""Runnel behind a real nginx, with the file that is shipped: it streams, and it tells who came and how."""

import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api import sse_reader
from tests.api.ws_client import Rejected, connected
from tests.deploy import nginx
from tests.test_app import address, started

pytestmark = pytest.mark.slow

TOKEN = "a-token-of-the-tests-0123"
LARGE = 60_000_000
HEAD = "POST /chat/stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@dataclass
class Front:
    """nginx, and what it needs to be believed."""

    url: str
    http: int
    folder: Path
    certificate: Path
    upstream: int

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port
        return port

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.url,
            verify=self.context,
            trust_env=False,
            timeout=20,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )


@contextmanager
def front(
    folder: Path, upstream: int, edited: Callable[[str], str] = lambda config: config
) -> Iterator[Front]:
    folder.mkdir()
    certified = nginx.certificate(folder)
    http, https = nginx.free_port(), nginx.free_port()
    config = edited(nginx.shipped(folder, upstream, http, https, certified))
    with nginx.running(folder, config, https):
        yield Front(f"https://localhost:{https}", http, folder, certified[0], upstream)


@pytest.fixture(scope="module")
def runnel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    nginx.required()
    folder = tmp_path_factory.mktemp("app")
    with started(
        folder,
        CHAT_DEMO_PACE="0",
        CHAT_TOKEN=TOKEN,
        CHAT_PROXIES="127.0.0.1",
        CHAT_HOSTS="localhost, 127.0.0.1",
        CHAT_PUBLIC="1",
    ) as process:
        port = urlsplit(address(process)).port
        assert port
        with front(folder / "nginx", port) as found:
            yield found


def test_what_is_streamed_arrives_as_it_is_written(runnel: Front) -> None:
    question = {"message": "20 timed ticks", "model": "demo:fast"}
    with runnel.client() as client:
        client.get("/healthz")  # the handshake is not what is timed
        asked = time.monotonic()
        with client.stream("POST", "/chat/stream", json=question) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert "no-transform" in answer.headers["cache-control"]
            assert "content-encoding" not in answer.headers
            came = [(time.monotonic() - asked, chunk) for chunk in answer.iter_raw()]
    *ticks, done, mark = sse_reader.read(b"".join(chunk for _, chunk in came)).data
    assert [json.loads(tick)["content"] for tick in ticks] == [f"tick {n}\n" for n in range(1, 21)]
    assert (json.loads(done), mark) == ({"done": True}, "[DONE]")
    times = [at for at, chunk in came if b"tick" in chunk]
    bursts = 1 + sum(later - earlier > 0.03 for earlier, later in pairwise(times))
    assert bursts >= 5, times
    assert came[0][0] < times[-1] / 2, "the first byte waits for nothing"


def test_the_first_byte_waits_for_no_provider(runnel: Front) -> None:
    question = {"message": "stall before the first word"}
    with runnel.client() as client:
        client.get("/healthz")
        asked = time.monotonic()
        with client.stream("POST", "/chat/stream", json=question) as answer:
            first = next(answer.iter_raw())
            took = time.monotonic() - asked
            client.post(f"/runs/{answer.headers['run-id']}/stop")
    assert first.startswith(b":")
    assert took < 1


async def test_a_websocket_passes(runnel: Front) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": runnel.url}
    async with connected(runnel.url, headers, context=runnel.context) as client:
        await client.send({"message": "Hello"})
        told = [message async for message in client]
    assert (told[0]["type"], told[-1]["type"], client.code) == ("opened", "turn_finished", 1000)
    with pytest.raises(Rejected):
        async with connected(
            runnel.url, headers | {"Origin": "https://evil.example"}, context=runnel.context
        ):
            pass


def test_a_body_that_says_it_is_too_large_is_refused_at_once(runnel: Front) -> None:
    with nginx.line(runnel.port, runnel.context) as line:
        line.sendall(f"{HEAD}Content-Length: {LARGE}\r\n\r\n".encode())
        assert line.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_body_that_grows_too_large_is_refused_too(runnel: Front) -> None:
    with nginx.line(runnel.port, runnel.context) as line:
        line.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        line.sendall(20 * (b"10000\r\n" + b"x" * 0x10000 + b"\r\n"))
        assert line.recv(65536).startswith(b"HTTP/1.1 413")
    with runnel.client() as client:
        assert client.get("/readyz").json() == {"status": "ok"}


def test_whoever_comes_by_http_is_sent_to_https(runnel: Front) -> None:
    answer = httpx.get(
        f"http://127.0.0.1:{runnel.http}/a?b=c", headers={"Host": "localhost"}, trust_env=False
    )
    assert (answer.status_code, answer.headers["location"]) == (301, "https://localhost/a?b=c")


def test_the_log_has_no_question_and_no_key(runnel: Front) -> None:
    with runnel.client() as client:
        client.get("/chat", params={"q": "a secret question", "model": "demo:fast"})
        client.get("/", params={"key": "a-secret-key"})
    log = (runnel.folder / "runnel.log").read_text()
    assert " GET /chat 200 " in log
    assert "secret" not in log


def doctor(url: str, folder: Path, **environ: str) -> tuple[int, dict[str, Any]]:
    """Its exit code, and what it found by name."""
    found = subprocess.run(
        [sys.executable, "-m", "chat", "doctor", "--json", url],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(nginx.ROOT), "CHAT_TOKEN": TOKEN, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert TOKEN not in found.stdout + found.stderr
    return found.returncode, {check["name"]: check for check in json.loads(found.stdout)["checks"]}


def test_the_doctor_finds_all_well(runnel: Front) -> None:
    _, found = doctor(runnel.url, runnel.folder, SSL_CERT_FILE=str(runnel.certificate))
    wrong = {name for name, check in found.items() if check["verdict"] != "ok"}
    # These two measure this machine too, and it may have other things to do.
    assert wrong <= {"first byte", "first word"}, found
    assert found["streaming"]["figures"]["ticks"] == 20
    assert {"certificate", "forwarding", "headers", "websocket", "ready"} <= found.keys()
    with runnel.client() as client:
        assert not any("ticks" in chat["title"] for chat in client.get("/chats").json()["chats"][:1])


def test_the_doctor_finds_a_proxy_that_holds_back(runnel: Front, tmp_path: Path) -> None:
    port = nginx.free_port()
    with nginx.running(tmp_path / "nginx", nginx.holding_back(runnel.upstream, port), port):
        code, found = doctor(f"http://127.0.0.1:{port}", tmp_path)
    assert code == 1
    assert found["streaming"]["verdict"] == "failed"
    assert "arrived in 1 burst:" in found["streaming"]["said"]
    assert "proxy_buffering off;" in found["streaming"]["next"]
    assert found["websocket"]["verdict"] == "failed"


def test_the_doctor_tells_a_certificate_that_nobody_believes(runnel: Front) -> None:
    code, found = doctor(runnel.url, runnel.folder)
    assert code == 1
    assert "is signed by itself" in found["address"]["said"]


def stranger(found: Front, at: str, says: str) -> int:
    """The status of a question of somebody new who comes from the address `at`, and `says` another one."""
    transport = httpx.HTTPTransport(verify=found.context, local_address=at)
    with httpx.Client(base_url=found.url, transport=transport, timeout=20) as client:
        client.get("/", headers={"Accept": "text/html"}).raise_for_status()
        question = {"message": "hello", "model": "demo:fast"}
        return client.post("/chat/stream", json=question, headers={"X-Forwarded-For": says}).status_code


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more addresses of itself")
def test_a_limit_holds_for_the_address_that_nginx_saw(tmp_path: Path) -> None:
    nginx.required()
    with started(tmp_path, CHAT_PROXIES="127.0.0.1", CHAT_PUBLIC="1", CHAT_RATE="2/hour") as process:
        port = urlsplit(address(process)).port
        assert port
        with front(tmp_path / "nginx", port) as found:
            told = [stranger(found, "127.0.0.1", f"10.0.{n}.1") for n in range(4)]
            other = stranger(found, "127.0.0.2", "10.0.0.1")
    assert told == [200, 200, 429, 429]
    assert other == 200


def uncommented(config: str, line: str) -> str:
    """The file with the line that begins with `line` in force."""
    changed, count = re.subn(rf"^( +)# ({re.escape(line)}[^\n]*;)$", r"\1\2", config, flags=re.MULTILINE)
    assert count == 1, line
    return changed


def with_a_login(config: str, users: Path) -> str:
    """The file with the lines that it shows for a login of nginx's own."""
    for line in ("auth_basic ", "auth_basic_user_file", "proxy_set_header X-Forwarded-User"):
        config = uncommented(config, line)
    return config.replace("/etc/nginx/runnel.users", str(users))


def with_the_secret(config: str, folder: Path, secret: str) -> str:
    """The file that sends `secret`, as it says how."""
    shown = re.search(r"# +(proxy_set_header \S+) \"[^\"]+\";", config)
    assert shown
    included = folder / "runnel-secret.conf"
    included.write_text(f'{shown[1]} "{secret}";\n')
    return config.replace("/etc/nginx/runnel-secret*.conf", str(included))


def test_with_a_secret_nginx_is_believed_and_no_other_program_of_the_machine(tmp_path: Path) -> None:
    nginx.required()
    users = tmp_path / "users"
    users.write_text("ann:{PLAIN}correct horse\n")
    settings = {
        **{"CHAT_PROXIES": "127.0.0.1", "CHAT_PROXY_SECRET": TOKEN, "CHAT_HOSTS": "localhost, 127.0.0.1"},
        **{"CHAT_LOGIN_HEADER": "X-Who"},
    }

    def edited(config: str) -> str:
        config = with_the_secret(with_a_login(config, users), tmp_path, TOKEN)
        return config.replace("proxy_set_header X-Forwarded-User", "proxy_set_header X-Who")

    with started(tmp_path, **settings) as process:  # pyright: ignore[reportArgumentType]
        port = urlsplit(address(process)).port
        assert port
        with (
            front(tmp_path / "nginx", port, edited) as found,
            httpx.Client(base_url=found.url, verify=found.context, trust_env=False, timeout=20) as client,
        ):
            assert client.get("/login/me", auth=("ann", "correct horse")).json()["name"] == "ann"
            liar = {"X-Who": "ann", "X-Runnel-Proxy-Secret": "guessed", "Accept": "application/json"}
            assert (
                httpx.get(f"http://127.0.0.1:{port}/chats", headers=liar, trust_env=False).status_code == 401
            )


def test_who_logged_in_at_nginx_is_who_asks(tmp_path: Path) -> None:
    nginx.required()
    users = tmp_path / "users"
    users.write_text("ann:{PLAIN}correct horse\nben:{PLAIN}battery staple\n")
    with started(
        tmp_path, CHAT_PROXIES="127.0.0.1", CHAT_LOGIN_HEADER="X-Forwarded-User", CHAT_HOSTS="localhost"
    ) as process:
        port = urlsplit(address(process)).port
        assert port
        with (
            front(tmp_path / "nginx", port, lambda config: with_a_login(config, users)) as found,
            httpx.Client(base_url=found.url, verify=found.context, trust_env=False, timeout=20) as client,
        ):
            assert client.get("/", headers={"X-Forwarded-User": "ann"}).status_code == 401
            question = {"message": "hello", "model": "demo:fast", "stream": False}
            said = client.post("/chat/stream", json=question, auth=("ann", "correct horse"))
            assert said.json()["state"] == "complete"
            lies = {"X-Forwarded-User": "ann"}
            hers = client.get("/chats", auth=("ann", "correct horse")).json()["chats"]
            his = client.get("/chats", auth=("ben", "battery staple"), headers=lies).json()["chats"]
    assert (len(hers), his) == (1, [])


class _Echo(BaseHTTPRequestHandler):
    """Tells which headers came."""

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_runnel_hears_who_came_and_how_from_nginx_alone(tmp_path: Path) -> None:
    nginx.required()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as echo:
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        with front(tmp_path / "nginx", echo.server_port) as found, found.client() as client:
            told = {
                "X-Forwarded-For": "1.2.3.4",
                "X-Forwarded-Proto": "http",
                "X-Forwarded-Host": "evil.example",
            }
            lies = {
                **told,
                "X-Forwarded-User": "admin",
                "X-Any-Login-Header": "admin",
                "X-Runnel-Proxy-Secret": "guessed",
                "Forwarded": "for=1.2.3.4",
                "Connection": "keep-alive, upgrade",
                "Upgrade": "h2c",
            }
            heard = client.get("/", headers=lies).json()
        echo.shutdown()
    assert heard["x-forwarded-for"] == "127.0.0.1"
    assert heard["x-forwarded-proto"] == "https"
    assert heard["host"] == heard["x-forwarded-host"] == f"localhost:{found.port}"
    passed = {"accept", "authorization", "user-agent"}
    said = {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
    assert heard.keys() == passed | said, "of a client's headers nothing goes on but what is listed"
    assert heard["authorization"] == f"Bearer {TOKEN}"
