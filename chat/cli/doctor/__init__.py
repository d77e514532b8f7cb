"""`python -m chat doctor [URL]`: is everything as it should be, one line for each thing that was looked at.

    outcome   what a check found: a name, a verdict, a sentence, the next step
    machine   Python, packages, .env, the disk, the port, the cookies' secret
    network   proxies, certificates, the temporary folder
    visitors  who may come, whose keys they spend, how they come
    vendors   keys, lists of models, the model at first, servers on this machine
    timing    how long the first word takes
    site      a Runnel behind an address, as a browser and a program meet it
    probe     its HTTP: connections, faults in words, when each piece arrived
    report    what is printed

Without an address it looks at the settings here and at this machine; with one, at what is served there. It
reads only: of a vendor its list of models, and what it asks is asked of the demo. No key is ever printed.
"""

import logging
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from chat.cli.arguments import Doctor
from chat.cli.doctor import machine, network, vendors, visitors
from chat.cli.doctor.outcome import Outcome, failed, ok
from chat.cli.doctor.report import Report
from chat.errors import Config
from chat.settings import Settings

__all__ = ["run"]


async def run(arguments: Doctor) -> bool:
    """Writes the report to stdout, each line when it is known. Whether nothing failed."""
    settings, fault = _settings()
    with _silence(), Report(sys.stdout, settings, json=arguments.json) as report:
        async with aclosing(_checks(settings, fault, arguments.url)) as outcomes:
            async for outcome in outcomes:
                report.add(outcome)
    return not report.failed


@contextmanager
def _silence() -> Iterator[None]:
    """What the log would say of a vendor stands in the report."""
    log, silent = logging.getLogger("chat"), logging.NullHandler()
    log.addHandler(silent)
    try:
        yield
    finally:
        log.removeHandler(silent)


def _settings() -> tuple[Settings | None, Config | None]:
    try:
        return Settings.load(), None
    except Config as fault:
        return None, fault


async def _checks(settings: Settings | None, fault: Config | None, url: str) -> AsyncGenerator[Outcome, None]:
    if fault is not None:
        yield failed("settings", fault.whole)
    elif not url:
        yield ok("settings", "Every setting can be read")
    if url:
        from chat.cli.doctor import site  # the HTTP client, which nothing else here needs

        token, way = (settings.token, settings.network) if settings else (None, None)
        async with aclosing(site.checks(url, token, way)) as outcomes:
            async for outcome in outcomes:
                yield outcome
        return
    for outcome in machine.installed():
        yield outcome
    for outcome in machine.kept_apart():
        yield outcome
    if settings is None:
        return
    if (outcome := machine.names(settings)) is not None:
        yield outcome
    async with aclosing(network.checks(settings)) as outcomes:
        async for outcome in outcomes:
            yield outcome
    async with aclosing(vendors.opened(settings)) as outcomes:
        async for outcome in outcomes:
            yield outcome
    yield await machine.port(settings)
    for outcome in visitors.checks(settings):
        yield outcome
