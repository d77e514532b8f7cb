"""The door in front of an app that tells who came through, behind what a proxy is believed to say."""

import base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from chat.api import gate
from chat.api.cookie import cookies
from chat.api.door import Door
from chat.api.proxies import Proxies
from chat.logins import Logins
from chat.owners import Owners
from chat.settings import Settings

OWNERS = Owners(b"secret")
USERS = {"CHAT_USERS": "ada:correct horse,böb:battery staple"}
PAGE = {"accept": "text/html,*/*", "sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""
    owner: str | None = None
    """Whom the app was asked for. None: it was not reached."""
    sent: dict[str, str] = field(default_factory=dict)
    """The cookies that reached it."""

    def all(self, name: str) -> list[str]:
        return [value for other, value in self.headers if other == name]

    def header(self, name: str) -> str:
        return (self.all(name) or [""])[0]

    @property
    def jar(self) -> dict[str, str]:
        pairs = (cookie.partition(";")[0].partition("=") for cookie in self.all("set-cookie"))
        return {name: value for name, _, value in pairs}


Headers = dict[str, str] | list[tuple[str, str]]


class Place:
    def __init__(self, **environ: str) -> None:
        self.settings = Settings.read({"CHAT_LOCAL": "0", **environ})
        self.logins = Logins(self.settings.users, Owners(b"secret"))

    async def __call__(
        self,
        path: str = "/state",
        method: str = "GET",
        headers: Headers | None = None,
        *,
        client: str = "192.0.2.1",
        body: bytes = b"",
        kind: str = "http",
        media: str = "application/json",
        jar: dict[str, str] | None = None,
        https: bool = False,
        **more: Any,
    ) -> Answer:
        given = Answer()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            given.sent = cookies(scope)
            given.owner = OWNERS.of(given.sent)
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", media.encode())]}
            )
            await send({"type": "http.response.body", "body": b"reached"})

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"].endswith("response.start"):
                given.status = message["status"]
                given.headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
            elif message["type"] == "websocket.close":
                given.status = message["code"]
            else:
                given.body += message["body"].decode()

        address, _, query = path.partition("?")
        pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
        if jar:
            pairs.append(("cookie", "; ".join(f"{name}={value}" for name, value in jar.items())))
        scope = {
            "type": kind,
            "method": method,
            "path": address,
            "query_string": query.encode(),
            "scheme": "https" if https else "http",
            "client": (client, 1234),
            "headers": [(name.encode(), value.encode()) for name, value in pairs],
            **more,
        }
        door = Door(app, settings=self.settings, owners=OWNERS, logins=self.logins)
        secret = self.settings.proxy_secret.value if self.settings.proxy_secret else ""
        await Proxies(door, named=self.settings.proxies, secret=secret)(scope, receive, send)
        return given

    async def form(self, name: str = "ada", password: str = "correct horse", **more: Any) -> Answer:
        """The login page's form, sent."""
        fields = {"name": name, "password": password, "next": more.pop("onward", "")}
        return await self(
            "/login", "POST", {"content-type": gate.FORM}, body=urlencode(fields).encode(), **more
        )


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}
