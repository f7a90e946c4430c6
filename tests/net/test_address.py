from __future__ import annotations

import contextlib

import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from backchannel.errors import ConnectError
from backchannel.net.address import WEBSOCKET_SCHEMES, as_ip, is_loopback, read_address


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "request_url"),
    [
        ("ws://h", "h", 80, "ws://h/", "ws://h/"),
        ("wss://H.Example/v1?a=1", "h.example", 443, "wss://h.example/v1", "wss://h.example/v1?a=1"),
        ("WSS://h:443/", "h", 443, "wss://h/", "wss://h/"),
        ("ws://h:8765/p#f", "h", 8765, "ws://h:8765/p", "ws://h:8765/p"),
        ("ws://[::1]:9/p", "::1", 9, "ws://[::1]:9/p", "ws://[::1]:9/p"),
        ("ws://u:p%40q@h/x?k=v", "h", 80, "ws://h/x", "ws://h/x?k=v"),
        ("ws://h/a%2Fb?m=%C3%A9&n=a+b", "h", 80, "ws://h/a%2Fb", "ws://h/a%2Fb?m=%C3%A9&n=a+b"),
        ("ws://h/ä b?q=ü", "h", 80, "ws://h/%C3%A4%20b", "ws://h/%C3%A4%20b?q=%C3%BC"),
        ("ws://my_box./x", "my_box.", 80, "ws://my_box./x", None),
        ("ws://[fe80::1%25eth0]/", "fe80::1%25eth0", 80, "ws://[fe80::1%25eth0]/", None),
        ("ws://bücher.example/", "xn--bcher-kva.example", 80, "ws://xn--bcher-kva.example/", None),
    ],
)
def test_addresses_are_taken_apart(url: str, host: str, port: int, target: str, request_url: str | None) -> None:
    address = read_address(url, schemes=WEBSOCKET_SCHEMES)
    assert (address.host, address.port, address.target) == (host, port, target)
    assert address.request_url == (target if request_url is None else request_url)


def test_credentials_are_decoded_and_never_shown() -> None:
    address = read_address("ws://user:p%40ss@h/x?token=s3cret", schemes=WEBSOCKET_SCHEMES)
    assert (address.username, address.password) == ("user", "p@ss")
    assert not any(secret in repr(address) + address.target for secret in ("p@ss", "p%40ss", "s3cret"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://h/", "it starts with http:"),
        ("h:8765", "it starts with h:"),
        ("localhost", "it does not start with ws:// or wss://"),
        ("", "it does not start with"),
        ("ws://", "names no host"),
        ("ws://:80/", "names no host"),
        ("ws://h:x/", "malformed"),
        ("ws://h:70000/", "malformed"),
        ("ws://h:0/", "port is 0"),
        ("ws://[::1/", "malformed"),
        ("ws://a b/", "neither a name nor a number"),
        ("ws://a..b/", "neither a name nor a number"),
        ("ws://.a/", "neither a name nor a number"),
        ("ws://a%20b/", "neither a name nor a number"),
        ("ws://[fe80::x]/", "malformed"),
        (f"ws://{'x' * 64}.example/", "neither a name nor a number"),
        (f"ws://{'x.' * 127}example/", "neither a name nor a number"),
        ("ws://a..ü/", "neither a name nor a number"),
        ("ftp://user:planted-key-h2@h/?q=planted-key-h2", "it starts with ftp:"),
        ("ws://user:planted-key-h2@h:planted-key-h2/?q=planted-key-h2", "malformed"),
        ("user:planted-key-h2@h", "it starts with user:"),
        ("ws://h/\udcff", "bytes that are not text"),
        ("ws://user:planted-key-h2\udcff@h/", "bytes that are not text"),
    ],
)
def test_bad_addresses_say_what_is_allowed_and_keep_secrets(url: str, reason: str) -> None:
    with pytest.raises(ConnectError) as caught:
        read_address(url, schemes=WEBSOCKET_SCHEMES)
    assert caught.value.stage == "address"
    assert reason in caught.value.reason
    assert "ws:// or wss://" in caught.value.remedy
    assert "planted-key-h2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("notlocalhost", False),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_loopback(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_numbers_are_recognised() -> None:
    assert as_ip("::ffff:10.0.0.1") == as_ip("10.0.0.1")
    assert as_ip("example.org") is None


@given(
    st.text() | st.builds("{}{}".format, st.sampled_from(["ws://", "wss://"]), st.text(alphabet="ab:/@[]%?#.1 é\x00"))
)
def test_any_text_gives_an_address_that_can_be_asked_for_or_the_typed_error(url: str) -> None:
    with contextlib.suppress(ConnectError):
        address = read_address(url, schemes=WEBSOCKET_SCHEMES)
        asked = yarl.URL(address.request_url, encoded=True)
        assert asked.host
        assert asked.port == address.port
        assert (address.authority + asked.raw_path_qs).isascii()
