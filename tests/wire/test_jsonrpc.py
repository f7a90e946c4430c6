from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from backchannel.wire import jsonrpc
from backchannel.wire.appserver import AgentMessageDeltaNotification, Empty, ThreadRealtimeItemAddedNotification

IDS = st.integers(-(2**63), 2**63 - 1) | st.text()
ANY_TEXT = st.text(st.characters(exclude_categories=()))
TRACE = '{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}'


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('{"id":1,"method":"m","params":{"a":1}}', jsonrpc.Request(1, "m", Raw(b'{"a":1}'))),
        ('{"id":"1","method":"m"}', jsonrpc.Request("1", "m")),
        ('{"id":"","method":"m","params":null}', jsonrpc.Request("", "m", Raw(b"null"))),
        (' {"jsonrpc":"2.0","method":"m","id":-5} \r\n', jsonrpc.Request(-5, "m")),
        ('{"id":9223372036854775807,"method":"m"}', jsonrpc.Request(2**63 - 1, "m")),
        ('{"id":1,"method":"m","result":1}', jsonrpc.Request(1, "m")),
        ('{"id":1,"method":"m","error":null}', jsonrpc.Request(1, "m")),
        ('{"id":1,"method":"m","trace":null}', jsonrpc.Request(1, "m")),
        (
            f'{{"id":1,"method":"m","trace":{TRACE}}}',
            jsonrpc.Request(1, "m", trace=jsonrpc.Trace(traceparent=json.loads(TRACE)["traceparent"])),
        ),
        ('{"method":"m"}', jsonrpc.Notification("m")),
        ('{"method":"m","params":[]}', jsonrpc.Notification("m", Raw(b"[]"))),
        ('{"id":1,"result":{}}', jsonrpc.Response(1, Raw(b"{}"))),
        ('{"id":1,"result":null}', jsonrpc.Response(1, Raw(b"null"))),
        ('{"id":1,"result":{},"error":null}', jsonrpc.Response(1, Raw(b"{}"))),
        ('{"id":1,"method":7,"result":{}}', jsonrpc.Response(1, Raw(b"{}"))),
        ('{"id":1,"method":7,"result":{},"trace":7}', jsonrpc.Response(1, Raw(b"{}"))),
        (
            '{"id":1,"error":{"code":-32601,"message":"no","data":[1]}}',
            jsonrpc.ErrorResponse(1, jsonrpc.RpcError(-32601, "no", Raw(b"[1]"))),
        ),
        # A request whose id or trace is none cannot be answered; the reference takes it for a notification.
        ('{"id":null,"method":"m"}', jsonrpc.Notification("m")),
        ('{"id":1.5,"method":"m"}', jsonrpc.Notification("m")),
        ('{"id":5.0,"method":"m"}', jsonrpc.Notification("m")),
        ('{"id":9223372036854775808,"method":"m"}', jsonrpc.Notification("m")),
        ('{"id":1,"method":"m","trace":7,"params":7}', jsonrpc.Notification("m", Raw(b"7"))),
    ],
)
def test_a_message_is_one_of_four_kinds(message: str, expected: jsonrpc.Message) -> None:
    assert jsonrpc.decode(message) == expected
    assert jsonrpc.decode(message.encode()) == expected


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "not JSON"),
        (b"garbage", "not JSON"),
        (b'{"id":1,"method":"m"} trailing', "not JSON"),
        (b'{"id":1,"method":"m","params":{"x":"\\ud800"}}', "not JSON"),
        (b'{"id":1.5,"method":"m","params":{', "not JSON"),
        (b"7", "not a JSON object"),
        (b'[{"id":1,"method":"m"}]', "not a JSON object"),
        (b'{"foo":1}', "neither a method nor an id"),
        (b'{"method":7}', "neither a method nor an id"),
        (b'{"result":{}}', "neither a method nor an id"),
        (b'{"id":null,"result":{}}', "neither a method nor an id"),
        (b'{"id":1}', "neither a method nor a result nor an error"),
        (b'{"id":1,"method":null}', "neither a method nor a result nor an error"),
        (b'{"id":1,"error":{"code":"x","message":"no"}}', "neither a method nor a result nor an error"),
        (b'{"id":1,"method":"m","params":{"x":"\xff"}}', "not UTF-8"),
        (b'{"id":1,"method":"m","other":"\xed\xa0\x80"}', "not UTF-8"),
        (b'{"id":1,"method":"m","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"id":1.5,"method":"m","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_what_is_no_message_is_a_value_too(message: bytes, reason: str) -> None:
    assert jsonrpc.decode(message) == jsonrpc.Undecodable(reason)


def test_text_with_a_lone_surrogate_is_not_utf_8() -> None:
    assert jsonrpc.decode('{"id":1,"method":"\ud800"}') == jsonrpc.Undecodable("not UTF-8")


@given(st.binary())
def test_any_bytes_give_a_value(data: bytes) -> None:
    assert isinstance(jsonrpc.decode(data), jsonrpc.Message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ("id", "method", "params", "result", "error", "trace", "jsonrpc")


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_any_members_give_a_value(members: dict[str, object]) -> None:
    message = jsonrpc.decode(json.dumps(members))

    # What can be answered is a request, and what has a name is never dropped.
    number = members.get("id")
    if isinstance(members.get("method"), str):
        is_request = (isinstance(number, str) or (type(number) is int and abs(number) < 2**63)) and not members.get(
            "trace"
        )
        assert isinstance(message, jsonrpc.Request | jsonrpc.Notification)
        assert isinstance(message, jsonrpc.Request) or not is_request
    else:
        assert not isinstance(message, jsonrpc.Request | jsonrpc.Notification)


@given(ANY_TEXT)
def test_any_text_gives_a_value(text: str) -> None:
    assert isinstance(jsonrpc.decode(text), jsonrpc.Message)


@given(IDS, st.text())
def test_what_is_asked_is_what_is_read(request_id: int | str, method: str) -> None:
    line = jsonrpc.encode_request(request_id, method, Empty())

    assert jsonrpc.decode(line) == jsonrpc.Request(request_id, method, Raw(b"{}"))


@given(IDS)
def test_an_answer_has_the_id_of_the_question_with_its_type(request_id: int | str) -> None:
    result = jsonrpc.decode(jsonrpc.encode_result(request_id, Raw(b"[1,2]")))
    refusal = jsonrpc.decode(jsonrpc.encode_error(request_id, jsonrpc.RpcError(jsonrpc.INTERNAL_ERROR, "no")))

    assert result == jsonrpc.Response(request_id, Raw(b"[1,2]"))
    assert refusal == jsonrpc.ErrorResponse(request_id, jsonrpc.RpcError(-32603, "no"))


def test_envelopes_are_written_as_the_reference_writes_them() -> None:
    assert jsonrpc.encode_result(1, Empty()) == b'{"id":1,"result":{}}'
    assert (
        jsonrpc.encode_error("a", jsonrpc.RpcError(jsonrpc.INVALID_REQUEST, "Not initialized"))
        == b'{"error":{"code":-32600,"message":"Not initialized"},"id":"a"}'
    )
    assert jsonrpc.encode_notification("m", Empty()) == b'{"method":"m","params":{}}'
    assert (
        jsonrpc.encode_notification("m", Empty(), emitted_at_ms=1_795_717_761_739)
        == b'{"method":"m","params":{},"emittedAtMs":1795717761739}'
    )
    assert jsonrpc.encode_request(7, "m", Empty()) == b'{"method":"m","id":7,"params":{}}'


def test_too_much_is_refused_with_an_error_of_its_own() -> None:
    error = jsonrpc.decode(jsonrpc.overloaded("x"))

    assert error == jsonrpc.ErrorResponse("x", jsonrpc.RpcError(-32001, "Server overloaded; retry later."))


@given(ANY_TEXT)
def test_any_text_can_be_written(text: str) -> None:
    told = AgentMessageDeltaNotification(thread_id="t", turn_id="turn", item_id="item", delta=text)
    message = jsonrpc.decode(jsonrpc.encode_notification("item/agentMessage/delta", told))

    assert isinstance(message, jsonrpc.Notification)
    assert isinstance(message.params, Raw)
    read = msgspec.json.decode(message.params, type=AgentMessageDeltaNotification)
    assert read.delta == text.encode("utf-8", "replace").decode()


def test_text_without_utf_8_spoils_nothing_beside_it() -> None:
    told = ThreadRealtimeItemAddedNotification(thread_id="\ud800", item=Raw(b'{"type":"x"}'))

    assert (
        jsonrpc.encode_notification("thread/realtime/itemAdded", told)
        == b'{"method":"thread/realtime/itemAdded","params":{"threadId":"?","item":{"type":"x"}}}'
    )


def test_json_that_somebody_else_wrote_over_several_lines_goes_out_as_one() -> None:
    item = Raw(b'{\n  "type": "message",\r\n  "text": "two\\nlines"\n}')
    line = jsonrpc.encode_notification("m", ThreadRealtimeItemAddedNotification(thread_id="t", item=item))

    assert b"\n" not in line
    assert json.loads(line)["params"]["item"] == {"type": "message", "text": "two\nlines"}


def test_params_are_left_out_and_not_null() -> None:
    message = jsonrpc.decode(b'{"id":1,"method":"m"}')

    assert isinstance(message, jsonrpc.Request)
    assert message.params is UNSET
