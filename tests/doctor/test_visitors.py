"""The doctor looks at who may come: given these settings, that verdict."""

import pytest

from chat.build import who_can_connect, who_is_believed
from chat.cli.doctor import visitors
from chat.settings import Settings

KEY = {"OPENAI_API_KEY": "sk-sentinel"}
EVERYBODY = {"GRADIO_SERVER_NAME": "0.0.0.0", "CHAT_PUBLIC": "1"}
LIMITS = {"CHAT_MESSAGES_EACH": "20", "CHAT_MESSAGES": "200", "CHAT_MAX_TOKENS": "1000"}
LOGIN = {"CHAT_USERS": "ann:correct horse"}
NAMED = {"CHAT_PROXIES": "127.0.0.1", "CHAT_HOSTS": "chat.example.com"}
NGINX = {**NAMED, "CHAT_PROXY_SECRET": "sentinel-sentinel"}


def verdicts(**settings: str) -> dict[str, str]:
    return {outcome.name: outcome.verdict for outcome in visitors.checks(Settings.read(settings))}


def said(name: str, **settings: str) -> str:
    [found] = [each for each in visitors.checks(Settings.read(settings)) if each.name == name]
    return found.said


def test_alone_there_is_nothing_more_to_look_at() -> None:
    assert verdicts(**KEY) == {"people": "ok", "wallet": "ok"}


def test_behind_nginx_with_a_login_all_is_well() -> None:
    assert set(verdicts(**KEY, **NGINX, **LOGIN).values()) == {"ok"}
    assert "1 person may log in" in said("people", **LOGIN)
    assert "logged in" in said("wallet", **KEY, **LOGIN)


def test_behind_nginx_for_everybody_all_is_well() -> None:
    settings = {**KEY, **NGINX, "CHAT_PUBLIC": "1", **LIMITS}
    assert set(verdicts(**settings).values()) == {"ok"}
    assert "20 questions a day each, 200 all together, 1000 tokens" in said("wallet", **settings)


def test_visitors_who_cannot_spend_what_they_should() -> None:
    assert verdicts(**KEY, **EVERYBODY)["wallet"] == "warning"
    assert "CHAT_MESSAGES_EACH" in said("wallet", **KEY, **EVERYBODY)
    assert verdicts(**KEY, GRADIO_SERVER_NAME="0.0.0.0")["wallet"] == "ok"
    assert verdicts(**EVERYBODY)["wallet"] == "ok"


@pytest.mark.parametrize(("rate", "verdict"), [("0", "warning"), ("20/minute", "ok"), ("", "ok")])
def test_limits(rate: str, verdict: str) -> None:
    assert verdicts(**EVERYBODY, CHAT_RATE=rate)["limits"] == verdict


def test_names() -> None:
    assert verdicts(**EVERYBODY)["hosts"] == "warning"
    assert verdicts(**EVERYBODY, CHAT_HOSTS="chat.example.com")["hosts"] == "ok"
    assert verdicts(SPACE_ID="somebody/something")["hosts"] == "ok"


def test_the_way_there() -> None:
    assert verdicts(**LOGIN)["way"] == "warning"
    assert "passwords" in said("way", **LOGIN)
    assert verdicts(**LOGIN, **NGINX)["way"] == "ok"
    assert verdicts(SPACE_ID="somebody/something")["way"] == "ok"
    past = {**LOGIN, **NGINX, "GRADIO_SERVER_NAME": "0.0.0.0"}
    assert verdicts(**past)["way"] == "warning"
    assert "past the proxy" in said("way", **past)
    assert verdicts(**LOGIN, **NAMED)["way"] == "warning"
    assert "Any program on this machine passes for the proxy" in said("way", **LOGIN, **NAMED)


def test_the_start_warns_where_any_program_can_say_who_logged_in() -> None:
    named = {**NAMED, "CHAT_LOGIN_HEADER": "X-Forwarded-User"}
    assert "CHAT_PROXY_SECRET" in who_is_believed(Settings.read(named))
    for settings in (NAMED, {**named, **NGINX}, {**named, "CHAT_PROXIES": "10.0.0.1"}, LOGIN):
        assert who_is_believed(Settings.read(settings)) == ""


def test_a_log_of_what_visitors_say() -> None:
    assert verdicts(**EVERYBODY, CHAT_LOG_TEXT="1")["log"] == "warning"
    assert "log" not in verdicts(CHAT_LOG_TEXT="1")


def test_a_login_of_the_proxy_s() -> None:
    settings = {**NGINX, "CHAT_LOGIN_HEADER": "X-Forwarded-User"}
    assert said("people", **settings) == "Whoever x-forwarded-user names, when 127.0.0.1 says so"


def test_whoever_lets_visitors_in_is_told_that_none_can_connect() -> None:
    """A login or CHAT_PUBLIC opens no port to other machines by itself."""
    for settings in ({"CHAT_PUBLIC": "1"}, {"CHAT_USERS": "ann:long enough"}):
        assert "GRADIO_SERVER_NAME" in who_can_connect(Settings.read(settings))
        for more in ({"GRADIO_SERVER_NAME": "0.0.0.0"}, {"CHAT_PROXIES": "127.0.0.1"}):
            assert who_can_connect(Settings.read({**settings, **more})) == ""
    assert who_can_connect(Settings.read({})) == ""
