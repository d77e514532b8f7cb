"""Who may come, whose keys they spend, and how they come: what the settings say together.

Each of these settings is right by itself; what is looked for here is what one of them needs from another.
"""

from collections.abc import Iterator

from chat.build import whose_keys
from chat.cli.doctor.outcome import Outcome, ok, warning
from chat.settings import Settings


def checks(settings: Settings) -> Iterator[Outcome]:
    yield people(settings)
    yield keys(settings)
    if not settings.alone:
        yield limits(settings)
        yield hosts(settings)
        yield way(settings)
    if settings.log_text and not settings.alone:
        yield warning(
            "log",
            "The log has all that visitors say, and their answers.",
            "Unset CHAT_LOG_TEXT, or tell them.",
        )


def people(settings: Settings) -> Outcome:
    if settings.users:
        count = len(settings.users)
        return ok(
            "people", f"{count} {'person' if count == 1 else 'people'} may log in, and nobody else gets in"
        )
    if settings.login_header:
        return ok(
            "people", f"Whoever {settings.login_header} names, when {_listed(settings.proxies)} says so"
        )
    if settings.alone:
        return ok("people", "Nobody but you: only this machine can ask")
    return ok("people", "Everybody who finds the page")


def keys(settings: Settings) -> Outcome:
    private = whose_keys(settings)
    if private and settings.public:
        return warning("wallet", private)
    if private:
        return ok("wallet", private)
    if settings.alone or not settings.keys:
        return ok("wallet", "Nobody else spends a key of yours")
    if settings.login:
        return ok("wallet", "Whoever has logged in spends your keys")
    return ok(
        "wallet",
        f"Everybody spends your keys: {settings.messages_each} questions a day each, {settings.messages} all "
        f"together, {settings.max_tokens} tokens an answer",
    )


def limits(settings: Settings) -> Outcome:
    if not settings.questions:
        return warning(
            "limits",
            "One person may ask any number of questions.",
            "Set CHAT_RATE, for instance to 20/minute.",
        )
    return ok("limits", f"{settings.questions} for each, {settings.runs} answers at once for all")


def hosts(settings: Settings) -> Outcome:
    if settings.hosts or settings.space:
        return ok("hosts", f"Answers as {_listed(settings.hosts) or 'the name of the Space'}")
    return warning(
        "hosts",
        "Any name that is made to point here is answered, another site's too.",
        "Set CHAT_HOSTS to the names that people use, for instance chat.example.com.",
    )


def way(settings: Settings) -> Outcome:
    if settings.space:
        return ok("way", "By https, through the Space's own proxy")
    if not settings.proxies:
        return warning(
            "way",
            "Nothing here speaks https: what is said, passwords too, can be read on the way.",
            "Put a proxy with https before it (deploy/nginx.conf) and name it in CHAT_PROXIES.",
        )
    if not settings.loopback:
        return warning(
            "way",
            f"Port {settings.port} can be reached past the proxy, at {settings.host}.",
            "Unset GRADIO_SERVER_NAME where the proxy is on this machine; else close the port to all but it.",
        )
    if settings.believes_neighbours:
        return warning(
            "way",
            f"Any program on this machine passes for the proxy {_listed(settings.proxies)}.",
            "Set CHAT_PROXY_SECRET, and let the proxy send it (deploy/nginx.conf shows how).",
        )
    return ok("way", f"Only through {_listed(settings.proxies)}")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
