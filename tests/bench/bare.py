"""The page we compare with, written as well as its kind allows: `python -m tests.bench.bare URL PORT`.

Async throughout, the official client shared and imported late, no limit on simultaneous answers, no
outside calls. It differs from ours in what is measured: it yields at each token. `@whole` at the end
of a question asks for one yield at the end, which is how the bench makes a long chat quickly.
"""

import os
import sys
from collections.abc import AsyncGenerator
from functools import cache
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr


@cache
def client(url: str) -> Any:
    import openai

    return openai.AsyncOpenAI(base_url=url, api_key="none")


def text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


async def answer(message: str, history: list[dict[str, Any]]) -> AsyncGenerator[str, None]:
    messages = [{"role": said["role"], "content": text(said["content"])} for said in history]
    messages.append({"role": "user", "content": message})
    stream = await client(sys.argv[1]).chat.completions.create(model="asked", messages=messages, stream=True)
    said = ""
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            said += chunk.choices[0].delta.content
            if not message.endswith("@whole"):
                yield said
    if message.endswith("@whole"):
        yield said


if __name__ == "__main__":
    chat = gr.ChatInterface(answer, concurrency_limit=None)
    chat.queue(max_size=None, default_concurrency_limit=None)
    chat.launch(server_port=int(sys.argv[2]), max_threads=400, ssr_mode=False, quiet=True)
