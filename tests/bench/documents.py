"""The relay that the source documents describe, to compare with: `python -m tests.bench.documents URL PORT`.

Their shape, without the mistakes that would keep it from running: FastAPI, the official async client, one
`StreamingResponse` over a generator that writes each chunk's text as JSON. It keeps nothing, resumes nothing
and says nothing while it waits.
"""

import json
import sys
from collections.abc import AsyncGenerator

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from pydantic import BaseModel

app = FastAPI()
client = AsyncOpenAI(base_url=sys.argv[1] if len(sys.argv) > 1 else None, api_key="none")


class ChatRequest(BaseModel):
    message: str


async def answer(message: str) -> AsyncGenerator[str, None]:
    try:
        stream = await client.chat.completions.create(
            model="asked", messages=[{"role": "user", "content": message}], stream=True
        )
        async for chunk in stream:
            if chunk.choices and (content := chunk.choices[0].delta.content):
                yield f"data: {json.dumps({'content': content})}\n\n"
        yield f"data: {json.dumps({'done': True})}\n\n"
    except Exception as error:
        yield f"data: {json.dumps({'error': str(error)})}\n\n"
    yield "data: [DONE]\n\n"


@app.post("/chat/stream")
async def chat(request: ChatRequest) -> StreamingResponse:
    headers = {"Cache-Control": "no-cache", "Connection": "keep-alive", "X-Accel-Buffering": "no"}
    return StreamingResponse(answer(request.message), media_type="text/event-stream", headers=headers)


@app.get("/")
async def page() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
