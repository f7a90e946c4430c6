from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw, inspect

from backchannel.wire.appserver import (
    METHODS,
    Method,
    ThreadArchiveParams,
    decode_params,
    invalid_request,
    unknown_variant,
)
from backchannel.wire.jsonrpc import RpcError

T = '"threadId":"t"'
START = f'{T},"outputModality":"audio"'


def refusal(method: str, params: str) -> str:
    found = decode_params(method, Raw(params.encode()))
    assert isinstance(found, RpcError)
    assert found.code == -32600
    assert found.data is UNSET
    return found.message.removeprefix("Invalid request: ")


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        # Fields that are missing, in the order of the method.
        ("thread/realtime/start", "{}", "missing field `threadId`"),
        ("thread/realtime/start", f"{{{T}}}", "missing field `outputModality`"),
        ("thread/realtime/appendAudio", f'{{{T},"audio":{{"data":"AAA="}}}}', "missing field `sampleRate`"),
        ("thread/start", '{"approvalPolicy":{"granular":{}}}', "missing field `sandbox_approval`"),
        ("turn/steer", f'{{{T},"input":[]}}', "missing field `expectedTurnId`"),
        ("thread/realtime/start", f'{{{START},"transport":{{"type":"webrtc"}}}}', "missing field `sdp`"),
        ("thread/realtime/start", f'{{{START},"transport":{{}}}}', "missing field `type`"),
        ("account/login/start", "{}", "missing field `type`"),
        ("account/login/start", '{"type":"apiKey"}', "missing field `apiKey`"),
        ("thread/start", "null", "missing field `params`"),
        # Names that are not among those that there are.
        (
            "thread/realtime/start",
            f'{{{T},"outputModality":"video"}}',
            "unknown variant `video`, expected `text` or `audio`",
        ),
        (
            "thread/realtime/start",
            f'{{{START},"version":"v9"}}',
            "unknown variant `v9`, expected one of `v1`, `v2`, `v3`",
        ),
        (
            "thread/realtime/start",
            f'{{{START},"transport":{{"type":"carrier"}}}}',
            "unknown variant `carrier`, expected one of `websocket`, `webrtc`, `existingCall`",
        ),
        (
            "thread/realtime/appendText",
            f'{{{T},"text":"x","role":"system"}}',
            "unknown variant `system`, expected one of `user`, `developer`, `assistant`",
        ),
        (
            "turn/start",
            f'{{{T},"input":[{{"type":"video"}}]}}',
            "unknown variant `video`, expected one of "
            + ", ".join(
                f"`{kind}`" for kind in ["text", "image", "localImage", "audio", "localAudio", "skill", "mention"]
            ),
        ),
        (
            "thread/list",
            '{"sortKey":"x"}',
            "unknown variant `x`, expected one of `created_at`, `updated_at`, `recency_at`, `section_position`",
        ),
        (
            "thread/start",
            '{"approvalPolicy":"x"}',
            "unknown variant `x`, expected one of `untrusted`, `on-request`, `never`, `granular`",
        ),
        (
            "thread/start",
            '{"multiAgentMode":{"strange":1}}',
            "unknown variant `strange`, expected one of `explicitRequestOnly`, `proactive`, `custom`",
        ),
        # Values of another type.
        ("thread/realtime/start", '{"threadId":7}', "invalid type: integer `7`, expected a string"),
        ("thread/realtime/start", f'{{{START},"prompt":1.5}}', "invalid type: floating point `1.5`, expected a string"),
        ("thread/realtime/start", f'{{{START},"prompt":true}}', "invalid type: boolean `true`, expected a string"),
        ("thread/realtime/start", f'{{{START},"prompt":[1]}}', "invalid type: sequence, expected a string"),
        ("thread/realtime/start", f'{{{START},"prompt":{{}}}}', "invalid type: map, expected a string"),
        ("thread/realtime/start", '{"threadId":null}', "invalid type: null, expected a string"),
        (
            "thread/realtime/start",
            f'{{{START},"includeStartupContext":"yes"}}',
            'invalid type: string "yes", expected a boolean',
        ),
        (
            "thread/realtime/start",
            f'{{{T},"outputModality":7}}',
            "invalid type: integer `7`, expected string or map",
        ),
        (
            "thread/realtime/start",
            f'{{{T},"outputModality":{{"text":1}}}}',
            "invalid type: map, expected string or map",
        ),
        ("thread/start", '{"approvalPolicy":7}', "invalid type: integer `7`, expected string or map"),
        ("thread/realtime/start", f'{{{START},"initialItems":{{}}}}', "invalid type: map, expected a sequence"),
        (
            "thread/realtime/start",
            f'{{{START},"codexResponseHandoffChannelPrefixes":{{"analysis":"x"}}}}',
            'invalid type: string "x", expected a sequence',
        ),
        (
            "thread/realtime/start",
            f'{{{START},"transport":"webrtc"}}',
            'invalid type: string "webrtc", expected internally tagged enum ThreadRealtimeStartTransport',
        ),
        ("account/login/start", '{"type":7}', "invalid type: integer `7`, expected variant identifier"),
        (
            "thread/realtime/appendAudio",
            f'{{{T},"audio":"x"}}',
            'invalid type: string "x", expected struct ThreadRealtimeAudioChunk',
        ),
        ("thread/realtime/start", "7", "invalid type: integer `7`, expected struct ThreadRealtimeStartParams"),
        ("thread/read", f'{{{T},"includeTurns":null}}', "invalid type: null, expected a boolean"),
        ("turn/start", f'{{{T},"input":[],"clientMetadata":[]}}', "invalid type: sequence, expected a map"),
        (
            "turn/start",
            f'{{{T},"input":[],"responsesapiClientMetadata":{{"a":1}}}}',
            "invalid type: integer `1`, expected a string",
        ),
        ("thread/list", '{"cwd":[7]}', "data did not match any variant of untagged enum"),
        ("thread/list", '{"cwd":7}', "data did not match any variant of untagged enum"),
        # Numbers that do not fit.
        (
            "thread/realtime/appendAudio",
            f'{{{T},"audio":{{"data":"","sampleRate":24000,"numChannels":70000}}}}',
            "invalid value: integer `70000`, expected u16",
        ),
        ("thread/list", '{"limit":-1}', "invalid value: integer `-1`, expected u32"),
        ("thread/list", '{"limit":2.5}', "invalid type: floating point `2.5`, expected u32"),
        ("thread/list", '{"limit":true}', "invalid type: boolean `true`, expected u32"),
        ("thread/list", f'{{"limit":{"9" * 30}}}', f"invalid value: integer `{'9' * 30}`, expected u32"),
        # What no type says.
        (
            "turn/start",
            f'{{{T},"input":[{{"type":"image"}}]}}',
            "data did not match any variant of untagged enum ImageReference",
        ),
        ("turn/start", f'{{{T},"input":[],"effort":""}}', "reasoning_effort must not be empty"),
        # A wrong value comes before a missing field, and the first wrong value before the others.
        ("thread/realtime/start", '{"threadId":7,"prompt":8}', "invalid type: integer `7`, expected a string"),
        ("thread/realtime/start", '{"unknown":1,"prompt":8}', "invalid type: integer `8`, expected a string"),
        # A good list and a good map do not hide what is wrong behind them.
        ("thread/list", '{"cwd":["a"],"limit":"x"}', 'invalid type: string "x", expected u32'),
        ("thread/list", '{"cwd":null,"limit":"x"}', 'invalid type: string "x", expected u32'),
        (
            "thread/start",
            '{"config":{"a":1},"dynamicTools":[{}],"ephemeral":false,"approvalPolicy":"never","cwd":7}',
            "invalid type: integer `7`, expected a string",
        ),
        (
            "thread/start",
            '{"approvalPolicy":{"granular":{"rules":true,"sandbox_approval":true,"mcp_elicitations":true}},"cwd":7}',
            "invalid type: integer `7`, expected a string",
        ),
        (
            "thread/realtime/start",
            f'{{{START},"transport":{{"type":"existingCall","callId":"c"}},"voice":"cove","model":[]}}',
            "invalid type: sequence, expected a string",
        ),
        (
            "thread/resume",
            f'{{{T},"initialTurnsPage":{{"limit":5}},"model":7}}',
            "invalid type: integer `7`, expected a string",
        ),
    ],
)
def test_what_is_wrong_is_said_as_the_reference_says_it(method: str, params: str, message: str) -> None:
    assert refusal(method, params) == message


def test_a_long_text_is_not_given_back_whole() -> None:
    assert len(refusal("thread/realtime/start", f'{{"threadId":[],"x":"{"y" * 5_000}"}}')) < 100
    assert len(refusal("thread/realtime/start", f'{{{T},"outputModality":"{"y" * 5_000}"}}')) < 400
    assert len(refusal("thread/list", f'{{"useStateDbOnly":"{"y" * 5_000}"}}')) < 400


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep = "[" * 100_000 + "]" * 100_000

    assert refusal("thread/start", f'{{"config":{{"a":{deep}}}}}') == "it is nested too deeply"


def test_what_is_not_json_is_refused() -> None:
    assert refusal("thread/start", "{") == "it is not JSON"


@pytest.mark.parametrize(
    ("known", "expected"),
    [(["a"], "`a`"), (["a", "b"], "`a` or `b`"), (["a", "b", "c"], "one of `a`, `b`, `c`")],
)
def test_the_known_names_are_listed(known: list[str], expected: str) -> None:
    assert unknown_variant("x", known) == f"unknown variant `x`, expected {expected}"


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    good = decode_params("thread/archive", Raw(b'{"threadId":7,"threadId":"t"}'))

    assert good == ThreadArchiveParams(thread_id="t")
    assert refusal("thread/archive", '{"threadId":"t","threadId":7}') == "invalid type: integer `7`, expected a string"


def test_the_error_says_that_the_request_is_to_blame() -> None:
    assert invalid_request("x") == RpcError(-32600, "Invalid request: x")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "x"]), inner),
    max_leaves=4,
)


def fields_of(kind: object) -> list[str]:
    match inspect.type_info(kind):
        case inspect.UnionType(types=kinds):
            return [name for each in kinds if isinstance(each, inspect.StructType) for name in fields_of(each.cls)]
        case inspect.StructType(fields=fields):
            return [field.encode_name for field in fields]
        case _:
            return []


@given(method=st.sampled_from([*METHODS.values()]), data=st.data())
def test_any_parameters_give_a_value_and_words_of_our_own(method: Method, data: st.DataObject) -> None:
    names = [*fields_of(method.params), "type"]
    params = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=4) | VALUES)
    found = decode_params(method.name, Raw(json.dumps(params).encode()))

    if isinstance(found, RpcError):
        assert found.message.startswith("Invalid request: ")
        # Those would be the words of the library.
        assert "Expected" not in found.message
        assert "$" not in found.message
    else:
        assert isinstance(found, msgspec.Struct)
