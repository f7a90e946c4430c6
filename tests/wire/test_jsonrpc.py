from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.wire import jsonrpc
from backchannel.wire.jsonrpc import Answer, Notification, Problem, Refusal, Request, Trace, Undecodable, decode


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('{"id": 1, "method": "a"}', Request(id=1, method="a")),
        (
            '{"id": "1", "method": "a", "params": {"x": 1}}',
            Request(id="1", method="a", params=msgspec.Raw(b'{"x": 1}')),
        ),
        (
            '{"id": 1, "method": "a", "trace": {"traceparent": "00-1-2-01", "tracestate": null}, "jsonrpc": "2.0"}',
            Request(id=1, method="a", trace=Trace(traceparent="00-1-2-01")),
        ),
        ('{"method": "a"}', Notification(method="a")),
        ('{"method": "a", "params": null}', Notification(method="a", params=msgspec.Raw(b"null"))),
        ('{"id": 7, "result": {"a": 1}}', Answer(id=7, result=msgspec.Raw(b'{"a": 1}'))),
        ('{"id": 7, "result": null}', Answer(id=7, result=msgspec.Raw(b"null"))),
        ('{"error": {"code": -1, "message": "no"}, "id": 7}', Refusal(id=7, error=Problem(code=-1, message="no"))),
    ],
)
def test_a_message_is_read(message: str, expected: object) -> None:
    assert decode(message) == expected
    assert decode(message.encode()) == expected


@pytest.mark.parametrize(
    "message",
    [
        "garbage",
        "",
        "[]",
        "null",
        "7",
        "{}",
        '{"foo": 1}',
        '{"id": 1}',
        '{"id": 1.5, "method": "a"}',
        '{"id": null, "method": "a"}',
        '{"id": 9223372036854775808000, "method": "a"}',
        '{"id": 1, "method": 7}',
        '{"id": 1, "error": "no"}',
        '{"id": 1, "method": "a", "trace": 7}',
        '{"a":' * 5000,
        '{"id": 1, "method": "\ud800"}',
    ],
)
def test_what_is_no_message_is_a_value_that_says_why(message: str) -> None:
    read = decode(message)
    assert isinstance(read, Undecodable)
    assert read.reason


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_whatever_comes_is_a_value(message: bytes | str) -> None:
    assert isinstance(decode(message), Request | Notification | Answer | Refusal | Undecodable)


@given(st.integers(-(2**63), 2**63 - 1) | st.text(max_size=10))
def test_an_id_keeps_its_type(id_: int | str) -> None:
    read = decode(jsonrpc.encode_result(id_, {"a": 1}))
    assert isinstance(read, Answer)
    assert read.id == id_
    assert type(read.id) is type(id_)


def test_what_is_sent_has_the_form_of_the_protocol() -> None:
    data = msgspec.Raw(b'{"x":1}')
    assert jsonrpc.encode_result(1, {"a": None}) == b'{"id":1,"result":{"a":null}}'
    assert jsonrpc.encode_error("x", Problem(code=-32600, message="no")) == (
        b'{"error":{"code":-32600,"message":"no"},"id":"x"}'
    )
    assert jsonrpc.encode_error(1, Problem(code=-32602, message="no", data=data)) == (
        b'{"error":{"code":-32602,"message":"no","data":{"x":1}},"id":1}'
    )
    assert jsonrpc.encode_notification("a", {"b": 1}) == b'{"method":"a","params":{"b":1}}'
    assert jsonrpc.encode_notification("a", {}, emitted_at_ms=5) == b'{"method":"a","params":{},"emittedAtMs":5}'
    assert jsonrpc.encode_request(1, "a", {"b": 1}) == b'{"id":1,"method":"a","params":{"b":1}}'


class _Params(msgspec.Struct):
    text: str
    raw: msgspec.Raw


def test_half_a_character_is_no_reason_to_fail() -> None:
    told = jsonrpc.encode_notification("a", _Params("caf\udce9", msgspec.Raw(b'{"x":[1]}')))
    assert json.loads(told) == {"method": "a", "params": {"text": "caf?", "raw": {"x": [1]}}}
