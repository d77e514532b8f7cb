"""A real nginx on loopback, with the file that is shipped.

`shipped` gives `deploy/nginx.conf` as a person would edit it (host, ports, certificate), and `running` starts
nginx with it. What is tested is what is shipped: a line that an edit does not find any more is an error.
"""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NGINX, OPENSSL = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"), shutil.which("openssl")
PATIENCE = 10.0
"""Seconds for nginx to listen."""

_MAIN = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log off;
    include {folder}/runnel.conf;
}}
"""


def required() -> None:
    """Skips without nginx and openssl; fails where .ci/run says that they have to be there."""
    if NGINX and OPENSSL:
        return
    say = "no nginx, or no openssl (Debian: apt install nginx-light openssl)"
    if os.environ.get("RUNNEL_REQUIRE_BROWSER") == "1":
        pytest.fail(say)
    pytest.skip(say)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def certificate(folder: Path, name: str = "localhost", days: int = 30) -> tuple[Path, Path]:
    """Its file and its key's, for `name`, signed by itself."""
    assert OPENSSL
    chain, key = folder / f"{name}-{days}.pem", folder / f"{name}-{days}.key"
    command = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days {days}"
    subprocess.run(
        [
            *(OPENSSL, *command.split(), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", key, "-out", chain),
        ],
        check=True,
        capture_output=True,
    )
    return chain, key


def shipped(folder: Path, upstream: int, http: int, https: int, certified: tuple[Path, Path]) -> str:
    """The file for localhost and these ports."""
    edits = {
        r"server 127\.0\.0\.1:7860;": f"server 127.0.0.1:{upstream};",
        r"listen 80;": f"listen 127.0.0.1:{http};",
        r"listen 443 ssl http2;": f"listen 127.0.0.1:{https} ssl http2;",
        r"listen \[::\]:80;": "",
        r"listen \[::\]:443 ssl http2;": "",
        r"ssl_certificate +\S+;": f"ssl_certificate {certified[0]};",
        r"ssl_certificate_key +\S+;": f"ssl_certificate_key {certified[1]};",
        r"/var/log/nginx/runnel\.log": f"{folder}/runnel.log",
        r"server_name chat\.example\.com;": "server_name localhost;",
    }
    text = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    for pattern, new in edits.items():
        text, count = re.subn(pattern, new, text)
        assert count, f"deploy/nginx.conf has no «{pattern}» any more"
    return text


@contextmanager
def running(folder: Path, config: str, port: int) -> Iterator[None]:
    """nginx with `config` inside its `http` block, from when it listens at `port` to the end of the block."""
    assert NGINX
    folder.mkdir(exist_ok=True)
    (folder / "runnel.conf").write_text(config, encoding="utf-8")
    main = folder / "nginx.conf"
    main.write_text(_MAIN.format(folder=folder), encoding="utf-8")
    process = subprocess.Popen(
        [NGINX, "-e", folder / "error.log", "-p", folder, "-c", main],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until = time.monotonic() + PATIENCE
        while not _listens(port):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < until, (folder / "error.log").read_text()
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@contextmanager
def line(port: int, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection, for what no client of HTTP would send."""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as encrypted,
    ):
        yield encrypted


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def holding_back(upstream: int, port: int) -> str:
    """A server that collects an answer before it passes it on, whatever Runnel says: the usual mistake."""
    return f"""
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_set_header Host $http_host;
            proxy_buffering on;
            proxy_ignore_headers X-Accel-Buffering;
        }}
    }}
    """
