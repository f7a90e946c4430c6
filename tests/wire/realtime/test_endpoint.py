from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.errors import UsageError
from backchannel.wire.realtime import DIALECTS, Endpoint, Path, sideband_url, websocket_url
from backchannel.wire.realtime.endpoint import PUBLIC, call_url, is_backend

V1: Final = DIALECTS["v1"].endpoint
V2: Final = DIALECTS["v2"].endpoint
V3: Final = DIALECTS["v3"].endpoint
LIVE: Final = DIALECTS["live"].endpoint


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("ws://example.com", "ws://example.com/v1/realtime"),
        ("ws://example.com/", "ws://example.com/v1/realtime"),
        ("ws://example.com/api/realtime", "ws://example.com/api/realtime"),
        ("ws://example.com/realtime/", "ws://example.com/realtime"),
        ("ws://example.com/api/realtime//", "ws://example.com/api/realtime"),
        ("ws://example.com/v1", "ws://example.com/v1/realtime"),
        ("ws://example.com/api/v1", "ws://example.com/api/v1/realtime"),
        ("ws://example.com/api/v1/", "ws://example.com/api/v1/realtime"),
        ("ws://example.com/elsewhere", "ws://example.com/elsewhere"),
        ("ws://example.com/elsewhere/", "ws://example.com/elsewhere/"),
        ("ws://example.com/v1/live", "ws://example.com/v1/live"),
    ],
)
def test_the_path_becomes_the_one_of_realtime(base: str, address: str) -> None:
    assert websocket_url(base) == address
    assert websocket_url(base, endpoint=V1) == f"{address}?intent=quicksilver"


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("ws://example.com", "ws://example.com/v1/live"),
        ("ws://example.com/", "ws://example.com/v1/live"),
        ("ws://example.com/v1", "ws://example.com/v1/live"),
        ("ws://example.com/v1/", "ws://example.com/v1/live"),
        ("ws://example.com/v1/realtime", "ws://example.com/v1/live"),
        ("ws://example.com/api/realtime//", "ws://example.com/api/live"),
        ("ws://example.com/realtime", "ws://example.com/live"),
        ("ws://example.com/v1/live", "ws://example.com/v1/live"),
        ("ws://example.com/v1/live/", "ws://example.com/v1/live"),
        ("ws://example.com/api/v1", "ws://example.com/api/v1"),
        ("ws://example.com/elsewhere/", "ws://example.com/elsewhere/"),
    ],
)
def test_the_path_becomes_the_one_of_v3(base: str, address: str) -> None:
    assert websocket_url(base, endpoint=V3) == address


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("https://example.com", "wss://example.com/v1/live/sessions"),
        ("https://example.com/", "wss://example.com/v1/live/sessions"),
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/live/sessions"),
        ("https://h.example.com/openai/v1/", "wss://h.example.com/openai/v1/live/sessions"),
        ("https://api.openai.com/v1/realtime", "wss://api.openai.com/v1/live/sessions"),
        ("https://api.openai.com/v1/live/", "wss://api.openai.com/v1/live/sessions"),
        ("https://api.openai.com/v1/live/sessions/", "wss://api.openai.com/v1/live/sessions"),
        ("https://example.com/elsewhere/", "wss://example.com/elsewhere/"),
    ],
)
def test_the_path_becomes_the_one_of_live_sessions(base: str, address: str) -> None:
    assert websocket_url(base, endpoint=LIVE, model="gpt-live-1") == address


@pytest.mark.parametrize(
    ("base", "scheme"),
    [("ws://h", "ws"), ("wss://h", "wss"), ("http://h", "ws"), ("https://h", "wss"), ("HTTPS://h", "wss")],
)
def test_the_scheme_becomes_the_one_of_websockets(base: str, scheme: str) -> None:
    assert websocket_url(base) == f"{scheme}://h/v1/realtime"


def test_the_bases_own_query_comes_first_and_stays_as_it_is() -> None:
    address = websocket_url("wss://h:8443/v1?foo=a%20b&empty=", model="gpt realtime/1.5&x")

    assert address == "wss://h:8443/v1/realtime?foo=a%20b&empty=&model=gpt+realtime%2F1.5%26x"


def test_the_query_has_an_order() -> None:
    params = (("trace", "1"), ("intent", "other"), ("model", "other"), ("api-version", "2026-01"))

    assert websocket_url("wss://h/v1/realtime?foo=bar", endpoint=V1, model="m", params=params) == (
        "wss://h/v1/realtime?foo=bar&intent=quicksilver&model=m&trace=1&api-version=2026-01"
    )
    assert websocket_url("wss://h/v1/realtime?foo=bar", endpoint=V2, model="m", params=params) == (
        "wss://h/v1/realtime?foo=bar&model=m&trace=1&api-version=2026-01"
    )


def test_a_parameter_may_name_the_model_when_nobody_else_does() -> None:
    params = (("model", "deployed"), ("intent", "other"))

    assert websocket_url("wss://h", params=params) == "wss://h/v1/realtime?model=deployed"
    assert websocket_url("wss://h", endpoint=V3, params=params) == "wss://h/v1/live?model=deployed"


def test_without_anything_to_say_nothing_is_appended() -> None:
    assert websocket_url("wss://h/v1#part") == "wss://h/v1/realtime"
    assert websocket_url("wss://h/v1", params=(("intent", "x"),)) == "wss://h/v1/realtime"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("v1", "wss://api.openai.com/v1/realtime?intent=quicksilver&model=gpt-realtime-1.5"),
        ("v2", "wss://api.openai.com/v1/realtime?model=gpt-realtime-1.5"),
        ("v3", "wss://api.openai.com/v1/live?model=gpt-live-1-codex"),
        ("live", "wss://api.openai.com/v1/live/sessions"),
    ],
)
def test_each_dialect_has_its_address(name: str, address: str) -> None:
    dialect = DIALECTS[name]

    assert websocket_url("https://api.openai.com/v1", endpoint=dialect.endpoint, model=dialect.default_model) == address


def test_only_some_requests_carry_a_header() -> None:
    assert Endpoint(path=Path.LIVE, alpha="x").headers == {"openai-alpha": "x"}
    assert PUBLIC.headers == {}


@pytest.mark.parametrize("base", ["", "example.com", "ftp://example.com", "ws:///path", "//example.com"])
def test_an_address_of_another_kind_is_refused(base: str) -> None:
    with pytest.raises(UsageError, match=r"expected a realtime address that starts with ws://.*--realtime"):
        websocket_url(base)


@pytest.mark.parametrize("base", ["ws://[::1", "ws://h:port", "wss://h:99999"])
def test_an_address_that_cannot_be_read_is_refused(base: str) -> None:
    with pytest.raises(UsageError, match=r"failed to parse realtime address 'wss?://"):
        websocket_url(base)


@pytest.mark.parametrize(
    "base",
    [
        "ftp://someone:planted-key-h2@h/x?api-key=planted-key-h2",
        "ws://someone:planted-key-h2@h:port/v1?key=planted-key-h2",
        "ws://someone:planted-key-h2@h\N{ACCOUNT OF}/v1",
        "ws://someone:pw/planted-key-h2@h",
    ],
)
def test_what_may_be_secret_is_not_shown(base: str) -> None:
    with pytest.raises(UsageError) as caught:
        websocket_url(base)
    assert "planted-key-h2" not in str(caught.value)


# Calls.


@pytest.mark.parametrize(
    ("endpoint", "base", "address"),
    [
        (V1, "https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?intent=quicksilver&call_id=rtc_x"),
        (V2, "https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?call_id=rtc_x"),
        (V2, "https://h/v1?api-version=1", "wss://h/v1/realtime?api-version=1&call_id=rtc_x"),
        (V3, "https://api.openai.com/v1", "wss://api.openai.com/v1/live/rtc_x"),
        (V3, "https://h/v1/realtime?a=b", "wss://h/v1/live/rtc_x?a=b"),
        (
            LIVE,
            "https://api.openai.com/v1",
            "wss://api.openai.com/v1/live/sessions/rtc_x/attach?graceful_close=true",
        ),
    ],
)
def test_a_call_is_joined_at_its_own_address(endpoint: Endpoint, base: str, address: str) -> None:
    assert sideband_url(base, endpoint=endpoint, call_id="rtc_x") == address


@pytest.mark.parametrize(
    ("call_id", "segment"),
    [
        ("../../admin", "..%2F..%2Fadmin"),
        ("a b?c#d", "a%20b%3Fc%23d"),
        ("%2e%2e", "%252e%252e"),
        ("é", "%C3%A9"),
        ("\ud800", "%3F"),
    ],
)
def test_a_calls_id_is_one_segment_whatever_it_contains(call_id: str, segment: str) -> None:
    assert sideband_url("https://h", endpoint=V3, call_id=call_id) == f"wss://h/v1/live/{segment}"


@pytest.mark.parametrize("endpoint", [V1, V2, V3, LIVE])
@pytest.mark.parametrize("call_id", ["", ".", "..", "..."])
def test_an_id_of_dots_alone_is_refused(endpoint: Endpoint, call_id: str) -> None:
    with pytest.raises(UsageError, match="expected the id of a realtime call such as rtc_123, got"):
        sideband_url("https://h", endpoint=endpoint, call_id=call_id)


@given(st.text(min_size=1).filter(lambda text: text.strip(".")))
def test_a_calls_id_arrives_as_it_is(call_id: str) -> None:
    query = urlsplit(sideband_url("https://h", endpoint=V1, call_id=call_id)).query
    path = urlsplit(sideband_url("https://h", endpoint=V3, call_id=call_id)).path

    assert parse_qs(query) == {"intent": ["quicksilver"], "call_id": [call_id]}
    assert path.startswith("/v1/live/")
    assert path.count("/") == 3
    assert unquote(path.removeprefix("/v1/live/")) == call_id


AVAS: Final = "?intent=quicksilver&architecture=avas"


@pytest.mark.parametrize(
    ("endpoint", "base", "address"),
    [
        (V1, "https://api.openai.com/v1", f"https://api.openai.com/v1/realtime/calls{AVAS}"),
        (V2, "https://api.openai.com/v1", "https://api.openai.com/v1/realtime/calls"),
        (V3, "https://api.openai.com/v1", "https://api.openai.com/v1/live"),
        (LIVE, "https://api.openai.com/v1", "https://api.openai.com/v1/live/sessions"),
        (V1, "https://h/backend-api/codex", f"https://h/backend-api/codex/realtime/calls{AVAS}"),
        (V2, "https://h/backend-api/codex", "https://h/backend-api/codex/realtime/calls"),
        (V3, "https://h/backend-api/codex", f"https://h/backend-api/codex/realtime/calls{AVAS}"),
        (LIVE, "https://h/backend-api/codex", "https://h/backend-api/codex/live/sessions"),
        (V2, "wss://h", "https://h/v1/realtime/calls"),
        (V2, "ws://h:1/", "http://h:1/v1/realtime/calls"),
        (V2, "https://h/v1/realtime/?a=b", "https://h/v1/realtime/calls?a=b"),
        (V1, "https://h/v1/realtime/calls?a=b", f"https://h/v1/realtime/calls?a=b&{AVAS[1:]}"),
        (V3, "https://h/v1/live", "https://h/v1/live"),
        (V3, "https://h/v1/realtime", "https://h/v1/live"),
        (LIVE, "https://h/v1/live/sessions", "https://h/v1/live/sessions"),
        (V2, "https://h/elsewhere", "https://h/elsewhere/realtime/calls"),
    ],
)
def test_a_call_is_created_here(endpoint: Endpoint, base: str, address: str) -> None:
    assert call_url(base, endpoint=endpoint) == address


def test_a_call_needs_an_address_too() -> None:
    with pytest.raises(UsageError, match="expected a realtime address"):
        call_url("ftp://h", endpoint=V2)


@pytest.mark.parametrize(
    ("base", "is_one"),
    [
        ("https://chatgpt.com/backend-api/codex", True),
        ("https://chatgpt.com/backend-api", True),
        ("https://api.openai.com/v1", False),
        ("https://api.openai.com/v1?from=/backend-api", False),
    ],
)
def test_an_accounts_backend_is_known_by_its_path(base: str, *, is_one: bool) -> None:
    assert is_backend(base) is is_one
