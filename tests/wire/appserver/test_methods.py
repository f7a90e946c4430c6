from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import pytest
from msgspec import UNSET, Raw

from backchannel.wire.appserver import (
    CLIENT_NOTIFICATIONS,
    METHODS,
    NOTIFICATIONS,
    SERVER_REQUESTS,
    ApiKeyLogin,
    CommandExecutionRequestApprovalParams,
    CommandExecutionRequestApprovalResponse,
    DecisionDetail,
    FileChangeRequestApprovalParams,
    LogoutAccountParams,
    ThreadLoadedListParams,
    ThreadRealtimeListVoicesParams,
    decode_answer,
    decode_params,
    requires_experimental_api,
    without_experimental_fields,
)
from backchannel.wire.jsonrpc import RpcError

NOT_JSON: Final = "Invalid request: it is not JSON"


def params_of(method: str, params: dict[str, object]) -> msgspec.Struct:
    found = decode_params(method, Raw(msgspec.json.encode(params)))
    assert isinstance(found, msgspec.Struct)
    assert not isinstance(found, RpcError), found.message
    return found


# ---- dispatch ----


def test_an_unknown_method_is_answered_with_the_known_ones() -> None:
    error = decode_params("nope", Raw(b"{}"))

    assert isinstance(error, RpcError)
    assert error.code == -32600
    assert error.message.startswith(
        "Invalid request: unknown variant `nope`, expected one of `initialize`, `thread/start`, `thread/resume`, "
    )
    assert re.findall("`([^`]*)`", error.message) == ["nope", *METHODS]


@pytest.mark.parametrize("params", [UNSET, Raw(b"null"), Raw(b"{}")])
def test_logging_out_needs_no_parameters(params: Raw) -> None:
    assert decode_params("account/logout", params) == LogoutAccountParams()


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"account/logout"}))
@pytest.mark.parametrize("params", [UNSET, Raw(b"null")])
def test_all_others_need_them(method: str, params: Raw) -> None:
    error = decode_params(method, params)

    assert error == RpcError(-32600, "Invalid request: missing field `params`")


@pytest.mark.parametrize(
    ("method", "params", "read"),
    [
        ("thread/loaded/list", {"unknown": 1}, ThreadLoadedListParams()),
        ("thread/realtime/listVoices", {}, ThreadRealtimeListVoicesParams()),
        ("account/login/start", {"type": "apiKey", "apiKey": "sk-test"}, ApiKeyLogin(api_key="sk-test")),
    ],
)
def test_parameters_are_read_into_the_struct_of_the_method(
    method: str, params: dict[str, object], read: msgspec.Struct
) -> None:
    assert params_of(method, params) == read


def test_wrong_parameters_of_a_method_that_needs_none_are_refused_all_the_same() -> None:
    error = decode_params("account/logout", Raw(b"[]"))

    assert isinstance(error, RpcError)
    assert error.message == "Invalid request: invalid type: sequence, expected struct LogoutAccountParams"


# ---- what is experimental ----


@pytest.mark.parametrize(
    ("method", "params", "used"),
    [
        ("thread/realtime/listVoices", {}, "thread/realtime/listVoices"),
        (
            "thread/realtime/playback",
            {"threadId": "t", "itemId": "i", "playedMs": 20},
            "thread/realtime/playback",
        ),
        ("thread/start", {}, None),
        ("thread/start", {"ephemeral": True, "approvalPolicy": "never"}, None),
        ("thread/start", {"mockExperimentalField": "x"}, "thread/start.mockExperimentalField"),
        ("thread/start", {"mockExperimentalField": None}, None),
        ("thread/start", {"dynamicTools": []}, "thread/start.dynamicTools"),
        ("thread/start", {"historyMode": "legacy", "dynamicTools": []}, "thread/start.historyMode"),
        ("thread/start", {"experimentalRawEvents": True}, "thread/start.experimentalRawEvents"),
        ("thread/start", {"experimentalRawEvents": False}, None),
        (
            "thread/start",
            {"approvalPolicy": {"granular": {"sandbox_approval": True, "rules": True, "mcp_elicitations": True}}},
            "askForApproval.granular",
        ),
        ("turn/start", {"threadId": "t", "input": [], "responsesapiClientMetadata": {}},
         "turn/start.responsesapiClientMetadata"),
        ("turn/start", {"threadId": "t", "input": [], "clientMetadata": {}}, "turn/start.responsesapiClientMetadata"),
        ("turn/start", {"threadId": "t", "input": [], "collaborationMode": {}}, "turn/start.collaborationMode"),
        ("turn/start", {"threadId": "t", "input": [], "collaborationMode": None}, None),
        ("turn/start", {"threadId": "t", "input": [], "turnTrigger": "x"}, None),
        ("thread/resume", {"threadId": "t", "history": []}, "thread/resume.history"),
        ("thread/resume", {"threadId": "t", "excludeTurns": True}, None),
        ("thread/fork", {"threadId": "t", "attachToSource": True}, "thread/fork.attachToSource"),
    ],
)  # fmt: skip
def test_what_is_experimental_needs_the_capability(method: str, params: dict[str, object], used: str | None) -> None:
    error = requires_experimental_api(method, params_of(method, params))

    assert error == (used and RpcError(-32600, f"{used} requires experimentalApi capability"))


def test_what_is_experimental_is_left_out_for_clients_without_the_capability() -> None:
    asked = CommandExecutionRequestApprovalParams(
        thread_id="t",
        turn_id="turn",
        item_id="item",
        started_at_ms=7,
        command="make",
        available_decisions=("accept", "decline"),
        additional_permissions=Raw(b"{}"),
    )
    kept = without_experimental_fields("item/commandExecution/requestApproval", asked)

    assert kept == msgspec.structs.replace(asked, available_decisions=UNSET, additional_permissions=UNSET)
    change = FileChangeRequestApprovalParams(thread_id="t", turn_id="turn", item_id="item", started_at_ms=7)
    assert without_experimental_fields("item/fileChange/requestApproval", change) == change


@pytest.mark.parametrize("method", [method for method in METHODS.values() if method.experimental_fields])
def test_experimental_fields_exist(method: Any) -> None:  # a row of the table
    assert set(method.experimental_fields) <= set(method.params.__struct_encode_fields__)


# ---- answers ----


def test_an_answer_is_read_into_the_struct_of_the_request() -> None:
    method = "item/commandExecution/requestApproval"

    assert decode_answer(method, Raw(b'{"decision":"accept"}')) == CommandExecutionRequestApprovalResponse(
        decision="accept"
    )
    answer = decode_answer(
        method, Raw(b'{"decision":{"acceptWithExecpolicyAmendment":{"execpolicy_amendment":["make"]}}}')
    )
    assert isinstance(answer, CommandExecutionRequestApprovalResponse)
    assert isinstance(answer.decision, DecisionDetail)


def test_broken_bytes_are_refused_too() -> None:
    broken = Raw(b'{"decision":"\xff","threadId":"\xff"}')

    assert decode_answer("item/fileChange/requestApproval", broken) == RpcError(-32600, NOT_JSON)
    assert decode_params("thread/archive", broken) == RpcError(-32600, NOT_JSON)


@pytest.mark.parametrize(
    ("method", "answer", "problem"),
    [
        ("item/fileChange/requestApproval", b"{}", "missing field `decision`"),
        (
            "item/fileChange/requestApproval",
            b'{"decision":"yes"}',
            "unknown variant `yes`, expected one of `accept`, `acceptForSession`, `decline`, `cancel`",
        ),
        (
            "item/commandExecution/requestApproval",
            b'{"decision":{}}',
            "expected exactly one of acceptWithExecpolicyAmendment, applyNetworkPolicyAmendment, got 0",
        ),
        (
            "item/commandExecution/requestApproval",
            b'{"decision":{"applyNetworkPolicyAmendment":{"network_policy_amendment":{"host":"h","action":"x"}}}}',
            "unknown variant `x`, expected `allow` or `deny`",
        ),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(method: str, answer: bytes, problem: str) -> None:
    assert decode_answer(method, Raw(answer)) == RpcError(-32600, f"Invalid request: {problem}")


# ---- the table ----


def test_every_row_has_a_name_of_its_own() -> None:
    names = [*METHODS, *SERVER_REQUESTS, *CLIENT_NOTIFICATIONS, *NOTIFICATIONS]

    assert len(names) == len(set(names))
    for table in (METHODS, SERVER_REQUESTS, CLIENT_NOTIFICATIONS, NOTIFICATIONS):
        assert [row.name for row in table.values()] == list(table)
