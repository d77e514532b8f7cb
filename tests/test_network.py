"""Which proxy, and whether any, is for whom: what real machines' variables say and mean."""

import os

import pytest

from chat.settings import Settings
from chat.settings.network import Network, hidden, nearby

FAR = ("https", "api.far.test")


def network(**environ: str) -> Network:
    return Network.read(environ)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("127.0.0.1:9", "http://127.0.0.1:9"),
        ("HTTP://proxy.test:3128/", "http://proxy.test:3128/"),
        ("https://me:pass@proxy.test", "https://me:pass@proxy.test"),
        ("socks5://127.0.0.1:9", "socks5://127.0.0.1:9"),
        ("socks5h://[::1]:9", "socks5h://[::1]:9"),
        ("socks://127.0.0.1:9/", "socks5h://127.0.0.1:9/"),
    ],
)
def test_an_address_of_a_proxy(value: str, address: str) -> None:
    proxy = network(ALL_PROXY=value).proxy(*FAR)
    assert proxy is not None
    assert (proxy.address.value, proxy.fault, proxy.variable) == (address, "", "ALL_PROXY")
    assert "pass" not in proxy.shown
    assert "pass" not in repr(proxy)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("socks4://127.0.0.1:9", "does not speak socks4"),
        ("socks4a://127.0.0.1:9", "does not speak socks4a"),
        ("ftp://proxy.test", "does not speak ftp"),
        ("htp:/bad:proxy:99999", "no address"),
        ("http://host:port", "no address"),
        ("http://host:99999", "no address"),
        ("http://[::1", "no address"),
        ("http://:8080", "no address"),
        ("http://a b:80", "no address"),
        ("http://ü.test:80", "no address"),
        ("http://", "no address"),
    ],
)
def test_what_cannot_be_a_proxy_says_why(value: str, why: str) -> None:
    proxy = network(HTTPS_PROXY=value).proxy(*FAR)
    assert proxy is not None
    assert why in proxy.fault


def test_which_variable_holds() -> None:
    found = network(HTTPS_PROXY="one", ALL_PROXY="two", https_proxy="three")
    assert [found.proxy(scheme, "far.test").variable for scheme in ("https", "http")] == [  # type: ignore[union-attr]
        "https_proxy",
        "ALL_PROXY",
    ]
    assert network(HTTPS_PROXY="one", https_proxy="").proxy(*FAR) is None  # switched off
    assert network(HTTP_PROXY="one").proxy(*FAR) is None
    assert network().proxy(*FAR) is None


@pytest.mark.parametrize(
    "host",
    [
        *(
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "::1",
            "[::1]",
            "::",
        ),
        *("::ffff:127.0.0.1", "host.docker.internal"),
    ],
)
def test_this_machine_is_asked_without_a_proxy(host: str) -> None:
    assert nearby(host)
    found = network(ALL_PROXY="socks5://127.0.0.1:9")
    assert found.proxy("http", host, 8080) is None


@pytest.mark.parametrize("host", ["localhost.far.test", "128.0.0.1", "::2", "10.0.0.1", "far", ""])
def test_others_are_not_this_machine(host: str) -> None:
    assert not nearby(host)


@pytest.mark.parametrize(
    ("entries", "host", "direct"),
    [
        ("*", "api.far.test", True),
        ("a.test, *", "api.far.test", True),
        ("far.test", "api.far.test", True),
        ("far.test", "far.test", True),
        ("far.test", "notfar.test", False),
        (".far.test", "api.far.test", True),
        (".far.test", "far.test", True),
        ("*.far.test", "api.far.test", True),
        ("FAR.test.", "api.far.test.", True),
        ("a.test far.test", "far.test", True),
        ("a.test;far.test", "far.test", True),
        (" , far.test ,, ", "far.test", True),
        ("'far.test'", "far.test", True),
        ("https://far.test", "far.test", True),
        ("far.test:443", "far.test", True),
        ("far.test:8443", "far.test", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.1/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/99", "10.1.2.3", False),
        ("10.*", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("10.1.2.3:80", "10.1.2.3", False),
        ("fe80::/10", "fe80::1", True),
        ("[fe80::]/10", "[fe80::1]", True),
        ("[2001:db8::1]", "2001:db8::1", True),
        ("2001:db8::1", "[2001:db8::1]", True),
        ("[2001:db8::1]:443", "2001:db8::1", True),
        ("[2001:db8::1]:80", "2001:db8::1", False),
        ("<local>", "intranet", True),
        ("<local>", "far.test", False),
        ("[::1", "far.test", False),
        (":::", "far.test", False),
        (".", "far.test", False),
        (":443", "far.test", False),
        ("", "far.test", False),
    ],
)
def test_what_no_proxy_names(entries: str, host: str, direct: bool) -> None:
    found = network(HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY=entries)
    assert (found.proxy("https", host) is None) is direct


def test_the_settings_hold_it_and_fail_at_nothing_of_it() -> None:
    settings = Settings.read({"ALL_PROXY": "nonsense://", "SSL_CERT_FILE": "/gone", "NO_PROXY": "[::1"})
    assert settings.network.certificates == {"SSL_CERT_FILE": "/gone"}


def test_other_libraries_do_not_see_it_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "no_proxy", "SSL_CERT_FILE", "HF_HUB_ETAG_TIMEOUT"):
        monkeypatch.setenv(name, "nonsense")
    before = dict(os.environ)
    with hidden():
        assert "nonsense" not in os.environ.values()
        assert os.environ["PATH"]
    assert dict(os.environ) == before
