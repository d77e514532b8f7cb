"""The weather from a loopback server that answers like Open-Meteo, and every way in which it may not."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from chat.events import Citation
from chat.settings import Settings
from chat.tools import Outcome, load
from chat.tools.get_weather import _addresses

PARIS = {
    "name": "Paris",
    "admin1": "Île-de-France",
    "country": "France",
    "country_code": "FR",
    "latitude": 48.85,
    "longitude": 2.35,
}
TEXAS = PARIS | {"admin1": "Texas", "country": "United States", "country_code": "US", "latitude": 33.66}
FORECAST = {
    "timezone": "Europe/Paris",
    "current_units": {"temperature_2m": "°C", "wind_speed_10m": "km/h", "relative_humidity_2m": "%"},
    "current": {
        "time": "2026-01-02T12:00",
        "temperature_2m": 3.5,
        "wind_speed_10m": 12.0,
        "relative_humidity_2m": 80,
        "weather_code": 61,
    },
}

Answer = tuple[int, bytes] | None
"""Status and body; None: say nothing until the client has gone."""


class Service:
    """A loopback server. `answers` by path; `asked` holds each request's path and query."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, Answer] = {
            "/v1/search": (200, json.dumps({"results": [PARIS, TEXAS]}).encode()),
            "/v1/forecast": (200, json.dumps(FORECAST).encode()),
        }
        self.waiting = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (head := await reader.readline()).strip():
                while (await reader.readline()).strip():
                    pass
                target = urlsplit(head.split()[1].decode())
                self.asked.append((target.path, dict(parse_qsl(target.query))))
                answer = self.answers[target.path]
                if answer is None:
                    self.waiting.set()
                    await reader.read()
                    self.left.set()
                    return
                status, body = answer
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        finally:
            writer.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the tester's environment is not asked."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def ask(service: Service) -> AsyncIterator[Callable[..., Any]]:
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    tools = load(Settings(weather_url=f"http://{host}:{port}"))

    async def ask(location: str, progress: Callable[[str], None] = lambda text: None) -> Outcome:
        return await tools.run("get_weather", json.dumps({"location": location}), progress)

    async with server:
        yield ask


async def test_the_weather_of_a_town(service: Service, ask: Callable[..., Any]):
    said: list[str] = []
    outcome = await ask("Paris", said.append)
    assert outcome.error is None
    assert outcome.result == {
        "place": "Paris, Île-de-France, France",
        "time": "2026-01-02T12:00",
        "timezone": "Europe/Paris",
        "conditions": "slight rain",
        "temperature": "3.5 °C",
        "feels_like": None,
        "humidity": "80 %",
        "precipitation": None,
        "wind": "12.0 km/h",
        "gusts": None,
    }
    assert outcome.citations == (Citation("Weather data by Open-Meteo", "https://open-meteo.com/"),)
    assert said == ["Looking up Paris", "Asking for the weather in Paris, Île-de-France, France"]
    [(search, place), (forecast, where)] = service.asked
    assert (search, place["name"]) == ("/v1/search", "Paris")
    assert (forecast, where["latitude"], where["longitude"]) == ("/v1/forecast", "48.85", "2.35")


@pytest.mark.parametrize(
    "location", ["Paris, Texas", "paris,texas", "Paris, TEXAS, US", "Paris, United States"]
)
async def test_a_region_or_country_picks_among_towns_of_one_name(location: str, ask: Callable[..., Any]):
    assert (await ask(location)).result["place"] == "Paris, Texas, United States"


@pytest.mark.parametrize("body", [{}, {"results": []}, {"results": None}, {"results": [{"name": "Nowhere"}]}])
async def test_a_place_that_nobody_knows(body: dict[str, Any], service: Service, ask: Callable[..., Any]):
    service.answers["/v1/search"] = (200, json.dumps(body).encode())
    assert "No place called “Qqqq” was found" in (await ask("Qqqq")).text


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((400, b'{"error": true, "reason": "<b>secret</b>"}'), "refused the request with status 400"),
        ((503, b"{}"), "refused the request with status 503"),
        ((200, b"<html>Sign in to the hotel</html>"), "something else than JSON"),
        ((200, b"\xff\xfe"), "something else than JSON"),
        ((200, gzip.compress(b"{}")), "something else than JSON"),
        ((200, b"[" * 100_000), "something else than JSON"),
        ((200, b" " * 1_000_001), "far too much"),
        ((200, b"[]"), "refused the request with status 200"),
        ((200, b"{}"), "without the current weather"),
    ],
)
async def test_a_service_that_answers_wrongly(
    answer: Answer, sentence: str, service: Service, ask: Callable[..., Any], caplog: pytest.LogCaptureFixture
):
    service.answers["/v1/forecast"] = answer
    outcome = await ask("Paris")
    assert sentence in outcome.text
    assert "secret" not in outcome.text
    assert not [record for record in caplog.records if record.name.startswith("chat")]


async def test_names_are_cut_and_what_is_no_text_is_left_out(service: Service, ask: Callable[..., Any]):
    place = PARIS | {"name": "x" * 5000, "admin1": ["?"]}
    service.answers["/v1/search"] = (200, json.dumps({"results": [place]}).encode())
    odd = {"time": {}, "weather_code": [], "temperature_2m": "9" * 5000, "wind_speed_10m": {}}
    service.answers["/v1/forecast"] = (200, json.dumps(FORECAST | {"current": odd}).encode())
    result = (await ask("Paris")).result
    assert result["place"] == "x" * 100
    assert result["temperature"] == "9" * 100 + " °C"
    assert (result["time"], result["conditions"], result["wind"]) == (None, "unknown", None)


async def test_without_a_network_the_model_reads_why(caplog: pytest.LogCaptureFixture):
    outcome = await load(Settings()).run("get_weather", '{"location": "Paris"}')
    assert outcome.error == "The weather service cannot be reached: there may be no network here."
    assert not caplog.records


async def test_cancelling_frees_the_connection(service: Service, ask: Callable[..., Any]):
    service.answers["/v1/forecast"] = None
    task = asyncio.create_task(ask("Paris"))
    await service.waiting.wait()
    task.cancel()
    await asyncio.wait_for(service.left.wait(), 1)
    assert task.cancelled()


def test_both_questions_go_to_an_address_of_ones_own_and_to_nobody_else():
    assert _addresses(Settings(weather_url="http://weather.local")) == ("http://weather.local",) * 2
    assert _addresses(Settings()) == ("https://geocoding-api.open-meteo.com", "https://api.open-meteo.com")
