from __future__ import annotations

import base64

import pytest

import backchannel
from backchannel.errors import UsageError
from backchannel.net.address import WEBSOCKET_SCHEMES, read_address
from backchannel.net.headers import check_headers, completed_headers, status_words
from tests.planted import PASSWORD, TOKEN, planted_in

PLAIN = read_address("ws://h/", schemes=WEBSOCKET_SCHEMES)
NAMED = read_address(f"ws://me:{PASSWORD}@h/", schemes=WEBSOCKET_SCHEMES)


def test_what_is_missing_is_filled_in() -> None:
    ours = {"User-Agent": f"backchannel/{backchannel.__version__}"}
    assert completed_headers({}, PLAIN) == ours
    assert completed_headers({"x-a": "1"}, PLAIN) == {"x-a": "1", **ours}
    basic = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert completed_headers({}, NAMED) == {**ours, "Authorization": f"Basic {basic}"}


@pytest.mark.parametrize("name", ["User-Agent", "user-agent", "USER-AGENT"])
def test_who_names_itself_keeps_its_name(name: str) -> None:
    assert completed_headers({name: "mine/1"}, PLAIN) == {name: "mine/1"}


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_header_that_is_given_wins_over_the_addresss_credentials(name: str) -> None:
    assert completed_headers({name: "Bearer x", "user-agent": "m"}, NAMED) == {name: "Bearer x", "user-agent": "m"}


def test_what_is_given_stays_as_it_is() -> None:
    given = {"x-a": "1"}
    completed_headers(given, NAMED)
    assert given == {"x-a": "1"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "v"),
        ("a b", "v"),
        ("a:", "v"),
        ("é", "v"),
        ("a\n", "v"),
        ("a", f"{TOKEN}\n"),
        ("a", f"{TOKEN}\r\nb: c"),
        ("a", f"{TOKEN}\x00"),
        ("a", f"{TOKEN}\x7f"),
        ("a", f"{TOKEN}\u0100"),
        ("a", f"{TOKEN}\ud800"),
    ],
)
def test_what_no_header_may_hold_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="cannot be sent") as caught:
        check_headers({"fine": "x", name: value})
    assert repr(name) in str(caught.value)
    assert planted_in(str(caught.value)) == []


def test_what_may_be_sent_is_let_through() -> None:
    check_headers({"x-a": "", "A!#$%&'*+.^_`|~0": "a\tb \xff~"})


def test_a_status_is_named_where_it_has_a_name() -> None:
    assert [status_words(status) for status in (404, 599)] == ["404 Not Found", "599"]
