"""Headers that every answer carries, page and routes alike. Pure ASGI; app.py puts it around the
gate, so that a refusal has them too.

The policy lets the page load nothing from elsewhere: a model's text could otherwise carry what
was said to another host inside an image's address (14 ways in Gradio 6.31's Markdown). Gradio
itself needs inline scripts, and `gr.HTML` needs `unsafe-eval`.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors {ancestors}",
    )
)


class SafetyHeaders:
    """`framed`: the page stands in a frame of huggingface.co (a Space)."""

    def __init__(self, app: Any, *, framed: bool = False) -> None:
        self._app = app
        ancestors = "'self' https://huggingface.co https://*.hf.space" if framed else "'self'"
        headers = {
            "content-security-policy": POLICY.format(ancestors=ancestors),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in self._headers}
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in ours]
                message["headers"] = [*kept, *self._headers]
            await send(message)

        await self._app(scope, receive, with_headers)
