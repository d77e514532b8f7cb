"""The proxy carries bytes until it is told not to, and then for sure does not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.proxy import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything again."""

    def again(line: socket.socket) -> None:
        with line:
            try:
                while data := line.recv(1000):
                    line.sendall(data)
            except OSError:
                pass

    def serve() -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            serving = threading.Thread(target=again, args=(line,), daemon=True)
            serving.start()
            threads.append(serving)

    threads: list[threading.Thread] = []
    listening = socket.create_server(("127.0.0.1", 0))
    accepting = threading.Thread(target=serve, daemon=True)
    accepting.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for thread in (accepting, *threads):
        thread.join(5)


def connect(proxy: Proxy) -> "closing[socket.socket]":
    return closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=5))


def test_it_carries_and_cuts_and_carries_again(echo: int) -> None:
    with Proxy(echo) as proxy:
        with connect(proxy) as line:
            line.sendall(b"hello")
            assert line.recv(100) == b"hello"
            proxy.cut()
            with pytest.raises(ConnectionResetError):
                line.recv(100)
        assert proxy.open == 0
        with connect(proxy) as line:
            line.sendall(b"again")
            assert line.recv(100) == b"again"
            line.shutdown(socket.SHUT_WR)  # an end is carried too
            assert line.recv(100) == b""
        assert proxy.accepted == 2


def test_it_refuses_until_it_goes_on_at_the_same_port(echo: int) -> None:
    with Proxy(echo) as proxy:
        port = proxy.port
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError), connect(proxy):
            pass
        proxy.go_on()
        assert proxy.port == port
        with connect(proxy) as line:
            line.sendall(b"here")
            assert line.recv(100) == b"here"


def test_a_stalled_line_stands_and_says_nothing_until_it_goes_on(echo: int) -> None:
    with Proxy(echo) as proxy, connect(proxy) as line:
        line.sendall(b"one")
        assert line.recv(100) == b"one"
        proxy.stall()
        line.sendall(b"two")
        line.settimeout(0.1)
        with pytest.raises(TimeoutError):
            line.recv(100)
        proxy.go_on()
        line.settimeout(5)
        assert line.recv(100) == b"two"


def test_a_target_that_is_away_is_a_reset_connection() -> None:
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))  # and nobody listens
        port = gone.getsockname()[1]
        # The reset may come before `connect` is through, or after.
        with Proxy(port) as proxy, pytest.raises(ConnectionError), connect(proxy) as line:
            line.recv(100)
