"""How a request of ours is read and refused: one class of route, and the sentence of what is wrong.

Every refusal is `{"error": sentence, "kind": kind}` (`/v1` has its own shape, and its own class).
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from chat.api.callers import Refusal
from chat.api.gate import is_json
from chat.api.json_bodies import TOO_MANY, too_many_values

NO_JSON = "The body is to be JSON, and named so: send it with the header “Content-Type: application/json”."
BROKEN = "The body is not JSON that can be read."


class Route(APIRoute):
    """A route whose endpoint may raise `Refusal`, and takes JSON or nothing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                try:
                    await _json_only(request)
                    return await handle(request)
                except RequestValidationError as error:
                    raise invalid(error.errors()) from error
                except HTTPException as error:  # a body that breaks off, or is nested too deeply
                    raise Refusal(400, BROKEN, "bad_request") from error
            except Refusal as refusal:
                return self.refuse(refusal)

        return handler

    def refuse(self, refusal: Refusal) -> Response:
        return refusal.response


async def _json_only(request: Request) -> None:
    kind = request.headers.get("content-type", "")
    if request.method != "POST" or not (body := await request.body()):
        return
    if not is_json(kind):
        raise Refusal(415, NO_JSON, "bad_request")
    if too_many_values(body):
        raise Refusal(400, TOO_MANY, "bad_request")


def invalid(errors: Any) -> Refusal:
    """What is wrong with a request, of pydantic's list of it: the first thing, in a sentence."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return Refusal(400, BROKEN, "bad_request")
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    what = first["msg"].removeprefix("Value error, ").rstrip(".")
    match first["type"]:
        case "missing" if where:
            sentence = f"There is no {where}."
        case "missing":
            sentence = "There is no body: send a JSON object."
        case "model_type" | "model_attributes_type" if not where:
            sentence = "What is sent is to be a JSON object."
        case "extra_forbidden":
            sentence = f"There is no field called “{where[:80]}”."
        case _:
            sentence = f"{where}: {what}." if where else f"{what[:1].upper()}{what[1:]}."
    return Refusal(422, sentence, "bad_request")
