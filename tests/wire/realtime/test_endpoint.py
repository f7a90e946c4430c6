from __future__ import annotations

import pytest

from backchannel.errors import UsageError
from backchannel.wire.realtime import websocket_url


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("ws://example.com", "ws://example.com/v1/realtime"),
        ("ws://example.com/", "ws://example.com/v1/realtime"),
        ("ws://example.com/api/realtime", "ws://example.com/api/realtime"),
        ("ws://example.com/realtime/", "ws://example.com/realtime"),
        ("ws://example.com/api/realtime//", "ws://example.com/api/realtime"),
        ("ws://example.com/v1", "ws://example.com/v1/realtime"),
        ("ws://example.com/api/v1/", "ws://example.com/api/v1/realtime"),
        ("ws://example.com/elsewhere", "ws://example.com/elsewhere"),
        ("ws://example.com/elsewhere/", "ws://example.com/elsewhere/"),
    ],
)
def test_the_path_becomes_the_one_of_realtime(base: str, address: str) -> None:
    assert websocket_url(base) == address


@pytest.mark.parametrize(
    ("base", "scheme"),
    [("ws://h", "ws"), ("wss://h", "wss"), ("http://h", "ws"), ("https://h", "wss"), ("HTTPS://h", "wss")],
)
def test_the_scheme_becomes_the_one_of_websockets(base: str, scheme: str) -> None:
    assert websocket_url(base) == f"{scheme}://h/v1/realtime"


def test_the_bases_own_query_comes_first_and_stays_as_it_is() -> None:
    address = websocket_url("wss://h:8443/v1?foo=a%20b&empty=", model="gpt realtime/1.5&x")

    assert address == "wss://h:8443/v1/realtime?foo=a%20b&empty=&model=gpt+realtime%2F1.5%26x"


def test_without_model_and_query_nothing_is_appended() -> None:
    assert websocket_url("wss://h/v1#part") == "wss://h/v1/realtime"


def test_a_model_alone_is_the_query() -> None:
    assert websocket_url("https://api.openai.com/v1", model="gpt-realtime-1.5") == (
        "wss://api.openai.com/v1/realtime?model=gpt-realtime-1.5"
    )


@pytest.mark.parametrize("base", ["", "example.com", "ftp://example.com", "ws:///path", "//example.com"])
def test_an_address_of_another_kind_is_refused(base: str) -> None:
    with pytest.raises(UsageError, match="expected a realtime address that starts with ws://"):
        websocket_url(base)


def test_an_address_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(UsageError, match="failed to parse realtime address 'ws://\\[::1'"):
        websocket_url("ws://[::1")
