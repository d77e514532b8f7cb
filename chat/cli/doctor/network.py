"""The way out of this machine: proxies and certificates that the environment names, and the temporary
folder."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator

from chat import outbound
from chat.cli.doctor.outcome import Outcome, failed, ok, warning
from chat.settings import Settings
from chat.settings.network import Network, Proxy


async def checks(settings: Settings) -> AsyncGenerator[Outcome, None]:
    for outcome in proxies(settings.network):
        yield outcome
    if settings.network.certificates:
        yield await certificates(settings.network)
    if (outcome := await asyncio.to_thread(temporary)) is not None:
        yield outcome


def proxies(network: Network) -> list[Outcome]:
    """One outcome for each variable; a single one where there is none."""
    by_name: dict[str, tuple[Proxy, list[str]]] = {}
    for scheme, proxy in network.proxies.items():
        by_name.setdefault(proxy.variable, (proxy, []))[1].append(scheme)
    if not by_name:
        return [ok("proxy", "None is named: vendors are asked directly")]
    direct = f", and without it {len(network.direct)} that NO_PROXY names" if network.direct else ""
    return [
        failed(
            "proxy",
            f"{name} cannot be used: {proxy.fault}. No vendor whose address begins with {_either(schemes)} "
            "can be asked.",
            f"Write http://host:port or socks5://host:port, or unset {name}.",
        )
        if proxy.fault
        else ok(
            "proxy",
            f"{name} ({proxy.shown}) is asked for {_either(schemes)}{direct}; for servers on this machine "
            "none is",
        )
        for name, (proxy, schemes) in by_name.items()
    ]


def _either(schemes: list[str]) -> str:
    return " and ".join(f"{scheme}://" for scheme in schemes)


async def certificates(network: Network) -> Outcome:
    _, used, trouble = await asyncio.to_thread(outbound.certificates, network)
    if not trouble:
        return ok("certificates", f"Those of {' and '.join(used)}")
    instead = "" if used else "; this machine’s own are used"
    return warning("certificates", f"{'. '.join(trouble)}{instead}.", "Correct or unset it.")


def temporary() -> Outcome | None:
    """Only where there is something to say."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        return warning(
            "temporary",
            f"No temporary file can be written ({error.strerror}).",
            "Make room, or name a folder in TMPDIR.",
        )
    return None
