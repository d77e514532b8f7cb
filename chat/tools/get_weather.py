"""The tool `get_weather`: the weather now, from Open-Meteo, which needs no key.

Two requests: the place's name to coordinates, then the forecast there. With `CHAT_WEATHER_URL` set
both go to that address (a server of one's own has both paths). Fields, units and weather codes:
https://open-meteo.com/en/docs and https://open-meteo.com/en/docs/geocoding-api.
"""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from chat import outbound
from chat.settings import Settings
from chat.tools import Context, ToolError, tool

if TYPE_CHECKING:
    import httpx2

_GEOCODING = "https://geocoding-api.open-meteo.com"
_NOW = (
    "temperature_2m,apparent_temperature,relative_humidity_2m,precipitation,weather_code,"
    "wind_speed_10m,wind_gusts_10m"
)
_SECONDS = 6.0
"""Without a byte, for each step of a request: httpx counts connecting and each read by itself. An answer that
only drips is ended by the limit of a tool."""
_BYTES = 1_000_000
"""Of an answer; a real one has a few thousand."""
_NAME = 100
"""Characters of a name, or of any other text in an answer."""


@tool
async def get_weather(
    location: Annotated[
        str,
        Field(
            description="A town, perhaps with its region or country: Paris, or Paris, Texas.",
            min_length=2,
            max_length=100,
        ),
    ],
    context: Context,
) -> dict[str, Any]:
    """The weather now at a place: temperature, wind and conditions in words, with their units."""
    import httpx2

    geocoding, forecast = _addresses(context.settings)
    way = await asyncio.to_thread(outbound.transport, context.settings.network)
    async with httpx2.AsyncClient(timeout=_SECONDS, transport=way, trust_env=False) as client:
        context.progress(f"Looking up {location}")
        place = await _place(client, geocoding, location)
        name = ", ".join(
            dict.fromkeys(filter(None, (_text(place.get(f)) for f in ("name", "admin1", "country"))))
        )
        name = name[:_NAME]
        context.progress(f"Asking for the weather in {name}")
        answer = await _json(
            client,
            f"{forecast}/v1/forecast",
            latitude=_text(place["latitude"]),
            longitude=_text(place["longitude"]),
            current=_NOW,
            timezone="auto",
        )
    now, units = answer.get("current"), answer.get("current_units")
    if not isinstance(now, dict) or not isinstance(units, dict):
        raise ToolError("The weather service answered without the current weather. Try again later.")
    context.cite("Weather data by Open-Meteo", "https://open-meteo.com/")

    def measured(field: str) -> str | None:
        value = _text(now.get(field))
        return f"{value} {_text(units.get(field))}".strip() if value else None

    code = now.get("weather_code")
    return {
        "place": name,
        "time": _text(now.get("time")) or None,
        "timezone": _text(answer.get("timezone")) or None,
        "conditions": _WORDS.get(code, "unknown") if isinstance(code, int) else "unknown",
        "temperature": measured("temperature_2m"),
        "feels_like": measured("apparent_temperature"),
        "humidity": measured("relative_humidity_2m"),
        "precipitation": measured("precipitation"),
        "wind": measured("wind_speed_10m"),
        "gusts": measured("wind_gusts_10m"),
    }


def _text(value: object) -> str:
    """A text or number of the answer, not too long; "" for anything else."""
    return str(value)[:_NAME] if isinstance(value, str | int | float) else ""


def _addresses(settings: Settings) -> tuple[str, str]:
    """Where to ask for a place and for its weather."""
    own = settings.weather_url != Settings().weather_url
    return settings.weather_url if own else _GEOCODING, settings.weather_url


async def _place(client: "httpx2.AsyncClient", url: str, location: str) -> dict[str, Any]:
    """The best match. The service knows a place by its name alone, so “Paris, Texas” is asked as “Paris”."""
    name, _, rest = (part.strip() for part in location.partition(","))
    answer = await _json(client, f"{url}/v1/search", name=name, count=10, language="en", format="json")
    results = answer.get("results")
    places = [
        place
        for place in (results if isinstance(results, list) else [])
        if isinstance(place, dict) and _text(place.get("latitude")) and _text(place.get("longitude"))
    ]
    if not places:
        raise ToolError(f"No place called “{name}” was found. Try a larger town near it.")
    wanted = {part.strip().casefold() for part in rest.split(",") if part.strip()}
    return max(places, key=lambda place: len(wanted & _regions(place)))  # the first of the best


def _regions(place: dict[str, Any]) -> set[str]:
    fields = ("admin1", "admin2", "country", "country_code")
    return {text.casefold() for field in fields if (text := _text(place.get(field)))}


async def _json(client: "httpx2.AsyncClient", url: str, **query: Any) -> dict[str, Any]:
    """The JSON object at `url`. Raises `ToolError` for everything that can go wrong on the way."""
    import httpx2

    try:
        # Not compressed: a small piece could unpack to any size before it is counted.
        async with client.stream(
            "GET", url, params=query, headers={"Accept-Encoding": "identity"}
        ) as response:
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > _BYTES:
                    raise ToolError("The weather service answered with far too much. Try again later.")
        answer = json.loads(body)
    except httpx2.TimeoutException as error:
        raise ToolError("The weather service did not answer in time. Try again later.") from error
    except httpx2.RequestError as error:
        way = outbound.way(error)
        if way is not None and way.proxy is not None:
            raise ToolError(
                f"The weather service is asked through the proxy in {way.proxy.variable}, which does not let "
                "this through."
            ) from error
        raise ToolError("The weather service cannot be reached: there may be no network here.") from error
    except (ValueError, RecursionError) as error:
        raise ToolError("The weather service answered with something else than JSON.") from error
    if response.is_success and isinstance(answer, dict):
        return answer
    raise ToolError(f"The weather service refused the request with status {response.status_code}.")


# WMO code 4677, the codes that Open-Meteo uses.
_WORDS = {
    0: "clear sky",
    1: "mainly clear",
    2: "partly cloudy",
    3: "overcast",
    45: "fog",
    48: "depositing rime fog",
    51: "light drizzle",
    53: "moderate drizzle",
    55: "dense drizzle",
    56: "light freezing drizzle",
    57: "dense freezing drizzle",
    61: "slight rain",
    63: "moderate rain",
    65: "heavy rain",
    66: "light freezing rain",
    67: "heavy freezing rain",
    71: "slight snowfall",
    73: "moderate snowfall",
    75: "heavy snowfall",
    77: "snow grains",
    80: "slight rain showers",
    81: "moderate rain showers",
    82: "violent rain showers",
    85: "slight snow showers",
    86: "heavy snow showers",
    95: "thunderstorm",
    96: "thunderstorm with slight hail",
    99: "thunderstorm with heavy hail",
}
