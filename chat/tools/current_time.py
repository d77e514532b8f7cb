"""The tool `current_time`: what a clock shows somewhere. Needs no network."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from chat.tools import ToolError, tool


@tool
def current_time(
    timezone: Annotated[
        str, Field(description="An IANA name such as Europe/Berlin or America/New_York.")
    ] = "UTC",
) -> dict[str, Any]:
    """The date and time now, in a time zone."""
    now = datetime.now(_zone(timezone.strip()))
    return {
        "time": now.isoformat(timespec="seconds"),
        "weekday": now.strftime("%A"),
        "timezone": timezone.strip(),
        "abbreviation": now.tzname(),
    }


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # Beside "not found", a key like "Europe" (a folder), "../x" or one with a null byte raises these.
    except (KeyError, ValueError, OSError) as error:
        near = _near(name)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Use an IANA name such as Europe/Berlin."
        raise ToolError(f"There is no time zone “{name[:80]}”. {hint}") from error


def _near(name: str) -> list[str]:
    """Up to three zones that `name` may have meant: the city alone, other case, a slip of the pen."""
    from difflib import get_close_matches

    folded = {zone.casefold(): zone for zone in sorted(available_timezones())}
    wanted = name[:80].casefold().replace(" ", "_")
    if wanted in folded:
        return [folded[wanted]]
    cities = {key.rpartition("/")[2]: zone for key, zone in folded.items() if "/" in key}
    if wanted in cities:
        return [cities[wanted]]
    close = get_close_matches(wanted, folded, 3, 0.75) or get_close_matches(
        wanted.rpartition("/")[2], cities, 3, 0.75
    )
    return [folded.get(key) or cities[key] for key in close]
