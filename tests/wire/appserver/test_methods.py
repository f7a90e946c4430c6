from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.wire import appserver
from backchannel.wire.appserver import MAX_INPUT_CHARACTERS, METHODS, experimental_use, read_params, unknown_method
from backchannel.wire.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, Problem
from tests.wire.appserver.forms import example

START = "thread/realtime/start"
TURN = "turn/start"


def _read(name: str, params: str | None) -> msgspec.Struct | Problem:
    return read_params(name, None if params is None else msgspec.Raw(params.encode()))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("full", [True, False])
def test_the_parameters_of_every_method_are_read(name: str, *, full: bool) -> None:
    value = example(METHODS[name].params, full=full)
    assert read_params(name, msgspec.Raw(msgspec.json.encode(value))) == value


@pytest.mark.parametrize("name", METHODS)
@given(params=st.binary(max_size=30))
def test_whatever_the_parameters_are_there_is_an_answer(name: str, params: bytes) -> None:
    assert isinstance(read_params(name, msgspec.Raw(params)), msgspec.Struct)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        (START, '{"threadId": "t"}', "missing field `outputModality`"),
        (START, "{}", "missing field `threadId`"),
        (START, '{"threadId": "t", "outputModality": "video"}', "unknown variant `video`, expected `text` or `audio`"),
        (
            START,
            '{"threadId": "t", "outputModality": "audio", "version": "v9"}',
            "unknown variant `v9`, expected one of `v1`, `v2`, `v3`",
        ),
        (
            START,
            '{"threadId": "t", "outputModality": "audio", "transport": {"type": "carrier"}}',
            "unknown variant `carrier`, expected one of `websocket`, `webrtc`, `existingCall`",
        ),
        (START, '{"threadId": "t", "outputModality": "audio", "prompt": 7}', "invalid type: int, expected str | null"),
        (
            START,
            '{"threadId": "t", "outputModality": "audio", "initialItems": [{"role": "nobody", "text": ""}]}',
            "unknown variant `nobody`, expected one of `user`, `assistant`, `developer`",
        ),
        (TURN, '{"threadId": "t", "input": [{"type": "smell"}]}', "unknown variant `smell`, expected one of"),
        ("account/login/start", '{"type": "chatgpt", "apiKey": ""}', "unknown variant `chatgpt`, expected `apiKey`"),
        ("thread/realtime/listVoices", None, "missing field `params`"),
        ("thread/list", "[1]", "invalid type: array, expected object"),
        ("thread/list", '{"limit": -1}', "expected `int` >= 0"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_reference(name: str, params: str | None, message: str) -> None:
    problem = _read(name, params)
    assert isinstance(problem, Problem)
    assert problem.code == INVALID_REQUEST
    assert problem.message.startswith(f"Invalid request: {message}")


def test_sound_with_too_many_channels_is_refused() -> None:
    audio = '{"data": "AAA=", "sampleRate": 24000, "numChannels": 70000}'
    problem = _read("thread/realtime/appendAudio", f'{{"threadId": "t", "audio": {audio}}}')
    assert isinstance(problem, Problem)


@pytest.mark.parametrize("params", [None, "null", "{}"])
def test_where_nothing_is_needed_nothing_need_be_given(params: str | None) -> None:
    assert _read("thread/list", params) == appserver.ThreadListParams()


@pytest.mark.parametrize("params", ['{"threadId": "\ud800"}', '{"threadId"', '{"a":' * 5000])
def test_what_is_no_json_is_refused(params: str) -> None:
    problem = read_params("thread/read", msgspec.Raw(params.encode("utf-8", "surrogatepass")))
    assert isinstance(problem, Problem)
    assert problem.message.startswith("Invalid request: ")


@pytest.mark.parametrize("name", ["turn/start", "turn/steer"])
def test_too_much_text_is_refused_with_the_numbers(name: str) -> None:
    def params(n: int) -> msgspec.Raw:
        parts = [{"type": "text", "text": "a" * n}, {"type": "localImage", "path": "/x"}, {"type": "text", "text": "b"}]
        return msgspec.Raw(msgspec.json.encode({"threadId": "t", "input": parts, "expectedTurnId": "u"}))

    assert not isinstance(read_params(name, params(MAX_INPUT_CHARACTERS - 1)), Problem)
    problem = read_params(name, params(MAX_INPUT_CHARACTERS))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.message) == (
        INVALID_PARAMS,
        "Input exceeds the maximum length of 1048576 characters.",
    )
    assert isinstance(problem.data, msgspec.Raw)
    assert msgspec.json.decode(problem.data) == {
        "input_error_code": "input_too_large",
        "max_chars": 1048576,
        "actual_chars": 1048577,
    }


def test_a_method_that_there_is_not_is_named_with_those_that_there_are() -> None:
    problem = unknown_method("nope")
    assert problem.code == INVALID_REQUEST
    assert problem.message.startswith("Invalid request: unknown variant `nope`, expected one of `initialize`, ")


def test_experimental_methods_and_fields_are_refused() -> None:
    def use(name: str, params: bytes | None = None) -> str | None:
        problem = experimental_use(name, None if params is None else msgspec.Raw(params))
        return None if problem is None else problem.message

    assert use(START) == "thread/realtime/start requires experimentalApi capability"
    assert use("thread/start") is None
    assert use("thread/start", b'{"cwd": "/a"}') is None
    assert use("thread/start", b'{"mockExperimentalField": null, "experimentalRawEvents": false}') is None
    assert use("thread/start", b"[") is None
    assert use("turn/start", b'{"mockExperimentalField": "x"}') is None
    assert use("thread/start", b'{"mockExperimentalField": "x"}') == (
        "thread/start.mockExperimentalField requires experimentalApi capability"
    )


def test_only_our_own_notifications_are_ours() -> None:
    ours = {name for name, each in appserver.NOTIFICATIONS.items() if each.is_ours}
    assert ours == {f"thread/realtime/{name}" for name in ("warning", "reconnecting", "reconnected")}
    assert {name for name, each in METHODS.items() if each.is_ours} == {"thread/realtime/playback"}
