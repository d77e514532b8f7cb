"""The models there are: one a line, as `--model` takes it. Servers on this machine are looked for as on the
page."""

import asyncio

from chat.build import open_app
from chat.cli import streams
from chat.owners import LOCAL
from chat.settings import Settings


async def run(settings: Settings) -> None:
    """Writes them to stdout; why a vendor's are missing is a warning."""
    async with open_app(settings) as app:
        if (lists := app.catalogue.refresh()) is not None:
            await asyncio.wait([lists])
        for label, _ in app.catalogue.of(LOCAL).choices():
            streams.tell(label)
