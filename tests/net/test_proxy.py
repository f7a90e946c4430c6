from __future__ import annotations

import pytest

from backchannel.errors import ConnectError, UsageError
from backchannel.net import Proxy, proxy_for

URL = "wss://api.example.org/v1/realtime"


@pytest.mark.parametrize(
    ("url", "env", "variable"),
    [
        (URL, {}, None),
        (URL, {"HTTPS_PROXY": "http://p:1"}, "HTTPS_PROXY"),
        (URL, {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:2"}, "https_proxy"),
        (URL, {"https_proxy": "", "HTTPS_PROXY": "http://p:1"}, "HTTPS_PROXY"),
        (URL, {"HTTPS_PROXY": " ", "ALL_PROXY": "http://p:1"}, "ALL_PROXY"),
        (URL, {"HTTP_PROXY": "http://q:2"}, None),
        (URL, {"HTTP_PROXY": "http://q:2", "all_proxy": "http://p:1"}, "all_proxy"),
        ("https://h.example/", {"HTTPS_PROXY": "http://p:1"}, "HTTPS_PROXY"),
        ("ws://h.example/", {"HTTPS_PROXY": "http://q:2"}, None),
        ("ws://h.example/", {"HTTP_PROXY": "http://p:1"}, "HTTP_PROXY"),
        ("http://h.example/", {"http_proxy": "http://p:1"}, "http_proxy"),
        ("ws://h.example/", {"HTTP_PROXY": "http://q:2", "REQUEST_METHOD": "GET"}, None),
        ("ws://h.example/", {"http_proxy": "http://p:1", "REQUEST_METHOD": "GET"}, "http_proxy"),
    ],
)
def test_the_scheme_chooses_the_variable(url: str, env: dict[str, str], variable: str | None) -> None:
    proxy = proxy_for(url, env)
    assert (None if proxy is None else proxy.variable) == variable
    assert proxy is None or proxy.host == "p"


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "127.1.2.3:80", "[::1]:9", "a.localhost"])
def test_this_machine_is_never_reached_through_a_proxy(host: str) -> None:
    assert proxy_for(f"ws://{host}/", {"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"}) is None


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("api.example.org", "*", True),
        ("api.example.org", "example.org", True),
        ("api.example.org", ".example.org", True),
        ("api.example.org", "*.example.org", True),
        ("api.example.org", "API.Example.ORG.", True),
        ("api.example.org.", "example.org", True),
        ("example.org", ".example.org", True),
        ("badexample.org", "example.org", False),
        ("example.org", "api.example.org", False),
        ("api.example.org", "other.org, example.org", True),
        ("api.example.org", "other.org example.org", True),
        ("api.example.org", "", False),
        ("api.example.org", ".", False),
        ("api.example.org", "example.org:443", True),
        ("api.example.org", "example.org:80", False),
        ("api.example.org:8443", "example.org:8443", True),
        ("api.example.org", "example.org:x", False),
        ("api.example.org", f"example.org:{'9' * 5000}", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:99", "10.1.2.3:99", True),
        ("10.1.2.3", "10.1.2.3:99", False),
        ("10.1.2.3", "2.3", False),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.9/24", True),
        ("10.1.2.3", "nonsense/8", False),
        ("api.example.org", "10.0.0.0/8", False),
        ("[2001:db8::1]", "2001:db8::/32", True),
        ("[2001:db8::1]", "2001:0db8::0001", True),
        ("[2001:db8::1]", "[2001:db8::1]", True),
        ("[2001:db8::1]:444", "[2001:db8::1]:444", True),
        ("[2001:db8::1]", "[2001:db8::1]:444", False),
        ("[2001:db8::1]", "0.0.0.0/0", False),
        ("[::ffff:10.1.2.3]", "10.0.0.0/8", True),
    ],
)
def test_no_proxy(host: str, no_proxy: str, *, direct: bool) -> None:
    for variable in ("NO_PROXY", "no_proxy"):
        proxy = proxy_for(f"wss://{host}/", {"HTTPS_PROXY": "http://p:1", variable: no_proxy})
        assert (proxy is None) is direct


def test_the_lower_case_exemptions_win() -> None:
    env = {"HTTPS_PROXY": "http://p:1", "no_proxy": "other.org", "NO_PROXY": "*"}
    assert proxy_for(URL, env) is not None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("p", Proxy(scheme="http", host="p", port=80, variable="ALL_PROXY")),
        ("p:3128", Proxy(scheme="http", host="p", port=3128, variable="ALL_PROXY")),
        ("http://p:3128/", Proxy(scheme="http", host="p", port=3128, variable="ALL_PROXY")),
        ("HTTP://[::2]:8", Proxy(scheme="http", host="::2", port=8, variable="ALL_PROXY")),
        (
            "http://us%40er:pa%3Ass@p:1",
            Proxy(scheme="http", host="p", port=1, username="us@er", password="pa:ss", variable="ALL_PROXY"),
        ),
        ("u:w@p:1", Proxy(scheme="http", host="p", port=1, username="u", password="w", variable="ALL_PROXY")),
        ("socks5://p", Proxy(scheme="socks5", host="p", port=1080, variable="ALL_PROXY")),
        ("socks://p:9/", Proxy(scheme="socks5", host="p", port=9, variable="ALL_PROXY")),
        ("socks5h://p", Proxy(scheme="socks5h", host="p", port=1080, variable="ALL_PROXY")),
    ],
)
def test_how_a_proxy_is_written(value: str, expected: Proxy) -> None:
    assert proxy_for(URL, {"ALL_PROXY": value}) == expected


@pytest.mark.parametrize(
    "value",
    [
        "https://u:planted-key-h2@p:1",
        "socks4://u:planted-key-h2@p",
        "http://u:planted-key-h2@",
        "http://u:planted-key-h2@p:planted-key-h2",
        "http://[planted-key-h2",
        "http://u:planted-key-h2\udcff@p:1",
    ],
)
def test_a_bad_proxy_names_the_variable_and_not_its_value(value: str) -> None:
    with pytest.raises(UsageError, match=r"^HTTPS_PROXY .*give it like http://host:port") as caught:
        proxy_for(URL, {"HTTPS_PROXY": value})
    assert "planted-key-h2" not in str(caught.value)


def test_a_bad_proxy_does_no_harm_where_it_does_not_apply() -> None:
    assert proxy_for("ws://localhost:1/", {"HTTP_PROXY": "gopher://x"}) is None
    assert proxy_for(URL, {"HTTPS_PROXY": "gopher://x", "NO_PROXY": "example.org"}) is None


def test_credentials_are_never_shown() -> None:
    proxy = proxy_for(URL, {"HTTPS_PROXY": "http://user:planted-key-h2@p:1"})
    assert proxy is not None
    assert proxy.target == "http://p:1"
    assert "planted-key-h2" not in repr(proxy)
    assert "user" not in repr(proxy).replace("username", "")


def test_other_addresses_are_refused() -> None:
    with pytest.raises(ConnectError, match="it starts with ftp:"):
        proxy_for("ftp://h/", {})
